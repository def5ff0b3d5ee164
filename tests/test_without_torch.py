"""Everything but training runs where torch is not installed; and the graphs run where fesnet is
not.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fesnet.faces import ModelFiles, compute_landmark_features, only_face
from fesnet.runtime import OnnxRuntime
from fesnet.weights import load_weights
from small_network import (
    SHAPED,
    half_mask,
    line_scores,
    make_network,
    moving_crops,
    moving_landmarks,
)

ROOT = Path(__file__).parent.parent
# A finder before all others: whoever imports torch or safetensors gets the error of a machine that
# lacks them.
BLOCKED = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "safetensors"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""
SHORT_DEMO = """
from fesnet.synth.videos import demo_video
demo_video.DEMO_SECONDS, demo_video.DEMO_EVENTS = 5, demo_video.DEMO_EVENTS[:1]
demo_video.encode_script.__kwdefaults__["size"] = 320
"""
COMMAND = """
from fesnet.cli import main
main()
"""


def fesnet(*arguments: object, first: str = "") -> subprocess.CompletedProcess[str]:
    """A command where torch is missing; first: code that runs before it."""
    code = f"{BLOCKED}{first}{COMMAND}"
    command = [sys.executable, "-W", "error", "-c", code, *(str(a) for a in arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_spot_stream_exports_and_score_need_no_torch(
    tiny_weights: Path, face_models: ModelFiles, face_video: Path, tmp_path: Path
) -> None:
    spot = fesnet("spot", face_video, "--weights", tiny_weights, "--out", tmp_path, "--profile")
    assert spot.returncode == 0, spot.stderr
    assert "where the time went" in spot.stdout
    assert "decode graph" in spot.stdout
    live = fesnet("live", face_video, "--weights", tiny_weights, "--json")
    assert live.returncode == 0, live.stderr
    assert '"event": "end"' in live.stdout
    formats = "eaf,textgrid,vtt,srt,boris,labelstudio,activitynet,bids,megc,csv"
    export = fesnet("export", tmp_path / "face.json", "--to", formats, "--out", tmp_path / "other")
    assert export.returncode == 0, export.stderr
    assert len(export.stdout.splitlines()) >= len(formats.split(","))
    score = fesnet("score", tmp_path / "face.csv", tmp_path / "face.csv")
    assert score.returncode == 0, score.stderr


def test_the_demo_needs_no_torch(face_models: ModelFiles, tmp_path: Path) -> None:
    """All that the demo does, on its first seconds, in small."""
    demo = fesnet("demo", "--out", tmp_path / "demo", first=SHORT_DEMO)
    assert demo.returncode == 0, demo.stderr
    assert "1 of 1 events found" in demo.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("export", "WEIGHTS", "--to", "onnx", "--out", "new"),
            "expected torch to write ONNX graphs",
        ),
        (("spot", "VIDEO", "--runtime", "torch"), "expected torch for the torch runtime"),
    ],
)
def test_what_needs_torch_says_so(
    arguments: tuple[str, ...],
    expected: str,
    tiny_weights: Path,
    face_models: ModelFiles,
    face_video: Path,
) -> None:
    places = {"WEIGHTS": tiny_weights, "VIDEO": face_video}
    done = fesnet(*(places.get(a, a) for a in arguments))
    assert done.returncode != 0
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_the_two_graphs_run_without_fesnet(tmp_path: Path) -> None:
    from fesnet.model.checkpoint import save_weights

    crops, count = moving_crops(37), 37
    save_weights(make_network(SHAPED), tmp_path / "w", training={}, rules={})
    shown = only_face(crops, np.stack([half_mask(i) for i in range(count)]))
    np.savez(
        tmp_path / "faces.npz",
        crops=shown,
        shapes=compute_landmark_features(moving_landmarks(count)),
    )
    script = ROOT / "examples" / "two_graphs.py"
    assert "fesnet" not in {
        line.split()[1] for line in script.read_text().splitlines() if line.startswith("import")
    }
    command = [sys.executable, "-I", script, tmp_path / "w", tmp_path / "faces.npz"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = np.array([line.split() for line in done.stdout.splitlines()], float)
    expected = line_scores(OnnxRuntime(load_weights(tmp_path / "w")), crops, SHAPED)
    np.testing.assert_allclose(found[:, 1:], expected.scores, atol=2e-4)
    np.testing.assert_allclose(found[:, 0], np.arange(count) / 30, atol=1e-3)

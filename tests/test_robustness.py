"""`fesnet evaluate`: clips against themselves, and labelled videos under one nuisance at a time."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from fesnet.cli import app
from fesnet.errors import UsageError
from fesnet.evaluation import nuisances, robustness, stability
from fesnet.evaluation.clip_changes import Loop, Reencode, Rescale, TrimStart
from fesnet.evaluation.nuisances import NUISANCES, bench_config, cover_height, lay_over
from fesnet.evaluation.robustness import choose_nuisances, measure_robustness, millisecond_truth
from fesnet.evaluation.robustness_table import robustness_svg
from fesnet.evaluation.stability import ClipAgreement, StabilityTable, mean_f1, measure_stability
from fesnet.intervals import Interval
from fesnet.jobs import SerialExecutor
from fesnet.metrics import Counts
from fesnet.postprocess import IntervalRules
from fesnet.result import Spotting
from fesnet.synth.script.plan import VideoPlan
from fesnet.synth.videos.demo_video import write_truth
from fesnet.video import Frame, open_source
from made_results import Found, made_result
from video_files import write_video

FOUND = (0, "macro", 30, 40, 59)  # 1.0 s to 2.0 s at 30 Hz


def images(count: int = 50) -> list[np.ndarray]:
    """Pictures (48, 64, 3) that tell their number by their grey level."""
    return [np.full((48, 64, 3), min(40 + 3 * k, 250), np.uint8) for k in range(count)]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds at 25 Hz, in a folder of its own."""
    (tmp_path / "clips").mkdir()
    return write_video(tmp_path / "clips" / "a.mkv", images(), codec="ffv1", pixels="bgr0")


class FakeSpotter:
    """Finds a macro wherever the picture is brighter than 100; needs no model."""

    weights = SimpleNamespace(name="fake", sha256="0" * 64)
    rules = IntervalRules()
    spotted = 0

    def provenance(self) -> dict[str, Any]:
        return {"weights_sha256": "0" * 64}

    def spot(self, source: Any) -> Spotting:
        levels, times = [], []
        for frame in open_source(source):
            levels.append(float(frame.image.mean()))
            times.append(frame.time)
        self.spotted += 1
        found: list[Found] = []
        bright = np.flatnonzero(np.diff([0, *(np.array(levels) > 100), 0]))
        for a, b in zip(bright[::2], bright[1::2], strict=True):
            found.append((0, "macro", int(a), int(a), int(b) - 1))
        result = made_result(found, np.round(times, 6))
        return replace(result, provenance=self.provenance())


@pytest.fixture
def spotter(monkeypatch: pytest.MonkeyPatch) -> FakeSpotter:
    fake = FakeSpotter()
    for module in (stability, robustness):
        monkeypatch.setattr(module, "process_spotter", lambda weights: fake)
    return fake


def shown(frames: Iterator[Frame]) -> tuple[list[float], list[float]]:
    """Grey levels and times."""
    pairs = [(float(f.image.mean()), f.time) for f in frames]
    return [p[0] for p in pairs], [round(p[1], 3) for p in pairs]


# --- changes of a clip ---


def test_changes_show_the_frames_they_promise(clip: Path) -> None:
    levels, times = shown(iter(open_source(clip)))
    again, at = shown(Reencode(crf=20).frames(clip))
    assert at == times and np.abs(np.array(again) - levels).max() < 4
    small = list(Rescale(0.5).frames(clip))
    assert small[0].image.shape == (24, 32, 3) and len(small) == 50
    later, at = shown(TrimStart(seconds=1.0, share=0.2).frames(clip))
    assert later == levels[10:] and at[:2] == [0.0, 0.04]
    round_and_round, at = shown(Loop(3).frames(clip))
    assert round_and_round == levels * 3
    np.testing.assert_allclose(np.diff(at), 0.04, atol=2e-3)


def test_intervals_are_compared_on_the_clock_of_the_original() -> None:
    original = made_result([FOUND], 100)
    cut = made_result([(0, "macro", 20, 30, 49)], 90)  # ten frames less
    ((truth, found),) = TrimStart().align(original, cut)
    assert (truth[0].start, truth[0].stop) == (found[0].start, found[0].stop) == (1000, 2000)
    across = made_result([(0, "macro", 0, 3, 8)], 65)  # what is left of one that the cut halves
    assert TrimStart().align(original, across) == [([], [])]
    looped = made_result([FOUND, (0, "macro", 230, 240, 259)], 300)
    parts = Loop(3).align(original, looped)
    assert [len(found) for _, found in parts] == [1, 0, 1]
    assert parts[2][1][0].iou(parts[2][0][0]) == 1


def test_clips_without_intervals_do_not_count() -> None:
    same, other = ClipAgreement("a", "x", Counts(1), Counts(1)), Counts(0, 1, 1)
    nothing = ClipAgreement("b", "x", Counts(), Counts())
    kind = ClipAgreement("c", "x", other, Counts(1))
    assert mean_f1([same, nothing, kind]) == 0.5
    assert mean_f1([same, nothing, kind], typed=False) == 1
    assert mean_f1([nothing]) is None
    assert StabilityTable((same, nothing, kind), ()).changes == ["x"]


def test_stability_of_a_folder(clip: Path, spotter: FakeSpotter, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (clip.parent / "broken.mp4").write_bytes(b"no video")
    table = measure_stability(clip.parent, out, None, None, SerialExecutor())
    assert spotter.spotted == 5 and "broken.mp4" in table.left_out[0]
    values = json.loads((out / "stability.json").read_text())
    assert values["all"]["mean_f1"] == 1 and values["all"]["clips"] == 4
    assert values["changes"]["looped"]["counts"] == {"tp": 3, "fp": 0, "fn": 0}
    lines = (out / "stability.md").read_text()
    assert "| a.mkv | 1.000 | 1.000 | 1.000 | 1.000 |" in lines
    assert "left out: " in lines
    before = {p: p.read_bytes() for p in out.rglob("*.*") if p.is_file()}
    measure_stability(clip.parent, out, None, None, SerialExecutor())
    assert spotter.spotted == 5, "results were there"
    assert {p: p.read_bytes() for p in before} == before
    clip.write_bytes(clip.read_bytes() + b"\0")  # another clip of the same name
    measure_stability(clip.parent, out, None, None, SerialExecutor())
    assert spotter.spotted == 10


def test_stability_by_other_rules_needs_no_spotting(
    clip: Path, spotter: FakeSpotter, tmp_path: Path
) -> None:
    measure_stability(clip.parent, tmp_path / "out", None, None, SerialExecutor())
    table = measure_stability(
        clip.parent, tmp_path / "out", None, IntervalRules(macro_threshold=0.9), SerialExecutor()
    )
    assert spotter.spotted == 5
    assert all(a.empty for a in table.agreements)  # no scores are stored, so nothing is found


# --- nuisances ---


def run(name: str, level: float, count: int = 50) -> list[Frame]:
    change = NUISANCES[name].change
    assert change is not None
    return list(change((Frame(k, k / 25, i) for k, i in enumerate(images(count))), level))


def test_each_nuisance_of_the_picture_does_what_it_says() -> None:
    assert [f.image.shape for f in run("scale", 0.25, 2)] == [(16, 16, 3)] * 2
    dark = run("light", 0.25, 2)
    assert float(dark[1].image.mean()) == pytest.approx(43 / 4, abs=0.2)
    slow = run("frame rate", 10)
    assert len(slow) == pytest.approx(20, abs=1)
    assert [f.index for f in slow] == list(range(len(slow)))
    assert np.diff([f.time for f in slow]).min() > 0.07
    turned = NUISANCES["rotation"].change
    assert turned is not None
    bar = np.zeros((65, 65, 3), np.uint8)
    bar[32] = 255
    (upright,) = turned(iter([Frame(0, 0.0, bar)]), 90.0)
    assert upright.image[:, 32].mean() > 200 and upright.image[32, :20].mean() < 50
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(3)]
    change = NUISANCES["compression"].change
    assert change is not None
    errors = [
        np.mean(
            [
                np.abs(f.image.astype(int) - i).mean()
                for f, i in zip(
                    change((Frame(k, k / 25, i) for k, i in enumerate(noise)), crf),
                    noise,
                    strict=True,
                )
            ]
        )
        for crf in (20, 45)
    ]
    assert errors[1] > 1.2 * errors[0]


def test_a_hand_covers_the_lower_part_half_of_the_time() -> None:
    up = np.array([cover_height(t) for t in np.arange(0, 8, 0.05)])
    assert 0.4 < (up > 0.5).mean() < 0.5 and up.max() == 1
    image = np.zeros((100, 100, 3), np.uint8)
    covered = lay_over(image, (30, 20, 70, 80), 0.5).any(2)
    middle = np.flatnonzero(covered[:80, 50])
    assert 48 <= middle.min() <= 58  # the lower half of 20 .. 80
    assert not covered[:45].any()


def test_hand_needs_a_face(monkeypatch: pytest.MonkeyPatch) -> None:
    class Detector:
        def __init__(self, model: Path) -> None:
            pass

        def detect(self, image: np.ndarray) -> list[Any]:
            found = SimpleNamespace(box=(10, 5, 50, 40))
            return [found] if image.mean() > 50 else []

    monkeypatch.setattr(nuisances, "BlazeFaceDetector", Detector)
    monkeypatch.setattr(nuisances, "ensure_models", lambda: SimpleNamespace(detector=Path()))
    frames = run("occlusion", 0.6, 100)
    spread = np.array([np.ptp(f.image[..., 0].astype(int)) for f in frames])
    assert (spread[:50] == 0).all() and (spread[60:90] > 0).all()


def test_what_a_face_does_is_changed_one_at_a_time() -> None:
    calm = bench_config(None, 0)
    assert (calm.speech_share, calm.quiet_share) == (0, 0)
    assert bench_config(NUISANCES["rotation"], 45) == calm
    assert bench_config(NUISANCES["speech"], 5) == replace(
        calm, speech_share=1.0, speech_pause=(5, 5)
    )
    assert bench_config(NUISANCES["blinks"], 60) == replace(calm, blinks_per_minute=60)


def test_nuisances_of_the_face_need_portraits() -> None:
    assert len(choose_nuisances([], portraits=True)) == 9
    assert len(choose_nuisances([], portraits=False)) == 6
    with pytest.raises(UsageError, match="expected a folder of portraits for speech"):
        choose_nuisances(["speech"], portraits=False)
    with pytest.raises(UsageError, match=r"expected nuisances out of rotation.*, got 'rain'"):
        choose_nuisances(["rain"], portraits=True)


# --- the bench ---


def test_robustness_of_labelled_videos(clip: Path, spotter: FakeSpotter, tmp_path: Path) -> None:
    """Bright is found: in the calm video just so, in a dark one never."""
    times = np.arange(50) / 25
    write_truth(clip.with_suffix(".truth.csv"), clip.name, made_truth(), times)
    out = tmp_path / "out"
    plan = VideoPlan()
    call = (clip.parent, out, None, None, plan, ["light"], SerialExecutor())
    table = measure_robustness(*call)
    assert [(r.nuisance, r.level) for r in table] == [
        ("calm", 0.0),
        *(("light", level) for level in (0.5, 0.25, 0.12, 0.06)),
    ]
    calm, dark = table[0].counts["macro"], table[-1].counts["macro"]
    assert (calm.tp, calm.fp, calm.fn) == (1, 0, 0)
    assert (dark.tp, dark.fp, dark.fn) == (0, 0, 1)
    assert table[0].minutes == pytest.approx(2 / 60)
    values = json.loads((out / "robustness.json").read_text())
    assert values["conditions"][0]["macro"]["recall"] == 1
    assert "| light | 0.06 share left | 0.00 |" in (out / "robustness.md").read_text()
    drawing = ET.fromstring((out / "robustness.svg").read_text())
    assert len(drawing.findall(".//{*}polyline")) == 2
    assert robustness_svg(table) == (out / "robustness.svg").read_text()
    measure_robustness(*call)
    assert spotter.spotted == 5, "results were there"


def made_truth() -> list[Interval]:
    """The frames that are brighter than 100."""
    first = next(k for k, image in enumerate(images()) if image.mean() > 100)
    return [Interval(first, 50, "macro", apex=first)]


def test_truth_is_read_in_milliseconds(tmp_path: Path) -> None:
    file = tmp_path / "a.truth.csv"
    write_truth(file, "a.mp4", made_truth(), np.arange(50) / 25)
    (event,) = millisecond_truth(file)
    assert (event.start, event.stop, event.kind) == (840, 2000, "macro")


def test_the_commands(clip: Path, spotter: FakeSpotter, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["evaluate", "stability", str(clip.parent), str(tmp_path / "out"), "--jobs", "0"]
    )
    assert done.exit_code == 0, done.output
    assert "| all | 4 of 4 | 1.000 |" in done.output
    done = CliRunner().invoke(
        app, ["evaluate", "stability", str(tmp_path / "none"), str(tmp_path / "out")]
    )
    assert isinstance(done.exception, UsageError)
    assert "expected a folder of videos" in str(done.exception)

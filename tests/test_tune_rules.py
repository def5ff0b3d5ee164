"""`fesnet tune-rules`: what is chosen, measured, kept and written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fesnet.cli import app
from fesnet.errors import TruthError, UsageError
from fesnet.evaluation import tune_rules as module
from fesnet.evaluation.tune_rules import (
    LabelledResult,
    choose_rules,
    count_from_size,
    objective,
    recall_lines,
    spot_folder,
    tune_rules,
    unrelated_per_minute,
)
from fesnet.intervals import Interval
from fesnet.jobs import SerialExecutor
from fesnet.postprocess import IntervalRules
from fesnet.result import FaceTrack, Spotting
from fesnet.weights import load_weights
from made_results import made_result

FRAMES = 900
EVENTS = (Interval(100, 160, "macro"), Interval(400, 412, "micro"))


def spotting(height: float = 0.7, false: float = 0.0) -> Spotting:
    """Scores of `height` in the events, and of `false` in a macro that is none."""
    scores = np.full((FRAMES, 2), 0.02, np.float32)
    for event in EVENTS:
        scores[event.start : event.stop, int(event.kind == "micro")] = height
    scores[700:760, 0] = np.maximum(scores[700:760, 0], false)
    times = np.arange(FRAMES) / 30
    track = FaceTrack(0, times, scores, np.zeros(FRAMES, np.float32))
    empty = made_result([], FRAMES)
    provenance = {"weights_sha256": load_weights().sha256}
    return replace(empty, faces=(track,), provenance=provenance).rethreshold(empty.rules)


def video(subject: str = "a", **scores: float) -> LabelledResult:
    return LabelledResult(subject, EVENTS, (2.5, 0.4), spotting(**scores))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two videos by `fesnet synth`, without their files, and their results."""
    root = tmp_path / "people"
    root.mkdir()
    rows = [
        f"{s},{s}.mp4,{e.kind},{e.start + 1},{e.stop},{pixels}\n"
        for s in "ab"
        for e, pixels in zip(EVENTS, (2.5, 0.4), strict=True)
    ]
    (root / "videos.csv").write_text("subject,video\na,a.mp4\nb,b.mp4\n")
    (root / "truth.csv").write_text(
        "subject,video,kind,onset_frame,offset_frame,pixels\n" + "".join(rows)
    )
    (tmp_path / "results").mkdir()
    for subject in "ab":
        spotting(false=0.3).to_json(tmp_path / "results" / f"people-{subject}.json")
    return root


def test_chosen_thresholds_lie_between_what_is_true_and_what_is_not() -> None:
    videos = [video(false=0.45)]
    rules = choose_rules(videos)
    assert rules.macro_threshold > 0.45
    assert objective(videos, rules) == pytest.approx(2.0)
    assert objective(videos, replace(rules, macro_threshold=0.3)) < 2.0


def test_false_intervals_have_a_price() -> None:
    low = IntervalRules(macro_threshold=0.4)
    assert unrelated_per_minute([video(false=0.45)], low) == pytest.approx(60 / (899 / 30))
    assert unrelated_per_minute([video()], low) == 0


def test_recall_and_counts_by_size() -> None:
    rules = IntervalRules(micro_threshold=0.9)
    assert list(recall_lines([video()], rules, "macro")) == ["macro up to 3 px: recall 1.00 of 1"]
    assert list(recall_lines([video()], rules, "micro")) == ["micro up to 0.5 px: recall 0.00 of 1"]
    assert count_from_size([video()], rules, 0.0)["micro"].fn == 1
    assert count_from_size([video()], rules, 1.0)["micro"].fn == 0


def test_results_of_the_same_weights_are_used_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.Spotter, "spot", lambda *_: pytest.fail("spotted again"))
    weights = load_weights().folder
    videos = spot_folder(folder, weights, tmp_path / "results", SerialExecutor())
    assert [v.subject for v in videos] == ["a", "b"]
    assert videos[0].truth == EVENTS and videos[0].pixels == (2.5, 0.4)


def test_rules_are_written_into_the_weights_only_when_asked(folder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    shutil.copytree(load_weights().folder, weights)
    before = (weights / "config.json").read_bytes()
    call = (folder, folder, weights, tmp_path / "results", SerialExecutor())
    kept = list(tune_rules(*call, keep=True))
    assert kept[0] == f"rules of the weights: {json.dumps(load_weights().rules)}"
    lines = list(tune_rules(*call))
    assert (weights / "config.json").read_bytes() == before
    assert list(tune_rules(*call, write=True)) == lines
    assert lines[0].endswith(json.dumps(load_weights(weights).rules))
    assert any(line.startswith("test       overall") and "F1 1.000" in line for line in lines)


def test_wrong_calls(folder: Path, tmp_path: Path) -> None:
    weights, results = load_weights().folder, tmp_path / "results"
    with pytest.raises(UsageError, match="expected --write or --keep, got both"):
        list(tune_rules(folder, folder, weights, results, SerialExecutor(), write=True, keep=True))
    with pytest.raises(UsageError, match=r"expected videos.csv in .*nowhere"):
        spot_folder(tmp_path / "nowhere", weights, results, SerialExecutor())
    text = (folder / "truth.csv").read_text()
    (folder / "truth.csv").write_text(text.replace("pixels", "size"))
    with pytest.raises(TruthError, match=r"pixels in .*truth.csv line 2, got 'pixels'"):
        spot_folder(folder, weights, results, SerialExecutor())


def test_the_command(folder: Path, tmp_path: Path) -> None:
    weights = str(load_weights().folder)
    call = ["tune-rules", str(folder), str(folder), weights, "--results", str(tmp_path / "results")]
    done = CliRunner().invoke(app, [*call, "--keep"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("rules of the weights: {")

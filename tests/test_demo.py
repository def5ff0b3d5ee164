"""Found beside truth, as the demo shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fesnet.demo import compare_with_truth, demo_avatar, run_demo, summarize_comparison
from fesnet.errors import TargetError
from fesnet.faces import ModelFiles
from fesnet.intervals import Interval
from fesnet.postprocess import IntervalRules
from fesnet.result import FaceTrack, SourceInfo, Spotting, assemble
from fesnet.synth.videos.demo_video import RATE, demo_script

TRUTH = (Interval(60, 120, "macro"), Interval(200, 209, "micro"), Interval(280, 290, "micro"))


def found(*events: tuple[int, int, int]) -> Spotting:
    """A result with flat scores (column, start, stop) on 12 s at the film's rate."""
    scores = np.zeros((360, 2))
    for column, start, stop in events:
        scores[start:stop, column] = 0.9
    times = np.arange(360) / float(RATE)
    track = FaceTrack(0, times, scores, np.zeros(360))
    source = SourceInfo("demo.mp4", None, None, 64, 64, "30", 360, 12.0)
    return assemble(
        source, (track,), times, float(RATE), IntervalRules(), warnings=(), provenance={}
    )


def test_every_truth_has_a_row_and_so_has_what_is_false() -> None:
    rows = compare_with_truth(TRUTH, found((0, 60, 120), (0, 195, 225), (1, 330, 338)))
    assert [(row[0], row[2], row[4]) for row in rows] == [
        ("macro", "macro", "1.00"),
        ("micro", "macro", "0.30"),
        ("micro", "missed", ""),
        ("", "micro", "no truth"),
    ]
    assert rows[0][1] == rows[0][3] == f"{60 / RATE:.2f}-{119 / RATE:.2f}"


def test_the_summary_counts_right_kinds_only() -> None:
    assert summarize_comparison(TRUTH, found((0, 60, 120), (0, 195, 225))).startswith(
        "1 of 3 events found"
    )
    assert summarize_comparison(TRUTH, found()).startswith("0 of 3 events found")
    assert "synthetic" in summarize_comparison(TRUTH, found())


def test_the_script_has_both_kinds_and_the_portrait_a_face(face_models: ModelFiles) -> None:
    script = demo_script()
    assert {event.kind for event in script.events} == {"macro", "micro"}
    assert all(event.stop <= len(script) for event in script.events)
    assert demo_avatar() is not None


@pytest.mark.parametrize("name", ["demo.mp4", "truth.csv", "demo.html", "demo.json", "demo.csv"])
def test_the_demo_replaces_no_file_of_a_person(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(TargetError, match=name):
        run_demo(tmp_path, lambda share: None)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_demo_of_an_older_version_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found().to_json(tmp_path / "demo.json")
    for name in ("demo.mp4", "truth.csv", "demo.html"):
        (tmp_path / name).write_text("of an older demo")
    monkeypatch.setattr("fesnet.demo.make_demo", lambda folder, *_, **__: folder)
    assert run_demo(tmp_path, lambda share: None) == tmp_path

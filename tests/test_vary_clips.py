"""Changed copies of labelled clips: what they show, and where their labels lie."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from fesnet.evaluation.clip_changes import TrimStart
from fesnet.video import VideoWriter, open_source

TOOL = runpy.run_path(str(Path(__file__).parents[1] / "dev" / "vary_clips.py"))
TRUTH = {
    "duration_s": 2.0,
    "events": [
        {"onset_s": 0.1, "apex_s": 0.2, "offset_s": 0.4, "type": "micro", "confidence": "high"},
        {"onset_s": 0.5, "apex_s": None, "offset_s": 1.2, "type": "macro", "confidence": "high"},
        {"onset_s": 1.4, "apex_s": 1.5, "offset_s": 1.8, "type": "micro", "confidence": "high"},
    ],
    "nuisances": [{"kind": "blink", "onset_s": 1.0, "offset_s": 1.1}],
    "ignore_s": [[1.9, 2.0]],
}


def test_labels_of_a_faster_copy_lie_where_its_frames_are() -> None:
    truth = TOOL["changed_truth"](TRUTH, TOOL["Change"](crf=20, speed=2.0), "anna")
    assert truth["person"] == "anna" and truth["duration_s"] == 1.0
    assert [(e["onset_s"], e["offset_s"]) for e in truth["events"]] == [
        (0.05, 0.2),
        (0.25, 0.6),
        (0.7, 0.9),
    ]
    assert truth["events"][0]["apex_s"] == 0.1 and truth["events"][1]["apex_s"] is None
    assert truth["nuisances"] == [{"kind": "blink", "onset_s": 0.5, "offset_s": 0.55}]
    assert truth["ignore_s"] == [[0.95, 1.0]]


def test_what_the_start_of_a_later_copy_cuts_is_unsure_or_gone() -> None:
    later = TOOL["Change"](crf=20, later=TrimStart(seconds=1.5, share=0.3))  # starts 0.6 s later
    gone, cut = TOOL["changed_truth"](TRUTH, later, "anna"), TRUTH["events"]
    assert len(gone["events"]) == len(cut) - 1
    first, last = gone["events"]
    assert (first["onset_s"], first["offset_s"]) == pytest.approx((0.0, 0.6))
    assert first["confidence"] == "low" and last["confidence"] == "high"
    assert last["onset_s"] == pytest.approx(0.8) and gone["duration_s"] == pytest.approx(1.4)


@pytest.mark.parametrize("name", ["later", "slower", "smaller", "mirrored"])
def test_a_copy_shows_the_frames_of_its_labels(tmp_path: Path, name: str) -> None:
    clip, copy = tmp_path / "clip.mp4", tmp_path / "copy.mp4"
    with VideoWriter(clip, 20.0, 96, 64, crf=10, timed=True) as writer:
        for k in range(40):  # brighter from frame to frame
            writer.write(np.full((64, 96, 3), 40 + 4 * k, np.uint8), k / 20)
    change = TOOL["CHANGES"][name]
    TOOL["write_copy"](clip, copy, change, TRUTH)
    with open_source(copy) as source:
        frames = list(source)
    start = change.later.start(2.0)
    assert len(frames) == sum(k / 20 >= start for k in range(40))
    assert frames[0].time == 0 and frames[-1].time == pytest.approx(
        (39 / 20 - start) / change.speed, abs=0.01
    )
    assert frames[0].image.shape[0] == round(64 * change.scale)
    first = 255 * ((40 + 4 * round(20 * start)) / 255) ** change.gamma
    assert frames[0].image.mean() == pytest.approx(first, abs=6)

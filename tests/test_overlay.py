"""The overlay: every frame at its own time, boxes and scores in it, nothing half-written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fesnet.errors import UsageError
from fesnet.report.overlay import COLOURS, draw_score_strip, write_overlay
from fesnet.result import assemble
from fesnet.video import VideoWriter, open_source
from test_report_page import spotted


def test_times_and_pictures(
    face_models: object, face_frames: list[np.ndarray], tmp_path: Path
) -> None:
    video, times = tmp_path / "uneven.mp4", [0.0]
    for k in range(len(face_frames) - 1):
        times.append(times[-1] + (0.08 if k % 5 == 0 else 0.03))
    with VideoWriter(video, 25, 320, 240, timed=True) as writer:
        for image, time in zip(face_frames, times, strict=True):
            writer.write(np.ascontiguousarray(image), time)
    with open_source(video) as source:
        assert [f.time for f in source] == pytest.approx(times, abs=1e-4)
    out = tmp_path / "out.mp4"
    write_overlay(spotted(video, 1.6), video, out)
    with open_source(out) as source:
        frames = list(source)
    assert [f.time for f in frames] == pytest.approx(times, abs=1e-4)
    assert frames[0].image.shape == (300, 320, 3)
    blue = near(frames[20].image[:240], COLOURS["macro"])
    assert (
        blue > 100 > near(frames[0].image[:240], COLOURS["macro"])
    )  # the box in the macro's colour, and before it


def near(image: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(image.astype(int) - colour).max(-1) < 40).sum())


def test_scores_run_along_and_break(tmp_path: Path) -> None:
    found = spotted(tmp_path / "a.mp4", 30)
    early, late = (draw_score_strip(t, found, 400, 80) for t in (0.7, 28.0))
    assert near(early, COLOURS["macro"]) > 100
    assert near(early, COLOURS["micro"]) > 20
    assert not np.array_equal(early, late)


def test_a_stretch_without_a_face_is_hatched(tmp_path: Path) -> None:
    found = spotted(tmp_path / "a.mp4", 30)
    none = assemble(
        found.source, (), found.frame_times, 30.0, found.rules, warnings=(), provenance={}
    )
    plain = replace(none, gaps=())
    for time in (0.7, 15.0, 29.0):
        lines = (
            draw_score_strip(time, none, 400, 80) != draw_score_strip(time, plain, 400, 80)
        ).any(-1)
        begins, ends = (round(max(0, min(400, (edge - time + 5) * 40))) for edge in (0.0, 29.96))
        assert lines[:60, begins:ends].mean() > 0.1
        assert not lines[:, :begins].any() and not lines[:, ends + 2 :].any()


def test_the_video_is_not_written_over(face_video: Path, tmp_path: Path) -> None:
    before = face_video.read_bytes()
    with pytest.raises(UsageError, match="expected another file than the video"):
        write_overlay(spotted(face_video, 1.6), face_video, face_video)
    assert face_video.read_bytes() == before


def test_it_ends_where_spotting_did(face_models: object, face_video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    write_overlay(spotted(face_video, 0.4), face_video, out)
    with open_source(out) as source:
        assert len(list(source)) == 10


def test_a_single_picture(
    face_models: object, face_frames: list[np.ndarray], tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    cv2.imwrite(str(tmp_path / "one" / "img1.png"), face_frames[0])
    out = tmp_path / "out.mp4"
    write_overlay(spotted(tmp_path / "one", 0.05), tmp_path / "one", out)
    with open_source(out) as source:
        assert len(list(source)) == 1

"""How long frames last, and what holes in a recording become."""

from __future__ import annotations

import numpy as np
import pytest

from fesnet.postprocess import IntervalRules
from fesnet.result import NO_FRAMES, FaceTrack, SourceInfo, assemble
from fesnet.spotter import frame_rate_warnings
from fesnet.timing import find_holes, frame_ends, frame_rate, video_end

RATE = 30.0
SOURCE = SourceInfo("a.mp4", None, None, 64, 48, "25", None, None)


def with_hole(seconds: float, before: int = 41, after: int = 37) -> np.ndarray:
    first = np.arange(before) / 25
    return np.concatenate([first, first[-1] + seconds + np.arange(after) / 25])


def test_a_frame_ends_where_the_next_begins_but_not_after_a_hole() -> None:
    times = with_hole(60.0)
    ends = frame_ends(times, RATE)
    assert ends[:40] == pytest.approx(times[1:41])
    assert ends[40] == pytest.approx(1.64)
    assert ends[-1] == pytest.approx(video_end(times, RATE))
    assert find_holes(times, RATE).tolist() == [40]


@pytest.mark.parametrize("pause", [0.08, 0.3, 0.5])
def test_a_short_pause_is_no_hole(pause: float) -> None:
    times = with_hole(pause)
    assert len(find_holes(times, RATE)) == 0
    assert frame_ends(times, RATE)[40] == times[41]


def test_slow_films_and_equal_times() -> None:
    assert len(find_holes(np.arange(20.0), RATE)) == 0  # one frame a second
    assert frame_ends(np.array([0.0, 1.0, 1.0, 2.0]), RATE).tolist() == [1.0, 2.0, 2.0, 3.0]
    two = np.concatenate([np.arange(10) / 25, [0.36, 30.0, 30.04]])
    assert frame_ends(two, RATE)[9:11] == pytest.approx([0.4, 0.4])
    assert frame_ends(np.array([0.0]), RATE) == pytest.approx([1 / 30], abs=1e-6)


def test_the_rate_is_that_while_the_recording_runs() -> None:
    times = with_hole(60.0)
    assert frame_rate(times, RATE) == pytest.approx(25)
    assert frame_rate_warnings("a.mp4", times) == []
    assert "10.0 frames" in frame_rate_warnings("a.mp4", np.arange(50) / 10)[0]


def track(times: np.ndarray, unknown: list[tuple[float, float]]) -> FaceTrack:
    steps = np.arange(int(times[-1] * RATE + 1e-6) + 1) / RATE
    scores = np.zeros((len(steps), 2), np.float32)
    for a, b in unknown:
        scores[(steps > a) & (steps < b)] = np.nan
    return FaceTrack(0, steps, scores, np.zeros(len(steps), np.float32))


def test_a_hole_is_a_gap_of_its_own() -> None:
    times = with_hole(60.0)
    made = assemble(SOURCE, (track(times, [(1.62, 61.58)]),), times, RATE, IntervalRules(),
                    warnings=(), provenance={})  # fmt: skip
    (gap,) = made.gaps
    assert (gap.reason, gap.start_frame, gap.stop_frame) == (NO_FRAMES, 40, 41)
    assert (gap.start_s, gap.stop_s) == pytest.approx((1.64, 61.6))
    assert made.known_seconds == pytest.approx(3.12, abs=0.1)


def test_a_hole_within_a_gap_is_part_of_it() -> None:
    times = with_hole(60.0)
    made = assemble(SOURCE, (track(times, [(1.0, 62.0)]),), times, RATE, IntervalRules(),
                    warnings=(), provenance={})  # fmt: skip
    assert [gap.reason for gap in made.gaps] == ["no face"]


def test_a_late_beginning_is_neither_a_gap_nor_length() -> None:
    times = 0.8 + np.arange(50) / 25
    made = assemble(SOURCE, (track(times, [(-1, 0.79)]),), times, RATE, IntervalRules(),
                    warnings=(), provenance={})  # fmt: skip
    assert made.gaps == ()
    assert made.seconds == pytest.approx(2.0)
    assert made.known_seconds == pytest.approx(2.0, abs=0.04)

"""Sampling by time, resampling, and aggregated windows against the naive way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fesnet.config import PRESETS, FesNetConfig
from fesnet.errors import UsageError
from fesnet.windows import (
    FrameSampler,
    Resampler,
    WindowAggregator,
    reflect_indices,
    resample_rows,
)


@pytest.mark.parametrize(
    ("fps", "share"),
    [(10, 1.0), (25, 1.0), (29.97, 1.0), (30, 1.0), (50, 0.6), (60, 0.5), (200, 0.15)],
)
def test_sampler_takes_what_the_working_rate_needs(fps: float, share: float) -> None:
    sampler = FrameSampler(30.0)
    times = np.arange(int(20 * fps)) / fps
    kept = times[[sampler.should_sample(float(t)) for t in times]]
    assert len(kept) / len(times) == pytest.approx(share, rel=0.01)
    assert np.diff(kept).max() < 1.7 / min(fps, 30)


def test_sampler_with_irregular_and_repeated_times() -> None:
    sampler = FrameSampler(30.0)
    assert [sampler.should_sample(t) for t in (0.0, 0.0, 0.01, 0.033, 0.9, 0.9, 0.95)] == [
        True,
        False,
        False,
        True,
        True,
        False,
        True,
    ]


def test_resampling_is_exact_for_features_that_change_linearly() -> None:
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 3, 70))
    times = times[np.diff(times, prepend=-1) > 0.005]
    slope = rng.normal(size=(4, 3)).astype(np.float32)
    resampler, steps = Resampler(30.0), []
    for t in times:
        steps += list(resampler.push(float(t), slope * np.float32(t)))
    index = [k for k, _ in steps]
    assert index == list(range(index[0], index[0] + len(index)))
    for k, value in steps[1:]:
        assert np.abs(value - slope * np.float32(k / 30)).max() < 1e-4


def test_grid_breaks_where_the_face_was_away_but_not_in_slow_videos() -> None:
    resampler = Resampler(30.0)
    list(resampler.push(1.0, np.zeros((1, 1), np.float32)))
    assert resampler.is_contiguous(1.08, 0.04)
    assert not resampler.is_contiguous(1.2, 0.04)
    assert resampler.is_contiguous(1.2, 0.2)
    assert not resampler.is_contiguous(2.0, 1.0)
    resampler.reset()
    assert resampler.is_contiguous(9.0, 0.04)


def fake_decode(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores that depend on the whole window, as a network's do."""
    value = window[:, 0, 0] - window[0, 0, 0] + 0.01 * window.mean()
    raised = np.exp(np.stack([np.zeros_like(value), np.sin(value), np.cos(value)], 1))
    return (raised / raised.sum(1, keepdims=True)).astype(np.float32), np.abs(value).astype(
        np.float32
    )


def naive(track: np.ndarray, window: int, stride: int) -> np.ndarray:
    """All windows from scratch, averaged: every whole one, and one that ends with the track for
    steps that the others have not made final, each forwards and backwards."""
    n = len(track)
    sums = np.zeros((n, 4))
    weight = [min(k + 0.5, window - k - 0.5) / 40 for k in range(window)]

    def add(at: list[int], first: int) -> None:
        p, strength = fake_decode(track[at])
        for k, step in enumerate(at):
            if step >= first:
                sums[step] += np.array([*p[k, 1:], strength[k], 1]) * weight[k]

    starts = range(0, n - window + 1, stride)
    for start in starts:
        add(list(range(start, start + window)), 0)
        add(list(range(start + window - 1, start - 1, -1)), 0)
    done = len(starts) * stride
    if done < n:
        there = list(range(max(0, n - window), n))
        add(([*there, *there[-2:0:-1]] * window)[:window], done)
        there.reverse()
        add(([*there, *there[-2:0:-1]] * window)[:window], done)
    return sums[:, :3] / sums[:, 3:]


def test_a_short_segment_is_reflected() -> None:
    assert reflect_indices(9, 3).tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert reflect_indices(4, 3).tolist() == [0, 1, 2, 3]
    assert reflect_indices(3, 0).tolist() == [0, 0, 0]


def aggregated(aggregator: WindowAggregator, track: np.ndarray) -> np.ndarray:
    """All rows (T, 3) that come out for a segment that starts at step 5."""
    aggregator.clear(5)
    parts = [p for p in (aggregator.push(f) for f in track) if p is not None]
    last = aggregator.finish()
    parts += [last] if last is not None else []
    assert [p.start for p in parts] == list(np.cumsum([5, *(len(p.scores) for p in parts)]))[:-1]
    rows = [np.column_stack([p.scores, p.intensity]) for p in parts]
    assert sum(map(len, rows)) == len(track)
    return np.concatenate(rows)


@pytest.mark.parametrize("length", range(1, 49))
@pytest.mark.parametrize("stride", [4, 7, 8, 16])
def test_stitching_equals_the_naive_way(length: int, stride: int) -> None:
    track = np.random.default_rng(length).normal(size=(length, 2, 3)).astype(np.float32)
    assert (
        np.abs(
            aggregated(WindowAggregator(16, stride, fake_decode), track) - naive(track, 16, stride)
        ).max()
        < 1e-5
    )


@pytest.mark.parametrize(
    ("length", "window"), [(1, 80), (79, 80), (80, 80), (100, 100), (200, 200), (201, 200)]
)
def test_a_segment_shorter_than_a_window_is_a_window_by_itself(length: int, window: int) -> None:
    seen: list[int] = []

    def decode(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(len(part))
        return fake_decode(part)

    aggregated(WindowAggregator(200, 50, decode), np.zeros((length, 1, 1), np.float32))
    assert set(seen) == {window}
    assert len(seen) == (1 if length == 1 else 2 * (1 + (length >= 200)))


@pytest.mark.parametrize("length", [1, 15, 16, 17, 40])
def test_constant_scores_stay_constant(length: int) -> None:
    def decode(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = len(window)
        return np.tile(np.float32([0.5, 0.3, 0.2]), (n, 1)), np.full(n, 0.7, np.float32)

    rows = aggregated(WindowAggregator(16, 8, decode), np.zeros((length, 1, 1), np.float32))
    np.testing.assert_allclose(rows, np.tile([0.3, 0.2, 0.7], (length, 1)), atol=1e-6)


def directions_of(length: int, *, alternate: bool) -> tuple[list[set[str]], int]:
    """The directions in which windows of 16, 8 apart, judge each step; how many windows."""
    seen: list[set[str]] = [set() for _ in range(length)]
    calls = 0

    def decode(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal calls
        calls += 1
        steps = window[:, 0, 0].astype(int)
        for step in steps:
            seen[step].add("forwards" if steps[0] < steps[-1] else "backwards")
        return fake_decode(window)

    track = np.arange(length, dtype=np.float32)[:, None, None]
    aggregated(WindowAggregator(16, 8, decode, alternate=alternate), track)
    return seen, calls


@pytest.mark.parametrize("length", [16, 17, 24, 25, 40, 100, 173])
def test_directions_in_turn_still_judge_each_step_both_ways(length: int) -> None:
    seen, calls = directions_of(length, alternate=True)
    assert all(ways == {"forwards", "backwards"} for ways in seen)
    both, twice = directions_of(length, alternate=False)
    assert both == seen
    between = twice // 2 - 2  # windows that are neither the first nor the last
    assert calls == twice - max(0, between)


def test_a_segment_of_one_window_is_judged_as_without_turns() -> None:
    track = np.random.default_rng(3).normal(size=(15, 2, 3)).astype(np.float32)
    in_turn = aggregated(WindowAggregator(16, 8, fake_decode, alternate=True), track)
    both = aggregated(WindowAggregator(16, 8, fake_decode), track)
    np.testing.assert_array_equal(in_turn, both)


def test_configs_without_turns_keep_their_strides_and_their_files() -> None:
    turns = PRESETS["default"]
    both = replace(turns, alternate_directions=False)
    assert turns.inference_window == (640, 320)
    assert both.inference_window == (640, 160)
    assert "alternate_directions" not in both.to_dict()
    assert FesNetConfig.from_dict(turns.to_dict()) == turns


@pytest.mark.parametrize("length", [16, 17, 40])
def test_backwards_a_window_is_shown_slower(length: int) -> None:
    """The decoder sees it longer; its scores come back to their steps."""
    seen: dict[bool, set[int]] = {True: set(), False: set()}

    def decode(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        places = window[:, 0, 0]
        seen[bool(places[0] < places[-1])].add(len(window))
        scores = np.stack([np.zeros_like(places), places / 100, 1 - places / 100], 1)
        return scores, 2 * places

    track = np.arange(length, dtype=np.float32)[:, None, None]
    rows = aggregated(WindowAggregator(16, 8, decode, backward_stretch=1.2), track)
    assert seen == {True: {16}, False: {19}}
    wanted = np.stack([track[:, 0, 0] / 100, 1 - track[:, 0, 0] / 100, 2 * track[:, 0, 0]], 1)
    np.testing.assert_allclose(rows, wanted, atol=1e-4)


def test_rows_are_resampled_from_the_first_to_the_last() -> None:
    rows = np.array([[0, 1], [2, 5], [4, 1]], np.float32)
    assert resample_rows(rows, 5).tolist() == [[0, 1], [1, 3], [2, 5], [3, 3], [4, 1]]
    assert resample_rows(rows, 2).tolist() == [[0, 1], [4, 1]]
    assert resample_rows(rows, 3) is rows
    assert resample_rows(rows[:1], 4).tolist() == [[0, 1]]


def test_configs_without_a_stretch_keep_their_files() -> None:
    stretched = PRESETS["default"]
    assert stretched.backward_stretch == 1.2
    assert FesNetConfig.from_dict(stretched.to_dict()) == stretched
    plain = replace(stretched, backward_stretch=1.0)
    assert "backward_stretch" not in plain.to_dict()
    for wrong in (0.5, 3.0):
        with pytest.raises(UsageError, match="stretch of 1 to 2"):
            replace(stretched, backward_stretch=wrong)


@pytest.mark.parametrize("stride", [4, 8, 16])
def test_scores_are_final_one_window_later(stride: int) -> None:
    aggregator = WindowAggregator(16, stride, fake_decode)
    aggregator.clear(0)
    final = 0
    for pushed in range(1, 100):
        done = aggregator.push(np.zeros((1, 1), np.float32))
        final += 0 if done is None else len(done.scores)
        assert pushed - final < 16


def against_the_lowest(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Macro wherever a step is higher than the window's lowest one."""
    changed = (window - window.min(0) > 0.5).any((1, 2)).astype(np.float32)
    return np.stack([1 - changed, changed, 0 * changed], 1), changed


def held(before: int, during: int, after: int) -> np.ndarray:
    """(T, 1, 1) a face that changes, stays so, and comes back."""
    return np.repeat(np.float32([0, 1, 0]), [before, during, after])[:, None, None]


def test_what_is_held_for_longer_than_a_window_is_still_a_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    track = held(30, 200, 60)
    rows = aggregated(WindowAggregator(32, 4, against_the_lowest), track)
    expected = (track[:, 0, 0] > 0.5).astype(float)
    inside = np.ones(len(track), bool)
    inside[[*range(26, 34), *range(226, 234)]] = False  # at its edges windows may differ
    assert np.abs(rows[:, 0] - expected)[inside].max() < 0.5
    to_the_end = aggregated(WindowAggregator(32, 4, against_the_lowest), held(30, 200, 0))
    assert to_the_end[34:, 0].min() > 0.5

    monkeypatch.setattr("fesnet.windows.MAX_ANCHOR_AGE", 0)  # no anchor
    alone = aggregated(WindowAggregator(32, 4, against_the_lowest), track)[:, 0]
    assert alone[30:45].min() > 0.5
    assert alone[70:190].max() == 0


def test_an_old_or_missing_neutral_face_is_no_anchor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fesnet.windows.MAX_ANCHOR_AGE", 60)
    aged = aggregated(WindowAggregator(32, 4, against_the_lowest), held(30, 200, 60))[:, 0]
    assert aged[30:85].min() > 0.5
    assert aged[125:190].max() == 0
    aggregator = WindowAggregator(32, 4, against_the_lowest)
    aggregated(aggregator, held(40, 0, 0))
    assert aggregator.neutral_anchor is not None
    aggregator.clear(100)
    assert aggregator.neutral_anchor is None  # of another segment: perhaps another face


def test_nothing_in_nothing_out() -> None:
    assert WindowAggregator(16, 8, fake_decode).finish() is None


def test_memory_of_the_aggregator_is_bounded() -> None:
    aggregator = WindowAggregator(16, 8, fake_decode)
    for _ in range(500):
        aggregator.push(np.zeros((1, 1), np.float32))
        assert len(aggregator.buffer) <= 16

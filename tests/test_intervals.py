"""Interval algebra against sets of frames, and the rules that make intervals from scores."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fesnet.errors import TruthError, UsageError
from fesnet.intervals import Interval, nearest_frame, to_source_frames
from fesnet.postprocess import IntervalRules, finalized_prefix, find_intervals
from fesnet.score_runs import deepest_valley

RATE = 30
RULES = IntervalRules()
spans = st.tuples(st.integers(0, 40), st.integers(1, 40)).map(
    lambda s: Interval(s[0], s[0] + s[1], "macro")
)


def scores(frames: int, *events: tuple[str, int, int, float]) -> np.ndarray:
    """(T, 2) scores with flat events (kind, start, stop, height)."""
    out = np.zeros((frames, 2))
    for kind, start, stop, height in events:
        out[start:stop, ("macro", "micro").index(kind)] = height
    return out


def spotted(
    track: np.ndarray, rules: IntervalRules = RULES, intensity: np.ndarray | None = None
) -> list[tuple]:
    found = find_intervals(track, np.arange(len(track)) / RATE, rules, intensity)
    return [(i.kind, round(i.onset_s * RATE), round(i.offset_s * RATE) + 1) for i in found]


@given(spans, spans)
def test_algebra_equals_sets_of_frames(a: Interval, b: Interval) -> None:
    x, y = set(range(a.start, a.stop)), set(range(b.start, b.stop))
    assert a.overlap(b) == len(x & y)
    assert a.iou(b) == pytest.approx(len(x & y) / len(x | y))
    assert a.iou(b) == b.iou(a)


@given(spans, spans)
def test_half_open_iou_equals_the_inclusive_one_of_megc(a: Interval, b: Interval) -> None:
    onset, offset = (a.start + 1, a.stop), (b.start + 1, b.stop)  # 1-based, inclusive
    shared = max(0, min(onset[1], offset[1]) - max(onset[0], offset[0]) + 1)
    either = (onset[1] - onset[0] + 1) + (offset[1] - offset[0] + 1) - shared
    assert a.iou(b) == pytest.approx(shared / either)


def test_from_inclusive() -> None:
    one = Interval.from_inclusive(1, 10, "micro", apex=4)
    assert (one.start, one.stop, one.apex, one.length) == (0, 10, 3, 10)
    assert Interval.from_inclusive(0, 9, "micro", first=0).start == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 5, "macro"), "expected an interval with 0 <= start < stop, got 5 and 5"),
        ((-1, 5, "macro"), "got -1 and 5"),
        ((1, 5, "tiny"), "expected kind 'macro' or 'micro', got 'tiny'"),
        ((1, 5, "macro", 5), r"expected an apex in 1\.\.4, got 5"),
    ],
)
def test_impossible_intervals(arguments: tuple, message: str) -> None:
    with pytest.raises(TruthError, match=message):
        Interval(*arguments)


def test_intervals_sort_also_where_an_apex_is_unknown() -> None:
    known, unknown, first = (
        Interval(1, 5, "macro", 2),
        Interval(1, 5, "macro"),
        Interval(0, 9, "micro"),
    )
    assert sorted([known, unknown, first]) == [first, unknown, known]


def test_a_clear_macro_and_micro() -> None:
    track = scores(300, ("macro", 30, 90, 0.9), ("micro", 200, 210, 0.8))
    assert spotted(track) == [("macro", 30, 90), ("micro", 200, 210)]


def test_hysteresis_holds_on_but_must_be_reached() -> None:
    track = scores(200, ("macro", 30, 90, 0.35), ("macro", 50, 60, 0.7), ("macro", 120, 180, 0.45))
    assert spotted(track) == [("macro", 30, 90)]
    assert spotted(track, replace(RULES, macro_release=1.0, micro_release=1.0)) == [
        ("micro", 50, 60)
    ]


def test_a_threshold_of_one_kind_does_not_let_the_other_in() -> None:
    track = scores(200, ("macro", 30, 90, 0.6))
    strict = replace(RULES, macro_threshold=0.8, micro_threshold=0.4)
    assert spotted(track, strict) == []
    assert spotted(track, replace(strict, macro_threshold=0.6)) == [("macro", 30, 90)]
    almost = scores(200, ("macro", 30, 90, 0.45))  # above the release, below the threshold
    assert spotted(almost, replace(RULES, exclusive=False)) == []


def test_duration_decides_where_the_score_leaves_no_doubt() -> None:
    long_micro, short_macro = (
        scores(200, ("micro", 20, 80, 0.9)),
        scores(200, ("macro", 20, 28, 0.9)),
    )
    assert spotted(long_micro) == [("macro", 20, 80)]
    assert spotted(short_macro) == [("micro", 20, 28)]
    assert spotted(scores(200, ("micro", 20, 22, 0.9))) == []


def test_between_the_limits_the_larger_sum_decides() -> None:
    track = scores(100, ("macro", 20, 34, 0.5), ("micro", 20, 34, 0.4))
    assert spotted(track) == [("macro", 20, 34)]
    assert spotted(track[:, ::-1]) == [("micro", 20, 34)]


def test_neighbours_merge_and_valleys_divide() -> None:
    near = scores(200, ("macro", 20, 60, 0.9), ("macro", 62, 100, 0.9))
    assert spotted(near) == [("macro", 20, 100)]
    far = scores(200, ("macro", 20, 60, 0.9), ("macro", 66, 100, 0.9))
    assert spotted(far) == [("macro", 20, 60), ("macro", 66, 100)]
    dip = scores(200, ("macro", 20, 100, 0.9))
    dip[60:63, 0] = 0.35
    assert spotted(dip) == [("macro", 20, 60), ("macro", 60, 100)]
    assert spotted(dip, replace(RULES, valley=0.2)) == [("macro", 20, 100)]


def test_a_dip_of_intensity_divides_what_scores_hide() -> None:
    track = scores(200, ("macro", 20, 120, 0.9))
    intensity = np.zeros(200)
    intensity[20:120] = np.concatenate([np.full(50, 1.0), np.full(4, 0.2), np.full(46, 0.6)])
    divided = replace(RULES, intensity_valley=0.5)
    assert spotted(track, RULES, intensity) == [("macro", 20, 120)]
    assert spotted(track, divided, intensity) == [("macro", 20, 70), ("macro", 70, 120)]
    assert spotted(track, replace(divided, intensity_valley=0.3), intensity) == [("macro", 20, 120)]
    assert spotted(track, divided, intensity / 20) == [
        ("macro", 20, 120)
    ]  # so faint that a dip says nothing
    assert spotted(track, divided) == [("macro", 20, 120)]
    apart = replace(divided, exclusive=False)
    assert spotted(track, apart, intensity) == [("macro", 20, 70), ("macro", 70, 120)]


def test_neighbours_of_different_kinds_stay_apart() -> None:
    track = scores(200, ("macro", 20, 80, 0.9), ("micro", 82, 92, 0.9))
    assert spotted(track) == [("macro", 20, 80), ("micro", 82, 92)]


def test_two_micros_never_merge_into_what_is_too_long_for_one() -> None:
    track = scores(200, ("micro", 20, 30, 0.9), ("micro", 32, 42, 0.9))
    assert spotted(track) == [("micro", 20, 30), ("micro", 32, 42)]
    assert spotted(scores(200, ("micro", 20, 26, 0.9), ("micro", 28, 34, 0.9))) == [
        ("micro", 20, 34)
    ]


def test_what_looks_like_a_micro_but_lasts_too_long_is_several() -> None:
    track = scores(200, ("micro", 20, 44, 0.9))
    intensity = np.zeros(200)
    intensity[20:44] = [
        *np.linspace(0.1, 0.4, 6),
        *np.linspace(0.4, 0.3, 6),
        *np.linspace(0.3, 0.6, 6),
        *[0.5] * 6,
    ]
    assert spotted(track) == [("macro", 20, 44)]  # without an intensity nothing tells where
    assert spotted(track, RULES, intensity) == [("micro", 20, 31), ("micro", 31, 44)]
    assert spotted(track[:, ::-1], RULES, intensity) == [("macro", 20, 44)]
    intensity[20:44] = np.linspace(0.4, 0.5, 24)  # does not sink
    assert spotted(track, RULES, intensity) == [("macro", 20, 44)]


def test_a_sure_micro_is_cut_from_the_macro_that_it_touches() -> None:
    track = scores(200, ("macro", 20, 60, 0.9), ("micro", 60, 70, 0.9), ("macro", 70, 110, 0.9))
    assert spotted(track) == [("macro", 20, 60), ("micro", 60, 70), ("macro", 70, 110)]
    unsure = scores(200, ("macro", 20, 60, 0.9), ("micro", 60, 70, 0.45))
    assert spotted(unsure) == [("macro", 20, 70)]
    brief = scores(200, ("macro", 20, 60, 0.9), ("micro", 60, 62, 0.9))
    assert spotted(brief) == [("macro", 20, 62)]


def test_each_kind_ends_at_its_own_release() -> None:
    track = scores(300, ("macro", 20, 220, 0.2), ("macro", 80, 130, 0.9))
    assert spotted(track, replace(RULES, macro_threshold=0.8, micro_threshold=0.3)) == [
        ("macro", 80, 130)
    ]


def test_unknown_frames_break_intervals() -> None:
    track = scores(200, ("macro", 20, 100, 0.9))
    track[60] = np.nan
    assert spotted(track) == [("macro", 20, 60), ("macro", 61, 100)]
    assert spotted(np.full((50, 2), np.nan)) == []
    half = scores(200, ("macro", 20, 100, 0.9))
    half[60, 1] = np.nan  # one score alone says nothing
    assert spotted(half) == [("macro", 20, 60), ("macro", 61, 100)]


def test_independent_kinds_let_a_micro_lie_in_a_macro() -> None:
    track = scores(200, ("macro", 20, 120, 0.9), ("micro", 60, 70, 0.8))
    assert spotted(track, replace(RULES, exclusive=False)) == [
        ("macro", 20, 120),
        ("micro", 60, 70),
    ]


def test_apex_follows_intensity_or_else_the_score() -> None:
    track = scores(100, ("macro", 20, 60, 0.7))
    track[33, 0] = 0.8
    times = np.arange(100) / RATE
    assert find_intervals(track, times, RULES)[0].apex_s == pytest.approx(33 / RATE)
    strength = np.zeros(100)
    strength[45] = 1
    assert find_intervals(track, times, RULES, strength)[0].apex_s == pytest.approx(45 / RATE)


@given(st.integers(0, 2**32 - 1))
def test_found_intervals_are_in_order_within_bounds_and_repeatable(seed: int) -> None:
    rng = np.random.default_rng(seed)
    track = np.clip(np.cumsum(rng.normal(0, 0.12, (250, 2)), 0) % 1.2, 0, 0.5)
    times = np.arange(250) / RATE
    found = find_intervals(track, times, RULES)
    assert found == find_intervals(track, times, RULES)
    for one, two in pairwise(found):
        assert one.offset_s < two.onset_s
    for i in found:
        assert i.onset_s <= i.apex_s <= i.offset_s
        assert 0 < i.score <= 1
        length = i.offset_s - i.onset_s + 1 / RATE + 1e-9
        assert length >= (RULES.micro_min_s if i.kind == "micro" else RULES.macro_min_s) - 1e-6


def test_rules_refuse_nonsense() -> None:
    with pytest.raises(UsageError, match="got micro_treshold"):
        IntervalRules.from_dict({"micro_treshold": 0.4})
    with pytest.raises(UsageError, match=r"expected macro_threshold above 0 and up to 1, got 1.5"):
        IntervalRules(macro_threshold=1.5)
    with pytest.raises(UsageError, match="expected float for merge_gap_s, got 'wide'"):
        IntervalRules.from_dict({"merge_gap_s": "wide"})
    with pytest.raises(UsageError, match="micro_min_s <= micro_max_s"):
        IntervalRules(micro_min_s=2.0)
    with pytest.raises(UsageError, match="merge_gap_s of 0 or more"):
        IntervalRules(merge_gap_s=-1)
    with pytest.raises(UsageError, match="expected a finite number for merge_gap_s, got nan"):
        IntervalRules(merge_gap_s=float("nan"))
    with pytest.raises(UsageError, match="expected a finite number for macro_max_s, got inf"):
        IntervalRules(macro_max_s=float("inf"))
    assert IntervalRules.from_dict(RULES.to_dict()) == RULES


@pytest.mark.parametrize("name", [n for n in RULES.to_dict() if n != "exclusive"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1])
def test_rules_refuse_numbers_that_are_none(name: str, value: float) -> None:
    """TOML knows nan and inf."""
    with pytest.raises(UsageError, match=f"expected .*{name}"):
        IntervalRules.from_dict({name: value})


def test_scores_of_the_wrong_shape() -> None:
    with pytest.raises(UsageError, match=r"expected scores \(T, 2\)"):
        find_intervals(np.zeros((5, 3)), np.arange(5), RULES)


def test_deepest_valley() -> None:
    track = np.array([0.9, 0.9, 0.9, 0.2, 0.9, 0.9, 0.9])
    assert deepest_valley(track, 0.5, 2) == 3
    assert deepest_valley(track, 0.1, 2) is None
    assert deepest_valley(track[:4], 0.5, 2) is None


def test_source_frames_at_every_rate() -> None:
    half = 0.5 / RATE
    at_200 = np.arange(400) / 200
    first, last = to_source_frames(0.5, 1.0, at_200, half)
    assert at_200[first] == pytest.approx(0.5 - half, abs=1 / 200)
    assert at_200[last] == pytest.approx(1.0 + half, abs=1 / 200)
    assert to_source_frames(0.5, 1.0, np.arange(60) / 30, half) == (15, 30)
    first, last = to_source_frames(0.46, 0.46, np.array([0.0, 1.0, 2.0]), half)
    assert first == last
    assert nearest_frame(0.6, np.array([0.0, 1.0])) == 1
    assert nearest_frame(9.0, np.array([0.0, 1.0])) == 1


def test_what_fills_everything_is_not_told() -> None:
    """An expression needs an onset or an offset; an unknown row is neither."""
    track = np.full((60, 2), [0.9, 0.0])
    times = np.arange(60) / RATE
    assert find_intervals(track, times, RULES) == []
    for edge in (slice(0, 5), slice(55, 60)):
        begun = track.copy()
        begun[edge] = 0
        assert len(find_intervals(begun, times, RULES)) == 1
    parted = track.copy()
    parted[30] = np.nan
    assert find_intervals(parted, times, RULES) == []
    parted[50:] = 0
    assert [round(i.onset_s * RATE) for i in find_intervals(parted, times, RULES)] == [31]


@given(st.integers(0, 10_000), st.booleans())
def test_what_is_decided_stays_whatever_follows(seed: int, exclusive: bool) -> None:
    """Scores that come piece by piece give the intervals that they give as a whole."""
    rng = np.random.default_rng(seed)
    raw = np.convolve(rng.random(300), np.ones(7) / 7, "same")
    scores = np.clip(np.column_stack([raw, np.roll(raw, 40)]) * 1.4 - 0.45, 0, 0.5)
    if rng.random() < 0.5:
        scores[rng.integers(0, 290) :][: rng.integers(1, 9)] = np.nan
    strength = np.where(
        rng.random(300) < 0.5, 0, np.convolve(rng.random(300), np.ones(5) / 5, "same")
    )
    more = {"intensity_valley": 0.5} if seed % 2 else {}
    more |= {"merge_gap_s": 0.0} if seed % 3 else {}  # as the bundled rules
    rules = IntervalRules(macro_threshold=0.3, micro_threshold=0.25, exclusive=exclusive, **more)
    times, found, start = np.arange(300) / 30, [], 0
    for stop in [*np.sort(rng.integers(1, 300, 12)), 300]:
        count = finalized_prefix(scores[start:stop], 1 / 30, rules)
        part = slice(start, start + count)
        found += find_intervals(scores[part], times[part], rules, strength[part])
        start += count
    found += find_intervals(scores[start:], times[start:], rules, strength[start:])
    assert sorted(found, key=lambda i: (i.onset_s, i.kind)) == find_intervals(
        scores, times, rules, strength
    )


def test_an_expression_from_the_first_row_on_is_told_before_the_end() -> None:
    """One neutral row behind it is not enough: without it the expression would fill everything that
    is decided.
    """
    rules = IntervalRules(merge_gap_s=0.0)
    track = scores(160, ("macro", 0, 159, 0.95))
    assert finalized_prefix(track, 1 / RATE, rules) == 0
    track = scores(160, ("macro", 0, 158, 0.95))
    assert finalized_prefix(track, 1 / RATE, rules) == 159
    assert spotted(track[:159], rules) == spotted(track, rules) == [("macro", 0, 158)]


def test_a_low_threshold_keeps_what_a_higher_one_finds_in_a_short_clip() -> None:
    track = scores(60, ("macro", 0, 60, 0.3), ("macro", 15, 45, 0.9))
    for threshold in (0.8, 0.5, 0.3, 0.1):
        assert spotted(track, IntervalRules(macro_threshold=threshold)) == [("macro", 15, 45)], (
            threshold
        )
    assert spotted(scores(60, ("macro", 0, 60, 0.9)), RULES) == []


def test_a_low_threshold_for_micros_cuts_nothing_off_a_macro() -> None:
    track = scores(90, ("macro", 26, 60, 0.8), ("micro", 22, 28, 0.45))
    track[26:28, 0] = 0.3
    for threshold in (0.65, 0.4, 0.2):
        rules = IntervalRules(macro_threshold=0.65, micro_threshold=threshold)
        assert [kind for kind, *_ in spotted(track, rules)] == ["macro"], threshold

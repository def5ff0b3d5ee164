"""A lower threshold only adds intervals of its kind: what is cut does not depend on thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fesnet.errors import UsageError
from fesnet.intervals import KINDS, Kind
from fesnet.postprocess import IntervalRules, TimedInterval, finalized_prefix, find_intervals

RATE = 30
LEVELS = st.floats(0.03, 0.97)


def track(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random scores (300, 2) with at most 1 in sum, partly unknown, and an intensity."""
    rng = np.random.default_rng(seed)
    raw = [np.convolve(rng.random(300), np.ones(w) / w, "same") for w in (7, 11, 5)]
    total = np.clip(raw[0] * 2.4 - 0.7, 0, 1)
    share = np.clip(raw[1] * 3 - 1, 0, 1)
    scores = np.column_stack([total * share, total * (1 - share)])
    if rng.random() < 0.4:
        scores[rng.integers(0, 290) :][: rng.integers(1, 9)] = np.nan
    return scores, np.clip(raw[2] * 2 - 0.4, 0, 1)


def found(scores: np.ndarray, intensity: np.ndarray, rules: IntervalRules) -> set[TimedInterval]:
    return set(find_intervals(scores, np.arange(len(scores)) / RATE, rules, intensity))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(KINDS), LEVELS, LEVELS, LEVELS, st.booleans(), LEVELS)
def test_a_lower_threshold_only_adds_intervals_of_its_kind(
    seed: int, kind: Kind, one: float, two: float, other: float, exclusive: bool, reference: float
) -> None:
    scores, intensity = track(seed)
    first = IntervalRules(
        macro_threshold=reference, micro_threshold=0.5, exclusive=exclusive, intensity_valley=0.3
    ).anchored()
    (foreign,) = (k for k in KINDS if k != kind)
    rest = {f"{foreign}_threshold": other}
    low, high = sorted((one, two))
    more = found(scores, intensity, first.changed({f"{kind}_threshold": low, **rest}))
    less = found(scores, intensity, first.changed({f"{kind}_threshold": high, **rest}))
    assert less <= more
    assert all(i.kind == kind and low <= i.score < high for i in more - less)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), LEVELS, LEVELS, st.booleans())
def test_what_is_compared_is_the_curve(
    seed: int, macro: float, micro: float, exclusive: bool
) -> None:
    scores, intensity = track(seed)
    rules = IntervalRules(exclusive=exclusive).anchored()
    rules = replace(rules, macro_threshold=macro, micro_threshold=micro)
    for i in found(scores, intensity, rules):
        rows = slice(round(i.onset_s * RATE), round(i.offset_s * RATE) + 1)
        curve = scores.sum(1) if exclusive else scores[:, KINDS.index(i.kind)]
        assert i.score == pytest.approx(curve[rows].max())
        assert i.score >= rules.of(i.kind, "threshold")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), LEVELS, LEVELS, st.booleans())
def test_pieces_give_what_the_whole_gives(
    seed: int, macro: float, micro: float, exclusive: bool
) -> None:
    scores, intensity = track(seed)
    rules = IntervalRules(exclusive=exclusive, merge_gap_s=0.0).anchored()
    rules = replace(rules, macro_threshold=macro, micro_threshold=micro)
    times, out, start = np.arange(300) / RATE, set(), 0
    for stop in (60, 130, 220, 300):
        count = finalized_prefix(scores[start:stop], 1 / RATE, rules) if stop < 300 else 300 - start
        rows = slice(start, start + count)
        out |= set(find_intervals(scores[rows], times[rows], rules, intensity[rows]))
        start += count
    assert out == found(scores, intensity, rules)


def test_a_shoulder_of_a_macro_is_no_micro_and_a_bump_beside_it_is_one() -> None:
    scores = np.full((200, 2), 0.02)
    scores[40:90, 0] = 0.9
    scores[90:100, 0] = 0.35  # below the release of 0.39: where the macro fades
    scores[140:150, 1] = 0.5
    times = np.arange(200) / RATE
    rules = IntervalRules(macro_threshold=0.65, micro_threshold=0.65, merge_gap_s=0).anchored()
    before = find_intervals(scores, times, rules)
    after = find_intervals(scores, times, rules.changed({"micro_threshold": 0.3}))
    assert [i.kind for i in before] == ["macro"]
    assert after[0] == before[0]
    assert [(i.kind, round(i.onset_s * RATE)) for i in after[1:]] == [("micro", 140)]


def test_a_change_of_thresholds_keeps_the_references_and_says_so() -> None:
    rules = IntervalRules(macro_threshold=0.65, micro_threshold=0.6)
    moved = rules.changed({"micro_threshold": 0.4}).changed({"macro_threshold": 0.3})
    assert [moved.reference(kind) for kind in KINDS] == [0.65, 0.6]
    assert moved.to_dict()["micro_reference"] == 0.6
    assert IntervalRules.from_dict(moved.to_dict()) == moved
    assert "micro_reference" not in rules.to_dict()
    assert rules.changed({"micro_threshold": 0.4, "micro_reference": 0.4}).reference("micro") == 0.4
    back = moved.changed({"macro_threshold": 0.65, "micro_threshold": 0.6})
    assert back.to_dict() == rules.to_dict()
    with pytest.raises(UsageError, match="macro_reference above 0 and up to 1"):
        IntervalRules(macro_reference=0.0)


def test_rules_that_give_equal_intervals_are_equal() -> None:
    rules = IntervalRules(macro_threshold=0.7)
    assert rules == rules.anchored() and hash(rules) == hash(rules.anchored())
    moved = rules.changed({"macro_threshold": 0.4})
    assert moved != replace(rules, macro_threshold=0.4) and moved.reference("macro") == 0.7

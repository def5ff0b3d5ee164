"""Frame scores to spans, and what is selected from counted candidates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fesnet.evaluation.rule_selection import (
    MICRO_SHARE,
    NOTHING,
    THRESHOLDS,
    ScoredClip,
    candidate_rules,
    count_spans,
    f1_of,
    select_rules,
    smooth_neighbours,
    threshold_counts,
)
from fesnet.evaluation.span_rules import KindRules, find_spans
from fesnet.intervals import Interval
from fesnet.metrics import match

RULES = KindRules(0.5, 0.5, 0.1, 10.0)


def bump(frames: int, *places: tuple[int, int, float]) -> np.ndarray:
    track = np.zeros(frames)
    for a, b, height in places:
        track[a:b] = np.maximum(track[a:b], height * np.sin(np.linspace(0.2, np.pi - 0.2, b - a)))
    return track


def test_spans_reach_the_threshold_and_go_on_to_the_release() -> None:
    track = np.array([0, 0.3, 0.6, 0.3, 0.2, 0, 0.4, 0.4, 0])
    assert find_spans(track, 10.0, RULES) == [(1, 4, 2, 0.6)]


def test_spans_of_wrong_length_are_left_out() -> None:
    track = bump(300, (30, 60, 1.0), (100, 250, 1.0))
    brief = KindRules(0.5, 0.5, 0.1, 2.0)
    assert [b <= 60 for _, b, _, _ in find_spans(track, 30.0, brief)] == [True]
    assert [a >= 100 for a, _, _, _ in find_spans(track, 30.0, KindRules(0.5, 0.5, 2.0, 9.0))] == [
        True
    ]


def test_a_valley_divides_and_a_small_gap_joins() -> None:
    track = np.concatenate([bump(40, (0, 40, 1.0)), bump(40, (0, 40, 1.0))])
    assert (
        len(find_spans(track, 30.0, KindRules(0.5, 0.1, 0.1, 10.0, valley=0.5, merge_s=0.0))) == 2
    )
    assert len(find_spans(track, 30.0, KindRules(0.5, 0.1, 0.1, 10.0, valley=0.0))) == 1
    gap = bump(60, (0, 28, 1.0), (30, 58, 1.0))
    assert len(find_spans(gap, 30.0, KindRules(0.5, 0.5, 0.1, 10.0, valley=0.0, merge_s=0.5))) == 1


def test_a_fixed_length_stands_round_the_middle() -> None:
    ((a, b, apex, _),) = find_spans(
        bump(90, (40, 50, 1.0)), 30.0, KindRules(0.5, 0.5, 0.1, 1.0, length_s=0.5)
    )
    assert b - a == 15 and abs((a + b) / 2 - 45) <= 1 and a <= apex < b


def test_scores_that_are_not_known_find_nothing() -> None:
    assert find_spans(np.nan_to_num(np.full(50, np.nan)), 30.0, RULES) == []
    assert find_spans(np.ones(50), 30.0, NOTHING) == []


span = st.tuples(st.integers(0, 40), st.integers(1, 15)).map(lambda p: (p[0], p[0] + p[1]))


@settings(max_examples=150, deadline=None)
@given(st.lists(span, max_size=6), st.lists(span, max_size=6))
def test_hits_are_the_counts_of_the_metric(
    truth: list[tuple[int, int]], found: list[tuple[int, int]]
) -> None:
    pairs = match(
        [Interval(a, b, "macro") for a, b in truth], [Interval(a, b, "macro") for a, b in found]
    )
    got = count_spans(tuple(truth), [(a, b, a, 1.0) for a, b in found])
    assert got == (len(pairs), len(found) - len(pairs), len(truth) - len(pairs))


def scored(seed: int, height: float, truth: tuple[tuple[int, int], ...]) -> ScoredClip:
    track = 0.05 * np.random.default_rng(seed).random(600)
    for a, b in truth:
        track[a:b] = height
    return ScoredClip(f"v{seed}", np.stack([track, 0 * track], 1)[None], 30.0, (truth, ()))


def test_the_threshold_that_divides_is_chosen() -> None:
    clips = [scored(n, 0.55, ((50, 90), (200, 260))) for n in range(3)]
    for clip in clips:
        clip.scores[0, 400:440, 0] = 0.3  # a false alarm that is weaker than all that is true
    selected = select_rules(
        [(threshold_counts(c, "macro"), threshold_counts(c, "micro")) for c in clips]
    )
    assert 0.3 < selected.rules[0].threshold <= 0.55
    assert selected.f1[0] == 1.0
    assert [s[:2] for s in selected.find(clips[0].scores, 30.0)[0]] == [(50, 90), (200, 260)]


def test_rules_for_f1_overall_report_micros_though_they_cost() -> None:
    """One right micro among six false ones lowers F1 overall at every threshold; it is reported."""
    clip = scored(0, 0.8, ((50, 90),))
    scores = clip.scores.copy()
    for n in range(7):
        scores[0, 300 + 30 * n : 310 + 30 * n, 1] = 0.9
    truth = (((50, 90),), ((300, 310),))
    macro, micro = (
        threshold_counts(ScoredClip("v", scores, 30.0, truth), k) for k in ("macro", "micro")
    )
    selected = select_rules([(macro, micro)], aim="overall")
    assert selected.rules[1] != NOTHING
    assert selected.f1[1] >= MICRO_SHARE * f1_of(micro).max() > 0
    found = selected.find(scores, 30.0)[1]
    assert (300, 310) in [s[:2] for s in found]


def test_for_f1_overall_a_kind_that_only_costs_is_not_found() -> None:
    clip = scored(0, 0.8, ((50, 90),))
    noise = clip.scores.copy()
    noise[0, 300:310, 1] = noise[0, 500:510, 1] = (
        0.99  # nothing but false micros, however high the threshold
    )
    counts = [
        (threshold_counts(ScoredClip("v", noise, 30.0, (((50, 90),), ((100, 110),))), k))
        for k in ("macro", "micro")
    ]
    selected = select_rules([(counts[0], counts[1])], aim="overall")
    assert selected.rules[1] == NOTHING and selected.rules[0].threshold <= 0.8


def test_smoothing_prefers_a_plateau_to_a_spike() -> None:
    f1 = np.zeros((1, len(candidate_rules("macro"))))
    f1[0, 3] = 0.5
    f1[0, 8:12] = 0.4
    best = int(np.argmax(smooth_neighbours(f1)))
    assert 8 <= best < 12
    assert len(candidate_rules("macro")) % len(THRESHOLDS) == 0


def test_f1_of_nothing_is_zero() -> None:
    assert f1_of(np.zeros((2, 3), int)) == pytest.approx([0, 0])

"""Candidates, their features and probability, suppression, and what thresholds may do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fesnet._types import FloatArray
from fesnet.errors import CheckpointError
from fesnet.faces.landmark_features import (
    CHEEKS,
    EXPRESSIVE_LANDMARKS,
    LANDMARK_FEATURE_COUNT,
    LIPS,
)
from fesnet.interval_check import (
    Candidate,
    IntervalCheck,
    KindWeights,
    above,
    average_alike,
    candidate_features,
    check_candidates,
    finalized_candidates,
    load_check,
    overlaps,
    suppress,
)
from fesnet.interval_features import (
    FEATURES,
    LOOK_BACK_S,
    ContextFeatures,
    ContextTrack,
    smooth,
)
from fesnet.postprocess import find_intervals
from fesnet.proposals import RULES, Proposal, finalized_rows, propose
from fesnet.score_segments import SharedSegments
from fesnet.weights import bundled_weights
from made_tracks import RATE, still_track


def made_track(seed: int, steps: int = 600) -> ContextTrack:
    """Random bumps of both kinds on a face that moves at random; some rows are unknown."""
    rng = np.random.default_rng(seed)
    scores = np.full((steps, 2), 0.02) + rng.random((steps, 2)) * 0.02
    intensity = rng.random(steps) * 0.05
    features = np.cumsum(rng.normal(0, 0.05, (steps, LANDMARK_FEATURE_COUNT)), 0)
    features[:, -1] = 0
    for _ in range(int(rng.integers(1, steps // 40))):
        length, at = int(rng.integers(4, 70)), int(rng.integers(0, steps - 75))
        bump = np.sin(np.linspace(0.3, np.pi - 0.3, length)) * rng.uniform(0.3, 1)
        kind = int(length < 16) if rng.random() < 0.8 else int(rng.integers(2))
        scores[at : at + length, kind] = np.maximum(scores[at : at + length, kind], bump)
        scores[at : at + length, 1 - kind] *= 0.5
        intensity[at : at + length] += bump
        features[at : at + length, : 2 * len(EXPRESSIVE_LANDMARKS)] += (
            rng.normal(0, 2, 2 * len(EXPRESSIVE_LANDMARKS)) * bump[:, None]
        )
    total = scores.sum(1, keepdims=True)
    scores = scores / np.maximum(total, 1)
    if rng.random() < 0.5:
        gone, length = int(rng.integers(0, steps - 30)), int(rng.integers(1, 30))
        for rows in (scores, intensity, features):
            rows[gone : gone + length] = np.nan
    return ContextTrack(np.arange(steps) / RATE, scores, intensity, features)


def made_check(seed: int = 0) -> IntervalCheck:
    rng = np.random.default_rng(seed)
    n = len(FEATURES)
    kinds = [
        KindWeights((1.0,) * n, (1.0,) * n, tuple(rng.normal(0, 0.4, n)), bias)
        for bias in (-0.5, -0.2)
    ]
    return IntervalCheck(FEATURES, *kinds, averaged=True)


@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_a_lower_threshold_of_one_kind_only_adds_intervals_of_that_kind(
    seed: int, high: float, low: float, other: float
) -> None:
    low, high = sorted((low, high))
    candidates = check_candidates(made_track(seed), made_check(seed))
    for kind, rest in (("macro", "micro"), ("micro", "macro")):
        few = above(candidates, {kind: high, rest: other})
        many = above(candidates, {kind: low, rest: other})
        assert set(few) <= set(many)
        assert all(c.kind == kind for c in set(many) - set(few))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_what_stands_hardly_overlaps_and_every_candidate_meets_something_that_stands(
    seed: int,
) -> None:
    track = made_track(seed)
    kept = check_candidates(track, made_check(seed))
    assert not any(overlaps(a, b, 0.3) for i, a in enumerate(kept) for b in kept[:i])
    for p in candidate_features(track, FEATURES)[0]:
        one = Candidate(p.start, p.stop, p.start, "macro", 0.0)
        assert any(overlaps(one, k, 0.3) for k in kept)
    for c in kept:
        assert c.start <= c.apex < c.stop
        assert 0 <= c.probability <= 1
        assert not np.isnan(track.scores[c.start : c.stop]).any()


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(1, 40), st.integers(0, 9)),
        max_size=40,
    )
)
@settings(deadline=None)
def test_suppression_equals_a_comparison_with_everything(rows: list[tuple[int, int, int]]) -> None:
    every = [Candidate(a, a + n, a, "macro", p / 10) for a, n, p in set(rows)]
    kept: list[Candidate] = []
    for c in sorted(every, key=lambda c: (-c.probability, c.start, -c.stop)):
        if not any(overlaps(c, k, 0.3) for k in kept):
            kept.append(c)
    assert suppress(every) == sorted(kept, key=lambda c: (c.start, c.stop))


@given(st.integers(0, 10_000), st.integers(0, 600))
@settings(max_examples=60, deadline=None)
def test_candidates_of_a_growing_track_are_those_of_the_whole(seed: int, cut: int) -> None:
    track, check = made_track(seed), made_check(seed)
    whole = check_candidates(track, check)
    part, rows = finalized_candidates(rows_of(track, 0, cut), check)
    assert part == [c for c in whole if c.stop <= rows]
    if rows:  # a stream keeps only what later features look back at
        first = max(0, rows - round(LOOK_BACK_S * RATE))
        later, stop = finalized_candidates(rows_of(track, first, 600), check, ended=True)
        moved = [
            replace(c, start=c.start + first, stop=c.stop + first, apex=c.apex + first)
            for c in later
        ]
        kept = [c for c in moved if c.start >= rows]
        assert kept == [c for c in whole if c.start >= rows]
        assert stop == 600 - first


@given(st.integers(0, 10_000), st.lists(st.integers(0, 600), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_looking_only_behind_what_is_known_finds_the_same(seed: int, cuts: list[int]) -> None:
    """As a stream does: at each call it asks for candidates behind those that it has."""
    track, check = made_track(seed), made_check(seed)
    whole = check_candidates(track, check)
    found, rows = [], 0
    for cut in sorted(cuts):
        first = max(0, rows - round(LOOK_BACK_S * RATE))
        some, count = finalized_candidates(rows_of(track, first, cut), check, before=rows - first)
        found += [
            replace(c, start=c.start + first, stop=c.stop + first, apex=c.apex + first)
            for c in some
        ]
        rows = max(rows, first + count)
    assert found == [c for c in whole if c.stop <= rows]


def rows_of(track: ContextTrack, first: int, stop: int) -> ContextTrack:
    part = slice(first, stop)
    return ContextTrack(
        track.times[part], track.scores[part], track.intensity[part], track.landmark_features[part]
    )


def test_candidates_reach_across_what_a_single_setting_finds() -> None:
    steps = np.arange(200)
    two = np.maximum(np.exp(-(((steps - 70) / 14) ** 2)), np.exp(-(((steps - 120) / 14) ** 2)))
    scores = np.stack([0.95 * np.maximum(two, 0.6 * (np.abs(steps - 95) < 30)), np.zeros(200)], 1)
    found = propose(scores, steps / RATE, scores[:, 0])
    both = [p for p in found if p.start < 70 and p.stop > 120]
    first = [p for p in found if p.start < 70 < p.stop <= 100]
    assert both and first
    assert all(0 < p.votes <= 1 for p in found)
    assert found == sorted(found, key=lambda p: (p.start, p.stop))


@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_settings_that_share_runs_find_what_each_finds_alone(seed: int) -> None:
    track = made_track(seed, 300)
    given = track.scores, track.times
    shared = SharedSegments(track.scores, track.intensity)
    for rules in (*RULES, replace(RULES[0], exclusive=False, macro_reference=0.7)):
        alone = find_intervals(*given, rules, track.intensity, apexes=False)
        assert alone == find_intervals(*given, rules, track.intensity, apexes=False, shared=shared)


def test_no_candidate_in_nothing() -> None:
    nothing = np.full((50, 2), np.nan)
    assert propose(nothing, np.arange(50) / RATE, np.zeros(50)) == []
    assert propose(nothing[:0], np.zeros(0), np.zeros(0)) == []
    assert propose(np.zeros((1, 2)), np.zeros(1), np.zeros(1)) == []
    empty = ContextTrack(
        np.zeros(0), np.zeros((0, 2)), np.zeros(0), np.zeros((0, LANDMARK_FEATURE_COUNT))
    )
    assert finalized_candidates(empty, made_check()) == ([], 0)
    assert finalized_rows(np.full((9, 2), np.nan), 1 / RATE) == 9


def test_features_name_what_moved() -> None:
    track, p = still_track(), Proposal(100, 140, 0.5)
    bump = np.sin(np.linspace(0, np.pi, 40))
    track.intensity[100:140] = bump
    for corner in (61, 291):
        track.landmark_features[100:140, 2 * EXPRESSIVE_LANDMARKS.index(corner) + 1] = (
            -8 * bump
        )  # up
    for cheek in CHEEKS:
        track.landmark_features[100:140, 2 * EXPRESSIVE_LANDMARKS.index(cheek) + 1] = -2 * bump
    found = ContextFeatures(track).of(p)
    assert set(found) >= set(FEATURES)
    assert found["corners_up"] > 6
    assert found["cheeks_up"] > 1.5
    assert found["share_lips"] + found["share_cheeks"] == pytest.approx(1, abs=0.01)
    assert found["moved_brows"] == found["brows_up"] == found["mouth_open"] == 0
    assert found["back"] < 0.1 * found["return"]
    assert found["duration"] == pytest.approx(40 / RATE)
    assert found["open_start"] == found["flutter_around"] == 0
    assert found["calm_votes"] == pytest.approx(0.5, abs=0.02)


def test_features_know_a_speaking_mouth_and_a_turning_head() -> None:
    track, p = still_track(), Proposal(100, 140, 0.5)
    seconds = track.times
    for lip in LIPS:
        track.landmark_features[:, 2 * EXPRESSIVE_LANDMARKS.index(lip) + 1] = (
            (lip == 14) * 5 * np.sin(2 * np.pi * 4 * seconds)
        )
    track.landmark_features[:, -4] = 4.0 * 0.3 * np.sin(seconds)
    found, still = ContextFeatures(track).of(p), ContextFeatures(still_track()).of(p)
    for name in ("flutter", "flutter_around", "speed_lips", "turning_around", "turned"):
        assert found[name] > still[name] == 0
    for name in ("calm_votes", "still_votes"):
        assert found[name] < 0.7 * still[name]


def test_slow_motion_is_told_from_speech_and_from_trembling_landmarks() -> None:
    track, p = still_track(), Proposal(100, 140, 0.5)
    columns = 2 * len(EXPRESSIVE_LANDMARKS)
    seconds = np.arange(len(track.times)) / RATE

    def moved(motion: FloatArray) -> dict[str, float]:
        features = np.zeros_like(track.landmark_features)
        features[:, :columns] = np.broadcast_to(motion.T, (columns, len(seconds))).T
        return ContextFeatures(replace(track, landmark_features=features)).of(p)

    slow = np.sin(2 * np.pi * 0.5 * seconds)
    trembling = np.random.default_rng(0).normal(0, 0.3, (len(seconds), columns))
    smiles, speech, trembles = (
        moved(motion)
        for motion in (slow, np.sin(2 * np.pi * 4 * seconds), slow[:, None] + trembling)
    )
    for name in ("slow", "slow_lips"):
        assert smiles[name] > 0.9
        assert speech[name] < 0.3
        assert trembles[name] < 0.7 * smiles[name]
    # Between the frames of a slower video motion is interpolated: that alone changes little.
    at = np.arange(0, seconds[-1], 1 / 15)
    assert moved(np.interp(seconds, at, np.sin(2 * np.pi * 4 * at)))["slow"] == pytest.approx(
        speech["slow"], abs=0.05
    )
    assert ContextFeatures(track).of(p)["slow"] == 0  # nothing moves


def test_features_of_unknown_neighbours_are_numbers_and_mark_open_edges() -> None:
    track = still_track()
    for rows in (track.scores, track.intensity, track.landmark_features):
        rows[:100] = np.nan
        rows[140:] = np.nan
    p = Proposal(100, 140, 0.5)
    found = ContextFeatures(track).of(p)
    assert all(np.isfinite(v) for v in found.values())
    assert found["open_start"] == 1 and ContextFeatures(track).has_open_edge(p)
    assert not ContextFeatures(still_track()).has_open_edge(p)
    track.intensity[:] = np.nan
    track.landmark_features[:] = np.nan
    assert all(np.isfinite(v) for v in ContextFeatures(track).of(Proposal(100, 140, 0.5)).values())


def test_smoothing_of_a_part_gives_the_same_bits() -> None:
    values = np.random.default_rng(0).normal(size=(90, 3))
    values[40] = np.nan
    whole = smooth(values, 5)
    assert np.array_equal(smooth(values[30:], 5)[2:], whole[32:], equal_nan=True)
    assert np.isnan(whole[40]).all() and whole[41] == pytest.approx(np.nanmean(values[39:44], 0))


def test_a_check_goes_to_json_and_back(tmp_path: Path) -> None:
    check = made_check()
    path = tmp_path / "check.json"
    path.write_text(check.to_json())
    assert IntervalCheck.from_json(path) == check


def test_fifty_numbers_at_most_rest_on_real_clips() -> None:
    bundled = load_check(bundled_weights())
    assert bundled is not None
    # weights and bias of the macro part, and the slope and shift of both parts
    assert len(bundled.names) + 1 + 2 * 2 <= 50


def test_a_check_of_an_earlier_version_is_used_as_it_was_fitted() -> None:
    values = json.loads(made_check().to_json())
    del values["averaged"]
    check, track = IntervalCheck.from_values(values), made_track(1)
    assert not check.averaged
    kept, features, micro = candidate_features(track, FEATURES)
    each = np.where(micro, check.micro.logits(features), check.macro.logits(features))
    alone = check.probabilities(kept, features, micro)
    assert alone == pytest.approx(1 / (1 + np.exp(-each)))
    assert not np.allclose(alone, made_check().probabilities(kept, features, micro))


@given(st.integers(0, 10_000), st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_logits_of_like_candidates_are_averaged(seed: int, count: int) -> None:
    """As a comparison of each with each says."""
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.integers(0, 80, count))
    proposals = [
        Proposal(int(a), int(a + n), float(v))
        for a, n, v in zip(
            starts, rng.integers(1, 60, count), rng.integers(1, 25, count) / 24, strict=True
        )
    ]
    micro, logits = rng.random(count) < 0.5, rng.normal(0, 3, count)
    for k, p in enumerate(proposals):
        terms = []
        for other, logit, short in zip(proposals, logits, micro, strict=True):
            shared = max(0, min(p.stop, other.stop) - max(p.start, other.start))
            iou = shared / (p.stop - p.start + other.stop - other.start - shared)
            if short == micro[k] and iou > 0.5:
                terms.append((other.votes * (iou - 0.5), logit))
        wanted = sum(w * x for w, x in terms) / sum(w for w, _ in terms)
        assert average_alike(logits, proposals, micro)[k] == pytest.approx(wanted)
    constant = average_alike(np.ones(count), proposals, micro)
    assert constant == pytest.approx(np.ones(count))


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "other"},
        {"names": ["no such feature"]},
        {"micro_max_s": float("nan")},
        {"averaged": "no"},
        {"micro": None},
        {"macro": {"scale": [0.0] * len(FEATURES)}},
        {"macro": {"weights": [1.0]}},
        {"macro": {"bias": None}},
        {"micro": {"bias": float("nan")}},
        {"micro": {"slope": -1.0}},
    ],
)
def test_a_damaged_check_is_refused(change: dict[str, object]) -> None:
    values = json.loads(made_check().to_json())
    for name, value in change.items():
        values[name] = values[name] | value if isinstance(value, dict) else value
    with pytest.raises(CheckpointError, match="expected"):
        IntervalCheck.from_values(values)


@pytest.mark.parametrize("text", ["", "[]", "{", "{}"])
def test_a_file_that_is_no_check_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "check.json").write_text(text)
    with pytest.raises(CheckpointError, match="expected"):
        IntervalCheck.from_json(tmp_path / "check.json")
    with pytest.raises(CheckpointError, match="expected"):
        IntervalCheck.from_json(tmp_path / "none.json")


def test_a_short_candidate_beside_an_unknown_face_is_left_out() -> None:
    """Its duration is not known."""
    track = still_track(300)
    for at in (20, 120, 200):
        track.scores[at : at + 12, 1] = 0.9 * np.sin(np.linspace(0.2, np.pi - 0.2, 12))
    for rows in (track.scores, track.intensity, track.landmark_features):
        rows[:20] = np.nan
        rows[213:220] = np.nan
    kept, _, micro = candidate_features(track, FEATURES)
    assert micro.all() and len(kept) > 0
    assert all(110 < p.start < 140 for p in kept)

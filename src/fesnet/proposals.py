"""Candidate intervals: what many settings of the interval rules find in one track of frame scores.

    scores, intensity -> every setting of a fixed grid -> candidates, near twins joined, each with
    its votes

The grid is fixed and no threshold of a user enters it, so a threshold can only filter what stands
here. The work is one pass of `find_intervals` for each setting, over shared runs and valleys:
near-linear in the length of the track.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from fesnet._types import FloatArray
from fesnet.intervals import KINDS
from fesnet.postprocess import IntervalRules, finalized_prefix, find_intervals
from fesnet.score_segments import SharedSegments

TWIN_S = 0.06  # candidates whose onsets and offsets are both this near (s) are one; our choice
# (macro, micro) thresholds, release, (valley, intensity valley) of the grid. Our choice, on
# development clips.
THRESHOLDS = ((0.3, 0.3), (0.45, 0.45), (0.65, 0.65), (0.8, 0.8))
RELEASES = (0.5, 0.8)
VALLEYS = ((0.5, 0.3), (0.8, 0.6), (0.9, 0.85))


@dataclass(frozen=True, slots=True)
class Proposal:
    """Steps start .. stop - 1 of the working grid (half-open). votes: share of settings that
    find it, 0..1."""

    start: int
    stop: int
    votes: float


def proposal_rules() -> tuple[IntervalRules, ...]:
    """The grid: every combination of thresholds, releases and valleys; durations as in the
    bundled weights."""
    return tuple(
        IntervalRules(
            macro_threshold=macro,
            micro_threshold=micro,
            macro_release=release,
            micro_release=release,
            macro_min_s=0.57,
            merge_gap_s=0.0,
            valley=valley,
            intensity_valley=dip,
        )
        for (macro, micro), release, (valley, dip) in product(THRESHOLDS, RELEASES, VALLEYS)
    )


RULES = proposal_rules()


def propose(
    scores: FloatArray,
    times: FloatArray,
    intensity: FloatArray,
    rules: Sequence[IntervalRules] = RULES,
) -> list[Proposal]:
    """Candidates in scores (T, 2), macro and micro in 0..1, on a regular grid of times (T,) s;
    sorted, no twins.

    intensity (T,), 0 for weights without such an output. Rows that are not numbers are unknown: no
    candidate crosses them.
    """
    if len(times) == 0:
        return []
    step = step_of(times)
    counts: dict[tuple[int, int], int] = {}
    shared = SharedSegments(scores, intensity)
    for setting in rules:
        for found in find_intervals(scores, times, setting, intensity, apexes=False, shared=shared):
            start = round((found.onset_s - float(times[0])) / step)
            key = start, round((found.offset_s - float(times[0])) / step) + 1
            counts[key] = counts.get(key, 0) + 1
    return join_twins(counts, round(TWIN_S / step), len(rules))


def step_of(times: FloatArray) -> float:
    """Seconds between steps, to the nanosecond: the same wherever a track begins."""
    return round(float(times[1] - times[0]), 9) if len(times) > 1 else 1 / 30


def join_twins(counts: dict[tuple[int, int], int], near: int, settings: int) -> list[Proposal]:
    """One proposal of each group of near (start, stop): the one that most settings found, with
    all their votes."""
    kept: list[list[int]] = []  # start, stop, votes
    by_start: dict[int, list[int]] = {}  # places in `kept`
    for (start, stop), votes in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        places = (p for s in range(start - near, start + near + 1) for p in by_start.get(s, ()))
        twin = next((p for p in places if abs(kept[p][1] - stop) <= near), None)
        if twin is None:
            by_start.setdefault(start, []).append(len(kept))
            kept.append([start, stop, votes])
        else:
            kept[twin][2] += votes
    return [
        Proposal(start, stop, min(1.0, votes / settings)) for start, stop, votes in sorted(kept)
    ]


def finalized_rows(scores: FloatArray, step: float, rules: Sequence[IntervalRules] = RULES) -> int:
    """How many of the first rows of scores (T, 2) hold the same candidates whatever rows follow.
    step: s per row."""
    # Valleys cut inside of what is not neutral, so settings that differ by them alone agree.
    alike = {(s.exclusive, s.merge_gap_s, *map(s.reference, KINDS), *releases(s)): s for s in rules}
    return min(finalized_prefix(scores, step, setting) for setting in alike.values())


def releases(rules: IntervalRules) -> tuple[float, ...]:
    """What else `finalized_prefix` depends on."""
    return tuple(rules.of(kind, what) for kind in KINDS for what in ("threshold", "release"))

"""Frame scores of one kind -> spans, by rules simple enough to be selected on few people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fesnet._types import FloatArray
from fesnet.score_runs import hysteresis_runs, merge_near, split_runs

ScoredSpan = tuple[int, int, int, float]  # ticks a .. b - 1, apex, score
MIN_PART_S = 0.1  # s; shortest part that a cut at a valley leaves


@dataclass(frozen=True, order=True)
class KindRules:
    """How scores of one kind become spans; times in seconds."""

    threshold: float  # that the score reaches somewhere
    release: float  # share of the threshold down to which a span goes on
    min_s: float  # spans that are shorter are left out
    max_s: float  # spans that are longer are left out
    valley: float = 0.5  # dips below this share of the smaller peak beside them divide; 0: never
    merge_s: float = 0.1  # spans nearer than this are one
    length_s: float = 0.0  # if above 0: every span gets this length round its middle


def find_spans(track: FloatArray, rate: float, rules: KindRules) -> list[ScoredSpan]:
    """Spans in scores (T,) at `rate` Hz."""
    return finish_spans(track, raw_spans(track, rate, rules), rate, rules)


def raw_spans(track: FloatArray, rate: float, rules: KindRules) -> list[tuple[int, int]]:
    """Spans of any length, as threshold, release, valley and merging make them."""
    if not track.max(initial=0) >= rules.threshold:
        return []
    found = hysteresis_runs(track, rules.threshold, rules.release)
    if rules.valley:
        found = split_runs(track, found, rules.valley, max(1, round(MIN_PART_S * rate)))
    return merge_near(found, rules.merge_s * rate + 1e-6)


def finish_spans(
    track: FloatArray, found: list[tuple[int, int]], rate: float, rules: KindRules
) -> list[ScoredSpan]:
    """Raw spans of a valid length, with apex and score, set to the length of the rules."""
    out = []
    for a, b in found:
        if rules.min_s * rate - 1e-6 <= b - a <= rules.max_s * rate + 1e-6:
            apex = a + int(np.argmax(track[a:b]))
            c, d = fix_length(a, b, track, rules.length_s * rate)
            out.append((c, d, min(max(apex, c), d - 1), float(track[apex])))
    return out


def fix_length(a: int, b: int, track: FloatArray, length: float) -> tuple[int, int]:
    """The span itself, or one of `length` ticks round the centre of its scores."""
    if length <= 0:
        return a, b
    weight = track[a:b]
    centre = a + float((np.arange(b - a) * weight).sum() / max(float(weight.sum()), 1e-9)) + 0.5
    first = int(np.clip(round(centre - length / 2), 0, max(len(track) - 1, 0)))
    return first, min(max(first + 1, first + round(length)), len(track))

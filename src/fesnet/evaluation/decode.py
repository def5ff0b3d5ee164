"""Frame scores of one kind -> spans, by rules that are simple enough to be chosen on few people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fesnet._types import FloatArray
from fesnet.intervals import deepest_valley, runs

Span = tuple[int, int, int, float]  # ticks a .. b - 1, apex, score


@dataclass(frozen=True, order=True)
class KindRules:
    """How scores of one kind become spans; times in seconds."""

    threshold: float  # that the score reaches somewhere
    release: float  # share of the threshold down to which a span goes on
    min_s: float  # spans that are shorter are left out
    max_s: float  # spans that are longer are left out
    valley: float = (
        0.5  # a dip below this share of the smaller peak beside it divides two; 0: never
    )
    merge_s: float = 0.1  # spans nearer than this are one
    length_s: float = 0.0  # if above 0: every span gets this length round its middle


def spans(track: FloatArray, rate: float, rules: KindRules) -> list[Span]:
    """Spans in scores (T,) at `rate` Hz; scores that are not numbers count as 0."""
    return finished(track, raw_spans(track, rate, rules), rate, rules)


def raw_spans(track: FloatArray, rate: float, rules: KindRules) -> list[tuple[int, int]]:
    """Spans of any length, as threshold, release, valley and merging make them."""
    if not track.max(initial=0) >= rules.threshold:
        return []
    found = [
        (a, b)
        for a, b in runs(track >= rules.threshold * rules.release)
        if track[a:b].max() >= rules.threshold
    ]
    if rules.valley:
        found = divided(track, found, rules.valley, max(1, round(0.1 * rate)))
    return merged(found, rules.merge_s * rate + 1e-6)


def finished(
    track: FloatArray, found: list[tuple[int, int]], rate: float, rules: KindRules
) -> list[Span]:
    """Of raw spans those of a fitting length, with apex and score, in the length that the rules ask
    for.
    """
    out = []
    for a, b in found:
        if rules.min_s * rate - 1e-6 <= b - a <= rules.max_s * rate + 1e-6:
            apex = a + int(np.argmax(track[a:b]))
            c, d = sized(a, b, track, rules.length_s * rate)
            out.append((c, d, min(max(apex, c), d - 1), float(track[apex])))
    return out


def divided(
    track: FloatArray, found: list[tuple[int, int]], valley: float, least: int
) -> list[tuple[int, int]]:
    """Spans cut at their valleys, in order."""
    out, todo = [], found[::-1]
    while todo:
        a, b = todo.pop()
        cut = deepest_valley(track[a:b], valley, least) if b - a > 2 * least else None
        if cut is None:
            out.append((a, b))
        else:
            todo += [(a + cut, b), (a, a + cut)]
    return out


def merged(found: list[tuple[int, int]], gap: float) -> list[tuple[int, int]]:
    """Neighbours that do not touch and are nearer than `gap` ticks joined."""
    out: list[tuple[int, int]] = []
    for a, b in found:
        if out and 0 < a - out[-1][1] <= gap:
            out[-1] = (out[-1][0], b)
        else:
            out.append((a, b))
    return out


def sized(a: int, b: int, track: FloatArray, length: float) -> tuple[int, int]:
    """The span itself, or one of `length` ticks round the centre of its scores."""
    if length <= 0:
        return a, b
    weight = track[a:b]
    centre = a + float((np.arange(b - a) * weight).sum() / max(float(weight.sum()), 1e-9)) + 0.5
    first = int(np.clip(round(centre - length / 2), 0, max(len(track) - 1, 0)))
    return first, min(max(first + 1, first + round(length)), len(track))

"""Select epoch and rules on scored clips whose truth is known. The caller decides whose clips.

Each kind is selected by itself. F1 over few people jumps from one threshold to the next. So a
candidate's F1 is averaged with that of the thresholds and epochs next to it; the first of equals
wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.evaluation.dataset import TickSpans
from fesnet.evaluation.span_rules import (
    KindRules,
    ScoredSpan,
    find_spans,
    finish_spans,
    raw_spans,
)
from fesnet.intervals import KINDS, Interval
from fesnet.metrics import IOU, match

CountArray = NDArray[np.int64]
THRESHOLDS = tuple(round(0.06 + 0.05 * i, 2) for i in range(19))  # 0.06 to 0.96
# Of the highest micro F1 that rules for F1 overall may give away; our choice.
MICRO_SHARE = 0.8
NOTHING = KindRules(2.0, 1.0, 0.0, 0.0)  # no score reaches it


@dataclass(frozen=True, eq=False)
class ScoredClip:
    """A clip that a method scored without its truth, and that truth.

    scores: (E, T, 2) at E epochs.
    """

    id: str
    scores: FloatArray
    rate: float
    truth: tuple[TickSpans, TickSpans]


@dataclass(frozen=True)
class SelectedRules:
    """Rules and epoch of each kind, macro then micro. f1: on the clips they were selected on."""

    rules: tuple[KindRules, KindRules]
    epochs: tuple[int, int]
    f1: tuple[float, float]

    def find(self, scores: FloatArray, rate: float) -> tuple[list[ScoredSpan], list[ScoredSpan]]:
        """Spans of both kinds in scores (E, T, 2)."""
        known = np.nan_to_num(scores)
        pairs = zip(self.epochs, self.rules, strict=True)
        macro, micro = (find_spans(known[e, :, k], rate, r) for k, (e, r) in enumerate(pairs))
        return macro, micro


@cache
def candidate_rules(kind: str) -> tuple[KindRules, ...]:
    """All rules to select from, threshold last, so that neighbours stand side by side."""
    if kind == "macro":
        grid = product((0.4, 0.7), (0.0, 0.5), (0.25, 0.5))
        return tuple(KindRules(t, r, low, 60.0, v, 0.2) for r, v, low in grid for t in THRESHOLDS)
    tails = product((0.5, 0.8), (0.6, 1.0), (0.0, 0.35, 0.47))
    return tuple(
        KindRules(t, r, 0.1, high, 0.5, 0.1, length)
        for r, high, length in tails
        for t in THRESHOLDS
    )


def threshold_counts(clip: ScoredClip, kind: str) -> CountArray:
    """(E, candidates, 3) true positives, false positives, false negatives of one clip."""
    column = KINDS.index("macro" if kind == "macro" else "micro")
    scores = np.nan_to_num(clip.scores[:, :, column])
    out = np.zeros((len(scores), len(candidate_rules(kind)), 3), np.int64)
    for e, track in enumerate(scores):
        # Raw spans are shared by rules that differ in lengths.
        raw: dict[tuple[float, float, float], list[tuple[int, int]]] = {}
        for c, rules in enumerate(candidate_rules(kind)):
            key = (rules.threshold, rules.release, rules.valley)
            if key not in raw:
                raw[key] = raw_spans(track, clip.rate, rules)
            found = finish_spans(track, raw[key], clip.rate, rules)
            out[e, c] = count_spans(clip.truth[column], found)
    return out


def count_spans(truth: TickSpans, found: Sequence[ScoredSpan]) -> tuple[int, int, int]:
    """Counts of one clip and kind by the MEGC rule, as `fesnet.metrics.count` gives them."""
    near = [
        (i, j)
        for i, (a, b) in enumerate(truth)
        for j, (c, d, _, _) in enumerate(found)
        if c < b and a < d and min(b, d) - max(a, c) >= IOU * (max(b, d) - min(a, c))
    ]
    n = len(near)
    if len({i for i, _ in near}) < n or len({j for _, j in near}) < n:  # pairs are not unique
        sides = [[Interval(s[0], s[1], "macro") for s in side] for side in (truth, found)]
        n = len(match(sides[0], sides[1], IOU))
    return n, len(found) - n, len(truth) - n


def f1_of(counts: NDArray[np.floating] | CountArray) -> FloatArray:
    """F1 of counts (..., 3)."""
    tp, fp, fn = np.moveaxis(counts, -1, 0)
    return np.asarray(2 * tp / np.maximum(2 * tp + fp + fn, 1))


def select_rules(
    counts: Sequence[tuple[CountArray, CountArray]], *, aim: str = "kinds"
) -> SelectedRules:
    """The best candidates of both kinds by summed counts (macro, micro) of clips.

    aim: "kinds" for each kind's own F1; "overall" for F1 of both together, under one setting that
    reports micros, too.
    """
    sums = [np.sum([pair[k] for pair in counts], axis=0) for k in range(2)]
    if aim == "overall":
        return select_overall(sums[0], sums[1])
    return rules_of(sums, [best_candidate(table) for table in sums])


def select_overall(macro: CountArray, micro: CountArray) -> SelectedRules:
    """The best macro rules, and of the micro rules that are nearly best for micros alone
    (MICRO_SHARE) those that give the highest F1 overall.

    Micros are rare and false ones cost as much as false macros, so F1 overall is often highest
    without any. A setting that finds none would be no spotting of both kinds (ADR 0098). Only where
    no rule finds a single right micro, none are reported.
    """
    first = best_candidate(macro)
    alone = smooth_neighbours(f1_of(micro))
    if not alone.max() > 0:
        return rules_of([macro, micro], [first, None])
    together = smooth_neighbours(f1_of(macro[first] + micro))
    together = np.where(alone >= MICRO_SHARE * alone.max(), together, -1.0)
    return rules_of([macro, micro], [first, unravel(int(np.argmax(together)), micro)])


def rules_of(sums: Sequence[CountArray], picked: Sequence[tuple[int, int] | None]) -> SelectedRules:
    """From epoch and candidate of each kind; None stands for rules that find nothing."""
    rules = [
        NOTHING if p is None else candidate_rules(k)[p[1]]
        for k, p in zip(KINDS, picked, strict=True)
    ]
    f1 = [0.0 if p is None else float(f1_of(s)[p]) for s, p in zip(sums, picked, strict=True)]
    epochs = [0 if p is None else p[0] for p in picked]
    return SelectedRules((rules[0], rules[1]), (epochs[0], epochs[1]), (f1[0], f1[1]))


def best_candidate(table: CountArray) -> tuple[int, int]:
    """Epoch and candidate with the best smoothed F1."""
    return unravel(int(np.argmax(smooth_neighbours(f1_of(table)))), table)


def unravel(flat: int, table: CountArray) -> tuple[int, int]:
    return flat // table.shape[1], flat % table.shape[1]


def smooth_neighbours(f1: FloatArray) -> FloatArray:
    """(E, C) mean over neighbouring thresholds (1 2 1) and epochs (1 2 1), ends repeated."""
    cube = f1.reshape(len(f1), -1, len(THRESHOLDS))
    for axis in (0, 2):
        wide = np.pad(cube, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        low, middle, high = (
            np.take(wide, np.arange(i, i + cube.shape[axis]), axis) for i in range(3)
        )
        cube = (low + 2 * middle + high) / 4
    return np.asarray(cube.reshape(f1.shape))

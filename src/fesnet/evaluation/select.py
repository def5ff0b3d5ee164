"""Choosing epoch and rules from scored clips whose truth is known; whoever calls decides whose they
are.

Each kind is chosen by itself. F1 over few people is a ragged thing, so a candidate is judged by the
mean over itself and the thresholds and epochs next to it; of equals the first wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.evaluation.decode import KindRules, Span, finished, raw_spans, spans
from fesnet.evaluation.material import Spans
from fesnet.intervals import KINDS, Interval
from fesnet.metrics import IOU, match

Counted = NDArray[np.int64]
THRESHOLDS = tuple(round(0.06 + 0.05 * i, 2) for i in range(19))  # 0.06 to 0.96
NOTHING = KindRules(2.0, 1.0, 0.0, 0.0)  # no score reaches it


@dataclass(frozen=True, eq=False)
class Scored:
    """A clip that a method scored without having seen its truth, and that truth: scores (E, T, 2)
    of E epochs.
    """

    id: str
    scores: FloatArray
    rate: float
    truth: tuple[Spans, Spans]


@dataclass(frozen=True)
class Chosen:
    """Rules and epoch of each kind, macro then micro, and the F1 that they had where they were
    chosen.
    """

    rules: tuple[KindRules, KindRules]
    epochs: tuple[int, int]
    f1: tuple[float, float]

    def found(self, scores: FloatArray, rate: float) -> tuple[list[Span], list[Span]]:
        """Spans of both kinds in scores (E, T, 2)."""
        known = np.nan_to_num(scores)
        pairs = zip(self.epochs, self.rules, strict=True)
        macro, micro = (spans(known[e, :, k], rate, r) for k, (e, r) in enumerate(pairs))
        return macro, micro


@cache
def candidates(kind: str) -> tuple[KindRules, ...]:
    """All rules that may be chosen, threshold last so that neighbours stand side by side."""
    if kind == "macro":
        grid = product((0.4, 0.7), (0.0, 0.5), (0.25, 0.5))
        return tuple(KindRules(t, r, low, 60.0, v, 0.2) for r, v, low in grid for t in THRESHOLDS)
    tails = product((0.5, 0.8), (0.6, 1.0), (0.0, 0.35, 0.47))
    return tuple(
        KindRules(t, r, 0.1, high, 0.5, 0.1, length)
        for r, high, length in tails
        for t in THRESHOLDS
    )


def tally(clip: Scored, kind: str) -> Counted:
    """(E, candidates, 3) true positives, false positives, false negatives of one clip."""
    column = KINDS.index("macro" if kind == "macro" else "micro")
    scores = np.nan_to_num(clip.scores[:, :, column])
    out = np.zeros((len(scores), len(candidates(kind)), 3), np.int64)
    for e, track in enumerate(scores):
        raw: dict[
            tuple[float, float, float], list[tuple[int, int]]
        ] = {}  # shared by rules that differ in lengths
        for c, rules in enumerate(candidates(kind)):
            key = (rules.threshold, rules.release, rules.valley)
            if key not in raw:
                raw[key] = raw_spans(track, clip.rate, rules)
            out[e, c] = hits(clip.truth[column], finished(track, raw[key], clip.rate, rules))
    return out


def hits(truth: Spans, found: Sequence[Span]) -> tuple[int, int, int]:
    """Counts of one clip and kind by the MEGC rule."""
    near = [
        (i, j)
        for i, (a, b) in enumerate(truth)
        for j, (c, d, _, _) in enumerate(found)
        if c < b and a < d and min(b, d) - max(a, c) >= IOU * (max(b, d) - min(a, c))
    ]
    n = len(near)
    if (
        len({i for i, _ in near}) < n or len({j for _, j in near}) < n
    ):  # who goes with whom is a question
        sides = [[Interval(s[0], s[1], "macro") for s in side] for side in (truth, found)]
        n = len(match(sides[0], sides[1], IOU))
    return n, len(found) - n, len(truth) - n


def f1_of(counts: NDArray[np.floating] | Counted) -> FloatArray:
    tp, fp, fn = np.moveaxis(counts, -1, 0)
    return np.asarray(2 * tp / np.maximum(2 * tp + fp + fn, 1))


def choose_rules(tallies: Sequence[tuple[Counted, Counted]], *, aim: str = "kinds") -> Chosen:
    """The best candidates of both kinds by summed tallies (macro, micro) of clips.

    aim: "kinds", each kind's own F1; "overall", F1 of both together, which may be to find no micro
    at all.
    """
    sums = [np.sum([pair[k] for pair in tallies], axis=0) for k in range(2)]
    if aim == "overall":
        return for_both(sums[0], sums[1])
    picked = [best(table) for table in sums]
    return made(sums, picked)


def made(sums: Sequence[Counted], picked: Sequence[tuple[int, int] | None]) -> Chosen:
    rules = [
        NOTHING if p is None else candidates(k)[p[1]] for k, p in zip(KINDS, picked, strict=True)
    ]
    f1 = [0.0 if p is None else float(f1_of(s)[p]) for s, p in zip(sums, picked, strict=True)]
    epochs = [0 if p is None else p[0] for p in picked]
    return Chosen((rules[0], rules[1]), (epochs[0], epochs[1]), (f1[0], f1[1]))


def best(table: Counted) -> tuple[int, int]:
    """Epoch and candidate with the best smoothed F1."""
    return pair(int(np.argmax(smoothed(f1_of(table)))), table)


def pair(flat: int, table: Counted) -> tuple[int, int]:
    return flat // table.shape[1], flat % table.shape[1]


def smoothed(f1: FloatArray) -> FloatArray:
    """(E, C) mean over neighbouring thresholds (1 2 1) and epochs (1 2 1), ends repeated."""
    cube = f1.reshape(len(f1), -1, len(THRESHOLDS))
    for axis in (0, 2):
        wide = np.pad(cube, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        low, middle, high = (
            np.take(wide, np.arange(i, i + cube.shape[axis]), axis) for i in range(3)
        )
        cube = (low + 2 * middle + high) / 4
    return np.asarray(cube.reshape(f1.shape))


def for_both(macro: Counted, micro: Counted) -> Chosen:
    """For F1 overall: the best macro rules, and beside them the micro rules, or none, that raise it
    most.
    """
    first = best(macro)
    alone = macro[first] + [0, 0, int(micro[0, 0, 0] + micro[0, 0, 2])]  # every micro missed
    together = smoothed(f1_of(macro[first] + micro))
    second = pair(int(np.argmax(together)), micro)
    return made([macro, micro], [first, second if together[second] > float(f1_of(alone)) else None])

"""How well found intervals agree with the truth, by the MEGC 2020/2021 rule; numpy only.

A found interval is a true positive if it has the kind of a true one and IoU >= 0.5 with it, one to one. All videos are
pooled as one long video, those without events too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fesnet.errors import UsageError
from fesnet.intervals import KINDS, Interval

IOU = 0.5


@dataclass(frozen=True)
class Counts:
    """True positives, false positives, false negatives; adds up over videos and kinds."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """Share of the found that is true, 0 where nothing was found."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        """Share of the true that was found, 0 where there is none."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 0.0

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), 0 where there is neither truth nor find."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else 0.0


def match(truth: Sequence[Interval], found: Sequence[Interval], iou: float = IOU) -> list[tuple[int, int]]:
    """Pairs (index of truth, index of found) of one kind with at least this IoU, one to one, best IoU first.

    Among intervals of one kind that do not overlap, nothing has two partners with IoU above 0.5, and of two with
    exactly 0.5 either gives the same count: the order does not matter. It does only where intervals overlap.
    """
    candidates = [
        (-t.iou(f), i, j)
        for i, t in enumerate(truth)
        for j, f in enumerate(found)
        if t.kind == f.kind and t.iou(f) >= iou
    ]
    pairs, used_truth, used_found = [], set(), set()
    for _, i, j in sorted(candidates):
        if i not in used_truth and j not in used_found:
            pairs.append((i, j))
            used_truth.add(i)
            used_found.add(j)
    return sorted(pairs)


def count(truth: Sequence[Interval], found: Sequence[Interval], iou: float = IOU) -> dict[str, Counts]:
    """Counts of one video by kind ("macro", "micro")."""
    hits = match(truth, found, iou)
    out = {}
    for kind in KINDS:
        tp = sum(truth[i].kind == kind for i, _ in hits)
        fp, fn = (sum(x.kind == kind for x in part) - tp for part in (found, truth))
        out[str(kind)] = Counts(tp, fp, fn)
    return out


def overall(videos: Sequence[dict[str, Counts]]) -> dict[str, Counts]:
    """Counts of all videos by kind, and both kinds together as "overall"."""
    pooled = {str(kind): sum((v[kind] for v in videos), Counts()) for kind in KINDS}
    return {**pooled, "overall": sum(pooled.values(), Counts())}


def false_alarms_a_minute(counts: Counts, seconds: float) -> float:
    """False positives over the length of all videos. Raises UsageError for a length of 0."""
    if seconds <= 0:
        raise UsageError(f"expected a length above 0 s, got {seconds}")
    return 60 * counts.fp / seconds


def bootstrap(subjects: Sequence[Counts], draws: int = 1000, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Interval of F1 over subjects drawn with replacement: whole people are drawn, as their videos belong together.

    level: share of draws inside, 0..1. Equal seeds give equal intervals. Raises UsageError without subjects.
    """
    if not subjects:
        raise UsageError("expected counts of at least one subject, got none")
    table = np.array([[c.tp, c.fp, c.fn] for c in subjects])
    rng = np.random.default_rng(seed)
    tp, fp, fn = table[rng.integers(0, len(table), (draws, len(table)))].sum(1).T
    f1 = 2 * tp / np.maximum(2 * tp + fp + fn, 1)
    low, high = np.quantile(f1, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

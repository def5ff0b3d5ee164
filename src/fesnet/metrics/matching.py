"""How well found intervals agree with the truth, by the MEGC 2020/2021 rule; numpy only.

A found interval is a true positive if it has the kind of a true one and IoU >= 0.5 with it, one to
one. All videos are pooled as one long video, those without events too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fesnet.errors import UsageError
from fesnet.intervals import KINDS, Interval
from fesnet.metrics.near_pairs import near_pairs

IOU = 0.5


@dataclass(frozen=True)
class Counts:
    """True positives, false positives, false negatives; adds up over videos and kinds.

    fp is the number of finds less tp. Where one find serves several truths (`count_hit_truths`) it
    may be below 0 in a video.
    """

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
        """2 TP / (2 TP + FP + FN), 0 where both are empty."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else 0.0


def match(
    truth: Sequence[Interval], found: Sequence[Interval], iou: float = IOU, *, typed: bool = True
) -> list[tuple[int, int]]:
    """The most pairs (index of truth, index of found) of one kind with at least this IoU.

    Each interval is in one pair at most. Where intervals of one kind overlap, greedy pairing may
    lose a match; augmenting paths (Kuhn) never do. typed: False pairs whatever the kinds.
    """
    fits = near_pairs(truth, found, iou, typed=typed)
    best: dict[int, tuple[float, int]] = {}  # of those that want a find most, the nearest
    for i, near in enumerate(fits):
        if near:
            value = truth[i].iou(found[near[0]])
            if value > best.get(near[0], (-1.0, 0))[0]:
                best[near[0]] = value, i
    partner = {j: i for j, (_, i) in best.items()}  # found -> truth
    dead: set[int] = set()  # what a search in vain has tried leads nowhere later, either
    for i in sorted(set(range(len(truth))) - set(partner.values())):
        tried: set[int] = set()
        if not augment(i, fits, partner, tried, dead):
            dead |= tried
    return sorted((i, j) for j, i in partner.items())


def augment(
    start: int, fits: list[list[int]], partner: dict[int, int], tried: set[int], dead: set[int]
) -> bool:
    """Give `start` a partner, moving others on where needed (Kuhn); False where there is none.

    No recursion: a chain of overlapping intervals may be as long as the video.
    """
    path: list[tuple[int, Iterator[int]]] = [(start, iter(fits[start]))]
    taken: list[int] = []  # by each on the path but the last
    while path:
        for j in path[-1][1]:
            if j in tried or j in dead:
                continue
            tried.add(j)
            taken.append(j)
            if j not in partner:
                partner.update(zip(taken, (i for i, _ in path), strict=True))
                return True
            path.append((partner[j], iter(fits[partner[j]])))
            break
        else:
            path.pop()
            if taken:
                taken.pop()
    return False


def count(
    truth: Sequence[Interval], found: Sequence[Interval], iou: float = IOU, *, typed: bool = True
) -> dict[str, Counts]:
    """Counts of one video by kind ("macro", "micro").

    Pairs of two kinds (typed False) count for the kind of the truth.
    """
    hits = match(truth, found, iou, typed=typed)
    used = {j for _, j in hits}
    out = {}
    for kind in KINDS:
        tp = sum(truth[i].kind == kind for i, _ in hits)
        fn = sum(t.kind == kind for t in truth) - tp
        fp = sum(f.kind == kind for j, f in enumerate(found) if j not in used)
        out[str(kind)] = Counts(tp, fp, fn)
    return out


def count_hit_truths(
    truth: Sequence[Interval], found: Sequence[Interval], iou: float = IOU, *, typed: bool = True
) -> dict[str, Counts]:
    """Counts of one video by kind, as several published scripts make them: not one to one.

    Every truth that some find reaches is a true positive, however many truths that find serves.
    Finds less hit truths are false positives. typed: False lets any kind reach any.
    """
    out = {}
    for kind in KINDS:
        truths = [t for t in truth if t.kind == kind]
        finds = sum(f.kind == kind for f in found)
        near = [f for f in found if not typed or f.kind == kind]
        hit = sum(bool(reached) for reached in near_pairs(truths, near, iou, typed=False))
        out[str(kind)] = Counts(hit, finds - hit, len(truths) - hit)
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


def bootstrap(
    subjects: Sequence[Counts], draws: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Interval of F1 over subjects drawn with replacement.

    Whole people are drawn, as their videos belong together. level: share of draws
    inside, 0..1. Equal seeds give equal intervals. Raises UsageError without subjects.
    """
    if not subjects:
        raise UsageError("expected counts of at least one subject, got none")
    table = np.array([[c.tp, c.fp, c.fn] for c in subjects])
    rng = np.random.default_rng(seed)
    tp, fp, fn = table[rng.integers(0, len(table), (draws, len(table)))].sum(1).T
    f1 = 2 * tp / np.maximum(2 * tp + fp + fn, 1)
    low, high = np.quantile(f1, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

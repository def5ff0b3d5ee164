"""Pairs of intervals whose IoU reaches a limit, without looking at every pair.

An interval (start s, length L) that shares an IoU of at least u with another one shares u L of its
frames. So the other one is at most L / u long and starts between s + u L - L / u and s + L - u L.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fesnet.intervals import KINDS, Interval

BLOCK = 1_000_000  # pairs that are looked at together
Indices = NDArray[np.int64]


def near_pairs(
    one: Sequence[Interval], other: Sequence[Interval], iou: float, *, typed: bool = True
) -> list[list[int]]:
    """For each of `one` the indices of `other` with at least this IoU, the highest first, then by
    index. typed: only those of its kind."""
    out: list[list[int]] = [[] for _ in one]
    for kind in KINDS if typed else (None,):
        mine = of_kind(one, kind)
        theirs = of_kind(other, kind)
        if not len(mine) or not len(theirs):
            continue
        for i, j, value in pairs_of_kind(bounds_of(one, mine), bounds_of(other, theirs), iou):
            a, b = mine[i], theirs[j]
            order = np.lexsort((b, -value, a))
            for x, y in zip(a[order].tolist(), b[order].tolist(), strict=True):
                out[x].append(y)
    return out


def of_kind(intervals: Sequence[Interval], kind: str | None) -> Indices:
    return np.array(
        [k for k, i in enumerate(intervals) if kind is None or i.kind == kind], np.int64
    )


def bounds_of(intervals: Sequence[Interval], chosen: Indices) -> Indices:
    """(N, 2) start and stop."""
    picked = [intervals[k] for k in chosen.tolist()]
    return np.array([(i.start, i.stop) for i in picked], np.int64).reshape(-1, 2)


def pairs_of_kind(
    one: Indices, other: Indices, iou: float
) -> Iterator[tuple[Indices, Indices, NDArray[np.float64]]]:
    """Blocks of (index of one, index of other, IoU); all pairs of an index are in one block."""
    order = np.argsort(other[:, 0], kind="stable")
    starts = other[order, 0]
    length = (one[:, 1] - one[:, 0]).astype(np.float64)
    if iou > 0:
        # A frame to either side, for the rounding of the bounds.
        low = np.searchsorted(starts, one[:, 0] + iou * length - length / iou - 1, "left")
        high = np.searchsorted(starts, one[:, 1] - iou * length + 1, "right")
    else:
        low, high = np.zeros(len(one), np.int64), np.full(len(one), len(other), np.int64)
    ends = np.cumsum(high - low)
    first = 0
    while first < len(one):
        done = ends[first - 1] if first else 0
        stop = max(int(np.searchsorted(ends, done + BLOCK, "right")), first + 1)
        counts = (high - low)[first:stop]
        i = np.repeat(np.arange(first, stop), counts)
        inside = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
        j = order[np.repeat(low[first:stop], counts) + inside]
        shared = np.minimum(one[i, 1], other[j, 1]) - np.maximum(one[i, 0], other[j, 0])
        shared = np.maximum(shared, 0)
        lengths = (one[i, 1] - one[i, 0]) + (other[j, 1] - other[j, 0])
        value = shared / (lengths - shared)
        near = value >= iou
        yield i[near], j[near], value[near]
        first = stop

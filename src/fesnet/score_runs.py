"""Runs in one track of frame scores: found with hysteresis, cut at valleys, joined where near."""

from __future__ import annotations

import numpy as np

from fesnet._types import FloatArray
from fesnet.intervals import true_runs


def hysteresis_runs(track: FloatArray, threshold: float, release: float) -> list[tuple[int, int]]:
    """Runs in scores (T,) that reach the threshold and stay above its share `release`."""
    found = true_runs(track >= threshold * release)
    return [(a, b) for a, b in found if track[a:b].max() >= threshold]


def split_runs(
    track: FloatArray, found: list[tuple[int, int]], valley: float, min_rows: int
) -> list[tuple[int, int]]:
    """Cut runs at valleys below the share `valley` of both peaks beside them.

    Both parts keep `min_rows` rows at least.
    """
    out: list[tuple[int, int]] = []
    todo = found[::-1]
    while todo:
        a, b = todo.pop()
        at = deepest_valley(track[a:b], valley, min_rows)
        if at is None:
            out.append((a, b))
        else:
            todo += [(a + at, b), (a, a + at)]
    return out


def merge_near(
    found: list[tuple[int, int]], gap: float, step: float = 1.0
) -> list[tuple[int, int]]:
    """Join neighbours with up to `gap` between them. Runs that touch were cut and stay apart.

    step: what one row measures, in the unit of `gap`.
    """
    out: list[tuple[int, int]] = []
    for a, b in found:
        if out and 0 < (a - out[-1][1]) * step <= gap:
            out[-1] = (out[-1][0], b)
        else:
            out.append((a, b))
    return out


def deepest_valley(track: FloatArray, share: float, least: int) -> int | None:
    """Where to cut: the lowest point that lies below `share` of the smaller peak beside it, or
    None.
    """
    n = len(track)
    if n < 2 * least + 1:
        return None
    left = np.maximum.accumulate(track)[least - 1 : n - least - 1]
    right = np.maximum.accumulate(track[::-1])[::-1][least + 1 :][: len(left)]
    middle = track[least : least + len(left)]
    depth = middle / np.maximum(np.minimum(left, right), 1e-9)
    at = int(np.argmin(depth))
    return at + least if depth[at] < share else None

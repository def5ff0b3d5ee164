"""Runs in one track of frame scores: found with hysteresis, cut at valleys, joined where near."""

from __future__ import annotations

import numpy as np

from fesnet._types import FloatArray
from fesnet.intervals import true_runs

Runs = list[tuple[int, int]]


class RunTrack:
    """Runs in one track (T,). What it found for one setting it keeps for the next: many settings
    look at the same runs and valleys."""

    def __init__(self, values: FloatArray) -> None:
        self.values = values
        self.runs: dict[float, list[tuple[int, int, float]]] = {}  # by level; with their peaks
        self.valleys: dict[tuple[int, int, int], tuple[int, float] | None] = {}

    def hysteresis(self, threshold: float, release: float) -> Runs:
        """Runs that reach the threshold and stay above its share `release`."""
        level = threshold * release
        if level not in self.runs:
            found = true_runs(np.asarray(self.values >= level))
            self.runs[level] = [(a, b, self.values[a:b].max()) for a, b in found]
        return [(a, b) for a, b, peak in self.runs[level] if peak >= threshold]

    def split(self, found: Runs, valley: float, min_rows: int) -> Runs:
        """Cut runs at valleys below the share `valley` of both peaks beside them.

        Both parts keep `min_rows` rows at least.
        """
        out: Runs = []
        todo = found[::-1]
        while todo:
            a, b = todo.pop()
            key = (a, b, min_rows)
            if key not in self.valleys:
                self.valleys[key] = lowest_point(self.values[a:b], min_rows)
            lowest = self.valleys[key]
            if lowest is None or not lowest[1] < valley:
                out.append((a, b))
            else:
                todo += [(a + lowest[0], b), (a, a + lowest[0])]
        return out


def hysteresis_runs(track: FloatArray, threshold: float, release: float) -> Runs:
    """Runs in scores (T,) that reach the threshold and stay above its share `release`."""
    return RunTrack(track).hysteresis(threshold, release)


def split_runs(track: FloatArray, found: Runs, valley: float, min_rows: int) -> Runs:
    """Cut runs in scores (T,) at valleys, as `RunTrack.split`."""
    return RunTrack(track).split(found, valley, min_rows)


def merge_near(found: Runs, gap: float, step: float = 1.0) -> Runs:
    """Join neighbours with up to `gap` between them. Runs that touch were cut and stay apart.

    step: what one row measures, in the unit of `gap`.
    """
    out: Runs = []
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
    lowest = lowest_point(track, least)
    return lowest[0] if lowest is not None and lowest[1] < share else None


def lowest_point(track: FloatArray, least: int) -> tuple[int, float] | None:
    """Where a track (T,) is lowest in shares of the smaller peak beside it, and that share; both
    parts keep `least` rows at least. None where it is too short for that."""
    n = len(track)
    if n < 2 * least + 1:
        return None
    left = np.maximum.accumulate(track)[least - 1 : n - least - 1]
    right = np.maximum.accumulate(track[::-1])[::-1][least + 1 :][: len(left)]
    middle = track[least : least + len(left)]
    depth = middle / np.maximum(np.minimum(left, right), 1e-9)
    at = int(np.argmin(depth))
    return at + least, depth[at]

"""How many events a video has: errors of the count, as MEGC 2026 asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fesnet.intervals import KINDS, Interval


@dataclass(frozen=True)
class CountingError:
    """Over videos: mean absolute error and root mean square error of the number of events, and the
    mean of found less true.
    """

    mae: float
    rmse: float
    bias: float


def counting_errors(
    videos: Sequence[tuple[Sequence[Interval], Sequence[Interval]]],
) -> dict[str, CountingError]:
    """videos: truth and found of each, one at least. By kind, and "overall" for both together."""
    out = {}
    for name in (*map(str, KINDS), "overall"):
        true, found = (
            np.array([sum(name in (i.kind, "overall") for i in v[side]) for v in videos])
            for side in (0, 1)
        )
        error = (found - true).astype(np.float64)
        out[name] = CountingError(
            float(np.abs(error).mean()), float(np.sqrt((error**2).mean())), float(error.mean())
        )
    return out

"""Where an expression is at its strongest."""

from __future__ import annotations

import numpy as np

from fesnet._types import FloatArray
from fesnet.intervals import Kind

# Weights of a moving mean over steps: one step alone is noise. All numbers here are our choice.
SMOOTHING = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9
# Share of its range from which a strength counts as the highest: a macro-expression is held, and
# the first of the moments that are about equally strong is the one that coders name. Chosen on 32
# hand-labelled macro-expressions of real clips; on synthetic ones it is worse than the maximum
# (docs/experiments.md).
PLATEAU: dict[Kind, float] = {"macro": 0.98, "micro": 1.0}


def choose_apex(strength: FloatArray, start: int, stop: int, kind: Kind) -> int:
    """The step of an interval start .. stop - 1 at which the face has changed most from neutral.

    strength (T,): intensity, or else the score. Never the first or last step where there are others
    between them: at an onset the face is still neutral.
    """
    if stop - start < 3:
        return start + (stop - start) // 2
    inside = np.pad(np.nan_to_num(strength[start:stop]), len(SMOOTHING) // 2, mode="edge")
    smooth = np.convolve(inside, SMOOTHING, "valid")
    low, high = float(smooth.min()), float(smooth[1:-1].max())
    enough = low + PLATEAU[kind] * (high - low) - 1e-12
    return start + 1 + int(np.flatnonzero(smooth[1:-1] >= enough)[0])

"""Tracks of one face for tests of the interval check."""

from __future__ import annotations

import numpy as np

from fesnet.faces.landmark_features import LANDMARK_FEATURE_COUNT
from fesnet.interval_features import ContextTrack

RATE = 30.0


def still_track(steps: int = 240) -> ContextTrack:
    """Nothing moves and nothing is found."""
    zeros = np.zeros((steps, LANDMARK_FEATURE_COUNT))
    return ContextTrack(np.arange(steps) / RATE, np.zeros((steps, 2)), np.zeros(steps), zeros)

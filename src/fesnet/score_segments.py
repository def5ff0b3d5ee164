"""What many settings of the interval rules share in one track: its segments, runs and valleys."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fesnet._types import FloatArray
from fesnet.intervals import KINDS, Kind, true_runs
from fesnet.score_runs import RunTrack

INTENSITY_OFFSET = 0.05  # of a full expression: intensities below this are much the same


def known_segments(scores: FloatArray) -> Iterator[tuple[int, int]]:
    """Start and stop of each unbroken run of known rows."""
    return true_runs(np.asarray(~np.isnan(scores).any(1)))


class SharedTracks:
    """What all settings of the rules share in one unbroken segment of known scores (T, 2)."""

    def __init__(self, scores: FloatArray, intensity: FloatArray | None) -> None:
        self.scores = scores
        self.intensity = np.zeros(len(scores)) if intensity is None else intensity
        self.activity = RunTrack(scores.sum(1))
        self.strength = RunTrack(self.intensity + INTENSITY_OFFSET)
        self.kinds = tuple(RunTrack(scores[:, column]) for column in range(len(KINDS)))
        self.stronger: dict[tuple[int, int], Kind] = {}
        self.micro_runs: dict[tuple[int, int], list[tuple[int, int, float]]] = {}


class SharedSegments:
    """The unbroken segments of known scores (T, 2), macro and micro, and intensity (T,): start,
    stop and what settings share."""

    def __init__(self, scores: FloatArray, intensity: FloatArray | None = None) -> None:
        self.segments = [
            (a, b, SharedTracks(scores[a:b], None if intensity is None else intensity[a:b]))
            for a, b in known_segments(scores)
        ]

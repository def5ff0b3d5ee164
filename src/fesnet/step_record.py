"""What a stream keeps of one face for the questions "what moved" and "what else happened".

    steps' features -> landmark features and LSDM's motion output of every step (StepRecord)

The motion head runs on every second step against the first step of its segment; the steps between
are interpolated. Numbers are kept as 16-bit integers: an hour of one face takes 40 MB of memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fesnet._types import Float32Array, FloatArray

HEAD_EVERY = 2  # steps; 15 Hz at the working rate, our choice: it halves the cost
HEAD_BATCH = 16  # steps through the head at once
PACK_BATCH = 64  # steps packed at once
UNIT = 2048.0  # what 1 is kept as; the range is -16..16

MotionHead = Callable[[Float32Array, Float32Array], Float32Array]


@dataclass(frozen=True, eq=False)
class StepRecord:
    """One face on all steps of the working grid; rows that are not numbers are unknown.

    landmark_features (T, S); motions (T, M), LSDM's motion output against the first step of the
    segment, None without a head; segment (T,), -1 where unknown.
    """

    landmark_features: FloatArray
    motions: FloatArray | None
    segment: NDArray[np.int64]


class StepRecorder:
    """Takes the features of steps as they come. size: numbers of landmark features at the end of a
    step's features; head: LSDM's motion output of attended features (N, P, C) against (P, C)."""

    def __init__(self, size: int, head: MotionHead | None) -> None:
        self.size, self.head = size, head
        self.steps, self.segments = array("l"), array("l")
        self.landmarks: list[NDArray[np.int16]] = []
        self.loose: list[Float32Array] = []  # landmark features that are not packed yet
        self.head_steps = array("l")
        self.motions: list[NDArray[np.int16]] = []
        self.waiting: list[Float32Array] = []
        self.reference: Float32Array | None = None

    def push(self, step: int, features: Float32Array, *, first: bool) -> None:
        """Features (P, C) of the next step: positions, then rows of landmark features. first: of
        its segment."""
        rows = self.size // features.shape[-1]
        if first:
            self.run_head()
            self.reference = features[:-rows]
        self.segments.append(self.segments[-1] + first if self.segments else 0)
        self.steps.append(step)
        self.loose.append(features[-rows:].reshape(-1).copy())
        if len(self.loose) == PACK_BATCH:
            self.pack_loose()
        if self.head is not None and (first or step % HEAD_EVERY == 0):
            self.head_steps.append(step)
            self.waiting.append(features[:-rows])
            if len(self.waiting) == HEAD_BATCH:
                self.run_head()

    def pack_loose(self) -> None:
        """Pack the landmark features that wait."""
        if self.loose:
            self.landmarks += list(pack_row(np.stack(self.loose)))
        self.loose = []

    def run_head(self) -> None:
        """Run the motion head on what waits."""
        if self.waiting and self.head is not None and self.reference is not None:
            self.motions += list(pack_row(self.head(np.stack(self.waiting), self.reference)))
        self.waiting = []

    def record(self, steps: int) -> StepRecord:
        """All of steps 0 .. steps - 1."""
        self.run_head()
        self.pack_loose()
        known = np.array(self.steps, np.int64)
        inside = known < steps
        segment = np.full(steps, -1, np.int64)
        segment[known[inside]] = np.array(self.segments, np.int64)[inside]
        landmarks = np.full((steps, self.size), np.nan)
        if len(known):
            landmarks[known[inside]] = np.stack(self.landmarks)[inside] / UNIT
        motions = None if self.head is None else self.interpolate_motions(segment, steps)
        return StepRecord(landmarks, motions, segment)

    def interpolate_motions(self, segment: NDArray[np.int64], steps: int) -> FloatArray:
        """(T, M) on all known steps, linear between those at which the head ran; the last stays."""
        at = np.array(self.head_steps, np.int64)
        if not len(at):
            return np.full((steps, 1), np.nan)
        values = np.stack(self.motions) / UNIT
        out = np.full((steps, values.shape[1]), np.nan)
        inside = at < steps
        at, values = at[inside], values[inside]
        for number in np.unique(segment[segment >= 0]):
            rows = np.flatnonzero(segment == number)
            ran = segment[at] == number
            for column in range(values.shape[1] if ran.any() else 0):
                out[rows, column] = np.interp(rows, at[ran], values[ran, column])
        return out


def pack_row(values: FloatArray) -> NDArray[np.int16]:
    """As whole numbers, cut to their range."""
    return np.asarray(np.clip(np.rint(values * UNIT), -32767, 32767), np.int16)

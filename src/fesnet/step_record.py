"""What a stream keeps of one face for the questions "what moved" and "what else happened".

    steps' features -> landmark features and LSDM's motion output of every step (StepRecord)

The motion head runs on every second step against the first step of its segment; the steps between
are interpolated. Numbers are kept as 16-bit integers: an hour of one face takes 40 MB of memory.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
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

    def part(self, start: int, stop: int) -> StepRecord:
        """Steps start .. stop - 1."""
        motions = None if self.motions is None else self.motions[start:stop]
        return StepRecord(self.landmark_features[start:stop], motions, self.segment[start:stop])


class PackedRows:
    """Rows of 16-bit integers in the blocks that they came in: a row by itself would cost as much
    again."""

    def __init__(self) -> None:
        self.blocks: list[NDArray[np.int16]] = []
        self.starts = array("l", [0])  # of each block, and the end

    def append(self, block: NDArray[np.int16]) -> None:
        """Add rows (N, F)."""
        self.blocks.append(block)
        self.starts.append(self.starts[-1] + len(block))

    @property
    def width(self) -> int:
        """F; 1 where there is no row."""
        return self.blocks[0].shape[1] if self.blocks else 1

    def part(self, first: int, stop: int) -> FloatArray:
        """Rows first .. stop - 1 as they were before packing."""
        stop = min(stop, self.starts[-1])
        if first >= stop:
            return np.zeros((0, self.width))
        at = bisect_right(self.starts, first) - 1
        end = bisect_right(self.starts, stop - 1)
        rows = np.concatenate(self.blocks[at:end])
        return np.asarray(rows[first - self.starts[at] : stop - self.starts[at]] / UNIT)


@dataclass(frozen=True, eq=False)
class KeptSteps:
    """What a recorder kept, as it was packed: a part of it is unpacked when it is asked for."""

    size: int
    steps: NDArray[np.int64]
    segments: NDArray[np.int64]
    landmarks: PackedRows
    head_steps: NDArray[np.int64]
    motions: PackedRows
    has_head: bool

    def part(self, start: int, stop: int) -> StepRecord:
        """Steps start .. stop - 1 of the working grid."""
        first, last = np.searchsorted(self.steps, [start, stop]).tolist()
        rows = self.steps[first:last] - start
        segment = np.full(stop - start, -1, np.int64)
        segment[rows] = self.segments[first:last]
        landmarks = np.full((stop - start, self.size), np.nan)
        if len(rows):
            landmarks[rows] = self.landmarks.part(first, last)
        motions = self.interpolate_motions(segment, start) if self.has_head else None
        return StepRecord(landmarks, motions, segment)

    def interpolate_motions(self, segment: NDArray[np.int64], start: int) -> FloatArray:
        """(T, M) on the known steps from `start` on, linear between those at which the head ran;
        the last of a segment stays."""
        stop = start + len(segment)
        first = max(0, int(np.searchsorted(self.head_steps, start)) - 1)
        last = int(np.searchsorted(self.head_steps, stop)) + 1
        at = self.head_steps[first:last]
        width = self.motions.width
        out = np.full((len(segment), width), np.nan)
        if not len(at):
            return out
        values = self.motions.part(first, first + len(at))
        own = self.segments[np.searchsorted(self.steps, at)]
        for number in np.unique(segment[segment >= 0]):
            rows = np.flatnonzero(segment == number)
            ran = own == number
            for column in range(width if ran.any() else 0):
                out[rows, column] = np.interp(rows + start, at[ran], values[ran, column])
        return out


class StepRecorder:
    """Takes the features of steps as they come. size: numbers of landmark features at the end of a
    step's features; head: LSDM's motion output of attended features (N, P, C) against (P, C)."""

    def __init__(self, size: int, head: MotionHead | None) -> None:
        self.size, self.head = size, head
        self.steps, self.segments = array("l"), array("l")
        self.landmarks = PackedRows()
        self.loose: list[Float32Array] = []  # landmark features that are not packed yet
        self.head_steps = array("l")
        self.motions = PackedRows()
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
            self.landmarks.append(pack_row(np.stack(self.loose)))
        self.loose = []

    def run_head(self) -> None:
        """Run the motion head on what waits."""
        if self.waiting and self.head is not None and self.reference is not None:
            self.motions.append(pack_row(self.head(np.stack(self.waiting), self.reference)))
        self.waiting = []

    def kept(self, steps: int) -> KeptSteps:
        """Steps 0 .. steps - 1."""
        self.run_head()
        self.pack_loose()
        known, heads = np.array(self.steps, np.int64), np.array(self.head_steps, np.int64)
        count, ran = np.searchsorted(known, steps), np.searchsorted(heads, steps)
        return KeptSteps(
            self.size,
            known[:count],
            np.array(self.segments, np.int64)[:count],
            self.landmarks,
            heads[:ran],
            self.motions,
            self.head is not None,
        )

    def record(self, steps: int) -> StepRecord:
        """All of steps 0 .. steps - 1 at once."""
        return self.kept(steps).part(0, steps)


def pack_row(values: FloatArray) -> NDArray[np.int16]:
    """As whole numbers, cut to their range."""
    return np.asarray(np.clip(np.rint(values * UNIT), -32767, 32767), np.int16)

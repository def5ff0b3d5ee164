"""Intervals on the frame axis, and their algebra.

truth   ..[=======)....      overlap(a, b)   frames in both
found   .....[=======).      iou(a, b)       frames in both / frames in either
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import total_ordering
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.errors import TruthError

Kind = Literal["macro", "micro"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@total_ordering
@dataclass(frozen=True, slots=True)
class Interval:
    """Frames start .. stop - 1 of the source video's own axis (0-based, half-open), of one kind.

    apex: frame of the strongest expression, inside the interval, or None. score: 0..1. Raises
    TruthError for an interval that is empty, starts before 0, or has its apex outside.
    """

    start: int
    stop: int
    kind: Kind
    apex: int | None = None
    score: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise TruthError(
                f"expected an interval with 0 <= start < stop, got {self.start} and {self.stop}"
            )
        if self.kind not in KINDS:
            raise TruthError(f"expected kind 'macro' or 'micro', got {self.kind!r}")
        if self.apex is not None and not self.start <= self.apex < self.stop:
            raise TruthError(f"expected an apex in {self.start}..{self.stop - 1}, got {self.apex}")

    def __lt__(self, other: Interval) -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[int, int, str, int, float]:
        """For sorting; an unknown apex (None) comes before all others."""
        return self.start, self.stop, self.kind, -1 if self.apex is None else self.apex, self.score

    @classmethod
    def from_inclusive(
        cls,
        onset: int,
        offset: int,
        kind: Kind,
        *,
        first: int = 1,
        apex: int | None = None,
        score: float = 1.0,
    ) -> Interval:
        """From annotated frames, both inclusive, counted from `first` (1 in most official
        files).
        """
        shifted = None if apex is None else apex - first
        return cls(onset - first, offset - first + 1, kind, shifted, score)

    @property
    def length(self) -> int:
        """Frames in the interval."""
        return self.stop - self.start

    def overlap(self, other: Interval) -> int:
        """Frames in both:

        self    ..[=====)...
        other   .....[=====)
        shared  .....[==)...    3 of them count
        """
        return max(0, min(self.stop, other.stop) - max(self.start, other.start))

    def iou(self, other: Interval) -> float:
        """Frames in both over frames in either, 0..1; equals the inclusive count of the MEGC
        rule.
        """
        shared = self.overlap(other)
        return shared / (self.length + other.length - shared)


@dataclass(frozen=True, slots=True)
class IntervalMark:
    """What is known of who made or changed an interval. by: "machine" or a person; when: UTC, ISO
    8601, None for the machine's.
    """

    by: str
    when: str | None
    checked: bool
    note: str

    @property
    def text(self) -> str:
        """Who, when and whether it was checked, for people; empty for the machine's."""
        if self.when is None:
            return ""
        return f"{'checked' if self.checked else 'changed'} by {self.by} {self.when}"


def true_runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First index of each run of True, and the index after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return ((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))


def to_source_frames(
    onset_s: float, offset_s: float, frame_times: FloatArray, half_step: float
) -> tuple[int, int]:
    """First and last source frame of an interval in seconds: those from half a step before its
    first step to half a step after its last; the next one after its first where frames are sparser
    than that.

    frame_times (N,) rises; half_step: half a step, in seconds, by which a step reaches to either
    side.
    """
    last = len(frame_times) - 1
    first_frame = min(int(np.searchsorted(frame_times, onset_s - half_step, "left")), last)
    last_frame = min(int(np.searchsorted(frame_times, offset_s + half_step, "left")) - 1, last)
    return first_frame, max(first_frame, last_frame)


def nearest_frame(time: float, frame_times: FloatArray) -> int:
    """Index of the source frame nearest in time."""
    right = min(int(np.searchsorted(frame_times, time)), len(frame_times) - 1)
    left = max(right - 1, 0)
    return (
        left
        if math.fabs(frame_times[left] - time) <= math.fabs(frame_times[right] - time)
        else right
    )

"""What was seen in a face beside macro and micro scores, step by step: strengths of facial units,
flags, head pose; and what of it an interval holds.

    FaceObservations (of `fesnet.observe`) -> JSON
    FaceObservations, onset, offset -> IntervalContext
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.facial_units import OUTPUTS, MovedUnit, what_moved
from fesnet.result_json import pack_array, unpack_array

AROUND_S = 0.2  # what happens so near an interval is in its context
UNKNOWN, STRENGTH_UNIT = 255, 100
POSE_STEP = 10  # of a degree, as stored; -32768 is unknown


Flags = NDArray[np.bool_]
FLAGS = (
    "blink",
    "eyes_closed",
    "speaking",
    "head_turn",
    "edge_of_face_time",
)


@dataclass(frozen=True, eq=False)
class FaceObservations:
    """One face on the working grid.

    strengths (T, OUTPUTS) 0..1 of a full motion against a neutral face, not-a-number where
    unknown; flags (T, FLAGS); pose (T, 3) yaw, pitch, roll in degrees (right, down and clockwise as
    seen are positive).
    """

    face: int
    strengths: FloatArray
    flags: Flags
    pose: FloatArray

    @property
    def known(self) -> Flags:
        """(T,) where the face was seen."""
        return ~np.asarray(np.isnan(self.strengths).any(1))

    def flag(self, name: str) -> Flags:
        """(T,) one flag."""
        return np.asarray(self.flags[:, FLAGS.index(name)])

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: strengths uint8 (100 is 1, 255 unknown), flags uint16 (bit k is flag
        k), pose int16 in tenths of a degree; all packed as `fesnet.result_json` says."""
        strengths = np.empty((len(OUTPUTS), len(self.flags)), "<u1")
        for row, column in zip(strengths, self.strengths.T, strict=True):
            row[:] = np.where(np.isnan(column), UNKNOWN, np.rint(column * STRENGTH_UNIT))
        bits = (self.flags * (1 << np.arange(len(FLAGS)))).sum(1).astype("<u2")
        pose = np.where(np.isnan(self.pose), -32768, np.rint(self.pose * POSE_STEP)).astype("<i2")
        return {
            "face": self.face,
            "ticks": len(self.flags),
            "outputs": list(OUTPUTS),
            "flags": list(FLAGS),
            "strengths": pack_array(strengths),
            "flag_bits": pack_array(bits),
            "pose": pack_array(np.ascontiguousarray(pose.T)),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FaceObservations:
        """From what `to_dict` gave, also of a version with other outputs or flags: those that this
        one does not know are left out. Raises ValueError or KeyError for a damaged one."""
        ticks = int(values["ticks"])
        names, kinds = list(values["outputs"]), list(values["flags"])
        stored = unpack_array(values["strengths"], "<u1", len(names) * ticks)
        stored = stored.reshape(len(names), ticks).T
        bits = unpack_array(values["flag_bits"], "<u2", ticks)
        pose = unpack_array(values["pose"], "<i2", 3 * ticks).reshape(3, ticks).T
        strengths = np.zeros((ticks, len(OUTPUTS)))
        flags = np.zeros((ticks, len(FLAGS)), bool)
        for column, name in enumerate(OUTPUTS):
            if name in names:
                row = stored[:, names.index(name)]
                strengths[:, column] = np.where(row == UNKNOWN, np.nan, row / STRENGTH_UNIT)
        for column, name in enumerate(FLAGS):
            if name in kinds:
                flags[:, column] = (bits >> kinds.index(name)) & 1
        degrees = np.where(pose == -32768, np.nan, pose / POSE_STEP)
        return cls(int(values["face"]), strengths, flags, degrees)


@dataclass(frozen=True)
class IntervalContext:
    """What moved in an interval, the strongest first, and the flags in or near it."""

    moved: tuple[MovedUnit, ...]
    flags: tuple[str, ...]

    @property
    def moved_text(self) -> str:
        """For a table cell: "brow raised (AU 1) 0.80; ..."."""
        return "; ".join(str(m) for m in self.moved)


@dataclass(frozen=True, order=True)
class Blink:
    """A time with closed eyes. Seconds on the video's clock; kind "blink" or "eyes_closed"."""

    face: int
    start_s: float
    stop_s: float
    kind: str


def runs(steps: Flags, join: int = 0) -> list[tuple[int, int]]:
    """Half-open runs of steps that are set; those no more than `join` steps apart are one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], steps, [False]]).astype(np.int8)))
    out: list[tuple[int, int]] = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if out and start - out[-1][1] <= join:
            out[-1] = (out[-1][0], stop)
        else:
            out.append((start, stop))
    return out


def context_of(
    seen: FaceObservations, onset_s: float, offset_s: float, rate: float
) -> IntervalContext:
    """The context of an interval of this face, whoever made it."""
    start = min(max(0, round(onset_s * rate)), len(seen.flags) - 1)
    stop = min(max(start + 1, round(offset_s * rate) + 1), len(seen.flags))
    moved = what_moved(seen.strengths, start, stop, seen.flag("blink"))
    near = round(AROUND_S * rate)
    around = seen.flags[max(0, start - near) : stop + near]
    return IntervalContext(moved, tuple(n for k, n in enumerate(FLAGS) if around[:, k].any()))


def blinks_of(seen: FaceObservations, rate: float) -> tuple[Blink, ...]:
    """All times with closed eyes, in order."""
    out = [
        Blink(seen.face, round(start / rate, 6), round(stop / rate, 6), kind)
        for kind in ("blink", "eyes_closed")
        for start, stop in runs(seen.flag(kind))
    ]
    return tuple(sorted(out))

"""Displacement of facial landmarks: what a careful user of a face mesh would write in an afternoon.

The idea is the plain one of threshold rules on tracked points, and no paper is followed. All is our
choice: the head's turn, size and place are removed by fitting the mesh to the canonical face in
three dimensions; groups of points have moved by their distance from their running median, in
multiples of what is usual for them in this video; blinks are cut out of the brows, and the lids do
not count; what lasts is macro and what is left is micro.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.baselines.base import RATE, Baseline, SegmentReader
from fesnet.baselines.signals import KindSplit, split_kinds, usual_place
from fesnet.faces import Face
from fesnet.postprocess import IntervalRules
from fesnet.synth.script.basis import motion_basis

# Points that hardly move with expressions: forehead, bridge and tip of the nose, eye corners,
# temples.
RIGID = (
    10,
    151,
    9,
    8,
    168,
    6,
    197,
    195,
    5,
    4,
    127,
    356,
    234,
    454,
    33,
    133,
    362,
    263,
    93,
    323,
    162,
    389,
    21,
    251,
)
UPPER: dict[str, tuple[int, ...]] = {
    "right inner brow": (55, 65, 66, 107),
    "left inner brow": (285, 295, 296, 336),
    "right outer brow": (52, 53, 63, 105),
    "left outer brow": (282, 283, 293, 334),
}
LOWER: dict[str, tuple[int, ...]] = {
    "right nose wing": (64, 98, 129, 203),
    "left nose wing": (294, 327, 358, 423),
    "right mouth corner": (57, 61, 62, 78),
    "left mouth corner": (287, 291, 292, 308),
    "upper lip": (0, 13, 37, 267),
    "lower lip": (14, 17, 84, 314),
    "chin": (152, 175, 199, 200),
}
# Upper lid, lower lid, corners of the right and the left eye.
EYES = (
    ((158, 159, 160), (144, 145, 153), (33, 133)),
    ((385, 386, 387), (373, 374, 380), (362, 263)),
)


@dataclass(frozen=True)
class LandmarkSettings:
    """Numbers of the landmark method; all are our choice. Crop units: 1 is the side of the aligned
    crop.
    """

    kinds: KindSplit = field(default_factory=KindSplit)
    closed: float = 0.65  # share of its usual opening below which an eye blinks
    around_s: float = 0.1  # s that a blink is taken to reach further to either side
    half: float = 3.0  # times the usual; a movement of this size scores 0.5


class Landmarks(Baseline[LandmarkSettings]):
    """See the module; arguments as of `Baseline`."""

    name = "landmarks"
    recommended = IntervalRules(exclusive=False)

    @staticmethod
    def defaults() -> LandmarkSettings:
        return LandmarkSettings()

    def reader(self) -> SegmentReader:
        return LandmarkReader()

    def score(self, parts: list[FloatArray]) -> list[FloatArray]:
        signals = split_kinds([self.without_blinks(part) for part in parts], self.settings.kinds)
        return [s / (s + self.settings.half) for s in signals]

    def without_blinks(self, part: FloatArray) -> FloatArray:
        """Features (n, D) -> places (n, groups, 2) in which the brows rest while an eye blinks."""
        places, lids = part[:, :-2].reshape(len(part), -1, 2), part[:, -2:]
        usual = usual_place(lids, self.settings.kinds.usual_s)
        blinks = np.flatnonzero((lids < self.settings.closed * usual).any(1))
        reach = round(self.settings.around_s * RATE)
        near = (blinks[:, None] + np.arange(-reach, reach + 1)).ravel()
        return interpolate_unknown(places, len(UPPER), np.setdiff1d(np.arange(len(part)), near))


def interpolate_unknown(places: FloatArray, groups: int, known: NDArray[np.intp]) -> FloatArray:
    """Places (n, G, 2), the first `groups` of them drawn straight between the known ticks (all 0 if
    none is).
    """
    out, ticks = places.copy(), np.arange(len(places))
    for group, axis in np.ndindex(groups, 2):
        out[:, group, axis] = (
            np.interp(ticks, known, places[known, group, axis]) if len(known) else 0
        )
    return out


class LandmarkReader(SegmentReader):
    """Per group x, y in the canonical face (crop units), then the opening of each eye (share of its
    width).
    """

    def __init__(self) -> None:
        self.rows: list[FloatArray] = []

    def push(self, face: Face) -> None:
        points = align_to_canonical(face.landmarks.astype(np.float64))
        places = [points[list(g), :2].mean(0) for g in (*UPPER.values(), *LOWER.values())]
        self.rows.append(np.concatenate([*places, [eye_opening(points, eye) for eye in EYES]]))

    def features(self) -> FloatArray:
        return np.asarray(self.rows, np.float32)


def align_to_canonical(landmarks: FloatArray) -> FloatArray:
    """Landmarks (468, 3) turned, scaled and shifted onto the canonical face (crop units) by their
    rigid points.

    Least squares without reflection (Umeyama 1991), in three dimensions.
    """
    target = motion_basis().canonical
    a, b = landmarks[list(RIGID)], target[list(RIGID)].astype(np.float64)
    p, q = a - a.mean(0), b - b.mean(0)
    u, stretch, vt = np.linalg.svd(p.T @ q)
    sign = np.array([1.0, 1.0, np.linalg.det(u @ vt)])
    scale = float((stretch * sign).sum() / (p * p).sum())
    return np.asarray(scale * (landmarks - a.mean(0)) @ (u * sign) @ vt + b.mean(0))


def eye_opening(points: FloatArray, eye: tuple[tuple[int, ...], ...]) -> float:
    """Distance of the lids over the distance of the corners."""
    upper, lower, (one, other) = (points[list(part)] for part in eye)
    return float((lower[:, 1].mean() - upper[:, 1].mean()) / np.linalg.norm(other - one))

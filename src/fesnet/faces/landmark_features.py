"""Landmark features: where expressive landmarks are once the head's position, size and rotation are
removed.

Landmarks see large motions cleanly at any resolution, also where a head turns; pixels see faint
ones. FESNet's default preset takes both (an extension; the paper's network sees pixels alone).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray

# Landmarks that move with the skull; expressions hardly reach them.
RIGID_LANDMARKS = (
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 127, 356, 234),
    *(454, 33, 133, 362, 263, 98, 327, 93, 323, 162, 389, 21, 251),
)
BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
LIDS = (160, 159, 158, 144, 145, 153, 385, 386, 387, 380, 374, 373)
NOSE = (1, 2, 48, 278)
CHEEKS = (50, 280, 205, 425)
LIPS = (61, 291, 0, 17, 37, 267, 84, 314, 39, 269, 13, 14, 81, 311, 178, 402, 18)
JAW = (152, 176, 400, 172, 397)
EXPRESSIVE_LANDMARKS = (*BROWS, *LIDS, *NOSE, *CHEEKS, *LIPS, *JAW)
DISPLACEMENT_UNIT = (
    24.0  # a feature of 1 is 4 pixels of a 96 pixel crop, as in the training of LSDM
)
ROTATION_UNIT = 4.0  # what a radian of head turn weighs
LANDMARK_FEATURE_COUNT = (
    2 * len(EXPRESSIVE_LANDMARKS) + 4
)  # x and y of each, yaw, pitch, roll, and one spare: a power of two


RIGID_INDICES, EXPRESSIVE_INDICES = np.array(RIGID_LANDMARKS), np.array(EXPRESSIVE_LANDMARKS)


@cache
def canonical_face() -> NDArray[np.float32]:
    """(468, 3) MediaPipe's canonical face mesh (Apache-2.0) in crop units."""
    with (files("fesnet") / "assets" / "motion_basis.npz").open("rb") as handle:
        mesh: NDArray[np.float32] = np.load(handle, allow_pickle=False)["canonical"].astype(
            np.float32
        )
    return mesh


@cache
def canonical_skull() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of the canonical face: the mean (3,) of the skull's landmarks, these about their mean (R, 3),
    and the expressive landmarks (E, 2)."""
    target = canonical_face()[RIGID_INDICES].astype(np.float64)
    return target.mean(0), target - target.mean(0), canonical_face()[EXPRESSIVE_INDICES, :2]


def compute_landmark_features(landmarks: FloatArray) -> NDArray[np.float32]:
    """(N, 468, 3) landmarks, any scale, z in that of x and y -> (N, SHAPE).

    Displacement of the expressive landmarks from the canonical face, and yaw, pitch, roll. 0 is the
    canonical face.
    """
    upright, rotation = frontalize_landmarks(landmarks)
    displacement = (upright - canonical_skull()[2]) * DISPLACEMENT_UNIT
    out = np.zeros((len(displacement), LANDMARK_FEATURE_COUNT), np.float32)
    out[:, :-4] = displacement.reshape(len(displacement), -1)
    out[:, -4:-1] = rotation * ROTATION_UNIT
    return out


def frontalize_landmarks(landmarks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Expressive landmarks (N, R, 2) of faces turned to the front, crop units, and their yaw, pitch
    and roll (N, 3) in radians.
    """
    centre, rotation, scale = fit_head(landmarks)
    expressive = landmarks[:, EXPRESSIVE_INDICES].astype(np.float64)
    upright = (expressive - centre) @ rotation * scale[:, None, None] + canonical_skull()[0]
    yaw = np.arcsin(np.clip(-rotation[:, 2, 0], -1, 1))
    pitch = np.arctan2(rotation[:, 2, 1], rotation[:, 2, 2])
    roll = np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])
    return upright[..., :2], np.stack([yaw, pitch, roll], 1)


def fit_head(landmarks: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The similarity in space that carries the skull's landmarks to the canonical face (least
    squares, Umeyama 1991).

    landmarks (N, 468, 3) -> centre (N, 1, 3) of the skull's landmarks, rotation (N, 3, 3), scale
    (N,) in crop units a unit of the landmarks: `(points - centre) @ rotation * scale` is upright.
    """
    source = landmarks[:, RIGID_INDICES].astype(np.float64)
    a = np.add.reduce(source, 1, keepdims=True) / source.shape[1]
    p, q = source - a, canonical_skull()[1]
    left, values, right = np.linalg.svd(p.transpose(0, 2, 1) @ q)
    rotation = left @ right
    turned = np.linalg.det(rotation) < 0  # a reflection: the last axis the other way round
    if turned.any():
        left[turned, :, 2] *= -1
        values[turned, 2] *= -1
        rotation = left @ right
    scale = np.add.reduce(values, 1) / np.maximum(np.add.reduce(p**2, (1, 2)), 1e-12)
    return a, rotation, scale

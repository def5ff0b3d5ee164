"""Where an aligned face stands, the similarity that brings it there, and the warp that cuts it out.

Three frames of coordinates, all with x to the right and y down:

- source pixels: continuous, the image covers 0..W, 0..H and the centre of its first pixel lies at
(0.5, 0.5);
- crop units: the unit square that the crop shows;
- crop pixels: crop units times the crop's size.

A *pose* is a similarity as four numbers that can be filtered one by one: x, y (source pixels, where
the centre of the stable points stands), log of the source pixels in one crop unit, and the angle in
radians (positive: clockwise as seen).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray, Image
from fesnet.video.source import LumaPlane

Matrix = NDArray[np.float64]

EYE_DISTANCE = (
    0.30  # crop units between the eye centres; our choice, so that chin and brows stay inside
)
EYE_HEIGHT = 0.36  # crop units from the crop's upper edge to the eyes
EYE_CORNERS = (33, 133, 362, 263)  # image left to right
STABLE = (
    33,
    133,
    362,
    263,
    168,
    6,
    197,
    195,
    98,
    327,
)  # eye corners, bridge of the nose, wings of the nose
CANONICAL_STABLE: Matrix = np.array(
    [
        [0.2883694, 0.3581258],
        [0.4116306, 0.3618742],
        [0.5883694, 0.3618742],
        [0.7116306, 0.3581258],
        [0.5, 0.3292298],
        [0.5, 0.3672051],
        [0.5, 0.4026630],
        [0.5, 0.4345065],
        [0.4330897, 0.5665350],
        [0.5669103, 0.5665350],
    ]
)  # MediaPipe's canonical face mesh (Apache-2.0) in crop units
PIVOT: Matrix = CANONICAL_STABLE.mean(0)  # round this centre shift and rotation are least coupled
SUPERSAMPLE = 2  # samples a crop pixel and axis: sharpness then hardly depends on the face's size


def fit_similarity(
    source: FloatArray, target: FloatArray, weight: FloatArray | None = None
) -> Matrix:
    """Least-squares rotation, uniform scale and shift, without reflection (Umeyama 1991).

    source, target: (N, 2), N >= 2 distinct points; weight: (N,), positive, default all alike.
    Returns (2, 3): target ~ source @ m[:, :2].T + m[:, 2].
    """
    if weight is None:
        share = np.full((len(source), 1), 1 / len(source))
    else:
        share = (weight / weight.sum())[:, None]
    a, b = np.add.reduce(share * source, 0), np.add.reduce(share * target, 0)
    root = np.sqrt(share)
    p, q = (source - a) * root, (target - b) * root
    cosine = float(np.add.reduce(p * q, None))
    sine = float(np.add.reduce(p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]))
    turn = np.array([[cosine, -sine], [sine, cosine]]) / float(np.add.reduce(p * p, None))
    return np.concatenate([turn, (b - turn @ a)[:, None]], 1)


def invert(matrix: Matrix) -> Matrix:
    """The inverse of an affine (2, 3)."""
    return np.array(inverse_rows(matrix))


def inverse_rows(matrix: Matrix) -> list[list[float]]:
    """The inverse of an affine (2, 3), row by row; by hand, as numpy's takes ten times as long."""
    (a, b, x), (c, d, y) = matrix.tolist()
    size = a * d - b * c
    return [
        [d / size, -b / size, (b * y - d * x) / size],
        [-c / size, a / size, (c * x - a * y) / size],
    ]


def transform_points(matrix: Matrix, points: FloatArray) -> Matrix:
    """Carry points (..., 2) by an affine (2, 3)."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def pose_of(landmarks: FloatArray) -> Matrix:
    """The pose (4,) that the stable points of landmarks (468, 2 or 3) in source pixels give."""
    return pose_of_matrix(
        fit_similarity(CANONICAL_STABLE, landmarks[list(STABLE), :2].astype(np.float64))
    )


def pose_of_matrix(from_unit: Matrix) -> Matrix:
    """The pose (4,) of a similarity (2, 3) from crop units to source pixels."""
    centre = transform_points(from_unit, PIVOT)
    cosine, sine = from_unit[0, 0], from_unit[1, 0]
    return np.array(
        [centre[0], centre[1], math.log(math.hypot(cosine, sine)), math.atan2(sine, cosine)]
    )


def to_unit(pose: FloatArray) -> Matrix:
    """The affine (2, 3) from source pixels to crop units of a pose (4,)."""
    x, y, log_scale, angle = pose.tolist()
    scale = math.exp(log_scale)
    return turn_to(math.cos(angle) / scale, math.sin(angle) / scale, (x, y), PIVOT.tolist())


def turn_to(cosine: float, sine: float, start: tuple[float, float], end: Sequence[float]) -> Matrix:
    """The similarity (2, 3) that turns, scales and carries the point `start` to `end`."""
    x, y = start
    return np.array(
        [
            [cosine, sine, end[0] - (cosine * x + sine * y)],
            [-sine, cosine, end[1] - (cosine * y - sine * x)],
        ]
    )


def warp(
    image: Image | LumaPlane, matrix: Matrix, size: int, supersample: int = SUPERSAMPLE
) -> Image:
    """The crop (size, size[, 3]) uint8 of an image (H, W[, 3]) uint8 that `matrix` (2, 3) shows.

    matrix carries source pixels to crop units; supersample: samples a crop pixel and axis,
    averaged. A face much larger than the crop is shrunk by whole blocks of pixels first, so nothing
    is skipped. Beyond the image its rim is repeated.
    """
    fine = size * supersample
    part, left, top, factor = cut(image, matrix, fine)
    # OpenCV counts pixel centres as whole numbers, fesnet as halves
    half, scale = factor / 2, factor * fine
    moved = np.array(
        [
            [a * scale, b * scale, (a * (left + half) + b * (top + half) + x) * fine - 0.5]
            for a, b, x in matrix.tolist()
        ]
    )
    crop = cv2.warpAffine(
        part, moved, (fine, fine), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if supersample > 1:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)


def cut(image: Image | LumaPlane, matrix: Matrix, size: int) -> tuple[Image, int, int, int]:
    """The part of an image that a crop of `size` samples needs, shrunk where that loses nothing.

    Returns the part, its left and top in source pixels, and the factor. Blocks lie on the image's
    own grid, so the shrunk pixels do not swim when the face moves.
    """
    height, width = image.shape[:2]
    per_sample = 1 / (math.hypot(matrix[0, 0], matrix[1, 0]) * size)
    factor = max(1, min(int(per_sample + 1e-6), width, height))
    (a, b, x), (c, d, y) = inverse_rows(matrix)
    (x0, x1), (y0, y1) = axis_range(x, a, b, factor, width), axis_range(y, c, d, factor, height)
    part: Image = image[y0:y1, x0:x1]
    if factor > 1:
        shrunk = ((x1 - x0) // factor, (y1 - y0) // factor)
        part = np.asarray(cv2.resize(part, shrunk, interpolation=cv2.INTER_AREA), np.uint8)
    return part, x0, y0, factor


def axis_range(
    origin: float, across: float, down: float, factor: int, length: int
) -> tuple[int, int]:
    """From where to where on one axis the unit square reaches whose corner is `origin` and whose
    sides are `across` and `down`: whole blocks of `factor` pixels within `length`, two pixels
    wider."""
    low = origin + min(across, 0.0) + min(down, 0.0) - 2
    high = origin + max(across, 0.0) + max(down, 0.0) + 2
    last = length // factor
    first = min(max(math.floor(low / factor), 0), last - 1)
    return first * factor, min(max(math.ceil(high / factor), first + 1), last) * factor

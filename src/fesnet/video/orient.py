"""Phones record as the sensor lies and note how to turn the picture; here it is turned."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame

from fesnet._types import Image

Matrix = tuple[int, int, int, int]
UPRIGHT: Matrix = (1, 0, 0, 1)


def display_matrix(frame: VideoFrame) -> Matrix:
    """Signs of (a, b, c, d) in x' = a x + c y, y' = b x + d y, taken to the nearest quarter turn.

    Do not call it on every frame: PyAV's side data and its frame refer to each other, so that each
    such frame stays in memory until the garbage collector runs (190 MB more for 20 s at 640 x 360).
    `rotation` is free.
    """
    side: Any = frame.side_data.get("DISPLAYMATRIX")
    if side is None:
        return UPRIGHT
    a, b, _, c, d = (int(value) for value in np.frombuffer(side, np.int32)[:5])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (-1 if a < 0 else 1, 0, 0, -1 if d < 0 else 1)
    return (0, -1 if b < 0 else 1, -1 if c < 0 else 1, 0)


def turn_upright(image: Image, matrix: Matrix) -> Image:
    """Turn and mirror (H, W[, 3]) as `matrix` says: (H, W[, 3]), or (W, H[, 3]) for a quarter
    turn.
    """
    a, b, c, d = matrix
    turned = np.asarray(image if a else cv2.transpose(image), np.uint8)
    mirror_x, mirror_y = (a or c) < 0, (d or b) < 0
    if mirror_x and mirror_y:
        return np.asarray(cv2.flip(turned, -1), np.uint8)
    if mirror_x or mirror_y:
        return np.asarray(cv2.flip(turned, 1 if mirror_x else 0), np.uint8)
    return turned

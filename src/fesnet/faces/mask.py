"""Which pixels of an aligned crop show the face.

What lies behind a person moves in the crop whenever they do, and shows nothing of their expression.
"""

from __future__ import annotations

import cv2
import numpy as np

from fesnet._types import FloatArray, Image

FINE = 4  # bits of a pixel that corners are placed by


def face_mask(points: FloatArray, size: int) -> Image:
    """(size, size) uint8: 255 inside the convex hull of landmarks (P, 2) in crop units, 0 outside,
    soft rim.
    """
    mask = np.zeros((size, size), np.uint8)
    # OpenCV counts pixel centres as whole numbers.
    corners = np.rint((np.clip(points, -1, 2) * size - 0.5) * (1 << FINE)).astype(np.int32)
    cv2.fillConvexPoly(mask, cv2.convexHull(corners), 255, cv2.LINE_AA, FINE)
    return mask


def only_face(crops: Image, masks: Image) -> Image:
    """Crops (N, S, S[, 3]) uint8, black wherever masks (N, S, S) say that there is no face."""
    if not crops.size:
        return crops
    flat = crops.reshape(-1, *crops.shape[2:])
    share = masks.reshape(flat.shape[:2])
    weight = share if flat.ndim == 2 else cv2.merge([share] * 3)
    return np.asarray(cv2.multiply(flat, weight, scale=1 / 255), np.uint8).reshape(crops.shape)


def as_rgb(crops: Image) -> Image:
    """Luma crops (N, S, S) uint8 as three equal channels (N, S, S, 3)."""
    flat = crops.reshape(-1, crops.shape[-1])
    return np.asarray(cv2.merge([flat, flat, flat]), np.uint8).reshape(*crops.shape, 3)

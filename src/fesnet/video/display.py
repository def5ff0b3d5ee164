"""Pixels that are not square: anamorphic recordings are stretched as players show them."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np

from fesnet._types import Image
from fesnet.video.containers import MAX_PIXELS

# Width of a pixel over its height. Real ones lie between 5:16 and 16:5; beyond this a file is
# wrong, not anamorphic (our choice).
WIDEST = Fraction(8)
SQUARE = 0.005  # nearer to 1 than this, no pixel row would be added


def display_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int] | None:
    """(width, height) at which pixels are square: the side that is too short grows, as in a
    browser. None where the picture is right as it is, or `aspect` is none that can be meant.
    """
    if aspect is None or aspect <= 0 or not 1 / WIDEST <= aspect <= WIDEST:
        return None
    if abs(float(aspect) - 1) < SQUARE:
        return None
    wide = aspect > 1
    size = (round(width * aspect), height) if wide else (width, round(height / aspect))
    return size if size[0] * size[1] <= MAX_PIXELS else None


def stretch(image: Image, size: tuple[int, int] | None) -> Image:
    """(H, W[, 3]) at `size` (width, height); None: as it is."""
    if size is None:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)

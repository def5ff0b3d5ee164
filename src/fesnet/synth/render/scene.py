"""A portrait as a still scene: the person where a camera would have them, with room round the face.

A photo seldom covers the whole frame. Beyond it the scene goes on with the photo's rim (above it,
with its corners), blurred: a plain wall stays a plain wall, and nothing sharp lies where nothing
was photographed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.faces.align import CANONICAL_STABLE, STABLE, fit_similarity
from fesnet.synth.render.frame_renderer import Scene

DENSITY = 1.25  # scene pixels to a frame pixel: sharp after resampling, and nothing is skipped
ROOM = 0.15  # crop units of scene beyond the frame, for a camera that shakes
BLUR = 0.15  # crop units: of the rim beyond the photo
FEATHER = 0.06  # crop units: over which the photo fades into it
NEAREST, LOWEST = (
    0.72,
    0.50,
)  # limits of `stand`: crop unit as a share of the frame's height, eyes from its top


@dataclass(frozen=True)
class Framing:
    """Where a face stands in a frame of width x height pixels.

    unit: pixels of a crop unit (the aligned face is about 0.75 of it wide); x, y: pixels of the
    crop's left upper corner.
    """

    width: int
    height: int
    unit: float
    x: float
    y: float

    @property
    def span(self) -> tuple[float, float, float, float]:
        """What the frame shows, (x0, y0, x1, y1) in crop units."""
        x0, y0 = -self.x / self.unit, -self.y / self.unit
        return x0, y0, x0 + self.width / self.unit, y0 + self.height / self.unit


def draw_framing(rng: np.random.Generator, width: int, height: int, bottom: float) -> Framing:
    """A face of 0.42-0.7 of the frame's shorter side, near the middle; all numbers are our choice.

    bottom: where the photo ends below, in crop units from the crop's upper edge. Where it can be
    had, the frame ends there too: the person is moved nearer and down, because a chest without a
    photo is the first thing that one sees.
    """
    side = min(height, 1.25 * width)
    share, eyes, middle = rng.uniform(0.42, 0.7), rng.uniform(0.38, 0.47), 0.5 + 0.03 * rng.normal()
    top = height * eyes - 0.36 * side * share
    if top + bottom * side * share < height:
        eyes = max(eyes, min(LOWEST, 1 - (bottom - 0.36) * share * side / height))
        share = max(share, min(NEAREST, (1 - eyes) * height / (max(bottom - 0.36, 0.1) * side)))
    unit = side * share
    return Framing(
        width, height, unit, float(width * middle - 0.5 * unit), float(height * eyes - 0.36 * unit)
    )


def to_crop(landmarks: FloatArray) -> NDArray[np.float64]:
    """The similarity (2, 3) that brings a photo's pixels to crop units."""
    return fit_similarity(landmarks[list(STABLE), :2], CANONICAL_STABLE)


def photo_bottom(photo: NDArray[np.uint8], landmarks: FloatArray) -> float:
    """Where a photo ends below the middle of its face, crop units from the crop's upper edge."""
    matrix = to_crop(landmarks)
    x, y = float(landmarks[list(STABLE), 0].mean()), float(photo.shape[0])
    return float(matrix[1] @ [x, y, 1.0])


def make_scene(
    framing: Framing, photo: NDArray[np.uint8], landmarks: FloatArray, room: float = ROOM
) -> Scene:
    """The scene of one photo (H, W, 3) uint8 RGB with landmarks (468, 3) in its pixels, without a
    smile; `room` crop units wider than the frame on each side.
    """
    x0, y0, x1, y1 = framing.span
    pixels = DENSITY * framing.unit
    left, top = x0 - room, y0 - room
    size = (int(np.ceil((x1 - left + room) * pixels)), int(np.ceil((y1 - top + room) * pixels)))
    matrix = to_crop(landmarks) * pixels
    matrix[:, 2] -= np.array([left, top]) * pixels
    return Scene(extend_photo(photo, matrix, size, pixels), None, left, top, pixels)


def extend_photo(
    photo: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int], unit: float
) -> NDArray[np.uint8]:
    """The photo brought by `matrix` (2, 3) into a picture of `size` (width, height), its blurred
    rim round it.

    unit: pixels of the picture in a crop unit.
    """
    shrink = 1 / float(np.hypot(matrix[0, 0], matrix[0, 1]))
    soft = np.concatenate(
        [
            photo_rim_above(photo),
            cv2.GaussianBlur(photo, (0, 0), 0.4 * shrink) if shrink > 1.3 else photo,
        ]
    )
    centred = matrix.copy()
    centred[:, 2] += (
        centred[:, :2] @ [0.5, 0.5] - 0.5
    )  # OpenCV counts pixel centres as whole numbers
    raised = centred.copy()
    raised[:, 2] -= centred[:, 1]  # the row of wall lies above the photo
    rim = cv2.BORDER_REPLICATE
    near = np.asarray(
        cv2.warpAffine(soft, raised, size, flags=cv2.INTER_CUBIC, borderMode=rim), np.uint8
    )
    photographed = np.full(photo.shape[:2], 255, np.uint8)
    inside = cv2.warpAffine(photographed, centred, size, flags=cv2.INTER_LINEAR)
    if inside.min() == 255:
        return near
    share = np.clip(
        cv2.distanceTransform((inside == 255).astype(np.uint8), cv2.DIST_L2, 5) / (FEATHER * unit),
        0,
        1,
    )
    far = wide_blur(near, BLUR * unit)
    mixed = far + share[..., None] * (near.astype(np.float32) - far)
    return np.asarray(np.rint(mixed), np.uint8)


def photo_rim_above(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(1, W, 3) what to expect above a photo: its upper corners' colours and all between, as hair
    does not go on.
    """
    height, width = photo.shape[:2]
    part = photo[: max(1, height // 12)]
    left, right = (
        part[:, side].mean((0, 1))
        for side in (slice(0, width // 12 + 1), slice(-(width // 12) - 1, None))
    )
    return np.asarray(left + np.linspace(0, 1, width)[None, :, None] * (right - left), np.uint8)


def wide_blur(image: NDArray[np.uint8], sigma: float) -> FloatArray:
    """A wide Gaussian blur, made on a small picture: (H, W, 3) float32 0..255."""
    height, width = image.shape[:2]
    factor = max(1.0, sigma / 3)
    small = (max(2, round(width / factor)), max(2, round(height / factor)))
    shrunk = cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    soft = cv2.GaussianBlur(shrunk, (0, 0), sigma / factor, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

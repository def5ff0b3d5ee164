"""One frame of a moving puppet in colour, with numpy and OpenCV alone: for encoded videos and the demo.

`fesnet.synth.crops` does the same in batches with torch for training; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet.synth.puppet import (
    EYES,
    GAZE_REACH,
    LATTICE,
    LIP_LOWER,
    LIP_UPPER,
    MARGIN,
    OPEN_FROM,
    OPEN_FULL,
    OVAL,
    RINGS,
    SHUT,
    SPAN,
    Floats,
    Puppet,
    face_motion,
    moved_points,
)


@dataclass(frozen=True)
class Mouth:
    """How the inside of a mouth and the folds of a skin look: shares of the picture's mean brightness, crop units."""

    shading: float = 0.4
    dark: float = 0.1
    teeth: float = 0.7
    teeth_height: float = 0.02


class Renderer:
    """Renders frames of one puppet. `span` (x0, y0, x1, y1) in crop units is what the frame shows."""

    def __init__(
        self,
        puppet: Puppet,
        width: int,
        height: int,
        span: tuple[float, float, float, float] = (-MARGIN, -MARGIN, 1 + MARGIN, 1 + MARGIN),
        mouth: Mouth | None = None,
    ) -> None:
        self.puppet, self.mouth = puppet, mouth or Mouth()
        x0, y0, x1, y1 = span
        self.xs = (np.arange(width, dtype=np.float32) + 0.5) / width * (x1 - x0) + x0
        self.ys = (np.arange(height, dtype=np.float32) + 0.5) / height * (y1 - y0) + y0
        self.iris = iris_field(puppet.points)
        own = np.zeros((len(puppet.points), 2), np.float32)
        if puppet.smile is not None:
            own[:468] = puppet.smile[:, :2]
        self.smile_field = self.dense(own)

    def seen(self, weights: Floats, smile: float, pose: Floats, shift: Floats) -> Floats:
        """Points (V, 2) before the camera for motion weights (K,), own smile, pose (3,), head shift (2,)."""
        points = self.puppet.points
        motion = face_motion(weights[None])
        if self.puppet.smile is not None:
            motion = motion + smile * self.puppet.smile
        seen: Floats = moved_points(points[None], motion, pose[None, :2])[0]
        head = 468 + len(OVAL) * len(RINGS)
        pivot = np.array([0.5, 0.75], np.float32)
        c, s = np.cos(pose[2]), np.sin(pose[2])
        roll = np.array([[c, -s], [s, c]], np.float32)
        seen[:head] = (seen[:head] - pivot) @ roll.T + pivot + shift
        return seen

    def render(self, seen: Floats, gaze: Floats, smile: float = 0.0) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB for points (V, 2) before the camera and gaze (2,)."""
        points = self.puppet.points
        field = self.dense(seen - points[:, :2]) + GAZE_REACH * gaze * self.iris[..., None]
        source = self.invert(field)
        image = self.paint(source, smile)
        image *= np.clip(1 + self.mouth.shading * self.folds(field, source), 0.6, 1.3)[..., None]
        self.open_mouth(image, seen)
        return np.clip(np.rint(image), 0, 255).astype(np.uint8)

    def dense(self, displacement: Floats) -> Floats:
        """(L, L, 2) displacement on the lattice from that of the points (V, 2)."""
        carried = displacement[self.puppet.index] * self.puppet.share[..., None]
        return np.asarray(carried.sum(1).reshape(LATTICE, LATTICE, 2), np.float32)

    def invert(self, field: Floats) -> Floats:
        """(height, width, 2) where in the picture each pixel comes from, crop units (fixed-point iteration)."""
        q = np.stack(np.meshgrid(halved(self.xs), halved(self.ys)), -1)
        u = -lattice_value(field, q)
        for _ in range(2):
            u = -lattice_value(field, q + u)
        whole = cv2.resize(u, (len(self.xs), len(self.ys)), interpolation=cv2.INTER_LINEAR)
        return np.asarray(np.stack(np.meshgrid(self.xs, self.ys), -1) + whole, np.float32)

    def paint(self, source: Floats, smile: float) -> Floats:
        image = picture_value(self.puppet.picture, source)
        if self.puppet.smiling is None or smile <= 0.02:
            return image
        weight = float(np.clip(smile, 0, 1) ** 0.8)
        other = picture_value(self.puppet.smiling, source + lattice_value(self.smile_field, source))
        return image * (1 - weight) + weight * other

    def folds(self, field: Floats, source: Floats) -> Floats:
        """(height, width) how much the skin is stretched (+) or pressed together (-)."""
        step = SPAN / (LATTICE - 1)
        stretch = np.zeros((LATTICE, LATTICE), np.float32)
        stretch[:, 1:-1] += field[:, 2:, 0] - field[:, :-2, 0]
        stretch[1:-1] += field[2:, :, 1] - field[:-2, :, 1]
        return lattice_value(np.clip(stretch / (2 * step), -0.5, 0.3), source)

    def open_mouth(self, image: Floats, seen: Floats) -> None:
        """Paint the mouth's dark interior and teeth where the lips have parted further than in the photo."""
        upper, lower = seen[list(LIP_UPPER)], seen[list(LIP_LOWER)]
        rest_gap = self.puppet.points[list(LIP_LOWER), 1] - self.puppet.points[list(LIP_UPPER), 1]
        if rest_gap.max() >= SHUT:
            return
        rest = np.maximum(np.interp(self.xs, upper[:, 0], rest_gap), 0)
        top = np.interp(self.xs, upper[:, 0], upper[:, 1]) + 0.3 * rest
        bottom = np.interp(self.xs, lower[:, 0], lower[:, 1]) - 0.3 * rest
        parted = np.clip((bottom - top - 0.4 * rest - OPEN_FROM) / (OPEN_FULL - OPEN_FROM), 0, 1)
        parted *= (self.xs > upper[0, 0]) & (self.xs < upper[-1, 0])
        if not parted.any():
            return
        soft = 0.9 / (self.xs[1] - self.xs[0])
        y = self.ys[:, None]
        inside = (sigmoid((y - top) * soft) * sigmoid((bottom - y) * soft) * parted)[..., None]
        edge = top + np.minimum(self.mouth.teeth_height, 0.7 * (bottom - top))
        teeth = sigmoid((edge - y) * soft)[..., None]
        skin = image.mean((0, 1))
        colour = skin * (self.mouth.dark * (1 - teeth) + 1.3 * self.mouth.teeth * teeth)
        image += inside * (colour - image)


def halved(centres: Floats) -> Floats:
    """Pixel centres of the grid with half as many pixels."""
    return (centres[: len(centres) // 2 * 2 : 2] + centres[1::2]) / 2


def iris_field(points: Floats) -> Floats:
    """(L, L) how far each lattice point follows the gaze: a bump in each eye opening."""
    axis = np.linspace(-MARGIN, 1 + MARGIN, LATTICE)
    out = np.zeros((LATTICE, LATTICE))
    for eye in EYES:
        x, y = points[list(eye), :2].mean(0)
        out += np.exp(-0.5 * (((axis - x) / 0.035) ** 2 + ((axis[:, None] - y) / 0.016) ** 2))
    return out.astype(np.float32)


def lattice_value(field: Floats, where: Floats) -> Floats:
    """Bilinear values of a lattice field at points (h, w, 2) in crop units."""
    at = np.asarray((where + MARGIN) * ((LATTICE - 1) / SPAN), np.float32)
    return np.asarray(
        cv2.remap(field, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def picture_value(picture: NDArray[np.uint8], where: Floats) -> Floats:
    """Bilinear values 0..255 of a picture at points (h, w, 2) in crop units."""
    at = np.asarray((where + MARGIN) * (picture.shape[0] / SPAN) - 0.5, np.float32)
    return cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(
        np.float32
    )


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)

"""The 468-point face mesh on a turned square of a picture."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray, Image
from fesnet.faces.align import Matrix, invert, transform_points, turn_to, warp
from fesnet.faces.detect import Detection, open_session
from fesnet.faces.fast_graph import kept_fast_graph

SIDE = 192  # the network's input
POINTS = 468
ENLARGE = 1.5  # square's side over the face's extent, as the network was trained
EYES = (33, 263)  # outer eye corners, image left to right


@dataclass(frozen=True, slots=True)
class Region:
    """A square that holds a face: centre and side in source pixels, the eyes' angle in radians."""

    x: float
    y: float
    size: float
    angle: float

    def to_unit(self) -> Matrix:
        """Affine (2, 3) from source pixels to the square's unit coordinates."""
        cosine, sine = math.cos(self.angle) / self.size, math.sin(self.angle) / self.size
        return turn_to(cosine, sine, (self.x, self.y), (0.5, 0.5))


def region_of_detection(found: Detection) -> Region:
    """The square for a detector's find: 1.5 times its box, eyes level."""
    x0, y0, x1, y1 = found.box
    across = found.keypoints[1] - found.keypoints[0]
    size = ENLARGE * max(x1 - x0, y1 - y0)
    return Region((x0 + x1) / 2, (y0 + y1) / 2, size, math.atan2(across[1], across[0]))


def region_of_landmarks(landmarks: FloatArray) -> Region:
    """The square for the next frame: 1.5 times the extent of these landmarks (468, 3), eyes
    level.
    """
    x0, y0, x1, y1 = extent_of(landmarks)
    (ax, ay), (bx, by) = landmarks[EYES[0], :2].tolist(), landmarks[EYES[1], :2].tolist()
    size = ENLARGE * max(x1 - x0, y1 - y0)
    return Region((x0 + x1) / 2, (y0 + y1) / 2, size, math.atan2(by - ay, bx - ax))


def extent_of(landmarks: FloatArray) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of landmarks (P, 2 or 3); column by column, as numpy is slow over an axis of
    two."""
    x, y = landmarks[:, 0], landmarks[:, 1]
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


class MeshInputs(threading.local):
    """The arrays that a network's input is made in; each thread has its own, for one face: large
    arrays that are made anew for each frame cost as much as filling them."""

    def __init__(self) -> None:
        self.single = self.make(1)

    def make(self, count: int) -> tuple[Image, NDArray[np.float32]]:
        shape = (count, 3, SIDE, SIDE)
        return np.empty(shape, np.uint8), np.empty(shape, np.float32)

    def of(self, count: int) -> tuple[Image, NDArray[np.float32]]:
        """For so many faces: (N, 3, SIDE, SIDE) uint8, and float32."""
        return self.single if count == 1 else self.make(count)


class FaceMesh:
    """MediaPipe's Face Mesh (468 points, without attention)."""

    def __init__(self, model: Path, *, threads: int = 1) -> None:
        self._session = open_session(kept_fast_graph(model), threads)
        self._kept = MeshInputs()

    def landmarks(
        self, image: Image, regions: list[Region]
    ) -> list[tuple[NDArray[np.float32], float]]:
        """Landmarks (468, 3) in source pixels (z in the same scale) and presence 0..1 for each
        region.

        image: (H, W, 3) uint8 RGB. What lies beyond it repeats its rim.
        """
        if not regions:
            return []
        matrices = [region.to_unit() for region in regions]
        planes, batch = self._kept.of(len(matrices))
        for (red, green, blue), matrix in zip(planes, matrices, strict=True):
            cv2.split(warp(image, matrix, SIDE, supersample=1), [red, green, blue])
        np.multiply(planes, np.float32(1 / 255), out=batch)
        points, presence = self._session.run(["landmarks", "presence"], {"image": batch})
        found = []
        for region, matrix, mesh, logit in zip(
            regions, matrices, points, presence.reshape(-1), strict=True
        ):
            unit = mesh.reshape(POINTS, 3).astype(np.float64) / SIDE
            placed = np.empty((POINTS, 3), np.float32)
            placed[:, :2] = transform_points(invert(matrix), unit[:, :2])
            placed[:, 2] = unit[:, 2] * region.size
            found.append((placed, 1 / (1 + math.exp(-float(logit)))))
        return found

"""Find faces in a whole picture: a Protocol for any detector, and MediaPipe's short-range
BlazeFace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from fesnet._types import Image
from fesnet.faces.align import Matrix

Box = tuple[float, float, float, float]
Square = tuple[float, float, float]  # left, top, side

SIDE = 128  # the network's input
ANCHORS = ((8, 2), (16, 6))  # stride and anchors a cell; three layers of stride 16 share one grid
SCORE_LIMIT = 100.0  # logits are clipped there, as in the original pipeline
MIN_SCORE = 0.5  # the original's default
MAX_OVERLAP = 0.3  # boxes that overlap more are one face, the original's default
ZOOM_OUT = 1.6  # a face that fills the frame is found when the frame is seen from further away
TILE_LEVELS = (1, 2)  # tiles of the frame's short side and of half of it
SMALLEST = 16  # pixels of a tile; smaller faces than that cannot be aligned (`track.MIN_SIDE`)


@dataclass(frozen=True, slots=True)
class Detection:
    """One face found.

    box: x0, y0, x1, y1 in source pixels (may reach beyond the image); keypoints (6, 2) source
    pixels: eye at the image's left, eye at its right, nose tip, mouth, ear at the left, ear at the
    right; score 0..1.
    """

    box: Box
    keypoints: Matrix
    score: float


class FaceDetector(Protocol):
    """What the tracker needs of a detector; another backend is one class."""

    def detect(self, image: Image, *, thorough: bool = True) -> list[Detection]:
        """All faces in an image (H, W, 3) uint8 RGB, best score first.

        thorough: take longer, and find small faces too. The tracker asks for that only now and
        then.
        """
        ...


def open_session(graph: Path | bytes, threads: int = 1) -> ort.InferenceSession:
    """A session that leaves the other cores alone: these graphs are too small for threads to
    pay.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = graph if isinstance(graph, bytes) else str(graph)
    ort.disable_telemetry_events()  # beside the environment variable that `fesnet` sets
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def box_overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (box_area(a) + box_area(b) - both)


def box_area(box: Box) -> float:
    """Area of a box."""
    return (box[2] - box[0]) * (box[3] - box[1])


class BlazeFaceDetector:
    """MediaPipe's short-range BlazeFace: faces from about a fifth of the picture upwards.

    A thorough search looks at more squares than the whole frame: the frame from further away (a
    face that fills it), overlapping tiles of its short side, and tiles of half that. A face is
    found from about a tenth of the frame's short side upwards (our choice: smaller ones give too
    few pixels to spot expressions in). About 2 ms for the frame alone; a thorough search is some 25
    times as much work.
    """

    def __init__(self, model: Path, *, min_score: float = MIN_SCORE, threads: int = 1) -> None:
        self._session = open_session(model, threads)
        self._anchors = anchor_centres()
        self._min_score = min_score

    def detect(self, image: Image, *, thorough: bool = True) -> list[Detection]:
        """See FaceDetector."""
        height, width = image.shape[:2]
        squares = search_squares(width, height) if thorough else [whole_square(width, height)]
        return self._search(image, squares)

    def _search(self, image: Image, squares: list[Square]) -> list[Detection]:
        batch = np.stack([view(image, square) for square in squares])
        boxes, scores = self._session.run(["boxes", "scores"], {"image": batch})
        found: list[Detection] = []
        for square, raw, logits in zip(squares, boxes, scores[..., 0], strict=True):
            found += self._decode(raw, logits, square)
        return merge(found)

    def _decode(
        self, raw: NDArray[np.float32], logits: NDArray[np.float32], square: Square
    ) -> list[Detection]:
        """Detections above the threshold, in source pixels; raw (896, 16), logits (896,)."""
        score = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -SCORE_LIMIT, SCORE_LIMIT)))
        left, top, side = square
        found = []
        for i in np.flatnonzero(score >= self._min_score):
            values = raw[i].reshape(8, 2).astype(np.float64) / SIDE
            points = (np.delete(values, 1, 0) + self._anchors[i]) * side + [left, top]
            centre, half = points[0], values[1] * side / 2
            (x0, y0), (x1, y1) = centre - half, centre + half
            found.append(
                Detection((float(x0), float(y0), float(x1), float(y1)), points[1:], float(score[i]))
            )
        return found


def anchor_centres() -> Matrix:
    """Centres (896, 2), 0..1, of the fixed-size anchors of the short-range model."""
    parts = []
    for stride, count in ANCHORS:
        cells = (np.arange(SIDE // stride) + 0.5) * stride / SIDE
        y, x = np.meshgrid(cells, cells, indexing="ij")
        parts.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), count, 0))
    return np.concatenate(parts)


def whole_square(width: int, height: int, zoom: float = 1.0) -> Square:
    """The square round the whole picture, `zoom` times as large (letterbox)."""
    side = max(width, height) * zoom
    return ((width - side) / 2, (height - side) / 2, side)


def search_squares(width: int, height: int) -> list[Square]:
    """All squares of a thorough search: the frame, the frame from further away, two sizes of
    tiles.
    """
    squares = [whole_square(width, height), whole_square(width, height, ZOOM_OUT)]
    for level in TILE_LEVELS:
        side = min(width, height) / level
        if side < SMALLEST:
            # no face in it could be aligned; a strip one pixel wide would have thousands of them
            break
        squares += [(x, y, side) for y in starts(height, side) for x in starts(width, side)]
    return squares


def starts(length: int, side: float) -> list[float]:
    """Where tiles of `side` begin so that they cover `length` and neighbours overlap by at least 40
    %.
    """
    count = math.ceil((length - side) / (0.6 * side) - 1e-9) + 1
    return [float(v) for v in np.linspace(0, length - side, count)]


def view(image: Image, square: Square) -> NDArray[np.float32]:
    """A square of the image as the network's input (128, 128, 3) in -1..1; black beyond the
    image.
    """
    height, width = image.shape[:2]
    left, top, side = square
    x0, y0 = max(round(left), 0), max(round(top), 0)
    x1, y1 = min(round(left + side), width), min(round(top + side), height)
    scale = SIDE / side
    small_width, small_height = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    small = cv2.resize(
        image[y0:y1, x0:x1], (small_width, small_height), interpolation=cv2.INTER_AREA
    )
    at_x = min(max(round((x0 - left) * scale), 0), SIDE - 1)
    at_y = min(max(round((y0 - top) * scale), 0), SIDE - 1)
    canvas = np.full((SIDE, SIDE, 3), -1.0, np.float32)
    part = small[: SIDE - at_y, : SIDE - at_x]
    canvas[at_y : at_y + part.shape[0], at_x : at_x + part.shape[1]] = (
        part * np.float32(1 / 127.5) - 1
    )
    return canvas


def merge(found: list[Detection]) -> list[Detection]:
    """Weighted non-max suppression: overlapping detections become their mean, weighted by score."""
    rest = sorted(found, key=lambda d: -d.score)
    merged = []
    while rest:
        best = rest[0]
        same = [d for d in rest if d is best or box_overlap(d.box, best.box) > MAX_OVERLAP]
        rest = [d for d in rest if not any(d is s for s in same)]
        weight = np.array([d.score for d in same])
        box = np.average([d.box for d in same], axis=0, weights=weight)
        points = np.average([d.keypoints for d in same], axis=0, weights=weight)
        merged.append(
            Detection(
                (float(box[0]), float(box[1]), float(box[2]), float(box[3])), points, best.score
            )
        )
    return merged

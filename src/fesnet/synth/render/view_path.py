"""Where the face stands in the picture: people who lean in and out, walk up, tilt the whole head,
leave and come back.

The wall behind them moves along; it is plain in most portraits. All numbers are our choice.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.synth.script.curves import intensity_curve, log_uniform
from fesnet.synth.script.nuisances import LEAVE, Episode, place_episodes

SPAN = (-0.25, 1.25)  # crop units that a whole head takes of the picture
MOST_AWAY = 0.1  # share of an expression during which the face may be leaving


@dataclass(frozen=True)
class ViewPath:
    """zoom (T,): times the usual size. leave (T, 2): how far the person has gone to the right and
    down, 1 being out of the picture. roll (T,) rad, clockwise as seen.
    """

    zoom: FloatArray
    leave: FloatArray
    roll: FloatArray

    @classmethod
    def still(cls, frames: int) -> ViewPath:
        """Nothing of it."""
        return cls(
            np.ones(frames, np.float32),
            np.zeros((frames, 2), np.float32),
            np.zeros(frames, np.float32),
        )

    def shift(self, t: int, span: tuple[float, float, float, float]) -> FloatArray:
        """(2,) how far the camera looks aside of `span` (x0, y0, x1, y1) in frame t; crop units
        before the zoom.
        """
        half = 0.5 / float(self.zoom[t])
        reach = np.array(
            [half * (span[2] - span[0]) + SPAN[1] - 0.5, half * (span[3] - span[1]) + SPAN[1] - 0.5]
        )
        return np.asarray(-self.leave[t] * reach, np.float32)


def draw_view_path(
    rng: np.random.Generator,
    names: Collection[str],
    times: FloatArray,
    busy: Collection[tuple[float, float]],
) -> tuple[ViewPath, list[Episode]]:
    """The path of one video with these nuisances, and when they come. times (T,) s; busy: spans of
    expressions, s.
    """
    path, episodes = ViewPath.still(len(times)), []
    if "lean" in names:
        episodes += add_leans(rng, path, times)
    if "head roll" in names:
        episodes += add_rolls(rng, path, times)
    if LEAVE in names:
        episodes += add_leaves(rng, path, times, busy)
    return path, episodes


def add_leans(rng: np.random.Generator, path: ViewPath, times: FloatArray) -> list[Episode]:
    """In or out by up to a half, quickly or slowly."""
    episodes = []
    log_zoom = np.zeros(len(times), np.float32)
    for onset, length in place_episodes(rng, times[-1], lambda: log_uniform(rng, 0.8, 8.0), 3.0):
        to = (
            np.log(rng.uniform(1.1, 1.6)) if rng.random() < 0.65 else np.log(rng.uniform(0.65, 0.9))
        )
        episodes += add_stroke(rng, log_zoom, "lean", times, onset, length, float(to))
    path.zoom[:] = np.exp(log_zoom)
    return episodes


def add_rolls(rng: np.random.Generator, path: ViewPath, times: FloatArray) -> list[Episode]:
    """To a shoulder and back, or to and fro."""
    episodes = []
    for onset, length in place_episodes(rng, times[-1], lambda: log_uniform(rng, 0.6, 6.0), 3.0):
        to = float(rng.choice([-1, 1]) * rng.uniform(0.12, 0.5))
        episodes += add_stroke(rng, path.roll, "head roll", times, onset, length, to)
    return episodes


def add_leaves(
    rng: np.random.Generator,
    path: ViewPath,
    times: FloatArray,
    busy: Collection[tuple[float, float]],
) -> list[Episode]:
    """Aside or down out of the picture, in part or altogether. Expressions wait until they are
    back.
    """
    episodes = []
    for onset, length in place_episodes(
        rng, times[-1], lambda: rng.uniform(1.5, 7.0), 6.0, busy, MOST_AWAY
    ):
        far = 1.1 if rng.random() < 0.7 else rng.uniform(0.35, 0.8)
        axis = np.zeros(2)
        axis[int(rng.random() < 0.3)] = far
        axis[0] *= rng.choice([-1, 1])
        gone = np.zeros(len(times), np.float32)
        episodes += add_stroke(rng, gone, LEAVE, times, onset, length, 1.0)
        path.leave[:] += gone[:, None] * axis.astype(np.float32)
    return episodes


def add_stroke(
    rng: np.random.Generator,
    track: FloatArray,
    name: str,
    times: FloatArray,
    onset: float,
    length: float,
    to: float,
) -> list[Episode]:
    """Add to a track (T,) what goes to `to` and comes back; when it does."""
    part = np.flatnonzero((times >= onset) & (times <= onset + length))
    if len(part) < 3:
        return []
    rise, fall = (min(0.45, rng.uniform(0.25, 1.5) / length) for _ in "io")
    fine = intensity_curve(200, rise, fall, 1.0)
    track[part] += to * np.interp((times[part] - onset) / length, np.linspace(0, 1, 200), fine)
    return [Episode(name, float(times[part[0]]), float(times[part[-1]]))]


def roll_frame(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """A frame of a size (width, height), turned by `roll_matrix`. image (H, W, 3): the frame and
    as much more on both sides; beyond, it is mirrored.
    """
    more = np.array([image.shape[1] - size[0], image.shape[0] - size[1]]) / 2
    matrix = matrix.copy()
    matrix[:, 2] -= matrix[:, :2] @ more
    turned = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(turned, np.uint8)


def roll_matrix(angle: float, neck: FloatArray) -> NDArray[np.float64]:
    """(2, 3) a turn of pixels round a neck (2,)."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    return np.column_stack([turn, neck - turn @ neck])

"""What comes before a face in a video: where a hand, a cup, a phone or a pen is in each frame.

All numbers are our choice.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.synth.render.cover_shapes import DENSITY, SIDE, CoverPatch, draw_patch
from fesnet.synth.script.curves import log_uniform
from fesnet.synth.script.nuisances import Episode, place_episodes

AWAY = 1.5  # crop units from the middle of the face, where nothing of it is seen
# Where each goes, crop units: mean and spread. Mouth, cheek or brow; mouth; ear or face; lips.
PLACES = {
    "hand": ((0.5, 0.62), (0.25, 0.25)),
    "cup": ((0.5, 0.78), (0.05, 0.06)),
    "phone": ((0.5, 0.6), (0.35, 0.15)),
    "pen": ((0.5, 0.78), (0.12, 0.08)),
}
MOST_HIDDEN = 0.35  # share of an expression during which something may be before the face


@dataclass(frozen=True)
class Cover:
    """One thing in T frames. seed: of its picture; centre (T, 2) of it, crop units; turn (T,) rad,
    0 upright; size: times the usual; shown (T,): whether it is in the picture.
    """

    name: str
    seed: int
    centre: FloatArray
    turn: FloatArray
    size: float
    shown: NDArray[np.bool_]

    def patch(self, skin: FloatArray) -> CoverPatch:
        """Its picture before a face of this colour (3,)."""
        return draw_patch(np.random.default_rng(self.seed), self.name, skin)

    def placement(self, t: int) -> NDArray[np.float64]:
        """(2, 3) from pixels of the patch to crop units, in frame t."""
        scale, angle = self.size / DENSITY, float(self.turn[t])
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        turn = np.array([[c, -s], [s, c]])
        middle = turn @ np.full(2, SIDE * DENSITY / 2)
        return np.column_stack([turn, self.centre[t] - middle])


def draw_cover(
    rng: np.random.Generator,
    name: str,
    times: FloatArray,
    busy: Collection[tuple[float, float]],
) -> tuple[Cover, list[Episode]]:
    """One thing that comes before the face now and then, and when. times (T,) in s; busy: spans of
    expressions, s.
    """
    seed, size = int(rng.integers(2**48)), log_uniform(rng, 0.8, 1.2)
    frames = len(times)
    centre, turn = np.full((frames, 2), 9.0, np.float32), np.zeros(frames, np.float32)
    shown, episodes = np.zeros(frames, bool), []
    placed = place_episodes(
        rng, float(times[-1]), lambda: draw_stay(rng, name), 5.0, busy, MOST_HIDDEN
    )
    for onset, length in placed:
        part = np.flatnonzero((times >= onset) & (times <= onset + length))
        if len(part) < 3:
            continue
        share = (times[part] - onset) / length
        centre[part], turn[part] = draw_path(rng, name, share, length)
        shown[part] = True
        episodes.append(Episode(name, float(times[part[0]]), float(times[part[-1]])))
    return Cover(name, seed, centre, turn, size, shown), episodes


def draw_stay(rng: np.random.Generator, name: str) -> float:
    """Seconds from its coming to its going."""
    return float(rng.uniform(0.6, 1.2) + min(8.0, rng.exponential(1.0 if name == "hand" else 2.0)))


def draw_path(
    rng: np.random.Generator, name: str, share: FloatArray, length: float
) -> tuple[FloatArray, FloatArray]:
    """(n, 2) centre and (n,) turn along one episode; share (n,) of it that is over, length in s."""
    side = rng.uniform(-0.9, 0.9)  # where it comes from: 0 below, to the right and left
    outside = np.array([0.5 + AWAY * np.sin(side), 0.6 + AWAY * np.cos(side)])
    mean, spread = PLACES[name]
    to = np.array(mean) + rng.normal(0, spread)
    way = min(0.45, rng.uniform(0.2, 0.6) / length)
    near = np.clip(np.minimum(share, 1 - share) / way, 0, 1)
    near = (0.5 - 0.5 * np.cos(np.pi * near))[:, None]
    leave = outside
    if name == "hand" and rng.random() < 0.35:  # it crosses the face
        leave = np.array([1.0 - outside[0], outside[1]])
        sweep = (0.5 - 0.5 * np.cos(np.pi * share))[:, None]
        to = to + (sweep - 0.5) * (leave - outside) * 0.6
    away = np.where(share[:, None] < 0.5, outside, leave)
    t = share * length
    wander = np.stack(
        [np.sin(2 * np.pi * (rng.uniform(0.2, 0.8) * t + rng.random())) for _ in "xy"], 1
    ) * rng.choice([0.004, 0.02])
    if rng.random() < 0.3:  # it scratches, taps or shakes
        beat = np.sin(2 * np.pi * rng.uniform(2.5, 6.0) * t)[:, None]
        wander = wander + beat * rng.normal(0, 0.025, 2)
    centre = away + near * (to - away) + wander * near
    tilt = rng.uniform(-0.35, 0.35) if name == "cup" else 0.0
    turn = -side * (1.0 if name in ("hand", "pen") else 0.35) + tilt * near[:, 0]
    return centre.astype(np.float32), np.broadcast_to(turn, share.shape).astype(np.float32)


def lay_cover(
    image: NDArray[np.uint8],
    cover: Cover,
    patch: CoverPatch,
    t: int,
    to_frame: NDArray[np.float64],
) -> NDArray[np.uint8]:
    """Frame t (H, W, 3) uint8 RGB with the thing before it. to_frame (2, 3): from crop units to
    its pixels.
    """
    if not cover.shown[t]:
        return image
    matrix = np.vstack([cover.placement(t), [0, 0, 1]])
    matrix = to_frame @ matrix
    height, width = image.shape[:2]
    side = patch.alpha.shape[0]
    corners = matrix @ np.array([[0, side, 0, side], [0, 0, side, side], [1, 1, 1, 1]])
    x0, y0 = np.maximum(np.floor(corners.min(1)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(1)).astype(int), [width, height])
    if x1 - x0 < 2 or y1 - y0 < 2:
        return image
    matrix[:, 2] -= [x0, y0]

    def place(layer: FloatArray) -> FloatArray:
        return np.asarray(
            cv2.warpAffine(layer, matrix, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR),
            np.float32,
        )

    out = image.copy()
    part = out[y0:y1, x0:x1].astype(np.float32) * (1 - place(patch.shadow))[..., None]
    alpha = place(patch.alpha)[..., None]
    out[y0:y1, x0:x1] = np.rint(part + alpha * (place(patch.picture) - part)).astype(np.uint8)
    return out

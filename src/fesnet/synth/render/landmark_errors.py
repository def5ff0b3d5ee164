"""Landmark features of a synthetic performance with the errors of the landmark model, without
pixels.

Running the landmark model on every training frame would cost ten times the rendering (a GPU can:
`fesnet.synth.render.torch_face_mesh`). It would also give its answers to warped portraits, not to
faces. So its errors are drawn:

- motions answered too weakly or as other motions (measured: smiles nearly in full, a wrinkled nose
  by a third);
- false motion that comes with turning and blinking;
- jitter (measured on still and speaking people: 0.001-0.013 from frame to frame, 4 pixels of a 96
  pixel crop being 1, and twice that slowly);
- a start that settles over a few frames, and frames in between that are interpolated.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.faces.landmark_features import (
    DISPLACEMENT_UNIT,
    EXPRESSIVE_LANDMARKS,
    LANDMARK_FEATURE_COUNT,
    canonical_face,
    compute_landmark_features,
)
from fesnet.synth.render.avatar import face_motion, head_rotation
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.curves import log_uniform, smooth_noise
from fesnet.synth.script.script import Script

BLINK_TURN = np.array(
    [0.01, 0.03, 0.01]
)  # radians of yaw, pitch, roll by which heads seem to turn as eyes close
PIVOT = np.array([0.5, 0.75, 0.45], np.float32)  # about the top of the neck, crop units


def simulate_landmark_features(
    script: Script, points: FloatArray, smile: FloatArray | None, rng: np.random.Generator
) -> FloatArray:
    """(T, SHAPE) for a script of T frames, played by a face (468, 3) in crop units; `smile`: as in
    `Avatar`.
    """
    motion = face_motion(
        script.weights * draw_model_gains(rng, script.weights.shape[1])
        + draw_false_motions(script, rng)
    )
    if smile is not None:
        motion += script.smile[:, None, None] * smile * np.float32(rng.uniform(0.5, 1.1))
    nods = eye_closure(script) @ rng.normal(0, 1, (1, 3)) * BLINK_TURN
    head = (points + motion - PIVOT) @ head_rotations(script.pose + nods).transpose(0, 2, 1) + PIVOT
    distance = rng.uniform(3, 9)
    head[..., :2] = PIVOT[:2] + (head[..., :2] - PIVOT[:2]) * (
        distance / (distance + head[..., 2:])
    )
    head[..., 2] *= rng.uniform(0.65, 1.2)  # depth is the model's weakest guess
    head += log_uniform(rng, 0.00003, 0.001) * rng.standard_normal(head.shape, np.float32)
    return interpolate_skipped_frames(compute_landmark_features(head), rng)


@cache
def landmark_mirror_map() -> tuple[NDArray[np.int64], FloatArray]:
    """For each number of a shape: which one it is in a mirrored picture, and with which sign."""
    places = canonical_face()[list(EXPRESSIVE_LANDMARKS), :2]
    other = [int(((places - [1 - x, y]) ** 2).sum(1).argmin()) for x, y in places]
    at = [i for point in other for i in (2 * point, 2 * point + 1)]
    rest = range(2 * len(EXPRESSIVE_LANDMARKS), LANDMARK_FEATURE_COUNT)
    sign = np.ones(LANDMARK_FEATURE_COUNT, np.float32)
    sign[0 : 2 * len(EXPRESSIVE_LANDMARKS) : 2] = -1
    sign[[rest[0], rest[2]]] = -1  # yaw and roll
    return np.array([*at, *rest]), sign


def mirror_landmark_features(shapes: FloatArray) -> FloatArray:
    """Shapes (..., SHAPE) of the same performance in a mirrored picture."""
    at, sign = landmark_mirror_map()
    return np.asarray(shapes[..., at] * sign)


def head_rotations(pose: FloatArray) -> FloatArray:
    """(T, 3, 3) rotations by yaw, pitch, roll (T, 3)."""
    c, s = np.cos(pose[:, 2]), np.sin(pose[:, 2])
    zero, one = np.zeros_like(c), np.ones_like(c)
    roll = np.stack([c, -s, zero, s, c, zero, zero, zero, one], 1).reshape(-1, 3, 3)
    return np.asarray(roll @ head_rotation(pose[:, :2]), np.float32)


def draw_model_gains(rng: np.random.Generator, motions: int) -> FloatArray:
    """(K,) how much of each motion the landmark model answers with, for one video."""
    whole = rng.uniform(0.6, 1.1) if rng.random() < 0.75 else rng.uniform(0.2, 0.7)
    each = whole * np.exp(rng.normal(0, 0.35, motions))
    each[blink_motions()] *= rng.uniform(0.3, 1.1)
    return np.clip(each, 0.03, 1.2).astype(np.float32)


def blink_motions() -> NDArray[np.bool_]:
    """(K,) the motions that close the eyes."""
    return np.array([name.startswith("eyeBlink") for name in motion_basis().names])


def motion_displacements() -> FloatArray:
    """(K,) how far each motion of weight 1 goes, 4 pixels of 96 being 1."""
    return motion_basis().max_displacement() * DISPLACEMENT_UNIT


def eye_closure(script: Script) -> FloatArray:
    """(T, 1) how far the eyes are closed, 4 pixels of 96 being 1."""
    closed: FloatArray = (script.weights * motion_displacements())[:, blink_motions()].max(
        1, keepdims=True
    )
    return closed


def draw_false_motions(script: Script, rng: np.random.Generator) -> FloatArray:
    """(T, K) motion weights that are not there: confusion, turning, blinking, jitter, a start that
    settles.
    """
    frames, k = script.weights.shape
    true = script.weights * motion_displacements()
    seen = np.zeros((frames, k), np.float32)
    if rng.random() < 0.7:
        seen += true @ rng.normal(0, 0.05, (k, k))
    turn = script.pose - script.pose.mean(0)
    seen += turn @ rng.normal(0, 0.25, (3, k)) + turn**2 @ rng.normal(0, 0.6, (3, k))
    seen += eye_closure(script) @ rng.normal(0, rng.uniform(0.05, 0.2), (1, k))
    size = log_uniform(rng, 0.0008, 0.02) * np.exp(rng.normal(0, 0.6, k))
    slow = np.stack([smooth_noise(rng, frames, rng.uniform(4, 40), 1.0) for _ in range(12)], 1)
    slow = slow @ rng.normal(0, 12**-0.5, (12, k)) * rng.uniform(0.5, 2)
    seen += size * (0.6 * rng.standard_normal((frames, k)) + slow)
    if rng.random() < 0.2:
        settle = np.exp(-np.arange(frames) / rng.uniform(1, 4))[:, None]
        seen += settle * rng.normal(0, 0.06, k)
    return np.asarray(seen / np.maximum(motion_displacements(), 0.05), np.float32)


def interpolate_skipped_frames(shapes: FloatArray, rng: np.random.Generator) -> FloatArray:
    """In some videos the model runs on every second or third frame; the others are interpolated
    linearly.
    """
    every = int(rng.choice([1, 2, 3], p=[0.65, 0.15, 0.2]))
    if every == 1:
        return shapes
    frames = len(shapes)
    keys = np.unique(np.append(np.arange(0, frames, every), frames - 1))
    at = np.arange(frames)
    right = np.searchsorted(keys, at).clip(1, len(keys) - 1)
    a, b = keys[right - 1], keys[right]
    share = ((at - a) / (b - a))[:, None]
    return np.asarray(shapes[a] * (1 - share) + shapes[b] * share, np.float32)

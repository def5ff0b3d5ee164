"""Curves over time that motion is made of: noise that wanders, onset to offset, a track between its
frames.

All numbers are our choice.
"""

from __future__ import annotations

import numpy as np

from fesnet._types import FloatArray

VISIBLE_SHARE = (
    0.06  # share of an expression's strength from which it is seen and belongs to its interval
)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def sample_track(track: FloatArray, at: FloatArray) -> FloatArray:
    """Values of a track (N, ...) at fractional frames (T,), by Catmull-Rom's cubic; exact on whole
    frames.
    """
    i = np.clip(at.astype(int), 1, len(track) - 3)
    f = (at - i).reshape(-1, *[1] * (track.ndim - 1))
    a, b, c, d = track[i - 1], track[i], track[i + 1], track[i + 2]
    out = b + 0.5 * f * (c - a + f * (2 * a - 5 * b + 4 * c - d + f * (3 * (b - c) + d - a)))
    return np.asarray(out, np.float32)


def smooth_noise(rng: np.random.Generator, frames: int, step: float, sigma: float) -> FloatArray:
    """(T,) smooth noise: normal knots every `step` frames, cubic between them."""
    knots = rng.normal(0, sigma, int(np.ceil(frames / step)) + 5)
    return sample_track(knots, np.arange(frames) / step + 1 + rng.random())


def intensity_curve(frames: int, rise: float, fall: float, skew: float) -> FloatArray:
    """(frames,) onset -> apex -> plateau -> offset in 0..1; rise and fall are shares of the
    duration.
    """
    t = (np.arange(frames) + 0.5) / frames
    up = np.clip(t / rise, 0, 1)
    down = np.clip((1 - t) / fall, 0, 1)
    curve = np.minimum(0.5 - 0.5 * np.cos(np.pi * up), 0.5 - 0.5 * np.cos(np.pi * down**skew))
    return np.asarray(curve, np.float32)


def visible_curve(frames: int, rise: float, fall: float, skew: float) -> FloatArray:
    """An `intensity_curve` of which (at least) `frames` frames are seen: kinds are told by what a
    coder sees.
    """
    whole = max(4, frames)
    curve = intensity_curve(whole, rise, fall, skew)
    while (curve > VISIBLE_SHARE * curve.max()).sum() < frames:
        whole += 1
        curve = intensity_curve(whole, rise, fall, skew)
    return curve


def leave_residue(
    rng: np.random.Generator, curve: FloatArray, rate: float
) -> tuple[FloatArray, FloatArray]:
    """An intensity curve (n,) whose face does not quite come back: the curve, and what is left
    behind it (m,).

    Of its height a share stays from the apex on, holds for some seconds and fades.
    """
    top = int(curve.argmax())
    left = log_uniform(rng, 0.04, 0.4)
    after = curve.copy()
    after[top:] += left * (curve[top] - curve[top:])
    hold, fade = rng.exponential(2.0) * rate, rng.uniform(0.3, 4.0) * rate
    share = np.clip(1 - (np.arange(int(hold + fade)) - hold) / fade, 0, 1)
    return after, np.asarray(left * curve[top] * (0.5 - 0.5 * np.cos(np.pi * share)), np.float32)


def alignment_jitter(rng: np.random.Generator, pose: FloatArray, scale: float) -> FloatArray:
    """(T, 4) residue of aligning a head of this pose (T, 3): a fast part, a slow part, one that
    grows with its speed.

    Sizes as measured on the face stage: 0.02-0.1 px (of 96) slow, a quarter of that from frame to
    frame.
    """
    n, size = len(pose), log_uniform(rng, 0.15, 1.5) * scale
    unit = np.array([0.0012, 0.0012, 0.003, 0.005], np.float32) * size
    fast = np.stack([smooth_noise(rng, n, rng.uniform(1.5, 4), 0.25) for _ in range(4)], 1)
    slow = np.stack([smooth_noise(rng, n, rng.uniform(6, 40), 1.0) for _ in range(4)], 1)
    speed = np.abs(np.gradient(pose, axis=0)).sum(1)
    moving = 1 + np.convolve(speed, np.ones(5) / 5, "same")[:n] / 0.02
    return np.asarray((fast * moving[:, None] + slow) * unit, np.float32)


def add_curve(
    track: FloatArray, start: int, curve: FloatArray, vector: FloatArray | float = 1.0
) -> None:
    """Add `curve` (n,) times `vector` (or vectors (n, K)) to `track` (T, ...) from `start` on, cut
    at both ends.
    """
    a, b = max(0, start), min(len(track), start + len(curve))
    if b > a:
        part = curve[a - start : b - start]
        vector = vector[a - start : b - start] if np.ndim(vector) == 2 else vector  # type: ignore[index]
        track[a:b] += part[:, None] * vector if track.ndim == 2 else part * vector

"""A lab's videos as features that are made once: what encodes them, what judges them, and the
windows that are learned from.

LSDM's backbone is frozen, so that the features of a frame never change. The windows are those of
spotting: of all the time with a face, in both directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fesnet._types import Float32Array, FloatArray
from fesnet.config import FesNetConfig
from fesnet.intervals import Interval
from fesnet.kept_features import KeptFeatures
from fesnet.model.network import FesNet
from fesnet.model.projected import LocalProjection, ProjectedDecode, ProjectedPixels
from fesnet.runtime import make_runtime, softmax
from fesnet.synth.render.batches import mask_full_windows
from fesnet.training.shards import Shard
from fesnet.training.video_windows import UNKNOWN, label_steps
from fesnet.weights import Weights
from fesnet.windows import MIN_WINDOW, reflect_indices

# Seconds between the starts of windows that are learned from, and how many windows at most: 2 GB
# of memory. Both are our choice.
WINDOW_EVERY_S, MAX_WINDOWS = 1.0, 12_000


class FrameDecoder:
    """A network as `spot_again` asks it."""

    def __init__(self, network: FesNet) -> None:
        self.judge = ProjectedDecode(network).eval()

    @torch.inference_mode()
    def decode(self, features: Float32Array) -> tuple[Float32Array, Float32Array]:
        """As `Runtime.decode`."""
        logits, intensity = self.judge(torch.from_numpy(features[None]))
        return softmax(logits[-1, 0].numpy()), intensity[0].numpy()


class ProjectingEncoder:
    """The encoder of weights, to projected features whatever their version."""

    def __init__(self, weights: Weights, network: FesNet) -> None:
        self.runtime = make_runtime("onnx", weights)
        self.projection = None if weights.projected else LocalProjection(network.lsdm)

    @torch.inference_mode()
    def encode(self, crops: NDArray[np.uint8]) -> Float32Array:
        """As `Runtime.encode`."""
        features = self.runtime.encode(crops)
        if self.projection is None:
            return features
        return np.asarray(self.projection(torch.from_numpy(features)).numpy())


def lab_shard(
    network: FesNet, kept: KeptFeatures, truth: Sequence[Interval], every_s: float
) -> Shard:
    """Windows of all of a video with a face, forwards, and backwards without a stretch, one
    each `every_s`; empty where no face stays in view for `MIN_WINDOW` steps."""
    config = network.config
    pixels_of = ProjectedPixels(network.lsdm).eval()
    count = max((int(f.steps[-1]) + 1 for f in kept.faces.values() if len(f.steps)), default=0)
    labels = label_steps(list(truth), kept.frame_times, np.arange(count) / config.working_rate)
    windows: list[tuple[Any, ...]] = []
    for face in kept.faces.values():
        for a, b in face.segments():
            for at, last in window_rows(b - a, config.window, every_s * config.working_rate):
                values = face.values[a + at].astype(np.float32)
                held = labels[face.steps[a + at]].copy()
                held[last + 1 :] = -1
                windows.append((*split_features(pixels_of, values, config), held, last))
    steps, size = config.window, config.landmark_feature_count
    pixels, landmarks, known, lasts = ([w[k] for w in windows] for k in range(4))
    masked = np.asarray(known, np.int8).reshape(-1, steps)
    mask_full_windows(masked)
    return Shard(
        pixels=np.asarray(pixels, np.float16).reshape(-1, steps, config.features),
        labels=masked,
        strength=np.full(masked.shape, UNKNOWN, np.float16),
        landmarks=np.asarray(landmarks, np.float16).reshape(-1, 1, steps, size),
        script=np.arange(len(masked)),
        start=np.zeros(len(masked), np.int64),
        last=np.asarray(lasts, np.int64),
    )


def window_every(seconds: float) -> float:
    """Seconds between windows in both directions, so that no more than MAX_WINDOWS are made of
    so much video."""
    return max(WINDOW_EVERY_S, 2 * seconds / MAX_WINDOWS)


def window_rows(count: int, window: int, every: float) -> list[tuple[NDArray[np.int64], int]]:
    """The rows of each window (window,) of a segment of `count` steps, and its last real row; each
    in both directions. A segment shorter than a window is reflected."""
    if count < MIN_WINDOW:
        return []
    if count < window:
        at = reflect_indices(window, count - 1)
        return [(at, count - 1), (count - 1 - at, count - 1)]
    spare = count - window
    starts = np.rint(np.linspace(0, spare, int(np.ceil(spare / every)) + 1)).astype(np.int64)
    forwards = [first + np.arange(window) for first in np.unique(starts)]
    return [(at, window - 1) for rows in forwards for at in (rows, rows[::-1])]


@torch.inference_mode()
def split_features(
    pixels_of: ProjectedPixels, values: Float32Array, config: FesNetConfig
) -> tuple[FloatArray, FloatArray]:
    """Pixel features (T, D) against the first step, and landmark features (T, L), of the kept
    features of a window (T, R, C)."""
    rows = 2 * pixels_of.small**2
    frames = torch.from_numpy(values[None, :, :rows])
    pixels = pixels_of(frames, frames[:, :1])[0].half().numpy()
    landmarks = values[:, rows:].reshape(len(values), config.landmark_feature_count)
    return pixels, landmarks.astype(np.float16)

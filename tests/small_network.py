"""A small untrained network, and crops and scores to try it with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from fesnet.config import PRESETS, FesNetConfig
from fesnet.face_pipeline import FacePipeline
from fesnet.faces import Face
from fesnet.faces.landmark_features import canonical_face
from fesnet.model.network import FesNet
from fesnet.result import FaceTrack
from fesnet.runtime import Runtime

TINY = replace(
    PRESETS["default"],
    width=8,  # fewer channels crash oneDNN's backward pass on CPUs without AVX-512
    heads=2,
    features=16,
    hidden=16,
    window=16,
    stride=8,
    stages=2,
    blocks=1,
    motions=0,
    landmark_feature_count=0,
    add_median_difference=False,
    normalize_motion=False,
    face_only=False,
    ensemble_weights=(0.0, 0.0),
)
SHAPED = replace(
    TINY,
    landmark_feature_count=128,
    landmark_embedding=8,
    add_median_difference=True,
    normalize_motion=True,
    face_only=True,
)


def make_network(config: FesNetConfig = TINY) -> FesNet:
    """Untrained, always the same, with batch statistics that are not the default ones."""
    torch.manual_seed(0)
    network = FesNet(config)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = 0.1 * torch.randn_like(module.running_mean)
            module.running_var = 0.5 + torch.rand_like(module.running_var)
    return network.eval()


def moving_crops(count: int, size: int = 96, seed: int = 0) -> np.ndarray:
    """(N, S, S, 3) uint8: a random texture under which another one glides."""
    rng = np.random.default_rng(seed)
    still, gliding = (
        np.kron(rng.uniform(0, 120, (12, 12, 3)), np.ones((size // 12, size // 12, 1)))
        for _ in "ab"
    )
    glide = [round(5 * np.sin(i / 6) + 0.3 * i) for i in range(count)]
    return np.stack([still + np.roll(gliding, g, (0, 1)) for g in glide]).astype(np.uint8)


def moving_landmarks(count: int) -> np.ndarray:
    """(N, 468, 3) a face that opens its mouth and turns, any scale."""
    face = canonical_face()[None] * 100
    swing = np.sin(np.arange(count) / 4)[:, None, None]
    return (face + swing * np.random.default_rng(3).normal(0, 2, face.shape)).astype(np.float32)


def half_mask(index: int, size: int = 96) -> np.ndarray:
    """(S, S) uint8: a face that fills the left part of the crop, a little more from frame to
    frame.
    """
    mask = np.zeros((size, size), np.uint8)
    mask[:, : 60 + index % 7] = 255
    return mask


def face_of(crop: np.ndarray, index: int, time: float, segment: int = 0) -> Face:
    """What the tracker would hand out for a crop."""
    landmarks = moving_landmarks(index + 1)[index]
    return Face(
        0, segment, index, time, crop, (0.0, 0.0, 9.0, 9.0), landmarks, 1.0, half_mask(index)
    )


def line_scores(
    runtime: Runtime,
    crops: np.ndarray,
    config: FesNetConfig = TINY,
    segment: Callable[[int], int] = lambda i: 0,
) -> FaceTrack:
    """The scores that spotting makes of one face's crops at 30 Hz."""
    line = FacePipeline(config, runtime)
    for i, crop in enumerate(crops):
        line.push(face_of(crop, i, i / 30, segment(i)), 1 / 30)
    line.finish()
    return line.track(0, len(crops), 30.0)

"""Features of a frozen LSDM for each frame of a video, whatever its window."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from fesnet.model.checkpoint import load_network
from fesnet.weights import Weights

REFERENCE_FRAMES = (
    150  # frames whose median is the reference; an expression seldom fills half a video
)
FRAMES_AT_ONCE = 64  # frames at once: their attended features are 2 MB


@torch.inference_mode()
def frozen_features(attended: NDArray[np.float16], weights: Weights) -> NDArray[np.float32]:
    """Attended features (T, P, C) of one face -> (T, D), their difference to the median frame of
    the video.
    """
    network = load_network(weights)
    chosen = np.linspace(0, len(attended) - 1, min(REFERENCE_FRAMES, len(attended))).astype(int)
    median = np.median(attended[chosen].astype(np.float32), 0)
    reference = torch.from_numpy(median)[None, None]
    parts = (
        torch.from_numpy(attended[i : i + FRAMES_AT_ONCE].astype(np.float32))
        for i in range(0, len(attended), FRAMES_AT_ONCE)
    )
    return np.concatenate(
        [network.lsdm.frame_features(part[None], reference)[0].numpy() for part in parts]
    )

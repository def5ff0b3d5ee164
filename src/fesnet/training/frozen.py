"""What a frozen LSDM tells of each frame of a video, whatever window it may stand in."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from fesnet.model.checkpoint import load_network
from fesnet.weights import Weights

LOOKS = 150  # frames whose median is the reference; an expression seldom fills half a video
CHUNK = 64  # frames at once: their attended features are 2 MB


@torch.inference_mode()
def frozen_features(attended: NDArray[np.float16], weights: Weights) -> NDArray[np.float32]:
    """Attended features (T, P, C) of one face -> (T, D), LSDM's vectors against the median frame of
    the video.
    """
    network = load_network(weights)
    looks = np.linspace(0, len(attended) - 1, min(LOOKS, len(attended))).astype(int)
    usual = np.median(attended[looks].astype(np.float32), 0)
    reference = torch.from_numpy(usual)[None, None]
    parts = (
        torch.from_numpy(attended[i : i + CHUNK].astype(np.float32))
        for i in range(0, len(attended), CHUNK)
    )
    return np.concatenate(
        [network.lsdm.frame_features(part[None], reference)[0].numpy() for part in parts]
    )

"""A graph convolution over facial regions with temporal convolutions: the baseline after AUW-GCN.

Re-implemented from the published idea (S. Yin et al., "AU-aware graph convolutional network for
macro- and micro-expression spotting", ICME 2023): nodes are regions of optical flow, edges say
which move together. A graph convolution mixes the nodes of a frame. Convolutions over time give its
class and how likely it is a boundary.

Our choices: edges come from the training subjects' own flow (how regions' sizes of motion go
together in frames with an expression), as action units are not annotated everywhere; two graph
layers; the boundary output is trained beside the class and not used in scoring; augmentation,
windows and schedule are those of `fesnet.training.feature_training`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fesnet.model.losses import LossConfig, independent_frame_loss
from fesnet.training.feature_training import FeatureSample, FeatureTrainConfig, TrainingSpec

NODE, HIDDEN = 16, 64  # channels of a node, of a frame


class RegionGraphNet(nn.Module):
    """(B, T, F) -> logits (1, B, T, 3), each kind against neutral, and boundaries (B, T, 2): first,
    last frame.
    """

    def __init__(self, owner: Tensor, edges: Tensor) -> None:
        super().__init__()
        regions = int(owner.max()) + 1
        order = torch.argsort(owner, stable=True)
        expected = torch.arange(regions).repeat_interleave(len(owner) // regions)
        if len(owner) % regions or not torch.equal(owner[order], expected):
            raise ValueError("expected as many inputs of every region")
        self.order, self.regions = order.tolist(), regions
        self.register_buffer("edges", edges)
        self.enter = nn.Linear(len(owner) // regions, NODE)
        self.mixes = nn.ModuleList(nn.Linear(NODE, NODE) for _ in range(2))
        self.norm = nn.BatchNorm1d(regions * NODE)
        self.times = nn.ModuleList(
            nn.Conv1d(inputs, HIDDEN, 3, padding=dilation, dilation=dilation)
            for inputs, dilation in ((regions * NODE, 1), (HIDDEN, 2), (HIDDEN, 4), (HIDDEN, 8))
        )
        self.dropout = nn.Dropout(0.3)
        self.leave = nn.Conv1d(HIDDEN, 5, 1)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        b, t, _ = inputs.shape
        nodes = self.enter(inputs[..., self.order].view(b, t, self.regions, -1))
        for mix in self.mixes:
            nodes = nodes + F.relu(mix(self.edges @ nodes))
        x = self.norm(nodes.flatten(2).transpose(1, 2))
        for n, convolve in enumerate(self.times):
            out = self.dropout(F.relu(convolve(x)))
            x = x + out if n else out
        logits = self.leave(x).transpose(1, 2)
        return logits[None, ..., :3], logits[..., 3:]


def co_movement(samples: Sequence[FeatureSample], owner: NDArray[np.int64]) -> NDArray[np.float32]:
    """(R, R) rows that sum to 1: how the sizes of regions' motion go together in frames with an
    expression.
    """
    regions = int(owner.max()) + 1
    frames = np.concatenate([sample.inputs[sample.labels.max(1) == 1] for sample in samples])
    sizes = np.stack([np.linalg.norm(frames[:, owner == r], axis=1) for r in range(regions)], 1)
    spread = sizes - sizes.mean(0)
    power = np.sqrt(np.maximum((spread**2).sum(0), 1e-9))
    together = np.clip(spread.T @ spread / (power[:, None] * power), 0, 1) + np.eye(regions)
    return np.asarray(together / together.sum(1, keepdims=True), np.float32)


def boundaries(held: Tensor) -> Tensor:
    """(B, T, 2) 1 at and beside the first, the last frame of an expression, from held (B, T, 2)."""
    on = held.clamp(min=0).float()
    step = on[:, 1:] - on[:, :-1]
    zero = torch.zeros_like(on[:, :1])
    first = torch.cat([zero, step.clamp(min=0)], 1).amax(-1)
    last = torch.cat([(-step).clamp(min=0), zero], 1).amax(-1)
    return torch.stack([F.max_pool1d(edge[:, None], 3, 1, 1)[:, 0] for edge in (first, last)], -1)


def auwgcn_spec(
    samples: Sequence[FeatureSample], groups: Sequence[int], window: int, config: FeatureTrainConfig
) -> TrainingSpec:
    """What to train; edges from the samples alone."""
    owner = np.asarray(groups)
    edges = torch.from_numpy(co_movement(samples, owner))
    weights = LossConfig(config.loss.class_weights, focal=config.loss.focal)

    def loss(stages: Tensor, found: Tensor, held: Tensor) -> Tensor:
        known = held[..., 0] >= 0
        edge = F.binary_cross_entropy_with_logits(found[known], boundaries(held)[known])
        return independent_frame_loss(stages[0], held.float(), weights) + edge

    return TrainingSpec(
        lambda: RegionGraphNet(torch.from_numpy(owner), edges), loss, window, config
    )

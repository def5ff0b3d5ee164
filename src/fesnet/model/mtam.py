"""MTAM, the multi-scale temporal aggregation module: frame features and proposals -> refined class
scores.

Parallel temporal convolutions of several kernel sizes and dilations see 0.1-0.9 s at once; a
cascade of stages refines the class scores, each stage taking the features and the probabilities of
the stage before.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fesnet.config import FesNetConfig


def probabilities(logits: Tensor, dim: int, *, independent: bool) -> Tensor:
    """Class probabilities from logits with K = 3 along `dim`: a softmax, or macro and micro each
    against neutral.

    Independent ones need not sum to 1: a micro inside a macro has both high.
    """
    if not independent:
        return logits.softmax(dim)
    neutral, kinds = torch.split(logits, [1, 2], dim)
    each = (kinds - neutral).sigmoid()
    return torch.cat([(1 - each).prod(dim, keepdim=True), each], dim)


class MultiScale(nn.Module):
    """Parallel temporal convolutions, concatenated, with a shortcut: (B, C, T) -> (B, C, T)."""

    def __init__(
        self, channels: int, branches: tuple[tuple[int, int], ...], dropout: float
    ) -> None:
        super().__init__()
        share = channels // len(branches)
        self.branches = nn.ModuleList(
            nn.Conv1d(channels, share, kernel, padding=dilation * (kernel // 2), dilation=dilation)
            for kernel, dilation in branches
        )
        self.mix = nn.Conv1d(channels, channels, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        seen = F.relu(torch.cat([branch(x) for branch in self.branches], 1))
        mixed: Tensor = self.dropout(self.mix(seen))
        return x + mixed


class RefinementStage(nn.Module):
    """One refinement: features (B, D, T) and probabilities (B, K, T) -> hidden (B, C, T) and logits
    (B, K, T).
    """

    def __init__(self, config: FesNetConfig) -> None:
        super().__init__()
        branches = config.branches if config.multi_scale else ((3, 1),)
        self.enter = nn.Conv1d(config.scored_features + 3, config.hidden, 1)
        self.blocks = nn.Sequential(
            *(MultiScale(config.hidden, branches, config.dropout) for _ in range(config.blocks))
        )
        self.leave = nn.Conv1d(config.hidden, 3, 1)

    def forward(self, features: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.blocks(self.enter(torch.cat([features, probabilities], 1)))
        return hidden, self.leave(hidden)


class Mtam(nn.Module):
    """The cascade over one window."""

    def __init__(self, config: FesNetConfig) -> None:
        super().__init__()
        self.independent = config.independent
        # Feature by feature: the faint ones tell of expressions, the strong ones of head turns and
        # blinks.
        self.norm = nn.BatchNorm1d(config.scored_features)
        self.stages = nn.ModuleList(
            RefinementStage(config) for _ in range(config.stages if config.cascade else 1)
        )
        self.intensity = nn.Conv1d(config.hidden, 1, 1) if config.intensity else None

    def forward(self, features: Tensor, proposal: Tensor) -> tuple[list[Tensor], Tensor]:
        """(B, T, D), (B, T, K) logits -> logits of each stage (B, T, K), and intensity (B, T)."""
        x = self.norm(features.transpose(1, 2))
        logits, refined = proposal.transpose(1, 2), []
        hidden = x
        for stage in self.stages:
            hidden, logits = stage(x, probabilities(logits, 1, independent=self.independent))
            refined.append(logits.transpose(1, 2))
        if self.intensity is None:
            return refined, torch.zeros_like(proposal[..., 0])
        return refined, F.softplus(self.intensity(hidden))[:, 0]

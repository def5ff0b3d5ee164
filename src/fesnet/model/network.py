"""The whole network, and the letters that shapes are written in everywhere in this package.

    B clips        T frames of a window     H W pixels or feature positions
    N frames       P = H * W positions      C channels of a position     D features of a frame
                   (and rows of the face's shape, where the config has them: `FesNet.join`)
    K classes (0 neutral, 1 macro, 2 micro)                              S stages (proposal first)

The paper (Zhang et al. 2024) fixes the mechanisms: residual convolution, multi-head attention over
the positions of a frame, discrepancy to the first frame of the window, frame-wise proposals (LSDM);
multi-scale temporal convolution and cascade refinement over discrepancy features and proposals
(MTAM); a smooth loss. Every size and the extensions marked so in `fesnet.weights.FesNetConfig` are
our choice.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fesnet.config import FesNetConfig
from fesnet.model.lsdm import Lsdm
from fesnet.model.mtam import Mtam


def add_median_difference(features: Tensor, *, relative: bool = False) -> Tensor:
    """(B, T, D) -> (B, T, 2 D), each window's features and their difference to its median frame.

    The first frame may lie inside an expression; the median frame seldom does. With `relative` (B,
    T, 3 D): also that difference in units of its mean size in the window, feature by feature. What
    a face that talks, turns or trembles does all the time is then small, and what a still one does
    once is large.
    """
    middle = features.sort(1).values[:, features.shape[1] // 2, None]
    change = features - middle
    if not relative:
        return torch.cat([features, change], -1)
    size = change.abs().mean(1, keepdim=True)
    floor = (
        0.05 * size.mean(-1, keepdim=True) + 1e-4
    )  # a feature that never moves must not become the loudest
    return torch.cat([features, change, change / (size + floor)], -1)


class FesNet(nn.Module):
    """LSDM and MTAM. Colour crops (N, H, W, 3) uint8 RGB go in; logits of all stages (S, B, T, K)
    come out.
    """

    def __init__(self, config: FesNetConfig) -> None:
        super().__init__()
        self.config = config
        self.lsdm = Lsdm(config)
        self.mtam = Mtam(config)

    def encode(self, crops: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 RGB -> (N, P, C): the static path, which no window changes."""
        weights = torch.tensor([0.299, 0.587, 0.114], device=crops.device)
        grey = (crops.float() * weights).sum(-1) / 255
        return self.encode_grey(grey[:, None])

    def encode_grey(self, grey: Tensor) -> Tensor:
        """(N, 1, H, W) in 0..1 -> (N, P, C)."""
        features: Tensor = self.lsdm.static(grey)
        return features

    def join(self, attended: Tensor, shapes: Tensor) -> Tensor:
        """Attended features (..., P, C) and shapes (..., config.landmark_feature_count) -> one array: shapes fill
        rows behind.
        """
        rows = shapes.reshape(*shapes.shape[:-1], -1, attended.shape[-1])
        return torch.cat([attended, rows.to(attended.dtype)], -2)

    def decode(self, attended: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, P, C) -> logits (S, B, T, K), proposal first, and intensity (B, T).

        Intensity is in macro-expressions (1 is a full one); zeros where the config has no such
        output.
        """
        logits, intensity = self.decode_with_reference(attended, attended[:, :1])
        if self.config.reference == "neutral":
            share = (
                logits[-1].softmax(-1)[..., :1] ** 4
            )  # sharpened: the most neutral frames decide
            share = share / share.sum(1, keepdim=True).clamp(min=1e-6)
            reference = (attended * share.detach()[..., None]).sum(1, keepdim=True)
            logits, intensity = self.decode_with_reference(attended, reference)
        return logits, intensity

    def decode_with_reference(self, attended: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """One pass with a given reference (B, 1, P, C)."""
        features = self.lsdm.vectors(attended, reference)
        logits, intensity = self.score(features)
        says = self.config.ensemble_weights
        if not any(says):
            return logits, intensity
        pooled = (1 - sum(says)) * logits.log_softmax(-1)
        for say, alone in zip(says, self.lsdm.mask_modality(features), strict=True):
            pooled = pooled + say * self.score(alone)[0].log_softmax(-1)
        return pooled.log_softmax(
            -1
        ), intensity  # of logarithms: one that is sure of nothing outweighs a believer

    def score(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Frame features (B, T, D) -> as `decode`."""
        if self.config.add_median_difference:
            features = add_median_difference(features, relative=self.config.normalize_motion)
        proposal = self.lsdm.proposal(features)
        refined, intensity = self.mtam(features, proposal)
        return torch.stack([proposal, *refined]), intensity

    def forward(self, crops: Tensor, shapes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Whole windows at once: (B, T, H, W, 3) uint8 and, where the config has them, shapes (B,
        T, config.landmark_feature_count).
        """
        b, t = crops.shape[:2]
        attended = self.encode(crops.flatten(0, 1))
        attended = attended.view(b, t, *attended.shape[1:])
        if self.config.landmark_feature_count:
            if shapes is None:
                raise ValueError(
                    f"expected shapes (B, T, {self.config.landmark_feature_count}) beside the crops, got none"
                )
            attended = self.join(attended, shapes)
        return self.decode(attended)


class FeatureNet(nn.Module):
    """The same cascade over features that somebody else extracted: a linear projection stands in
    LSDM's place.

    (B, T, config.inputs) go in; logits of all stages (S, B, T, K), proposal first, and intensity
    (B, T) come out.
    """

    def __init__(self, config: FesNetConfig) -> None:
        super().__init__()
        self.config = config
        self.projection = nn.Linear(config.inputs, config.features)
        self.proposal = nn.Linear(config.scored_features, 3)
        self.mtam = Mtam(config)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        change = inputs - inputs[:, :1] if self.config.discrepancy else inputs
        features = self.projection(change)
        if self.config.add_median_difference:
            features = add_median_difference(features, relative=self.config.normalize_motion)
        proposal = self.proposal(features)
        refined, intensity = self.mtam(features, proposal)
        return torch.stack([proposal, *refined]), intensity

"""The whole network, and the letters that shapes are written in everywhere in this package.

    B clips        T frames of a window     H W pixels or feature positions
    N frames       P = H * W positions      C channels of a position     D features of a frame
                   (and rows of landmark features, where the config has them)
    K classes (0 neutral, 1 macro, 2 micro)                              S stages (proposal first)

The paper (Zhang et al. 2024) fixes the mechanisms: residual convolution, multi-head attention over
the positions of a frame, discrepancy to the first frame of the window, frame-wise proposals (LSDM);
multi-scale temporal convolution and cascade refinement over discrepancy features and proposals
(MTAM); a smooth loss. Every size and the extensions marked so in `fesnet.config.FesNetConfig` are
our choice.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fesnet.config import FesNetConfig
from fesnet.model.lsdm import Lsdm
from fesnet.model.mtam import Mtam


def add_median_difference(features: Tensor, *, normalize_motion: bool = False) -> Tensor:
    """(B, T, D) -> (B, T, 2 D), each window's features and their difference to its median frame.

    The first frame may lie inside an expression; the median frame seldom does. `normalize_motion`
    adds the difference in units of its mean size in the window, feature by feature: (B, T, 3 D).
    Speech, head turns and jitter, which go on all the time, then are small. A single motion of a
    still face is large.
    """
    middle = features.sort(1).values[:, features.shape[1] // 2, None]
    change = features - middle
    if not normalize_motion:
        return torch.cat([features, change], -1)
    size = change.abs().mean(1, keepdim=True)
    # A feature that never moves must not become the largest.
    floor = 0.05 * size.mean(-1, keepdim=True) + 1e-4
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
        features: Tensor = self.lsdm.encode(grey)
        return features

    def append_landmarks(self, attended: Tensor, landmarks: Tensor) -> Tensor:
        """Attended features (..., P, C) and landmark features (..., landmark_feature_count) -> one
        array: landmarks fill rows behind the positions.
        """
        rows = landmarks.reshape(*landmarks.shape[:-1], -1, attended.shape[-1])
        return torch.cat([attended, rows.to(attended.dtype)], -2)

    def decode(self, attended: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, P, C) -> logits (S, B, T, K), proposal first, and intensity (B, T).

        Intensity is in macro-expressions (1 is a full one); zeros where the config has no such
        output.
        """
        logits, intensity = self.decode_with_reference(attended, attended[:, :1])
        if self.config.reference == "neutral":
            # Sharpened: the most neutral frames decide.
            share = logits[-1].softmax(-1)[..., :1] ** 4
            share = share / share.sum(1, keepdim=True).clamp(min=1e-6)
            reference = (attended * share.detach()[..., None]).sum(1, keepdim=True)
            logits, intensity = self.decode_with_reference(attended, reference)
        return logits, intensity

    def decode_with_reference(self, attended: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """One pass with a given reference (B, 1, P, C)."""
        features = self.lsdm.frame_features(attended, reference)
        logits, intensity = self.score(features)
        weights = self.config.ensemble_weights
        if not any(weights):
            return logits, intensity
        # A log-opinion pool: an unsure modality pulls down what the other one is sure of.
        pooled = (1 - sum(weights)) * logits.log_softmax(-1)
        for weight, alone in zip(weights, self.lsdm.mask_modality(features), strict=True):
            pooled = pooled + weight * self.score(alone)[0].log_softmax(-1)
        return pooled.log_softmax(-1), intensity

    def score(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Frame features (B, T, D) -> as `decode`."""
        if self.config.add_median_difference:
            features = add_median_difference(
                features, normalize_motion=self.config.normalize_motion
            )
        proposal = self.lsdm.proposal(features)
        refined, intensity = self.mtam(features, proposal)
        return torch.stack([proposal, *refined]), intensity

    def forward(self, crops: Tensor, landmarks: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Whole windows: (B, T, H, W, 3) uint8 and, where the config has them, landmark features
        (B, T, landmark_feature_count).
        """
        b, t = crops.shape[:2]
        attended = self.encode(crops.flatten(0, 1))
        attended = attended.view(b, t, *attended.shape[1:])
        if self.config.landmark_feature_count:
            if landmarks is None:
                raise ValueError(
                    f"expected landmark features (B, T, {self.config.landmark_feature_count}) "
                    "beside the crops, got none"
                )
            attended = self.append_landmarks(attended, landmarks)
        return self.decode(attended)


class FeatureNet(nn.Module):
    """The same cascade over features extracted before; a linear projection replaces LSDM.

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
            features = add_median_difference(
                features, normalize_motion=self.config.normalize_motion
            )
        proposal = self.proposal(features)
        refined, intensity = self.mtam(features, proposal)
        return torch.stack([proposal, *refined]), intensity

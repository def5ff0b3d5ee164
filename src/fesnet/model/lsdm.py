"""LSDM, the local spatial discrepancy module: what changed in the face against the reference frame,
and where.

The static path (residual convolution, attention over positions) is a method of its own: it depends
on no window, so spotting runs it once per frame and forms the discrepancy of every overlapping
window from the cached features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fesnet.config import FesNetConfig


class Residual(nn.Module):
    """Two 3 x 3 convolutions with a shortcut; (N, in, H, W) -> (N, out, H / stride, W / stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )
        self.second = nn.Sequential(
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        )
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class PositionAttention(nn.Module):
    """Multi-head self-attention among the P positions of one frame: (N, P, C) -> (N, P, C), with a
    shortcut.
    """

    def __init__(self, channels: int, heads: int, positions: int) -> None:
        super().__init__()
        self.heads = heads
        # The position embedding. Names of parameters are keys of saved weights, so they stay.
        self.place = nn.Parameter(0.02 * torch.randn(positions, channels))
        self.norm = nn.LayerNorm(channels)
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        n, p, c = x.shape
        qkv = self.to_qkv(self.norm(x + self.place)).view(n, p, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        # Written out: on a CPU the fused kernel's backward pass is several times slower at this
        # size.
        share = (q @ k.transpose(-1, -2) * (c // self.heads) ** -0.5).softmax(-1)
        mixed = share @ v
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(n, p, c))
        return x + out


class Lsdm(nn.Module):
    """Grey crops -> attended features; attended features and a reference -> frame features and
    proposals.
    """

    def __init__(self, config: FesNetConfig) -> None:
        super().__init__()
        w, c = config.width, 4 * config.width
        self.side = config.crop_size // 8
        self.face_only = config.face_only
        self.discrepancy = config.discrepancy
        self.concat_reference = config.concat_reference
        self.stem = nn.Sequential(
            nn.Conv2d(1, w, 5, 2, 2, bias=False), nn.BatchNorm2d(w), nn.ReLU(inplace=True)
        )
        self.backbone = nn.Sequential(
            Residual(w, w, 1), Residual(w, 2 * w, 2), Residual(2 * w, c, 2)
        )
        self.attention = (
            PositionAttention(c, config.heads, self.side**2) if config.attention else nn.Identity()
        )
        inputs = 2 * c if self.concat_reference else c
        small = (self.side + 1) // 2
        self.local = nn.Sequential(
            nn.Conv2d(inputs, c, 3, 2, 1, bias=False),
            nn.BatchNorm2d(c),
            nn.ReLU(inplace=True),
            nn.Conv2d(c, c, 3, 1, 1, bias=False),
            nn.BatchNorm2d(c),
            nn.ReLU(inplace=True),
        )
        # One weight for each position: the features keep where in the face it moved.
        self.pool = nn.Linear(c * small * small, config.features)
        self.shape = (
            nn.Linear(config.landmark_feature_count, config.landmark_embedding)
            if config.landmark_feature_count
            else None
        )
        self.proposal = nn.Linear(config.scored_features, 3)
        self.motion = nn.Linear(config.features, config.motions) if config.motions else None

    def encode(self, grey: Tensor) -> Tensor:
        """(N, 1, H, W) in 0..1 -> (N, P, C). Brightness and contrast of the crop are normalised
        away here.

        With `face_only`, black is outside the face and takes no part.
        """
        face = (grey > 0).to(grey.dtype) if self.face_only else torch.ones_like(grey)
        share = face.mean((1, 2, 3), keepdim=True).clamp(min=1e-3)
        mean = (grey * face).mean((1, 2, 3), keepdim=True) / share
        apart = (grey - mean) * face
        spread = (apart.square().mean((1, 2, 3), keepdim=True) / share).sqrt()
        x = self.backbone(self.stem(apart / (spread + 0.05)))
        attended: Tensor = self.attention(x.flatten(2).transpose(1, 2))
        return attended

    def frame_features(self, attended: Tensor, reference: Tensor) -> Tensor:
        """Frames (B, T, P, C) against references (B, 1 or T, P, C) -> (B, T, D), what changed.

        Landmark features, the rows that `FesNet.append_landmarks` put behind the positions, become
        features of their own.
        """
        positions = self.side**2
        pixels = self.encode_pixels(attended[:, :, :positions], reference[:, :, :positions])
        if self.shape is None:
            return pixels
        landmarks = attended[:, :, positions:].flatten(2)
        if self.discrepancy:
            landmarks = landmarks - reference[:, :, positions:].flatten(2)
        return torch.cat([pixels, self.encode_landmarks(landmarks)], -1)

    def encode_landmarks(self, change: Tensor) -> Tensor:
        """Change of landmark features (B, T, landmark_feature_count) -> (B, T, landmark_embedding),
        their part of `frame_features`.
        """
        if self.shape is None:
            raise ValueError(
                "expected a config with landmark_feature_count > 0, got 0; "
                "this network sees pixels alone"
            )
        return F.leaky_relu(self.shape(change), 0.1)

    def mask_modality(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """`frame_features` (B, T, D) -> (pixels alone, landmarks alone), both (B, T, D).

        Masked landmarks are those of a still face; masked pixels have features of 0, as with
        modality dropout in training.
        """
        width = self.pool.out_features
        pixels, landmarks = features[..., :width], features[..., width:]
        inputs = self.shape.in_features if self.shape else 0
        still = self.encode_landmarks(features.new_zeros(1, 1, inputs)).expand_as(landmarks)
        return (
            torch.cat([pixels, still], -1),
            torch.cat([torch.zeros_like(pixels), landmarks], -1),
        )

    def encode_pixels(self, attended: Tensor, reference: Tensor) -> Tensor:
        """Positions (B, T, P, C) against references (B, 1 or T, P, C) -> (B, T, features), the
        pixels' part of `frame_features`.
        """
        b, t, p, c = attended.shape
        change = attended - reference if self.discrepancy else attended
        if self.concat_reference:
            change = torch.cat([change, reference.expand(b, t, p, c)], -1)
        maps = change.reshape(b * t, self.side, self.side, -1).permute(0, 3, 1, 2)
        # Leaky: with a plain ReLU nearly all features had died after two thousand steps of
        # training.
        return F.leaky_relu(self.pool(self.local(maps).flatten(1)), 0.1).view(b, t, -1)

    def predict_motion(self, attended: Tensor, reference: Tensor) -> Tensor:
        """Motion of each frame against its reference, (B, T, M), 4 crop pixels being 1 (extension;
        trains LSDM).
        """
        if self.motion is None:
            raise ValueError(
                "expected a config with motions > 0, got 0; pairs train the motion head"
            )
        out: Tensor = self.motion(self.encode_pixels(attended, reference))
        return out

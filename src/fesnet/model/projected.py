"""The network as spotting runs it: equal values, at less than half the cost of judging a window.

The discrepancy goes through a convolution first, and a convolution is linear. So the share of the
frame and the share of the reference are convolved once per frame, and a window adds them:

    conv([a - r, r]) = conv_a(a) + (conv_r - conv_a)(r)

`project` makes both shares of a frame, R rows each; `ProjectedDecode` judges windows of them. A
share that is interpolated in time equals the share of interpolated positions. Training uses
`fesnet.model.network`; tests and the export compare the two.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fesnet.model.lsdm import Lsdm, PositionAttention
from fesnet.model.mtam import probabilities
from fesnet.model.network import FesNet


def as_parameter(values: Tensor) -> nn.Parameter:
    """Values that a graph keeps as they are."""
    return nn.Parameter(values.detach().clone(), requires_grad=False)


def norm_factors(norm: Any) -> tuple[Tensor, Tensor]:
    """A batch norm in evaluation: what it multiplies by, and what it adds then."""
    scale: Tensor = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias - norm.running_mean * scale


class LocalProjection(nn.Module):
    """Attended positions (N, P, C) -> (N, 2 R, C): the frame's and the reference's share of the
    first local convolution, batch norm included; R = C maps' positions, a quarter of P."""

    def __init__(self, lsdm: Lsdm) -> None:
        super().__init__()
        convolution: Any = lsdm.local[0]
        self.side, self.channels = lsdm.side, int(convolution.out_channels)
        scale, offset = norm_factors(lsdm.local[1])
        weight = convolution.weight * scale[:, None, None, None]
        frame, reference = weight[:, : self.channels], weight[:, self.channels :]
        beside = reference if lsdm.concat_reference else torch.zeros_like(frame)
        other = beside - frame if lsdm.discrepancy else beside
        self.weight = as_parameter(torch.cat([frame, other]))
        self.bias = as_parameter(torch.cat([offset, torch.zeros_like(offset)]))

    def forward(self, attended: Tensor) -> Tensor:
        n, _, c = attended.shape
        maps = attended.transpose(1, 2).reshape(n, c, self.side, self.side)
        return F.conv2d(maps, self.weight, self.bias, 2, 1).reshape(n, -1, c)


class ScaledAttention(nn.Module):
    """`PositionAttention` that scales queries instead of all products of queries and keys."""

    def __init__(self, attention: PositionAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: Tensor) -> Tensor:
        own = self.attention
        n, p, c = x.shape
        qkv = own.to_qkv(own.norm(x + own.place)).view(n, p, 3, own.heads, c // own.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        share = ((q * (c // own.heads) ** -0.5) @ k.transpose(-1, -2)).softmax(-1)
        out: Tensor = own.out((share @ v).transpose(1, 2).reshape(n, p, c))
        return x + out


class ProjectedEncode(nn.Module):
    """Crops (N, H, W, 3) uint8 -> projected (N, 2 R, C), and the attended features (N, P, C) they
    were made of."""

    def __init__(self, network: FesNet) -> None:
        super().__init__()
        lsdm: Any = copy(network.lsdm)  # shares all but the attention
        lsdm._modules = dict(lsdm._modules)
        if isinstance(lsdm.attention, PositionAttention):
            lsdm.attention = ScaledAttention(lsdm.attention)
        self.lsdm, self.projection = lsdm, LocalProjection(network.lsdm)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        red, green, blue = (crops[..., channel].float() for channel in range(3))
        # onnxruntime takes ten times as long for a product with (0.299, 0.587, 0.114) and its sum
        grey = (red * 0.299 + green * 0.587 + blue * 0.114) / 255
        attended = self.lsdm.encode(grey[:, None])
        return self.projection(attended), attended


class ProjectedPixels(nn.Module):
    """Projected frames (B, T, 2 R, C) against projected references (B, 1 or T, 2 R, C) -> (B, T,
    features), as `Lsdm.encode_pixels` does of attended ones."""

    def __init__(self, lsdm: Lsdm) -> None:
        super().__init__()
        self.small = (lsdm.side + 1) // 2
        self.later, self.pool = lsdm.local[3:6], lsdm.pool
        self.channels = self.pool.in_features // self.small**2

    def forward(self, frames: Tensor, reference: Tensor) -> Tensor:
        b, t = frames.shape[:2]
        rows = self.small**2
        change = F.relu(frames[:, :, :rows] + reference[:, :, rows : 2 * rows])
        maps = change.reshape(-1, self.channels, self.small, self.small)
        return F.leaky_relu(self.pool(self.later(maps).flatten(1)), 0.1).view(b, t, -1)


class ProjectedMotion(nn.Module):
    """LSDM's motion output of projected frames (N, 2 R, C) against one (1, 2 R, C)."""

    def __init__(self, lsdm: Lsdm) -> None:
        super().__init__()
        self.pixels = ProjectedPixels(lsdm)
        self.motion: Any = lsdm.motion  # there is one, where this is asked for

    def forward(self, projected: Tensor, reference: Tensor) -> Tensor:
        out: Tensor = self.motion(self.pixels(projected[None], reference[None]))[0]
        return out


def as_flat(convolution: nn.Conv1d) -> nn.Conv2d:
    """The same convolution over pictures of height 1, which onnxruntime runs several times as
    fast."""
    out = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        (1, convolution.kernel_size[0]),
        padding=(0, int(convolution.padding[0])),
        dilation=(1, convolution.dilation[0]),
    )
    out.weight, out.bias = as_parameter(convolution.weight[:, :, None]), convolution.bias
    return out


class FlatMultiScale(nn.Module):
    """`MultiScale` over (B, C, 1, T)."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.branches = nn.ModuleList(as_flat(branch) for branch in block.branches)
        self.mix = as_flat(block.mix)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.mix(F.relu(torch.cat([branch(x) for branch in self.branches], 1)))
        return x + mixed


class FlatStage(nn.Module):
    """`RefinementStage` over (B, D, 1, T)."""

    def __init__(self, stage: Any) -> None:
        super().__init__()
        self.enter, self.leave = as_flat(stage.enter), as_flat(stage.leave)
        self.blocks = nn.Sequential(*(FlatMultiScale(block) for block in stage.blocks))

    def forward(self, features: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.blocks(self.enter(torch.cat([features, given], 1)))
        return hidden, self.leave(hidden)


class ProjectedDecode(nn.Module):
    """`FesNet.decode` of projected features: (B, T, 2 R + landmark rows, C) -> logits (S, B, T, K)
    and intensity (B, T).

    The modalities of an ensemble are one batch, and share the median of each feature.
    """

    def __init__(self, network: FesNet) -> None:
        super().__init__()
        self.config, self.lsdm = network.config, network.lsdm
        self.pixels = ProjectedPixels(network.lsdm)
        self.stages = nn.ModuleList(FlatStage(stage) for stage in network.mtam.stages)
        intensity = network.mtam.intensity
        self.intensity = None if intensity is None else as_flat(intensity)
        scale, offset = norm_factors(network.mtam.norm)
        self.scale, self.offset = as_parameter(scale), as_parameter(offset)

    def forward(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        logits, intensity = self.decode_against(projected, projected[:, :1])
        if self.config.reference == "neutral":
            share = logits[-1].softmax(-1)[..., :1] ** 4  # as in `FesNet.decode`
            share = share / share.sum(1, keepdim=True).clamp(min=1e-6)
            reference = (projected * share[..., None]).sum(1, keepdim=True)
            logits, intensity = self.decode_against(projected, reference)
        return logits, intensity

    def decode_against(self, projected: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """One pass with a given reference (B, 1, 2 R + landmark rows, C)."""
        pixels = self.pixels(projected, reference)
        weights = self.config.ensemble_weights
        if self.lsdm.shape is None:
            return self.score([self.with_median(pixels)])
        rows = 2 * self.pixels.small**2
        landmarks = projected[:, :, rows:].flatten(2)
        if self.config.discrepancy:
            landmarks = landmarks - reference[:, :, rows:].flatten(2)
        features = torch.cat([pixels, self.lsdm.encode_landmarks(landmarks)], -1)
        both = self.with_median(features)
        if not any(weights):
            return self.score([both])
        logits, intensity = self.score([both, *self.mask_modality(both)])
        logits = logits.log_softmax(-1).view(len(logits), 3, -1, *logits.shape[2:])
        shares = logits.new_tensor([1 - sum(weights), *weights])
        pooled = (logits * shares[:, None, None, None]).sum(1)
        return pooled.log_softmax(-1), intensity.view(3, -1, *intensity.shape[1:])[0]

    def with_median(self, features: Tensor) -> list[Tensor]:
        """Features (B, T, D), and what the config adds of them: their difference to the window's
        median, and its mean size (B, 1, D)."""
        if not self.config.add_median_difference:
            return [features]
        smaller = features.topk(features.shape[1] // 2 + 1, 1, largest=False).values
        change = features - smaller[:, -1:]
        if not self.config.normalize_motion:
            return [features, change]
        return [features, change, change.abs().mean(1, keepdim=True)]

    def mask_modality(self, parts: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """What `with_median` gives of pixels alone, and of landmarks alone: what is masked stays
        the same all the time, so its change is 0."""
        features, *changes = parts
        width = self.config.features
        alone, landmarks_alone = self.lsdm.mask_modality(features)
        return (
            [alone, *(F.pad(c[..., :width], (0, c.shape[-1] - width)) for c in changes)],
            [landmarks_alone, *(F.pad(c[..., width:], (width, 0)) for c in changes)],
        )

    def score(self, variants: list[list[Tensor]]) -> tuple[Tensor, Tensor]:
        """Parts of `with_median`, V lists of them -> logits (S, V B, T, K), intensity (V B, T)."""
        x = torch.cat([self.scored_features(parts) for parts in variants])
        logits = self.lsdm.proposal(x).transpose(1, 2)[:, :, None]
        x = (x * self.scale + self.offset).transpose(1, 2)[:, :, None]
        every, hidden = [logits], x
        for stage in self.stages:
            given = probabilities(logits, 1, independent=self.config.independent)
            hidden, logits = stage(x, given)
            every.append(logits)
        stacked = torch.stack(every)[:, :, :, 0].transpose(2, 3)
        if self.intensity is None:
            return stacked, torch.zeros_like(stacked[0, ..., 0])
        return stacked, F.softplus(self.intensity(hidden))[:, 0, 0]

    def scored_features(self, parts: list[Tensor]) -> Tensor:
        """(B, T, scored features) of what `with_median` gave (see `add_median_difference`)."""
        if len(parts) < 3:
            return torch.cat(parts, -1)
        features, change, size = parts
        floor = 0.05 * size.mean(-1, keepdim=True) + 1e-4
        return torch.cat([features, change, change / (size + floor)], -1)

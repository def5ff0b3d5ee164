"""The windows of many shards in memory, and the random changes that each batch of them gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fesnet.training.shards import Shard
from fesnet.windows import reflect_indices


@dataclass(frozen=True)
class WindowBatch:
    """B windows: pixels (B, T, D), landmarks (B, T, landmark_feature_count), labels (B, T) 0 1 2
    or -1, intensity (B, T).
    """

    pixels: Tensor
    landmarks: Tensor
    labels: Tensor
    intensity: Tensor


def concatenate(one: WindowBatch, other: WindowBatch) -> WindowBatch:
    """The windows of both."""
    columns = zip(vars(one).values(), vars(other).values(), strict=True)
    return WindowBatch(*(torch.cat(pair) for pair in columns))


class WindowSet:
    """All windows of many shards, to sample batches from."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.pixels, self.labels, self.strength, self.start, self.last = (
            torch.from_numpy(np.concatenate([getattr(s, name) for s in shards]))
            for name in ("pixels", "labels", "strength", "start", "last")
        )
        self.landmarks = torch.from_numpy(np.concatenate([s.landmarks for s in shards]))
        counts = np.cumsum([0] + [len(s.landmarks) for s in shards[:-1]])
        self.script = torch.from_numpy(
            np.concatenate([s.script + first for s, first in zip(shards, counts, strict=True)])
        )

    def __len__(self) -> int:
        return len(self.start)

    def batch(self, which: Tensor, draw: Tensor) -> WindowBatch:
        """Windows (B,) with draws (B,) of the landmark model's errors."""
        at = self.start[which][:, None] + torch.from_numpy(
            reflect_indices(self.labels.shape[1], self.last[which, None].numpy())
        )
        return WindowBatch(
            self.pixels[which].float(),
            self.landmarks[self.script[which][:, None], draw[:, None], at].float(),
            self.labels[which].long(),
            self.strength[which].float(),
        )

    def sample(
        self,
        rng: np.random.Generator,
        count: int,
        dropout: float,
        shuffle: float = 0.0,
        augmentation: float = 0.0,
    ) -> WindowBatch:
        """`count` random windows.

        dropout: share of them without pixels, and as many without landmarks. shuffle: share with
        the pixels of another window. augmentation: share changed by `augment_time_amplitude`.
        """
        which = torch.from_numpy(rng.integers(len(self), size=count))
        draws = torch.from_numpy(rng.integers(self.landmarks.shape[1], size=count))
        batch = self.batch(which, draws)
        if augmentation:
            augment_time_amplitude(rng, batch, augmentation)
        draw = torch.from_numpy(rng.random(count))
        batch.pixels[draw < dropout] = 0
        still = (draw >= dropout) & (draw < 2 * dropout)
        batch.landmarks[still] = batch.landmarks[still, :1].expand_as(batch.landmarks[still])
        other = draw > 1 - shuffle
        batch.pixels[other] = self.pixels[
            torch.from_numpy(rng.integers(len(self), size=int(other.sum())))
        ].float()
        return batch


def augment_time_amplitude(rng: np.random.Generator, batch: WindowBatch, share: float) -> None:
    """Play a share of the windows faster or slower by up to a fifth, with motions larger or smaller
    by up to a third, in place.

    A window begins with the same frame as before: its features are changes from it. A faster one is
    reflected at its end, and those frames do not count.
    """
    length = batch.labels.shape[1]
    for b in np.flatnonzero(rng.random(len(batch.labels)) < share):
        at = np.arange(length) * np.exp(rng.uniform(-0.18, 0.18))
        size, inside = float(np.exp(rng.uniform(-0.3, 0.3))), torch.from_numpy(at <= length - 1)
        at = np.where(at <= length - 1, at, 2 * (length - 1) - at)
        left = np.minimum(at.astype(int), length - 2)
        part = torch.from_numpy((at - left).astype(np.float32))[:, None]
        for track in (batch.pixels, batch.landmarks):
            track[b] = torch.lerp(track[b, left], track[b, left + 1], part)
            track[b] = track[b, :1] + size * (track[b] - track[b, :1])
        near = torch.from_numpy(np.rint(at).astype(np.int64))
        batch.labels[b] = torch.where(inside, batch.labels[b, near], -1)
        strength = batch.intensity[b, near]
        batch.intensity[b] = torch.where(strength < 0, strength, size * strength)

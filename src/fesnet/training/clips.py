"""Third phase: the whole network learns from rendered clips, end to end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fesnet.synth.render.batches import ClipBatch, render_clips
from fesnet.synth.render.render_plan import RenderPlan
from fesnet.training.samples import BatchSource
from fesnet.training.updater import NetworkUpdater

GPU_FRAMES = 5120  # frames that a GPU encodes at once


class ClipPhase:
    """Trains all parts; LSDM at a share of the learning rate."""

    def __init__(self, updater: NetworkUpdater, source: BatchSource) -> None:
        self.updater, self.source, self.steps = updater, source, updater.config.clip_steps

    def batches(self, steps: range) -> Iterator[Any]:
        return self.source.batches(steps)

    def train_step(self, batch: ClipBatch[Any], step: int) -> dict[str, float]:
        updater, c = self.updater, self.updater.config
        net = updater.network.train()
        updater.set_learning_rate(c.clip_lr, step, c.clip_steps, c.lsdm_lr)
        if c.lsdm_lr < 1:
            net.lsdm.eval()  # batch statistics of a few clips are poorer than those of many pairs
        own = updater.processes.batch_slice(len(batch.labels))
        part = batch[own]
        if isinstance(part.crops, RenderPlan):
            part = render_clips(self.source.renderer, part, net.config.crop_size)
        crops, landmarks = part.crops.to(c.device), part.landmarks.to(c.device)
        with updater.precision():
            with torch.set_grad_enabled(c.lsdm_lr > 0):
                attended = self.encode(crops)
            if net.config.reference == "first":
                with torch.set_grad_enabled(c.lsdm_lr > 0):
                    pixels = net.lsdm.encode_pixels(attended, attended[:, :1])
                draw = torch.rand(len(batch.labels))[own, None, None].to(c.device)
                scores = updater.score(*drop_modality(pixels, landmarks, draw, c.modality_dropout))
            elif net.config.landmark_feature_count:
                scores = net.decode(net.append_landmarks(attended, landmarks))
            else:
                scores = net.decode(attended)
        return updater.learn(*scores, batch.labels, batch.intensity)

    def encode(self, crops: Tensor) -> Tensor:
        """(B, T, P, C) of crops (B, T, 1, S, S)."""
        # In parts: on a CPU the attention of a thousand frames would take hundreds of megabytes.
        network, frames = self.updater.network, crops.flatten(0, 1)
        size = GPU_FRAMES if self.updater.config.gpu else crops.shape[1]
        parts = (
            frames[i : i + size].contiguous(memory_format=torch.channels_last)
            for i in range(0, len(frames), size)
        )
        z = torch.cat([network.encode_grey(part) for part in parts])
        return z.view(*crops.shape[:2], *z.shape[1:])


def drop_modality(
    pixels: Tensor, landmarks: Tensor, draw: Tensor, share: float
) -> tuple[Tensor, Tensor]:
    """Modality dropout: clips whose draw (B, 1, 1) is below `share` lose their pixels; those below
    twice the share lose their landmarks.
    """
    still = (draw >= share) & (draw < 2 * share)
    return pixels * (draw >= share), torch.where(still, landmarks[:, :1], landmarks)

"""First phase: LSDM learns to see motion from pairs of frames of one face."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import torch

from fesnet.model.losses import pair_loss
from fesnet.synth.render.batches import PairBatch, expressive_targets
from fesnet.synth.render.render_plan import RenderPlan, render_crops
from fesnet.training.samples import BatchSource
from fesnet.training.updater import NetworkUpdater


class PairPhase:
    """Trains LSDM and its motion head."""

    def __init__(self, updater: NetworkUpdater, source: BatchSource) -> None:
        self.updater, self.source, self.steps = updater, source, updater.config.pair_steps

    def batches(self, steps: range) -> Iterator[Any]:
        return self.source.batches(steps)

    def train_step(self, batch: PairBatch[Any], step: int) -> dict[str, float]:
        """One step on all ordered pairs of frames of each group; this process takes its slice of
        the groups.
        """
        updater, c = self.updater, self.updater.config
        net, (g, f) = updater.network.train(), batch.targets.shape[:2]
        updater.set_learning_rate(c.pair_lr, step, c.pair_steps, 1.0)
        first, second = map(list, zip(*permutations(range(f), 2), strict=True))
        crops = batch.crops[updater.processes.batch_slice(g)]
        if isinstance(crops, RenderPlan):
            crops = render_crops(self.source.renderer, crops, net.config.crop_size)
        crops, targets = crops.to(c.device), batch.targets.to(c.device)
        with updater.precision():
            z = net.encode_grey(crops.flatten(0, 1).contiguous(memory_format=torch.channels_last))
            z = z.view(len(crops), f, *z.shape[1:])
            found = net.lsdm.predict_motion(
                z[:, second].flatten(0, 1)[:, None], z[:, first].flatten(0, 1)[:, None]
            )
        truth = (targets[:, second] - targets[:, first]).flatten(0, 1)
        found = found[:, 0].float().view(len(crops), len(first), -1)
        found = updater.processes.gather(found, g).flatten(0, 1)
        expressive = expressive_targets().to(truth.device)
        loss = pair_loss(found, truth, expressive)
        updater.update(loss)
        baseline = pair_loss(torch.zeros_like(truth), truth, expressive)
        return {"pair": loss.item(), "share": loss.item() / max(baseline.item(), 1e-9)}

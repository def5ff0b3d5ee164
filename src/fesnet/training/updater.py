"""What all phases of training share: the network with its optimiser, and one update."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from fesnet.model.losses import clip_losses
from fesnet.model.network import FesNet
from fesnet.training.config import TrainConfig
from fesnet.training.distributed import SINGLE_PROCESS, Processes, synchronize_layers
from fesnet.training.shards import BACKBONE_PARTS


class NetworkUpdater:
    """A network that processes train together."""

    def __init__(
        self, network: FesNet, config: TrainConfig, processes: Processes = SINGLE_PROCESS
    ) -> None:
        self.config, self.processes = config, processes
        synchronize_layers(network, processes)
        self.network = network.to(config.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        prefixes = tuple(f"lsdm.{part}" for part in BACKBONE_PARTS)
        named = list(network.named_parameters())
        backbone = [p for n, p in named if n.startswith(prefixes)]
        rest = [p for n, p in named if not n.startswith(prefixes)]
        self.optimizer = torch.optim.AdamW(
            [{"params": rest}, {"params": backbone}],
            lr=config.pair_lr,
            weight_decay=config.weight_decay,
        )

    def precision(self) -> AbstractContextManager[Any]:
        device = self.config.device.split(":")[0]
        return torch.autocast(device, torch.bfloat16, enabled=self.config.bf16)

    def set_learning_rate(self, peak: float, step: int, steps: int, backbone: float) -> None:
        """Linear warm-up, then half a cosine down to a fiftieth. backbone: share for LSDM's
        backbone.
        """
        fall = 0.5 + 0.5 * math.cos(math.pi * min(step / max(steps, 1), 1.0))
        lr = peak * min(1.0, (step + 1) / self.config.warmup) * (0.02 + 0.98 * fall)
        for group, share in zip(self.optimizer.param_groups, (1.0, backbone), strict=True):
            group["lr"] = lr * share

    def score(self, pixels: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        """Stage logits and intensity of windows, from pixel features (B, T, D) and landmark
        features (B, T, landmark_feature_count).
        """
        net = self.network
        if not net.config.landmark_feature_count:
            return net.score(pixels)
        change = landmarks - landmarks[:, :1] if net.config.discrepancy else landmarks
        encoded = net.lsdm.encode_landmarks(change.to(pixels.device))
        return net.score(torch.cat([pixels, encoded], -1))

    def learn(
        self, stages: Tensor, strength: Tensor, labels: Tensor, truth: Tensor
    ) -> dict[str, float]:
        """Losses of stage logits (S, B, T, K) and intensity (B, T), and one update."""
        device, size = self.config.device, len(labels)
        stages = self.processes.gather(stages.float(), size, 1)
        strength = self.processes.gather(strength.float(), size)
        terms = clip_losses(stages, strength, labels.to(device), truth.to(device), self.config.loss)
        self.update(terms["total"])
        return {name: value.item() for name, value in terms.items()}

    def update(self, loss: Tensor) -> None:
        """One step of the optimiser."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.processes.sum_gradients(self.network)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()

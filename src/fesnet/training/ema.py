"""The exponential moving average of the weights (EMA), which is what training keeps."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def update_ema(ema: nn.Module, network: nn.Module, decay: float) -> None:
    """Keep a share `decay` (0..1) of the averaged network and take the rest, batch statistics too,
    from the trained one.
    """
    pairs = zip(ema.state_dict().values(), network.state_dict().values(), strict=True)
    for mean, latest in pairs:
        if mean.is_floating_point():
            mean.lerp_(latest, 1 - decay)
        else:
            mean.copy_(latest)

"""A moving average of weights, which is what training keeps: steadier than the weights of any one
step.
"""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def update_ema(ema: nn.Module, network: nn.Module, share: float) -> None:
    """Keep a share (0..1) of the averaged network, and take the rest, batch statistics too, from
    the trained one.
    """
    for one, other in zip(ema.state_dict().values(), network.state_dict().values(), strict=True):
        if one.is_floating_point():
            one.lerp_(other, 1 - share)
        else:
            one.copy_(other)

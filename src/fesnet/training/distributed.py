"""Training by several processes (torchrun) that gives what one process would, to rounding.

Every step's batch is the one that a single process would have. Each process takes its slice of it.
Three parts of torch do not fit, so they are replaced here:

- DistributedDataParallel averages the losses of slices. Our losses are weighted over the whole
  batch, so outputs are gathered before the loss and gradients are summed.
- SyncBatchNorm refuses CPUs, and tests run on CPUs.
- Dropout has no synchronised form: here each process takes its rows of the whole batch's mask.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn import functional

from fesnet.errors import UsageError


@dataclass(frozen=True)
class Processes:
    """The processes of a training run; this one is number `rank` of `count`."""

    rank: int = 0
    count: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def batch_slice(self, size: int, rank: int | None = None) -> slice:
        """This process's (or another's) slice of a batch of `size`. Raises UsageError where a
        slice would be empty.
        """
        if size < self.count:
            raise UsageError(
                f"expected batches of {self.count} or more for {self.count} processes, got {size}"
            )
        who = self.rank if rank is None else rank
        return slice(size * who // self.count, size * (who + 1) // self.count)

    def gather(self, part: Tensor, size: int, dim: int = 0) -> Tensor:
        """The outputs of all processes in order along `dim`, `size` in sum; gradients flow into
        this one's part.
        """
        if self.count == 1:
            return part
        parts = []
        for rank in range(self.count):
            if rank == self.rank:
                dist.broadcast(part.detach().contiguous(), rank)
                parts.append(part)
                continue
            span = self.batch_slice(size, rank)
            shape = list(part.shape)
            shape[dim] = span.stop - span.start
            other = part.new_empty(shape)
            dist.broadcast(other, rank)
            parts.append(other)
        return torch.cat(parts, dim)

    def sum_gradients(self, network: nn.Module) -> None:
        """Each gradient becomes the sum over all processes; parameters that a phase leaves out have
        none anywhere.
        """
        if self.count == 1:
            return
        grads = [p.grad for p in network.parameters() if p.grad is not None]
        flat = torch.cat([g.flatten() for g in grads])  # one message instead of hundreds
        dist.all_reduce(flat)
        parts = torch.split(flat, [g.numel() for g in grads])
        for grad, values in zip(grads, parts, strict=True):
            grad.copy_(values.view_as(grad))

    def round_robin(self, batches: Iterator[Any], steps: Sequence[int]) -> Iterator[Any]:
        """The batches of all `steps`: each process makes every count-th (`batches`) and sends it
        to the others.
        """
        for place in range(len(steps)):
            owner = place % self.count
            box = [next(batches) if owner == self.rank else None]
            dist.broadcast_object_list(box, owner)
            yield box[0]

    def barrier(self) -> None:
        """Wait for all."""
        if self.count > 1:
            dist.barrier()


SINGLE_PROCESS = Processes()


def init_processes(device: str) -> tuple[Processes, str]:
    """The processes that torchrun started, and this one's own device; without torchrun, one."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return SINGLE_PROCESS, device
    cuda = device.split(":")[0] == "cuda"
    # Batches are exchanged on the CPU, gradients where they are.
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    own = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if cuda else device
    return Processes(dist.get_rank(), count), own


def synchronize_layers(network: nn.Module, processes: Processes) -> None:
    """Make batch normalisation and dropout act on the whole batch. The layers keep their names and
    their states.
    """
    if processes.count == 1:
        return
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.forward = partial(sync_batch_norm, module)  # type: ignore[method-assign]
        elif isinstance(module, nn.Dropout):
            module.forward = partial(sync_dropout, module, processes)  # type: ignore[method-assign]


def sync_batch_norm(layer: nn.modules.batchnorm._BatchNorm, x: Tensor) -> Tensor:
    """Batch normalisation of (N, C, ...) over all processes."""
    if not layer.training:
        stored = (layer.running_mean, layer.running_var, layer.weight, layer.bias)
        return functional.batch_norm(x, *stored, False, 0.0, layer.eps)
    assert layer.running_mean is not None
    assert layer.running_var is not None
    assert layer.momentum is not None
    values = x.float()
    over = [d for d in range(x.dim()) if d != 1]
    shape = [1, -1] + [1] * (x.dim() - 2)
    number = torch.full((1,), float(x.numel() // x.shape[1]), device=x.device)
    sums = differentiable_sum(torch.cat([values.sum(over), number]))
    mean = sums[:-1] / sums[-1]
    # In two passes: the mean of squares less the square of the mean loses all digits where the
    # spread is small.
    centred = values - mean.view(shape)
    variance = differentiable_sum(centred.square().sum(over)) / sums[-1]
    with torch.no_grad():
        layer.running_mean.lerp_(mean, layer.momentum)
        layer.running_var.lerp_(variance * sums[-1] / (sums[-1] - 1), layer.momentum)
        if layer.num_batches_tracked is not None:
            layer.num_batches_tracked.add_(1)
    out: Tensor = centred * torch.rsqrt(variance + layer.eps).view(shape)
    if layer.affine:
        out = out * layer.weight.view(shape) + layer.bias.view(shape)
    return out.to(x.dtype)


def differentiable_sum(values: Tensor) -> Tensor:
    """The sum over all processes, through which gradients flow back to all."""
    total: Tensor = all_reduce(values)  # type: ignore[no-untyped-call]
    return total


def sync_dropout(layer: nn.Dropout, processes: Processes, x: Tensor) -> Tensor:
    """Dropout of (B, ...) by this process's rows of the mask that one process would draw for the
    whole batch.
    """
    if not layer.training or layer.p == 0:
        return x
    total = torch.tensor([x.shape[0]])
    dist.all_reduce(total)
    size = int(total)
    ones = torch.ones((size, *x.shape[1:]), dtype=x.dtype, device=x.device)
    mask = functional.dropout(ones, layer.p)[processes.batch_slice(size)]
    return x * mask

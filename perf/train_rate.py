"""How fast a device trains FESNet end to end, and which share of a large matrix product's rate that
is.

    python perf/train_rate.py PORTRAITS --device cuda --workers 14 --clips 32

Prints JSON: frames a second of drawing (all workers together), of painting with drawn and with
found landmarks, and of whole steps with LSDM trained or frozen; operations of the network in
those steps, and of an 8192-sided bf16 product. Every figure is the median of several repetitions
after a warm-up, on the clips that training would see.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from fesnet.model.checkpoint import load_network
from fesnet.synth.render.avatar import Avatar
from fesnet.synth.render.batches import ClipBatch, render_clips
from fesnet.synth.render.portraits import read_avatars
from fesnet.training import TrainConfig, Trainer
from fesnet.training.samples import SyntheticBatches
from fesnet.weights import load_weights

SIDE = 8192  # of the matrix product


def seconds(work: Callable[[], Any], device: str, times: int = 5) -> float:
    """Median seconds of `work`, after one that does not count."""
    taken = []
    for _ in range(times + 1):
        started = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def product_rate(device: str, side: int = SIDE) -> float:
    """Operations a second of a bf16 product of two random matrices."""
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / seconds(lambda: a @ b, device, 10)


def drawing_rate(trainer: Trainer) -> float:
    """Frames a second of all workers together; on a CPU they paint, too."""
    workers, done = max(1, trainer.config.workers), 0
    batches = trainer.clips.batches(range(12 * workers))
    for _ in range(4 * workers):  # made while the workers started, so not counted
        next(batches)
    started = time.perf_counter()
    for batch in batches:
        assert isinstance(batch, ClipBatch)
        done += batch.labels.numel()
    return done / (time.perf_counter() - started)


def measure(
    avatars: Sequence[Avatar], config: TrainConfig, folder: Path, side: int = SIDE
) -> dict[str, Any]:
    """All figures for clip steps with `config`."""
    weights, device = load_weights(), config.device
    trainers = {
        name: Trainer(load_network(weights), avatars, replace(config, lsdm_lr=lr), folder)
        for name, lr in (("LSDM trained", 0.1), ("LSDM frozen", 0.0))
    }
    first = trainers["LSDM trained"]
    drawn = drawing_rate(first)
    # Planned as for a GPU, so that a CPU paints here, too; of the length of a training window.
    plans = SyntheticBatches(
        avatars, replace(config, device="cuda", long_share=0.0), weights.config, range(1)
    )
    plan: Any
    plan, renderer, crop = plans[0], first.clips.source.renderer, weights.config.crop_size
    assert isinstance(plan, ClipBatch)
    frames = plan.labels.numel()
    plan_of = {
        name: replace(plan, crops=replace(plan.crops, use_landmark_model=use_model))
        for name, use_model in (("drawn landmarks", False), ("found landmarks", True))
    }
    rendering = {
        name: frames / seconds(partial(render_clips, renderer, each, crop), device)
        for name, each in plan_of.items()
    }
    rendered = render_clips(renderer, plan, crop)
    steps, product = {}, product_rate(device, side)
    for name, trainer in trainers.items():
        with FlopCounterMode(display=False) as counter:
            trainer.clips.train_step(rendered, 0)
        taken = seconds(partial(trainer.clips.train_step, rendered, 0), device)
        rate = counter.get_total_flops() / taken
        steps[name] = {
            "frames/s": frames / taken,
            "TFLOP/s": rate / 1e12,
            "share of product": rate / product,
        }
    return {
        "device": torch.cuda.get_device_name() if device != "cpu" else "CPU",
        "torch": torch.__version__,
        "clips": list(plan.labels.shape),
        "drawing by all workers, frames/s": drawn,
        "painting, frames/s": rendering,
        "steps on rendered clips": steps,
        "product, TFLOP/s": product / 1e12,
        "peak memory, GB": torch.cuda.max_memory_allocated() / 1e9 if device != "cpu" else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("portraits", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--clips", type=int, default=32)
    given = parser.parse_args()
    config = TrainConfig(
        pair_steps=0,
        head_steps=0,
        clip_steps=1000,
        clips=given.clips,
        workers=given.workers,
        device=given.device,
    )
    avatars, _ = read_avatars(given.portraits)
    print(json.dumps(measure(avatars, config, Path("unused")), indent=1))


if __name__ == "__main__":
    main()

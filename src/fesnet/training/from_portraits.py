"""A folder of portraits -> a weights folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from fesnet.config import PRESETS
from fesnet.errors import UsageError
from fesnet.model.checkpoint import check_files, load_network, save_weights
from fesnet.model.network import FesNet
from fesnet.postprocess import IntervalRules
from fesnet.synth.render.portraits import read_avatars
from fesnet.training.config import TrainConfig, fit_to_model, read_config
from fesnet.training.distributed import init_processes
from fesnet.training.trainer import STATE, Trainer
from fesnet.training.video_windows import (
    count_footage,
    make_training_footage,
    make_training_videos,
)
from fesnet.weights import BUNDLED, Weights, load_weights

PROGRESS_EVERY = 50  # steps between lines of progress


def train_from_portraits(
    portraits: Path,
    out: Path,
    preset: str,
    file: Path | None,
    steps: dict[str, int | None],
    *,
    resume: bool = False,
    start: str | Path | None = None,
    footage: Path | None = None,
    masks: Path | None = None,
) -> Iterator[str]:
    """Train on a folder of portraits and write a weights folder; yields lines of progress.

    The state lies in `OUT.state`. file: TOML with `TrainConfig` fields. start: weights to go on
    from ("bundled" or a folder) in the preset's stead. footage: clips of neutral faces, or videos
    by `fesnet synth --footage`, to learn from, too; masks: a table of what is not neutral in the
    clips. Raises UsageError where `out` exists, the
    preset is unknown, or there is a state and `resume` is not set.
    """
    if preset not in PRESETS:
        raise UsageError(f"expected preset {' or '.join(PRESETS)}, got {preset!r}")
    if out.exists():
        raise UsageError(f"expected a new folder for the weights, but {out} exists; name another")
    state = out.with_name(out.name + ".state")
    if not resume and (state / STATE).exists():
        raise UsageError(
            f"expected no earlier training in {state}; give --resume to go on, or remove it"
        )
    begun = None if start is None else load_weights(None if start == BUNDLED else start)
    model = begun.config if begun else PRESETS[preset]
    config = fit_to_model(read_config(file, steps), model, fresh=begun is None)
    processes, device = init_processes(config.device)
    config = replace(config, device=device)
    config = config if footage else without_footage(config)
    avatars, left_out = read_avatars(portraits, smiling_every=config.smiling_every)
    yield from (f"left out: {line}" for line in left_out)
    torch.manual_seed(config.seed)
    videos = make_training_videos(portraits, state / "films", config, processes)
    rendered = make_training_footage(footage, masks, state / "footage", config, processes)
    network = load_network(begun) if begun else FesNet(model)
    trainer = Trainer(network, avatars, config, state, videos, processes, rendered)
    if resume and trainer.resume():
        yield f"resumed at step {trainer.step} of {config.steps}"
    for terms in trainer.run():
        if trainer.step % PROGRESS_EVERY == 0 or trainer.step == config.steps:
            yield " ".join(f"{name} {value:.4g}" for name, value in terms.items())
    if not processes.is_main:
        return
    training = {
        "data": f"synthetic video from {len(avatars)} faces{data_of_footage(rendered)}",
        "config": asdict(config),
        **start_provenance(begun),
    }
    rules = begun.rules if begun else IntervalRules().to_dict()
    more = check_files(begun) if begun else ()
    save_weights(trainer.network, out, training=training, rules=rules, more=more)
    yield f"weights in {out}"


def without_footage(config: TrainConfig) -> TrainConfig:
    """So that a state is not resumed with footage that it never saw."""
    return replace(config, footage_hours=0.0, footage_share=0.0)


def data_of_footage(rendered: Path | None) -> str:
    """What weights say of the real footage that they learned from."""
    if rendered is None:
        return ""
    return f" and expressions rendered onto real footage ({count_footage(rendered)} clips)"


def start_provenance(begun: Weights | None) -> dict[str, Any]:
    """What weights say of those that training began with."""
    return {"start": {"sha256": begun.sha256, "training": begun.training}} if begun else {}

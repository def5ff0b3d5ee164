"""The three phases of training, one after another, with a state that survives interruption.

Every batch follows from (seed, step) alone, and so does every random number of a step. An
interrupted and resumed run therefore ends with the same weights as an uninterrupted one. Several
processes end as one does, to rounding (`fesnet.training.distributed`).
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from fesnet._io import atomic_path, load_json
from fesnet.errors import CheckpointError, UsageError
from fesnet.model.network import FesNet
from fesnet.synth.render.avatar import Avatar
from fesnet.training.clips import ClipPhase
from fesnet.training.config import TrainConfig, with_current_names
from fesnet.training.distributed import SINGLE_PROCESS, Processes
from fesnet.training.ema import update_ema
from fesnet.training.pairs import PairPhase
from fesnet.training.samples import BatchSource
from fesnet.training.updater import NetworkUpdater
from fesnet.training.window_phase import WindowPhase

STATE = "state.safetensors"
# Settings that may change when a training is resumed.
CHANGEABLE = {"device", "save_every", "threads", "workers"}
# Settings that states of version 0.1 lack, and the values that they trained with.
NEW_SETTINGS = {"footage_hours": 0.0, "footage_share": 0.0}


class Phase(Protocol):
    """One phase of training: its number of steps, its batches, and one step on a batch."""

    steps: int

    def batches(self, steps: range) -> Iterator[Any]:
        """One batch for each of these steps of the whole training."""

    def train_step(self, batch: Any, step: int) -> dict[str, float]:
        """Step number `step` of the phase; returns the terms of the loss."""


class Trainer:
    """Holds the network and its state; `run` goes from the current step to the end."""

    def __init__(
        self,
        network: FesNet,
        avatars: Sequence[Avatar],
        config: TrainConfig,
        folder: Path,
        videos: Path | None = None,
        processes: Processes = SINGLE_PROCESS,
        footage: Path | None = None,
    ) -> None:
        """folder: for the state and shards; videos: of `fesnet synth`, of the same people, to mix
        in; footage: of `fesnet synth --footage`, too. Raises UsageError where the network or
        the config cannot be trained so.
        """
        check_trainable(network, avatars, config, processes)
        self.updater = NetworkUpdater(network, config, processes)
        self.config, self.folder = config, folder
        self.ema = copy.deepcopy(self.network)
        self.step = 0
        source = BatchSource(avatars, config, network.config, processes)
        self.pairs = PairPhase(self.updater, source)
        self.windows = WindowPhase(self.updater, avatars, folder, videos, footage)
        self.clips = ClipPhase(self.updater, source)

    @property
    def network(self) -> FesNet:
        return self.updater.network

    def run(self) -> Iterator[dict[str, float]]:
        """Train to the end, saving the state every `save_every` steps and at the end; yields each
        step's terms.
        """
        torch.set_num_threads(self.config.threads)
        started, first = time.monotonic(), 0
        phases: tuple[Phase, ...] = (self.pairs, self.windows, self.clips)
        for phase in phases:
            for batch in phase.batches(range(max(self.step, first), first + phase.steps)):
                # Dropout follows from the step, so that resuming is exact.
                torch.manual_seed(self.config.seed * 1_000_003 + self.step)
                terms = phase.train_step(batch, self.step - first)
                self.step += 1
                self.update_ema()
                yield {"step": self.step, "seconds": time.monotonic() - started, **terms}
                if self.step % self.config.save_every == 0:
                    self.save()
            first += phase.steps
        self.save()
        self.network.load_state_dict(self.ema.state_dict())
        self.network.eval()

    def update_ema(self) -> None:
        """Average from the first step behind the pairs on; until then, copy."""
        since = self.step - self.config.pair_steps
        decay = min(self.config.ema, 1 - 1 / since) if since > 1 else 0.0
        update_ema(self.ema, self.network, decay)

    def save(self) -> None:
        """Write network, average, optimiser and step, atomically."""
        if not self.updater.processes.is_main:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"net.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"avg.{k}": v for k, v in self.ema.state_dict().items()}
        for index, values in self.updater.optimizer.state_dict()["state"].items():
            tensors |= {f"opt.{index}.{k}": torch.as_tensor(v) for k, v in values.items()}
        tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        meta = {"step": str(self.step), "config": json.dumps(asdict(self.config))}
        with atomic_path(self.folder / STATE) as part:
            save_file(tensors, part, metadata=meta)

    def resume(self) -> bool:
        """Load a saved state, if there is one; returns whether there was. Raises CheckpointError,
        and UsageError where another config saved it.
        """
        path = self.folder / STATE
        if not path.is_file():
            return False
        try:
            tensors = load_file(path)
            with safe_open(path, "pt") as opened:
                meta = opened.metadata()
            step, saved = int(meta["step"]), with_current_names(load_json(meta["config"]))
            for prefix, network in (("net.", self.network), ("avg.", self.ema)):
                own = {k[4:]: v for k, v in tensors.items() if k.startswith(prefix)}
                network.load_state_dict(own)
        except Exception as error:
            raise CheckpointError(
                f"expected a training state in {path}, but it does not fit ({error})"
            ) from error
        now = json.loads(json.dumps(asdict(self.config)))  # tuples become lists, as they did there
        saved = NEW_SETTINGS | saved
        names = {*now, *saved} - CHANGEABLE
        changed = sorted(name for name in names if now.get(name) != saved.get(name))
        if changed:
            raise UsageError(
                f"expected the config that the state in {path.parent} was saved with, got another "
                f"{', '.join(changed)}; remove the folder to begin anew"
            )
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("opt."):
                _, index, key = name.split(".")
                state.setdefault(int(index), {})[key] = value
        groups = self.updater.optimizer.state_dict()["param_groups"]
        self.updater.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.step = step
        return True


def check_trainable(
    network: FesNet, avatars: Sequence[Avatar], config: TrainConfig, processes: Processes
) -> None:
    """Raises UsageError for what cannot be trained."""
    if not avatars:
        raise UsageError("expected at least one portrait with a face to train on, got none")
    if config.pair_steps and not network.config.motions:
        raise UsageError(
            "expected a network with a motion head for pair steps; the paper's has none"
        )
    if processes.count > 1 and config.clip_steps and not (config.pair_steps or config.head_steps):
        raise UsageError(
            "expected pair or head steps before clip steps for several processes, got none; use one"
        )

"""Second phase: proposals and MTAM learn from windows whose pixel features the frozen LSDM has
computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fesnet.synth.render.avatar import Avatar
from fesnet.training.shards import make_shards
from fesnet.training.updater import NetworkUpdater
from fesnet.training.video_windows import video_shards
from fesnet.training.window_set import WindowBatch, WindowSet, concatenate


class WindowPhase:
    """Trains everything behind LSDM's backbone. folder: of the shards; videos, footage: of `fesnet
    synth`, from portraits and from real footage, whose windows are mixed in.
    """

    def __init__(
        self,
        updater: NetworkUpdater,
        avatars: Sequence[Avatar],
        folder: Path,
        videos: Path | None,
        footage: Path | None = None,
    ) -> None:
        self.updater, self.avatars, self.folder = updater, avatars, folder
        self.videos, self.footage = videos, footage
        self.steps = updater.config.head_steps

    def batches(self, steps: range) -> Iterator[WindowBatch]:
        if not steps:
            return
        c, updater = self.updater.config, self.updater
        shards = self.folder / "shards"
        windows = WindowSet(
            make_shards(updater.network, self.avatars, c, shards, updater.processes)
        )
        others = [
            (self.video_windows(self.videos, "film-shards"), c.video_window_share),
            (self.video_windows(self.footage, "footage-shards"), c.footage_share),
        ]
        mixed = [(whole, round(c.windows * share)) for whole, share in others if whole]
        few = sum(count for _, count in mixed)
        for step in steps:
            rng = np.random.default_rng([c.seed, step])
            change = c.time_amplitude_augmentation
            batch = windows.sample(
                rng, c.windows - few, c.modality_dropout, c.modality_shuffle, change
            )
            for whole, count in mixed:
                more = whole.sample(rng, count, c.modality_dropout, 0.0, change)
                batch = concatenate(batch, more)
            yield batch

    def video_windows(self, videos: Path | None, name: str) -> WindowSet | None:
        """The windows of a folder of videos, if there is one; name: of the folder of its shards."""
        if videos is None:
            return None
        updater = self.updater
        shards = video_shards(updater.network, videos, self.folder / name, updater.config.seed)
        if not updater.processes.is_main:
            updater.processes.barrier()  # the main one makes them
        windows = WindowSet(list(shards))
        if updater.processes.is_main:
            updater.processes.barrier()
        return windows

    def train_step(self, batch: WindowBatch, step: int) -> dict[str, float]:
        updater, c = self.updater, self.updater.config
        updater.network.train()
        updater.set_learning_rate(c.head_lr, step, c.head_steps, 0.0)
        own = updater.processes.batch_slice(len(batch.pixels))
        with updater.precision():
            stages, strength = updater.score(batch.pixels[own].to(c.device), batch.landmarks[own])
        return updater.learn(stages, strength, batch.labels, batch.intensity)

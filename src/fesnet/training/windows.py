"""Second phase: proposals and MTAM learn from windows whose pixel features the frozen LSDM has
computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fesnet.synth.render.avatar import Avatar
from fesnet.training.learner import Learner
from fesnet.training.shards import make_shards
from fesnet.training.video_windows import video_shards
from fesnet.training.window_set import WindowBatch, WindowSet, concatenate


class WindowPhase:
    """Trains everything behind LSDM's backbone. folder: of the shards; videos: of `fesnet synth`,
    whose windows are mixed in.
    """

    def __init__(
        self, learner: Learner, avatars: Sequence[Avatar], folder: Path, videos: Path | None
    ) -> None:
        self.learner, self.avatars, self.folder, self.videos = learner, avatars, folder, videos
        self.steps = learner.config.head_steps

    def batches(self, steps: range) -> Iterator[WindowBatch]:
        if not steps:
            return
        c, learner = self.learner.config, self.learner
        shards = self.folder / "shards"
        windows = WindowSet(
            make_shards(learner.network, self.avatars, c, shards, learner.processes)
        )
        real = self.video_windows()
        few = round(c.windows * c.video_window_share) if real else 0
        for step in steps:
            rng = np.random.default_rng([c.seed, step])
            change = c.time_amplitude_augmentation
            batch = windows.sample(
                rng, c.windows - few, c.modality_dropout, c.modality_shuffle, change
            )
            if real is not None:
                others = real.sample(rng, few, c.modality_dropout, 0.0, change)
                batch = concatenate(batch, others)
            yield batch

    def video_windows(self) -> WindowSet | None:
        """The windows of the videos, if there are videos."""
        if self.videos is None:
            return None
        learner = self.learner
        shards = video_shards(
            learner.network, self.videos, self.folder / "film-shards", learner.config.seed
        )
        if not learner.processes.is_main:
            learner.processes.barrier()  # the main one makes them
        windows = WindowSet(list(shards))
        if learner.processes.is_main:
            learner.processes.barrier()
        return windows

    def train_step(self, batch: WindowBatch, step: int) -> dict[str, float]:
        learner, c = self.learner, self.learner.config
        learner.network.train()
        learner.set_learning_rate(c.head_lr, step, c.head_steps, 0.0)
        own = learner.processes.batch_slice(len(batch.pixels))
        with learner.precision():
            stages, strength = learner.score(batch.pixels[own].to(c.device), batch.landmarks[own])
        return learner.learn(stages, strength, batch.labels, batch.intensity)

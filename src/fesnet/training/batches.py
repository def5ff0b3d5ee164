"""The batches of pairs and clips that a training sees, each from (seed, step) alone, in whatever
process it is made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from fesnet.synth.render.avatar import Puppet
from fesnet.synth.render.batches import ClipBatch, PairBatch, paint_clips, plan_clips, plan_pairs
from fesnet.synth.render.crops import Cast, Stage
from fesnet.synth.render.shots import Shots, shoot
from fesnet.training.config import TrainConfig
from fesnet.weights import FesNetConfig

Made = PairBatch[Tensor] | PairBatch[Shots] | ClipBatch[Tensor] | ClipBatch[Shots]


class Batches(Dataset[Made]):
    """Batches of the steps first .. stop, each made from (seed, step). Where a GPU learns it
    paints, too: batches then hold `Shots` instead of pixels, and the processes that draw them get
    no pictures."""

    def __init__(
        self, puppets: Sequence[Puppet], config: TrainConfig, model: FesNetConfig, steps: range
    ) -> None:
        self.config, self.model, self.steps = config, model, steps
        self.puppets = () if config.gpu else puppets
        self.cast: Cast | None = (
            Cast(puppets) if config.gpu else None
        )  # a Stage where batches are painted

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Made:
        if index >= len(self):
            raise IndexError(index)
        if self.cast is None:
            self.cast = Stage(self.puppets)
        cast = self.cast
        step, c, m = self.steps[index], self.config, self.model
        rng = np.random.default_rng([c.seed, step])
        seed = int(rng.integers(2**62))
        if step < c.pair_steps:
            who = draw(rng, len(cast), c.pair_groups)
            pairs = plan_pairs(cast, who, seed, c.pair_frames, m.crop_size, face_only=m.face_only)
            if isinstance(cast, Stage):
                return PairBatch(shoot(cast, pairs.crops, m.crop_size), pairs.targets)
            return pairs
        times = m.reach if rng.random() < c.long_share else 1
        who = draw(rng, len(cast), math.ceil(c.clips / times))
        clips = plan_clips(
            cast,
            who,
            seed,
            times * m.window,
            m.crop_size,
            c.synth,
            face_only=m.face_only,
            hands=c.hands,
        )
        looked = bool(rng.random() < c.looked)
        clips = replace(clips, crops=replace(clips.crops, looked=looked))
        return paint_clips(cast, clips, m.crop_size) if isinstance(cast, Stage) else clips


def draw(rng: np.random.Generator, people: int, count: int) -> NDArray[np.int64]:
    """`count` people, each as often as any other to within one."""
    rounds = [rng.permutation(people) for _ in range(math.ceil(count / people))]
    return np.concatenate(rounds)[:count].astype(np.int64)

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

from fesnet.config import FesNetConfig
from fesnet.synth.render.avatar import Avatar
from fesnet.synth.render.avatar_renderer import AvatarGeometry, AvatarRenderer
from fesnet.synth.render.batches import ClipBatch, PairBatch, plan_clips, plan_pairs, render_clips
from fesnet.synth.render.render_plan import RenderPlan, render_crops
from fesnet.training.config import TrainConfig

SampledBatch = PairBatch[Tensor] | PairBatch[RenderPlan] | ClipBatch[Tensor] | ClipBatch[RenderPlan]


class SyntheticBatches(Dataset[SampledBatch]):
    """Batches of the steps first .. stop, each made from (seed, step). Where a GPU learns it
    paints, too: batches then hold a `RenderPlan` instead of pixels, and the processes that draw them get
    no pictures."""

    def __init__(
        self, avatars: Sequence[Avatar], config: TrainConfig, model: FesNetConfig, steps: range
    ) -> None:
        self.config, self.model, self.steps = config, model, steps
        self.avatars = () if config.gpu else avatars
        self.cast: AvatarGeometry | None = (
            AvatarGeometry(avatars) if config.gpu else None
        )  # a Stage where batches are painted

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> SampledBatch:
        if index >= len(self):
            raise IndexError(index)
        if self.cast is None:
            self.cast = AvatarRenderer(self.avatars)
        cast = self.cast
        step, c, m = self.steps[index], self.config, self.model
        rng = np.random.default_rng([c.seed, step])
        seed = int(rng.integers(2**62))
        if step < c.pair_steps:
            who = draw(rng, len(cast), c.pair_groups)
            pairs = plan_pairs(cast, who, seed, c.pair_frames, m.crop_size, face_only=m.face_only)
            if isinstance(cast, AvatarRenderer):
                return PairBatch(render_crops(cast, pairs.crops, m.crop_size), pairs.targets)
            return pairs
        times = m.inference_window_scale if rng.random() < c.long_share else 1
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
        return render_clips(cast, clips, m.crop_size) if isinstance(cast, AvatarRenderer) else clips


def draw(rng: np.random.Generator, people: int, count: int) -> NDArray[np.int64]:
    """`count` people, each as often as any other to within one."""
    rounds = [rng.permutation(people) for _ in range(math.ceil(count / people))]
    return np.concatenate(rounds)[:count].astype(np.int64)

"""Batches of synthetic pairs and clips, each from (seed, step) alone, in whatever process it is
made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fesnet.config import FesNetConfig
from fesnet.jobs.pool import exit_if_unguarded, helper_died
from fesnet.synth.render.avatar import Avatar
from fesnet.synth.render.avatar_renderer import AvatarGeometry, AvatarRenderer
from fesnet.synth.render.batches import ClipBatch, PairBatch, plan_clips, plan_pairs, render_clips
from fesnet.synth.render.render_plan import RenderPlan, render_crops
from fesnet.training.config import TrainConfig
from fesnet.training.distributed import Processes

SampledBatch = PairBatch[Tensor] | PairBatch[RenderPlan] | ClipBatch[Tensor] | ClipBatch[RenderPlan]


class SyntheticBatches(Dataset[SampledBatch]):
    """Batches of the steps first .. stop. Where a GPU learns it renders, too: batches then hold a
    `RenderPlan` instead of pixels, and worker processes get no pictures."""

    def __init__(
        self, avatars: Sequence[Avatar], config: TrainConfig, model: FesNetConfig, steps: range
    ) -> None:
        self.config, self.model, self.steps = config, model, steps
        self.avatars = () if config.gpu else avatars
        # An AvatarRenderer in processes that render.
        self.geometry: AvatarGeometry | None = AvatarGeometry(avatars) if config.gpu else None

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> SampledBatch:
        if index >= len(self):
            raise IndexError(index)
        if self.geometry is None:
            self.geometry = AvatarRenderer(self.avatars)
        step = self.steps[index]
        rng = np.random.default_rng([self.config.seed, step])
        seed = int(rng.integers(2**62))
        if step < self.config.pair_steps:
            return self.sample_pairs(self.geometry, rng, seed)
        return self.sample_clips(self.geometry, rng, seed)

    def sample_pairs(
        self, geometry: AvatarGeometry, rng: np.random.Generator, seed: int
    ) -> SampledBatch:
        c, m = self.config, self.model
        who = draw_people(rng, len(geometry), c.pair_groups)
        pairs = plan_pairs(geometry, who, seed, c.pair_frames, m.crop_size, face_only=m.face_only)
        if isinstance(geometry, AvatarRenderer):
            return PairBatch(render_crops(geometry, pairs.crops, m.crop_size), pairs.targets)
        return pairs

    def sample_clips(
        self, geometry: AvatarGeometry, rng: np.random.Generator, seed: int
    ) -> SampledBatch:
        c, m = self.config, self.model
        times = m.inference_window_scale if rng.random() < c.long_share else 1
        who = draw_people(rng, len(geometry), math.ceil(c.clips / times))
        clips = plan_clips(
            geometry,
            who,
            seed,
            times * m.window,
            m.crop_size,
            c.synth,
            face_only=m.face_only,
            hands=c.hands,
        )
        use_model = bool(rng.random() < c.landmark_model_share)
        clips = replace(clips, crops=replace(clips.crops, use_landmark_model=use_model))
        if isinstance(geometry, AvatarRenderer):
            return render_clips(geometry, clips, m.crop_size)
        return clips


class BatchSource:
    """Makes the batches of a training run, with its workers and in all its processes."""

    def __init__(
        self,
        avatars: Sequence[Avatar],
        config: TrainConfig,
        model: FesNetConfig,
        processes: Processes,
    ) -> None:
        self.avatars, self.config, self.model, self.processes = avatars, config, model, processes

    @cached_property
    def renderer(self) -> AvatarRenderer:
        """All avatars on the device that learns."""
        return AvatarRenderer(self.avatars, self.config.device)

    def batches(self, steps: range) -> Iterator[SampledBatch]:
        """The batches of these steps. Making one costs more than learning from it, so each process
        makes every count-th.
        """
        if not steps:
            return iter(())
        processes = self.processes
        if processes.count == 1:
            return self.own_batches(steps)
        own = self.own_batches(steps[processes.rank :: processes.count])
        return processes.round_robin(own, steps)

    def own_batches(self, steps: range) -> Iterator[SampledBatch]:
        data = SyntheticBatches(self.avatars, self.config, self.model, steps)
        if self.config.workers == 0:
            return (data[i] for i in range(len(data)))
        exit_if_unguarded()
        context = "spawn"  # a fork would inherit the thread pools of this process and could hang
        loader = DataLoader(
            data,
            batch_size=None,
            num_workers=self.config.workers,
            multiprocessing_context=context,
            prefetch_factor=3,
        )
        return loaded_batches(loader)


def loaded_batches(loader: Iterable[SampledBatch]) -> Iterator[SampledBatch]:
    """What the helpers of a loader make. Raises WorkerError where one of them died."""
    try:
        yield from loader
    except RuntimeError as error:
        if "exited unexpectedly" not in str(error) and "is killed by" not in str(error):
            raise
        raise helper_died() from error


def draw_people(rng: np.random.Generator, people: int, count: int) -> NDArray[np.int64]:
    """`count` people, each as often as any other to within one."""
    rounds = [rng.permutation(people) for _ in range(math.ceil(count / people))]
    return np.concatenate(rounds)[:count].astype(np.int64)

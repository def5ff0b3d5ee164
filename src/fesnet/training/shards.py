"""Shards of windows with the pixel features of a frozen LSDM: made once, used in many epochs.

Rendering a face and encoding its pixels costs a hundred times what MTAM does with the result.
While LSDM is frozen, its features of a window never change, so they are computed once and kept on
disk. Each epoch takes another draw of the landmark model's errors. Shard i follows from (seed, i)
alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fesnet._io import atomic_open, atomic_write_text
from fesnet.config import FesNetConfig
from fesnet.errors import UsageError
from fesnet.jobs.pool import exit_if_unguarded, helper_died
from fesnet.model.network import FesNet
from fesnet.synth.render.avatar import Avatar
from fesnet.synth.render.avatar_renderer import AvatarRenderer, AvatarTracks
from fesnet.synth.render.batches import REFLECTED_SHARE, mask_full_windows
from fesnet.synth.render.hands import Hand, draw_hand
from fesnet.synth.render.landmark_errors import (
    mirror_landmark_features,
    simulate_landmark_features,
)
from fesnet.synth.render.render_plan import plan_render, render_crops
from fesnet.synth.script.config import SynthConfig, vary_event_rates
from fesnet.synth.script.script import Script, replace_photo_smile
from fesnet.synth.script.writer import write_script
from fesnet.training.config import TrainConfig, stable_repr
from fesnet.training.distributed import SINGLE_PROCESS, Processes
from fesnet.windows import reflect_indices

SCRIPTS = 8  # performances in a shard
SECONDS = 20  # length of each
LEAD = 3.0  # s that are written before and cut, so that a performance may open inside an event
FINGERPRINT = "fingerprint.txt"  # beside shards: of what they were made
BACKBONE_PARTS = (
    "stem",
    "backbone",
    "attention",
    "local",
    "pool",
)  # of LSDM, those that see pixels
DRAWS = 2  # draws of the landmark model's errors of each performance
STARTS = 6  # windows of each performance
STORED_NAMES = {"landmarks": "shapes"}  # fields whose names in shard files differ


@dataclass(frozen=True)
class Shard:
    """N windows of S performances.

    pixels (N, T, D) float16: LSDM's pixel features against the window's first frame. labels (N, T)
    int8, -1 behind the last real frame, where the window is reflected. strength (N, T) float16.
    landmarks (S, DRAWS, F, landmark_feature_count) float16 of whole performances; window n begins
    at frame start[n] of performance script[n], and its last real frame is last[n] (window frame).
    """

    pixels: NDArray[np.float16]
    labels: NDArray[np.int8]
    strength: NDArray[np.float16]
    landmarks: NDArray[np.float16]
    script: NDArray[np.int64]
    start: NDArray[np.int64]
    last: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write a .npz file, atomically."""
        with atomic_open(path) as handle:
            np.savez(handle, **{STORED_NAMES.get(k, k): v for k, v in vars(self).items()})

    @classmethod
    def load(cls, path: Path) -> Shard:
        with np.load(path, allow_pickle=False) as table:
            names = cls.__dataclass_fields__
            return cls(**{name: table[STORED_NAMES.get(name, name)] for name in names})


class ShardMaker:
    """Makes shards with one network and one set of people."""

    def __init__(
        self,
        network: FesNet,
        avatars: Sequence[Avatar],
        config: SynthConfig,
        seed: int,
        hands: float = 0.0,
    ) -> None:
        """hands: share of performances in which a hand comes before the face."""
        self.network, self.avatars, self.config, self.seed = network.eval(), avatars, config, seed
        self.hands = hands
        self.renderer = AvatarRenderer(avatars)
        self.frames = round(SECONDS * config.rate)

    @torch.inference_mode()
    def make(self, index: int) -> Shard:
        """Shard `index`."""
        parts = [
            self.make_windows(np.random.default_rng([self.seed, index, i])) for i in range(SCRIPTS)
        ]
        windows = [w for part in parts for w in part[0]]
        pixels, labels, strength, start, last = (
            np.stack(column) for column in zip(*windows, strict=True)
        )
        script = np.repeat(np.arange(SCRIPTS), STARTS)
        landmarks = np.stack([part[1] for part in parts])
        return Shard(pixels, labels, strength, landmarks, script, start, last)

    def make_windows(
        self, rng: np.random.Generator
    ) -> tuple[list[tuple[Any, ...]], NDArray[np.float16]]:
        """Windows of one performance, and its landmark features (DRAWS, F, ...)."""
        who = int(rng.integers(len(self.avatars)))
        config = vary_event_rates(self.config, rng)
        script = write_script(rng, self.frames, config, lead=round(LEAD * self.config.rate))
        script = script if self.renderer.has_smile[who] else replace_photo_smile(script)
        flip = bool(rng.random() < 0.5)
        hand = draw_hand(rng, self.frames, self.config.rate) if rng.random() < self.hands else None
        attended = self.encode(who, script, flip, hand, rng)
        face, smile = self.avatars[who].points[:468], self.avatars[who].smile
        draws = [simulate_landmark_features(script, face, smile, rng) for _ in range(DRAWS)]
        landmarks = np.stack(draws)
        landmarks = landmarks if hand is None else hand.disturb_landmarks(landmarks, rng)
        landmarks = mirror_landmark_features(landmarks) if flip else landmarks
        windows = [self.sample_window(attended, script, rng) for _ in range(STARTS)]
        return windows, landmarks.astype(np.float16)

    def encode(
        self, who: int, script: Script, flip: bool, hand: Hand | None, rng: np.random.Generator
    ) -> Tensor:
        """(F, P, C) attended features of one rendered performance."""
        offset = rng.normal(0, 1, (1, 1, 4)) * [0.012, 0.012, 0.02, 0.03]
        tracks = AvatarTracks.of([who], [script])
        tracks = replace(tracks, jitter=(tracks.jitter + offset).astype(np.float32))
        model, flipped = self.network.config, np.array([flip])
        size, face_only = model.crop_size, model.face_only
        plan = plan_render(self.renderer, tracks, size, rng, face_only=face_only, flipped=flipped)
        crops = render_crops(self.renderer, replace(plan, hands=(hand,)), size)[0]
        with torch.autocast("cpu", torch.bfloat16):
            parts = (
                crops[i : i + 64].contiguous(memory_format=torch.channels_last)
                for i in range(0, self.frames, 64)
            )
            encoded = [self.network.encode_grey(part) for part in parts]
        return torch.cat(encoded).float()

    def sample_window(
        self, attended: Tensor, script: Script, rng: np.random.Generator
    ) -> tuple[Any, ...]:
        """pixels, labels, strength, start, last of one window."""
        length = self.network.config.window
        edge = rng.random() < 0.15  # now and then the first or last window of a video
        start = int(
            rng.choice([0, self.frames - length])
            if edge
            else rng.integers(self.frames - length + 1)
        )
        reflected = rng.random() < REFLECTED_SHARE
        last = int(rng.integers(length // 6, length - 1)) if reflected else length - 1
        at = start + reflect_indices(length, last)
        with torch.autocast("cpu", torch.bfloat16):
            pixels = self.network.lsdm.encode_pixels(
                attended[at][None], attended[start : start + 1][None]
            )[0]
        labels = script.labels()[at].astype(np.int8)
        labels[last + 1 :] = -1
        mask_full_windows(labels[None])
        strength = script.intensity[at].astype(np.float16)
        return pixels.half().numpy(), labels, strength, np.int64(start), np.int64(last)


def make_shards(
    network: FesNet,
    avatars: Sequence[Avatar],
    config: TrainConfig,
    folder: Path,
    processes: Processes = SINGLE_PROCESS,
) -> list[Shard]:
    """All shards of a training run; those already in `folder` are kept. Each of the processes makes
    its part of the others; they must see the same folder. Raises UsageError where the folder holds
    shards of another run."""
    faces = [avatar.points.tobytes() for avatar in avatars]
    data = f"({stable_repr(config.synth)}, {config.seed!r}, {config.hands!r})"
    check_fingerprint(folder, backbone_fingerprint(network, data.encode(), *faces))
    missing = [i for i in range(config.shards) if not shard_file(folder, i).is_file()]
    processes.barrier()  # nobody writes before all have looked
    missing = missing[processes.rank :: processes.count]
    if missing and config.workers < 2:
        write_shards(network.config, network.state_dict(), avatars, config, folder, missing)
    elif missing:
        state = {k: v.cpu() for k, v in network.state_dict().items()}
        parts = [missing[k :: config.workers] for k in range(config.workers)]
        exit_if_unguarded()
        context = get_context("spawn")
        with ProcessPoolExecutor(config.workers, mp_context=context) as pool:
            jobs = [
                pool.submit(write_shards, network.config, state, avatars, config, folder, p)
                for p in parts
                if p
            ]
            for job in jobs:
                try:
                    job.result()
                except BrokenProcessPool as error:
                    raise helper_died() from error
    processes.barrier()
    return [Shard.load(shard_file(folder, i)) for i in range(config.shards)]


def backbone_fingerprint(network: FesNet, *others: bytes) -> str:
    """sha256 of the network's config, the weights of LSDM's backbone, and the `others`."""
    total = hashlib.sha256(stable_repr(network.config).encode())
    for name, value in sorted(network.lsdm.state_dict().items()):
        if name.startswith(BACKBONE_PARTS):
            total.update(value.detach().cpu().numpy().tobytes())
    for other in others:
        total.update(other)
    return total.hexdigest()


def check_fingerprint(folder: Path, fingerprint: str) -> None:
    """Make the folder of the shards with this fingerprint. Raises UsageError where it holds
    others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FINGERPRINT
    if file.is_file() and file.read_text(encoding="utf-8") != fingerprint:
        raise UsageError(
            f"expected windows of this training in {folder}, got those of another; remove the "
            "folder"
        )
    if not file.is_file():
        atomic_write_text(file, fingerprint)


def write_shards(
    model: FesNetConfig,
    state: dict[str, Tensor],
    avatars: Sequence[Avatar],
    config: TrainConfig,
    folder: Path,
    which: Sequence[int],
) -> None:
    """Make the shards `which` with a network of its own, so that this runs in any process."""
    torch.set_num_threads(1)
    network = FesNet(model)
    network.load_state_dict(state)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    maker = ShardMaker(network, avatars, config.synth, config.seed, config.hands)
    for index in which:
        maker.make(index).save(shard_file(folder, index))


def shard_file(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.npz"

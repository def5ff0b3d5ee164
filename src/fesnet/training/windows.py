"""Windows as a frozen LSDM sees them, made once and used many times: what MTAM learns from at
little cost.

Rendering a face and looking at its pixels costs a hundred times what MTAM does with the result.
While LSDM keeps still, its features of a window never change, so they are computed once, kept on
disk in shards, and MTAM sees each window in many epochs, each time with another draw of the
landmark model's errors. Shard i follows from (seed, i) alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
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
from fesnet.model.network import FesNet
from fesnet.synth.render.avatar import Avatar
from fesnet.synth.render.avatar_renderer import AvatarRenderer, AvatarTracks
from fesnet.synth.render.batches import REFLECTED_SHARE
from fesnet.synth.render.hands import Hand, draw_hand
from fesnet.synth.render.landmark_errors import mirror_landmark_features, simulate_landmark_features
from fesnet.synth.render.render_plan import plan_render, render_crops
from fesnet.synth.script.motion import (
    Script,
    SynthConfig,
    replace_photo_smile,
    varied,
    write_script,
)
from fesnet.training.config import TrainConfig
from fesnet.training.distributed import SINGLE_PROCESS, Processes
from fesnet.windows import to_and_fro

SCRIPTS = 8  # performances in a shard
SECONDS = 20  # length of each
LEAD = 3.0  # s that are written before and cut, so that a performance may open inside an event
MARK = "fingerprint.txt"  # beside shards: of what they were made
BACKBONE_PARTS = (
    "stem",
    "backbone",
    "attention",
    "local",
    "pool",
)  # the parts of LSDM that see pixels
DRAWS = 2  # draws of the landmark model's errors of each performance
STARTS = 6  # windows of each performance


@dataclass(frozen=True)
class Shard:
    """N windows of S performances.

    pixels (N, T, D) float16: LSDM's pixel features against the window's first frame. labels (N, T)
    int8, -1 behind the last real frame, from where the window runs to and fro. strength (N, T)
    float16. shapes (S, DRAWS, F, SHAPE) float16 of whole performances; window n begins at frame
    start[n] of performance script[n], and its last real frame is last[n] (window frame).
    """

    pixels: NDArray[np.float16]
    labels: NDArray[np.int8]
    strength: NDArray[np.float16]
    shapes: NDArray[np.float16]
    script: NDArray[np.int64]
    start: NDArray[np.int64]
    last: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write the arrays to an `.npz`, atomically."""
        with atomic_open(path) as handle:
            np.savez(handle, **self.__dict__)

    @classmethod
    def load(cls, path: Path) -> Shard:
        with np.load(path, allow_pickle=False) as table:
            return cls(**{name: table[name] for name in cls.__dataclass_fields__})


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
        self.stage = AvatarRenderer(avatars)
        self.frames = round(SECONDS * config.rate)

    @torch.inference_mode()
    def make(self, index: int) -> Shard:
        """Shard `index`."""
        parts = [self.perform(np.random.default_rng([self.seed, index, i])) for i in range(SCRIPTS)]
        windows = [w for part in parts for w in part[0]]
        pixels, labels, strength, start, last = (
            np.stack(column) for column in zip(*windows, strict=True)
        )
        script = np.repeat(np.arange(SCRIPTS), STARTS)
        return Shard(
            pixels, labels, strength, np.stack([part[1] for part in parts]), script, start, last
        )

    def perform(
        self, rng: np.random.Generator
    ) -> tuple[list[tuple[Any, ...]], NDArray[np.float16]]:
        """Windows of one performance, and its shapes."""
        who = int(rng.integers(len(self.avatars)))
        script = write_script(
            rng, self.frames, varied(self.config, rng), lead=round(LEAD * self.config.rate)
        )
        script = script if self.stage.has_smile[who] else replace_photo_smile(script)
        flip = bool(rng.random() < 0.5)
        hand = draw_hand(rng, self.frames, self.config.rate) if rng.random() < self.hands else None
        attended = self.look(who, script, flip, hand, rng)
        avatar = self.avatars[who]
        shapes = np.stack(
            [
                simulate_landmark_features(script, avatar.points[:468], avatar.smile, rng)
                for _ in range(DRAWS)
            ]
        )
        shapes = shapes if hand is None else hand.mislead(shapes, rng)
        shapes = mirror_landmark_features(shapes) if flip else shapes
        return [self.window(attended, script, rng) for _ in range(STARTS)], shapes.astype(
            np.float16
        )

    def look(
        self, who: int, script: Script, flip: bool, hand: Hand | None, rng: np.random.Generator
    ) -> Tensor:
        """(F, P, C) attended features of one filmed performance."""
        offset = rng.normal(0, 1, (1, 1, 4)) * [0.012, 0.012, 0.02, 0.03]
        given = AvatarTracks.of([who], [script])
        frames = replace(given, jitter=(given.jitter + offset).astype(np.float32))
        size = self.network.config.crop_size
        shots = plan_render(
            self.stage,
            frames,
            size,
            rng,
            face_only=self.network.config.face_only,
            flipped=np.array([flip]),
        )
        crops = render_crops(self.stage, replace(shots, hands=(hand,)), size)[0]
        with torch.autocast("cpu", torch.bfloat16):
            parts = (
                crops[i : i + 64].contiguous(memory_format=torch.channels_last)
                for i in range(0, self.frames, 64)
            )
            seen = [self.network.encode_grey(part) for part in parts]
        return torch.cat(seen).float()

    def window(self, attended: Tensor, script: Script, rng: np.random.Generator) -> tuple[Any, ...]:
        """pixels, labels, strength, start, last of one window."""
        length = self.network.config.window
        edge = rng.random() < 0.15  # now and then the first or last window of a video
        start = int(
            rng.choice([0, self.frames - length])
            if edge
            else rng.integers(self.frames - length + 1)
        )
        last = (
            int(rng.integers(length // 6, length - 1))
            if rng.random() < REFLECTED_SHARE
            else length - 1
        )
        at = start + to_and_fro(length, last)
        with torch.autocast("cpu", torch.bfloat16):
            pixels = self.network.lsdm.encode_pixels(
                attended[at][None], attended[start : start + 1][None]
            )[0]
        labels = script.labels()[at].astype(np.int8)
        labels[last + 1 :] = -1
        if (
            labels.all()
        ):  # one expression from edge to edge: nothing changes by which it could be told from none
            labels[:] = -1
        strength = script.intensity[at].astype(np.float16)
        return pixels.half().numpy(), labels, strength, np.int64(start), np.int64(last)


@dataclass(frozen=True)
class WindowBatch:
    """B windows: pixels (B, T, D), shapes (B, T, SHAPE), labels (B, T) 0 1 2 or -1, intensity (B,
    T).
    """

    pixels: Tensor
    shapes: Tensor
    labels: Tensor
    intensity: Tensor


def joined(one: WindowBatch, other: WindowBatch) -> WindowBatch:
    """The windows of both."""
    columns = zip(vars(one).values(), vars(other).values(), strict=True)
    return WindowBatch(*(torch.cat(pair) for pair in columns))


class WindowSet:
    """All windows of many shards in memory, to draw batches from."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.pixels, self.labels, self.strength, self.start, self.last = (
            torch.from_numpy(np.concatenate([getattr(s, name) for s in shards]))
            for name in ("pixels", "labels", "strength", "start", "last")
        )
        self.shapes = torch.from_numpy(np.concatenate([s.shapes for s in shards]))
        counts = np.cumsum([0] + [len(s.shapes) for s in shards[:-1]])
        self.script = torch.from_numpy(
            np.concatenate([s.script + first for s, first in zip(shards, counts, strict=True)])
        )

    def __len__(self) -> int:
        return len(self.start)

    def batch(self, which: Tensor, draw: Tensor) -> WindowBatch:
        """Windows (B,) with draws (B,) of the landmark model's errors."""
        at = self.start[which][:, None] + torch.from_numpy(
            to_and_fro(self.labels.shape[1], self.last[which, None].numpy())
        )
        shapes = self.shapes[self.script[which][:, None], draw[:, None], at]
        values = (
            self.pixels[which].float(),
            shapes.float(),
            self.labels[which].long(),
            self.strength[which].float(),
        )
        return WindowBatch(*values)

    def draw(
        self,
        rng: np.random.Generator,
        count: int,
        blind: float,
        swapped: float = 0.0,
        altered: float = 0.0,
    ) -> WindowBatch:
        """`count` random windows; a share `blind` of them without pixels and as many without
        shapes, `swapped` with another window's pixels, `altered` in speed and size (`alter`)."""
        which = torch.from_numpy(rng.integers(len(self), size=count))
        batch = self.batch(which, torch.from_numpy(rng.integers(self.shapes.shape[1], size=count)))
        if altered:
            alter(rng, batch, altered)
        fate = torch.from_numpy(rng.random(count))
        batch.pixels[fate < blind] = 0
        still = (fate >= blind) & (fate < 2 * blind)
        batch.shapes[still] = batch.shapes[still, :1].expand_as(batch.shapes[still])
        other = fate > 1 - swapped
        batch.pixels[other] = self.pixels[
            torch.from_numpy(rng.integers(len(self), size=int(other.sum())))
        ].float()
        return batch


def alter(rng: np.random.Generator, batch: WindowBatch, share: float) -> None:
    """Let a share of the windows run faster or slower by up to a fifth and move up to a third more
    or less, in place.

    A window begins with the same frame as before, to which its features are changes. One that runs
    faster turns round at its end, and those frames do not count.
    """
    length = batch.labels.shape[1]
    for b in np.flatnonzero(rng.random(len(batch.labels)) < share):
        at = np.arange(length) * np.exp(rng.uniform(-0.18, 0.18))
        size, inside = float(np.exp(rng.uniform(-0.3, 0.3))), torch.from_numpy(at <= length - 1)
        at = np.where(at <= length - 1, at, 2 * (length - 1) - at)
        left = np.minimum(at.astype(int), length - 2)
        part = torch.from_numpy((at - left).astype(np.float32))[:, None]
        for track in (batch.pixels, batch.shapes):
            track[b] = torch.lerp(track[b, left], track[b, left + 1], part)
            track[b] = track[b, :1] + size * (track[b] - track[b, :1])
        near = torch.from_numpy(np.rint(at).astype(np.int64))
        batch.labels[b] = torch.where(inside, batch.labels[b, near], -1)
        strength = batch.intensity[b, near]
        batch.intensity[b] = torch.where(strength < 0, strength, size * strength)


def make_shards(
    network: FesNet,
    avatars: Sequence[Avatar],
    config: TrainConfig,
    folder: Path,
    peers: Processes = SINGLE_PROCESS,
) -> list[Shard]:
    """All shards of a training run; those that lie in `folder` already are taken as they are. Each
    of the peers makes its share of the others; they must see the same folder. Raises UsageError
    where the folder holds those of another run."""
    faces = [avatar.points.tobytes() for avatar in avatars]
    keep_apart(
        folder,
        fingerprint(network, repr((config.synth, config.seed, config.hands)).encode(), *faces),
    )
    missing = [i for i in range(config.shards) if not shard_file(folder, i).is_file()]
    peers.meet()  # nobody writes before all have looked
    missing = missing[peers.rank :: peers.count]
    if missing and config.workers < 2:
        write_shards(network.config, network.state_dict(), avatars, config, folder, missing)
    elif missing:
        state = {k: v.cpu() for k, v in network.state_dict().items()}
        parts = [missing[k :: config.workers] for k in range(config.workers)]
        context = get_context("spawn")
        with ProcessPoolExecutor(config.workers, mp_context=context) as pool:
            jobs = [
                pool.submit(write_shards, network.config, state, avatars, config, folder, p)
                for p in parts
                if p
            ]
            for job in jobs:
                job.result()
    peers.meet()
    return [Shard.load(shard_file(folder, i)) for i in range(config.shards)]


def fingerprint(network: FesNet, *others: bytes) -> str:
    """Changes with the network's config and the weights of the LSDM that looks, and with the
    `others`.
    """
    total = hashlib.sha256(repr(network.config).encode())
    for name, value in sorted(network.lsdm.state_dict().items()):
        if name.startswith(BACKBONE_PARTS):
            total.update(value.detach().cpu().numpy().tobytes())
    for other in others:
        total.update(other)
    return total.hexdigest()


def keep_apart(folder: Path, mark: str) -> None:
    """Make the folder of the shards with this fingerprint. Raises UsageError where it holds
    others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / MARK
    if file.is_file() and file.read_text(encoding="utf-8") != mark:
        raise UsageError(
            f"expected windows of this training in {folder}, got those of another; remove the "
            "folder"
        )
    if not file.is_file():
        atomic_write_text(file, mark)


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

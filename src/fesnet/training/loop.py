"""Portraits -> weights, in three phases.

pairs    LSDM learns from pairs of frames to see motion windows  LSDM keeps still; proposals and
MTAM learn from windows that it has seen once (`fesnet.training.windows`) clips    everything
together on filmed clips, end to end; on a GPU that paints them, while processes draw

Batches follow from (seed, step) alone, and so does every random number of a step, so a run that was
interrupted and resumed ends with the same weights as one that was not; and one by several processes
(torchrun) as one by one, to rounding (`fesnet.training.distributed`).
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader

from fesnet._io import atomic_path
from fesnet.config import PRESETS, FesNetConfig
from fesnet.errors import CheckpointError, UsageError
from fesnet.model.checkpoint import load_network, save_weights
from fesnet.model.losses import clip_losses, pair_loss
from fesnet.model.network import FesNet
from fesnet.postprocess import IntervalRules
from fesnet.synth.render.avatar import Avatar
from fesnet.synth.render.avatar_renderer import AvatarRenderer
from fesnet.synth.render.batches import ClipBatch, PairBatch, expressive_targets, render_clips
from fesnet.synth.render.portraits import read_avatars
from fesnet.synth.render.render_plan import RenderPlan, render_crops
from fesnet.training.config import TrainConfig, read_config
from fesnet.training.distributed import (
    SINGLE_PROCESS,
    Processes,
    init_processes,
    synchronize_layers,
)
from fesnet.training.ema import update_ema
from fesnet.training.samples import SampledBatch, SyntheticBatches
from fesnet.training.video_windows import make_training_videos, video_shards
from fesnet.training.windows import BACKBONE_PARTS, WindowBatch, WindowSet, joined, make_shards
from fesnet.weights import BUNDLED, Weights, load_weights

STATE = "state.safetensors"
FREE = {"device", "save_every", "threads", "workers"}  # what a training may go on with otherwise
TELL_EVERY = 50  # steps between lines of progress
AT_ONCE = 5120  # frames that a GPU encodes at once


class Trainer:
    """Holds network and optimiser; `run` goes from the step it stands at to the end. peers: who
    trains with it.
    """

    def __init__(
        self,
        network: FesNet,
        avatars: Sequence[Avatar],
        config: TrainConfig,
        folder: Path,
        films: Path | None = None,
        peers: Processes = SINGLE_PROCESS,
    ) -> None:
        """folder: for the state and shards; films: videos of `fesnet synth`, of the same people, to
        mix in.
        """
        if not avatars:
            raise UsageError("expected at least one portrait with a face to train on, got none")
        if config.pair_steps and not network.config.motions:
            raise UsageError(
                "expected a network with a motion head for pair steps; the paper's has none"
            )
        if peers.count > 1 and config.clip_steps and not (config.pair_steps or config.head_steps):
            raise UsageError(
                "expected pair or head steps before clip steps for several processes, got none; "
                "use one"
            )
        self.peers = peers
        synchronize_layers(network, peers)
        self.network = network.to(config.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self.avatars, self.config, self.folder, self.films = avatars, config, folder, films
        seeing = tuple(f"lsdm.{part}" for part in BACKBONE_PARTS)  # what pairs train
        named = list(network.named_parameters())
        self.seeing = [p for n, p in named if n.startswith(seeing)]
        rest = [p for n, p in named if not n.startswith(seeing)]
        self.optimizer = torch.optim.AdamW(
            [{"params": rest}, {"params": self.seeing}],
            lr=config.pair_lr,
            weight_decay=config.weight_decay,
        )
        self.stage: AvatarRenderer | None = None  # paints where a GPU does
        self.ema = copy.deepcopy(self.network)
        self.step = 0

    @property
    def steps(self) -> int:
        return self.config.steps

    def run(self) -> Iterator[dict[str, float]]:
        """Train to the end, saving the state every `save_every` steps and at the end; yields each
        step's terms.
        """
        c = self.config
        torch.set_num_threads(c.threads)
        started = time.monotonic()
        for batch in self.batches():
            torch.manual_seed(
                c.seed * 1_000_003 + self.step
            )  # dropout follows from the step, so resuming is exact
            if isinstance(batch, PairBatch):
                terms = self.pairs(batch)
            else:
                terms = self.windows(batch) if isinstance(batch, WindowBatch) else self.clips(batch)
            self.step += 1
            self.average()
            yield {"step": self.step, "seconds": time.monotonic() - started, **terms}
            if self.step % c.save_every == 0:
                self.save()
        self.save()
        self.network.load_state_dict(self.ema.state_dict())
        self.network.eval()

    def average(self) -> None:
        """Draw the averaged weights towards the network's; while LSDM learns from pairs they are
        the network's.
        """
        since = self.step - self.config.pair_steps
        share = min(self.config.average, 1 - 1 / since) if since > 1 else 0.0
        update_ema(self.ema, self.network, share)

    def batches(self) -> Iterator[SampledBatch | WindowBatch]:
        c = self.config
        head, end = c.pair_steps, c.pair_steps + c.head_steps
        yield from self.made(range(self.step, head))
        if self.step < end:
            windows = WindowSet(
                make_shards(self.network, self.avatars, c, self.folder / "shards", self.peers)
            )
            films = self.filmed()
            few = round(c.windows * c.film_share) if films else 0
            while self.step < end:
                rng = np.random.default_rng([c.seed, self.step])
                batch = windows.draw(rng, c.windows - few, c.blind, c.swapped, c.altered)
                yield (
                    batch
                    if films is None
                    else joined(batch, films.draw(rng, few, c.blind, 0.0, c.altered))
                )
        yield from self.made(range(self.step, c.steps))

    def filmed(self) -> WindowSet | None:
        """The windows of the films, if there are films."""
        if self.films is None:
            return None
        shards = video_shards(
            self.network, self.films, self.folder / "film-shards", self.config.seed
        )
        if not self.peers.first:
            self.peers.meet()  # the first makes them
        windows = WindowSet(list(shards))
        if self.peers.first:
            self.peers.meet()
        return windows

    def made(self, steps: range) -> Iterator[SampledBatch]:
        if not steps:
            return iter(())
        if (
            self.peers.count > 1
        ):  # making a batch costs more than learning from it: each process makes every count-th
            mine = steps[self.peers.rank :: self.peers.count]
            return self.peers.in_turn(self.made_here(mine), steps)
        return self.made_here(steps)

    def made_here(self, steps: range) -> Iterator[SampledBatch]:
        data = SyntheticBatches(self.avatars, self.config, self.network.config, steps)
        if self.config.workers == 0:
            return (data[i] for i in range(len(data)))
        context = "spawn"  # a fork would inherit the thread pools of this process and could hang
        loader = DataLoader(
            data,
            batch_size=None,
            num_workers=self.config.workers,
            multiprocessing_context=context,
            prefetch_factor=3,
        )
        return iter(loader)

    def painter(self) -> AvatarRenderer:
        """All avatars on the device that learns."""
        self.stage = self.stage or AvatarRenderer(self.avatars, self.config.device)
        return self.stage

    def pairs(self, batch: PairBatch[Any]) -> dict[str, float]:
        """One step on all ordered pairs of frames of each group; this process looks at its share of
        the groups.
        """
        net, (g, f) = self.network.train(), batch.targets.shape[:2]
        self.rates(self.config.pair_lr, self.step, self.config.pair_steps, 1.0)
        first, second = zip(*((i, j) for i in range(f) for j in range(f) if i != j), strict=True)
        crops, targets = batch.crops[self.peers.span(g)], batch.targets.to(self.config.device)
        if isinstance(crops, RenderPlan):
            crops = render_crops(self.painter(), crops, net.config.crop_size)
        crops = crops.to(self.config.device)
        with self.precision():
            z = net.encode_grey(crops.flatten(0, 1).contiguous(memory_format=torch.channels_last))
            z = z.view(len(crops), f, *z.shape[1:])
            found = net.lsdm.predict_motion(
                z[:, list(second)].flatten(0, 1)[:, None], z[:, list(first)].flatten(0, 1)[:, None]
            )
        truth = (targets[:, list(second)] - targets[:, list(first)]).flatten(0, 1)
        seen = self.peers.whole(found[:, 0].float().view(len(crops), len(first), -1), g)
        expressive = expressive_targets().to(truth.device)
        loss = pair_loss(seen.flatten(0, 1), truth, expressive)
        self.update(loss)
        nothing = pair_loss(torch.zeros_like(truth), truth, expressive)
        return {"pair": loss.item(), "share": loss.item() / max(nothing.item(), 1e-9)}

    def windows(self, batch: WindowBatch) -> dict[str, float]:
        """One step on windows that the frozen LSDM has seen."""
        c = self.config
        self.network.train()
        self.rates(c.head_lr, self.step - c.pair_steps, c.head_steps, 0.0)
        mine = self.peers.span(len(batch.pixels))
        with self.precision():
            stages, strength = self.scored(batch.pixels[mine].to(c.device), batch.shapes[mine])
        return self.learn(stages, strength, batch.labels, batch.intensity)

    def scored(self, pixels: Tensor, shapes: Tensor) -> tuple[Tensor, Tensor]:
        """Stage logits and intensity of windows, from their pixels' features (B, T, D) and shapes
        (B, T, SHAPE).
        """
        net = self.network
        if not net.config.landmark_feature_count:
            return net.score(pixels)
        change = shapes - shapes[:, :1] if net.config.discrepancy else shapes
        return net.score(
            torch.cat([pixels, net.lsdm.encode_landmarks(change.to(pixels.device))], -1)
        )

    def clips(self, batch: ClipBatch[Any]) -> dict[str, float]:
        """One step on filmed clips, end to end."""
        c, net = self.config, self.network.train()
        self.rates(c.clip_lr, self.step - c.pair_steps - c.head_steps, c.clip_steps, c.lsdm_lr)
        if c.lsdm_lr < 1:
            net.lsdm.eval()  # batch statistics of a few clips are poorer than those of many pairs
        mine = self.peers.span(len(batch.labels))
        part = batch[mine]
        if isinstance(part.crops, RenderPlan):
            part = render_clips(self.painter(), part, net.config.crop_size)
        crops, shapes = part.crops.to(c.device), part.shapes.to(c.device)
        with self.precision():
            with torch.set_grad_enabled(c.lsdm_lr > 0):
                attended = self.attended(crops)
            if net.config.reference == "first":
                with torch.set_grad_enabled(c.lsdm_lr > 0):
                    pixels = net.lsdm.encode_pixels(attended, attended[:, :1])
                fate = torch.rand(len(batch.labels))[mine, None, None].to(c.device)
                stages, strength = self.scored(*self.blinded(pixels, shapes, fate))
            else:
                stages, strength = net.decode(
                    net.append_landmarks(attended, shapes)
                    if net.config.landmark_feature_count
                    else attended
                )
        return self.learn(stages, strength, batch.labels, batch.intensity)

    def attended(self, crops: Tensor) -> Tensor:
        """(B, T, P, C) of crops (B, T, 1, S, S)."""
        # Not all at once on a CPU: the attention of a thousand frames would be hundreds of
        # megabytes.
        frames, step = crops.flatten(0, 1), AT_ONCE if self.config.gpu else crops.shape[1]
        parts = (
            frames[i : i + step].contiguous(memory_format=torch.channels_last)
            for i in range(0, len(frames), step)
        )
        z = torch.cat([self.network.encode_grey(part) for part in parts])
        return z.view(*crops.shape[:2], *z.shape[1:])

    def blinded(self, pixels: Tensor, shapes: Tensor, fate: Tensor) -> tuple[Tensor, Tensor]:
        """A share of the clips without pixels, and as many without shapes: each must find what it
        shows. fate (B, 1, 1) in 0..1."""
        blind = self.config.blind
        still = (fate >= blind) & (fate < 2 * blind)
        return pixels * (fate >= blind), torch.where(still, shapes[:, :1], shapes)

    def learn(
        self, stages: Tensor, strength: Tensor, labels: Tensor, truth: Tensor
    ) -> dict[str, float]:
        """Losses of stage logits (S, B, T, K) and intensity (B, T), and one update."""
        device = self.config.device
        stages, strength = (
            self.peers.whole(stages.float(), len(labels), 1),
            self.peers.whole(strength.float(), len(labels)),
        )
        terms = clip_losses(stages, strength, labels.to(device), truth.to(device), self.config.loss)
        self.update(terms["total"])
        return {name: value.item() for name, value in terms.items()}

    def precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(
            self.config.device.split(":")[0], torch.bfloat16, enabled=self.config.bf16
        )

    def rates(self, peak: float, at: int, steps: int, lsdm: float) -> None:
        """Linear warm-up, then half a cosine down to a fiftieth."""
        fall = 0.5 + 0.5 * math.cos(math.pi * min(at / max(steps, 1), 1.0))
        lr = peak * min(1.0, (at + 1) / self.config.warmup) * (0.02 + 0.98 * fall)
        for group, share in zip(self.optimizer.param_groups, (1.0, lsdm), strict=True):
            group["lr"] = lr * share

    def update(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.peers.sum_gradients(self.network)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()

    # -- state
    # ---------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write network, optimiser and step beside each other; a kill at any moment leaves the last
        whole state.
        """
        if not self.peers.first:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"net.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"avg.{k}": v for k, v in self.ema.state_dict().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"opt.{index}.{k}": torch.as_tensor(v) for k, v in values.items()}
        meta = {"step": str(self.step), "config": json.dumps(asdict(self.config))}
        whole = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        with atomic_path(self.folder / STATE) as part:
            save_file(whole, part, metadata=meta)

    def resume(self) -> bool:
        """Take up a saved state, if there is one; returns whether there was. Raises
        CheckpointError, and UsageError where it was saved by a training with another config."""
        path = self.folder / STATE
        if not path.is_file():
            return False
        from safetensors import safe_open

        try:
            tensors = load_file(path)
            with safe_open(path, "pt") as opened:
                step, before = (
                    int(opened.metadata()["step"]),
                    json.loads(opened.metadata()["config"]),
                )
            for name, network in (("net.", self.network), ("avg.", self.ema)):
                network.load_state_dict(
                    {k[4:]: v for k, v in tensors.items() if k.startswith(name)}
                )
        except Exception as error:
            raise CheckpointError(
                f"expected a training state in {path}, but it does not fit ({error})"
            ) from error
        now = json.loads(json.dumps(asdict(self.config)))  # tuples become lists, as they did there
        changed = sorted(k for k in {*now, *before} - FREE if now.get(k) != before.get(k))
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
        whole = self.optimizer.state_dict()
        self.optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
        self.step = step
        return True


def train_from_portraits(
    portraits: Path,
    out: Path,
    preset: str,
    file: Path | None,
    steps: dict[str, int | None],
    *,
    resume: bool = False,
    start: str | Path | None = None,
) -> Iterator[str]:
    """Train on a folder of portraits and write a weights folder; yields lines that tell how it
    goes.

    The state lies in `OUT.state` until the weights are written. file: TOML with `TrainConfig`
    fields. Raises UsageError where `out` exists, the preset is unknown, or there is a state that
    nobody asked to resume. start: weights to go on from ("bundled" or a folder) in the preset's
    stead.
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
    config = fitting(read_config(file, steps), model, fresh=begun is None)
    peers, device = init_processes(config.device)
    config = replace(config, device=device)
    avatars, left_out = read_avatars(portraits, smilers=config.smilers)
    yield from (f"left out: {line}" for line in left_out)
    torch.manual_seed(config.seed)
    films = make_training_videos(portraits, state / "films", config, peers)
    network = load_network(begun) if begun else FesNet(model)
    trainer = Trainer(network, avatars, config, state, films, peers)
    if resume and trainer.resume():
        yield f"resumed at step {trainer.step} of {trainer.steps}"
    for terms in trainer.run():
        if trainer.step % TELL_EVERY == 0 or trainer.step == trainer.steps:
            yield " ".join(f"{name} {value:.4g}" for name, value in terms.items())
    if not peers.first:
        return
    training = {
        "data": f"synthetic video from {len(avatars)} faces",
        "config": asdict(config),
        **before(begun),
    }
    rules = begun.rules if begun else IntervalRules().to_dict()
    save_weights(trainer.network, out, training=training, rules=rules)
    yield f"weights in {out}"


def before(begun: Weights | None) -> dict[str, Any]:
    """What weights say of those that training began with."""
    return {"start": {"sha256": begun.sha256, "training": begun.training}} if begun else {}


def fitting(config: TrainConfig, model: FesNetConfig, *, fresh: bool = True) -> TrainConfig:
    """What can be trained of a network. The paper's has no motion head: pairs cannot train it, so
    its clips alone do. A fresh network that only clips train learns all at one rate: there is no
    LSDM yet to be careful with."""
    if not model.motions and config.pair_steps:
        steps = config.clip_steps or config.head_steps
        config = replace(config, pair_steps=0, head_steps=0, clip_steps=steps)
    alone = fresh and not (config.pair_steps or config.head_steps)
    return replace(config, lsdm_lr=1.0) if alone else config

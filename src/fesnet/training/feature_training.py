"""MTAM, cascade and smooth loss on features that were extracted before: samples -> network ->
scores of other videos.

Made for small data sets (twenty people, a few hundred expressions, one micro frame in a hundred):
windows are drawn around expressions more often than not, each is changed a little every time, and
what is kept is a moving average of the weights. Everything follows from the seed. All numbers are
our choice.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fesnet._types import Float32Array
from fesnet.config import FesNetConfig
from fesnet.errors import UsageError
from fesnet.intervals import true_runs
from fesnet.model.losses import LossConfig, frame_loss, independent_frame_loss, smooth_loss
from fesnet.model.mtam import probabilities
from fesnet.model.network import FeatureNet
from fesnet.training.ema import update_ema
from fesnet.windows import add_window

Network = nn.Module  # (B, T, F) -> logits of its stages (S, B, T, K), and something of its own
Checkpoint = Callable[[Network], None]
Loss = Callable[
    [Tensor, Tensor, Tensor], Tensor
]  # both outputs and held (B, T, 2) -> what to minimise


@dataclass(frozen=True)
class FeatureTrainConfig:
    """How to train on features; a step is one update on `windows` windows."""

    steps: int = 250
    windows: int = 16
    lr: float = 2e-3  # highest of the one-cycle schedule
    weight_decay: float = 0.02
    around: float = 0.6  # share of windows that are drawn around an expression
    micro_share: float = 3.0  # how many times more often around a micro than around a macro
    checkpoints: tuple[float, ...] = (
        0.4,
        0.6,
        0.8,
        1.0,
    )  # shares of the steps: the epochs to choose from
    average: float = 0.98  # of the weights' moving average, a step
    gain: float = 0.25  # standard deviation of the log of a window's amplitude
    stretch: float = 0.15  # windows play up to this much faster or slower
    noise: float = 0.1  # of the inputs, which are about 1 where something moves
    dropped: float = 0.1  # share of groups of inputs (regions) that a window lacks
    drift: float = 0.3  # size of a slow line added to each input of a window
    loss: LossConfig = field(
        default_factory=lambda: LossConfig((1.0, 3.0, 8.0), focal=1.0, smooth=0.15)
    )

    def __post_init__(self) -> None:
        if min(self.steps, self.windows) < 1:
            raise UsageError("expected at least one step and one window to train")


@dataclass(frozen=True, eq=False)
class FeatureSample:
    """One training video on the working axis: inputs (T, F), held (T, 2), 1 where a macro, a micro
    is, -1 unknown.
    """

    inputs: Float32Array
    labels: NDArray[np.int8]


class FeatureWindows:
    """All training videos one behind the other, to draw windows from."""

    def __init__(self, samples: Sequence[FeatureSample], window: int) -> None:
        self.window = window
        self.inputs = torch.from_numpy(np.concatenate([sample.inputs for sample in samples]))
        self.labels = torch.from_numpy(np.concatenate([sample.labels for sample in samples]))
        ends = np.cumsum([len(sample.inputs) for sample in samples])
        self.video = np.repeat(np.arange(len(samples)), np.diff(ends, prepend=0))
        self.first, self.last = np.concatenate([[0], ends[:-1]]), ends - 1
        self.events = [
            np.array(
                [
                    (a, b)
                    for n, sample in enumerate(samples)
                    for a, b in kind_runs(sample, k, self.first[n])
                ],
                int,
            )
            for k in range(2)
        ]
        if not any(map(len, self.events)):
            raise UsageError(
                "expected expressions in the training videos, got none; training needs some"
            )

    def draw(self, rng: np.random.Generator, config: FeatureTrainConfig) -> tuple[Tensor, Tensor]:
        """Inputs (B, T, F) and held (B, T, 2) of random windows, played a little faster or
        slower.
        """
        weights = np.array([len(self.events[0]), config.micro_share * len(self.events[1])])
        middle = rng.integers(len(self.inputs), size=config.windows)
        for i in np.flatnonzero(rng.random(config.windows) < config.around):
            events = self.events[int(rng.random() < weights[1] / weights.sum())]
            a, b = events[rng.integers(len(events))]
            near = rng.integers(a, b) + rng.integers(-self.window // 2, self.window // 2)
            middle[i] = np.clip(near, self.first[self.video[a]], self.last[self.video[a]])
        video = self.video[middle]
        speed = np.exp(rng.uniform(-1, 1, (config.windows, 1)) * config.stretch)
        at = np.rint(middle[:, None] + (np.arange(self.window) - self.window // 2) * speed).astype(
            int
        )
        inside = (at >= self.first[video, None]) & (at <= self.last[video, None])
        index = torch.from_numpy(np.clip(at, self.first[video, None], self.last[video, None]))
        labels = self.labels[index]
        labels[torch.from_numpy(~inside)] = -1
        return self.inputs[index], labels


def kind_runs(sample: FeatureSample, kind: int, first: int) -> list[tuple[int, int]]:
    return [(first + a, first + b) for a, b in true_runs(sample.labels[:, kind] == 1)]


def augment_features(inputs: Tensor, groups: Tensor, config: FeatureTrainConfig) -> Tensor:
    """Windows (B, T, F) a little changed: amplitude, noise, groups of inputs (F,) that are missing,
    a slow line.
    """
    b, t, f = inputs.shape
    gain = torch.exp(config.gain * torch.randn(b, 1, 1))
    line = torch.linspace(-1, 1, t)[None, :, None] * torch.randn(b, 1, f) + torch.randn(b, 1, f)
    kept = torch.rand(b, 1, int(groups.max()) + 1) >= config.dropped
    out = inputs * gain + config.noise * torch.randn(inputs.shape) + config.drift * line
    return out * kept[:, :, groups]


def staged_loss(stages: Tensor, labels: Tensor, config: LossConfig, *, independent: bool) -> Tensor:
    """Mean frame loss of all stages (S, B, T, K) and the smooth loss of the refined ones."""
    known = labels[..., 0] >= 0
    if independent:
        frames = [independent_frame_loss(logits, labels.float(), config) for logits in stages]
        pairs = [torch.stack([0 * s[..., 1:], s[..., 1:] - s[..., :1]], -1) for s in stages[1:]]
        smooth = [
            smooth_loss(p[:, :, k], known.long() - 1, config) for p in pairs for k in range(2)
        ]
    else:
        labels = torch.where(labels[..., 1] == 1, 2, labels[..., 0].long())
        frames = [frame_loss(logits, labels, config) for logits in stages]
        smooth = [smooth_loss(logits, labels, config) for logits in stages[1:]]
    return torch.stack(frames).mean() + config.smooth * torch.stack(smooth).mean()


@dataclass(frozen=True)
class TrainingSpec:
    """What is trained and how: make (after seeding) and loss of a network, windows of `window`
    frames.
    """

    make: Callable[[], Network]
    loss: Loss
    window: int
    config: FeatureTrainConfig


def train_on_features(
    samples: Sequence[FeatureSample],
    groups: Sequence[int],
    spec: TrainingSpec,
    seed: int,
    checkpoint: Checkpoint,
) -> Network:
    """Train on samples alone; `checkpoint` gets the averaged network at each of the config's
    checkpoints, the last one is returned. groups: which inputs are of one region. Raises UsageError
    where no sample holds an expression."""
    torch.manual_seed(seed)
    rng, config = np.random.default_rng(seed), spec.config
    windows, group = FeatureWindows(samples, spec.window), torch.tensor(groups)
    network = spec.make().train()
    ema = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.lr, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.lr, total_steps=config.steps + 1
    )
    checkpoints = {round(share * config.steps) for share in config.checkpoints}
    for step in range(1, config.steps + 1):
        inputs, labels = windows.draw(rng, config)
        stages, other = network(augment_features(inputs, group, config))
        loss = spec.loss(stages, other, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        update_ema(ema, network, min(config.average, 1 - 1 / step))
        if step in checkpoints:
            checkpoint(ema)
    return ema


@torch.inference_mode()
def score_features(network: Network, config: FesNetConfig, inputs: Float32Array) -> Float32Array:
    """(T, F) -> (T, 2), macro and micro in 0..1: overlapping windows, averaged, their edges
    weighing less.
    """
    t, window = len(inputs), config.window
    starts = np.unique(np.clip(np.arange(0, t, config.stride), 0, max(t - window, 0)))
    steps = starts[:, None] + np.arange(window)
    sums = np.zeros((t, 3), np.float32)
    whole = torch.from_numpy(inputs)
    for first in range(0, len(starts), 16):
        part = steps[first : first + 16]
        logits = network(whole[torch.from_numpy(np.minimum(part, t - 1))])[0][-1]
        found = probabilities(logits, -1, independent=config.independent)[..., 1:].numpy()
        for rows, values in zip(part, found, strict=True):
            add_window(sums, np.where(rows < t, rows, -1), values, window / 8)
    return np.asarray(sums[:, :2] / sums[:, 2:], np.float32)


def weights_fingerprint(network: Network) -> str:
    """sha256 of all tensors, for proofs that two trainings gave the same weights."""
    digest = hashlib.sha256()
    for name, values in network.state_dict().items():
        digest.update(name.encode() + values.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def train_and_score(
    samples: Sequence[FeatureSample],
    groups: Sequence[int],
    test_inputs: Sequence[Float32Array],
    model: FesNetConfig,
    spec: TrainingSpec,
    seed: int,
) -> tuple[list[Float32Array], str]:
    """Train on samples, score other videos: (E, T, 2) of each at the E checkpoints, and the
    weights' fingerprint.
    """
    # Folds run side by side, and sums come out the same on any number of cores.
    torch.set_num_threads(1)
    checkpoints: list[list[Float32Array]] = [[] for _ in test_inputs]

    def checkpoint(network: Network) -> None:
        for scores, inputs in zip(checkpoints, test_inputs, strict=True):
            scores.append(score_features(network, model, inputs))

    network = train_on_features(samples, groups, spec, seed, checkpoint)
    return [np.stack(scores) for scores in checkpoints], weights_fingerprint(network)


def fesnet_spec(model: FesNetConfig, config: FeatureTrainConfig) -> TrainingSpec:
    """FESNet with a projection in LSDM's place."""

    def loss(stages: Tensor, _: Tensor, labels: Tensor) -> Tensor:
        return staged_loss(stages, labels, config.loss, independent=model.independent)

    return TrainingSpec(lambda: FeatureNet(model), loss, model.window, config)

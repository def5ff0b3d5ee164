"""Two networks on features, one for each kind, each on a time scale of its own.

    macro    three ticks become one; windows of 26 s see a held expression from end to end
    micro    every tick; windows of 3 s, drawn around micro-expressions far more often

Each is the cascade of `fesnet.training.feature_training` with its own windows and balance of the
loss. Its score of its own kind counts, that of the other is only learned along. All numbers are our
choice (ADR 0099).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fesnet._types import Float32Array
from fesnet.config import FesNetConfig
from fesnet.training.feature_training import (
    FeatureSample,
    FeatureTrainConfig,
    fesnet_spec,
    train_and_score,
)


@dataclass(frozen=True)
class KindScale:
    """How the network of one kind sees time and is trained."""

    ticks: int  # that become one step
    window: int  # steps
    windows: int  # of an update
    micro_share: float  # how many times more often around a micro than around a macro
    class_weights: tuple[float, float, float]  # of the loss: neutral, macro, micro

    def model(self, model: FesNetConfig) -> FesNetConfig:
        return replace(model, window=self.window, stride=self.window // 2)

    def training(self, config: FeatureTrainConfig) -> FeatureTrainConfig:
        loss = replace(config.loss, class_weights=self.class_weights)
        return replace(config, windows=self.windows, micro_share=self.micro_share, loss=loss)


MACRO = KindScale(3, 256, 12, 0.3, (1.0, 3.0, 3.0))
MICRO = KindScale(1, 96, 32, 9.0, (1.0, 2.0, 8.0))


def coarsen(table: NDArray[np.floating] | NDArray[np.int8], ticks: int) -> Float32Array:
    """(T, F) -> (T // ticks, F), means of successive rows; one row at least."""
    if ticks == 1:
        return np.asarray(table, np.float32)
    steps = len(table) // ticks
    if steps == 0:
        return np.asarray(table.mean(0, keepdims=True), np.float32)
    whole = np.asarray(table[: steps * ticks], np.float32)
    return np.ascontiguousarray(whole.reshape(steps, ticks, -1).mean(1))


def coarsen_sample(sample: FeatureSample, ticks: int) -> FeatureSample:
    """A step holds an expression where at least half of its ticks do."""
    if ticks == 1:
        return sample
    labels = (coarsen(sample.labels, ticks) >= 0.5).astype(np.int8)
    return FeatureSample(coarsen(sample.inputs, ticks), labels)


def refine(scores: Float32Array, ticks: int, length: int) -> Float32Array:
    """(E, T // ticks, K) -> (E, length, K): each step's score stands at its middle tick."""
    if ticks == 1:
        return scores
    middle = (np.arange(scores.shape[1]) + 0.5) * ticks - 0.5
    columns = [
        [np.interp(np.arange(length), middle, track) for track in epoch.T] for epoch in scores
    ]
    return np.asarray(columns, np.float32).transpose(0, 2, 1)


def train_two_scales(
    samples: Sequence[FeatureSample],
    groups: Sequence[int],
    test_inputs: Sequence[Float32Array],
    model: FesNetConfig,
    config: FeatureTrainConfig,
    seed: int,
) -> tuple[list[Float32Array], str]:
    """As `train_and_score`: macro scores of the one network, micro scores of the other.

    model: of the macro network, but for its window; micro is always scored apart.
    """
    parts: list[list[Float32Array]] = []
    prints = ""
    for scale, independent in ((MACRO, model.independent), (MICRO, True)):
        own = scale.model(replace(model, independent=independent))
        scores, fingerprint = train_and_score(
            [coarsen_sample(s, scale.ticks) for s in samples],
            groups,
            [coarsen(inputs, scale.ticks) for inputs in test_inputs],
            own,
            fesnet_spec(own, scale.training(config)),
            seed,
        )
        lengths = map(len, test_inputs)
        parts.append([refine(s, scale.ticks, n) for s, n in zip(scores, lengths, strict=True)])
        prints += fingerprint
    both = [np.stack([a[..., 0], b[..., 1]], -1) for a, b in zip(*parts, strict=True)]
    return both, hashlib.sha256(prints.encode()).hexdigest()

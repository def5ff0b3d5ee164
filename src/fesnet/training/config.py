"""Training settings; every number is our choice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fesnet._io import read_toml
from fesnet._validation import check_types, require, require_range
from fesnet.config import FesNetConfig
from fesnet.errors import UsageError
from fesnet.model.losses import LossConfig
from fesnet.synth.script.config import SynthConfig

# Names of settings in files of version 0.1 -> names of today.
RENAMED = {
    "smilers": "smiling_every",
    "blind": "modality_dropout",
    "swapped": "modality_shuffle",
    "altered": "time_amplitude_augmentation",
    "films": "video_hours",
    "film_share": "video_window_share",
    "looked": "landmark_model_share",
    "average": "ema",
}
RENAMED_SYNTH = {"tremble_scale": "jitter_scale"}

# Fluent speakers and single words, more than half of them in sounds; heads that turn and stay
# turned; blinks and looks that move more than the lids; people who sit still; and faces that do
# not quite relax, blink and move their heads as expressions come and go.
SPEAKERS = SynthConfig(
    speech_share=0.55,
    speech_pause=(0.8, 15.0),
    sounds_share=0.6,
    turning_share=0.3,
    blink_reach=2.5,
    brows_follow=0.25,
    calm_share=0.3,
    residue_share=0.35,
    edge_blinks=0.25,
    nod_share=0.25,
)

# Lowest and highest value of each setting; others are free.
LIMITS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("seed", "pair_steps", "head_steps", "clip_steps", "smiling_every", "shards"),
        (0, math.inf),
    ),
    **dict.fromkeys(
        ("workers", "pair_lr", "head_lr", "clip_lr", "lsdm_lr", "weight_decay", "video_hours"),
        (0, math.inf),
    ),
    "footage_hours": (0, math.inf),
    "footage_share": (0, 1),
    **dict.fromkeys(
        ("pair_groups", "windows", "clips", "warmup", "threads", "save_every"), (1, math.inf)
    ),
    **dict.fromkeys(("hands", "video_window_share", "long_share", "landmark_model_share"), (0, 1)),
    **dict.fromkeys(
        ("modality_dropout", "modality_shuffle", "time_amplitude_augmentation"), (0, 1)
    ),
    "pair_frames": (2, math.inf),
}


@dataclass(frozen=True)
class TrainConfig:
    """Steps are optimiser steps; phases with 0 steps are left out."""

    seed: int = 0
    pair_steps: int = 6000  # LSDM on pairs of frames
    pair_groups: int = 48  # identities a step; diversity per operation is what LSDM learns from
    pair_frames: int = 4  # frames of each identity; all ordered pairs of them are trained
    pair_lr: float = 1.2e-3
    hands: float = 0.08  # share of performances in which a hand comes before the face
    # one of so many people appears a second time, smiling at rest; 0: nobody
    smiling_every: int = 3
    shards: int = 450  # files of windows for the next phase, 48 windows each
    head_steps: int = 6000  # proposals and MTAM on windows, features of the frozen LSDM
    windows: int = 32  # a step
    head_lr: float = 2e-3
    # share of windows without pixels, and of as many without landmarks
    modality_dropout: float = 0.07
    # share of windows that run a little faster or slower, and move a little more or less
    time_amplitude_augmentation: float = 0.0
    # share of windows with the pixels of another window
    modality_shuffle: float = 0.0
    # hours of whole encoded videos whose windows are mixed in, as spotting sees them
    video_hours: float = 1.2
    video_window_share: float = 0.3  # of the windows of a step
    # Of real footage that expressions are rendered onto, where there is some: hours of video to
    # make of it, and its share of the windows of a step.
    footage_hours: float = 1.0
    footage_share: float = 0.2
    clip_steps: int = 0  # the whole network on rendered clips, end to end
    clips: int = 8  # clips a step, as long as a window of training
    long_share: float = 0.5  # share of steps with fewer clips, as long as a window of spotting
    # share of steps whose landmarks come from the landmark model itself; for GPUs
    landmark_model_share: float = 0.0
    clip_lr: float = 3e-4
    # share of it for LSDM: at the full rate trained features die; 0: LSDM is frozen
    lsdm_lr: float = 0.1
    weight_decay: float = 0.03
    # of the weights' moving average, a step on windows or clips; 0: the last weights are kept
    ema: float = 0.998
    warmup: int = 100
    bf16: bool = True
    threads: int = 1
    workers: int = 1  # processes that make batches and shards; 0: made in this one
    save_every: int = 200
    device: str = "cpu"
    loss: LossConfig = field(default_factory=LossConfig)
    synth: SynthConfig = SPEAKERS

    def __post_init__(self) -> None:
        for part in (self, self.loss, self.synth):
            check_types(part)
        for name, (low, high) in LIMITS.items():
            require_range(name, getattr(self, name), low, high)
        if self.head_steps and self.shards < 1:
            raise UsageError("expected at least one shard of windows for the head's steps")
        require(0 <= self.ema < 1, "ema of 0 or more and below 1", self.ema)

    @property
    def gpu(self) -> bool:
        """Whether the device renders the clips that it learns from."""
        return self.device.split(":")[0] != "cpu"

    @property
    def steps(self) -> int:
        return self.pair_steps + self.head_steps + self.clip_steps


def read_config(file: Path | None, steps: dict[str, int | None]) -> TrainConfig:
    """`TrainConfig` from a TOML file (unknown keys are an error) and single numbers of steps.
    Raises UsageError.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = with_current_names(read_toml(file))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"expected a TOML file with training settings in {file}, but {error}"
            ) from error
    try:
        for name in ("loss", "synth"):
            if name in values:
                values[name] = replace(getattr(TrainConfig(), name), **values[name])
        return TrainConfig(**(values | {k: v for k, v in steps.items() if v is not None}))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"expected settings of TrainConfig in {file}, got others ({error})"
        ) from error


def with_current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a file of any version, by the names of today."""
    current = {RENAMED.get(name, name): value for name, value in values.items()}
    if isinstance(current.get("synth"), Mapping):
        synth = current["synth"].items()
        current["synth"] = {RENAMED_SYNTH.get(name, name): value for name, value in synth}
    return current


def stable_repr(config: FesNetConfig | SynthConfig) -> str:
    """`repr` by the names of version 0.1, so that shards of any version have one fingerprint."""
    if isinstance(config, FesNetConfig):
        # how spotting lays its windows is nothing that training sees
        values = replace(config, alternate_directions=False, backward_stretch=1.0).to_dict()
    else:
        first = {new: old for old, new in RENAMED_SYNTH.items()}
        values = {first.get(name, name): value for name, value in vars(config).items()}
        if not config.nuisance_share:  # as in shards of before
            del values["nuisance_share"]
    inner = ", ".join(f"{name}={value!r}" for name, value in values.items())
    return f"{type(config).__name__}({inner})"


def fit_to_model(config: TrainConfig, model: FesNetConfig, *, fresh: bool = True) -> TrainConfig:
    """The config with the phases that can train a network of this kind.

    The paper's network has no motion head: pairs cannot train it, so clips alone do. A fresh
    network that clips alone train learns all at one rate, as no part of it is trained yet.
    """
    if not model.motions and config.pair_steps:
        steps = config.clip_steps or config.head_steps
        config = replace(config, pair_steps=0, head_steps=0, clip_steps=steps)
    alone = fresh and not (config.pair_steps or config.head_steps)
    return replace(config, lsdm_lr=1.0) if alone else config

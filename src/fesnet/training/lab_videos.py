"""Fine-tuning on a lab's own labelled videos: which videos count, their windows, and the steps.

    videos + table of expressions -> LabVideo
    their windows (`fesnet.training.lab_features`) -> a network that goes on

What sees pixels is frozen. What sees windows, proposals and MTAM, learns on at a low rate.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fesnet._io import VIDEO_SUFFIXES
from fesnet._messages import counted
from fesnet._tables import read_loose_table
from fesnet.errors import TruthError, UsageError
from fesnet.intervals import Interval
from fesnet.metrics.interval_tables import COLUMNS, read_intervals
from fesnet.metrics.video_ids import video_name
from fesnet.model.checkpoint import check_files, load_network, save_weights
from fesnet.model.network import FesNet
from fesnet.training.config import TrainConfig, read_config
from fesnet.training.ema import update_ema
from fesnet.training.shards import Shard
from fesnet.training.updater import NetworkUpdater
from fesnet.training.window_set import WindowSet
from fesnet.weights import Weights

# A short training that forgets little; our choice. All can be changed in --config.
LAB_SETTINGS: dict[str, Any] = {
    **{"pair_steps": 0, "clip_steps": 0, "head_steps": 100, "windows": 8},
    **{"head_lr": 1e-3, "warmup": 20, "ema": 0.98, "video_hours": 0.0, "bf16": False},
}
MACHINE = "machine"  # the author of an expression that nobody changed


@dataclass(frozen=True)
class LabVideo:
    """A labelled video. truth: on its frames, 0-based and half-open."""

    path: Path
    participant: str
    truth: tuple[Interval, ...]


def lab_config(file: Path | None, steps: dict[str, int | None]) -> TrainConfig:
    """The settings of a fine-tuning: LAB_SETTINGS, a TOML file, single numbers of steps. Raises
    UsageError, also for steps of phases that need portraits.
    """
    asked = read_config(file, steps)
    usual = TrainConfig()
    own = {k: v for k, v in LAB_SETTINGS.items() if getattr(asked, k) == getattr(usual, k)}
    config = replace(asked, **own)
    if config.pair_steps or config.clip_steps or not config.head_steps:
        raise UsageError(
            f"expected head_steps alone with --videos, got pair_steps {config.pair_steps}, "
            f"head_steps {config.head_steps}, clip_steps {config.clip_steps}; the other phases "
            "need portraits"
        )
    return config


def read_lab(videos: Path, table: Path) -> tuple[list[LabVideo], list[str]]:
    """The videos of a folder that a table labels, and what was left out, as lines.

    A table of `fesnet summary` says what a person looked at: a video with an expression that
    nobody checked or changed is left out. So are videos without a row. Raises UsageError and
    TruthError.
    """
    if not videos.is_dir():
        raise UsageError(f"expected a folder of videos, but {videos} does not exist")
    rows = read_loose_table(table, COLUMNS).rows if table.is_file() else []
    records = read_intervals(table)
    files = video_files(videos)
    truth: dict[Path, list[Interval]] = {}
    people: dict[Path, str] = {}
    unseen: set[Path] = set()
    places: dict[str, Path] = {}
    for record, (number, row) in zip(records, rows, strict=True):
        if record.video not in places:
            where = f"{table} line {number}"
            places[record.video] = find_video_file(files, record.video, where)
        file = places[record.video]
        truth.setdefault(file, []).append(record.interval)
        people[file] = row.get("participant") or record.subject or record.video
        if row.get("by") == MACHINE and (row.get("checked") or "").lower() not in ("1", "true"):
            unseen.add(file)
    found = [LabVideo(f, people[f], tuple(sorted(truth[f]))) for f in sorted(truth)]
    left = []
    if unseen:
        left.append(f"left out: {counted(len(unseen), 'video')}, as not all of it is checked")
    if rest := set(files.values()) - set(truth):
        left.append(f"left out: {counted(len(rest), 'video')} without an expression in {table}")
    return [v for v in found if v.path not in unseen], left


def video_files(folder: Path) -> dict[str, Path]:
    """All visible videos below a folder, by their path below it without the ending."""
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in VIDEO_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def find_video_file(files: dict[str, Path], name: str, where: str) -> Path:
    """The file of a video that a table names: below the folder, by the end of its whole path, or
    by its name alone. Raises TruthError for none, or several."""
    plain = video_name(name)
    if plain in files:
        return files[plain]
    ends = {key: path.resolve().with_suffix("").as_posix() for key, path in files.items()}
    named = [files[key] for key, end in ends.items() if end.endswith(f"/{plain}")]
    if len(named) != 1:
        raise TruthError(
            f"expected one video named {name} ({where}), got {len(named)}; name the folder that "
            "holds the videos of the table"
        )
    return named[0]


def fine_tune(network: FesNet, shards: Sequence[Shard], config: TrainConfig) -> FesNet:
    """A copy of the network that has learned on from the windows of these shards. Equal input
    gives equal weights. Raises UsageError where there is no window."""
    windows = WindowSet(shards)
    if not len(windows):
        raise UsageError(
            "expected a face in view for a few seconds somewhere in the videos, got none; give "
            "longer videos"
        )
    torch.set_num_threads(config.threads)
    learner = copy.deepcopy(network)
    updater = NetworkUpdater(learner, config)
    mean = copy.deepcopy(learner)
    for step in range(config.head_steps):
        torch.manual_seed(config.seed * 1_000_003 + step)
        rng = np.random.default_rng([config.seed, step])
        batch = windows.sample(
            rng, config.windows, config.modality_dropout, 0.0, config.time_amplitude_augmentation
        )
        learner.train()
        updater.set_learning_rate(config.head_lr, step, config.head_steps, 0.0)
        with updater.precision():
            stages, strength = updater.score(batch.pixels.to(config.device), batch.landmarks)
        updater.learn(stages, strength, batch.labels, batch.intensity)
        update_ema(mean, learner, min(config.ema, 1 - 1 / (step + 2)))
    return mean.eval()


def load_start(weights: Weights) -> FesNet:
    """The network to go on from. Raises CheckpointError."""
    return load_network(weights)


def save_tuned(network: FesNet, start: Weights, folder: Path, training: dict[str, Any]) -> None:
    """Weights with the rules and the interval check of the start. training: their provenance.
    Raises UsageError."""
    more = check_files(start)
    save_weights(network, folder, training=training, rules=start.rules, more=more)

"""Windows of whole encoded videos, through the very face stage that spotting uses.

The windows of `fesnet.training.shards` are rendered crops with simulated errors of the landmarks:
cheap, and so of great variety, but never quite what decoder, detector, landmark model and alignment
make of a video. These are few and real.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fesnet._io import load_json, read_text_file
from fesnet._types import Float32Array, FloatArray
from fesnet._validation import require
from fesnet.errors import UsageError
from fesnet.extraction import Encode, extract_features
from fesnet.intervals import Interval, true_runs
from fesnet.metrics.interval_tables import read_intervals
from fesnet.model.network import FesNet
from fesnet.stream import make_face_tracker
from fesnet.synth.render.batches import mask_full_windows
from fesnet.synth.script.plan import VideoPlan
from fesnet.synth.videos.footage import make_footage_videos
from fesnet.synth.videos.videos import SETTINGS, make_videos
from fesnet.training.config import TrainConfig
from fesnet.training.distributed import Processes
from fesnet.training.shards import (
    DRAWS,
    SECONDS,
    STARTS,
    Shard,
    backbone_fingerprint,
    check_fingerprint,
    shard_file,
)
from fesnet.video import open_source

UNKNOWN = -1.0  # strength: tables of truth give only its peak
# Settings of the generator that the videos take over from those of the crops.
SHARED_SETTINGS = (
    *("sounds_share", "turning_share", "residue_share", "edge_blinks", "nod_share"),
    "nuisance_share",
)


def make_training_videos(
    portraits: Path, folder: Path, config: TrainConfig, processes: Processes
) -> Path | None:
    """Make the videos, if the config wants some: the main process does, the others wait. Returns
    their folder.
    """
    if not (config.video_hours and config.head_steps):
        return None
    if processes.is_main:
        make_videos(portraits, folder, training_video_plan(config), lambda what, share: None)
    processes.barrier()
    return folder


def make_training_footage(
    footage: Path | None,
    masks: Path | None,
    folder: Path,
    config: TrainConfig,
    processes: Processes,
) -> Path | None:
    """The videos of real footage to learn from, None without any: a folder that `fesnet synth
    --footage` made as it is, or `folder` with videos made of a folder of clips, which the main
    process makes. masks: as of `make_footage_videos`. Raises UsageError, SourceError.
    """
    if footage is None:
        return None
    if not (config.head_steps and config.footage_share):
        raise UsageError(
            "expected head_steps and a footage_share above 0 with footage, got 0; windows of its "
            "videos are learned in the second phase"
        )
    shares = config.video_window_share + config.footage_share
    require(shares <= 1, "video_window_share and footage_share of up to 1 together", shares)
    if (footage / SETTINGS).is_file():
        if masks is not None or not count_footage(footage):
            raise UsageError(
                f"expected videos by `fesnet synth --footage` and no masks beside them, got others "
                f"in {footage}"
            )
        return footage
    if processes.is_main:
        plan = replace(
            training_video_plan(config),
            hours=config.footage_hours,
            seconds=20.0,
            nuisance_share=0.0,
        )
        make_footage_videos(footage, folder, plan, lambda what, share: None, masks=masks)
    processes.barrier()
    return folder


def count_footage(folder: Path) -> int:
    """How many real clips a folder by `fesnet synth` was made of; 0: of none."""
    settings = load_json(read_text_file(folder / SETTINGS))
    return len(settings.get("footage", {}))


def training_video_plan(config: TrainConfig) -> VideoPlan:
    """More expressions than in life, as the videos are few."""
    return VideoPlan(
        hours=config.video_hours,
        seconds=60.0,  # short, so that many people appear
        seed=config.seed,
        rates=(30.0, 25.0),
        macro_per_minute=5.0,
        micro_per_minute=6.0,
        speech_share=0.8,
        **{name: getattr(config.synth, name) for name in SHARED_SETTINGS},
    )


def video_shards(network: FesNet, folder: Path, shards: Path, seed: int = 0) -> Iterator[Shard]:
    """A shard for each video in a folder of `fesnet synth`; those already in `shards` are kept.
    Raises UsageError where `shards` holds those of another run."""
    videos = sorted(folder.glob("*.mp4"))
    truths = [video.with_suffix(".truth.csv").read_bytes() for video in videos]
    check_fingerprint(shards, backbone_fingerprint(network, str(seed).encode(), *truths))
    network.eval()
    for number, video in enumerate(videos):
        path = shard_file(shards, number)
        if not path.is_file():
            truth = [found.interval for found in read_intervals(video.with_suffix(".truth.csv"))]
            video_shard(network, video, truth, np.random.default_rng([seed, number])).save(path)
        yield Shard.load(path)


def video_shard(
    network: FesNet, video: Path, truth: list[Interval], rng: np.random.Generator
) -> Shard:
    """STARTS windows of every SECONDS of a video in which its face is in view throughout."""
    config = network.config
    with open_source(video) as source:
        found = extract_features(source, make_face_tracker(config), config, encode_crops(network))
    length = round(SECONDS * config.working_rate)
    pixels, labels, starts, landmarks = [], [], [], []
    times = np.arange(found.count) / config.working_rate
    truth_labels = label_steps(truth, found.frame_times, times)
    known = np.isin(np.arange(found.count), found.ticks)
    row = np.cumsum(known) - 1  # of each step among the features
    for a, b in true_runs(known):
        for first in range(a, b - length + 1, length):
            features = found.values[row[first] : row[first] + length].astype(np.float32)
            landmarks.append(np.stack([landmark_part(network, features)] * DRAWS))
            for start in rng.integers(length - config.window + 1, size=STARTS):
                pixels.append(pixel_part(network, features[start : start + config.window]))
                labels.append(truth_labels[first + start : first + start + config.window])
                starts.append(int(start))
    count, steps = len(starts), config.window
    masked = np.asarray(labels, np.int8).reshape(count, steps)
    mask_full_windows(masked)
    return Shard(
        pixels=np.asarray(pixels, np.float16).reshape(count, steps, config.features),
        labels=masked,
        strength=np.full((count, steps), UNKNOWN, np.float16),
        landmarks=np.asarray(landmarks, np.float16).reshape(
            len(landmarks), DRAWS, length, config.landmark_feature_count
        ),
        script=np.repeat(np.arange(len(landmarks)), STARTS),
        start=np.asarray(starts, np.int64),
        last=np.full(count, steps - 1),
    )


def encode_crops(network: FesNet) -> Encode:
    """The network's `encode` in bfloat16, on arrays."""

    @torch.inference_mode()
    def encode(crops: NDArray[np.uint8]) -> Float32Array:
        with torch.autocast("cpu", torch.bfloat16):
            return np.asarray(network.encode(torch.from_numpy(crops)).float().numpy())

    return encode


def label_steps(
    truth: list[Interval], frame_times: FloatArray, times: FloatArray
) -> NDArray[np.int8]:
    """(T,) 0 neutral, 1 macro, 2 micro at times (T,), of intervals on source frames; micro where
    they overlap.
    """
    labels = np.zeros(len(times), np.int8)
    half = (times[1] - times[0]) / 2 if len(times) > 1 else 0.0
    for interval in sorted(truth, key=lambda i: i.kind):
        inside = (times >= frame_times[interval.start] - half) & (
            times <= frame_times[interval.stop - 1] + half
        )
        labels[inside] = 1 if interval.kind == "macro" else 2
    return labels


@torch.inference_mode()
def pixel_part(network: FesNet, features: FloatArray) -> FloatArray:
    """Pixel features (T, D) of one window (T, P + rows, C), against its first frame."""
    attended = torch.from_numpy(features[None, :, : network.lsdm.side**2])
    with torch.autocast("cpu", torch.bfloat16):
        return np.asarray(network.lsdm.encode_pixels(attended, attended[:, :1])[0].half().numpy())


def landmark_part(network: FesNet, features: FloatArray) -> FloatArray:
    """Landmark features (T, landmark_feature_count) of (T, P + rows, C)."""
    return features[:, network.lsdm.side**2 :].reshape(len(features), -1)

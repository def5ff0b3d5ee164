"""Windows of whole encoded videos, through the very face stage that spotting uses.

The windows of `fesnet.training.windows` are filmed as crops, with simulated errors of the
landmarks: cheap, and so of great variety, but never quite what decoder, detector, mesh and
alignment make of a video. These are few and true.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.intervals import Interval
from fesnet.metrics.interval_tables import read_intervals
from fesnet.model.network import FesNet
from fesnet.postprocess import IntervalRules, known_segments
from fesnet.stream import SpotStream, spotting_faces
from fesnet.synth.script.plan import VideoPlan
from fesnet.synth.videos.videos import make_videos
from fesnet.training.config import TrainConfig
from fesnet.training.distributed import Processes
from fesnet.training.windows import (
    DRAWS,
    SECONDS,
    STARTS,
    Shard,
    fingerprint,
    keep_apart,
    shard_file,
)
from fesnet.video import open_source

UNKNOWN = -1.0  # strength: the tables of truth tell its peak alone


class FeatureRecorder:
    """A runtime that keeps each tick's features instead of scoring them; for windows of one
    tick.
    """

    name = "catcher"

    def __init__(self, network: FesNet) -> None:
        self.network, self.ticks = network, list[FloatArray]()

    @torch.inference_mode()
    def encode(self, crops: NDArray[np.uint8]) -> FloatArray:
        with torch.autocast("cpu", torch.bfloat16):
            return np.asarray(self.network.encode(torch.from_numpy(crops)).float().numpy())

    def decode(self, window: FloatArray) -> tuple[FloatArray, FloatArray]:
        self.ticks.append(window[0].astype(np.float16))
        return np.zeros((1, 3), np.float32), np.zeros(1, np.float32)


def make_training_videos(
    portraits: Path, folder: Path, config: TrainConfig, peers: Processes
) -> Path | None:
    """Make the videos, if the config wants some: the first of the peers does, the others wait.
    Returns their folder.
    """
    if not (config.films and config.head_steps):
        return None
    if peers.first:
        make_videos(portraits, folder, training_video_plan(config), lambda what, share: None)
    peers.meet()
    return folder


def training_video_plan(config: TrainConfig) -> VideoPlan:
    """Films are denser than life: there are few of them."""
    return VideoPlan(
        hours=config.films,
        seconds=60.0,  # of many people
        seed=config.seed,
        rates=(30.0, 25.0),
        macro_per_minute=5.0,
        micro_per_minute=6.0,
        speech_share=0.8,
        sounds_share=config.synth.sounds_share,
        turning_share=config.synth.turning_share,
        residue_share=config.synth.residue_share,
        edge_blinks=config.synth.edge_blinks,
        nod_share=config.synth.nod_share,
    )


def video_shards(network: FesNet, videos: Path, folder: Path, seed: int = 0) -> Iterator[Shard]:
    """A shard for each video of `fesnet synth`; those that lie in `folder` already are taken as
    they are. Raises UsageError where the folder holds those of another run."""
    films = sorted(videos.glob("*.mp4"))
    truths = [video.with_suffix(".truth.csv").read_bytes() for video in films]
    keep_apart(folder, fingerprint(network, str(seed).encode(), *truths))
    network.eval()
    for number, video in enumerate(films):
        path = shard_file(folder, number)
        if not path.is_file():
            truth = [found.interval for found in read_intervals(video.with_suffix(".truth.csv"))]
            video_shard(network, video, truth, np.random.default_rng([seed, number])).save(path)
        yield Shard.load(path)


def video_shard(
    network: FesNet, video: Path, truth: list[Interval], rng: np.random.Generator
) -> Shard:
    """STARTS windows of every SECONDS of a video in which its face is in view throughout."""
    config, catcher = network.config, FeatureRecorder(network)
    # Windows of one tick: the stitcher hands every tick's features to the catcher, and does nothing
    # else.
    stream = SpotStream(
        spotting_faces(config),
        catcher,
        replace(config, window=1, stride=1, inference_window_scale=1),
        IntervalRules(),
    )
    with open_source(video) as source:
        for frame in source:
            stream.push(frame)
    length = round(SECONDS * config.working_rate)
    pixels, labels, starts, shapes = [], [], [], []
    for track in stream.finish()[:1]:
        marks = label_steps(truth, stream.times, track.times)
        row = (
            np.cumsum(~np.isnan(track.scores[:, 0])) - 1
        )  # which of the catcher's ticks each tick is
        for a, b in known_segments(track.scores):
            for first in range(a, b - length + 1, length):
                seen = np.stack(catcher.ticks[row[first] : row[first] + length]).astype(np.float32)
                shapes.append(np.stack([outlines(network, seen)] * DRAWS))
                for start in rng.integers(length - config.window + 1, size=STARTS):
                    pixels.append(window(network, seen[start : start + config.window]))
                    labels.append(marks[first + start : first + start + config.window])
                    starts.append(int(start))
    count, ticks = len(starts), config.window
    marked = np.asarray(labels, np.int8).reshape(count, ticks)
    marked[
        (marked != 0).all(1)
    ] = -1  # one expression from edge to edge: nothing changes by which it could be told
    return Shard(
        pixels=np.asarray(pixels, np.float16).reshape(count, ticks, config.features),
        labels=marked,
        strength=np.full((count, ticks), UNKNOWN, np.float16),
        shapes=np.asarray(shapes, np.float16).reshape(
            len(shapes), DRAWS, length, config.landmark_feature_count
        ),
        script=np.repeat(np.arange(len(shapes)), STARTS),
        start=np.asarray(starts, np.int64),
        last=np.full(count, ticks - 1),
    )


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
def window(network: FesNet, seen: FloatArray) -> FloatArray:
    """Pixel features (T, D) of joined features (T, P + rows, C) against their first frame."""
    attended = torch.from_numpy(seen[None, :, : positions(network)])
    with torch.autocast("cpu", torch.bfloat16):
        return np.asarray(network.lsdm.encode_pixels(attended, attended[:, :1])[0].half().numpy())


def outlines(network: FesNet, seen: FloatArray) -> FloatArray:
    """The shapes (T, config.landmark_feature_count) that ride behind the positions (`FesNet.append_landmarks`)."""
    return seen[:, positions(network) :].reshape(len(seen), -1)


def positions(network: FesNet) -> int:
    """P of the network."""
    return (network.config.crop_size // 8) ** 2

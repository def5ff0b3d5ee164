"""The features of a video, kept on disk, and spotted again by networks that differ behind them.

    video -> faces -> encoder -> features of every step (KeptFeatures)
                                    -> windows -> scores -> intervals, as often as one likes

Decoding, faces and the encoder are nearly all of what spotting costs. Fine-tuning changes what sees
windows only, so that each video is read once, whatever the number of networks that judge it.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from fesnet._types import Float32Array
from fesnet.config import FesNetConfig
from fesnet.face_pipeline import FacePipeline
from fesnet.faces import Face, Tracker
from fesnet.interval_check import IntervalCheck
from fesnet.postprocess import IntervalRules
from fesnet.result import SourceInfo, Spotting, assemble
from fesnet.step_record import StepRecorder
from fesnet.stream import SpotStream
from fesnet.video import Frame, Source


class Encoder(Protocol):
    """What features are made with: the first half of a `Runtime`."""

    def encode(self, crops: NDArray[np.uint8]) -> Float32Array:
        """As `Runtime.encode`."""
        ...


class Decoder(Protocol):
    """What judges windows of features: the second half of a `Runtime`."""

    def decode(self, features: Float32Array) -> tuple[Float32Array, Float32Array]:
        """As `Runtime.decode`."""
        ...


@dataclass(frozen=True, eq=False)
class KeptFace:
    """The steps at which one face is known: their numbers (N,), whether each is the first of its
    segment (N,), and features (N, R, C), which stay in their file."""

    steps: NDArray[np.int64]
    first: NDArray[np.bool_]
    values: NDArray[np.float16]

    def segments(self) -> list[tuple[int, int]]:
        """Rows a .. b - 1 of each segment."""
        at = [*np.flatnonzero(self.first).tolist(), len(self.steps)]
        return list(pairwise(at))


@dataclass(frozen=True, eq=False)
class KeptFeatures:
    """A video as the encoder saw it. faces: by their numbers; frame_times: (M,) s."""

    source: SourceInfo
    faces: dict[int, KeptFace]
    frame_times: NDArray[np.float64]


class FeatureWriter(StepRecorder):
    """Takes the features of steps as they come, and writes them to a file, 280 kB a second."""

    def __init__(self, path: Path) -> None:
        super().__init__(0, None)
        self.path = path
        self.handle: BinaryIO = path.open("wb")
        self.firsts: list[bool] = []
        self.shape: tuple[int, ...] = (0, 0)

    def push(self, step: int, features: Float32Array, *, first: bool) -> None:
        """As `StepRecorder.push`."""
        self.steps.append(step)
        self.firsts.append(first)
        self.shape = features.shape
        self.handle.write(features.astype(np.float16).tobytes())

    def face(self) -> KeptFace:
        """What was kept; no step follows."""
        self.handle.close()
        shape = (len(self.steps), *self.shape)
        values = np.zeros(shape, np.float16)
        if len(self.steps):
            values = np.memmap(self.path, np.float16, "r", shape=shape)
        return KeptFace(np.array(self.steps, np.int64), np.array(self.firsts, bool), values)


@dataclass
class HalfRuntime:
    """A runtime of which one half is asked; the other finds nothing."""

    encoder: Encoder | None = None
    decoder: Decoder | None = None
    name: str = "kept features"

    def encode(self, crops: NDArray[np.uint8]) -> Float32Array:
        """As `Runtime.encode`. Raises ValueError where there is no encoder."""
        if self.encoder is None:
            raise ValueError("expected kept features alone, got crops")
        return self.encoder.encode(crops)

    def decode(self, features: Float32Array) -> tuple[Float32Array, Float32Array]:
        """As `Runtime.decode`."""
        if self.decoder is None:
            return np.zeros((len(features), 3), np.float32), np.zeros(len(features), np.float32)
        return self.decoder.decode(features)


class NoTracker:
    """A tracker of which nothing is asked."""

    def push(self, frame: Frame) -> list[Face]:
        """No face."""
        return []


def keep_features(
    source: Source,
    info: SourceInfo,
    tracker: Tracker,
    encoder: Encoder,
    config: FesNetConfig,
    stem: Path,
) -> KeptFeatures:
    """Keep the features of an opened source in files `stem`.N, one a face. Raises SourceError as
    the source does."""
    writers: list[FeatureWriter] = []

    def make_writer() -> FeatureWriter:
        writers.append(FeatureWriter(stem.with_name(f"{stem.name}.{len(writers)}")))
        return writers[-1]

    stream = SpotStream(tracker, HalfRuntime(encoder), config, IntervalRules(), None, make_writer)
    for frame in source:
        stream.push(frame)
    stream.finish()
    faces = {n: w.face() for n, w in zip(stream.pipelines, writers, strict=True)}
    return KeptFeatures(info, faces, stream.times)


def spot_again(
    video: KeptFeatures,
    decoder: Decoder,
    config: FesNetConfig,
    rules: IntervalRules,
    check: IntervalCheck | None,
) -> Spotting:
    """The result of a video under another network, as `Spotter.spot` gives it, without
    observations."""
    runtime = HalfRuntime(decoder=decoder)
    stream = SpotStream(NoTracker(), runtime, config, rules, check)
    stream.frame_times = array("d", video.frame_times.tolist())
    for number, face in video.faces.items():
        pipeline = FacePipeline(config, runtime, check, None, stream.timing)
        stream.pipelines[number] = pipeline
        for a, b in face.segments():
            pipeline.end_segment()
            for row in range(a, b):
                known = len(pipeline.chunks)
                step, values = int(face.steps[row]), face.values[row].astype(np.float32)
                pipeline.take_step(step, values, first=row == a)
                if check is not None and len(pipeline.chunks) > known:
                    stream.pop_candidates(check)
    return assemble(
        video.source,
        stream.finish(),
        stream.times,
        config.working_rate,
        rules,
        warnings=(),
        provenance={},
        candidates=stream.candidates(),
    )

"""Face stages, and what is kept of a video: all that a face stage finds at the working rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fesnet.baselines.base import CROP, RATE, baseline_tracker, to_grey
from fesnet.errors import SourceError, UsageError
from fesnet.faces import Face, FaceTracker
from fesnet.faces.landmarks import POINTS
from fesnet.stream import make_face_tracker
from fesnet.video import Source
from fesnet.weights import load_weights
from fesnet.windows import FrameSampler

FORMAT = 1  # rises when what is kept, or how, changes


@dataclass(frozen=True)
class FaceStage:
    """A way to find faces. crop_size: pixels; rate: Hz that frames are looked at, at most."""

    crop_size: int
    rate: float
    tracker: Callable[[], FaceTracker]


def spotting_stage() -> FaceStage:
    """That of `Spotter`, at the size and rate of the bundled weights."""
    config = load_weights().config
    return FaceStage(config.crop_size, config.working_rate, lambda: make_face_tracker(config))


def baseline_stage() -> FaceStage:
    """That of `fesnet.baselines`: larger crops, landmarks in every frame."""
    return FaceStage(CROP, RATE, baseline_tracker)


STAGES: dict[str, Callable[[], FaceStage]] = {
    "spotting": spotting_stage,
    "baselines": baseline_stage,
}


def get_stage(name: str) -> FaceStage:
    """Raises UsageError for a name that is not in STAGES."""
    if name not in STAGES:
        raise UsageError(f"expected a face stage out of {', '.join(STAGES)}, got {name!r}")
    return STAGES[name]()


@dataclass(frozen=True, eq=False)
class CropTrack:
    """One video through a face stage: n frames with a face, of N frames.

    frame_times (N,) s of all frames of the source; frames (n,) which of them show the face; crops
    (n, S, S) uint8 luma; masks (n, S, S) uint8, 255 where the crop is face; landmarks (n, 468, 3)
    float32 source pixels, looked for in that very frame; keyed (n,) False where spotting would not
    have looked for them unless the face moved; segments (n,) rise where the face was lost; scores
    (n,) presence 0..1; unknown (k, 2) frames, half-open, without a face; warnings: of the source.
    """

    frame_times: NDArray[np.float64]
    frames: NDArray[np.int64]
    crops: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    keyed: NDArray[np.bool_]
    segments: NDArray[np.int64]
    scores: NDArray[np.float64]
    unknown: NDArray[np.int64]
    warnings: tuple[str, ...] = ()


class GrowingArray:
    """An array that grows by rows, so that a long video does not lie in memory twice."""

    def __init__(self, kind: type[np.generic], *shape: int) -> None:
        self.kind, self.shape, self.data = np.dtype(kind), shape, bytearray()

    def push(self, row: Any) -> None:
        self.data += np.asarray(row, self.kind).tobytes()

    def array(self) -> NDArray[Any]:
        return np.frombuffer(self.data, self.kind).reshape(-1, *self.shape)


class CropCollector:
    """Collects frames one after another, each with its face or without."""

    def __init__(self, size: int) -> None:
        self.columns = {
            "frames": GrowingArray(np.int64),
            "crops": GrowingArray(np.uint8, size, size),
            "masks": GrowingArray(np.uint8, size, size),
            "landmarks": GrowingArray(np.float32, POINTS, 3),
            "keyed": GrowingArray(np.bool_),
            "segments": GrowingArray(np.int64),
            "scores": GrowingArray(np.float64),
        }
        self.unknown: list[list[int]] = []
        self.lost = False

    def push(self, frame: int, face: Face | None) -> None:
        if face is None and not self.lost:
            self.unknown.append([frame, frame])
        if face is not None:
            if self.lost:
                self.unknown[-1][1] = frame
            landmarks = face.landmarks if face.run_landmarks is None else face.run_landmarks()
            row = (
                frame,
                to_grey(face),
                face.mask,
                landmarks,
                face.run_landmarks is None,
                face.segment,
                face.score,
            )
            for column, value in zip(self.columns.values(), row, strict=True):
                column.push(value)
        self.lost = face is None

    def finish(self, times: list[float], warnings: list[str]) -> CropTrack:
        """All of it; `times` s of all frames of the source."""
        if self.lost:
            self.unknown[-1][1] = len(times)
        return CropTrack(
            frame_times=np.asarray(times, np.float64),
            unknown=np.asarray(self.unknown, np.int64).reshape(-1, 2),
            warnings=tuple(warnings),
            **{name: column.array() for name, column in self.columns.items()},
        )


def collect_crops(source: Source, stage: FaceStage) -> CropTrack:
    """The crops of a whole source. Raises SourceError where it cannot be read or has no frame,
    FaceModelError.
    """
    tracker, sampler, collector = (
        stage.tracker(),
        FrameSampler(stage.rate),
        CropCollector(stage.crop_size),
    )
    times: list[float] = []
    with source:
        for frame in source:
            times.append(frame.time)
            if sampler.should_sample(frame.time):
                collector.push(len(times) - 1, next(iter(tracker.push(frame)), None))
    if not times:
        raise SourceError(
            f"expected frames from {source.name}, got none; the source is empty or broken"
        )
    return collector.finish(times, source.warnings)

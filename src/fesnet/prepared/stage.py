"""What is kept of a video: everything that a face stage tells of it at the working rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fesnet.baselines.base import CROP, RATE, baseline_faces, grey
from fesnet.clips import Sampler
from fesnet.errors import SourceError, UsageError
from fesnet.faces import Face, FaceTracker
from fesnet.faces.landmarks import POINTS
from fesnet.stream import spotting_faces
from fesnet.video import Source
from fesnet.weights import load_weights

FORMAT = 1  # rises when what is kept, or how, changes


@dataclass(frozen=True)
class Stage:
    """A way to find faces. crop_size: pixels; rate: Hz that frames are looked at, at most."""

    crop_size: int
    rate: float
    tracker: Callable[[], FaceTracker]


def spotting() -> Stage:
    """That of `Spotter`, at the size and rate of the bundled weights."""
    config = load_weights().config
    return Stage(config.crop_size, config.working_rate, lambda: spotting_faces(config))


def baselines() -> Stage:
    """That of `fesnet.baselines`: larger crops, landmarks in every frame."""
    return Stage(CROP, RATE, baseline_faces)


STAGES: dict[str, Callable[[], Stage]] = {"spotting": spotting, "baselines": baselines}


def stage_of(name: str) -> Stage:
    """Raises UsageError for a name that is not in STAGES."""
    if name not in STAGES:
        raise UsageError(f"expected a face stage out of {', '.join(STAGES)}, got {name!r}")
    return STAGES[name]()


@dataclass(frozen=True, eq=False)
class Kept:
    """One video through a face stage: n frames with a face, of N frames.

    frame_times (N,) s of all frames of the source; frames (n,) which of them show the face; crops (n, S, S) uint8
    luma; masks (n, S, S) uint8, 255 where the crop is face; landmarks (n, 468, 3) float32 source pixels, looked for in
    that very frame; keyed (n,) False where spotting would not have looked for them unless the face moved; segments
    (n,) rise where the face was lost; scores (n,) presence 0..1; unknown (k, 2) frames, half-open, without a face;
    warnings: of the source.
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


@dataclass
class Keeper:
    """Takes the frames that were looked at one after another, each with its face or without."""

    size: int
    frames: list[int] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)  # of each face; no picture is held
    unknown: list[list[int]] = field(default_factory=list)
    lost: bool = False

    def push(self, frame: int, face: Face | None) -> None:
        if face is None and not self.lost:
            self.unknown.append([frame, frame])
        if face is not None:
            if self.lost:
                self.unknown[-1][1] = frame
            landmarks = face.landmarks if face.look is None else face.look()
            self.frames.append(frame)
            self.rows.append((grey(face), face.mask, landmarks, face.look is None, face.segment, face.score))
        self.lost = face is None

    def finish(self, times: list[float], warnings: list[str]) -> Kept:
        """All of it; `times` s of all frames of the source."""
        if self.lost:
            self.unknown[-1][1] = len(times)
        columns = list(zip(*self.rows, strict=True)) or [()] * 6
        square = (-1, self.size, self.size)
        return Kept(
            np.asarray(times, np.float64),
            np.asarray(self.frames, np.int64),
            np.asarray(columns[0], np.uint8).reshape(square),
            np.asarray(columns[1], np.uint8).reshape(square),
            np.asarray(columns[2], np.float32).reshape(-1, POINTS, 3),
            np.asarray(columns[3], np.bool_),
            np.asarray(columns[4], np.int64),
            np.asarray(columns[5], np.float64),
            np.asarray(self.unknown, np.int64).reshape(-1, 2),
            tuple(warnings),
        )


def keep(source: Source, stage: Stage) -> Kept:
    """Look at a whole source. Raises SourceError where it cannot be read or has no frame, FaceModelError."""
    tracker, sampler, keeper = stage.tracker(), Sampler(stage.rate), Keeper(stage.crop_size)
    times: list[float] = []
    with source:
        for frame in source:
            times.append(frame.time)
            if sampler.wants(frame.time):
                keeper.push(len(times) - 1, next(iter(tracker.push(frame)), None))
    if not times:
        raise SourceError(f"expected frames from {source.name}, got none; the source is empty or broken")
    return keeper.finish(times, source.warnings)

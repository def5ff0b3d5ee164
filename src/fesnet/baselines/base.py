"""What the comparators share: frames of a source -> faces on ticks -> features -> scores ->
intervals.

The working axis is that of `Spotter`: tick k at k / RATE seconds. A tick takes the latest frame up
to it, so that lags and filters of every method count in ticks, whatever the rate of the video.
Nothing of a method looks across a gap.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

import cv2
import numpy as np

from fesnet._types import FloatArray, FrameCallback, Image
from fesnet._version import __version__
from fesnet.errors import SourceError
from fesnet.faces import Face, FaceTracker, Tracker
from fesnet.postprocess import IntervalRules
from fesnet.result import FaceTrack, SourceInfo, Spotting, assemble
from fesnet.spotter import describe
from fesnet.video import open_source
from fesnet.windows import Sampler, is_bridged

Which = Literal["largest", "all"]
S = TypeVar("S")  # a frozen dataclass: the numbers of a method

RATE = 30.0  # Hz; the working rate of the bundled weights, so that all methods answer on one axis
CROP = 128  # pixels; side of the crops that the methods read, as is usual in the field


class Reader(ABC):
    """Reads one unbroken segment of one face, tick by tick."""

    @abstractmethod
    def push(self, face: Face) -> None:
        """Take the face of the next tick."""

    @abstractmethod
    def features(self) -> FloatArray:
        """(n, D), a row for each tick pushed."""


@dataclass(frozen=True, eq=False)
class Part:
    """Features (n, D) of ticks start .. start + n of one unbroken segment."""

    start: int
    features: FloatArray


@dataclass(frozen=True, eq=False)
class Watched:
    """All that a method keeps of a source: scores follow from it without the pictures."""

    source: SourceInfo
    frame_times: FloatArray
    faces: dict[int, list[Part]]
    warnings: tuple[str, ...]

    @property
    def ticks(self) -> int:
        """Ticks of the working axis."""
        return int(self.frame_times[-1] * RATE + 1e-6) + 1


@dataclass
class Line:
    """One face's segments so far."""

    make: Callable[[], Reader]
    parts: list[Part] = field(default_factory=list)
    reader: Reader | None = None
    start: int = 0
    tick: int = -9  # the last one that was read
    before: Face | None = None

    def push(self, face: Face, spacing: float) -> None:
        """Take the face of the next frame, `spacing` seconds after the frame before."""
        tick = int(face.time * RATE + 0.5)
        before, self.before = self.before, face
        if self.reader is None or before is None or not follows(before, face, spacing):
            self.cut()
            if tick == self.tick + 1:
                return  # one unknown tick keeps intervals from crossing a cut
            self.reader, self.start = self.make(), tick
        else:
            for _ in range(self.tick + 1, tick):
                self.reader.push(before)
        self.reader.push(face)
        self.tick = tick

    def cut(self) -> None:
        """End the segment, if one is open."""
        if self.reader is not None:
            self.parts.append(Part(self.start, self.reader.features()))
            self.reader = None


def follows(before: Face, face: Face, spacing: float) -> bool:
    """Whether two sightings of a face belong to one segment; spacing: seconds to the frame before
    in the source.
    """
    return face.segment == before.segment and is_bridged(face.time - before.time, spacing)


def grey(face: Face) -> Image:
    """The crop of a face without colour, (S, S)."""
    return (
        face.crop
        if face.crop.ndim == 2
        else np.asarray(cv2.cvtColor(face.crop, cv2.COLOR_RGB2GRAY), np.uint8)
    )


def dense_flow(one: Image, other: Image) -> FloatArray:
    """Optical flow (S, S, 2) between two grey crops, x then y, in crop units.

    DIS (T. Kroeger et al., ECCV 2016) at the crop's full resolution: at half of it, as the preset
    has it or with variational refinement, a moving mouth corner is told by a third too small.
    """
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    method.setFinestScale(0)
    return np.asarray(
        method.calc(one, other, np.zeros((*one.shape, 2), np.float32)) / np.float32(len(one))
    )


def baseline_faces(which: Which = "largest") -> FaceTracker:
    """The face stage of the comparators: landmarks in every frame, as published methods have
    them.
    """
    return FaceTracker(which=which, crop_size=CROP)


class Baseline(ABC, Generic[S]):
    """A hand-crafted spotter behind the call of `Spotter.spot`.

    settings: the method's numbers; rules: thresholds on its scores; default: those chosen for it on
    synthetic video. faces: "largest" follows one face, "all" up to eight. tracker: makes what finds
    the faces of one video.
    """

    name: ClassVar[str]
    recommended: ClassVar[IntervalRules]

    def __init__(
        self,
        settings: S | None = None,
        *,
        rules: IntervalRules | None = None,
        faces: Which = "largest",
        tracker: Callable[[], Tracker] | None = None,
    ) -> None:
        self.settings = settings or self.defaults()
        self.rules, self.faces = rules or self.recommended, faces
        self.tracker = tracker or (lambda: baseline_faces(faces))

    @staticmethod
    @abstractmethod
    def defaults() -> S:
        """The settings chosen for the method."""

    @abstractmethod
    def reader(self) -> Reader:
        """A reader for a new segment."""

    @abstractmethod
    def score(self, parts: list[FloatArray]) -> list[FloatArray]:
        """Features (n, D) of all segments of one face -> scores (n, 2), macro and micro in 0..1."""

    def spot(
        self, source: Any, *, rate: float | None = None, progress: FrameCallback | None = None
    ) -> Spotting:
        """Spot a whole source; arguments and errors as of `Spotter.spot`."""
        return self.judge(self.watch(source, rate=rate, progress=progress))

    def watch(
        self, source: Any, *, rate: float | None = None, progress: FrameCallback | None = None
    ) -> Watched:
        """The slow half: everything that needs pictures. Raises UsageError, SourceError,
        FaceModelError.
        """
        tracker, sampler = self.tracker(), Sampler(RATE)
        lines: dict[int, Line] = {}
        times: list[float] = []
        sampled = 0.0
        with open_source(source, rate=rate) as opened:
            for frame in opened:
                times.append(frame.time)
                if sampler.wants(frame.time):
                    spacing, sampled = frame.time - sampled, frame.time
                    for face in tracker.push(frame):
                        lines.setdefault(face.face, Line(self.reader)).push(face, spacing)
                if progress is not None:
                    progress(frame, opened)
            if not times:
                raise SourceError(
                    f"expected frames from {opened.name}, got none; the source is empty or broken"
                )
            for line in lines.values():
                line.cut()
            parts = {number: lines[number].parts for number in sorted(lines)}
            return Watched(describe(opened), np.asarray(times), parts, tuple(opened.warnings))

    def judge(self, watched: Watched) -> Spotting:
        """The fast half: scores, and intervals by the rules."""
        tracks = tuple(
            self.track(number, parts, watched.ticks) for number, parts in watched.faces.items()
        )
        return assemble(
            watched.source,
            tracks,
            watched.frame_times,
            RATE,
            self.rules,
            warnings=watched.warnings,
            provenance=self.provenance(),
        )

    def track(self, number: int, parts: list[Part], ticks: int) -> FaceTrack:
        """Scores of one face on all ticks, not-a-number where it is unknown; these methods tell no
        intensity.
        """
        scores = np.full((ticks, 2), np.nan)
        for part, rows in zip(parts, self.score([p.features for p in parts]), strict=True):
            stop = min(part.start + len(rows), ticks)
            scores[part.start : stop] = rows[: stop - part.start]
        intensity = np.where(np.isnan(scores[:, 0]), np.nan, 0.0)
        return FaceTrack(number, np.arange(ticks) / RATE, scores, intensity)

    def provenance(self) -> dict[str, Any]:
        """What a result must name to be repeated."""
        settings: Any = self.settings
        return {
            "fesnet": __version__,
            "method": self.name,
            "settings": asdict(settings),
            "faces": self.faces,
        }

"""What the baselines share: frames -> faces on ticks -> features -> scores -> intervals.

The working axis is that of `Spotter`: tick k at k / RATE seconds. A tick takes the latest frame up
to it. So lags and filters of every method count in ticks, whatever the rate of the video. No method
uses frames on both sides of a gap together.
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
from fesnet.spotter import describe_source
from fesnet.video import open_source
from fesnet.windows import FrameSampler, is_contiguous

FaceChoice = Literal["largest", "all"]
Settings = TypeVar("Settings")  # a frozen dataclass: the numbers of a method

RATE = 30.0  # Hz; the working rate of the bundled weights, so that all methods answer on one axis
CROP = 128  # pixels; side of the crops that the methods read, as is usual in the field


class SegmentReader(ABC):
    """Reads one unbroken segment of one face, tick by tick."""

    @abstractmethod
    def push(self, face: Face) -> None:
        """Take the face of the next tick."""

    @abstractmethod
    def features(self) -> FloatArray:
        """(n, D), a row for each tick pushed."""


@dataclass(frozen=True, eq=False)
class FeatureSegment:
    """Features (n, D) of ticks start .. start + n of one unbroken segment."""

    start: int
    features: FloatArray


@dataclass(frozen=True, eq=False)
class ExtractedFeatures:
    """A method's features of a source: scores follow from them without the frames.

    faces: the segments of each face, by its number.
    """

    source: SourceInfo
    frame_times: FloatArray
    faces: dict[int, list[FeatureSegment]]
    warnings: tuple[str, ...]

    @property
    def ticks(self) -> int:
        """Ticks of the working axis."""
        return int(self.frame_times[-1] * RATE + 1e-6) + 1


@dataclass
class FaceSegments:
    """One face's segments so far."""

    make_reader: Callable[[], SegmentReader]
    segments: list[FeatureSegment] = field(default_factory=list)
    reader: SegmentReader | None = None
    start: int = 0
    tick: int = -9  # the last one that was read
    before: Face | None = None

    def push(self, face: Face, spacing: float) -> None:
        """Take the face of the next frame, `spacing` seconds after the frame before."""
        tick = int(face.time * RATE + 0.5)
        before, self.before = self.before, face
        if self.reader is None or before is None or not is_same_segment(before, face, spacing):
            self.end_segment()
            if tick == self.tick + 1:
                return  # one unknown tick keeps intervals from crossing a cut
            self.reader, self.start = self.make_reader(), tick
        else:
            for _ in range(self.tick + 1, tick):
                self.reader.push(before)
        self.reader.push(face)
        self.tick = tick

    def end_segment(self) -> None:
        """End the segment, if one is open."""
        if self.reader is not None:
            self.segments.append(FeatureSegment(self.start, self.reader.features()))
            self.reader = None


def is_same_segment(before: Face, face: Face, spacing: float) -> bool:
    """Whether a face of two frames is of one segment.

    spacing: seconds from the frame before in the source.
    """
    return face.segment == before.segment and is_contiguous(face.time - before.time, spacing)


def to_grey(face: Face) -> Image:
    """The crop of a face in grey, (S, S) uint8."""
    return (
        face.crop
        if face.crop.ndim == 2
        else np.asarray(cv2.cvtColor(face.crop, cv2.COLOR_RGB2GRAY), np.uint8)
    )


def dense_flow(one: Image, other: Image) -> FloatArray:
    """Optical flow (S, S, 2) between two grey crops, x then y, in crop units.

    DIS (T. Kroeger et al., ECCV 2016) at the crop's full resolution. At half of it, as in the
    preset, the motion of a mouth corner comes out by a third too small; so it does with variational
    refinement.
    """
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    method.setFinestScale(0)
    return np.asarray(
        method.calc(one, other, np.zeros((*one.shape, 2), np.float32)) / np.float32(len(one))
    )


def baseline_tracker(which: FaceChoice = "largest") -> FaceTracker:
    """The face stage of the baselines: landmarks in every frame, as in published methods."""
    return FaceTracker(which=which, crop_size=CROP)


class Baseline(ABC, Generic[Settings]):
    """A hand-crafted spotter behind the call of `Spotter.spot`.

    settings: the method's numbers. rules: thresholds on its scores; default: those chosen for it on
    synthetic video. faces: "largest" follows one face, "all" up to eight. tracker: makes the
    tracker of one video.
    """

    name: ClassVar[str]
    recommended: ClassVar[IntervalRules]

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        rules: IntervalRules | None = None,
        faces: FaceChoice = "largest",
        tracker: Callable[[], Tracker] | None = None,
    ) -> None:
        self.settings = settings or self.defaults()
        self.rules, self.faces = rules or self.recommended, faces
        self.tracker = tracker or (lambda: baseline_tracker(faces))

    @staticmethod
    @abstractmethod
    def defaults() -> Settings:
        """The settings chosen for the method."""

    @abstractmethod
    def reader(self) -> SegmentReader:
        """A reader for a new segment."""

    @abstractmethod
    def score(self, parts: list[FloatArray]) -> list[FloatArray]:
        """Features (n, D) of all segments of one face -> scores (n, 2), macro and micro in 0..1."""

    def spot(
        self, source: Any, *, rate: float | None = None, progress: FrameCallback | None = None
    ) -> Spotting:
        """Spot a whole source; arguments and errors as of `Spotter.spot`."""
        return self.spot_features(self.extract_features(source, rate=rate, progress=progress))

    def extract_features(
        self, source: Any, *, rate: float | None = None, progress: FrameCallback | None = None
    ) -> ExtractedFeatures:
        """The slow half: all that needs frames.

        Raises UsageError, SourceError, FaceModelError.
        """
        tracker, sampler = self.tracker(), FrameSampler(RATE)
        faces: dict[int, FaceSegments] = {}
        times: list[float] = []
        sampled = 0.0
        with open_source(source, rate=rate) as opened:
            for frame in opened:
                times.append(frame.time)
                if sampler.should_sample(frame.time):
                    spacing, sampled = frame.time - sampled, frame.time
                    for face in tracker.push(frame):
                        segments = faces.setdefault(face.face, FaceSegments(self.reader))
                        segments.push(face, spacing)
                if progress is not None:
                    progress(frame, opened)
            if not times:
                raise SourceError(
                    f"expected frames from {opened.name}, got none; the source is empty or broken"
                )
            for segments in faces.values():
                segments.end_segment()
            by_face = {number: faces[number].segments for number in sorted(faces)}
            return ExtractedFeatures(
                describe_source(opened), np.asarray(times), by_face, tuple(opened.warnings)
            )

    def spot_features(self, features: ExtractedFeatures) -> Spotting:
        """The fast half: scores, and intervals by the rules."""
        tracks = tuple(
            self.face_track(number, segments, features.ticks)
            for number, segments in features.faces.items()
        )
        return assemble(
            features.source,
            tracks,
            features.frame_times,
            RATE,
            self.rules,
            warnings=features.warnings,
            provenance=self.provenance(),
        )

    def face_track(self, number: int, segments: list[FeatureSegment], ticks: int) -> FaceTrack:
        """Scores of one face on all ticks, NaN where it is unknown; intensity is 0."""
        scores = np.full((ticks, 2), np.nan)
        rows_of = self.score([s.features for s in segments])
        for segment, rows in zip(segments, rows_of, strict=True):
            stop = min(segment.start + len(rows), ticks)
            scores[segment.start : stop] = rows[: stop - segment.start]
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

"""Where the time of spotting goes, stage by stage: `fesnet spot --profile`.

The parts of a spotter are wrapped in clocks; what they compute stays the same. Times are CPU time
of the thread, so other programs on a busy machine do not count as ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fesnet._types import Float32Array, Image
from fesnet.faces import BlazeFaceDetector, Detection, Face, FaceMesh, FaceTracker, ensure_models
from fesnet.faces.landmarks import Region
from fesnet.result import Spotting
from fesnet.runtime import Runtime
from fesnet.spotter import Spotter
from fesnet.stream import LANDMARK_INTERVAL, SpotStream
from fesnet.video import Frame, Source
from fesnet.video.source import LumaPlane

# In the order of the frame's way; what lies inside another stage is taken off that one.
STAGES = (
    "decode",
    "colour and luma",
    "detect",
    "landmarks",
    "track",
    "warp and mask",
    "encode",
    "decode graph",
    "stream",
    "rules",
)


@dataclass
class StageTimer:
    """CPU seconds and calls of each stage, nested stages taken off; and how many frames there
    were.
    """

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    calls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    frames: int = 0
    inner: list[float] = field(default_factory=list)

    def timed(
        self, stage: str, function: Callable[..., Any], *arguments: Any, **options: Any
    ) -> Any:
        """Call the function, and count its time for the stage."""
        started = time.thread_time()
        self.inner.append(0.0)
        try:
            return function(*arguments, **options)
        finally:
            spent = time.thread_time() - started
            self.seconds[stage] += spent - self.inner.pop()
            self.calls[stage] += 1
            if self.inner:
                self.inner[-1] += spent

    def rows(self) -> list[tuple[str, float, float, float]]:
        """Of each stage: name, CPU ms a frame, share 0..1, calls a frame."""
        total, frames = max(sum(self.seconds.values()), 1e-9), max(self.frames, 1)
        return [
            (s, 1e3 * self.seconds[s] / frames, self.seconds[s] / total, self.calls[s] / frames)
            for s in STAGES
        ]


class ProfiledSpotter(Spotter):
    """A `Spotter` that counts the time of its stages in `clock`; all sources together."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.timer = StageTimer()
        self.runtime: Runtime = TimedRuntime(self.timer, self.runtime)

    def frames(self, opened: Source) -> Iterator[Frame]:
        frames = super().frames(opened)
        while (frame := self.timer.timed("decode", next, frames, None)) is not None:
            self.timer.frames += 1
            yield Frame(frame.index, frame.time, TimedPicture(self.timer, frame))

    def stream(self) -> SpotStream:
        models = ensure_models()
        tracker = TimedTracker(
            self.timer,
            which=self.faces,
            crop_size=self.weights.config.crop_size,
            colour=False,
            landmark_interval=LANDMARK_INTERVAL,
            detector=TimedDetector(self.timer, BlazeFaceDetector(models.detector)),
            mesh=TimedMesh(self.timer, FaceMesh(models.landmarks)),
        )
        return TimedStream(
            self.timer,
            tracker,
            self.runtime,
            self.weights.config,
            self.rules,
            self.check,
            self.make_recorder(),
            self.latency,
        )

    def result(self, stream: SpotStream, source: Source) -> Spotting:
        found: Spotting = self.timer.timed("rules", super().result, stream, source)
        return found


class TimedStream(SpotStream):
    """A stream that counts what no other stage counts."""

    def __init__(self, timer: StageTimer, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.timer = timer

    def push(self, frame: Frame) -> list[Any]:
        out: list[Any] = self.timer.timed("stream", super().push, frame)
        return out


@dataclass
class TimedPicture:
    """A frame's picture, converted when it is asked for."""

    timer: StageTimer
    frame: Frame

    def rgb(self) -> Image:
        image: Image = self.timer.timed("colour and luma", lambda: self.frame.image)
        return image

    def luma(self) -> LumaPlane | None:
        luma = self.frame.luma
        return TimedLuma(self.timer, luma) if isinstance(luma, LumaPlane) else None

    def grey(self) -> Image:
        grey: Image = self.timer.timed("colour and luma", lambda: self.frame.grey)
        return grey


class TimedLuma(LumaPlane):
    """A luma plane with a clock."""

    def __init__(self, timer: StageTimer, luma: LumaPlane) -> None:
        super().__init__(luma.plane, luma.to_full)
        self.timer = timer

    def __getitem__(self, part: tuple[slice, slice]) -> Image:
        found: Image = self.timer.timed("colour and luma", super().__getitem__, part)
        return found


class TimedTracker(FaceTracker):
    """A tracker that counts tracking, and cutting out."""

    def __init__(self, timer: StageTimer, **options: Any) -> None:
        super().__init__(**options)
        self.timer = timer

    def push(self, frame: Frame) -> list[Face]:
        faces: list[Face] = self.timer.timed("track", super().push, frame)
        return faces

    def _face(self, *arguments: Any) -> Face:
        face: Face = self.timer.timed("warp and mask", super()._face, *arguments)
        return face


@dataclass
class TimedDetector:
    """A detector with a clock."""

    timer: StageTimer
    detector: BlazeFaceDetector

    def detect(self, image: Image, *, thorough: bool = True) -> list[Detection]:
        found: list[Detection] = self.timer.timed(
            "detect", self.detector.detect, image, thorough=thorough
        )
        return found


@dataclass
class TimedMesh:
    """A landmark model with a clock."""

    timer: StageTimer
    mesh: FaceMesh

    def landmarks(self, image: Image, regions: list[Region]) -> list[tuple[Float32Array, float]]:
        found: list[tuple[Float32Array, float]] = self.timer.timed(
            "landmarks", self.mesh.landmarks, image, regions
        )
        return found


class TimedRuntime:
    """A runtime with a clock."""

    def __init__(self, timer: StageTimer, runtime: Runtime) -> None:
        self.timer, self.runtime, self.name = timer, runtime, runtime.name

    def encode(self, crops: Image) -> Float32Array:
        out: Float32Array = self.timer.timed("encode", self.runtime.encode, crops)
        return out

    def decode(self, attended: Float32Array) -> tuple[Float32Array, Float32Array]:
        out: tuple[Float32Array, Float32Array] = self.timer.timed(
            "decode graph", self.runtime.decode, attended
        )
        return out

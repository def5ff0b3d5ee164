"""The main job: frames of a source -> faces -> features -> windows -> scores -> intervals, as one stream.

`Spotter.spot` is `Spotter.stream` run to its end, so a file and a camera go through the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fesnet._version import __version__
from fesnet.clips import Grid, Sampler, Scored, Stitcher
from fesnet.errors import CheckpointError, SourceError, UsageError
from fesnet.faces import Face, FaceTracker, face_shape, model_files, only_face
from fesnet.intervals import IntervalRules
from fesnet.result import FaceTrack, SourceInfo, Spotting, assemble
from fesnet.runtime import Runtime, make_runtime
from fesnet.video import Frame, Source, open_source
from fesnet.weights import FesNetConfig, Weights, load_weights, sha256

Floats = NDArray[np.float32]
Progress = Callable[[Frame, Source], None]
SLOWEST = 15.0  # frames a second; below this a micro-expression (0.1-0.5 s) has only one to seven frames
ENCODE_BATCH = 16  # crops through the network at once: wide enough to be efficient, short enough for a camera


class Spotter:
    """Spots macro- and micro-expressions.

    weights: a weights folder, default the bundled one (trained on synthetic video only). runtime: "onnx" (default)
    or "torch". rules: how scores become intervals, default what the weights recommend. faces: "largest" follows one
    face, "all" up to eight. threads: of the network; 1 is our choice, as more collapse on a busy machine.

    Raises UsageError, CheckpointError, FaceModelError, MissingExtraError.
    """

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        runtime: Literal["onnx", "torch"] = "onnx",
        rules: IntervalRules | None = None,
        faces: Literal["largest", "all"] = "largest",
        threads: int = 1,
    ) -> None:
        self.weights: Weights = load_weights(weights)
        self.runtime: Runtime = make_runtime(runtime, self.weights, threads)
        self.rules = rules or recommended_rules(self.weights)
        self.faces: Literal["largest", "all"] = faces

    def spot(
        self,
        source: Any,
        *,
        rate: Fraction | float | None = None,
        progress: Progress | None = None,
    ) -> Spotting:
        """Spot a whole source: what `fesnet.video.open_source` opens (file, image folder, camera, array).

        rate: frames a second, where the source has no times of its own. progress: called with every frame.
        Raises UsageError and SourceError for sources that cannot be read.
        """
        with open_source(source, rate=rate) as opened:
            stream = self.stream()
            for frame in opened:
                stream.push(frame)
                if progress is not None:
                    progress(frame, opened)
            return stream.finish(opened)

    def stream(self) -> SpotStream:
        """A stream to push frames into as they come."""
        tracker = FaceTracker(which=self.faces, crop_size=self.weights.config.crop_size)
        return SpotStream(tracker, self.runtime, self)

    def provenance(self) -> dict[str, Any]:
        """What a result must name to be repeated."""
        models = model_files()
        return {
            "fesnet": __version__,
            "weights": self.weights.name,
            "weights_sha256": self.weights.sha256,
            "trained_on": self.weights.training.get("data", "unknown"),
            "face_models_sha256": models.sha256,
            "runtime": self.runtime.name,
            "faces": self.faces,
            "model": self.weights.config.to_dict(),
        }


def recommended_rules(weights: Weights) -> IntervalRules:
    """The rules that the weights bring. Raises CheckpointError where they are not understood."""
    try:
        return IntervalRules.from_dict(weights.rules)
    except UsageError as error:
        raise CheckpointError(f"expected interval rules in the config of {weights.folder}, but {error}") from error


@dataclass
class Crop:
    """A face that waits to be encoded."""

    time: float
    spacing: float
    segment: int
    crop: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    landmarks: Floats


class FaceLine:
    """One face's way through the network: grid, windows, and the scores that are final."""

    def __init__(self, config: FesNetConfig, runtime: Runtime) -> None:
        self.config, self.runtime = config, runtime
        self.grid = Grid(config.working_rate)
        self.stitcher = Stitcher(config.window, config.stride, runtime.decode)
        self.segment: int | None = None
        self.waiting: list[Crop] = []
        self.parts: list[Scored] = []
        self.inside = False
        self.last = -9  # the last tick that was scored

    def push(self, face: Face, spacing: float) -> None:
        """Take the face of the next frame, `spacing` seconds after the frame before."""
        self.waiting.append(Crop(face.time, spacing, face.segment, face.crop, face.mask, face.landmarks))
        if len(self.waiting) >= ENCODE_BATCH:
            self.encode()

    def encode(self) -> None:
        """Run the static path over the crops that wait, once per frame, and feed the windows."""
        if not self.waiting:
            return
        for crop, attended in zip(self.waiting, self.features(), strict=True):
            if crop.segment != self.segment or not self.grid.continues(crop.time, crop.spacing):
                self.end_segment()
                self.segment = crop.segment
            for tick, value in self.grid.push(crop.time, attended):
                if not self.inside:
                    if tick == self.last + 1:
                        continue  # a segment right after another: one unknown tick keeps intervals from crossing
                    self.stitcher.clear(tick)
                    self.inside = True
                self.last = tick
                self.keep(self.stitcher.push(value))
        self.waiting.clear()

    def features(self) -> Floats:
        """(N, P, C) of the crops that wait: pixels' positions, then the rows of shapes (see `FesNet.join`)."""
        crops = np.stack([c.crop for c in self.waiting])
        if self.config.face_only:
            crops = only_face(crops, np.stack([c.mask for c in self.waiting]))
        features = self.runtime.encode(crops)
        if self.config.shape:
            shapes = face_shape(np.stack([c.landmarks for c in self.waiting]))
            features = np.concatenate([features, shapes.reshape(len(shapes), -1, features.shape[-1])], 1)
        return features

    def end_segment(self) -> None:
        if self.inside:
            self.keep(self.stitcher.finish())
        self.grid.cut()
        self.inside = False

    def keep(self, scored: Scored | None) -> None:
        if scored is not None:
            self.parts.append(scored)

    def finish(self) -> None:
        self.encode()
        self.end_segment()

    def track(self, face: int, ticks: int, rate: float) -> FaceTrack:
        """All scores on ticks 0 .. ticks, not-a-number where the face is unknown."""
        scores = np.full((ticks, 2), np.nan, np.float32)
        intensity = np.full(ticks, np.nan, np.float32)
        for part in self.parts:
            stop = min(part.start + len(part.scores), ticks)
            scores[part.start : stop] = part.scores[: stop - part.start]
            intensity[part.start : stop] = part.intensity[: stop - part.start]
        return FaceTrack(face, np.arange(ticks) / rate, scores, intensity)


class SpotStream:
    """Push frames, then `finish`. Scores of a moment are final at most one window (4.3 s) later."""

    def __init__(self, tracker: FaceTracker, runtime: Runtime, spotter: Spotter) -> None:
        self.tracker, self.runtime, self.spotter = tracker, runtime, spotter
        self.config = spotter.weights.config
        self.sampler = Sampler(self.config.working_rate)
        self.lines: dict[int, FaceLine] = {}
        self.times: list[float] = []
        self.sampled = 0.0

    def push(self, frame: Frame) -> list[Face]:
        """Take the next frame; returns the faces seen in it (none for frames that the working rate passes over)."""
        self.times.append(frame.time)
        if not self.sampler.wants(frame.time):
            return []
        spacing, self.sampled = frame.time - self.sampled, frame.time
        faces = self.tracker.push(frame)
        for face in faces:
            if face.face not in self.lines:
                self.lines[face.face] = FaceLine(self.config, self.runtime)
            self.lines[face.face].push(face, spacing)
        return faces

    def finish(self, source: Source) -> Spotting:
        """The whole result. Raises SourceError if no frame was pushed."""
        if not self.times:
            raise SourceError(f"expected frames from {source.name}, got none; the source is empty or broken")
        for line in self.lines.values():
            line.finish()
        rate = self.config.working_rate
        ticks = int(self.times[-1] * rate + 1e-6) + 1
        tracks = tuple(self.lines[n].track(n, ticks, rate) for n in sorted(self.lines))
        return assemble(
            describe(source),
            tracks,
            np.asarray(self.times),
            rate,
            self.spotter.rules,
            warnings=(*source.warnings, *self.too_slow(source.name)),
            provenance=self.spotter.provenance(),
        )

    def too_slow(self, name: str) -> list[str]:
        """A warning for a video in which a micro-expression has hardly a frame."""
        rate = (len(self.times) - 1) / self.times[-1] if self.times[-1] > 0 else SLOWEST
        return [] if rate >= SLOWEST else [f"{name} has {rate:.1f} frames a second: too few for micro-expressions"]


def describe(source: Source) -> SourceInfo:
    """What a result says of its source; a file's sha256 is part of it."""
    is_file = source.path is not None and source.path.is_file()
    return SourceInfo(
        name=source.name,
        path=None if source.path is None else str(source.path),
        sha256=sha256(source.path) if is_file and source.path is not None else None,
        width=source.width,
        height=source.height,
        rate=None if source.rate is None else str(source.rate),
        frame_count=source.frame_count,
        duration_s=source.duration,
    )

"""The main job: a source of video -> its macro- and micro-expressions, through `fesnet.stream`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeGuard, get_args

import numpy as np
from numpy.typing import NDArray

from fesnet._io import file_sha256
from fesnet._types import FrameCallback
from fesnet._version import __version__
from fesnet.errors import CheckpointError, SourceError, UsageError
from fesnet.faces import model_files
from fesnet.interval_check import load_check
from fesnet.latency import Latency, stream_timing
from fesnet.overlap import push_overlapped
from fesnet.postprocess import IntervalRules
from fesnet.progress import frame_progress
from fesnet.result import SourceInfo, Spotting, assemble
from fesnet.runtime import Device, OnnxMotionHead, Runtime, make_runtime
from fesnet.step_record import StepRecorder
from fesnet.stream import SpotStream, make_face_tracker
from fesnet.timing import frame_rate
from fesnet.video import Frame, Source, Sourceable, open_source
from fesnet.video.folder import source_sha256
from fesnet.voice import HeardVoice, detector_name, find_voice
from fesnet.weights import CHECK, MOTION_HEAD, Weights, load_weights

MIN_FRAME_RATE = (
    15.0  # frames a second; below this a micro-expression (0.1-0.5 s) has only one to seven frames
)
FaceSelection = Literal["largest", "all"]


class Spotter:
    """Spots macro- and micro-expressions.

    weights: a weights folder, default the bundled one (trained on synthetic video only). runtime:
    "onnx" (default) or "torch". rules: how scores become intervals, default what the weights
    recommend; a dictionary such as {"micro_threshold": 0.4} changes only what it names, an
    `IntervalRules` replaces them all. faces: "largest" follows one face, "all" up to eight.
    threads: of the network; 1 is our choice, as more collapse on a busy machine. device: of the
    network; "auto" takes the fastest that works, any other is used or refused. latency: "low" is
    for cameras: an interval is told 3 s after its end instead of 26, and judged by less. sound:
    look for a voice in the sound track, for the flag `speaking` (extra `sound`); scores and
    intervals stay.

    One spotter may be used by several threads at once; each stream belongs to one of them. Raises
    UsageError, CheckpointError, FaceModelError, MissingExtraError.
    """

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        runtime: Literal["onnx", "torch"] = "onnx",
        rules: IntervalRules | Mapping[str, float] | None = None,
        faces: FaceSelection = "largest",
        threads: int = 1,
        device: Device = "auto",
        latency: Latency = "full",
        sound: bool = False,
    ) -> None:
        check_spotter_options(faces, threads)
        self.voice_detector = detector_name() if sound else None
        self.weights: Weights = load_weights(weights)
        self.runtime: Runtime = make_runtime(runtime, self.weights, threads, device)
        self.rules = recommended_rules(self.weights).changed(rules)
        self.faces: FaceSelection = faces
        self.latency: Latency = latency
        stream_timing(self.weights.config, latency)  # refuses what is none
        self.check = load_check(self.weights.folder)
        head = self.weights.folder / MOTION_HEAD
        self.motion_head = OnnxMotionHead(head, threads, device) if head.exists() else None
        if self.check is not None and not self.weights.config.landmark_feature_count:
            raise CheckpointError(
                f"expected weights with landmark features beside {CHECK} in {self.weights.folder}"
            )

    def __repr__(self) -> str:
        return f"<Spotter {self.weights.name}: {self.runtime.name}, faces {self.faces}>"

    def spot(
        self,
        source: Sourceable,
        *,
        rate: Fraction | float | None = None,
        progress: FrameCallback | bool | None = None,
        overlap: bool = False,
    ) -> Spotting:
        """Spot a whole source: what `fesnet.video.open_source` opens (file, image folder, camera,
        array).

        rate: frames a second, where the source has no times of its own. progress: called with every
        frame and the source; True shows a bar on stderr. overlap: decoding, faces and network in a
        thread each, with the same result, where a processor or two are free. Raises UsageError and
        SourceError for sources that cannot be read.
        """
        with open_source(source, rate=rate) as opened, frame_progress(progress) as report:
            stream = self.stream()
            told = None if report is None else partial(tell_frame, report, opened)
            if overlap:
                push_overlapped(stream, self.frames(opened), told)
            else:
                for frame in self.frames(opened):
                    stream.push(frame)
                    if told is not None:
                        told(frame)
            return self.result(stream, opened)

    def frames(self, opened: Source) -> Iterator[Frame]:
        """The frames of a source; a place for clocks."""
        return iter(opened)

    def stream(self) -> SpotStream:
        """A stream to push frames into as they come."""
        config = self.weights.config
        tracker = make_face_tracker(config, self.faces)
        return SpotStream(
            tracker,
            self.runtime,
            config,
            self.rules,
            self.check,
            self.make_recorder(),
            self.latency,
        )

    def make_recorder(self) -> Callable[[], StepRecorder] | None:
        """What records the steps of one face; None for weights without landmark features."""
        size = self.weights.config.landmark_feature_count
        return partial(StepRecorder, size, self.motion_head) if size else None

    def result(self, stream: SpotStream, source: Source) -> Spotting:
        """The whole result of a stream that has got all frames of `source`. Raises SourceError if
        there was none.
        """
        if not stream.frame_times:
            raise SourceError(
                f"expected frames from {source.name}, got none; the source is empty or broken"
            )
        tracks = stream.finish()
        heard, more = self.hear(source, stream.steps)
        return assemble(
            describe_source(source),
            tracks,
            stream.times,
            self.weights.config.working_rate,
            self.rules,
            warnings=(
                *source.warnings,
                *frame_rate_warnings(source.name, stream.times),
                *faceless_warnings(source.name, stream),
                *more,
            ),
            provenance={**self.provenance(), "speaking": self.speaking_text(heard)},
            candidates=stream.candidates(),
            observations=stream.observations(tracks, heard),
        )

    def hear(self, source: Source, steps: int) -> tuple[HeardVoice | None, list[str]]:
        """The voice in the sound of a source, if it was asked for, and a warning where there is
        none that could be heard."""
        if self.voice_detector is None:
            return None, []
        path = source.path
        heard = find_voice(path, steps, self.weights.config.working_rate) if is_file(path) else None
        if heard is not None and heard.known.any():
            return heard, []
        what = "has no sound" if heard is None else "has a silent sound track"
        return None, [f"{source.name} {what}: the flag `speaking` is of the mouth alone"]

    def speaking_text(self, heard: HeardVoice | None) -> str:
        """What the flag `speaking` of a result was made of."""
        return "mouth" if heard is None else f"mouth and sound ({self.voice_detector})"

    def provenance(self) -> dict[str, Any]:
        """What a result must name to be repeated."""
        models = model_files()
        checked = {}
        if self.check is not None:
            checked["interval_check_sha256"] = file_sha256(self.weights.folder / CHECK)
        if self.motion_head is not None:
            checked["motion_head_sha256"] = file_sha256(self.weights.folder / MOTION_HEAD)
        return {
            "fesnet": __version__,
            "weights": self.weights.name,
            "weights_sha256": self.weights.sha256,
            **checked,
            "trained_on": self.weights.training.get("data", "unknown"),
            "face_models_sha256": models.sha256,
            "runtime": self.runtime.name,
            "faces": self.faces,
            **({} if self.latency == "full" else {"latency": self.latency}),
            "model": self.weights.config.to_dict(),
        }


def tell_frame(report: FrameCallback, source: Source, frame: Frame) -> None:
    """Report a frame of a source."""
    report(frame, source)


def is_file(path: Path | None) -> TypeGuard[Path]:
    """Whether a source can be opened once more, for its sound."""
    return path is not None and path.is_file()


def check_spotter_options(faces: str, threads: int) -> None:
    """Raises UsageError for values of options that a spotter does not know."""
    if faces not in get_args(FaceSelection):
        raise UsageError(f"expected faces 'largest' or 'all', got {faces!r}")
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise UsageError(f"expected 1 thread or more, got {threads!r}")


def recommended_rules(weights: Weights) -> IntervalRules:
    """The rules that the weights bring. Raises CheckpointError where they are not understood."""
    try:
        return IntervalRules.from_dict(weights.rules).anchored()
    except UsageError as error:
        raise CheckpointError(
            f"expected interval rules in the config of {weights.folder}, but {error}"
        ) from error


def frame_rate_warnings(name: str, times: NDArray[np.float64]) -> list[str]:
    """A warning for a video in which a micro-expression has hardly a frame."""
    rate = frame_rate(times, MIN_FRAME_RATE)
    return (
        []
        if rate is None or rate >= MIN_FRAME_RATE
        else [f"{name} has {rate:.1f} frames a second: too few for micro-expressions"]
    )


def faceless_warnings(name: str, stream: SpotStream) -> list[str]:
    """A warning for a single picture, and for a video without any face."""
    if len(stream.frame_times) == 1:
        return [f"{name} is a single picture: expressions are found in videos"]
    if stream.faceless is None or stream.faceless.count == 0:
        return []
    return [f"{name}: no face was found; {stream.faceless.reason()}"]


def describe_source(source: Source) -> SourceInfo:
    """What a result says of its source: where it lies, from whatever folder it was named; and the
    sha256 of a file, or of a folder's images.
    """
    path = source.path
    stored = path if path is not None and (path.is_file() or path.is_dir()) else None
    return SourceInfo(
        name=source.name,
        path=None if source.path is None else str(source.path.absolute()),  # links stay as they are
        sha256=None if stored is None else source_sha256(stored),
        width=source.width,
        height=source.height,
        rate=None if source.rate is None else str(source.rate),
        frame_count=source.frame_count,
        duration_s=source.duration,
    )

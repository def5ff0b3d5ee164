"""Push frames in, and get intervals as soon as they are final.

    frame -> faces -> crops, landmark features -> attended features -> windows -> scores ->
    finalized prefix -> intervals

Files and cameras use the same code: `Spotter.spot` is this stream run to its end.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fesnet.config import FesNetConfig
from fesnet.errors import UsageError
from fesnet.face_pipeline import FacePipeline
from fesnet.faceless import FacelessFrames
from fesnet.faces import Face, FaceTracker, Tracker
from fesnet.interval_check import (
    IntervalCheck,
)
from fesnet.latency import Latency, stream_timing
from fesnet.observations import FaceObservations
from fesnet.observe import observe
from fesnet.postprocess import IntervalRules, TimedInterval
from fesnet.result import (
    FaceTrack,
    SpottedInterval,
    choose_intervals,
    make_intervals,
    on_source_frames,
)
from fesnet.runtime import Runtime
from fesnet.step_record import StepRecorder
from fesnet.video import Frame
from fesnet.voice import HeardVoice
from fesnet.windows import FrameSampler

# s between runs of the landmark model on a face that moves slowly: every third frame at 25 or 30 Hz
LANDMARK_INTERVAL = 0.11
# s of a stream, 116 days: what comes later is a clock's time, not that of a video
MAX_TIME = 10_000_000


def make_face_tracker(
    config: FesNetConfig, which: Literal["largest", "all"] = "largest"
) -> FaceTracker:
    """The face tracker of spotting: luma crops of the network's size; the landmark model runs every
    `LANDMARK_INTERVAL` while texture gives the pose.
    """
    return FaceTracker(
        which=which, crop_size=config.crop_size, colour=False, landmark_interval=LANDMARK_INTERVAL
    )


@dataclass(frozen=True)
class SeenFrame:
    """A frame that was looked at: its time (s), seconds since the last one that was sampled, and
    its faces (none where it was not sampled)."""

    time: float
    spacing: float = 0.0
    faces: tuple[Face, ...] = ()


class SpotStream:
    """Push frames in order of time; each `push` returns the intervals that became final with it.

    Scores are final at most `look_ahead` seconds later. An interval is final when its scores are,
    and the face has been neutral for longer than the rules would merge. `end` returns the rest:
    all of them for a video shorter than the look-ahead. faces: those of the last frame.
    """

    def __init__(
        self,
        tracker: Tracker,
        runtime: Runtime,
        config: FesNetConfig,
        rules: IntervalRules,
        check: IntervalCheck | None = None,
        make_recorder: Callable[[], StepRecorder] | None = None,
        latency: Latency = "full",
    ) -> None:
        self.timing = stream_timing(config, latency)
        self.tracker, self.runtime, self.config, self.rules = tracker, runtime, config, rules
        self.make_recorder = make_recorder  # of a face's steps; None: nothing is observed
        self.interval_check = check
        self.all_candidates: list[SpottedInterval] = []  # so far, whatever their probability
        self.sampler = FrameSampler(config.working_rate)
        self.pipelines: dict[int, FacePipeline] = {}
        self.faces: list[Face] = []
        self.faceless: FacelessFrames | None = FacelessFrames()  # until there was a face
        self.frame_times = array("d")
        self.last_time: float | None = None  # of the last frame that was looked at
        self.sampled = 0.0
        self.finished = False

    @property
    def look_ahead(self) -> float:
        """Seconds until the scores of a moment are final at the latest, and what the interval
        check looks ahead.
        """
        scores = self.timing.score_look_ahead(self.config.working_rate, LANDMARK_INTERVAL)
        return scores if self.interval_check is None else scores + self.timing.check_ahead_s

    @property
    def times(self) -> NDArray[np.float64]:
        """(N,) s of all frames so far."""
        return np.array(self.frame_times, np.float64)

    def push(self, frame: Frame) -> list[SpottedInterval]:
        """Take the next frame; returns the intervals that are now final, sorted by face and onset.

        Raises UsageError for what is no frame, for times that are none or fall, and after the end.
        """
        return self.judge(self.look(frame))

    def look(self, frame: Frame) -> SeenFrame:
        """The first half of `push`: find and follow the faces of the next frame."""
        self.check(frame)
        self.last_time = frame.time
        if not self.sampler.should_sample(frame.time):
            return SeenFrame(frame.time)  # not needed at the working rate
        spacing, self.sampled = frame.time - self.sampled, frame.time
        self.faces = self.tracker.push(frame)
        if self.faces:
            self.faceless = None
        elif self.faceless is not None:
            self.faceless.push(frame)
        return SeenFrame(frame.time, spacing, tuple(self.faces))

    def judge(self, seen: SeenFrame) -> list[SpottedInterval]:
        """The second half: faces through the network. It touches nothing that `look` does, so the
        two may run in threads of their own (`fesnet.overlap`)."""
        self.frame_times.append(seen.time)
        known = self.chunk_count
        for face in seen.faces:
            if face.face not in self.pipelines:
                recorder = None if self.make_recorder is None else self.make_recorder()
                self.pipelines[face.face] = FacePipeline(
                    self.config, self.runtime, self.interval_check, recorder, self.timing
                )
            self.pipelines[face.face].push(face, seen.spacing)
        return list(self.pop_intervals()) if self.chunk_count > known else []

    def check(self, frame: Frame) -> None:
        """Raises UsageError for what cannot be pushed."""
        if self.finished:
            raise UsageError(
                "expected no frame after the end of a stream, got one; begin another stream"
            )
        if not isinstance(frame, Frame):
            raise UsageError(
                f"expected a Frame, got {type(frame).__name__}; push Frame(index, time, image)"
            )
        last, time = 0.0 if self.last_time is None else self.last_time, frame.time
        if not isinstance(time, Real) or not last <= time <= MAX_TIME:
            raise UsageError(
                f"expected a time from {last} to {MAX_TIME} s, got {time!r}; push frames in order, "
                "the first at 0 or as late as a player shows it"
            )

    @property
    def chunk_count(self) -> int:
        """Score chunks so far, of all faces."""
        return sum(len(pipeline.chunks) for pipeline in self.pipelines.values())

    def pop_intervals(self, steps: int | None = None) -> Iterator[SpottedInterval]:
        """Intervals that are final and were not returned yet; steps as in `pop_finalized`."""
        if self.interval_check is not None:
            new = self.pop_candidates(self.interval_check, steps)
            yield from choose_intervals(new, self.config.working_rate, self.rules)
            return
        for number in sorted(self.pipelines):
            track = self.pipelines[number].pop_finalized(number, self.rules, steps)
            if track is not None:
                yield from make_intervals(
                    (track,), self.times, self.config.working_rate, self.rules
                )

    def pop_candidates(
        self, check: IntervalCheck, steps: int | None = None
    ) -> list[SpottedInterval]:
        """Candidates of all faces that have become final; they are also kept. steps as in
        `FacePipeline.pop_candidates`.
        """
        rate, times = self.config.working_rate, self.times
        out: list[SpottedInterval] = []
        for number in sorted(self.pipelines):
            for c in self.pipelines[number].pop_candidates(number, check, steps):
                seconds = (c.start / rate, c.apex / rate, (c.stop - 1) / rate)
                found = TimedInterval(*seconds, c.kind, c.probability)
                out.append(on_source_frames(number, found, times, rate))
        self.all_candidates += out
        return out

    def candidates(self) -> tuple[SpottedInterval, ...] | None:
        """All candidates of a stream that has ended; None without a check."""
        if self.interval_check is None:
            return None
        self.pop_candidates(self.interval_check, self.steps)
        return tuple(sorted(self.all_candidates))

    @property
    def steps(self) -> int:
        """Steps from 0 to the last frame."""
        return (
            int(self.frame_times[-1] * self.config.working_rate + 1e-6) + 1
            if self.frame_times
            else 0
        )

    def end(self) -> list[SpottedInterval]:
        """No frame follows: the intervals that no `push` has returned, sorted by face and onset."""
        self.finish()
        return list(self.pop_intervals(self.steps))

    def finish(self) -> tuple[FaceTrack, ...]:
        """No frame follows: all scores, on steps from 0 to the last frame."""
        self.finished = True
        for pipeline in self.pipelines.values():
            pipeline.finish()
        return tuple(
            self.pipelines[n].track(n, self.steps, self.config.working_rate)
            for n in sorted(self.pipelines)
        )

    def observations(
        self, tracks: tuple[FaceTrack, ...], heard: HeardVoice | None = None
    ) -> tuple[FaceObservations, ...]:
        """What moved and what else happened in each face of a stream that has ended; tracks as
        `finish` returned them; heard: the voice in the sound, if it is used. Empty where nothing
        was recorded."""
        rate = self.config.working_rate
        return tuple(
            observe(t.face, recorder.kept(len(t.times)), t.as_stored().scores, rate, heard)
            for t in tracks
            if (recorder := self.pipelines[t.face].recorder) is not None
        )

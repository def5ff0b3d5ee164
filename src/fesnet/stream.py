"""Push frames in, and get intervals as soon as they are final.

    frame -> faces -> crops, landmark features -> attended features -> windows -> scores ->
    finalized prefix -> intervals

Files and cameras use the same code: `Spotter.spot` is this stream run to its end.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fesnet._types import Float32Array, FloatArray
from fesnet.config import FesNetConfig
from fesnet.errors import UsageError
from fesnet.faces import Face, FaceTracker, Tracker, compute_landmark_features, only_face
from fesnet.interval_check import (
    Candidate,
    IntervalCheck,
    finalized_candidates,
    finalized_step,
)
from fesnet.interval_features import LOOK_AHEAD_S, LOOK_BACK_S, ContextTrack
from fesnet.latency import Latency, StreamTiming, stream_timing
from fesnet.observations import FaceObservations
from fesnet.observe import observe
from fesnet.postprocess import IntervalRules, TimedInterval, finalized_prefix
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
from fesnet.windows import FrameSampler, Resampler, ScoreChunk, WindowAggregator

# s between runs of the landmark model on a face that moves slowly: every third frame at 25 or 30 Hz
LANDMARK_INTERVAL = 0.11
# mean change of landmark features between two key frames from which the model runs in between, too
LANDMARK_CHANGE = 0.02
# mean distance of a frame in between from the straight line between its neighbours, from which the
# model also runs on the frames beside it; landmarks of a still face jitter by 0.005
LANDMARK_BEND = 0.03
# s of a stream, 116 days: what comes later is a clock's time, not that of a video
MAX_TIME = 10_000_000


@dataclass
class PendingCrop:
    """A face that waits to be encoded."""

    time: float
    spacing: float
    segment: int
    crop: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    run_landmarks: Callable[[], Float32Array] | None  # where the model did not run yet
    landmark_features: Float32Array | None = None  # None until the next key frame


@dataclass(frozen=True)
class KeyFrame:
    """A frame in which the landmark model ran at once."""

    time: float
    segment: int
    landmark_features: Float32Array


class FacePipeline:
    """One face through the network: resampling, windows, and the scores that are final."""

    def __init__(
        self,
        config: FesNetConfig,
        runtime: Runtime,
        check: IntervalCheck | None = None,
        recorder: StepRecorder | None = None,
        timing: StreamTiming | None = None,
    ) -> None:
        self.config, self.runtime, self.check = config, runtime, check
        self.recorder = recorder
        self.timing = timing or stream_timing(config)
        # of steps that the check may still look at
        self.landmark_features: dict[int, FloatArray] = {}
        self.resampler = Resampler(config.working_rate)
        t = self.timing
        self.aggregator = WindowAggregator(t.window, t.stride, runtime.decode, t.ahead)
        self.segment: int | None = None
        self.key: KeyFrame | None = None  # the last one so far
        self.between_keys: list[PendingCrop] = []  # crops after it
        self.waiting: list[PendingCrop] = []
        self.chunks: list[ScoreChunk] = []
        self.emitted = 0  # steps up to which `pop_finalized` or `pop_candidates` has returned all
        self.first_pending = 0  # the first chunk with later steps
        self.in_segment = False
        self.last = -9  # the last step that was scored

    def push(self, face: Face, spacing: float) -> None:
        """Take the face of the next frame, `spacing` seconds after the frame before."""
        run_landmarks = face.run_landmarks if self.config.landmark_feature_count else None
        crop = PendingCrop(face.time, spacing, face.segment, face.crop, face.mask, run_landmarks)
        self.waiting.append(crop)
        if self.config.landmark_feature_count and face.run_landmarks is None:
            crop.landmark_features = features_of(face.landmarks)
            self.set_key_frame(KeyFrame(face.time, face.segment, crop.landmark_features))
        elif self.config.landmark_feature_count:
            self.between_keys.append(crop)
        if len(self.waiting) >= self.timing.batch:
            self.encode(len(self.waiting) - len(self.between_keys))

    def set_key_frame(self, key: KeyFrame | None) -> None:
        """Fill the landmark features since the last key frame, and begin behind this one (None: no
        key frame follows).
        """
        if self.key is not None:
            interpolate_landmarks(self.between_keys, self.key, key)
        self.key, self.between_keys = key, []

    def encode(self, count: int) -> None:
        """Run the static path over the first crops that wait, once per frame, and feed the
        windows.
        """
        crops, self.waiting = self.waiting[:count], self.waiting[count:]
        if not crops:
            return
        for crop, attended in zip(crops, self.features(crops), strict=True):
            if crop.segment != self.segment or not self.resampler.is_contiguous(
                crop.time, crop.spacing
            ):
                self.end_segment()
                self.segment = crop.segment
            for step, value in self.resampler.push(crop.time, attended):
                first = not self.in_segment
                if first:
                    if step == self.last + 1:
                        # a segment right after another: one unknown step keeps intervals from
                        # crossing
                        continue
                    self.aggregator.clear(step)
                    self.in_segment = True
                self.last = step
                self.keep_step(step, value, first=first)
                self.add_chunk(self.aggregator.push(value))

    def keep_step(self, step: int, features: Float32Array, *, first: bool) -> None:
        """Keep what is asked of a step later. first: of its segment."""
        if self.recorder is not None:
            self.recorder.push(step, features, first=first)
        if self.check is not None:
            count = self.config.landmark_feature_count
            self.landmark_features[step] = features.reshape(-1)[-count:].copy()

    def features(self, waiting: list[PendingCrop]) -> Float32Array:
        """(N, P, C) of crops: pixels' positions, then rows of landmark features (see
        `FesNet.append_landmarks`).
        """
        crops = np.stack([c.crop for c in waiting])
        if self.config.face_only:
            crops = only_face(crops, np.stack([c.mask for c in waiting]))
        if crops.ndim == 3:  # luma: the network weighs three equal channels back into it
            crops = np.repeat(crops[..., None], 3, -1)
        features = self.runtime.encode(crops)
        if self.config.landmark_feature_count:
            landmark_features = np.stack(
                [c.landmark_features for c in waiting if c.landmark_features is not None]
            )
            features = np.concatenate(
                [
                    features,
                    landmark_features.reshape(len(landmark_features), -1, features.shape[-1]),
                ],
                1,
            )
        return features

    def end_segment(self) -> None:
        if self.in_segment:
            self.add_chunk(self.aggregator.finish())
        self.resampler.reset()
        self.in_segment = False

    def add_chunk(self, chunk: ScoreChunk | None) -> None:
        if chunk is not None:
            self.chunks.append(chunk)

    def finish(self) -> None:
        self.set_key_frame(None)
        self.encode(len(self.waiting))
        self.end_segment()

    def track(self, face: int, steps: int, rate: float) -> FaceTrack:
        """All scores on steps 0 .. steps, not-a-number where the face is unknown."""
        return self.score_track(face, 0, steps, rate, self.chunks)

    def score_track(
        self, face: int, first: int, stop: int, rate: float, chunks: list[ScoreChunk]
    ) -> FaceTrack:
        """The scores of steps first .. stop, made of `chunks`."""
        scores = np.full((stop - first, 2), np.nan, np.float32)
        intensity = np.full(stop - first, np.nan, np.float32)
        for chunk in chunks:
            a, b = max(chunk.start, first), min(chunk.start + len(chunk.scores), stop)
            if a < b:
                scores[a - first : b - first] = chunk.scores[a - chunk.start : b - chunk.start]
                intensity[a - first : b - first] = chunk.intensity[
                    a - chunk.start : b - chunk.start
                ]
        return FaceTrack(face, np.arange(first, stop) / rate, scores, intensity)

    def pop_finalized(
        self, face: int, rules: IntervalRules, steps: int | None = None
    ) -> FaceTrack | None:
        """Scores since the last call, up to where nothing that follows can change the intervals;
        None where there are none.

        steps: length of the whole, when no frame follows; then all scores are returned.
        """
        if self.first_pending == len(self.chunks):
            return None
        rate = self.config.working_rate
        stop = chunk_end(self.chunks[-1]) if steps is None else max(steps, self.emitted)
        waiting = self.score_track(
            face, self.emitted, stop, rate, self.chunks[self.first_pending :]
        ).as_stored()
        count = (
            finalized_prefix(waiting.scores, 1 / rate, rules)
            if steps is None
            else len(waiting.scores)
        )
        if count == 0:
            return None
        self.emitted += count
        while (
            self.first_pending < len(self.chunks)
            and chunk_end(self.chunks[self.first_pending]) <= self.emitted
        ):
            self.first_pending += 1
        return FaceTrack(
            face, waiting.times[:count], waiting.scores[:count], waiting.intensity[:count]
        )

    def pop_candidates(
        self, face: int, check: IntervalCheck, steps: int | None = None
    ) -> list[Candidate]:
        """Candidates since the last call that nothing which follows can change, in steps of the
        whole.

        steps: length of the whole, when no frame follows; then all candidates are returned.
        """
        rate = self.config.working_rate
        back, ahead = round(LOOK_BACK_S * rate), round(LOOK_AHEAD_S * rate)
        out: list[Candidate] = []
        waiting = self.chunks[self.first_pending :]
        for last, following in pairwise(waiting):
            # Nothing looks over a longer time without a face: what lies before it is final.
            hole = following.start - chunk_end(last)
            if hole > 2 * (back + ahead) and following.start - back > self.emitted:
                out += self.final_candidates(face, check, chunk_end(last) + ahead, ended=True)
                self.release_steps(max(self.emitted, following.start - back), back)
        known = chunk_end(waiting[-1]) if waiting else 0
        if steps is None:
            return out + self.final_candidates(face, check, max(known, self.emitted), ended=False)
        stop = max(min(steps, known + ahead), self.emitted)
        out += self.final_candidates(face, check, stop, ended=True)
        self.release_steps(max(steps, self.emitted), back)
        return out

    def final_candidates(
        self, face: int, check: IntervalCheck, stop: int, *, ended: bool
    ) -> list[Candidate]:
        """New candidates that are final, of all that lie before the step `stop`. ended: no known
        step follows near."""
        rate = self.config.working_rate
        back = round(LOOK_BACK_S * rate)
        first = max(0, self.emitted - back)
        track = self.score_track(
            face, first, stop, rate, self.chunks[self.first_pending :]
        ).as_stored()
        before = self.emitted - first
        ahead_s = self.timing.check_ahead_s
        if not ended and finalized_step(track.times, track.scores, ahead_s) <= before:
            return []  # most often: landmarks are gathered for what is looked at alone
        rows = self.landmark_rows(first, stop)
        context = ContextTrack(track.times, track.scores, track.intensity, rows)
        found, count = finalized_candidates(
            context, check, ended=ended, before=before, ahead_s=ahead_s
        )
        moved = [
            replace(c, start=c.start + first, stop=c.stop + first, apex=c.apex + first)
            for c in found
        ]
        new = [c for c in moved if c.start >= self.emitted]
        self.release_steps(max(self.emitted, first + count), back)
        return new

    def landmark_rows(self, start: int, stop: int) -> FloatArray:
        """(stop - start, S) landmark features of steps, not-a-number where there are none."""
        rows = np.full((stop - start, self.config.landmark_feature_count), np.nan)
        known = [step for step in range(start, stop) if step in self.landmark_features]
        if known:
            rows[np.array(known) - start] = [self.landmark_features[step] for step in known]
        return rows

    def release_steps(self, emitted: int, back: int) -> None:
        """Candidates are returned up to the step `emitted`: release landmark features and chunks
        that lie more than `back` steps before it.
        """
        for step in range(max(0, self.emitted - back), max(0, emitted - back)):
            self.landmark_features.pop(step, None)
        self.emitted = emitted
        while (
            self.first_pending < len(self.chunks)
            and chunk_end(self.chunks[self.first_pending]) <= emitted - back
        ):
            self.first_pending += 1


def features_of(landmarks: Float32Array) -> Float32Array:
    """(LANDMARK_FEATURE_COUNT,) of the landmarks (468, 3) of one face."""
    return np.asarray(compute_landmark_features(landmarks[None])[0])


def interpolate_landmarks(
    crops: list[PendingCrop], before: KeyFrame, after: KeyFrame | None
) -> None:
    """Fill the landmark features of crops between two key frames, by interpolation where the face
    hardly moved, else by the model.

    After the last key frame of a segment its features stay.
    """
    if after is None or after.segment != before.segment:
        for crop in crops:
            crop.landmark_features = before.landmark_features
    elif mean_change(before, after) > LANDMARK_CHANGE:
        bisect_landmarks(crops, before, after)
    else:
        fill_straight(crops, before, after)
    for crop in crops:
        crop.run_landmarks = None  # releases the picture


def bisect_landmarks(crops: list[PendingCrop], before: KeyFrame, after: KeyFrame) -> None:
    """Run the landmark model on the crop in the middle, and on those beside it where it lies off
    the straight line between the key frames; else they are interpolated."""
    if not crops:
        return
    half = len(crops) // 2
    middle = crops[half]
    expected = straight(middle.time, before, after)
    middle.landmark_features = (
        expected if middle.run_landmarks is None else features_of(middle.run_landmarks())
    )
    key = KeyFrame(middle.time, before.segment, middle.landmark_features)
    bend = float(np.abs(key.landmark_features - expected).mean())
    fill = bisect_landmarks if bend > LANDMARK_BEND else fill_straight
    fill(crops[:half], before, key)
    fill(crops[half + 1 :], key, after)


def fill_straight(crops: list[PendingCrop], before: KeyFrame, after: KeyFrame) -> None:
    """Interpolate the landmark features of crops."""
    for crop in crops:
        crop.landmark_features = straight(crop.time, before, after)


def straight(time: float, before: KeyFrame, after: KeyFrame) -> Float32Array:
    """Landmark features at a time (s) between two key frames."""
    fraction = np.float32((time - before.time) / max(after.time - before.time, 1e-9))
    change = after.landmark_features - before.landmark_features
    return before.landmark_features + fraction * change


def mean_change(before: KeyFrame, after: KeyFrame) -> float:
    """Of all landmark features between two key frames."""
    return float(np.abs(after.landmark_features - before.landmark_features).mean())


def chunk_end(chunk: ScoreChunk) -> int:
    """The step after a chunk's last."""
    return chunk.start + len(chunk.scores)


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

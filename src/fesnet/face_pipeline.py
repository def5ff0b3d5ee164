"""One face through the network.

faces of frames -> crops, landmark features -> features -> windows -> scores, candidates
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from fesnet._types import Float32Array, FloatArray
from fesnet.config import FesNetConfig
from fesnet.faces import Face, as_rgb, only_face
from fesnet.interval_check import (
    Candidate,
    IntervalCheck,
    finalized_candidates,
    finalized_step,
)
from fesnet.interval_features import LOOK_AHEAD_S, LOOK_BACK_S, ContextTrack
from fesnet.landmarks_between import KeyFrame, PendingCrop, features_of, interpolate_landmarks
from fesnet.latency import StreamTiming, stream_timing
from fesnet.postprocess import IntervalRules, finalized_prefix
from fesnet.result import FaceTrack
from fesnet.runtime import Runtime
from fesnet.step_record import StepRecorder
from fesnet.windows import Resampler, ScoreChunk, WindowAggregator


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
        self.aggregator = WindowAggregator(
            t.window,
            t.stride,
            runtime.decode,
            t.ahead,
            alternate=t.alternate,
            backward_stretch=config.backward_stretch,
        )
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
                if first and step == self.last + 1:
                    # a segment right after another: one unknown step keeps intervals from
                    # crossing
                    continue
                self.take_step(step, value, first=first)

    def take_step(self, step: int, features: Float32Array, *, first: bool) -> None:
        """Feed the windows with the features of the next step. first: of its segment."""
        if first:
            self.aggregator.clear(step)
            self.in_segment = True
        self.last = step
        self.keep_step(step, features, first=first)
        self.add_chunk(self.aggregator.push(features))

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
            crops = as_rgb(crops)
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


def chunk_end(chunk: ScoreChunk) -> int:
    """The step after a chunk's last."""
    return chunk.start + len(chunk.scores)

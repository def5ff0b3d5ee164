"""One face's way through the network, and a whole source's: push frames in, finished intervals come out.

    frame -> faces -> crops, shapes -> attended features -> windows -> scores -> decided -> intervals

Files go the same way as cameras (`Spotter.spot` is this stream run to its end), so nothing can differ between them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fesnet.clips import Grid, Sampler, Scored, Stitcher
from fesnet.errors import UsageError
from fesnet.faces import Face, FaceTracker, Tracker, face_shape, only_face
from fesnet.interval_check import Candidate, IntervalCheck, finalized_candidates
from fesnet.interval_features import LOOK_AHEAD_S, LOOK_BACK_S, ContextTrack
from fesnet.intervals import IntervalRules, TimedInterval, decided
from fesnet.result import (
    FaceTrack,
    SpottedInterval,
    as_stored,
    choose_intervals,
    make_intervals,
    on_source_frames,
)
from fesnet.runtime import Runtime
from fesnet.video import Frame
from fesnet.weights import FesNetConfig

Floats = NDArray[np.float32]
REST = 0.11  # s between looks of the landmark model at a face that moves slowly: every third frame at 25 or 30 Hz
MOVED = 0.02  # mean change of a shape's numbers between two looks from which the frames between are looked at too
LATEST = 10_000_000  # s of a stream, 116 days: what comes later is a clock's time, not that since the first frame
ENCODE_BATCH = 16  # crops through the network at once: wide enough to be efficient, short enough for a camera


@dataclass
class Crop:
    """A face that waits to be encoded."""

    time: float
    spacing: float
    segment: int
    crop: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    look: Callable[[], Floats] | None  # finds landmarks that were not looked for yet
    shape: Floats | None = None  # of the face; None while that is open


@dataclass(frozen=True)
class Key:
    """A frame whose landmarks were looked for at once."""

    time: float
    segment: int
    shape: Floats


class FaceLine:
    """One face's way through the network: grid, windows, and the scores that are final."""

    def __init__(self, config: FesNetConfig, runtime: Runtime, check: IntervalCheck | None = None) -> None:
        self.config, self.runtime, self.check = config, runtime, check
        self.shapes: dict[int, Floats] = {}  # of ticks that the check may still look at
        self.grid = Grid(config.working_rate)
        self.stitcher = Stitcher(*config.spotting, runtime.decode)
        self.segment: int | None = None
        self.key: Key | None = None  # the last one so far
        self.open: list[Crop] = []  # those behind it
        self.waiting: list[Crop] = []
        self.parts: list[Scored] = []
        self.told = 0  # ticks whose intervals have been handed out, and the first part behind them
        self.untold = 0
        self.inside = False
        self.last = -9  # the last tick that was scored

    def push(self, face: Face, spacing: float) -> None:
        """Take the face of the next frame, `spacing` seconds after the frame before."""
        look = face.look if self.config.shape else None
        crop = Crop(face.time, spacing, face.segment, face.crop, face.mask, look)
        self.waiting.append(crop)
        if self.config.shape and face.look is None:
            crop.shape = shape_of(face.landmarks)
            self.settle(Key(face.time, face.segment, crop.shape))
        elif self.config.shape:
            self.open.append(crop)
        if len(self.waiting) >= ENCODE_BATCH:
            self.encode(len(self.waiting) - len(self.open))

    def settle(self, key: Key | None) -> None:
        """The next key frame (None: there is none) decides on the shapes since the last one."""
        if self.key is not None:
            fill(self.open, self.key, key)
        self.key, self.open = key, []

    def encode(self, count: int) -> None:
        """Run the static path over the first crops that wait, once per frame, and feed the windows."""
        crops, self.waiting = self.waiting[:count], self.waiting[count:]
        if not crops:
            return
        for crop, attended in zip(crops, self.features(crops), strict=True):
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
                if self.check is not None:
                    self.shapes[tick] = value.reshape(-1)[-self.config.shape :].copy()
                self.keep(self.stitcher.push(value))

    def features(self, waiting: list[Crop]) -> Floats:
        """(N, P, C) of crops: pixels' positions, then the rows of shapes (see `FesNet.join`)."""
        crops = np.stack([c.crop for c in waiting])
        if self.config.face_only:
            crops = only_face(crops, np.stack([c.mask for c in waiting]))
        if crops.ndim == 3:  # luma: the network weighs three equal channels back into it
            crops = np.repeat(crops[..., None], 3, -1)
        features = self.runtime.encode(crops)
        if self.config.shape:
            shapes = np.stack([c.shape for c in waiting if c.shape is not None])
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
        self.settle(None)
        self.encode(len(self.waiting))
        self.end_segment()

    def track(self, face: int, ticks: int, rate: float) -> FaceTrack:
        """All scores on ticks 0 .. ticks, not-a-number where the face is unknown."""
        return self.stretch(face, 0, ticks, rate, self.parts)

    def stretch(self, face: int, first: int, stop: int, rate: float, parts: list[Scored]) -> FaceTrack:
        """The scores of ticks first .. stop, made of `parts`."""
        scores = np.full((stop - first, 2), np.nan, np.float32)
        intensity = np.full(stop - first, np.nan, np.float32)
        for part in parts:
            a, b = max(part.start, first), min(part.start + len(part.scores), stop)
            if a < b:
                scores[a - first : b - first] = part.scores[a - part.start : b - part.start]
                intensity[a - first : b - first] = part.intensity[a - part.start : b - part.start]
        return FaceTrack(face, np.arange(first, stop) / rate, scores, intensity)

    def news(self, face: int, rules: IntervalRules, ticks: int | None = None) -> FaceTrack | None:
        """Scores since the last news, up to where nothing that follows can change the intervals; None: nowhere yet.

        ticks: of the whole, where nothing follows; all scores up to there are news then.
        """
        if self.untold == len(self.parts):
            return None
        rate = self.config.working_rate
        stop = ends(self.parts[-1]) if ticks is None else max(ticks, self.told)
        waiting = as_stored(self.stretch(face, self.told, stop, rate, self.parts[self.untold :]))
        count = decided(waiting.scores, 1 / rate, rules) if ticks is None else len(waiting.scores)
        if count == 0:
            return None
        self.told += count
        while self.untold < len(self.parts) and ends(self.parts[self.untold]) <= self.told:
            self.untold += 1
        return FaceTrack(face, waiting.times[:count], waiting.scores[:count], waiting.intensity[:count])

    def check_news(self, face: int, check: IntervalCheck, ticks: int | None = None) -> list[Candidate]:
        """Candidates since the last news that nothing which follows can change, in ticks of the whole.

        ticks: of the whole, where nothing follows; all candidates up to there are news then.
        """
        rate = self.config.working_rate
        stop = ends(self.parts[-1]) if ticks is None and self.parts else max(ticks or 0, self.told)
        first = max(0, self.told - round(LOOK_BACK_S * rate))
        track = as_stored(self.stretch(face, first, stop, rate, self.parts[self.untold :]))
        shapes = np.full((stop - first, self.config.shape), np.nan)
        for tick in range(first, stop):
            if tick in self.shapes:
                shapes[tick - first] = self.shapes[tick]
        times, scores, intensity = (np.asarray(v, np.float64) for v in (track.times, track.scores, track.intensity))
        context = ContextTrack(times, scores, intensity, shapes)
        found, rows = finalized_candidates(context, check, ended=ticks is not None)
        moved = (replace(c, start=c.start + first, stop=c.stop + first, apex=c.apex + first) for c in found)
        news = [c for c in moved if c.start >= self.told]
        self.forget(max(self.told, first + rows), round(LOOK_BACK_S * rate))
        return news

    def forget(self, told: int, back: int) -> None:
        """Candidates are told up to a tick: shapes, and parts to look at, further back than `back` ticks go."""
        for tick in range(max(0, self.told - back), max(0, told - back)):
            self.shapes.pop(tick, None)
        self.told = told
        while self.untold < len(self.parts) and ends(self.parts[self.untold]) <= told - back:
            self.untold += 1


def shape_of(landmarks: Floats) -> Floats:
    """The shape (SHAPE,) of landmarks (468, 3)."""
    return np.asarray(face_shape(landmarks[None])[0])


def fill(crops: list[Crop], before: Key, after: Key | None) -> None:
    """Give shapes to the crops between two key frames: in between where the face hardly moved, else looked for.

    Behind the last key frame of a segment its shape stays.
    """
    for crop in crops:
        if after is None or after.segment != before.segment:
            crop.shape = before.shape
        elif crop.look is not None and float(np.abs(after.shape - before.shape).mean()) > MOVED:
            crop.shape = shape_of(crop.look())
        else:
            share = np.float32((crop.time - before.time) / max(after.time - before.time, 1e-9))
            crop.shape = before.shape + share * (after.shape - before.shape)
        crop.look = None  # lets the picture go


def ends(part: Scored) -> int:
    """The tick after a part's last."""
    return part.start + len(part.scores)


def spotting_faces(config: FesNetConfig, which: Literal["largest", "all"] = "largest") -> FaceTracker:
    """The face stage of spotting: luma crops of the network's size, landmarks resting where texture tells the pose."""
    return FaceTracker(which=which, crop_size=config.crop_size, colour=False, rest=REST)


class SpotStream:
    """Push frames in order of time; each `push` returns the intervals that have become certain with it.

    The scores of a moment are final `look_ahead` seconds later at most, and an interval is handed out when it has
    ended, and been neutral again for longer than the rules would bridge. `end` hands out the others: all of them,
    where everything was shorter than the look-ahead. faces: those of the last frame.
    """

    def __init__(
        self,
        tracker: Tracker,
        runtime: Runtime,
        config: FesNetConfig,
        rules: IntervalRules,
        check: IntervalCheck | None = None,
    ) -> None:
        self.tracker, self.runtime, self.config, self.rules = tracker, runtime, config, rules
        self.interval_check = check
        self.checked: list[SpottedInterval] = []  # candidates so far, whatever their probability
        self.sampler = Sampler(config.working_rate)
        self.lines: dict[int, FaceLine] = {}
        self.faces: list[Face] = []
        self.seconds = array("d")
        self.sampled = 0.0
        self.finished = False

    @property
    def look_ahead(self) -> float:
        """Seconds until the scores of a moment are final at the latest: a window, a batch of crops, a key frame; and
        what the interval check looks ahead."""
        scores = (self.config.spotting[0] + ENCODE_BATCH) / self.config.working_rate + REST
        return scores if self.interval_check is None else scores + LOOK_AHEAD_S

    @property
    def times(self) -> NDArray[np.float64]:
        """(N,) s of all frames so far."""
        return np.array(self.seconds, np.float64)

    def push(self, frame: Frame) -> list[SpottedInterval]:
        """Take the next frame; returns what has become certain, in order of faces and onsets.

        Raises UsageError for what is no frame, for times that are none or fall, and after the end.
        """
        self.check(frame)
        self.seconds.append(frame.time)
        if not self.sampler.wants(frame.time):
            return []  # the working rate passes over it
        spacing, self.sampled = frame.time - self.sampled, frame.time
        self.faces = self.tracker.push(frame)
        known = self.scored
        for face in self.faces:
            if face.face not in self.lines:
                self.lines[face.face] = FaceLine(self.config, self.runtime, self.interval_check)
            self.lines[face.face].push(face, spacing)
        return list(self.certain()) if self.scored > known else []

    def check(self, frame: Frame) -> None:
        """Raises UsageError for what cannot be pushed."""
        if self.finished:
            raise UsageError("expected no frame after the end of a stream, got one; begin another stream")
        if not isinstance(frame, Frame):
            raise UsageError(f"expected a Frame, got {type(frame).__name__}; push Frame(index, time, image)")
        last, time = self.seconds[-1] if self.seconds else 0.0, frame.time
        if not isinstance(time, Real) or not last <= time <= LATEST:
            raise UsageError(
                f"expected a time from {last} to {LATEST} s since the first frame, got {time!r}; "
                "push frames in order, the first at 0"
            )

    @property
    def scored(self) -> int:
        """How many parts of scores there are so far."""
        return sum(len(line.parts) for line in self.lines.values())

    def certain(self, ticks: int | None = None) -> Iterator[SpottedInterval]:
        if self.interval_check is not None:
            news = self.new_candidates(self.interval_check, ticks)
            yield from choose_intervals(news, self.config.working_rate, self.rules)
            return
        for number in sorted(self.lines):
            track = self.lines[number].news(number, self.rules, ticks)
            if track is not None:
                yield from make_intervals((track,), self.times, self.config.working_rate, self.rules)

    def new_candidates(self, check: IntervalCheck, ticks: int | None = None) -> list[SpottedInterval]:
        """Candidates that have become final, of all faces; they are also kept. ticks: see `FaceLine.check_news`."""
        rate, times = self.config.working_rate, self.times
        out: list[SpottedInterval] = []
        for number in sorted(self.lines):
            for c in self.lines[number].check_news(number, check, ticks):
                seconds = (c.start / rate, c.apex / rate, (c.stop - 1) / rate)
                found = TimedInterval(*seconds, c.kind, c.probability)
                out.append(on_source_frames(number, found, times, rate))
        self.checked += out
        return out

    def candidates(self) -> tuple[SpottedInterval, ...] | None:
        """All candidates of a stream that has ended; None without a check."""
        if self.interval_check is None:
            return None
        self.new_candidates(self.interval_check, self.ticks)
        return tuple(sorted(self.checked))

    @property
    def ticks(self) -> int:
        """How many there are from 0 to the last frame."""
        return int(self.seconds[-1] * self.config.working_rate + 1e-6) + 1 if self.seconds else 0

    def end(self) -> list[SpottedInterval]:
        """No frame follows: the intervals that no `push` has handed out, in order of faces and onsets."""
        self.finish()
        return list(self.certain(self.ticks))

    def finish(self) -> tuple[FaceTrack, ...]:
        """No frame follows: all scores, on ticks from 0 to the last frame."""
        self.finished = True
        for line in self.lines.values():
            line.finish()
        return tuple(self.lines[n].track(n, self.ticks, self.config.working_rate) for n in sorted(self.lines))

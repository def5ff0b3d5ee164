"""One face's way through the network, and a whole source's: push frames in, finished intervals come out.

    frame -> faces -> crops, shapes -> attended features -> windows -> scores -> decided -> intervals

Files go the same way as cameras (`Spotter.spot` is this stream run to its end), so nothing can differ between them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fesnet.clips import Grid, Sampler, Scored, Stitcher
from fesnet.faces import Face, FaceTracker, face_shape, only_face
from fesnet.intervals import IntervalRules, decided
from fesnet.result import FaceTrack, SpottedInterval, as_stored, make_intervals
from fesnet.runtime import Runtime
from fesnet.video import Frame
from fesnet.weights import FesNetConfig

Floats = NDArray[np.float32]
REST = 0.11  # s between looks of the landmark model at a face that moves slowly: every third frame at 25 or 30 Hz
ENCODE_BATCH = 16  # crops through the network at once: wide enough to be efficient, short enough for a camera


@dataclass
class Crop:
    """A face that waits to be encoded."""

    time: float
    spacing: float
    segment: int
    crop: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    landmarks: Floats | None  # None: of an earlier frame


class FaceLine:
    """One face's way through the network: grid, windows, and the scores that are final."""

    def __init__(self, config: FesNetConfig, runtime: Runtime) -> None:
        self.config, self.runtime = config, runtime
        self.grid = Grid(config.working_rate)
        self.stitcher = Stitcher(config.window, config.stride, runtime.decode)
        self.segment: int | None = None
        self.shapes = Shapes()
        self.waiting: list[Crop] = []
        self.parts: list[Scored] = []
        self.told = 0  # ticks whose intervals have been handed out, and the first part behind them
        self.untold = 0
        self.inside = False
        self.last = -9  # the last tick that was scored

    def push(self, face: Face, spacing: float) -> None:
        """Take the face of the next frame, `spacing` seconds after the frame before."""
        landmarks = face.landmarks if face.key else None
        self.waiting.append(Crop(face.time, spacing, face.segment, face.crop, face.mask, landmarks))
        if len(self.waiting) >= ENCODE_BATCH and self.config.shape:
            keys = [i for i, crop in enumerate(self.waiting) if crop.landmarks is not None]
            self.encode(keys[-1] + 1 if keys else 0)
        elif len(self.waiting) >= ENCODE_BATCH:
            self.encode(len(self.waiting))

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
            shapes = self.shapes.of(waiting)
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

    def news(self, face: int, rules: IntervalRules) -> FaceTrack | None:
        """Scores since the last news, up to where nothing that follows can change the intervals; None: nowhere yet."""
        if self.untold == len(self.parts):
            return None
        rate = self.config.working_rate
        last = self.parts[-1]
        stop = last.start + len(last.scores)
        waiting = as_stored(self.stretch(face, self.told, stop, rate, self.parts[self.untold :]))
        count = decided(waiting.scores, 1 / rate, rules)
        if count == 0:
            return None
        self.told += count
        while self.untold < len(self.parts) and ends(self.parts[self.untold]) <= self.told:
            self.untold += 1
        return FaceTrack(face, waiting.times[:count], waiting.scores[:count], waiting.intensity[:count])


class Shapes:
    """Shapes of the face in every frame, from landmarks in key frames: linear in time between two of a segment."""

    def __init__(self) -> None:
        self.last: tuple[Crop, Floats] | None = None  # the last key frame so far

    def of(self, crops: list[Crop]) -> Floats:
        """(N, SHAPE). Behind the last key frame of a segment its shape stays."""
        found = [c.landmarks for c in crops if c.landmarks is not None]
        known = iter(face_shape(np.stack(found)) if found else ())
        keys = [(c, next(known)) for c in crops if c.landmarks is not None]
        out = []
        for crop in crops:
            if keys and keys[0][0] is crop:
                self.last = keys.pop(0)
            out.append(between(crop, self.last, keys[0] if keys else None))
        return np.stack(out)


def between(crop: Crop, before: tuple[Crop, Floats] | None, after: tuple[Crop, Floats] | None) -> Floats:
    """The shape (SHAPE,) of a crop at or after the key frame `before`, and before the key frame `after`."""
    if before is None:
        raise ValueError("expected landmarks with the first face of a line, got none")
    key, shape = before
    if crop is key or after is None or after[0].segment != crop.segment:
        return shape
    span = after[0].time - key.time
    share = np.float32((crop.time - key.time) / span) if span > 0 else np.float32(0)
    return np.asarray(shape + share * (after[1] - shape), np.float32)


def ends(part: Scored) -> int:
    """The tick after a part's last."""
    return part.start + len(part.scores)


class SpotStream:
    """Push frames in order of time; each `push` returns the intervals that have become certain with it.

    The scores of a moment are final `look_ahead` seconds later at most, and an interval is handed out when it has
    ended, and been neutral again for longer than the rules would bridge. faces: those of the last frame.
    """

    def __init__(self, tracker: FaceTracker, runtime: Runtime, config: FesNetConfig, rules: IntervalRules) -> None:
        self.tracker, self.runtime, self.config, self.rules = tracker, runtime, config, rules
        self.sampler = Sampler(config.working_rate)
        self.lines: dict[int, FaceLine] = {}
        self.faces: list[Face] = []
        self.seconds = array("d")
        self.sampled = 0.0

    @property
    def look_ahead(self) -> float:
        """Seconds until the scores of a moment are final at the latest: a window, a batch of crops, a key frame."""
        return (self.config.window + ENCODE_BATCH) / self.config.working_rate + REST

    @property
    def times(self) -> NDArray[np.float64]:
        """(N,) s of all frames so far."""
        return np.array(self.seconds, np.float64)

    def push(self, frame: Frame) -> list[SpottedInterval]:
        """Take the next frame; returns what has become certain, in order of faces and onsets."""
        self.seconds.append(frame.time)
        if not self.sampler.wants(frame.time):
            return []  # the working rate passes over it
        spacing, self.sampled = frame.time - self.sampled, frame.time
        self.faces = self.tracker.push(frame)
        known = self.scored
        for face in self.faces:
            if face.face not in self.lines:
                self.lines[face.face] = FaceLine(self.config, self.runtime)
            self.lines[face.face].push(face, spacing)
        return list(self.certain()) if self.scored > known else []

    @property
    def scored(self) -> int:
        """How many parts of scores there are so far."""
        return sum(len(line.parts) for line in self.lines.values())

    def certain(self) -> Iterator[SpottedInterval]:
        for number in sorted(self.lines):
            news = self.lines[number].news(number, self.rules)
            if news is not None:
                yield from make_intervals((news,), self.times, self.config.working_rate, self.rules)

    def finish(self) -> tuple[FaceTrack, ...]:
        """No frame follows: all scores, on ticks from 0 to the last frame."""
        for line in self.lines.values():
            line.finish()
        rate = self.config.working_rate
        ticks = int(self.seconds[-1] * rate + 1e-6) + 1 if self.seconds else 0
        return tuple(self.lines[n].track(n, ticks, rate) for n in sorted(self.lines))

"""A clip changed in ways that change no expression: encoded again, smaller, begun later, repeated.

Each change says which frames it shows and where the original's intervals lie in them. Sizes are our
choice: what a messenger, a smaller window, another cut and a looping player do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from fesnet._types import Image
from fesnet.intervals import Interval
from fesnet.result import Spotting
from fesnet.video import Frame, VideoWriter, open_source

MILLISECOND = 1e-3  # s: the unit in which intervals of different frame axes are compared
Pair = tuple[list[Interval], list[Interval]]  # the original's intervals and the changed clip's


class ClipChange(Protocol):
    """One change of a clip."""

    @property
    def name(self) -> str:
        """A short name, also of folders."""
        ...

    def frames(self, clip: Path) -> Iterator[Frame]:
        """The changed clip's frames. Raises SourceError."""
        ...

    def align(self, original: Spotting, changed: Spotting) -> list[Pair]:
        """Both results' intervals in ms on the original's clock; a pair for each repeat."""
        ...


def millisecond_intervals(result: Spotting) -> list[Interval]:
    """The intervals of a result in milliseconds, half-open: until the last frame ends."""
    steps = np.diff(result.frame_times)
    last = float(np.median(steps)) if len(steps) else 1 / result.working_rate
    return [
        Interval(
            round(i.onset_s / MILLISECOND),
            max(round((i.offset_s + last) / MILLISECOND), round(i.onset_s / MILLISECOND) + 1),
            i.kind,
            score=i.score,
        )
        for i in result.intervals
    ]


def shrink(image: Image, scale: float) -> Image:
    """A picture (H, W, 3) with `scale` times the pixels a side, at least 16."""
    height, width = (max(16, round(side * scale)) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def encode_frames(frames: Iterator[Frame], rate: float, crf: int) -> Iterator[Frame]:
    """Frames as a decoder gives them back after H.264 of quality `crf`."""
    first = next(frames, None)
    if first is None:
        return
    height, width = first.image.shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with VideoWriter(path, rate, width, height, crf=crf, timed=True) as writer:
            writer.write(first.image, first.time)
            for frame in frames:
                same = frame.image.shape[:2] == (height, width)
                image = frame.image if same else cv2.resize(frame.image, (width, height))
                writer.write(np.asarray(image, np.uint8), frame.time)
        with open_source(path) as source:
            yield from source


@dataclass(frozen=True)
class Reencode:
    """Compressed once more, with x264's quality `crf`."""

    crf: int = 30
    name: str = "reencoded"

    def frames(self, clip: Path) -> Iterator[Frame]:
        with open_source(clip) as source:
            yield from encode_frames(iter(source), float(source.rate or 30), self.crf)

    def align(self, original: Spotting, changed: Spotting) -> list[Pair]:
        return [(millisecond_intervals(original), millisecond_intervals(changed))]


@dataclass(frozen=True)
class Rescale:
    """With `scale` times the pixels a side."""

    scale: float = 0.6
    name: str = "rescaled"

    def frames(self, clip: Path) -> Iterator[Frame]:
        with open_source(clip) as source:
            for frame in source:
                yield Frame(frame.index, frame.time, shrink(frame.image, self.scale))

    def align(self, original: Spotting, changed: Spotting) -> list[Pair]:
        return [(millisecond_intervals(original), millisecond_intervals(changed))]


@dataclass(frozen=True)
class TrimStart:
    """Begun later: by `seconds`, or by `share` of the clip where that is less.

    Intervals that the new beginning cuts say nothing: they are left out, of both results.
    """

    seconds: float = 1.0
    share: float = 0.2
    name: str = "trimmed"

    def start(self, duration: float) -> float:
        """Seconds that a clip of this length loses."""
        return min(self.seconds, self.share * duration)

    def frames(self, clip: Path) -> Iterator[Frame]:
        start = self.start(duration_of(clip))
        with open_source(clip) as source:
            first: Frame | None = None
            for frame in source:
                if frame.time < start:
                    continue
                first = first or frame
                yield Frame(frame.index - first.index, frame.time - first.time, frame.image)

    def align(self, original: Spotting, changed: Spotting) -> list[Pair]:
        times = original.frame_times
        cut = float(times[len(times) - len(changed.frame_times)])
        shift = round(cut / MILLISECOND)
        truth = millisecond_intervals(original)
        found = [moved(i, shift) for i in millisecond_intervals(changed)]
        halved = [i for i in truth if i.start <= shift < i.stop]
        return [
            (
                [i for i in truth if i.start > shift],
                [i for i in found if not any(i.overlap(h) for h in halved)],
            )
        ]


@dataclass(frozen=True)
class Loop:
    """Played `repeats` times without a break. Every repeat is compared with the original."""

    repeats: int = 3
    name: str = "looped"

    def frames(self, clip: Path) -> Iterator[Frame]:
        index, begun, time, step = 0, 0.0, 0.0, 1 / 30
        for _ in range(self.repeats):
            with open_source(clip) as source:
                for frame in source:
                    step = begun + frame.time - time if frame.index else step
                    time = begun + frame.time
                    yield Frame(index, time, frame.image)
                    index += 1
            begun = time + step

    def align(self, original: Spotting, changed: Spotting) -> list[Pair]:
        """An interval belongs to the repeat that holds its middle."""
        truth, count = millisecond_intervals(original), len(original.frame_times)
        starts = np.rint(changed.frame_times[::count] / MILLISECOND).astype(int)
        parts: list[list[Interval]] = [[] for _ in starts]
        for i in millisecond_intervals(changed):
            which = int(np.searchsorted(starts, (i.start + i.stop) / 2, "right")) - 1
            parts[which].append(moved(i, -int(starts[which])))
        return [(truth, part) for part in parts]


def moved(interval: Interval, shift: int) -> Interval:
    """The interval so many ms later, cut at 0."""
    start = max(0, interval.start + shift)
    return Interval(start, max(start + 1, interval.stop + shift), interval.kind)


def duration_of(clip: Path) -> float:
    """When the last frame is shown, s; read frame by frame, as containers may be wrong."""
    with open_source(clip) as source:
        last = 0.0
        for frame in source:
            last = frame.time
    return last


CHANGES: Sequence[ClipChange] = (Reencode(), Rescale(), TrimStart(), Loop())

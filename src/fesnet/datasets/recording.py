"""What every reader returns: recordings with their truth, and issues of the files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fesnet.frame_numbers import FrameNumbers
from fesnet.intervals import Interval

Media = Literal["video", "frames", "features", "prepared"]


@dataclass(frozen=True)
class EventLabel:
    """What a table says of an event beside its frames, as it is written there; "" for nothing."""

    emotion: str = ""
    action_units: str = ""


@dataclass(frozen=True)
class Recording:
    """One video of one subject.

    id: unique in its data set, and good as a file name. source: video file, folder of frames,
    `.npz`/`.npy` of features per frame, or crops that `fesnet data prepare` kept (media
    "prepared"). frames: how many there are, None where only decoding would tell. rate: frames a
    second as the data set states it, None where the file itself tells. truth: on the source's
    frames, 0-based, half-open; empty for a video without expressions, which counts in every table.
    numbers: of the files of a folder of frames, None where frames count from 1. labels: of each
    event of `truth`, or none.
    """

    id: str
    subject: str
    source: Path
    media: Media
    truth: tuple[Interval, ...] = ()
    frames: int | None = None
    rate: float | None = None
    numbers: FrameNumbers | None = None
    labels: tuple[EventLabel, ...] = ()

    def numbered_truth(self) -> tuple[Interval, ...]:
        """The truth in the numbers of the files, as tables have it: `start` is onset less 1."""
        numbers = self.numbers
        return self.truth if numbers is None else tuple(map(numbers.to_numbers, self.truth))


@dataclass(frozen=True)
class AnnotationIssue:
    """Something odd in the official files. where: file and row; action: what was done about it."""

    what: str
    where: str
    action: str


@dataclass(frozen=True)
class DataSet:
    """All recordings under one root, sorted by id. missing: recordings whose frames or video are
    not there. frameless: these with their truth, where a table tells it; `source` is the root.
    """

    name: str
    root: Path
    recordings: tuple[Recording, ...]
    issues: tuple[AnnotationIssue, ...] = ()
    missing: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    frameless: tuple[Recording, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(sorted({r.subject for r in self.recordings}))

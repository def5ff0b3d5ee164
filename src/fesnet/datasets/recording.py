"""What every reader returns: recordings with their truth, and issues of the files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fesnet.intervals import Interval

Media = Literal["video", "frames", "features", "prepared"]


@dataclass(frozen=True)
class Recording:
    """One video of one subject.

    id: unique in its data set, and good as a file name. source: video file, folder of frames,
    `.npz`/`.npy` of features per frame, or crops that `fesnet data prepare` kept (media
    "prepared"). frames: how many there are, None where only decoding would tell. rate: frames a
    second as the data set states it, None where the file itself tells. truth: on the source's
    frames, 0-based, half-open; empty for a video without expressions, which counts in every table.
    """

    id: str
    subject: str
    source: Path
    media: Media
    truth: tuple[Interval, ...] = ()
    frames: int | None = None
    rate: float | None = None


@dataclass(frozen=True)
class AnnotationIssue:
    """Something odd in the official files. where: file and row; action: what was done about it."""

    what: str
    where: str
    action: str


@dataclass(frozen=True)
class DataSet:
    """All recordings under one root, sorted by id. missing: recordings whose frames or video are
    not there.
    """

    name: str
    root: Path
    recordings: tuple[Recording, ...]
    issues: tuple[AnnotationIssue, ...] = ()
    missing: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(sorted({r.subject for r in self.recordings}))

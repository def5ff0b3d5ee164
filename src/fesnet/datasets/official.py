"""What the readers of official tables share: rows -> intervals by named conventions, every oddity
written down.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fesnet.datasets.recording import DataSet, Quirk, Recording
from fesnet.errors import TruthError, UsageError
from fesnet.intervals import Interval, Kind

CONVENTIONS = {
    "apex": "the apex is the end (the challenges' own script; the default)",
    "mirror": "the end lies as far behind the apex as the onset before it",
    "apex+20": "the end is 20 frames behind the apex",
    "drop": "the row does not count",
    "unmatchable": "one frame at the onset, which nothing can match: always a miss",
}
PICTURES = {".jpg", ".jpeg", ".png", ".bmp"}


@dataclass(frozen=True)
class Row:
    """One event as a table has it; frames from 1, both ends inside, 0 or less where unknown."""

    subject: str
    video: str
    kind: Kind
    onset: str
    apex: str
    offset: str
    where: str


@dataclass(frozen=True)
class Video:
    """One video on disk; folder None where it is missing."""

    id: str
    subject: str
    folder: Path | None


def kind_of(text: str, where: str) -> Kind:
    """macro or micro, as official tables spell them."""
    start = text.strip().lower()
    if start.startswith("mac"):
        return "macro"
    if start.startswith("mic"):
        return "micro"
    raise TruthError(f"expected macro or micro in {where}, got {text!r}")


class Settler:
    """Turns rows into intervals; keeps the quirks that it meets."""

    def __init__(self, offset: str) -> None:
        if offset not in CONVENTIONS:
            raise UsageError(
                f"expected an offset convention out of {', '.join(CONVENTIONS)}, got {offset!r}"
            )
        self.offset = offset
        self.quirks: list[Quirk] = []

    def note(self, what: str, row: Row, done: str) -> None:
        self.quirks.append(Quirk(what, row.where, done))

    def frame(self, text: str, name: str, row: Row) -> int:
        """A frame number; fractions are rounded. Raises TruthError for words."""
        try:
            value = float(text) if text else 0.0
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise TruthError(f"expected a frame number for {name} in {row.where}, got {text!r}")
        if value != int(value):
            self.note(f"fractional {name}", row, "rounded")
        return math.floor(value + 0.5)

    def interval(self, row: Row) -> Interval | None:
        """The interval of a row, or None where it does not count."""
        onset, apex, offset = (
            self.frame(getattr(row, n), n, row) for n in ("onset", "apex", "offset")
        )
        if onset < 1:
            self.note("onset below 1", row, "taken as frame 1")
            onset = 1
        known = apex >= onset
        if not known:
            self.note("apex unknown", row, "left out")
        if offset <= 0:
            return self.unknown_end(row, onset, apex if known else None)
        if offset < onset:
            self.note(
                "offset before onset", row, "the apex is the end" if known else "row left out"
            )
            return self.made(row, onset, apex, apex) if known else None
        if known and offset < apex:
            self.note("offset before apex", row, "the apex is left out")
            known = False
        return self.made(row, onset, apex if known else None, offset)

    def unknown_end(self, row: Row, onset: int, apex: int | None) -> Interval | None:
        """A row with offset 0."""
        self.note(
            "offset 0",
            row,
            self.offset if apex is not None or self.offset == "unmatchable" else "row left out",
        )
        if self.offset == "unmatchable":
            return self.made(row, onset, None, onset)
        if apex is None or self.offset == "drop":
            return None
        end = {"apex": apex, "mirror": 2 * apex - onset, "apex+20": apex + 20}[self.offset]
        return self.made(row, onset, apex, end)

    def made(self, row: Row, onset: int, apex: int | None, offset: int) -> Interval:
        return Interval.from_inclusive(onset, offset, row.kind, apex=apex)


def build(
    name: str,
    root: Path,
    videos: Sequence[Video],
    rows: Iterable[Row],
    settler: Settler,
    rate: float,
) -> DataSet:
    """A data set of all videos, with the truth of the rows. Raises TruthError for rows of a video
    that is unknown.
    """
    truth: dict[str, list[Interval]] = {v.id: [] for v in videos}
    for row in rows:
        if row.video not in truth:
            raise TruthError(f"expected a known video in {row.where}, got {row.video}")
        interval = settler.interval(row)
        if interval is not None:
            truth[row.video].append(interval)
    overlaps(truth, settler)
    recordings, missing = [], []
    for video in videos:
        frames = 0 if video.folder is None else count_frames(video.folder)
        if video.folder is None or not frames:
            missing.append(video.id)
            continue
        too_long(video.id, truth[video.id], frames, settler)
        events = tuple(sorted(truth[video.id]))
        recordings.append(
            Recording(video.id, video.subject, video.folder, "frames", events, frames, rate)
        )
    order = tuple(sorted(recordings, key=lambda r: r.id))
    return DataSet(
        name, root, order, tuple(settler.quirks), tuple(sorted(missing)), {"offset": settler.offset}
    )


def overlaps(truth: dict[str, list[Interval]], settler: Settler) -> None:
    """Write down pairs of events that overlap; they stay."""
    for video, intervals in truth.items():
        for n, one in enumerate(intervals):
            for other in intervals[n + 1 :]:
                if one.overlap(other) > 0:
                    what = (
                        "micro inside macro overlap"
                        if one.kind != other.kind
                        else f"two {one.kind} overlap"
                    )
                    settler.quirks.append(
                        Quirk(what, f"{video} frames {one.start + 1} and {other.start + 1}", "kept")
                    )


def too_long(video: str, intervals: list[Interval], frames: int, settler: Settler) -> None:
    for i in intervals:
        if i.stop > frames:
            settler.quirks.append(
                Quirk("event after the last frame", f"{video} frame {i.stop} of {frames}", "kept")
            )


def count_frames(folder: Path) -> int:
    return sum(p.suffix.lower() in PICTURES for p in folder.iterdir())


def folders(root: Path, pattern: str) -> dict[str, Path]:
    """Folders anywhere up to three levels below the root whose name fits a regular expression, by
    name.
    """
    out: dict[str, Path] = {}
    for depth in ("*", "*/*", "*/*/*"):
        for path in sorted(root.glob(depth)):
            if path.is_dir() and re.fullmatch(pattern, path.name, re.IGNORECASE):
                out.setdefault(path.name, path)
    return out

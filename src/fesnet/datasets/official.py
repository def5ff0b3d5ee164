"""What the readers of official tables share: rows to intervals by named conventions.

Every issue of a table is noted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fesnet.datasets.recording import AnnotationIssue, DataSet, Recording
from fesnet.errors import TruthError, UsageError
from fesnet.intervals import Interval, Kind

CONVENTIONS = {
    "apex": "the apex is the end (the challenges' own script; the default)",
    "mirror": "the end lies as far behind the apex as the onset before it",
    "apex+20": "the end is 20 frames behind the apex",
    "drop": "the row does not count",
    "unmatchable": "one frame at the onset, which nothing can match: always a miss",
}
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


@dataclass(frozen=True)
class AnnotationRow:
    """One event as a table has it; frames from 1, both ends inside, 0 or less where unknown."""

    subject: str
    video: str
    kind: Kind
    onset: str
    apex: str
    offset: str
    where: str


@dataclass(frozen=True)
class VideoFolder:
    """One video on disk; folder None where it is missing."""

    id: str
    subject: str
    folder: Path | None


def parse_kind(text: str, where: str) -> Kind:
    """macro or micro, as official tables spell them."""
    start = text.strip().lower()
    if start.startswith("mac"):
        return "macro"
    if start.startswith("mic"):
        return "micro"
    raise TruthError(f"expected macro or micro in {where}, got {text!r}")


class AnnotationParser:
    """Turns rows into intervals, and notes the issues that it meets."""

    def __init__(self, offset: str) -> None:
        if offset not in CONVENTIONS:
            raise UsageError(
                f"expected an offset convention out of {', '.join(CONVENTIONS)}, got {offset!r}"
            )
        self.offset = offset
        self.issues: list[AnnotationIssue] = []

    def add_issue(self, what: str, row: AnnotationRow, action: str) -> None:
        self.issues.append(AnnotationIssue(what, row.where, action))

    def parse_frame(self, text: str, name: str, row: AnnotationRow) -> int:
        """A frame number; fractions are rounded. Raises TruthError for words."""
        try:
            value = float(text) if text else 0.0
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise TruthError(f"expected a frame number for {name} in {row.where}, got {text!r}")
        if value != int(value):
            self.add_issue(f"fractional {name}", row, "rounded")
        return math.floor(value + 0.5)

    def parse_interval(self, row: AnnotationRow) -> Interval | None:
        """The interval of a row, or None where it does not count."""
        onset, apex, offset = (
            self.parse_frame(getattr(row, n), n, row) for n in ("onset", "apex", "offset")
        )
        if onset < 1:
            self.add_issue("onset below 1", row, "taken as frame 1")
            onset = 1
        known = apex >= onset
        if not known:
            self.add_issue("apex unknown", row, "left out")
        if offset <= 0:
            return self.resolve_unknown_offset(row, onset, apex if known else None)
        if offset < onset:
            self.add_issue(
                "offset before onset", row, "the apex is the end" if known else "row left out"
            )
            return self.make_interval(row, onset, apex, apex) if known else None
        if known and offset < apex:
            self.add_issue("offset before apex", row, "the apex is left out")
            known = False
        return self.make_interval(row, onset, apex if known else None, offset)

    def resolve_unknown_offset(
        self, row: AnnotationRow, onset: int, apex: int | None
    ) -> Interval | None:
        """A row with offset 0."""
        self.add_issue(
            "offset 0",
            row,
            self.offset if apex is not None or self.offset == "unmatchable" else "row left out",
        )
        if self.offset == "unmatchable":
            return self.make_interval(row, onset, None, onset)
        if apex is None or self.offset == "drop":
            return None
        end = {"apex": apex, "mirror": 2 * apex - onset, "apex+20": apex + 20}[self.offset]
        return self.make_interval(row, onset, apex, end)

    def make_interval(
        self, row: AnnotationRow, onset: int, apex: int | None, offset: int
    ) -> Interval:
        return Interval.from_inclusive(onset, offset, row.kind, apex=apex)


def assemble_dataset(
    name: str,
    root: Path,
    videos: Sequence[VideoFolder],
    rows: Iterable[AnnotationRow],
    parser: AnnotationParser,
    rate: float,
) -> DataSet:
    """A data set of all videos, with the truth of the rows. Raises TruthError for rows of a video
    that is unknown.
    """
    truth: dict[str, list[Interval]] = {v.id: [] for v in videos}
    for row in rows:
        if row.video not in truth:
            raise TruthError(f"expected a known video in {row.where}, got {row.video}")
        interval = parser.parse_interval(row)
        if interval is not None:
            truth[row.video].append(interval)
    note_overlaps(truth, parser)
    recordings, missing = [], []
    for video in videos:
        frames = 0 if video.folder is None else count_frames(video.folder)
        if video.folder is None or not frames:
            missing.append(video.id)
            continue
        note_late_events(video.id, truth[video.id], frames, parser)
        events = tuple(sorted(truth[video.id]))
        recordings.append(
            Recording(video.id, video.subject, video.folder, "frames", events, frames, rate)
        )
    order = tuple(sorted(recordings, key=lambda r: r.id))
    return DataSet(
        name, root, order, tuple(parser.issues), tuple(sorted(missing)), {"offset": parser.offset}
    )


def note_overlaps(truth: dict[str, list[Interval]], parser: AnnotationParser) -> None:
    """Note pairs of events that overlap; they are kept."""
    for video, intervals in truth.items():
        for n, one in enumerate(intervals):
            for other in intervals[n + 1 :]:
                if one.overlap(other) > 0:
                    what = (
                        "micro inside macro overlap"
                        if one.kind != other.kind
                        else f"two {one.kind} overlap"
                    )
                    parser.issues.append(
                        AnnotationIssue(
                            what, f"{video} frames {one.start + 1} and {other.start + 1}", "kept"
                        )
                    )


def note_late_events(
    video: str, intervals: list[Interval], frames: int, parser: AnnotationParser
) -> None:
    for i in intervals:
        if i.stop > frames:
            parser.issues.append(
                AnnotationIssue(
                    "event after the last frame", f"{video} frame {i.stop} of {frames}", "kept"
                )
            )


def count_frames(folder: Path) -> int:
    return sum(p.suffix.lower() in IMAGE_SUFFIXES for p in folder.iterdir())


def find_folders(root: Path, pattern: str) -> dict[str, Path]:
    """Folders anywhere up to three levels below the root whose name fits a regular expression, by
    name.
    """
    out: dict[str, Path] = {}
    for depth in ("*", "*/*", "*/*/*"):
        for path in sorted(root.glob(depth)):
            if path.is_dir() and re.fullmatch(pattern, path.name, re.IGNORECASE):
                out.setdefault(path.name, path)
    return out

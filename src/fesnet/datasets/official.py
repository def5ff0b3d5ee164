"""What the readers of official tables share: rows to intervals by named conventions.

Every issue of a table is noted. Frames of a table are the numbers of the files.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fesnet.datasets.frame_folders import folder_numbers, note_numbering
from fesnet.datasets.recording import AnnotationIssue, DataSet, EventLabel, Recording
from fesnet.errors import TruthError, UsageError
from fesnet.intervals import Interval, Kind

CONVENTIONS = {
    "apex": "the apex is the end (the challenges' own script; the default)",
    "mirror": "the end lies as far behind the apex as the onset before it",
    "apex+20": "the end is 20 frames behind the apex, also where the offset is not behind the apex",
    "drop": "the row does not count",
    "unmatchable": "one frame at the onset, which nothing can match: always a miss",
}
Event = tuple[Interval, EventLabel]


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
    label: EventLabel = field(default_factory=EventLabel)


@dataclass(frozen=True)
class VideoFolder:
    """One video on disk; folder None where it is missing. others: further folders of it."""

    id: str
    subject: str
    folder: Path | None
    others: tuple[Path, ...] = ()


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
        if not row.onset:
            self.add_issue("onset unknown", row, "row left out")
            return None
        if onset < 1:
            self.add_issue("onset below 1", row, "taken as frame 1")
            onset = 1
        known = apex >= onset
        if not known:
            self.add_issue("apex unknown", row, "left out")
        if offset <= 0:
            return self.resolve_unknown_offset(row, onset, apex if known else None)
        if known and offset <= apex and self.offset == "apex+20":
            self.add_issue("offset not behind the apex", row, "20 frames behind the apex")
            return self.make_interval(row, onset, apex, apex + 20)
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
    truth: dict[str, list[Event]] = {v.id: [] for v in videos}
    for row in rows:
        if row.video not in truth:
            raise TruthError(f"expected a known video in {row.where}, got {row.video}")
        interval = parser.parse_interval(row)
        if interval is not None:
            truth[row.video].append((interval, row.label))
    recordings: list[Recording] = []
    frameless: list[Recording] = []
    for video in sorted(videos, key=lambda v: v.id):
        events = sorted(truth[video.id], key=lambda event: event[0])
        note_overlaps(video.id, [interval for interval, _ in events], parser.issues)
        recording = build_recording(video, events, root, rate, parser.issues)
        (frameless if recording.frames is None else recordings).append(recording)
    missing = tuple(r.id for r in frameless)
    options = {"offset": parser.offset}
    return DataSet(
        name, root, tuple(recordings), tuple(parser.issues), missing, options, tuple(frameless)
    )


def build_recording(
    video: VideoFolder,
    events: Sequence[Event],
    root: Path,
    rate: float,
    issues: list[AnnotationIssue],
) -> Recording:
    """A video with its truth on its frames; frames None, and the truth as numbered, where it has
    none.
    """
    truth = tuple(interval for interval, _ in events)
    bare = Recording(
        video.id,
        video.subject,
        root,
        "frames",
        truth,
        None,
        rate,
        None,
        tuple(x for _, x in events),
    )
    folders = [f for f in (video.folder, *video.others) if f is not None]
    if len(folders) > 1:
        names = ", ".join(str(f.relative_to(root)) for f in folders)
        issues.append(
            AnnotationIssue("frames in more than one folder", f"{video.id}: {names}", "first used")
        )
    for folder in folders:
        count, numbers = folder_numbers(folder)
        if count:
            note_numbering(video.id, numbers, truth, count, issues)
            placed = truth if numbers is None else tuple(map(numbers.to_frames, truth))
            plain = None if numbers is None or numbers.is_plain else numbers
            return replace(bare, source=folder, truth=placed, frames=count, numbers=plain)
    return bare


def note_overlaps(video: str, events: Sequence[Interval], issues: list[AnnotationIssue]) -> None:
    """Note events that overlap; they are kept. Pairs of one kind, and each micro in a macro."""
    for n, one in enumerate(events):
        others = [e for e in events if e is not one and one.overlap(e)]
        if one.kind == "micro" and any(e.kind == "macro" for e in others):
            where = f"{video} number {one.start + 1}"
            issues.append(AnnotationIssue("micro inside macro", where, "kept"))
        issues += [
            AnnotationIssue(
                f"two {one.kind} overlap",
                f"{video} numbers {one.start + 1} and {e.start + 1}",
                "kept",
            )
            for e in events[n + 1 :]
            if e.kind == one.kind and one.overlap(e)
        ]


def find_folders(root: Path, pattern: str) -> list[Path]:
    """Folders anywhere up to three levels below the root whose name fits a regular expression."""
    return [
        path
        for depth in ("*", "*/*", "*/*/*")
        for path in sorted(root.glob(depth))
        if re.fullmatch(pattern, path.name, re.IGNORECASE) and path.is_dir()
    ]


def group_folders(
    paths: Iterable[Path], identify: Callable[[Path], tuple[str, str]]
) -> dict[str, VideoFolder]:
    """One entry a video, by id. identify: id and subject of a folder."""
    found: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in paths:
        found[identify(path)].append(path)
    return {
        ident: VideoFolder(ident, subject, first, tuple(others))
        for (ident, subject), (first, *others) in found.items()
    }

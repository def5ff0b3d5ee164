"""One row an expression, for spreadsheets and statistics."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fesnet._io import atomic_write_text
from fesnet._names import to_cell
from fesnet.intervals import IntervalMark, Kind
from fesnet.result import Spotting

COLUMNS = (
    "video",
    "face",
    "kind",
    "onset_s",
    "apex_s",
    "offset_s",
    "onset_frame",
    "apex_frame",
    "offset_frame",
    "duration_s",
    "score",
    "moved",
    "flags",
)


LATER_COLUMNS = ("moved", "flags")  # which older versions did not write
MARK_COLUMNS = ("by", "when", "checked", "note")  # of a corrected result


@dataclass(frozen=True, order=True)
class IntervalRow:
    """One expression. Seconds on the video's clock; frames 0-based, inclusive; apex None where
    nobody marked it.
    """

    face: int
    onset_s: float
    offset_s: float
    kind: Kind
    onset_frame: int
    offset_frame: int
    apex_s: float | None
    apex_frame: int | None
    score: float = 1.0
    moved: str = ""  # what moved, as `IntervalContext.moved_text`
    flags: str = ""  # what else happened, divided by spaces


def write_csv(spotting: Spotting, path: Path) -> None:
    """Write `path` atomically. Frames are 0-based and inclusive; duration is offset minus
    onset.
    """
    atomic_write_text(path, table_of_result(spotting))


def table_of_result(spotting: Spotting) -> str:
    """The table of a result."""
    rows = (
        IntervalRow(
            i.face,
            i.onset_s,
            i.offset_s,
            i.kind,
            i.onset_frame,
            i.offset_frame,
            i.apex_s,
            i.apex_frame,
            i.score,
            "" if context is None else context.moved_text,
            "" if context is None else " ".join(context.flags),
        )
        for i in spotting.intervals
        for context in (spotting.context(i),)
    )
    marks = spotting.marks
    more = [mark_cells(marks[i]) for i in spotting.intervals] if marks else None
    return rows_text(spotting.source.name, rows, more)


def without_later_columns(table: str) -> str:
    """A table of a result as older versions wrote it."""
    rows = list(csv.reader(io.StringIO(table)))
    kept = [k for k, name in enumerate(rows[0]) if name not in LATER_COLUMNS]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([row[k] for k in kept] for row in rows)
    return text.getvalue()


def mark_cells(mark: IntervalMark) -> list[object]:
    """The cells of MARK_COLUMNS."""
    return [to_cell(mark.by), mark.when, int(mark.checked), to_cell(mark.note)]


def write_rows(video: str, rows: Iterable[IntervalRow], path: Path) -> None:
    """Write the table of one video atomically; an unknown apex is left empty."""
    atomic_write_text(path, rows_text(video, rows))


def rows_text(
    video: str, rows: Iterable[IntervalRow], more: Sequence[Sequence[object]] | None = None
) -> str:
    """The table of one video. more: the cells of MARK_COLUMNS for each row, if there are some."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS if more is None else (*COLUMNS, *MARK_COLUMNS))
    for number, r in enumerate(rows):
        apex_s = None if r.apex_s is None else f"{r.apex_s:.6f}"
        times = [f"{r.onset_s:.6f}", apex_s, f"{r.offset_s:.6f}"]
        frames = [r.onset_frame, r.apex_frame, r.offset_frame]
        length = f"{r.offset_s - r.onset_s:.6f}"
        score = f"{r.score:.4f}"
        row = [to_cell(video), r.face, r.kind, *times, *frames, length, score, r.moved, r.flags]
        table.writerow([*row, *(more[number] if more is not None else ())])
    return text.getvalue()

"""4DME: long grey videos at 60 Hz, frames `S08/S08_002_01/Frame_000001826.jpg`.

Public are the names of the workbook and of the frames, not the columns. So columns are looked for
by the names that the other tables of the field use, and an error says what is there instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fesnet.datasets.official import (
    AnnotationParser,
    AnnotationRow,
    VideoFolder,
    assemble_dataset,
    find_folders,
    group_folders,
    parse_kind,
)
from fesnet.datasets.recording import DataSet, EventLabel
from fesnet.datasets.sheets import (
    Rows,
    cell_at,
    find_file,
    find_header,
    optional_column,
    read_workbook,
    row_text,
)
from fesnet.errors import TruthError

RATE = 60.0
FILES = ("Micro and Macro-expression labels*.xls*", "*4DME*.xls*")
VIDEO = re.compile(r"S\d+_\d+_\d+", re.IGNORECASE)
VIDEO_COLUMNS = ("Filename", "File name", "Video", "Video name", "Sample", "Clip", "Name")
KIND_COLUMNS = ("Expression type", "Type", "Micro/Macro", "Label type")


@dataclass(frozen=True)
class EventSheet:
    """A sheet of events: its rows, its header's row, and the columns that may be missing."""

    name: str
    rows: Rows
    header: int
    video: int
    kind: int | None

    def column(self, *names: str) -> int | None:
        """Where the first of these columns stands."""
        return optional_column(self.rows[self.header], *names)


def load_fourdme(root: Path, offset: str, table: Path | None = None) -> DataSet:
    """Read `Micro and Macro-expression labels.xlsx` and the folders `S08_002_01`.

    The kind stands in a column, else in the name of the sheet. Frames are file numbers. Raises
    TruthError where the table has no columns for video, onset and offset.
    """
    path = find_file(root, FILES, table)
    parser, rows = AnnotationParser(offset), []
    for sheet in find_event_sheets(read_workbook(path), path):
        rows += list(sheet_rows(sheet, path))
    videos = group_folders(
        find_folders(root, VIDEO.pattern), lambda f: (f.name, f.name.split("_")[0])
    )
    for row in rows:
        videos.setdefault(row.video, VideoFolder(row.video, row.subject, None))
    return assemble_dataset("4dme", root, list(videos.values()), rows, parser, RATE)


def find_event_sheets(sheets: dict[str, Rows], path: Path) -> list[EventSheet]:
    """All sheets with onset, offset and a video. Raises TruthError for none."""
    found = []
    for name, rows in sheets.items():
        header = find_header(rows, ("Onset", "Offset"))
        video = None if header is None else optional_column(rows[header[0]], *VIDEO_COLUMNS)
        if header is not None and video is not None:
            kind = optional_column(rows[header[0]], *KIND_COLUMNS)
            found.append(EventSheet(name, rows, header[0], video, kind))
    if not found:
        there = "; ".join(f"{name}: {row_text(rows)}" for name, rows in sheets.items())
        raise TruthError(
            f"expected columns Onset, Offset and one of {', '.join(VIDEO_COLUMNS)} in {path}, got "
            f"{there or 'no sheet'}; write truth.csv and videos.csv, and use folder"
        )
    return found


def sheet_rows(sheet: EventSheet, path: Path) -> Iterator[AnnotationRow]:
    """Raises TruthError for a video or a kind that is none."""
    onset, apex, offset = (sheet.column(n) for n in ("Onset", "Apex", "Offset"))
    emotion, units = sheet.column("Emotion", "Emotion label"), sheet.column("AU", "AUs")
    for number, cells in enumerate(sheet.rows[sheet.header + 1 :], sheet.header + 2):
        name, where = cell_at(cells, sheet.video), f"{path.name}, {sheet.name} row {number}"
        if not name:
            continue
        if not VIDEO.fullmatch(name):
            raise TruthError(f"expected a video such as S08_002_01 in {where}, got {name!r}")
        word = sheet.name if sheet.kind is None else cell_at(cells, sheet.kind)
        first, peak, last = (cell_at(cells, place) for place in (onset, apex, offset))
        label = EventLabel(cell_at(cells, emotion), cell_at(cells, units))
        kind = parse_kind(word, where)
        yield AnnotationRow(name.split("_")[0], name, kind, first, peak, last, where, label)

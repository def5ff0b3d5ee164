"""SAMM Long Videos: 30 subjects, 147 videos at 200 Hz, frames as folders, a table whose header is
in row 10.
"""

from __future__ import annotations

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
from fesnet.datasets.recording import AnnotationIssue, DataSet, EventLabel
from fesnet.datasets.sheets import (
    cell_at,
    find_columns,
    find_file,
    optional_column,
    read_workbook,
)
from fesnet.errors import TruthError

RATE = 200.0
FILES = ("SAMM_LongVideos_V*_Release.xls*", "SAMM*Long*.xls*", "SAMM*.xls*")
SHEET = "FACS_Movement_Only"
COLUMNS = ("Subject", "Filename", "Onset", "Apex", "Offset", "Type")


def load_samm_lv(root: Path, offset: str, table: Path | None = None) -> DataSet:
    """Read the newest `SAMM_LongVideos_V?_Release.xlsx` and the folders `006_1`."""
    path = find_file(root, FILES, table)
    sheet, start, at = find_columns(read_workbook(path), SHEET, COLUMNS, path)
    units = optional_column(sheet[start], "Action Units")
    emotion = optional_column(sheet[start], "Emotion", "Estimated Emotion")
    parser, rows = AnnotationParser(offset), []
    for number, cells in enumerate(sheet[start + 1 :], start + 2):
        name, where = cell_at(cells, at["Filename"]), f"{path.name} row {number}"
        if not name:
            if any(cells):
                parser.issues.append(AnnotationIssue("row without a file name", where, "left out"))
            continue
        label = EventLabel(cell_at(cells, emotion), cell_at(cells, units))
        rows.append(parse_samm_row(cells, at, where, label))
    videos = group_folders(find_folders(root, r"\d{3}_\d+"), lambda f: (f.name, f.name[:3]))
    for row in rows:
        videos.setdefault(row.video, VideoFolder(row.video, row.subject, None))
    return assemble_dataset("samm", root, list(videos.values()), rows, parser, RATE)


def parse_samm_row(
    cells: list[str], at: dict[str, int], where: str, label: EventLabel
) -> AnnotationRow:
    name = cells[at["Filename"]]
    parts = name.split("_")
    if len(parts) != 3:
        raise TruthError(f"expected a file name such as 006_1_2 in {where}, got {name!r}")
    subject = parts[0].zfill(3)
    onset, apex, offset = (cell_at(cells, at[n]) for n in ("Onset", "Apex", "Offset"))
    kind = parse_kind(cell_at(cells, at["Type"]), where)
    return AnnotationRow(subject, f"{subject}_{parts[1]}", kind, onset, apex, offset, where, label)

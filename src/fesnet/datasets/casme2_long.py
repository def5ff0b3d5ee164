"""CAS(ME)^2 part A: 22 subjects, 98 videos at 30 Hz, frames as folders, a table without a header,
names by codes.
"""

from __future__ import annotations

import re
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
from fesnet.datasets.sheets import Rows, cell_at, find_file, find_sheet, read_workbook, row_text
from fesnet.errors import TruthError

RATE = 30.0
FILES = ("CAS(ME)^2code_final*.xls*", "*code_final*.xls*", "CASME_sq*.xls*", "CAS(ME)*2*.xls*")
EVENTS, SUBJECTS, CODES = "CASFEcode_final", "naming rule1", "naming rule2"
COLUMNS = 8  # subject, name, onset, apex, offset, action units, emotion, kind
# The published naming rules, for workbooks that have the sheet of events alone.
PUBLISHED_SUBJECTS = (15, 16, *range(19, 28), *range(29, 39), 40)
PUBLISHED_CODES = {
    "disgust1": "0101", "disgust2": "0102", "anger1": "0401", "anger2": "0402", "happy1": "0502",
    "happy2": "0503", "happy3": "0505", "happy4": "0507", "happy5": "0508",
}  # fmt: skip
# Videos without an event, which no row of the table names.
EVENT_FREE = (("s15", "0508"), ("s19", "0502"), ("s23", "0503"))


def load_casme2_long(root: Path, offset: str, table: Path | None = None) -> DataSet:
    """Read `CAS(ME)^2code_final.xlsx` (or the updated one) and the folders `s15/15_0101...`."""
    path = find_file(root, FILES, table)
    sheets = read_workbook(path)
    parser = AnnotationParser(offset)
    events = find_sheet(sheets, EVENTS)
    events = find_events(sheets, path) if events is None else events
    numbers, codes = naming_rules(sheets, events, path, parser)
    videos = group_folders(find_folders(root, r"\d+_\d{4}\D*"), identify_folder)
    rows = [
        parse_casme2_row(cells, number, numbers, codes, path)
        for number, cells in enumerate(events, 1)
        if any(cells)
    ]
    free = [(s, f"{s}_{c}") for s, c in EVENT_FREE if s in numbers.values() and c in codes.values()]
    for subject, ident in (*((row.subject, row.video) for row in rows), *free):
        videos.setdefault(ident, VideoFolder(ident, subject, None))
    return assemble_dataset("casme2", root, list(videos.values()), rows, parser, RATE)


def find_events(sheets: dict[str, Rows], path: Path) -> Rows:
    """The first sheet whose rows look like events. Raises TruthError."""
    for rows in sheets.values():
        if any(cell_at(row, COLUMNS - 1).lower().startswith(("mac", "mic")) for row in rows):
            return rows
    there = "; ".join(f"{name}: {row_text(rows)}" for name, rows in sheets.items())
    raise TruthError(
        f"expected a sheet {EVENTS}, or one with macro-expression or micro-expression in column "
        f"{COLUMNS}, in {path}, got {there or 'no sheet'}"
    )


def naming_rules(
    sheets: dict[str, Rows], events: Rows, path: Path, parser: AnnotationParser
) -> tuple[dict[str, str], dict[str, str]]:
    """Subjects (number -> s15) and videos (anger1 -> 0401).

    By the names of the sheets, else by their rows; the published rules where there are none.
    """
    others = [rows for rows in sheets.values() if rows is not events]
    by_name = [rows for name in (SUBJECTS, CODES) if (rows := find_sheet(sheets, name)) is not None]
    numbers: dict[str, str] = {}
    codes: dict[str, str] = {}
    for rows in by_name or others:
        for row in rows:
            code, name = cell_at(row, 0), cell_at(row, 1).lower()
            if re.fullmatch(r"s\d+", name):
                numbers[cell_at(row, 2)] = name
            elif re.fullmatch(r"\d{3,4}", code) and re.fullmatch(r"[a-z]+\d", name):
                codes[name] = code.zfill(4)
    if by_name and not (numbers and codes):
        raise TruthError(
            "expected names of subjects and videos in the sheets naming rule1 and naming rule2 "
            f"of {path}"
        )
    if not numbers or not codes:
        parser.issues.append(
            AnnotationIssue("no naming rules", path.name, "the published ones are used")
        )
        numbers = numbers or {str(n): f"s{s}" for n, s in enumerate(PUBLISHED_SUBJECTS, 1)}
        codes = codes or PUBLISHED_CODES
    return numbers, codes


def identify_folder(folder: Path) -> tuple[str, str]:
    """(s15_0401, s15) of the folder 15_0401girlcrashing."""
    subject, code = folder.name.split("_", 1)
    return f"s{subject}_{code[:4]}", f"s{subject}"


def parse_casme2_row(
    cells: list[str], number: int, numbers: dict[str, str], codes: dict[str, str], path: Path
) -> AnnotationRow:
    where = f"{path.name} row {number}"
    if len(cells) < COLUMNS:
        raise TruthError(f"expected at least {COLUMNS} columns in {where}, got {len(cells)}")
    subject, code = numbers.get(cells[0]), codes.get(cells[1].split("_")[0].strip().lower())
    if subject is None or code is None:
        raise TruthError(
            f"expected a subject and a video of the naming rules in {where}, got {cells[0]} and "
            f"{cells[1]}"
        )
    kind = parse_kind(cells[7], where)
    label = EventLabel(cells[6], cells[5])
    video = f"{subject}_{code}"
    return AnnotationRow(subject, video, kind, cells[2], cells[3], cells[4], where, label)

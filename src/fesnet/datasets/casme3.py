"""CAS(ME)^3. Part A, table v1 or v2: videos `spNO.1/a/color` at 30 Hz, frames without zeros before
the number. Part C: one video of each subject, `01/a/color`.
"""

from __future__ import annotations

import re
from pathlib import Path

from fesnet.datasets.official import (
    AnnotationParser,
    AnnotationRow,
    VideoFolder,
    assemble_dataset,
    group_folders,
    parse_kind,
)
from fesnet.datasets.recording import AnnotationIssue, DataSet, EventLabel
from fesnet.datasets.sheets import (
    Rows,
    cell_at,
    find_columns,
    find_file,
    find_header,
    optional_column,
    read_workbook,
)
from fesnet.intervals import Kind

RATE = 30.0
FILES_A = ("CAS(ME)3_part_A_v*.xls*", "CAS(ME)3_part_A*.xls*")
FILES_C = ("CAS(ME)3_part_C*.xls*",)
COLUMNS_A = ("Subject", "Filename", "Onset", "Apex", "Offset", "Expression type")
MICRO_CODE = "1"  # of Exp_type in part C


def load_casme3(root: Path, offset: str, table: Path | None = None) -> DataSet:
    """Read the newest `CAS(ME)3_part_A_v?.xls` and the folders `spNO.1/a/color`.

    A micro-expression is what the table calls one: here the rule of half a second does not fit.
    """
    path = find_file(root, FILES_A, table)
    sheet, start, at = find_columns(read_workbook(path), "AU+Emotion", COLUMNS_A, path)
    units = optional_column(sheet[start], "AU", "Action Units")
    emotion = optional_column(sheet[start], "emotion", "Emotion label")
    parser, rows = AnnotationParser(offset), []
    videos = find_video_folders(root, ("spNO.*/*/color", "*/spNO.*/*/color"), "{}_{}")
    for number, cells in enumerate(sheet[start + 1 :], start + 2):
        subject, where = cell_at(cells, at["Subject"]), f"{path.name} row {number}"
        if not subject:
            continue
        letter = cell_at(cells, at["Filename"])
        ident = f"{subject}_{letter.lower()}"
        if letter != letter.lower():
            parser.issues.append(
                AnnotationIssue("name in upper case", where, "taken as lower case")
            )
        kind = parse_kind(cell_at(cells, at["Expression type"]), where)
        onset, apex, offset = (cell_at(cells, at[n]) for n in ("Onset", "Apex", "Offset"))
        label = EventLabel(cell_at(cells, emotion), cell_at(cells, units))
        rows.append(AnnotationRow(subject, ident, kind, onset, apex, offset, where, label))
        videos.setdefault(ident, VideoFolder(ident, subject, None))
    return assemble_dataset("casme3", root, list(videos.values()), rows, parser, RATE)


def find_video_folders(root: Path, patterns: tuple[str, ...], name: str) -> dict[str, VideoFolder]:
    """Every folder SUBJECT/LETTER/color, up to two levels below the root.

    name: of a video, made of subject and letter.
    """
    paths = [folder for pattern in patterns for folder in sorted(root.glob(pattern))]
    return group_folders(
        paths, lambda f: (name.format(f.parts[-3], f.parts[-2].lower()), f.parts[-3])
    )


def load_casme3_part_c(root: Path, offset: str, table: Path | None = None) -> DataSet:
    """Read `CAS(ME)3_part_C.xls` (or `..._ME.xlsx`) and the folders `01/a/color`.

    Exp_type 1 is a micro-expression, as published; other codes are taken for macro-expressions,
    which is told. A table without that column is of micro-expressions alone.
    """
    path = find_file(root, FILES_C, table)
    sheet, start, at = find_part_c_columns(read_workbook(path), path)
    head = sheet[start]
    coded = optional_column(head, "Exp_type", "Expression type")
    emotion, units = optional_column(head, "emotion"), optional_column(head, "AU", "AUs")
    apexes = optional_column(head, "apex")
    parser, rows = AnnotationParser(offset), []
    videos = {
        v.subject.zfill(2): v
        for v in find_video_folders(root, ("[0-9]*/*/color", "*/[0-9]*/*/color"), "{}").values()
    }
    for number, cells in enumerate(sheet[start + 1 :], start + 2):
        where = f"{path.name} row {number}"
        digits = re.search(r"\d+", cell_at(cells, at["subject"]))
        if digits is None:
            continue
        subject = digits[0].zfill(2)
        video = videos.setdefault(subject, VideoFolder(subject, subject, None))
        kind = part_c_kind(cell_at(cells, coded), where, parser) if coded is not None else "micro"
        onset, end = cell_at(cells, at["onset"]), cell_at(cells, at["offset"])
        label = EventLabel(cell_at(cells, emotion), cell_at(cells, units))
        apex = cell_at(cells, apexes)
        rows.append(AnnotationRow(video.subject, video.id, kind, onset, apex, end, where, label))
    return assemble_dataset("casme3c", root, list(videos.values()), rows, parser, RATE)


def find_part_c_columns(sheets: dict[str, Rows], path: Path) -> tuple[Rows, int, dict[str, int]]:
    """Subject is called Subject or sub in the two tables that are handed out."""
    for name in ("Subject", "sub"):
        for rows in sheets.values():
            header = find_header(rows, (name, "Onset", "Offset"))
            if header is not None:
                at = {k.lower(): v for k, v in header[1].items()}
                return rows, header[0], {**at, "subject": header[1][name]}
    return find_columns(sheets, next(iter(sheets), ""), ("Subject", "Onset", "Offset"), path)


def part_c_kind(code: str, where: str, parser: AnnotationParser) -> Kind:
    """Raises TruthError for neither a number nor a word."""
    if not code.isdecimal():
        return parse_kind(code, where)
    if code == MICRO_CODE:
        return "micro"
    parser.issues.append(AnnotationIssue(f"Exp_type {code}", where, "taken for a macro"))
    return "macro"

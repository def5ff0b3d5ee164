"""CAS(ME)^3 part A, table v1 or v2: videos `spNO.1/a/color` at 30 Hz, frames without zeros before
the number.
"""

from __future__ import annotations

from pathlib import Path

from fesnet.datasets.official import (
    AnnotationParser,
    AnnotationRow,
    VideoFolder,
    assemble_dataset,
    parse_kind,
)
from fesnet.datasets.recording import AnnotationIssue, DataSet
from fesnet.datasets.sheets import find_file, find_header, read_sheet

RATE = 30.0
FILE = "CAS(ME)3_part_A_v*.xls"
COLUMNS = ("Subject", "Filename", "Onset", "Apex", "Offset", "Expression type")


def load_casme3(root: Path, offset: str) -> DataSet:
    """Read the newest `CAS(ME)3_part_A_v?.xls` and the folders `spNO.1/a/color`.

    A micro-expression is what the table calls one: here the rule of half a second does not fit.
    """
    path = find_file(root, FILE)
    sheet = read_sheet(path, "AU+Emotion")
    start, at = find_header(sheet, COLUMNS, path)
    parser, videos, rows = AnnotationParser(offset), find_video_folders(root), []
    for number, cells in enumerate(sheet[start + 1 :], start + 2):
        if len(cells) <= max(at.values()) or not cells[at["Subject"]]:
            continue
        where = f"{path.name} row {number}"
        subject, letter = cells[at["Subject"]], cells[at["Filename"]]
        ident = f"{subject}_{letter.lower()}"
        if letter != letter.lower():
            parser.issues.append(
                AnnotationIssue("name in upper case", where, "taken as lower case")
            )
        kind = parse_kind(cells[at["Expression type"]], where)
        rows.append(
            AnnotationRow(
                subject,
                ident,
                kind,
                cells[at["Onset"]],
                cells[at["Apex"]],
                cells[at["Offset"]],
                where,
            )
        )
        videos.setdefault(ident, VideoFolder(ident, subject, None))
    return assemble_dataset("casme3", root, list(videos.values()), rows, parser, RATE)


def find_video_folders(root: Path) -> dict[str, VideoFolder]:
    """Every folder spNO.N/LETTER/color, up to two levels below the root."""
    out: dict[str, VideoFolder] = {}
    for pattern in ("spNO.*/*/color", "*/spNO.*/*/color"):
        for folder in sorted(root.glob(pattern)):
            subject, letter = folder.parts[-3], folder.parts[-2].lower()
            out.setdefault(
                f"{subject}_{letter}", VideoFolder(f"{subject}_{letter}", subject, folder)
            )
    return out

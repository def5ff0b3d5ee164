"""CAS(ME)^3 part A, table v1 or v2: videos `spNO.1/a/color` at 30 Hz, frames without zeros before
the number.
"""

from __future__ import annotations

from pathlib import Path

from fesnet.datasets.official import Row, Settler, Video, build, kind_of
from fesnet.datasets.recording import DataSet, Quirk
from fesnet.datasets.sheets import find_file, header, read_sheet

RATE = 30.0
FILE = "CAS(ME)3_part_A_v*.xls"
COLUMNS = ("Subject", "Filename", "Onset", "Apex", "Offset", "Expression type")


def load(root: Path, offset: str) -> DataSet:
    """Read the newest `CAS(ME)3_part_A_v?.xls` and the folders `spNO.1/a/color`.

    A micro-expression is what the table calls one: here the rule of half a second does not fit.
    """
    path = find_file(root, FILE)
    sheet = read_sheet(path, "AU+Emotion")
    start, at = header(sheet, COLUMNS, path)
    settler, videos, rows = Settler(offset), videos_of(root), []
    for number, cells in enumerate(sheet[start + 1 :], start + 2):
        if len(cells) <= max(at.values()) or not cells[at["Subject"]]:
            continue
        where = f"{path.name} row {number}"
        subject, letter = cells[at["Subject"]], cells[at["Filename"]]
        ident = f"{subject}_{letter.lower()}"
        if letter != letter.lower():
            settler.quirks.append(Quirk("name in upper case", where, "taken as lower case"))
        kind = kind_of(cells[at["Expression type"]], where)
        rows.append(
            Row(
                subject,
                ident,
                kind,
                cells[at["Onset"]],
                cells[at["Apex"]],
                cells[at["Offset"]],
                where,
            )
        )
        videos.setdefault(ident, Video(ident, subject, None))
    return build("casme3", root, list(videos.values()), rows, settler, RATE)


def videos_of(root: Path) -> dict[str, Video]:
    """Every folder spNO.N/LETTER/color, up to two levels below the root."""
    out: dict[str, Video] = {}
    for pattern in ("spNO.*/*/color", "*/spNO.*/*/color"):
        for folder in sorted(root.glob(pattern)):
            subject, letter = folder.parts[-3], folder.parts[-2].lower()
            out.setdefault(f"{subject}_{letter}", Video(f"{subject}_{letter}", subject, folder))
    return out

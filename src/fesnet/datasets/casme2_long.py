"""CAS(ME)^2 part A: 22 subjects, 98 videos at 30 Hz, frames as folders, a table without a header,
names by codes.
"""

from __future__ import annotations

from pathlib import Path

from fesnet.datasets.official import (
    AnnotationParser,
    AnnotationRow,
    VideoFolder,
    assemble_dataset,
    find_folders,
    parse_kind,
)
from fesnet.datasets.recording import DataSet
from fesnet.datasets.sheets import find_file, read_sheet
from fesnet.errors import TruthError

RATE = 30.0
FILE = "CAS(ME)^2code_final*.xlsx"


def load_casme2_long(root: Path, offset: str) -> DataSet:
    """Read `CAS(ME)^2code_final.xlsx` (or the updated one) and the folders `s15/15_0101...`."""
    path = find_file(root, FILE)
    numbers = {
        row[2]: row[1]
        for row in read_sheet(path, "naming rule1")
        if len(row) > 2 and row[1].startswith("s")
    }
    codes = {row[1].strip().lower(): row[0].zfill(4) for row in read_sheet(path, "naming rule2")
             if len(row) > 1 and row[0].isdecimal()}  # fmt: skip
    if not numbers or not codes:
        raise TruthError(
            "expected names of subjects and videos in the sheets naming rule1 and naming rule2 "
            f"of {path}"
        )
    on_disk = find_folders(root, r"\d+_\d{4}\D*")
    videos = {}
    for name, folder in on_disk.items():
        ident = casme2_video_id(folder)
        videos[ident] = VideoFolder(ident, f"s{name.split('_')[0]}", folder)
    rows = [
        parse_row(cells, number, numbers, codes, path)
        for number, cells in enumerate(read_sheet(path, "CASFEcode_final"), 1)
        if any(cells)
    ]
    for row in rows:
        videos.setdefault(row.video, VideoFolder(row.video, row.subject, None))
    return assemble_dataset(
        "casme2", root, list(videos.values()), rows, AnnotationParser(offset), RATE
    )


def casme2_video_id(folder: Path) -> str:
    """s15_0401 of the folder 15_0401girlcrashing."""
    subject, code = folder.name.split("_", 1)
    return f"s{subject}_{code[:4]}"


def parse_row(
    cells: list[str], number: int, numbers: dict[str, str], codes: dict[str, str], path: Path
) -> AnnotationRow:
    where = f"{path.name} row {number}"
    if len(cells) < 8:
        raise TruthError(f"expected at least 8 columns in {where}, got {len(cells)}")
    subject, code = numbers.get(cells[0]), codes.get(cells[1].split("_")[0].strip().lower())
    if subject is None or code is None:
        raise TruthError(
            f"expected a subject and a video of the naming rules in {where}, got {cells[0]} and "
            f"{cells[1]}"
        )
    kind = parse_kind(cells[7], where)
    return AnnotationRow(subject, f"{subject}_{code}", kind, cells[2], cells[3], cells[4], where)

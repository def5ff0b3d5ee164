"""CAS(ME)^2 part A: 22 subjects, 98 videos at 30 Hz, frames as folders, a table without a header,
names by codes.
"""

from __future__ import annotations

from pathlib import Path

from fesnet.datasets.official import Row, Settler, Video, build, folders, kind_of
from fesnet.datasets.recording import DataSet
from fesnet.datasets.sheets import find_file, read_sheet
from fesnet.errors import TruthError

RATE = 30.0
FILE = "CAS(ME)^2code_final*.xlsx"


def load(root: Path, offset: str) -> DataSet:
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
    on_disk = folders(root, r"\d+_\d{4}\D*")
    videos = {name_of(folder): Video(name_of(folder), f"s{name.split('_')[0]}", folder)
              for name, folder in on_disk.items()}  # fmt: skip
    rows = [row_of(cells, number, numbers, codes, path) for number, cells in
            enumerate(read_sheet(path, "CASFEcode_final"), 1) if any(cells)]  # fmt: skip
    for row in rows:
        videos.setdefault(row.video, Video(row.video, row.subject, None))
    return build("casme2", root, list(videos.values()), rows, Settler(offset), RATE)


def name_of(folder: Path) -> str:
    """s15_0401 of the folder 15_0401girlcrashing."""
    subject, code = folder.name.split("_", 1)
    return f"s{subject}_{code[:4]}"


def row_of(
    cells: list[str], number: int, numbers: dict[str, str], codes: dict[str, str], path: Path
) -> Row:
    where = f"{path.name} row {number}"
    if len(cells) < 8:
        raise TruthError(f"expected at least 8 columns in {where}, got {len(cells)}")
    subject, code = numbers.get(cells[0]), codes.get(cells[1].split("_")[0].strip().lower())
    if subject is None or code is None:
        raise TruthError(
            f"expected a subject and a video of the naming rules in {where}, got {cells[0]} and "
            f"{cells[1]}"
        )
    kind = kind_of(cells[7], where)
    return Row(subject, f"{subject}_{code}", kind, cells[2], cells[3], cells[4], where)

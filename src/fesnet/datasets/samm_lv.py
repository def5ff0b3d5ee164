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
    parse_kind,
)
from fesnet.datasets.recording import DataSet
from fesnet.datasets.sheets import find_file, find_header, read_sheet
from fesnet.errors import TruthError

RATE = 200.0
FILE = "SAMM_LongVideos_V*_Release.xlsx"
COLUMNS = ("Subject", "Filename", "Onset", "Apex", "Offset", "Type")


def load_samm_lv(root: Path, offset: str) -> DataSet:
    """Read the newest `SAMM_LongVideos_V?_Release.xlsx` and the folders `006_1`."""
    path = find_file(root, FILE)
    sheet = read_sheet(path, "FACS_Movement_Only")
    start, at = find_header(sheet, COLUMNS, path)
    rows = []
    for number, cells in enumerate(sheet[start + 1 :], start + 2):
        name = cells[at["Filename"]] if len(cells) > max(at.values()) else ""
        if not name:
            continue
        where = f"{path.name} row {number}"
        parts = name.split("_")
        if len(parts) != 3:
            raise TruthError(f"expected a file name such as 006_1_2 in {where}, got {name!r}")
        subject, video = parts[0].zfill(3), f"{parts[0].zfill(3)}_{parts[1]}"
        kind = parse_kind(cells[at["Type"]], where)
        rows.append(
            AnnotationRow(
                subject,
                video,
                kind,
                cells[at["Onset"]],
                cells[at["Apex"]],
                cells[at["Offset"]],
                where,
            )
        )
    videos = {
        name: VideoFolder(name, name.split("_")[0], folder)
        for name, folder in find_folders(root, r"\d{3}_\d+").items()
    }
    for row in rows:
        videos.setdefault(row.video, VideoFolder(row.video, row.subject, None))
    return assemble_dataset(
        "samm", root, list(videos.values()), rows, AnnotationParser(offset), RATE
    )

"""CSV of the Micro-Expression Grand Challenge, by year; frames are counted from 1, both ends
inside.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from fesnet._io import atomic_write_text
from fesnet._names import to_cell
from fesnet.errors import UsageError
from fesnet.exports.common import video_id
from fesnet.result import Spotting

# 2022 and 2023 ask where expressions of both kinds are; 2024 and 2025 ask for micro-expressions and
# their emotion.
SPOTTING = {
    2022: ("vid", "pred_onset", "pred_offset", "type"),
    2023: ("vid", "onset", "offset", "type"),
}
RECOGNITION = ("subject", "video", "onset", "offset", "emotion")
YEARS = (2022, 2023, 2024, 2025)
NEWEST_SPOTTING = 2023
TYPES = {"macro": "mae", "micro": "me"}


def write_megc(spotting: Spotting, path: Path, year: int = NEWEST_SPOTTING) -> None:
    """Write `path` atomically; frames of the source video, several faces one after
    another.

    From 2024 on: micro-expressions only, the emotion left empty (fesnet recognises none), and the
    subject is what stands before the first "_" of the video's name. Raises UsageError for another
    year.
    """
    if year not in YEARS:
        raise UsageError(
            f"expected one of the years {', '.join(map(str, YEARS))} for megc, got {year}"
        )
    video = to_cell(video_id(spotting.source))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(SPOTTING.get(year, RECOGNITION))
    for i in spotting.intervals:
        frames = (i.onset_frame + 1, i.offset_frame + 1)
        if year in SPOTTING:
            table.writerow((video, *frames, TYPES[i.kind]))
        elif i.kind == "micro":
            table.writerow((video.partition("_")[0], video, *frames, ""))
    atomic_write_text(path, text.getvalue())

"""One row an interval, for spreadsheets and statistics."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from fesnet._files import write_whole
from fesnet.result import Spotting

COLUMNS = (
    "video",
    "face",
    "kind",
    "onset_s",
    "apex_s",
    "offset_s",
    "onset_frame",
    "apex_frame",
    "offset_frame",
    "duration_s",
    "score",
)


def write_csv(spotting: Spotting, path: Path) -> None:
    """Write `path`, whole or not at all. Frames are 0-based and inclusive; duration is offset minus onset."""
    text = io.StringIO()
    # Python before 3.13 leaves a carriage return in a name unquoted, and readers would end the row there.
    awkward = "\r" in spotting.source.name
    table = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if awkward else csv.QUOTE_MINIMAL)
    table.writerow(COLUMNS)
    for i in spotting.intervals:
        times = [f"{t:.6f}" for t in (i.onset_s, i.apex_s, i.offset_s)]
        frames = [i.onset_frame, i.apex_frame, i.offset_frame]
        length = f"{i.offset_s - i.onset_s:.6f}"
        table.writerow([spotting.source.name, i.face, i.kind, *times, *frames, length, f"{i.score:.4f}"])
    write_whole(path, text.getvalue())

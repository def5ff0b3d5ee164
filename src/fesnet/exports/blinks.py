"""A table of the times with closed eyes, for those who count blinks."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from fesnet._io import atomic_write_text
from fesnet._names import to_cell
from fesnet.intervals import nearest_frame
from fesnet.result import Spotting

BLINK_COLUMNS = (
    *("video", "face", "kind", "start_s", "stop_s", "duration_s"),
    *("start_frame", "stop_frame"),
)


def write_blinks(spotting: Spotting, path: Path) -> None:
    """Write `path` atomically: a row for each blink and longer closure (kind blink or eyes_closed),
    by face and time. Seconds are those of 30 steps a second, frames the nearest, inclusive."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(BLINK_COLUMNS)
    for b in spotting.blinks:
        first = nearest_frame(b.start_s, spotting.frame_times)
        last = nearest_frame(b.stop_s - 1 / spotting.working_rate, spotting.frame_times)
        times = [f"{t:.6f}" for t in (b.start_s, b.stop_s, b.stop_s - b.start_s)]
        row = [to_cell(spotting.source.name), b.face, b.kind, *times, first, max(first, last)]
        table.writerow(row)
    atomic_write_text(path, text.getvalue())

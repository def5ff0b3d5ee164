"""BIDS events: a table of events and the JSON beside it that says what the columns mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text
from fesnet.exports.common import frame_edges, frame_end
from fesnet.intervals import IntervalMark
from fesnet.result import Spotting

NOT_AVAILABLE = "n/a"
COLUMNS = {
    "onset": {"Description": "Start of the event, from the first frame of the video", "Units": "s"},
    "duration": {
        "Description": "From the start to the frame after the last one of the event",
        "Units": "s",
    },
    "trial_type": {
        "LongName": "Kind of event",
        "Description": "What was found in the face",
        "Levels": {
            "macro": "macro-expression",
            "micro": "micro-expression",
            "unknown": "the face could not be seen, which is not the same as neutral",
        },
    },
    "face": {"Description": "Number of the face, from 0"},
    "apex": {
        "Description": "Strongest moment of the expression, from the first frame of the video",
        "Units": "s",
    },
    "score": {"Description": "Highest frame score of the expression, 0 to 1"},
}
MARK_COLUMNS = {
    "by": {"Description": "Who made or changed it: machine, or a person"},
    "when": {"Description": "When a person last changed or checked it (UTC)"},
    "checked": {"Description": "Whether a person checked it", "Levels": {"0": "no", "1": "yes"}},
    "note": {"Description": "Note of a person"},
}


def write_bids(spotting: Spotting, path: Path) -> None:
    """Write `path` (.tsv) and, beside it, the same name with .json; seconds to the microsecond."""
    edges = frame_edges(spotting.frame_times, spotting.working_rate)
    columns = COLUMNS | (MARK_COLUMNS if spotting.marks else {})
    rows: list[tuple[Any, ...]] = []
    none = [NOT_AVAILABLE] * (len(columns) - len(COLUMNS))
    for i in spotting.intervals:
        seconds = frame_end(i.offset_frame, edges) - i.onset_s
        row = (i.onset_s, seconds, i.kind, i.face, f"{i.apex_s:.6f}", f"{i.score:.4f}")
        rows.append((*row, *(mark_texts(spotting.marks[i]) if spotting.marks else ())))
    for gap in spotting.gaps:
        seconds = frame_end(gap.stop_frame, edges) - gap.start_s
        rows.append(
            (gap.start_s, seconds, "unknown", gap.face, NOT_AVAILABLE, NOT_AVAILABLE, *none)
        )
    lines = ["\t".join(columns)]
    for onset, seconds, *rest in sorted(rows):
        lines.append("\t".join([f"{onset:.6f}", f"{seconds:.6f}", *map(str, rest)]))
    atomic_write_text(path, "\n".join(lines) + "\n")
    atomic_write_text(path.with_suffix(".json"), json.dumps(columns, indent=1) + "\n")


def mark_texts(mark: IntervalMark) -> list[str]:
    """The cells of MARK_COLUMNS; a cell holds one line."""
    texts = (mark.by, mark.when or "", str(int(mark.checked)), " ".join(mark.note.split()))
    return [text or NOT_AVAILABLE for text in texts]

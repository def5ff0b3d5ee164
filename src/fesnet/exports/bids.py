"""BIDS events: a table of events and the JSON beside it that says what the columns mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text
from fesnet._names import to_cell
from fesnet.exports.common import gap_end, result_frame_ends
from fesnet.intervals import IntervalMark
from fesnet.observation_text import FLAG_MEANINGS, moved_line
from fesnet.result import SpottedInterval, Spotting

NOT_AVAILABLE = "n/a"
COLUMNS = {
    "onset": {
        "Description": "Start of the event, in a player's seconds of the video",
        "Units": "s",
    },
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
        "Description": "Strongest moment of the expression, in a player's seconds of the video",
        "Units": "s",
    },
    "score": {"Description": "Highest frame score of the expression, 0 to 1"},
}
CONTEXT_COLUMNS = {
    "moved": {"Description": "What moved: FACS number, side, strength 0 to 1 (no FACS coding)"},
    "flags": {
        "Description": "What else happened in the interval or within 0.2 s of it",
        "Levels": dict(FLAG_MEANINGS),
    },
}
MARK_COLUMNS = {
    "by": {"Description": "Who made or changed it: machine, or a person"},
    "when": {"Description": "When a person last changed or checked it (UTC)"},
    "checked": {"Description": "Whether a person checked it", "Levels": {"0": "no", "1": "yes"}},
    "note": {"Description": "Note of a person"},
}


def write_bids(spotting: Spotting, path: Path) -> None:
    """Write `path` (.tsv) and, beside it, the same name with .json; seconds to the microsecond."""
    ends = result_frame_ends(spotting)
    columns = COLUMNS | (CONTEXT_COLUMNS if spotting.observations else {})
    columns |= MARK_COLUMNS if spotting.marks else {}
    rows: list[tuple[Any, ...]] = []
    none = [NOT_AVAILABLE] * (len(columns) - len(COLUMNS))
    for i in spotting.intervals:
        seconds = float(ends[i.offset_frame]) - i.onset_s
        row = (i.onset_s, seconds, i.kind, i.face, f"{i.apex_s:.6f}", f"{i.score:.4f}")
        rows.append((*row, *context_texts(spotting, i), *review_texts(spotting, i)))
    for gap in spotting.gaps:
        seconds = gap_end(gap, ends) - gap.start_s
        rows.append(
            (gap.start_s, seconds, "unknown", gap.face, NOT_AVAILABLE, NOT_AVAILABLE, *none)
        )
    lines = ["\t".join(columns)]
    for onset, seconds, *rest in sorted(rows):
        lines.append("\t".join([f"{onset:.6f}", f"{seconds:.6f}", *map(str, rest)]))
    atomic_write_text(path, "\n".join(lines) + "\n")
    atomic_write_text(path.with_suffix(".json"), json.dumps(columns, indent=1) + "\n")


def context_texts(spotting: Spotting, i: SpottedInterval) -> list[str]:
    """The cells of CONTEXT_COLUMNS."""
    if not spotting.observations:
        return []
    context = spotting.context(i)
    flags = "" if context is None else " ".join(context.flags)
    return [moved_line(context) or NOT_AVAILABLE, flags or NOT_AVAILABLE]


def review_texts(spotting: Spotting, i: SpottedInterval) -> list[str]:
    """The cells of MARK_COLUMNS; none of a result that nobody corrected."""
    return mark_texts(spotting.marks[i]) if spotting.marks else []


def mark_texts(mark: IntervalMark) -> list[str]:
    """What a mark says; a cell holds one line."""
    by, note = to_cell(mark.by), to_cell(" ".join(mark.note.split()))
    texts = (by, mark.when or "", str(int(mark.checked)), note)
    return [text or NOT_AVAILABLE for text in texts]

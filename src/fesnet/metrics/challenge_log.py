"""Log files of the challenges of 2020 and 2021: truth and finds side by side, as authors paired
them.

    006_1   120 180   118 176   TP          video, true onset and offset, found ones, verdict
    006_1   300 330   -   -     FN          a dash or an underscore where a side is empty
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fesnet._io import describe_absence, read_text_file
from fesnet._messages import in_utf8
from fesnet.errors import TruthError, UsageError
from fesnet.intervals import Interval, Kind
from fesnet.metrics.interval_tables import IntervalRecord
from fesnet.metrics.matching import Counts

VERDICTS = ("TP", "FP", "FN")
COLUMNS = 6
LONGEST_LINE = 1000  # letters
MICRO_S = 0.5  # the longest micro-expression, where a log names no kind


@dataclass(frozen=True)
class LogRow:
    """truth, found: onset and offset from 1, both inside, or None. verdict: as it is written.

    section: the number of the data set, from the line of one number above; 1 without such a line.
    """

    video: str
    truth: tuple[int, int] | None
    found: tuple[int, int] | None
    verdict: str
    section: int = 1


def is_challenge_log(path: Path) -> bool:
    """By its name: .txt or .log."""
    return path.suffix.lower() in (".txt", ".log")


def read_challenge_log(path: Path) -> list[LogRow]:
    """All rows; lines of one number alone (1 and 2: the data set) begin a section.

    Cells are divided by blanks, tabs or commas. Raises UsageError for no file, TruthError for a
    line that is no row, and for a file without rows.
    """
    if not path.is_file():
        raise UsageError(f"expected a log of finds, but {path} {describe_absence(path)}")
    try:
        lines = read_text_file(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TruthError(in_utf8(path, error)) from error
    rows, section = [], 1
    for number, line in enumerate(lines, 1):
        cells = re.split(r"[,\s]+", line[:LONGEST_LINE].strip().rstrip(","))
        if len(cells) > 1:
            rows.append(replace(parse_log_row(cells, f"{path} line {number}"), section=section))
        elif cells[0].isdecimal():
            section = int(cells[0])
    if not rows:
        raise TruthError(f"expected rows of video, frames and {'/'.join(VERDICTS)} in {path}")
    return rows


def parse_log_row(cells: list[str], where: str) -> LogRow:
    """Raises TruthError."""
    if len(cells) != COLUMNS or cells[-1].upper() not in VERDICTS:
        raise TruthError(
            f"expected a video, two true and two found frames and {'/'.join(VERDICTS)} in {where}, "
            f"got {' '.join(cells)}"
        )
    sides = (parse_side(cells[1:3], where), parse_side(cells[3:5], where))
    if sides == (None, None):
        raise TruthError(f"expected true or found frames in {where}, got neither")
    return LogRow(cells[0], *sides, cells[-1].upper())


def parse_side(cells: Sequence[str], where: str) -> tuple[int, int] | None:
    """Two frames, or None for two dashes. Raises TruthError."""
    if all(c in ("-", "_", "--") for c in cells):
        return None
    try:
        onset, offset = (round(float(c)) for c in cells)
    except ValueError:
        onset, offset = 1, 0
    if offset < onset:
        raise TruthError(f"expected two frames in {where}, got {' '.join(cells)}")
    return onset, offset


def listed_counts(rows: Sequence[LogRow]) -> Counts:
    """As the authors paired them: rows with both sides, with a find alone, with a truth alone.

    By sides, not by the verdicts, as one published script writes FP for FN.
    """
    both = sum(r.truth is not None and r.found is not None for r in rows)
    found = sum(r.found is not None for r in rows)
    true = sum(r.truth is not None for r in rows)
    return Counts(both, found - both, true - both)


def log_records(rows: Sequence[LogRow], side: str, rate: float | None) -> Iterator[IntervalRecord]:
    """One side ("truth" or "found") as intervals, each once.

    A log names no kind: at `rate` frames a second what lasts up to 0.5 s is a micro-expression; a
    find that is paired has the kind of its truth. Raises UsageError without a rate.
    """
    if rate is None:
        raise UsageError(
            "expected --fps with a log, which names no kind: up to 0.5 s is a micro-expression"
        )
    seen = set()
    for row in rows:
        ends = row.truth if side == "truth" else row.found
        if ends is None or (row.video, ends) in seen:
            continue
        seen.add((row.video, ends))
        kind = kind_by_length(row.truth or ends, rate)
        early = max(1 - ends[0], 0)
        interval = Interval(ends[0] - 1 + early, ends[1] + early, kind)
        yield IntervalRecord("", row.video, interval, early=early)


def kind_by_length(ends: tuple[int, int], rate: float) -> Kind:
    """Frames from onset to offset, as the length of the field's tables."""
    return "micro" if ends[1] - ends[0] <= MICRO_S * rate else "macro"

"""Read macro- and micro-expressions of a table: our own after corrections in a spreadsheet, exports
of BORIS ("tabular events" do not pair starts and stops; "aggregated events" do), or another one.

Columns, in any case: a kind (kind, type, label, behavior, behaviour), a start and a stop in seconds
(onset_s, start, start (s), begin; offset_s, end, stop, stop (s)), and, where there are, apex_s and
face. The offset of a column offset_s is when the last frame begins, as in NAME.csv.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from fesnet.errors import TruthError
from fesnet.exports.elan_reader import AnnotatedInterval, ElanAnnotations, value_kind
from fesnet.spreadsheet import TableRow, TextTable, read_text_table

NAMES = {
    "kind": ("kind", "type", "label", "behavior", "behaviour", "annotation"),
    "start": ("onset_s", "start (s)", "start", "begin", "onset"),
    "stop": ("offset_s", "stop (s)", "stop", "end", "offset"),
    "apex": ("apex_s", "apex"),
    "face": ("face",),
}


def read_csv_annotations(path: Path) -> ElanAnnotations:
    """Raises TruthError for a table without these columns, and for what is no time."""
    table = read_text_table(path)
    lower = {column.casefold(): column for column in reversed(table.columns)}
    columns = {
        what: next((lower[n] for n in names if n in lower), "") for what, names in NAMES.items()
    }
    missing = [what for what in ("kind", "start", "stop") if not columns[what]]
    if missing:
        wanted = " or ".join(NAMES[missing[0]])
        raise TruthError(
            f"expected a column {wanted} in {path}, got {', '.join(table.columns) or 'none'}"
        )
    videos = {row.cells[lower["video"]] for row in table.rows} if "video" in lower else set()
    if len(videos) > 1:
        raise TruthError(
            f"expected the expressions of one video in {path}, got {len(videos)}; read a table of "
            "each (fesnet score takes them all at once)"
        )
    found, ignored = [], Counter[str]()
    for row in table.rows:
        kind = value_kind(row.cells[columns["kind"]])
        if kind is None:
            ignored[row.cells[columns["kind"]]] += 1
            continue
        times = row_times(path, row, table, columns)
        face = row.cells[columns["face"]] if columns["face"] else "0"
        number = int(face) if face.isdecimal() else 0
        found.append(AnnotatedInterval(number, times[0], times[1], kind, times[2]))
    order = sorted(found, key=lambda m: (m.face, m.start_s, m.stop_s, m.kind))
    inclusive = columns["stop"].casefold() == "offset_s"
    return ElanAnnotations(tuple(order), None, dict(ignored), inclusive)


def row_times(
    path: Path, row: TableRow, table: TextTable, columns: Mapping[str, str]
) -> tuple[float, float, float | None]:
    """Start, stop and apex of a row, s."""
    values: list[float | None] = []
    for what in ("start", "stop", "apex"):
        text = row.cells[columns[what]] if columns[what] else ""
        try:
            values.append(table.number(text) if text or what != "apex" else None)
        except ValueError:
            raise TruthError(
                f"expected seconds for {columns[what]} in {path} line {row.line}, got {text!r}"
            ) from None
    start, stop, apex = values
    assert start is not None and stop is not None
    return start, stop, apex

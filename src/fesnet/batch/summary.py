"""A row for each video, for statistics: summary.csv, and summary.parquet where pyarrow is
installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fesnet._guard import free_path, replacing
from fesnet._io import atomic_path, write_table
from fesnet._names import printable, to_cell
from fesnet.batch.ledger import LEDGER
from fesnet.intervals import KINDS
from fesnet.result import Spotting

SUMMARY, PARQUET = "summary.csv", "summary.parquet"
PLACE = ("video", "subject", "result", "status", "reason")
FACTS = {
    "duration_s": float,
    "frames": int,
    "faces": int,
    "unknown_s": float,
    **{f"{kind}_{what}": form for kind in KINDS for what, form in
       (("count", int), ("per_minute", float), ("mean_s", float), ("total_s", float),
        ("mean_score", float))},
    "warnings": str,
    "sha256": str,
}  # fmt: skip


def summary_row(spotting: Spotting) -> dict[str, Any]:
    """What the summary says of a result. Numbers that do not exist (the mean of nothing) are None;
    where no face was ever known, so are all that count expressions.

    duration_s: to the end of the last frame; unknown_s: how much of it no face was known in; per
    minute of the rest.
    """
    known = spotting.known_seconds
    row: dict[str, Any] = {
        "duration_s": round(spotting.seconds, 6),
        "frames": len(spotting.frame_times),
        "faces": len(spotting.faces),
        "unknown_s": round(spotting.seconds - known, 6),
        "warnings": "; ".join(spotting.warnings),
        "sha256": spotting.source.sha256 or "",
    }
    if not known:
        return row
    for kind in KINDS:
        found = [i for i in spotting.intervals if i.kind == kind]
        lasts = [i.offset_s - i.onset_s for i in found]
        row[f"{kind}_count"] = len(found)
        row[f"{kind}_per_minute"] = round(60 * len(found) / known, 4)
        row[f"{kind}_mean_s"] = round(float(np.mean(lasts)), 6) if found else None
        row[f"{kind}_total_s"] = round(float(sum(lasts)), 6)
        row[f"{kind}_mean_score"] = (
            round(float(np.mean([i.score for i in found])), 4) if found else None
        )
    return row


def find_tables(folder: Path) -> dict[str, Path]:
    """Where the tables of a folder go, by name, found before its ledger is written to.

    Where a person's file has such a name, or a table was changed since, the new one gets a number.
    """
    return {name: free_path(folder / name, is_older_than_ledger) for name in (SUMMARY, PARQUET)}


def is_older_than_ledger(table: Path) -> bool:
    """Whether a batch wrote a table that is in no record: its ledger is closed after it."""
    ledger = table.with_name(LEDGER)
    return ledger.is_file() and table.stat().st_mtime_ns <= ledger.stat().st_mtime_ns


def write_summary(
    folder: Path, rows: Iterable[dict[str, Any]], places: dict[str, Path] | None = None
) -> list[Path]:
    """Write the tables into the folder, each atomically; their paths. places: of `find_tables`.
    Raises UsageError.
    """
    places = places or find_tables(folder)
    table = list(rows)
    columns = [*PLACE, *FACTS]
    cells = [[table_cell(row.get(c)) for c in columns] for row in table]
    with replacing():
        write_table(places[SUMMARY], [columns, *cells])
        return [places[SUMMARY], *write_parquet(places[PARQUET], table)]


def table_cell(value: Any) -> Any:
    return to_cell(value) if isinstance(value, str) else "" if value is None else value


def write_parquet(path: Path, table: list[dict[str, Any]]) -> list[Path]:
    """The same as Parquet, if pyarrow is there."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return []
    kinds = {float: pa.float64(), int: pa.int64(), str: pa.string()}
    fields = [*((c, pa.string()) for c in PLACE), *((c, kinds[form]) for c, form in FACTS.items())]
    # A log of 0.1 has the number of warnings. Names may hold bytes that are no UTF-8.
    words = [
        {
            name: printable(value) if isinstance(value, str) else value
            for name, value in {**row, "warnings": str(row.get("warnings") or "")}.items()
        }
        for row in table
    ]
    with atomic_path(path) as part:
        pq.write_table(pa.Table.from_pylist(words, pa.schema(fields)), part)
    return [path]

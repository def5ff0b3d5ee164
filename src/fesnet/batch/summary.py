"""A row for each video, for statistics: summary.csv, and summary.parquet where pyarrow is
installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fesnet._io import atomic_path, write_table
from fesnet.intervals import KINDS
from fesnet.result import Spotting

SUMMARY = "summary.csv"
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


def write_summary(folder: Path, rows: Iterable[dict[str, Any]]) -> list[Path]:
    """Write the tables into the folder, each atomically; their paths. Raises UsageError."""
    table = list(rows)
    columns = [*PLACE, *FACTS]
    path = folder / SUMMARY
    cells = [["" if row.get(c) is None else row[c] for c in columns] for row in table]
    write_table(path, [columns, *cells])
    return [path, *write_parquet(path.with_suffix(".parquet"), table)]


def write_parquet(path: Path, table: list[dict[str, Any]]) -> list[Path]:
    """The same as Parquet, if pyarrow is there."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return []
    kinds = {float: pa.float64(), int: pa.int64(), str: pa.string()}
    fields = [*((c, pa.string()) for c in PLACE), *((c, kinds[form]) for c, form in FACTS.items())]
    words = [
        {**row, "warnings": str(row.get("warnings") or "")} for row in table
    ]  # a log of 0.1 has their number
    with atomic_path(path) as part:
        pq.write_table(pa.Table.from_pylist(words, pa.schema(fields)), part)
    return [path]

"""A row for each video, for statistics: summary.csv, and summary.parquet where pyarrow is
installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fesnet._io import atomic_path
from fesnet.intervals import KINDS
from fesnet.result import Spotting
from fesnet.spreadsheet import write_text_table

SUMMARY = "summary.csv"
PLACE = ("video", "participant", "result", "status", "reason")
FACTS = {
    "duration_s": float,
    "frames": int,
    "faces": int,
    "unknown_s": float,
    **{f"{kind}_{what}": form for kind in KINDS for what, form in
       (("count", int), ("per_minute", float), ("mean_s", float), ("median_s", float),
        ("total_s", float), ("latency_s", float), ("mean_score", float))},
    "version": str,
    "reviewed_by": str,
    "checked": int,
    "warnings": str,
    "sha256": str,
}  # fmt: skip


def summary_row(spotting: Spotting) -> dict[str, Any]:
    """What the summary says of a result. Numbers that do not exist (the mean of nothing) are None;
    where no face was ever known, so are all that count expressions.

    duration_s: to the end of the last frame; unknown_s: how much of it no face was known in; per
    minute of the rest. latency_s: from the first frame to the first onset. version: "corrected"
    where the intervals are those of a review, which reviewed_by names, with `checked` of them
    marked as checked.
    """
    known = spotting.known_seconds
    review = spotting.provenance.get("review")
    row: dict[str, Any] = {
        "duration_s": round(spotting.seconds, 6),
        "frames": len(spotting.frame_times),
        "faces": len(spotting.faces),
        "unknown_s": round(spotting.seconds - known, 6),
        "version": "machine" if review is None else "corrected",
        "reviewed_by": "; ".join(review["by"]) if review else "",
        "checked": review.get("checked") if review else None,
        "warnings": "; ".join(spotting.warnings),
        "sha256": spotting.source.sha256 or "",
    }
    if not known:
        return row
    for kind in KINDS:
        found = [i for i in spotting.intervals if i.kind == kind]
        lasts = [i.offset_s - i.onset_s for i in found]
        first = min((i.onset_s for i in found), default=None)
        row[f"{kind}_count"] = len(found)
        row[f"{kind}_per_minute"] = round(60 * len(found) / known, 4)
        row[f"{kind}_mean_s"] = round(float(np.mean(lasts)), 6) if found else None
        row[f"{kind}_median_s"] = round(float(np.median(lasts)), 6) if found else None
        row[f"{kind}_total_s"] = round(float(sum(lasts)), 6)
        row[f"{kind}_latency_s"] = (
            None if first is None else round(first - float(spotting.frame_times[0]), 6)
        )
        row[f"{kind}_mean_score"] = (
            round(float(np.mean([i.score for i in found])), 4) if found else None
        )
    return row


def write_summary(
    folder: Path, rows: Iterable[dict[str, Any]], *, decimal_comma: bool = False
) -> list[Path]:
    """Write the tables into the folder, each atomically; their paths.

    What rows hold besides PLACE and FACTS comes from a manifest, and stands between them. Raises
    UsageError.
    """
    table = list(rows)
    known = {*PLACE, *FACTS}
    own = list(dict.fromkeys(c for row in table for c in row if c not in known))
    columns = [*PLACE, *own, *FACTS]
    path = folder / SUMMARY
    cells = [[row.get(c) for c in columns] for row in table]
    write_text_table(path, [columns, *cells], decimal_comma=decimal_comma)
    forms = {**dict.fromkeys([*PLACE, *own], str), **FACTS}
    words = [{**row, "warnings": str(row.get("warnings") or "")} for row in table]
    # A log of 0.1 has the number of warnings.
    return [path, *write_parquet(path.with_suffix(".parquet"), words, forms)]


def write_parquet(path: Path, table: list[dict[str, Any]], forms: Mapping[str, type]) -> list[Path]:
    """Rows as Parquet, if pyarrow is there. forms: what each column holds, in their order."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return []
    kinds = {float: pa.float64(), int: pa.int64(), str: pa.string(), bool: pa.bool_()}
    fields = [(column, kinds[form]) for column, form in forms.items()]
    rows = [{column: row.get(column) for column in forms} for row in table]
    with atomic_path(path) as part:
        pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), part)
    return [path]

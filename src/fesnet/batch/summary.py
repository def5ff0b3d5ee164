"""A row for each video, for statistics: summary.csv, and summary.parquet where pyarrow is
installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fesnet._guard import free_path, replacing
from fesnet._io import atomic_path
from fesnet._names import printable
from fesnet.batch.ledger import LEDGER
from fesnet.intervals import KINDS
from fesnet.observation_text import SUMMARY_FIELDS, summarize_flags
from fesnet.result import Spotting
from fesnet.spreadsheet import write_text_table

SUMMARY, PARQUET = "summary.csv", "summary.parquet"
PLACE = ("video", "participant", "result", "status", "reason")
FACTS = {
    "duration_s": float,
    "frames": int,
    "faces": int,
    "unknown_s": float,
    **{f"{kind}_{what}": form for kind in KINDS for what, form in
       (("count", int), ("per_minute", float), ("mean_s", float), ("median_s", float),
        ("total_s", float), ("latency_s", float), ("mean_score", float))},
    **SUMMARY_FIELDS,
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
    marked as checked. Where the face was observed, what `summarize_flags` says of flags and blinks.
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
    row |= summarize_flags(
        (spotting.context(i) for i in spotting.intervals),
        spotting.observations,
        spotting.blinks,
        spotting.working_rate,
        known,
    )
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
    folder: Path,
    rows: Iterable[dict[str, Any]],
    places: dict[str, Path] | None = None,
    *,
    decimal_comma: bool = False,
) -> list[Path]:
    """Write the tables into the folder, each atomically; their paths. places: of `find_tables`.

    What rows hold besides PLACE and FACTS comes from a manifest, and stands between them. Raises
    UsageError.
    """
    places = places or find_tables(folder)
    table = list(rows)
    words, forms = typed_rows(table)
    cells = [[row.get(c) for c in forms] for row in table]
    with replacing():
        write_text_table(places[SUMMARY], [[*forms], *cells], decimal_comma=decimal_comma)
        return [places[SUMMARY], *write_parquet(places[PARQUET], words, forms)]


def typed_rows(rows: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, type]]:
    """The rows of the summary for formats with typed columns, and what each column holds, in
    order."""
    table = list(rows)
    known = {*PLACE, *FACTS}
    own = list(dict.fromkeys(c for row in table for c in row if c not in known))
    forms = {**dict.fromkeys([*PLACE, *own], str), **FACTS}
    # A log of 0.1 has the number of warnings.
    return [{**row, "warnings": str(row.get("warnings") or "")} for row in table], forms


def write_parquet(path: Path, table: list[dict[str, Any]], forms: Mapping[str, type]) -> list[Path]:
    """Rows as Parquet, if pyarrow is there. forms: what each column holds, in their order."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return []
    kinds = {float: pa.float64(), int: pa.int64(), str: pa.string(), bool: pa.bool_()}
    fields = [(column, kinds[form]) for column, form in forms.items()]
    rows = [{column: shown_value(row.get(column)) for column in forms} for row in table]
    with atomic_path(path) as part:
        pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), part)
    return [path]


def shown_value(value: Any) -> Any:
    """A name may hold bytes that are no UTF-8."""
    return printable(value) if isinstance(value, str) else value

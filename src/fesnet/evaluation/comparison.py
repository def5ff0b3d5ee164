"""Rows of a benchmark against each other: paired tests over the subjects."""

from __future__ import annotations

from collections.abc import Sequence

from fesnet.errors import MissingExtraError
from fesnet.evaluation.table import ResultRow, Table
from fesnet.metrics.compare import FEWEST, MethodComparison, compare_methods

HEADS = ("first", "second", "F1 overall", "difference", "95 %", "p", "p (Holm)", "subjects")


def compare_rows(rows: Sequence[ResultRow]) -> list[MethodComparison]:
    """All pairs of rows by overall F1 of the official protocol, corrected by Holm.

    Single seeds where there are several are left out for the row of their mean scores. None where
    scipy is missing, or for one row or one subject.
    """
    averaged = {row.label[:3] for row in rows if len(row.result.seeds) > 1}
    chosen = [r for r in rows if len(r.result.seeds) > 1 or r.label[:3] not in averaged]
    counts = {
        ", ".join(row.label): {
            s: c["overall"] for s, c in row.evaluations["official"].by_subject.items()
        }
        for row in chosen
    }
    if len(counts) < 2 or min(map(len, counts.values())) < FEWEST:
        return []
    try:
        return compare_methods(counts)
    except MissingExtraError:
        return []


def comparison_table(comparisons: Sequence[MethodComparison]) -> Table:
    """Heads and cells; the difference is first less second."""
    cells = [
        [
            c.first,
            c.second,
            f"{c.f1[0]:.4f} / {c.f1[1]:.4f}",
            f"{c.difference:+.4f}",
            f"{c.low:+.3f} to {c.high:+.3f}",
            f"{c.p:.4f}",
            f"{c.p_holm:.4f}",
            str(c.subjects),
        ]
        for c in comparisons
    ]
    return list(HEADS), cells

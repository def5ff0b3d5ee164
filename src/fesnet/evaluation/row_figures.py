"""Figures of the rows of a benchmark, where matplotlib is there (extra `plots`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fesnet._io import make_folder
from fesnet.evaluation.table import ResultRow
from fesnet.metrics import IOU


def draw_rows(rows: Sequence[ResultRow], folder: Path) -> dict[str, list[Path]]:
    """Figures of each row in a folder of its own, SVG and PDF; none without matplotlib."""
    try:
        from fesnet.figures.agreement_figures import draw_agreement
    except ImportError:
        return {}
    out = {}
    for number, row in enumerate(rows, 1):
        own = folder / f"row-{number}"
        make_folder(own)
        out[", ".join(row.label)] = draw_agreement(row.result.ranked, IOU, own, row.result.videos)
    return out

"""Figures of the rows of a benchmark (extra `plots`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from fesnet._io import make_folder
from fesnet._messages import get_extra
from fesnet.errors import MissingExtraError
from fesnet.evaluation.table import ResultRow
from fesnet.metrics import IOU


def require_matplotlib() -> None:
    """Raises MissingExtraError, before any work."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError(
            f"expected matplotlib to draw figures, got none; {get_extra('plots')}"
        )


def draw_rows(rows: Sequence[ResultRow], folder: Path) -> dict[str, list[Path]]:
    """Figures of each row in a folder of its own, SVG and PDF, by label."""
    from fesnet.figures.agreement_figures import draw_agreement

    out = {}
    for number, row in enumerate(rows, 1):
        own = folder / f"row-{number}"
        make_folder(own)
        out[", ".join(row.label)] = draw_agreement(row.result.ranked, IOU, own, row.result.videos)
    return out

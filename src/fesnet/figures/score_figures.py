"""Everything that `fesnet score --plots` writes: figures, tables, references."""

from __future__ import annotations

from pathlib import Path

from fesnet._io import atomic_write_text, make_writable_folder
from fesnet._messages import get_extra
from fesnet.errors import MissingExtraError
from fesnet.figures.bibliography import bibtex
from fesnet.figures.paper_tables import write_paper_table
from fesnet.metrics import Agreement, Evaluation

HEADS = ("protocol", "kind", "TP", "FP", "FN", "precision", "recall", "F1", "95 %")


def write_score_figures(
    agreement: Agreement, evaluations: dict[str, Evaluation], folder: Path
) -> list[Path]:
    """Figures as SVG and PDF, table.tex, table.md, table.csv and references.bib; returns them.

    evaluations: by protocol. Raises MissingExtraError without matplotlib, UsageError where nothing
    can be written.
    """
    try:
        from fesnet.figures.agreement_figures import draw_agreement
    except ImportError as error:
        raise MissingExtraError(
            f"expected matplotlib to draw figures, got none; {get_extra('plots')}"
        ) from error
    make_writable_folder(folder)
    written = draw_agreement(agreement.videos, agreement.iou, folder)
    written += write_paper_table(HEADS, table_cells(evaluations), folder, "table")
    names = ("fesnet", "official", *(("strs",) if agreement.named else ()))
    atomic_write_text(folder / "references.bib", bibtex(names))
    return [*written, folder / "references.bib"]


def table_cells(evaluations: dict[str, Evaluation]) -> list[list[str]]:
    """A row for each protocol and kind."""
    cells = []
    for name, evaluation in evaluations.items():
        several = len(evaluation.by_subject) > 1
        for kind, c in evaluation.counts.items():
            rates = [f"{v:.4f}" for v in (c.precision, c.recall, c.f1)]
            spread = "{:.3f}-{:.3f}".format(*evaluation.interval(kind)) if several else ""
            cells.append([name, kind, str(c.tp), str(c.fp), str(c.fn), *rates, spread])
    return cells

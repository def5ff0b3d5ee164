"""What all figures share: size, colours, and files that are equal for equal data."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fesnet._io import atomic_open

WIDTH = 3.4  # inches: a column of the usual two-column papers
# Of Okabe and Ito, distinct for colour-blind eyes; lines differ in style, too.
COLOURS = {"macro": "#0072b2", "micro": "#d55e00", "overall": "#333333"}
LINES = {"macro": "-", "micro": "--", "overall": "-."}
FORMATS = ("svg", "pdf")
STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "svg.hashsalt": "fesnet",  # else ids are drawn anew each time
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # fonts that journals accept
}
NO_DATES: dict[str, dict[str, None]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "ModDate": None},
}


def paper_style() -> AbstractContextManager[None]:
    """Within it figures are drawn and saved in this style."""
    style: Any = STYLE
    return rc_context(style)


def new_figure(height: float = 2.4, width: float = WIDTH) -> tuple[Figure, Axes]:
    """A figure with one pair of axes; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def save_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """NAME.svg and NAME.pdf, the same bytes for the same figure. Raises UsageError."""
    paths = [folder / f"{name}.{kind}" for kind in FORMATS]
    for path, kind in zip(paths, FORMATS, strict=True):
        with atomic_open(path) as handle:
            figure.savefig(handle, format=kind, metadata=NO_DATES[kind])
    return paths


def legend_above(axes: Axes) -> None:
    """One line of names above the axes, where no curve and no bar can lie under it."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)


def unit_limits(axes: Axes) -> None:
    """Both axes from 0 to 1."""
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)

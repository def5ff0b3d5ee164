"""A result as a figure, by matplotlib (extra `plot`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fesnet._messages import get_extra
from fesnet.errors import MissingExtraError, UsageError
from fesnet.exports.common import gap_end, list_faces, result_frame_ends
from fesnet.intervals import KINDS
from fesnet.result import Spotting
from fesnet.result_view import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (9.0, 3.0)  # inches of a new figure


def new_axes() -> Axes:
    """Axes of a new figure. Raises MissingExtraError where matplotlib is not installed."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError(
            f"expected matplotlib for a figure ({error}); {get_extra('plots')}"
        ) from error
    axes: Axes = pyplot.subplots(figsize=SIZE, layout="constrained")[1]
    return axes


def plot_result(spotting: Spotting, ax: Axes | None = None, face: int | None = None) -> Axes:
    """Draw one face's scores as lines, its thresholds dotted, its intervals as coloured spans with
    the apex dashed, its gaps grey. Arguments and errors as in `Spotting.plot`.
    """
    faces = list_faces(spotting)
    shown = faces[0] if face is None else face
    if shown not in faces:
        raise UsageError(f"expected a face out of {', '.join(map(str, faces))}, got {face}")
    axes = new_axes() if ax is None else ax
    draw_scores(axes, spotting, shown)
    draw_spans(axes, spotting, shown)
    end = result_frame_ends(spotting)[-1]
    axes.set_xlim(float(spotting.frame_times[0]), float(end))
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("time (s)")
    axes.set_ylabel("score")
    axes.set_title(f"{spotting.source.name}, face {shown}", loc="left", fontsize="medium")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="upper right", fontsize="small", ncols=len(KINDS) + 1)
    return axes


def draw_scores(axes: Axes, spotting: Spotting, face: int) -> None:
    """A line of scores for each kind, and its threshold."""
    for track in spotting.faces:
        for column, kind in enumerate(KINDS if track.face == face else ()):
            scores = np.asarray(track.scores, float)[:, column]
            axes.plot(track.times, scores, color=COLOURS[kind], linewidth=1.2, label=kind)
    for kind in KINDS:
        threshold = spotting.rules.of(kind, "threshold")
        axes.axhline(threshold, color=COLOURS[kind], linestyle=":", linewidth=0.8)


def draw_spans(axes: Axes, spotting: Spotting, face: int) -> None:
    """Intervals and gaps of a face."""
    ends = result_frame_ends(spotting)
    for i in spotting.intervals:
        if i.face == face:
            axes.axvspan(
                i.onset_s,
                float(ends[i.offset_frame]),
                color=COLOURS[i.kind],
                alpha=0.25,
                linewidth=0,
            )
            axes.axvline(i.apex_s, color=COLOURS[i.kind], linestyle="--", linewidth=0.8)
    style: dict[str, Any] = {"color": "0.5", "alpha": 0.3, "linewidth": 0, "label": "no face"}
    for gap in spotting.gaps:
        if gap.face == face:
            axes.axvspan(gap.start_s, gap_end(gap, ends), **style)
            style.pop("label", None)  # once in the legend

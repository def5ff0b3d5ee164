"""A result as a figure, by matplotlib (extra `plots`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fesnet._messages import get_extra
from fesnet._names import printable
from fesnet.errors import MissingExtraError, UsageError
from fesnet.exports.common import gap_end, list_faces, result_frame_ends
from fesnet.intervals import KINDS
from fesnet.result import Spotting
from fesnet.result_view import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (9.0, 3.0)  # inches of a new figure
NAME_LENGTH = 32  # characters of a file's name in the title, beside the legend
NEUTRAL = "0.3"  # grey of what both kinds have, in the legend


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
    """Draw one face's frame scores as lines, its intervals as coloured spans with the apex dashed
    and a bar at the interval's own score, the thresholds that these bars reach dotted, its gaps
    grey. Arguments and errors as in `Spotting.plot`.
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
    name = printable(spotting.source.name)
    name = name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 3]}..."
    axes.set_title(f"{name}, face {shown}", loc="left", fontsize="medium", parse_math=False)
    # Above the axes, as scores are high where there is something to see.
    handles, labels = axes.get_legend_handles_labels()
    style: dict[str, Any] = {"fontsize": "small", "frameon": False, "handlelength": 1.5}
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.1}
    axes.legend(handles, labels, ncols=max(len(labels), 1), **style, **place)
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
    axes.plot([], [], color=NEUTRAL, linestyle=":", linewidth=0.8, label="threshold")


def draw_spans(axes: Axes, spotting: Spotting, face: int) -> None:
    """Intervals and gaps of a face; a bar at the score that thresholds are compared with."""
    ends = result_frame_ends(spotting)
    found = [i for i in spotting.intervals if i.face == face]
    for i in found:
        colour, end = COLOURS[i.kind], float(ends[i.offset_frame])
        axes.axvspan(i.onset_s, end, color=colour, alpha=0.25, linewidth=0)
        axes.axvline(i.apex_s, color=colour, linestyle="--", linewidth=0.8)
        axes.hlines(i.score, i.onset_s, end, color=colour, linewidth=3)
    if found:
        axes.plot([], [], color=NEUTRAL, linewidth=3, label="interval's score")
        axes.plot([], [], color=NEUTRAL, linestyle="--", linewidth=0.8, label="apex")
    style: dict[str, Any] = {"color": "0.5", "alpha": 0.3, "linewidth": 0, "label": "no face"}
    for gap in spotting.gaps:
        if gap.face == face:
            axes.axvspan(gap.start_s, gap_end(gap, ends), **style)
            style.pop("label", None)  # once in the legend

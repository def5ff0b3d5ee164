"""The figures of one set of finds against the truth (`fesnet score --plots`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fesnet.figures.canvas import (
    COLOURS,
    LINES,
    legend_above,
    new_figure,
    paper_style,
    save_figure,
    unit_limits,
)
from fesnet.intervals import KINDS
from fesnet.metrics import VideoResult, bootstrap, counts_by_iou, evaluate, match
from fesnet.metrics.curves import RankedFinds, rank_finds
from fesnet.metrics.protocols import PROTOCOLS

BINS = 10  # of scores, for reliability
SHOWN_VIDEOS = 24  # of the timelines
MINUTE = 60.0


def draw_agreement(
    ranked: Sequence[VideoResult],
    iou: float,
    folder: Path,
    videos: Sequence[VideoResult] | None = None,
) -> list[Path]:
    """All figures that the data allow, as SVG and PDF; returns the files.

    ranked: finds for the curves over scores. videos: finds at the chosen threshold for the others;
    None for the same. Without lengths there is no FROC curve, and without scores no reliability.
    """
    videos = ranked if videos is None else videos
    figures: dict[str, Callable[[], Figure | None]] = {
        "precision-recall": lambda: precision_recall(ranked, iou),
        "froc": lambda: froc(ranked, iou),
        "f1-over-iou": lambda: f1_over_iou(videos),
        "subjects": lambda: subject_bars(videos, iou),
        "timelines": lambda: timelines(videos, iou),
        "reliability": lambda: reliability(ranked, iou),
    }
    written: list[Path] = []
    with paper_style():
        for name, draw in figures.items():
            figure = draw()
            if figure is not None:
                written += save_figure(figure, folder, name)
    return written


def ranked_kinds(videos: Sequence[VideoResult], iou: float) -> dict[str, RankedFinds]:
    """Of the kinds that have truth and finds."""
    pairs = [(v.truth, v.found) for v in videos]
    ranked = {str(kind): rank_finds(pairs, kind, iou) for kind in KINDS}
    return {kind: r for kind, r in ranked.items() if r.total and len(r.hits)}


def ends_of_ties(ranked: RankedFinds) -> np.ndarray:
    """Where a threshold may lie: the last find of each score, so that order among equals is no
    matter.
    """
    return np.append(np.flatnonzero(np.diff(ranked.scores)), len(ranked.scores) - 1)


def precision_recall(videos: Sequence[VideoResult], iou: float) -> Figure | None:
    """Precision over recall, a point for each threshold of the score."""
    ranked = ranked_kinds(videos, iou)
    if not ranked:
        return None
    figure, axes = new_figure()
    for kind, r in ranked.items():
        at = ends_of_ties(r)
        style: Any = {"color": COLOURS[kind], "linestyle": LINES[kind], "marker": "."}
        axes.plot(r.recall[at], r.precision[at], label=kind, markersize=3, **style)
    unit_limits(axes)
    axes.set_xlabel(f"recall (IoU {iou:g})")
    axes.set_ylabel("precision")
    legend_above(axes)
    return figure


def froc(videos: Sequence[VideoResult], iou: float) -> Figure | None:
    """Recall over false alarms a minute; None where a length is unknown."""
    ranked, lengths = ranked_kinds(videos, iou), [v.seconds for v in videos]
    minutes = sum(s for s in lengths if s is not None) / MINUTE
    if not ranked or None in lengths or not minutes:
        return None
    figure, axes = new_figure()
    for kind, r in ranked.items():
        at = ends_of_ties(r)
        x, y = (np.append(0, values[at]) for values in (r.false_alarms / minutes, r.recall))
        axes.plot(x, y, label=kind, color=COLOURS[kind], linestyle=LINES[kind], marker=".", ms=3)
    axes.set_xlim(0, None)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("false alarms a minute")
    axes.set_ylabel(f"recall (IoU {iou:g})")
    legend_above(axes)
    return figure


def f1_over_iou(videos: Sequence[VideoResult]) -> Figure:
    """F1 of each kind and overall at IoU 0.1 to 0.9."""
    counts = counts_by_iou([(v.truth, v.found) for v in videos])
    figure, axes = new_figure()
    for kind, colour in COLOURS.items():
        f1 = [c[kind].f1 for c in counts.values()]
        axes.plot(list(counts), f1, label=kind, color=colour, linestyle=LINES[kind], marker=".")
    unit_limits(axes)
    axes.set_xlabel("IoU from which two intervals match")
    axes.set_ylabel("F1")
    legend_above(axes)
    return figure


def subject_bars(videos: Sequence[VideoResult], iou: float) -> Figure:
    """Overall F1 of each subject, a bar each, and the pooled one with its 95 % interval.

    A subject's own interval is over its videos, drawn with replacement, where it has several.
    """
    evaluation = evaluate(videos, PROTOCOLS["official"], iou)
    names = list(evaluation.by_subject)
    f1 = [evaluation.by_subject[s]["overall"].f1 for s in names]
    own = {s: [v for v in videos if v.subject == s] for s in names}
    figure, axes = new_figure(2.4, max(3.4, 0.22 * len(names) + 1))
    axes.bar(range(len(names)), f1, color="#9ecae1", edgecolor=COLOURS["macro"], linewidth=0.6)
    for n, subject in enumerate(names):
        if len(own[subject]) > 1:
            single = [evaluate([v], PROTOCOLS["official"], iou) for v in own[subject]]
            low, high = bootstrap([e.counts["overall"] for e in single])
            axes.plot([n, n], [low, high], color=COLOURS["overall"], linewidth=1)
    pooled = evaluation.counts["overall"].f1
    axes.axhline(pooled, color=COLOURS["micro"], linewidth=1, label=f"all: {pooled:.3f}")
    if len(names) > 1:
        axes.axhspan(*evaluation.interval("overall"), color=COLOURS["micro"], alpha=0.15)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("F1 overall")
    legend_above(axes)
    return figure


def timelines(videos: Sequence[VideoResult], iou: float) -> Figure | None:
    """Truth above what was found, a row for each video with either; matched finds are filled.

    The first videos that have an event; frames, as lengths may be unknown.
    """
    shown = [v for v in videos if v.truth or v.found][:SHOWN_VIDEOS]
    if not shown:
        return None
    figure, axes = new_figure(0.28 * len(shown) + 0.9, 7.0)
    for row, video in enumerate(shown):
        hits = {j for _, j in match(video.truth, video.found, iou)}
        for i in video.truth:
            axes.broken_barh([(i.start, i.length)], (row - 0.42, 0.4), color=COLOURS[i.kind])
        for j, i in enumerate(video.found):
            face = COLOURS[i.kind] if j in hits else "none"
            axes.broken_barh(
                [(i.start, i.length)], (row + 0.02, 0.4), facecolor=face,
                edgecolor=COLOURS[i.kind], linewidth=0.8,
            )  # fmt: skip
    axes.set_yticks(range(len(shown)), [v.video for v in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, None)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("frame; upper bars: truth, lower bars: found, open where nothing matches")
    for kind in KINDS:
        axes.plot([], [], color=COLOURS[kind], linewidth=4, label=str(kind))
    legend_above(axes)
    return figure


def reliability(videos: Sequence[VideoResult], iou: float) -> Figure | None:
    """Share of right finds over their score; None where scores say nothing (all equal, or beyond
    0 to 1).
    """
    ranked = ranked_kinds(videos, iou)
    scores = [s for r in ranked.values() for s in r.scores]
    if len(set(scores)) < 2 or min(scores) < 0 or max(scores) > 1:
        return None
    figure, axes = new_figure()
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    for kind, r in ranked.items():
        bins = np.minimum((r.scores * BINS).astype(int), BINS - 1)
        used = np.unique(bins)
        x = [float(r.scores[bins == b].mean()) for b in used]
        y = [float(r.hits[bins == b].mean()) for b in used]
        sizes = [8 + 2 * float((bins == b).sum()) ** 0.5 for b in used]
        axes.plot(x, y, color=COLOURS[kind], linestyle=LINES[kind], label=kind)
        axes.scatter(x, y, s=sizes, color=COLOURS[kind])
    unit_limits(axes)
    axes.set_xlabel("score")
    axes.set_ylabel("share that is right")
    legend_above(axes)
    return figure

"""Beyond one threshold: average precision, sweeps over IoU, and how far edges are off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fesnet.errors import UsageError
from fesnet.intervals import Interval, Kind
from fesnet.metrics.matching import IOU, Counts, count, match, overall
from fesnet.metrics.near_pairs import near_pairs

IOUS = tuple(round(0.1 * i, 1) for i in range(1, 10))
Video = tuple[Sequence[Interval], Sequence[Interval]]  # truth, found


def counts_by_iou(
    videos: Sequence[Video], ious: Sequence[float] = IOUS
) -> dict[float, dict[str, Counts]]:
    """Counts by kind and overall at each IoU."""
    return {iou: overall([count(truth, found, iou) for truth, found in videos]) for iou in ious}


@dataclass(frozen=True)
class RankedFinds:
    """Finds by falling score. scores: (N,); hits: (N,) 1 where a find is right, else 0; total: true
    events.
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.float64]
    total: int

    @property
    def recall(self) -> NDArray[np.float64]:
        """(N,) of the finds up to each, 0..1; 0 without truth."""
        return np.cumsum(self.hits) / max(self.total, 1)

    @property
    def precision(self) -> NDArray[np.float64]:
        """(N,) of the finds up to each, 0..1."""
        return np.cumsum(self.hits) / np.arange(1, len(self.hits) + 1)

    @property
    def false_alarms(self) -> NDArray[np.float64]:
        """(N,) how many of the finds up to each are wrong."""
        return np.cumsum(1 - self.hits)


def rank_finds(videos: Sequence[Video], kind: Kind, iou: float = IOU) -> RankedFinds:
    """Finds of one kind by falling score, all videos pooled.

    One is right if its IoU with the free true interval that it overlaps most reaches `iou`.
    """
    truths = [[t for t in truth if t.kind == kind] for truth, _ in videos]
    ranked: list[tuple[float, int, list[tuple[float, int]]]] = []
    for v, (_, found) in enumerate(videos):
        mine = [f for f in found if f.kind == kind]
        near = near_pairs(mine, truths[v], iou)
        for f, places in zip(mine, near, strict=True):
            ranked.append((f.score, v, [(truths[v][i].iou(f), i) for i in places]))
    ranked.sort(key=lambda x: -x[0])
    used: set[tuple[int, int]] = set()
    right = np.zeros(len(ranked))
    for n, (_, v, fits) in enumerate(ranked):
        best = max((fit for fit in fits if (v, fit[1]) not in used), default=None)
        if best is not None:
            used.add((v, best[1]))
            right[n] = 1
    return RankedFinds(np.array([s for s, _, _ in ranked]), right, sum(map(len, truths)))


def average_precision(videos: Sequence[Video], kind: Kind, iou: float = IOU) -> float:
    """Area under the precision-recall curve of one kind, 0..1, all videos pooled.

    Finds are ranked as by `rank_finds`. Precision is interpolated at all points, as in
    ActivityNet's evaluation. Returns NaN without truth.
    """
    ranked = rank_finds(videos, kind, iou)
    if ranked.total == 0:
        return float("nan")
    precision = np.maximum.accumulate(ranked.precision[::-1])[::-1]
    return float((precision * ranked.hits).sum() / ranked.total)


@dataclass(frozen=True)
class EdgeErrors:
    """Found minus true (N,) in frames, of matched pairs: below 0 is too early."""

    onset: NDArray[np.int64]
    offset: NDArray[np.int64]

    def __str__(self) -> str:
        if not len(self.onset):
            return "no matched pair"
        parts = (
            f"{name} {np.median(v):+.0f} (|error| {np.abs(v).mean():.1f})"
            for name, v in self.__dict__.items()
        )
        return "median " + ", ".join(parts) + " frames"


def edge_errors(videos: Sequence[Video], kind: Kind | None = None, iou: float = IOU) -> EdgeErrors:
    """Of one kind, or of all."""
    pairs = [
        (truth[i], found[j])
        for truth, found in videos
        for i, j in match(truth, found, iou)
        if kind is None or truth[i].kind == kind
    ]
    onset = np.array([f.start - t.start for t, f in pairs], np.int64)
    return EdgeErrors(onset, np.array([f.stop - t.stop for t, f in pairs], np.int64))


def frame_kappa(videos: Sequence[Video], frames: Sequence[int]) -> float:
    """Cohen's kappa of two annotators over frames of neutral, macro and micro; -1..1.

    frames: length of each video. A micro inside a macro wins. Returns NaN where both annotate one
    label everywhere. Raises UsageError.
    """
    return kappa_of(frame_table(videos, frames))


def frame_table(videos: Sequence[Video], frames: Sequence[int]) -> NDArray[np.float64]:
    """(3, 3) frames by label of the first and the second annotator: neutral, macro, micro. Raises
    UsageError."""
    if len(videos) != len(frames) or min(frames, default=1) < 1:
        raise UsageError("expected one length of 1 frame or more for each video")
    table = np.zeros((3, 3))
    for (one, other), n in zip(videos, frames, strict=True):
        np.add.at(table, (frame_labels(one, n), frame_labels(other, n)), 1)
    return table


def kappa_of(table: NDArray[np.float64]) -> float:
    """Cohen's kappa of a table of counts (K, K); NaN where both have one label everywhere."""
    if not table.sum():
        return float("nan")
    share = table / table.sum()
    chance = float(share.sum(0) @ share.sum(1))
    return float("nan") if chance >= 1 else float((np.trace(share) - chance) / (1 - chance))


def frame_labels(intervals: Sequence[Interval], frames: int) -> NDArray[np.int64]:
    """(frames,) 0 neutral, 1 macro, 2 micro."""
    out = np.zeros(frames, np.int64)
    for code, kind in ((1, "macro"), (2, "micro")):
        for i in intervals:
            if i.kind == kind:
                out[i.start : i.stop] = code
    return out

"""What tables, statistics and figures need of each result, without its scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from fesnet.batch.summary import summary_row
from fesnet.intervals import KINDS, true_runs
from fesnet.observation_text import moved_line
from fesnet.observations import FLAGS, Blink, IntervalContext
from fesnet.result import SpottedInterval, Spotting
from fesnet.review.merge import MACHINE, MachineResult, merge_intervals
from fesnet.review.review_file import read_review
from fesnet.study.results import StudyResult

Span = tuple[float, float]  # s, on the video's clock
MEASURES = ("count", "per_minute", "mean_s", "total_s", "latency_s")


@dataclass(frozen=True)
class StudyVideo:
    """One result. start_s, end_s: of the video; known: where a face was known; expressions: one
    dictionary each, sorted, with the fields of a result and by, when, checked, note; summary: the
    row of summary.csv; blinks: also longer closures, None where nothing was observed; sha256: of
    the video's file, None where it is not known.
    """

    result: StudyResult
    source: str
    start_s: float
    end_s: float
    known: tuple[Span, ...]
    expressions: tuple[dict[str, Any], ...]
    summary: dict[str, Any]
    blinks: tuple[Blink, ...] | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        return self.result.name

    @property
    def participant(self) -> str:
        return self.result.participant

    @property
    def video(self) -> str:
        """The video's name below the folder of the study: s1/a.mp4."""
        folder = PurePosixPath(self.result.name).parent
        return str(folder / self.source)

    @property
    def known_seconds(self) -> float:
        """Of the whole video; what rates are of."""
        return float(self.summary["duration_s"] - self.summary["unknown_s"])

    def known_within(self, span: Span) -> float:
        """Seconds of a span in which a face was known."""
        start, stop = span
        return sum(max(0.0, min(stop, b) - max(start, a)) for a, b in self.known)

    def cell(self, column: str) -> str:
        """What is known of it by a column of study.csv."""
        return self.participant if column == "participant" else self.result.columns.get(column, "")


def read_video(result: StudyResult) -> StudyVideo:
    """Raises ResultError for a damaged result or review."""
    spotting = result.read()
    end = float(spotting.frame_times[0]) + spotting.seconds
    return StudyVideo(
        result,
        spotting.source.name,
        float(spotting.frame_times[0]),
        end,
        known_spans(spotting, end),
        tuple(read_expressions(result, spotting)),
        summary_row(spotting),
        spotting.blinks if spotting.observations else None,
        spotting.source.sha256,
    )


def read_expressions(result: StudyResult, spotting: Spotting) -> Iterable[dict[str, Any]]:
    """The intervals of the version that counts, with who made or checked each, and, where the face
    was observed, what moved and a yes or no (1, 0) for each flag."""
    rows: list[dict[str, Any]]
    if result.reviewed:
        rows = merge_intervals(MachineResult.read(result.path), read_review(result.review))
    else:
        unseen = {"by": MACHINE, "when": None, "checked": False, "note": ""}
        rows = [asdict(i) | unseen for i in spotting.intervals]
    names = SpottedInterval.__dataclass_fields__
    contexts = (spotting.context(SpottedInterval(**{n: row[n] for n in names})) for row in rows)
    return [row | context_cells(c) for row, c in zip(rows, contexts, strict=True)]


def context_cells(context: IntervalContext | None) -> dict[str, Any]:
    """What moved, and each flag as 0 or 1; nothing where the face was not observed."""
    if context is None:
        return {}
    return {"moved": moved_line(context)} | {flag: int(flag in context.flags) for flag in FLAGS}


def known_spans(spotting: Spotting, end: float) -> tuple[Span, ...]:
    """Where any face was known, each step lasting half a step to either side."""
    known = np.zeros(max((len(t.scores) for t in spotting.faces), default=0), bool)
    for track in spotting.faces:
        known[: len(track.scores)] |= ~np.isnan(track.scores).any(1)
    start, rate = float(spotting.frame_times[0]), spotting.working_rate
    spans = [((a - 0.5) / rate, (b - 0.5) / rate) for a, b in true_runs(known)]
    if not spans:
        return ()
    # The last step stands for all that follows it, as `Spotting.known_seconds` counts.
    spans = [(a, end if b + 1.5 / rate >= end else b) for a, b in spans]
    return tuple((max(a, start), min(b, end)) for a, b in spans)


def measure_expressions(
    expressions: Sequence[dict[str, Any]], known_s: float, start_s: float
) -> dict[str, Any]:
    """MEASURES by kind: of known face, latency from start_s to the first onset. None for what does
    not exist; all None where no face was known.
    """
    out: dict[str, Any] = {}
    for kind in KINDS:
        found = [e for e in expressions if e["kind"] == kind]
        lasts = [e["offset_s"] - e["onset_s"] for e in found]
        values: dict[str, Any] = dict.fromkeys(MEASURES)
        if known_s > 0:
            values["count"] = len(found)
            values["per_minute"] = round(60 * len(found) / known_s, 4)
            values["total_s"] = round(float(sum(lasts)), 6)
        if found and known_s > 0:
            values["mean_s"] = round(float(np.mean(lasts)), 6)
            values["latency_s"] = round(min(e["onset_s"] for e in found) - start_s, 6)
        out |= {f"{kind}_{name}": value for name, value in values.items()}
    return out

"""The tables of a study: CSV, Parquet where pyarrow is there, and .sav for SPSS on request.

Every table has the participant and the columns of study.csv first. Each says which version it is
of: `version` is "corrected" where a person has reviewed the video, else "machine".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fesnet.batch.columns import PARTICIPANT, column_names
from fesnet.batch.summary import write_parquet
from fesnet.intervals import KINDS
from fesnet.observation_text import FLAG_WORDS, LASTING, summarize_blinks
from fesnet.observations import FLAGS, Blink
from fesnet.spreadsheet import write_text_table
from fesnet.study.markers import Marker, by_participant, markers_of
from fesnet.study.videos import StudyVideo, measure_expressions

Row = dict[str, Any]
EXPRESSION_FIELDS = (
    *("video", "result", "version", "face", "kind", "onset_s", "apex_s", "offset_s", "duration_s"),
    *("onset_frame", "apex_frame", "offset_frame", "score", "by", "when", "checked", "note"),
)
NO_COLUMNS = {"id", "machine"}  # of an expression: how a review knows it
LABELS = {
    "participant": "Participant",
    "video": "Video, below the folder of the study",
    "result": "Result, below the results folder",
    "version": "Whose intervals: machine, or corrected by a person",
    "face": "Number of the face, from 0",
    "kind": "Kind of expression",
    "onset_s": "Onset, s on the video's clock",
    "apex_s": "Apex, s on the video's clock",
    "offset_s": "Offset, s on the video's clock",
    "duration_s": "Duration, s",
    "score": "Score, 0 to 1",
    "by": "Who made it: machine, or a person",
    "when": "When a person last changed or checked it (UTC)",
    "checked": "Checked by a person (1: yes)",
    "note": "Note",
    "marker": "Markers in which the onset lies",
    "label": "Marker",
    "known_s": "Seconds in which a face was known",
    "unknown_s": "Seconds in which no face was known",
    "moved": "What moved: FACS number, side, strength 0 to 1 (no FACS coding)",
    **{flag: f"In it or within 0.2 s: {words} (1: yes)" for flag, words in FLAG_WORDS.items()},
    **{f"with_{flag}": f"Expressions with {words}" for flag, words in FLAG_WORDS.items()},
    **{f"{flag}_s": f"Seconds with {FLAG_WORDS[flag]}" for flag in LASTING},
    "blink_count": "Blinks",
    "blinks_per_minute": "Blinks per minute of known face",
    "blink_mean_s": "Mean duration of a blink, s",
    "status": "What became of the video: done, failed, damaged",
    "reason": "Why there is no result",
    "frames": "Frames",
    "faces": "Faces that were followed",
    "reviewed_by": "Who reviewed it",
    "warnings": "What was told about the video",
    "sha256": "sha256 of the video",
    "one": "First rater",
    "other": "Second rater",
    "independent": "Both worked blind (1: yes)",
    "moments": "Moments that both looked at",
    "left": "Moments that one of them did not look at",
    "both": "Expressions in both (IoU 0.5, same kind)",
    "only_one": "Expressions of the first rater alone",
    "only_other": "Expressions of the second rater alone",
    "f1": "F1 of the two raters",
    "kappa": "Cohen's kappa over frames of whole videos",
    "whole_videos": "Videos that both have seen as a whole",
    "whole_minutes": "Minutes of these",
    "videos": "Videos",
    "reviewed": "Videos with a review",
    **{
        f"{kind}_{name}": f"{kind}-expressions: {text}"
        for kind in KINDS
        for name, text in {
            "count": "number",
            "per_minute": "per minute of known face",
            "mean_s": "mean duration, s",
            "median_s": "median duration, s",
            "total_s": "total duration, s",
            "latency_s": "latency of the first onset, s",
            "mean_score": "mean score",
        }.items()
    },
}
INTEGERS = {
    *("face", "faces", "frames", "videos", "reviewed", "checked", "n", "left_out"),
    *("onset_frame", "apex_frame", "offset_frame", "blink_count"),
    *("independent", "participants", "moments", "left", "both", "only_one", "only_other"),
    "whole_videos",
    *FLAGS,
    *(f"with_{flag}" for flag in FLAGS),
}
FLOATS = {
    *("onset_s", "apex_s", "offset_s", "duration_s", "start_s", "end_s", "known_s", "unknown_s"),
    *("score", "mean", "low_95", "high_95", "p", "p_adjusted"),
    *(f"{name}{end}" for name in ("f1", "kappa") for end in ("", "_low_95", "_high_95")),
    "whole_minutes",
    *("blinks_per_minute", "blink_mean_s"),
}


def own_columns(videos: Iterable[StudyVideo]) -> list[str]:
    """The columns of study.csv but the participant, in their order."""
    return [c for c in column_names(v.result.columns for v in videos) if c != PARTICIPANT]


def expression_rows(videos: Sequence[StudyVideo], markers: Sequence[Marker]) -> list[Row]:
    """One row an interval. What else a result says of an interval comes last."""
    own, rows = own_columns(videos), []
    groups = by_participant(markers)
    for video in videos:
        place = {PARTICIPANT: video.participant, **{c: video.cell(c) for c in own}}
        place |= {"video": video.video, "result": video.name, "version": video.summary["version"]}
        spans = markers_of(video, groups)
        for e in video.expressions:
            length = round(e["offset_s"] - e["onset_s"], 6)
            row = {**place, **{k: cell_value(v) for k, v in e.items() if k not in NO_COLUMNS}}
            row |= {"duration_s": length, "checked": int(e["checked"])}
            if markers:
                inside = (m.label for m in spans if m.start_s <= e["onset_s"] < m.end_s)
                row["marker"] = "; ".join(dict.fromkeys(inside))
            rows.append(row)
    first = [PARTICIPANT, *own, *EXPRESSION_FIELDS]
    more = [c for c in dict.fromkeys(c for row in rows for c in row) if c not in first]
    return [{c: row.get(c) for c in (*first, *more)} for row in rows]


def cell_value(value: object) -> object:
    """A value as a cell can hold it."""
    if isinstance(value, dict):
        return "; ".join(f"{name} {number}" for name, number in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else value


def participant_rows(videos: Sequence[StudyVideo], by: Sequence[str]) -> list[Row]:
    """One row a participant, or one for each value that `by` has with this participant.

    Counts and seconds are summed, rates are of the sums, durations of all expressions, latencies
    the mean over videos. Columns in which a participant's videos differ are empty.
    """
    groups: dict[tuple[str, ...], list[StudyVideo]] = {}
    for video in videos:
        key = (video.participant, *(video.cell(c) for c in by))
        groups.setdefault(key, []).append(video)
    own, rows = own_columns(videos), []
    for key, some in sorted(groups.items()):
        same = {c: {v.cell(c) for v in some} for c in own}
        row: Row = {PARTICIPANT: key[0]}
        row |= {c: texts.pop() if len(texts) == 1 else "" for c, texts in same.items()}
        row |= {"videos": len(some), "reviewed": sum(v.result.reviewed for v in some)}
        row |= {"version": version_of(some)}
        rows.append(row | pooled_measures([(v, (v.start_s, v.end_s)) for v in some]))
    return rows


def version_of(videos: Sequence[StudyVideo]) -> str:
    return " and ".join(sorted({v.summary["version"] for v in videos}))


def pooled_measures(parts: Sequence[tuple[StudyVideo, tuple[float, float]]]) -> Row:
    """MEASURES over stretches of videos; an expression counts where its onset lies."""
    known, found, latencies = 0.0, [], []
    for video, span in parts:
        whole = span == (video.start_s, video.end_s)
        seconds = video.known_seconds if whole else video.known_within(span)
        inside = [e for e in video.expressions if whole or span[0] <= e["onset_s"] < span[1]]
        known += seconds
        found += inside
        latencies.append(measure_expressions(inside, seconds, span[0]))
    row = {"known_s": round(known, 6)} | measure_expressions(found, known, 0.0)
    row |= pooled_context(parts, found, known)
    for kind in KINDS:
        name = f"{kind}_latency_s"
        first = [m[name] for m in latencies if m[name] is not None]
        row[name] = round(float(np.mean(first)), 6) if first else None
    return row


def pooled_context(
    parts: Sequence[tuple[StudyVideo, tuple[float, float]]], found: Sequence[Row], known: float
) -> Row:
    """How many expressions have each flag, and blinks that begin in stretches of videos; nothing
    where the faces of any of them were not observed."""
    blinks: list[Blink] = []
    for video, (start, stop) in parts:
        if video.blinks is None:
            return {}
        whole = (start, stop) == (video.start_s, video.end_s)
        blinks += [b for b in video.blinks if whole or start <= b.start_s < stop]
    counts = {f"with_{flag}": sum(e.get(flag, 0) for e in found) for flag in FLAGS}
    return counts | summarize_blinks(blinks, known)


def marker_rows(videos: Sequence[StudyVideo], markers: Sequence[Marker]) -> list[Row]:
    """One row for each marker of each video."""
    own, rows = own_columns(videos), []
    groups = by_participant(markers)
    for video in videos:
        for m in markers_of(video, groups):
            end = min(m.end_s, video.end_s)
            if m.start_s >= end:
                continue
            row: Row = {PARTICIPANT: video.participant, **{c: video.cell(c) for c in own}}
            row |= {"video": video.video, "version": video.summary["version"], "label": m.label}
            row |= {"start_s": m.start_s, "end_s": round(end, 6)}
            rows.append(row | pooled_measures([(video, (m.start_s, end))]))
    return rows


def form_of(column: str) -> type:
    """What a column holds: text, a number or a whole number. Columns of a manifest are text."""
    if column in FLOATS or (
        column.startswith(KINDS) and column.endswith(("_s", "_minute", "_score"))
    ):
        return float
    if column in INTEGERS or (column.startswith(KINDS) and column.endswith("_count")):
        return int
    return str


def save_tables(
    folder: Path,
    tables: dict[str, list[Row]],
    *,
    decimal_comma: bool = False,
    spss: bool = False,
    log: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Write NAME.csv, NAME.parquet and NAME.sav of each table that has a row; their paths.

    Raises UsageError, and MissingExtraError for SPSS without pyreadstat.
    """
    out: list[Path] = []
    for name, rows in tables.items():
        if not rows:
            continue
        columns = list(dict.fromkeys(c for row in rows for c in row))
        cells = [[row.get(c) for c in columns] for row in rows]
        path = folder / f"{name}.csv"
        write_text_table(path, [columns, *cells], decimal_comma=decimal_comma)
        forms = {c: form_of(c) for c in columns}
        plain = [{c: plain_value(row.get(c), forms[c]) for c in columns} for row in rows]
        out += [path, *write_parquet(path.with_suffix(".parquet"), plain, forms)]
        if spss:
            out.append(save_spss(path.with_suffix(".sav"), rows, forms, log))
    return out


def save_spss(
    path: Path,
    rows: list[Row],
    forms: dict[str, type],
    log: Callable[[str], None],
    counted: str = "",
) -> Path:
    """Write rows for SPSS, with labels. forms: what each column holds, in order; counted: what a
    number of checked ones is called, where `checked` is one. Raises MissingExtraError without
    pyreadstat."""
    from fesnet.study.spss import VALUE_LABELS, write_sav

    plain = [{c: plain_value(row.get(c), form) for c, form in forms.items()} for row in rows]
    labels = {**LABELS, "checked": counted} if counted else LABELS
    values = {c: v for c, v in VALUE_LABELS.items() if not (counted and c == "checked")}
    return write_sav(path, plain, forms, labels, log, values)


def plain_value(value: Any, form: type) -> Any:
    if value is None or (value == "" and form is not str):
        return None
    return form(value)

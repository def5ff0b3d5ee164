"""All files of a study at once: tables, statistics, drawings and the index page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fesnet._guard import guarding, replacing
from fesnet._io import (
    atomic_write_text,
    make_writable_folder,
    read_regular_file,
    resolve_path,
)
from fesnet._names import closest_names
from fesnet.batch import read_manifest
from fesnet.batch.columns import (
    PARTICIPANT,
    Columns,
    merge_study_columns,
    read_study_columns,
    result_key,
)
from fesnet.batch.ledger import LEDGER, VideoRecord, parse_events, parse_record
from fesnet.batch.sources import BatchVideo
from fesnet.batch.summary import typed_rows, write_summary
from fesnet.errors import FesnetError, UsageError
from fesnet.study.figures import draw_raster, draw_rates
from fesnet.study.index_page import INDEX, IndexContent, write_index
from fesnet.study.markers import (
    MARKERS,
    Marker,
    folder_markers,
    name_participants,
    read_markers,
    save_markers,
    stray_markers,
)
from fesnet.study.rater_pairs import RaterAgreement, compare_raters, rater_rows
from fesnet.study.results import StudyResult, find_results
from fesnet.study.statistics import GroupStatistic, compare_groups
from fesnet.study.tables import (
    expression_rows,
    marker_rows,
    own_columns,
    participant_rows,
    save_spss,
    save_tables,
)
from fesnet.study.videos import StudyVideo, read_video

MARKER = "marker"  # what --by calls the labels of markers

SUMMARY_SAV = "summary.sav"  # beside the summary.csv that batches write, too
TABLE_ENDINGS = (".csv", ".parquet", ".sav")
FIGURE_FILES = {"All expressions": "raster.svg", "Rates": "rates.svg"}


@dataclass(frozen=True)
class SummaryOptions:
    """by: a column to compare groups by, or "marker"; manifest, markers: tables to take in; force:
    replace files that fesnet did not write, or that were changed."""

    by: str | None = None
    manifest: Path | None = None
    markers: Path | None = None
    decimal_comma: bool = False
    spss: bool = False
    force: bool = False


@dataclass(frozen=True)
class StudySummary:
    """What was written, and what the tables say. failed: (name, reason) of damaged results;
    raters: agreement of every two people who rated the same videos."""

    videos: tuple[StudyVideo, ...]
    statistics: tuple[GroupStatistic, ...]
    files: tuple[Path, ...]
    index: Path
    failed: tuple[tuple[str, str], ...]
    raters: tuple[RaterAgreement, ...] = ()


def summarize(folder: Path, options: SummaryOptions, log: Callable[[str], None]) -> StudySummary:
    """Write tables, drawings and index.html into a results folder. log: a line for a person.

    Raises UsageError, TruthError and MissingExtraError; damaged results are left out and named.
    """
    results = find_results(folder)
    make_writable_folder(folder)
    if options.manifest is not None:
        results = add_manifest(folder, results, options.manifest, log)
    videos, failed = read_videos(results)
    if not videos:
        raise UsageError(f"expected a whole result in {folder}, got damaged ones: {failed[0][1]}")
    notes = [f"{name}: {reason}" for name, reason in failed]
    notes += counted_twice(videos)
    markers = take_markers(folder, videos, options, notes)
    rows, statistics = compare(videos, markers, options.by)
    if not any(PARTICIPANT in v.result.columns for v in videos):
        notes.append("No participants are known: each video counts as one. Name them in a manifest")
    raters, odd = compare_raters([v.result for v in videos])
    notes += odd
    tables = {
        "expressions": expression_rows(videos, markers),
        "participants": rows,
        "by_marker": marker_rows(videos, markers),
        "statistics": [asdict(s) for s in statistics],
        "raters": rater_rows(raters),
    }
    ledger_rows = summary_table(folder, videos, failed)
    column = None if options.by == MARKER else options.by
    figures = {"All expressions": draw_raster(videos, column)}
    if statistics:
        by = "label" if options.by == MARKER else str(options.by)
        compared = tables["by_marker"] if options.by == MARKER else rows
        figures["Rates"] = draw_rates(statistics, compared, by)
    comma = options.decimal_comma
    names = [f"{name}{end}" for name in tables for end in TABLE_ENDINGS]
    targets = [folder / name for name in (*names, SUMMARY_SAV, *FIGURE_FILES.values(), INDEX)]
    with guarding(*targets, force=options.force):
        files = write_summary(folder, ledger_rows, decimal_comma=comma)
        if options.spss:
            typed, forms = typed_rows(ledger_rows)
            counted = "Expressions that a person checked"
            files.append(save_spss(folder / SUMMARY_SAV, typed, forms, log, counted))
        files += save_tables(folder, tables, decimal_comma=comma, spss=options.spss, log=log)
        files += save_figures(folder, figures)
        lost = [row for row in ledger_rows if row["status"] != "done"]
        title = f"Study {folder.resolve().name}"
        content = IndexContent(title, videos, lost, statistics, figures, files, notes, raters)
        index = write_index(folder, content)
    for note in notes:
        log(note)
    return StudySummary(
        tuple(videos), tuple(statistics), tuple(files), index, tuple(failed), tuple(raters)
    )


def read_videos(results: Sequence[StudyResult]) -> tuple[list[StudyVideo], list[tuple[str, str]]]:
    """The videos of whole results, and (name, reason) of the others."""
    videos, failed = [], []
    for result in results:
        try:
            videos.append(read_video(result))
        except (FesnetError, OSError) as error:
            failed.append((result.name, str(error)))
    return videos, failed


def counted_twice(videos: Sequence[StudyVideo]) -> list[str]:
    """A line for each video that has several results, such as a copy that was spotted, too."""
    names: dict[str, list[str]] = {}
    for video in videos:
        if video.sha256 is not None:
            names.setdefault(video.sha256, []).append(video.name)
    return [
        f"{' and '.join(same)} are of one video, which counts {len(same)} times; remove all but one"
        for same in names.values()
        if len(same) > 1
    ]


def add_manifest(
    folder: Path, results: Sequence[StudyResult], file: Path, log: Callable[[str], None]
) -> list[StudyResult]:
    """Take the columns of a manifest into study.csv; its videos are found by their names."""
    known: Columns = {}
    for video in read_manifest(file):
        result = match_result(video, results)
        if result is None:
            log(f"{video.key}: no result in {folder}, or several; left out")
        else:
            subject = {PARTICIPANT: video.subject} if video.subject else {}
            known[result.name] = {**result.columns, **subject, **video.columns}
    merge_study_columns(folder, known)
    return find_results(folder)


def match_result(video: BatchVideo, results: Sequence[StudyResult]) -> StudyResult | None:
    """The result of a video of a manifest: of its name, else the only one of its file's name;
    found as `closest_names` does."""
    for wanted in (video.name, video.key):
        same = closest_names(wanted, results, (r.name for r in results))
        if len(same) == 1:
            return same[0]
    last = video.name.rpartition("/")[2]
    near = closest_names(last, results, (r.name.rpartition("/")[2] for r in results))
    return near[0] if len(near) == 1 else None


def take_markers(
    folder: Path, videos: Sequence[StudyVideo], options: SummaryOptions, notes: list[str]
) -> list[Marker]:
    """The markers of a file, which the folder then keeps, or those that it keeps already."""
    file, kept = options.markers, folder / MARKERS
    markers = folder_markers(folder) if file is None else read_markers(file)
    if file is not None and resolve_path(file) != resolve_path(kept):
        with replacing(kept, force=options.force):
            save_markers(markers, folder)
    markers = name_participants(markers, {v.participant for v in videos})
    for stray in stray_markers(videos, markers):
        about = f"{stray.participant} {stray.video}".strip()
        notes.append(
            f"marker {stray.label} of {about} at {stray.start_s:g} s: no such video or time"
        )
    return markers


def compare(
    videos: Sequence[StudyVideo], markers: Sequence[Marker], by: str | None
) -> tuple[list[dict[str, Any]], list[GroupStatistic]]:
    """The rows of participants.csv, and the statistics of groups. Raises UsageError."""
    if by is None:
        return participant_rows(videos, []), []
    if by == MARKER:
        if not markers:
            raise UsageError("expected markers for --by marker, got none; name --markers FILE")
        return participant_rows(videos, []), compare_groups(marker_rows(videos, markers), "label")
    own = own_columns(videos)
    if by not in own:
        names = ", ".join([*own, MARKER])
        raise UsageError(f"expected one of {names} for --by, got {by!r}; name it in a --manifest")
    rows = participant_rows(videos, [by])
    return rows, compare_groups(rows, by)


def summary_table(
    folder: Path, videos: Sequence[StudyVideo], failed: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The rows of summary.csv: every result, and every video of the run log that has none."""
    records = read_records(folder)
    columns = read_study_columns(folder)
    rows = {}
    for video in videos:
        record = records.get(video.name)
        own = {c: text for c, text in video.result.columns.items() if c != PARTICIPANT}
        subject = video.result.columns.get(PARTICIPANT) or (record.subject if record else "")
        name = record.key if record else video.video
        place = {"video": name, "participant": subject, "result": video.name}
        rows[video.name] = {**place, **own, "status": "done", **video.summary}
    lost = {name: ("damaged", reason) for name, reason in failed}
    lost |= {n: ("failed", r.reason) for n, r in records.items() if r.reason and n not in rows}
    for name, (status, reason) in lost.items():
        record, own = records.get(name), dict(columns.get(result_key(name), {}))
        subject = own.pop(PARTICIPANT, "") or (record.subject if record else "")
        place = {"video": record.key if record else name, "participant": subject, "result": name}
        rows[name] = {**place, **own, "status": status, "reason": reason}
    return [rows[name] for name in sorted(rows)]


def read_records(folder: Path) -> dict[str, VideoRecord]:
    """What the run log of a folder says, by name of the result; empty without one."""
    file = folder / LEDGER
    if not file.is_file():
        return {}
    found = map(parse_record, parse_events(read_regular_file(file).split(b"\n")))
    return {record.name: record for record in found if record is not None}


def save_figures(folder: Path, figures: dict[str, str]) -> list[Path]:
    out = []
    for title, drawing in figures.items():
        atomic_write_text(folder / FIGURE_FILES[title], drawing + "\n")
        out.append(folder / FIGURE_FILES[title])
    return out

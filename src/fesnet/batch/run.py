"""A whole batch: find what is left to do, hand it out, record it, and sum up.

A run that was stopped in any way can be started again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fesnet._guard import tidy_records
from fesnet._io import file_exists, remove_partial_files
from fesnet._messages import counted, time_left
from fesnet._version import __version__
from fesnet.batch.columns import PARTICIPANT, Columns, merge_study_columns, result_key
from fesnet.batch.ledger import BatchLedger, VideoRecord
from fesnet.batch.progress import progress_place, read_share, tell_progress
from fesnet.batch.settings import SpotSettings
from fesnet.batch.sources import BatchVideo
from fesnet.batch.summary import PARQUET, SUMMARY, find_tables, summary_row, write_summary
from fesnet.batch.work import (
    SpottedVideo,
    VideoTask,
    load_spotter,
    modification_stamp,
    read_stored,
    result_file,
    spot_video,
)
from fesnet.errors import FesnetError, SourceError, TargetError, UsageError
from fesnet.jobs import Executor, JobOutcome
from fesnet.jobs.resumable import ResumableRun
from fesnet.result import Spotting

if TYPE_CHECKING:
    from fesnet._types import LogCallback

ReadVersion = Callable[[Path], Spotting | None]


@dataclass(frozen=True)
class PlannedVideo:
    """One video with its own settings and their digest, and the ledger's record of it.

    scores: digest of what decides the scores; free_name: for its results where no record names
    them; size: bytes, by which the time left is estimated.
    """

    video: BatchVideo
    settings: SpotSettings
    digest: str
    scores: str = ""
    record: VideoRecord | None = None
    free_name: str = ""
    size: int = 1

    @property
    def same_path(self) -> bool:
        """Whether the record is of this very path, not of one from which the video was moved."""
        return self.record is not None and self.record.path == self.video.path

    @property
    def name(self) -> str:
        """Of the results, as long as the content is not known."""
        return self.record.name if self.record and self.same_path else self.free_name


@dataclass(frozen=True)
class BatchResult:
    """What a run did. failed: (key, reason), with earlier failures that were not tried again;
    refused: the same of exports whose results are there."""

    done: int
    kept: int
    failed: tuple[tuple[str, str], ...]
    tables: tuple[Path, ...]
    refused: tuple[tuple[str, str], ...] = ()


def run_batch(
    videos: list[BatchVideo],
    out: Path,
    settings: SpotSettings,
    executor: Executor,
    log: LogCallback,
    *,
    retry_failed: bool = False,
    force: bool = False,
    read_version: ReadVersion = read_stored,
    workers: int = 1,
) -> BatchResult:
    """Spot all videos into the folder `out`, which exists and can be written.

    read_version: reads a result for the summary, None for a damaged one; by default the machine's.
    workers: of the executor; where they are more than the videos, each video takes more than one
    processor.

    Results of the same content and the same settings are kept. Videos that failed with them are
    tried again only with `retry_failed`. Files of people are replaced only with `force`. Raises
    UsageError where nothing can be written, and the errors of weights; what was done by then is
    kept.
    """
    places = {n: out / n for n in (SUMMARY, PARQUET)} if force else find_tables(out)
    with BatchLedger(out) as ledger:
        remove_partial_files(out)
        plans = plan_videos(videos, settings, ledger)
        todo, failed = select_todo(plans, out, retry_failed or force)
        kept = len(plans) - len(todo) - len(failed)
        ledger.append_event(
            "start",
            fesnet=__version__,
            engine=executor.name,
            videos=len(plans),
            todo=len(todo),
            kept=kept,
        )
        videos_text = counted(len(plans), "video")
        log(f"{videos_text}, {len(todo)} to do, {kept} done before; {executor.name}")
        run = BatchRun(todo, ledger, log)
        shared = workers > len(todo)
        tasks = ((p.video.path, replace(make_task(p, out, force), overlap=shared)) for p in todo)
        with tell_progress(out, lambda: run.describe_progress(out), log):
            run.run(executor, spot_video, tasks)
        remove_partial_files(out)  # of workers that were killed on the way
        failed = sorted([*failed, *run.failed])
        columns = save_columns(out, videos, ledger)
        tables = write_summary(out, summary_rows(out, ledger, columns, read_version), places)
        tidy_records(out)
        ledger.append_event("end", done=run.done, kept=kept + run.kept, failed=len(failed))
        refused = refused_exports(plans, ledger)
        return BatchResult(run.done, kept + run.kept, tuple(failed), tuple(tables), refused)


def refused_exports(plans: list[PlannedVideo], ledger: BatchLedger) -> tuple[tuple[str, str], ...]:
    """(key, reason) of exports that were not written, now or earlier."""
    paths = {plan.video.path for plan in plans}
    found = (r for r in ledger.records.values() if r.path in paths and r.refused)
    return tuple(sorted((r.key, r.refused) for r in found))


def plan_videos(
    videos: list[BatchVideo], settings: SpotSettings, ledger: BatchLedger
) -> list[PlannedVideo]:
    """Settings and names for all videos. A name in the ledger stays, and none is given twice."""
    spotter = load_spotter(settings)
    by_path = {r.path: r for r in ledger.records.values()}
    by_key = {r.key: r for r in ledger.records.values()}
    taken = {name.lower() for name in ledger.records}
    digests: dict[SpotSettings, tuple[str, str]] = {}
    plans = []
    for video in videos:
        own = settings_of(video, settings)
        if own not in digests:
            digests[own] = own.digest(spotter), own.digest(spotter, scores_only=True)
        record = by_path.get(video.path) or moved_record(by_key.get(video.key))
        free_name = ""
        if record is None or record.path != video.path:
            free_name = find_free_name(video.name, taken)
            taken.add(free_name.lower())
        size = source_size(video.source)
        plans.append(PlannedVideo(video, own, *digests[own], record, free_name, size))
    return plans


def select_todo(
    plans: list[PlannedVideo], out: Path, retry_failed: bool
) -> tuple[list[PlannedVideo], list[tuple[str, str]]]:
    """The videos to spot now, and (key, reason) of those that failed before and are left out."""
    todo, failed = [], []
    for plan in plans:
        record = plan.record if plan.same_path else None
        if record is None or record.digest != plan.digest or not is_unchanged(plan):
            todo.append(plan)
        elif record.reason and not retry_failed:
            failed.append((plan.video.key, record.reason))
        elif not is_complete(record, out, retry_failed):
            todo.append(plan)
    return todo, failed


def is_complete(record: VideoRecord, out: Path, retry_failed: bool) -> bool:
    """Whether the result is there, and its exports are not to be tried again."""
    refused = bool(record.refused) and retry_failed
    return not (record.reason or refused) and file_exists(result_file(out, record.name))


def settings_of(video: BatchVideo, settings: SpotSettings) -> SpotSettings:
    """The settings with the video's own values. Raises UsageError."""
    try:
        return settings.override(video.overrides)
    except UsageError as error:
        raise UsageError(f"{error} (in the manifest, for {video.key})") from error


def moved_record(record: VideoRecord | None) -> VideoRecord | None:
    """A record of the same key whose video has gone: perhaps a share was mounted elsewhere."""
    return None if record is None or record.reason or Path(record.path).exists() else record


def find_free_name(name: str, taken: set[str]) -> str:
    """The name, or with a number where it is taken. taken: in lower case."""
    free, number = name, 1
    while free.lower() in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def source_size(source: str) -> int:
    """Bytes, at least 1. An image folder counts as one image: a look at all would take long."""
    try:
        return max(1, Path(source).stat().st_size)
    except OSError:
        return 1


def is_unchanged(plan: PlannedVideo) -> bool:
    """Whether the video's size and time of change are the recorded ones, and can be trusted."""
    stamp = plan.record.stamp if plan.record is not None else ""
    return bool(stamp) and current_stamp(plan.video) == stamp


def current_stamp(video: BatchVideo) -> str:
    """The stamp of a video now; empty where it cannot be read."""
    try:
        return modification_stamp(video.source)[0]
    except SourceError:
        return ""


def make_task(plan: PlannedVideo, out: Path, force: bool) -> VideoTask:
    """The worker's task. A result of other settings never holds, whatever the content."""
    record, progress = plan.record, str(progress_place(out, plan.video.path))
    if record is None or not record.sha256:
        name = record.name if record else plan.free_name
        return VideoTask(
            plan.video.source, str(out), name, plan.settings, force=force, progress=progress
        )
    same_settings = record.digest == plan.digest and not record.reason
    same_scores = bool(record.scores) and record.scores == plan.scores and not record.reason
    held = same_settings or same_scores or not plan.same_path
    return VideoTask(
        plan.video.source,
        str(out),
        record.name,
        plan.settings,
        known_sha256=record.sha256 if held else None,
        same_settings=same_settings,
        other_name=None if plan.same_path else plan.free_name,
        force=force,
        again=bool(record.refused),
        same_scores=same_scores,
        known_stamp=record.stamp if plan.same_path else "",
        progress=progress,
    )


class BatchRun(ResumableRun):
    """Counts what is done, and estimates the time left by the bytes of the videos."""

    def __init__(self, todo: list[PlannedVideo], ledger: BatchLedger, log: LogCallback) -> None:
        super().__init__(len(todo), log)
        self.plans = {p.video.path: p for p in todo}
        self.ledger = ledger
        self.bytes_left = sum(p.size for p in todo)
        self.bytes_done = self.done = self.kept = 0
        self.failed: list[tuple[str, str]] = []

    def record(self, outcome: JobOutcome) -> list[str]:
        plan = self.plans.pop(outcome.key)  # a key that came back twice is an executor's error
        self.bytes_done += plan.size
        self.bytes_left -= plan.size
        if outcome.error is not None:
            return self.record_failure(plan, outcome.error, outcome.tries)
        return self.record_result(plan, outcome.value, outcome.tries)

    def record_failure(self, plan: PlannedVideo, error: FesnetError, tries: int) -> list[str]:
        """As long as the stamp stays the same, another try is of no use: not where a place to write
        was refused, which says nothing of the video.
        """
        reason = " ".join(str(error).split())
        stamp = "" if isinstance(error, TargetError) else current_stamp(plan.video)
        self.append(plan, {"name": plan.name, "stamp": stamp, "reason": reason}, tries=tries)
        self.failed.append((plan.video.key, reason))
        return [f"{plan.video.key}: failed: {reason}"]

    def record_result(self, plan: PlannedVideo, result: SpottedVideo, tries: int) -> list[str]:
        names = ("name", "sha256", "stamp", "written", "row", "refused")
        values = {n: getattr(result, n) for n in names}
        self.append(plan, values, tries=tries, seconds=result.seconds)
        self.done += result.spotted
        self.kept += not result.spotted
        how = " (from stored scores)" if result.reused else ""
        text = describe_row(result.row) + (how if result.spotted else " (done before)")
        lines = [f"{plan.video.key}: {text}", *(f"  warning: {w}" for w in result.warnings)]
        return [*lines, *([f"  not exported: {result.refused}"] if result.refused else [])]

    def append(self, plan: PlannedVideo, values: dict[str, Any], **more: Any) -> None:
        video = plan.video
        record = VideoRecord(
            key=video.key, path=video.path, digest=plan.digest, subject=video.subject,
            scores=plan.scores, **values,
        )  # fmt: skip
        self.ledger.record(record, **more)

    def work_left(self) -> float | None:
        return self.bytes_left / self.bytes_done

    def describe_progress(self, out: Path) -> str:
        """How far the videos in work are, and the time left; empty where none has begun."""
        found = [
            (plan, share)
            for path, plan in list(self.plans.items())
            if (share := read_share(progress_place(out, path))) is not None
        ]
        done = self.bytes_done + sum(plan.size * share for plan, share in found)
        if not found or done <= 0:
            return ""
        left = self.bytes_done + self.bytes_left - done
        seconds = (time.monotonic() - self.started) * left / done
        parts = ", ".join(f"{plan.video.key} {share:.0%}" for plan, share in found)
        return f"  {parts}; {time_left(seconds)}"


def describe_row(row: dict[str, Any]) -> str:
    """What was found. A video in which no face was known says nothing of expressions."""
    if row.get("macro_count") is None:
        return "no face"
    return f"{row['macro_count']} macro, {row['micro_count']} micro"


def save_columns(out: Path, videos: list[BatchVideo], ledger: BatchLedger) -> Columns:
    """Keep what a manifest says of the videos in study.csv, by the names of their results."""
    by_path = {video.path: video for video in videos}
    known = {}
    for name, record in ledger.records.items():
        video = by_path.get(record.path)
        if video is not None and (video.subject or video.columns):
            subject = {PARTICIPANT: video.subject} if video.subject else {}
            known[name] = {**subject, **video.columns}
    return merge_study_columns(out, known)


def summary_rows(
    out: Path, ledger: BatchLedger, columns: Columns, read_version: ReadVersion = read_stored
) -> Iterator[dict[str, Any]]:
    """The summary's rows, of all videos that ever went into this folder, by their results' names.

    columns: what study.csv says. A result that was changed since (new thresholds, corrections) is
    read again.
    """
    for name in sorted(ledger.records):
        record = ledger.records[name]
        own = dict(columns.get(result_key(name), {}))
        subject = own.pop(PARTICIPANT, "") or record.subject
        place = {"video": record.key, "participant": subject, "result": name}
        if record.reason:
            yield {**place, **own, "status": "failed", "reason": record.reason}
            continue
        file = result_file(out, name)
        if not file_exists(file):
            continue
        done = {**place, **own, "status": "done", "reason": record.refused}
        reviewed = file_exists(file.with_suffix(".review.json"))
        if not reviewed and modification_stamp(str(file))[0] == record.written:
            yield {**done, **record.row}
        elif (found := read_version(file)) is not None:
            yield {**done, **summary_row(found)}
        else:
            reason = "the result was damaged; remove it and start again"
            yield {**place, **own, "status": "damaged", "reason": reason}

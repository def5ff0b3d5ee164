"""A whole batch: plan, hand out, log, list what failed, and sum up. A run that ends anyhow can be
started again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fesnet._io import remove_partial_files
from fesnet._messages import counted, time_left
from fesnet._types import LogCallback
from fesnet._version import __version__
from fesnet.batch.log import Record, RunLog
from fesnet.batch.settings import Settings
from fesnet.batch.sources import Entry
from fesnet.batch.summary import row_of, write_summary
from fesnet.batch.work import Done, Task, do, result_file, spotter_for, stamp, stored
from fesnet.errors import SourceError, UsageError
from fesnet.jobs import Engine, Outcome


@dataclass(frozen=True)
class Plan:
    """One entry, its own settings and their digest, and what the log says of it."""

    entry: Entry
    settings: Settings
    digest: str
    record: Record | None = None
    other: str = ""
    weight: int = 1  # bytes: how long videos take among themselves

    @property
    def own(self) -> bool:
        """Whether the record is of this very path, not of one from which the video may have been
        moved.
        """
        return self.record is not None and self.record.path == self.entry.path


@dataclass(frozen=True)
class Batch:
    """What came of a run. failed: (key, reason), those of earlier runs too that were not tried
    again.
    """

    done: int
    kept: int
    failed: tuple[tuple[str, str], ...]
    tables: tuple[Path, ...]


def run_batch(
    entries: list[Entry],
    out: Path,
    settings: Settings,
    engine: Engine,
    say: LogCallback,
    *,
    retry_failed: bool = False,
) -> Batch:
    """Spot all entries into the folder `out` (there, writable). Those whose result in `out` was
    made from the same content by the same settings are kept; those that failed so are not tried
    again without `retry_failed`.

    Raises UsageError where nothing can be written, and the errors of weights; all that was done by
    then is kept.
    """
    with RunLog(out) as log:
        remove_partial_files(out)
        plans = make_plans(entries, settings, log)
        todo, failed = [], []
        for plan in plans:
            known = (
                plan.record
                if plan.own and plan.record and plan.record.digest == plan.digest
                else None
            )
            if known and known.reason and not retry_failed and unchanged(plan):
                failed.append((plan.entry.key, known.reason))
            elif not (
                known
                and not known.reason
                and unchanged(plan)
                and result_file(out, known.name).is_file()
            ):
                todo.append(plan)
        kept = len(plans) - len(todo) - len(failed)
        log.tell(
            "start",
            fesnet=__version__,
            engine=engine.name,
            videos=len(plans),
            todo=len(todo),
            kept=kept,
        )
        say(f"{counted(len(plans), 'video')}, {len(todo)} to do, {kept} done before; {engine.name}")
        run = Run(out, log, say, sum(p.weight for p in todo), len(todo))
        run.through(todo, engine)
        remove_partial_files(out)  # of workers that were killed on the way
        failed = sorted([*failed, *run.failed])
        tables = write_summary(out, rows(out, log, {p.entry.path: p.entry.subject for p in plans}))
        log.tell("end", done=run.done, kept=kept + run.kept, failed=len(failed))
        return Batch(run.done, kept + run.kept, tuple(failed), tuple(tables))


def make_plans(entries: list[Entry], settings: Settings, log: RunLog) -> list[Plan]:
    """Settings and names for all entries: a video keeps the name that the log gives it, and none is
    given twice.
    """
    spotter = spotter_for(settings)
    by_path = {r.path: r for r in log.records.values()}
    by_key = {r.key: r for r in log.records.values()}
    taken = {name.lower() for name in log.records}
    digests: dict[Settings, str] = {}
    plans = []
    for entry in entries:
        own = own_settings(settings, entry)
        if own not in digests:
            digests[own] = own.digest(spotter)
        record = by_path.get(entry.path) or moved_from(by_key.get(entry.key))
        other = ""
        if record is None or record.path != entry.path:
            other = free_name(entry.name, taken)
            taken.add(other.lower())
        plans.append(Plan(entry, own, digests[own], record, other, size(entry.source)))
    return plans


def own_settings(settings: Settings, entry: Entry) -> Settings:
    try:
        return settings.changed(entry.own)
    except UsageError as error:
        raise UsageError(f"{error} (in the manifest, for {entry.key})") from error


def moved_from(record: Record | None) -> Record | None:
    """A record of the same key, if its video is no longer at its place: perhaps a share was mounted
    elsewhere.
    """
    return None if record is None or record.reason or Path(record.path).exists() else record


def free_name(name: str, taken: set[str]) -> str:
    """The name, or with a number where it is taken."""
    free, number = name, 1
    while free.lower() in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def size(source: str) -> int:
    """Bytes, at least 1; an image folder counts as one image, as looking at all of them would take
    long.
    """
    try:
        return max(1, Path(source).stat().st_size)
    except OSError:
        return 1


def unchanged(plan: Plan) -> bool:
    """Whether the video's size and time of change are those that the log has, and can be
    trusted.
    """
    if plan.record is None or not plan.record.stamp:
        return False
    try:
        return stamp(plan.entry.source)[0] == plan.record.stamp
    except SourceError:
        return False


def task_of(plan: Plan, out: Path) -> Task:
    """What the worker gets. A result that was made by other settings does not hold, whatever the
    content.
    """
    record = plan.record
    if record is None or not record.sha256:
        return Task(
            plan.entry.source, str(out), record.name if record else plan.other, plan.settings
        )
    holds = record.digest == plan.digest and not record.reason
    held = record.sha256 if holds or not plan.own else None
    return Task(
        plan.entry.source,
        str(out),
        record.name,
        plan.settings,
        held,
        holds,
        None if plan.own else plan.other,
    )


class Run:
    """Counts, time left, and what is told of each video as it gets done."""

    def __init__(self, out: Path, log: RunLog, say: LogCallback, weight: int, total: int) -> None:
        self.out, self.log, self.say, self.weight, self.total = out, log, say, weight, total
        self.done = self.kept = self.gone = 0
        self.failed: list[tuple[str, str]] = []
        self.started = time.monotonic()

    def through(self, todo: list[Plan], engine: Engine) -> None:
        """Hand everything out and settle what comes back. Raises what would fail for every other
        video too.
        """
        plans = {p.entry.path: p for p in todo}
        tasks = ((p.entry.path, task_of(p, self.out)) for p in todo)
        for outcome in engine.map(do, tasks):
            plan = plans.pop(
                outcome.key
            )  # a key that came back twice would be an error in the engine
            if outcome.error is not None and outcome.error.exit_code == 2:
                raise outcome.error
            self.settle(plan, outcome)

    def settle(self, plan: Plan, outcome: Outcome) -> None:
        self.gone += plan.weight
        entry = plan.entry
        warnings: tuple[str, ...] = ()
        common: dict[str, Any] = {
            "key": entry.key,
            "path": entry.path,
            "digest": plan.digest,
            "subject": entry.subject,
        }
        if outcome.error is not None:
            reason = " ".join(str(outcome.error).split())
            name = plan.record.name if plan.own and plan.record else plan.other
            self.log.settle(
                Record(name=name, stamp=now(entry), reason=reason, **common), tries=outcome.tries
            )
            self.failed.append((entry.key, reason))
            words = f"failed: {reason}"
        else:
            done: Done = outcome.value
            facts: dict[str, Any] = {
                "sha256": done.sha256,
                "stamp": done.stamp,
                "written": done.written,
                "row": done.row,
            }
            self.log.settle(
                Record(name=done.name, **facts, **common), tries=outcome.tries, seconds=done.seconds
            )
            self.done, self.kept = self.done + done.spotted, self.kept + (not done.spotted)
            warnings = done.warnings
            counts = words_of(done.row)
            words = counts if done.spotted else f"{counts} (done before)"
        number = self.done + self.kept + len(self.failed)
        self.say(f"[{number}/{self.total}] {entry.key}: {words}{self.left(number)}")
        for warning in warnings:
            self.say(f"  warning: {warning}")

    def left(self, number: int) -> str:
        """Time left, by the bytes that are done."""
        if number == self.total:
            return ""
        seconds = (time.monotonic() - self.started) / self.gone * max(self.weight - self.gone, 0)
        return f"; {time_left(seconds)}"


def words_of(row: dict[str, Any]) -> str:
    """What was found; a video in which no face was known says nothing of expressions."""
    if row.get("macro_count") is None:
        return "no face"
    return f"{row['macro_count']} macro, {row['micro_count']} micro"


def now(entry: Entry) -> str:
    """The stamp of a video that failed: as long as it stays the same, trying again is of no use."""
    try:
        return stamp(entry.source)[0]
    except SourceError:
        return ""


def rows(out: Path, log: RunLog, subjects: dict[str, str]) -> Iterator[dict[str, object]]:
    """The summary's rows, of all videos that ever went into this folder, in order of their results'
    names. A result that was changed since (new thresholds, corrections) is read again."""
    for name in sorted(log.records):
        record = log.records[name]
        place = {
            "video": record.key,
            "subject": subjects.get(record.path, record.subject),
            "result": name,
        }
        if record.reason:
            yield {**place, "status": "failed", "reason": record.reason}
            continue
        file = result_file(out, name)
        if not file.is_file():
            continue
        if stamp(str(file))[0] == record.written:
            yield {**place, "status": "done", **record.row}
        elif (found := stored(file)) is not None:
            yield {**place, "status": "done", **row_of(found)}
        else:
            yield {
                **place,
                "status": "damaged",
                "reason": "the result was damaged; remove it and start again",
            }

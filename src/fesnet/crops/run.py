"""A whole data set: hand out, keep the sums, list what failed, write tables. A run that ends anyhow
can be started again, and ends as if it had not ended."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text, remove_partial_files
from fesnet._messages import time_left
from fesnet._types import LogCallback
from fesnet._version import __version__
from fesnet.crops.stage import STAGES, stage_of
from fesnet.crops.sums import Sums, read_sums
from fesnet.crops.work import Done, Task, do
from fesnet.datasets.prepared import ABOUT, SCHEMA, read_about, write_tables
from fesnet.datasets.recording import DataSet
from fesnet.errors import SourceError, UsageError
from fesnet.jobs import Executor, JobOutcome


@dataclass(frozen=True)
class Prepared:
    """What came of a run, in files. failed: (recording and stage, reason), those with a file that
    needs a look too.
    """

    made: int
    kept: int
    failed: tuple[tuple[str, str], ...]


def prepare_data(
    data: DataSet, out: Path, stages: Sequence[str], executor: Executor, say: LogCallback
) -> Prepared:
    """Keep the face stages of all recordings in the folder `out` (made if missing). Files that are
    whole and of the same recordings, made in the same way, are kept; all others are made.

    Raises UsageError for what no recording could do with, and where nothing can be written.
    """
    check(data, out, stages)
    for stage in stages:
        make_folder(out / stage)
    with Sums(out) as sums:
        remove_partial_files(out)
        run = Run(say, len(data.recordings) * len(stages), sums)
        say(f"{len(data.recordings)} recordings, {', '.join(stages)}; {executor.name}")
        run.through(tasks(data, out, stages, sums.known), executor)
        remove_partial_files(out)  # of workers that were killed on the way
        earlier = other_stages(data, out, stages)
        sums.finish([name for name in (*run.facts, *earlier.files) if name in sums.known])
        write_tables(data, out)
        write_about(data, out, stages, run, earlier)
        return Prepared(run.made, run.kept, run.all_failed(data))


def verify_data(
    data: DataSet, out: Path, stages: Sequence[str], executor: Executor, say: LogCallback
) -> Prepared:
    """Only look: every file that `prepare_data` would make is a failure here. Nothing is written.

    Raises UsageError as `prepare_data`, and where `out` was never prepared.
    """
    check(data, out, stages)
    read_about(out)
    run = Run(say, len(data.recordings) * len(stages))
    run.through(tasks(data, out, stages, read_sums(out), look_only=True), executor)
    return Prepared(0, run.kept, run.all_failed(data))


def check(data: DataSet, out: Path, stages: Sequence[str]) -> None:
    """Refuse before any work what cannot end well."""
    for stage in stages:
        stage_of(stage)
    if not stages or len(set(stages)) < len(stages):
        raise UsageError(
            f"expected face stages out of {', '.join(STAGES)}, each once, got "
            f"{', '.join(stages) or 'none'}"
        )
    odd = [r for r in data.recordings if r.media not in ("video", "frames")]
    if odd:
        raise UsageError(
            f"expected videos or frames to prepare, got {odd[0].media} ({odd[0].id}); they need "
            "no faces"
        )
    if not data.recordings:
        raise UsageError(f"expected recordings with frames or videos in {data.root}, got none")
    if (out / ABOUT).is_file() and (held := read_about(out)["data"]) != data.name:
        raise UsageError(f"expected a folder for {data.name}, but {out} holds {held}; name another")


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"expected to make {folder}, got '{error.strerror}'; name another folder"
        ) from error


def tasks(
    data: DataSet,
    out: Path,
    stages: Sequence[str],
    known: dict[str, str],
    *,
    look_only: bool = False,
) -> Iterator[tuple[str, Task]]:
    """(name of the file, what is to be done with it)."""
    for recording in data.recordings:
        for stage in stages:
            name = f"{stage}/{recording.id}.npz"
            yield name, Task(recording, stage, out / name, known.get(name), look_only)


@dataclass
class Run:
    """Counts and what is told of each file as it gets done. sums: None where nothing is written."""

    say: LogCallback
    total: int
    sums: Sums | None = None
    made: int = 0
    kept: int = 0
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def through(self, work: Iterator[tuple[str, Task]], executor: Executor) -> None:
        """Hand everything out and settle what comes back. Raises what would fail for every other
        recording too.
        """
        files: dict[str, Task] = {}

        def noted() -> Iterator[tuple[str, Task]]:
            for name, task in work:
                files[name] = task
                yield name, task

        for number, outcome in enumerate(executor.map(do, noted()), 1):
            if outcome.error is not None and outcome.error.exit_code == 2:
                raise outcome.error
            words = self.settle(outcome, files.pop(outcome.key))
            self.say(
                f"[{number}/{self.total}] {outcome.key.removesuffix('.npz')}: "
                f"{words}{self.left(number)}"
            )

    def settle(self, outcome: JobOutcome, task: Task) -> str:
        """Count, and say in words."""
        name = outcome.key
        if outcome.error is not None:
            self.failed[name] = " ".join(str(outcome.error).split())
            if self.sums is not None and isinstance(outcome.error, SourceError):
                task.file.unlink(missing_ok=True)  # of another content than what cannot be read now
            return f"failed: {self.failed[name]}"
        done: Done = outcome.value
        if done.facts is None:
            self.failed[name] = f"{done.state}; run `fesnet data prepare` without --verify"
            return done.state
        return self.finished(name, done)

    def finished(self, name: str, done: Done) -> str:
        assert done.facts is not None
        self.facts[name] = done.facts
        if done.problem:
            self.failed[name] = done.problem
        if done.state == "fine":
            self.kept += 1
        else:
            self.made += 1
        if self.sums is not None and self.sums.known.get(name) != done.sha256:
            self.sums.settle(name, done.sha256)
        gaps = len(done.facts["unknown"])
        words = f"{done.facts['with_face']} faces in {done.facts['frames']} frames"
        words += f", unknown stretches: {gaps}" if gaps else ""
        return words + (" (done before)" if done.state == "fine" else "")

    def left(self, number: int) -> str:
        """Time left, by the files that were made so far."""
        if number == self.total or not self.made:
            return ""
        seconds = (time.monotonic() - self.started) / self.made * (self.total - number)
        return f"; {time_left(seconds)}"

    def all_failed(self, data: DataSet) -> tuple[tuple[str, str], ...]:
        """Files that failed or need a look, and recordings without frames."""
        gone = {name: "its frames or its video are missing" for name in data.missing}
        return tuple(
            sorted({**{k.removesuffix(".npz"): v for k, v in self.failed.items()}, **gone}.items())
        )


@dataclass(frozen=True)
class Earlier:
    """What the folder holds of stages that a run had nothing to do with: facts by file, and what
    failed.
    """

    files: dict[str, dict[str, Any]]
    failed: dict[str, str]


def other_stages(data: DataSet, out: Path, stages: Sequence[str]) -> Earlier:
    """Read it from the record of the last run, if there was one."""
    if not (out / ABOUT).is_file():
        return Earlier({}, {})
    about = read_about(out)
    mine = {f"{stage}/{r.id}" for stage in STAGES if stage not in stages for r in data.recordings}
    files = {
        name: facts
        for name, facts in about.get("files", {}).items()
        if name.removesuffix(".npz") in mine
    }
    return Earlier(
        files, {name: why for name, why in about.get("failed", {}).items() if name in mine}
    )


def write_about(
    data: DataSet, out: Path, stages: Sequence[str], run: Run, earlier: Earlier
) -> None:
    """prepared.json: what a person or `fesnet.datasets` must know of the folder."""
    files = {**earlier.files, **run.facts}
    held = {*stages, *(name.split("/")[0] for name in earlier.files)}
    failed = {**earlier.failed, **dict(run.all_failed(data))}
    about = {
        "schema": SCHEMA,
        "fesnet": __version__,
        "data": data.name,
        "options": data.options,
        "stages": [stage for stage in STAGES if stage in held],
        "missing": list(data.missing),
        "failed": {name: failed[name] for name in sorted(failed)},
        "files": {name: files[name] for name in sorted(files)},
    }
    atomic_write_text(out / ABOUT, json.dumps(about, indent=1, ensure_ascii=False) + "\n")

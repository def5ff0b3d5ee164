"""A whole data set: hand out, record checksums, list what failed, write tables.

A run that was stopped in any way can be started again; the files are then the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text, file_exists, make_folder, remove_partial_files
from fesnet._types import LogCallback
from fesnet._version import __version__
from fesnet.crops.checksums import CHECKSUMS, ChecksumLedger, read_checksums
from fesnet.crops.stage import STAGES, get_stage
from fesnet.crops.work import CropResult, CropTask, prepare_recording
from fesnet.datasets.folder import TRUTH, VIDEOS
from fesnet.datasets.prepared import ABOUT, SCHEMA, read_prepared_json, write_tables
from fesnet.datasets.recording import DataSet
from fesnet.errors import SourceError, UsageError
from fesnet.jobs import Executor, JobOutcome
from fesnet.jobs.resumable import ResumableRun


@dataclass(frozen=True)
class PreparationResult:
    """What a run did, in files. failed: (recording and stage, reason), also of files that need a
    look.
    """

    made: int
    kept: int
    failed: tuple[tuple[str, str], ...]


def prepare_data(
    data: DataSet, out: Path, stages: Sequence[str], executor: Executor, log: LogCallback
) -> PreparationResult:
    """Keep the face stages of all recordings in the folder `out`, which is made if missing.

    Whole files of the same recordings, made in the same way, are kept; all others are made.

    Raises UsageError for what no recording could do with, and where nothing can be written.
    """
    check_request(data, out, stages)
    for stage in stages:
        make_folder(out / stage)
    with ChecksumLedger(out) as ledger:
        remove_partial_files(out)
        run = CropRun(len(data.recordings) * len(stages), log, out, ledger)
        log(f"{len(data.recordings)} recordings, {', '.join(stages)}; {executor.name}")
        run.run(executor, prepare_recording, make_tasks(data, out, stages, ledger.known))
        remove_partial_files(out)  # of workers that were killed on the way
        others = read_other_stages(data, out, stages)
        ledger.rewrite([n for n in (*run.facts, *others.files) if n in ledger.known])
        write_tables(data, out)
        write_prepared_json(data, out, stages, run, others)
        return PreparationResult(run.made, run.kept, run.all_failed(data))


def verify_data(
    data: DataSet, out: Path, stages: Sequence[str], executor: Executor, log: LogCallback
) -> PreparationResult:
    """Only check: every file that `prepare_data` would make is a failure here. Nothing is written.

    Raises UsageError as `prepare_data`, and where `out` was never prepared.
    """
    check_request(data, out, stages)
    read_prepared_json(out)
    run = CropRun(len(data.recordings) * len(stages), log, out)
    tasks = make_tasks(data, out, stages, read_checksums(out), check_only=True)
    run.run(executor, prepare_recording, tasks)
    return PreparationResult(0, run.kept, run.all_failed(data))


def check_request(data: DataSet, out: Path, stages: Sequence[str]) -> None:
    """Refuse before any work what cannot end well."""
    for stage in stages:
        get_stage(stage)
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
    if (out / ABOUT).is_file() and (held := read_prepared_json(out)["data"]) != data.name:
        raise UsageError(f"expected a folder for {data.name}, but {out} holds {held}; name another")
    begun = any(file_exists(out / name) for name in (ABOUT, CHECKSUMS))
    foreign = [name for name in (VIDEOS, TRUTH) if not begun and (out / name).exists()]
    if foreign:
        raise UsageError(
            f"expected a folder for prepared crops, but {out} holds another {foreign[0]}; name a "
            "new one"
        )


def make_tasks(
    data: DataSet,
    out: Path,
    stages: Sequence[str],
    known: dict[str, str],
    *,
    check_only: bool = False,
) -> Iterator[tuple[str, CropTask]]:
    """(name of the file, its task) of all recordings and stages."""
    for recording in data.recordings:
        for stage in stages:
            name = f"{stage}/{recording.id}.npz"
            yield name, CropTask(recording, stage, out / name, known.get(name), check_only)


class CropRun(ResumableRun):
    """Counts of a run. ledger: None where nothing is written; facts, failed: by file name."""

    def __init__(
        self, total: int, log: LogCallback, out: Path, ledger: ChecksumLedger | None = None
    ) -> None:
        super().__init__(total, log)
        self.out, self.ledger = out, ledger
        self.made = self.kept = 0
        self.facts: dict[str, dict[str, Any]] = {}
        self.failed: dict[str, str] = {}

    def record(self, outcome: JobOutcome) -> list[str]:
        return [f"{outcome.key.removesuffix('.npz')}: {self.describe(outcome)}"]

    def describe(self, outcome: JobOutcome) -> str:
        """Count an outcome and put it into words."""
        name, result = outcome.key, outcome.value
        if outcome.error is not None:
            self.failed[name] = " ".join(str(outcome.error).split())
            if self.ledger is not None and isinstance(outcome.error, SourceError):
                (self.out / name).unlink(missing_ok=True)  # of a content that cannot be read now
            return f"failed: {self.failed[name]}"
        if result.facts is None:
            self.failed[name] = f"{result.state}; run `fesnet data prepare` without --verify"
            return str(result.state)
        return self.finish(name, result, result.facts)

    def finish(self, name: str, result: CropResult, facts: dict[str, Any]) -> str:
        """Count a file that is there, and record its checksum if it is new."""
        self.facts[name] = facts
        if result.problem:
            self.failed[name] = result.problem
        is_kept = result.state == "fine"
        self.kept += is_kept
        self.made += not is_kept
        if self.ledger is not None and self.ledger.known.get(name) != result.sha256:
            self.ledger.record(name, result.sha256)
        gaps = len(facts["unknown"])
        text = f"{facts['with_face']} faces in {facts['frames']} frames"
        text += f", unknown stretches: {gaps}" if gaps else ""
        return text + (" (done before)" if is_kept else "")

    def work_left(self) -> float | None:
        """By the files that were made so far, as checking one takes next to no time."""
        left = self.total - self.made - self.kept - len(self.failed.keys() - self.facts.keys())
        return left / self.made if self.made else None

    def all_failed(self, data: DataSet) -> tuple[tuple[str, str], ...]:
        """Files that failed or need a look, and recordings without frames."""
        gone = {name: "its frames or its video are missing" for name in data.missing}
        return tuple(
            sorted({**{k.removesuffix(".npz"): v for k, v in self.failed.items()}, **gone}.items())
        )


@dataclass(frozen=True)
class OtherStages:
    """What the folder holds of stages that a run had nothing to do with: facts by file, and what
    failed.
    """

    files: dict[str, dict[str, Any]]
    failed: dict[str, str]


def read_other_stages(data: DataSet, out: Path, stages: Sequence[str]) -> OtherStages:
    """Read it from the record of the last run, if there was one."""
    if not (out / ABOUT).is_file():
        return OtherStages({}, {})
    about = read_prepared_json(out)
    mine = {f"{stage}/{r.id}" for stage in STAGES if stage not in stages for r in data.recordings}
    files = {
        name: facts
        for name, facts in about.get("files", {}).items()
        if name.removesuffix(".npz") in mine
    }
    return OtherStages(
        files, {name: why for name, why in about.get("failed", {}).items() if name in mine}
    )


def write_prepared_json(
    data: DataSet, out: Path, stages: Sequence[str], run: CropRun, others: OtherStages
) -> None:
    """prepared.json: what a person or `fesnet.datasets` must know of the folder."""
    files = {**others.files, **run.facts}
    held = {*stages, *(name.split("/")[0] for name in others.files)}
    failed = {**others.failed, **dict(run.all_failed(data))}
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

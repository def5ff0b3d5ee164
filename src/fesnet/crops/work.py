"""What a worker does with one recording: keep its file if it is current, else make it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2

from fesnet._io import file_sha256
from fesnet.crops.stage import collect_crops, get_stage
from fesnet.crops.store import crop_origin, read_counts, read_origin, save_crops
from fesnet.datasets.recording import Recording
from fesnet.errors import SourceError, UsageError
from fesnet.video import open_source

FileState = Literal["fine", "missing", "damaged", "outdated"]


@dataclass(frozen=True)
class CropTask:
    """One recording through one stage. file: where it is kept; known: sha256 that the file should
    have, None where it was never finished; check_only: make nothing."""

    recording: Recording
    stage: str
    file: Path
    known: str | None
    check_only: bool = False


@dataclass(frozen=True)
class CropResult:
    """What a worker hands back. state: of the file before; facts: for the record; problem: what a
    person must look at, though a file is there."""

    state: FileState
    sha256: str = ""
    facts: dict[str, Any] | None = None
    problem: str = ""


def prepare_recording(task: CropTask) -> CropResult:
    """Raises SourceError for a recording that cannot be read, UsageError where nothing can be
    written.
    """
    cv2.setNumThreads(1)  # other workers have the other cores
    expected = crop_origin(task.recording, stage := get_stage(task.stage))
    state = file_state(task, expected)
    if state == "fine":
        return finished_result(task, state, task.known or "")
    if task.check_only:
        return CropResult(state)
    try:
        kept = collect_crops(open_source(task.recording.source, rate=task.recording.rate), stage)
    except UsageError as error:
        raise SourceError(str(error)) from error  # of this recording alone; the others go on
    except OSError as error:
        raise SourceError(f"cannot read {task.recording.source}: {error.strerror}") from error
    if crop_origin(task.recording, stage) != expected:
        raise SourceError(
            f"{task.recording.source} changed while it was read; prepare it again when it is "
            "complete"
        )
    save_crops(task.file, kept, expected)
    return finished_result(task, state, file_sha256(task.file))


def file_state(task: CropTask, expected: dict[str, Any]) -> FileState:
    """Whether the file is there, whole, and made from this very recording in this way."""
    if task.known is None or not task.file.is_file():
        return "missing"
    if file_sha256(task.file) != task.known:
        return "damaged"
    about = read_origin(task.file)
    return "fine" if {k: about.get(k) for k in expected} == expected else "outdated"


def finished_result(task: CropTask, state: FileState, digest: str) -> CropResult:
    facts = read_counts(task.file)
    return CropResult(state, digest, facts, find_problem(task.recording, facts))


def find_problem(recording: Recording, facts: dict[str, Any]) -> str:
    """Empty where all is well."""
    if not facts["with_face"]:
        return f"no face in any of its {facts['frames']} frames; it counts as unknown throughout"
    # Numbers that jump shift a truth that is counted; one that is placed by numbers stays right.
    if recording.media == "frames" and recording.numbers is None and facts["warnings"]:
        return str(facts["warnings"][0])
    return ""

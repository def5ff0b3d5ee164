"""What a worker does with one recording: look whether its file still holds, else make it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2

from fesnet._io import file_sha256
from fesnet.crops.stage import keep, stage_of
from fesnet.crops.store import origin, read_about, read_facts, save
from fesnet.datasets.recording import Recording
from fesnet.errors import SourceError, UsageError
from fesnet.video import open_source

State = Literal["fine", "missing", "damaged", "outdated"]


@dataclass(frozen=True)
class Task:
    """One recording through one stage. file: where it is kept; known: sha256 that the file should
    have, None where it was never finished; look_only: make nothing."""

    recording: Recording
    stage: str
    file: Path
    known: str | None
    look_only: bool = False


@dataclass(frozen=True)
class Done:
    """What a worker hands back. state: of the file before; facts: for the record; problem: what a
    person must look at, though a file is there."""

    state: State
    sha256: str = ""
    facts: dict[str, Any] | None = None
    problem: str = ""


def do(task: Task) -> Done:
    """Raises SourceError for a recording that cannot be read, UsageError where nothing can be
    written.
    """
    cv2.setNumThreads(1)  # other workers have the other cores
    wanted = origin(task.recording, stage := stage_of(task.stage))
    state = state_of(task, wanted)
    if state == "fine":
        return told(task, state, task.known or "")
    if task.look_only:
        return Done(state)
    try:
        kept = keep(open_source(task.recording.source, rate=task.recording.rate), stage)
    except UsageError as error:
        raise SourceError(str(error)) from error  # of this recording alone; the others go on
    except OSError as error:
        raise SourceError(f"cannot read {task.recording.source}: {error.strerror}") from error
    if origin(task.recording, stage) != wanted:
        raise SourceError(
            f"{task.recording.source} changed while it was read; prepare it again when it is "
            "complete"
        )
    save(task.file, kept, wanted)
    return told(task, state, file_sha256(task.file))


def state_of(task: Task, wanted: dict[str, Any]) -> State:
    """Whether the file is there, whole, and made from this very recording in this way."""
    if task.known is None or not task.file.is_file():
        return "missing"
    if file_sha256(task.file) != task.known:
        return "damaged"
    about = read_about(task.file)
    return "fine" if {k: about.get(k) for k in wanted} == wanted else "outdated"


def told(task: Task, state: State, digest: str) -> Done:
    facts = read_facts(task.file)
    return Done(state, digest, facts, problem_of(task.recording, facts))


def problem_of(recording: Recording, facts: dict[str, Any]) -> str:
    """Empty where all is well."""
    if not facts["with_face"]:
        return f"no face in any of its {facts['frames']} frames; it counts as unknown throughout"
    if (
        recording.media == "frames" and facts["warnings"]
    ):  # numbers that jump: the truth would be shifted
        return str(facts["warnings"][0])
    return ""

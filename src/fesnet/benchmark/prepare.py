"""A data set -> `Material`: inputs of every video on one working axis, kept on disk, named by their contents."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fesnet.benchmark.inputs import Floats, Flow, decide, flat, make_inputs, working_rate
from fesnet.benchmark.material import Clip, Footage, Material
from fesnet.datasets.recording import DataSet, Recording
from fesnet.errors import TruthError, UsageError

Load = Callable[[Recording], tuple[NDArray[np.floating], float]]
PAIRED = 256  # an even number of columns up to this is taken for x and y of regions


def prepare_features(sets: Sequence[DataSet], folder: Path, flow: Flow, load: Load) -> tuple[Material, dict[str, str]]:
    """Features of the first data set, and of a second one that is only tested on; and what was decided about them.

    Raises UsageError and SourceError for features of differing width, or what is not finite; TruthError for truth
    after the end of a video.
    """
    recordings = [(n, r) for n, data in enumerate(sets) for r in data.recordings]
    loaded = [(n, r, *load(r)) for n, r in recordings]
    tables = [flat(features, r.id) for _, r, features, _ in loaded]
    check_widths(tables, [r for _, r in recordings])
    tells = decide(tables, flow)
    rate = working_rate({each for n, _, _, each in loaded if n == 0})
    width = tables[0].shape[1]
    groups = width // 2 if width % 2 == 0 and width <= PAIRED else width
    footage: list[Footage] = []
    owner: tuple[int, ...] = ()
    folder.mkdir(parents=True, exist_ok=True)
    for (n, recording, _, own), table in zip(loaded, tables, strict=True):
        made = make_inputs(table, own, rate, tells, groups)
        owner = made.groups
        subject = recording.subject if n == 0 else f"{sets[n].name}:{recording.subject}"
        name = recording.id if n == 0 else f"{sets[n].name}:{recording.id}"
        clip = keep(made.values, folder, name, subject, rate)
        check_truth(recording, len(table))
        footage.append(Footage(clip, np.arange(len(table)) / own, recording.truth))
    tested = frozenset(f.clip.subject for f, (n, _) in zip(footage, recordings, strict=True) if n > 0)
    footage.sort(key=lambda f: f.clip.id)
    return Material(tuple(footage), owner, tested), {"features tell": tells, "working rate": f"{rate:g} Hz"}


def check_widths(tables: Sequence[Floats], recordings: Sequence[Recording]) -> None:
    first = tables[0].shape[1]
    for table, recording in zip(tables, recordings, strict=True):
        if table.shape[1] != first:
            raise UsageError(
                f"expected features of one width, got {first} numbers a frame in {recordings[0].id} and "
                f"{table.shape[1]} in {recording.id}"
            )


def check_truth(recording: Recording, frames: int) -> None:
    """Raises TruthError for an expression that begins after the last frame: another rate, or another video."""
    late = [i for i in recording.truth if i.start >= frames]
    if late:
        raise TruthError(
            f"expected true intervals within the {frames} frames of {recording.id}, got one from frame "
            f"{late[0].start + 1} on; are the features of another rate than the truth?"
        )


def keep(values: Floats, folder: Path, name: str, subject: str, rate: float) -> Clip:
    """Write inputs under a name that follows from their contents, unless they lie there."""
    mark = hashlib.sha256(str(values.shape).encode() + values.tobytes()).hexdigest()
    path = folder / f"{mark[:24]}.npy"
    if not path.is_file():
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        with part.open("wb") as handle:
            np.save(handle, values)
        os.replace(part, path)
    return Clip(name, subject, path, mark, len(values), rate)

"""A data set -> `EvaluationDataset`: inputs of every video on one working axis, kept on disk, named by their
contents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fesnet._io import atomic_open
from fesnet._types import CountCallback, Float32Array
from fesnet.datasets.recording import DataSet, Recording
from fesnet.errors import TruthError, UsageError
from fesnet.evaluation.dataset import AnnotatedVideo, Clip, EvaluationDataset
from fesnet.evaluation.feature_cache import FeatureTrack, at_face_stages, extract_all
from fesnet.evaluation.inputs import Flow, Inputs, decide, flat, make_inputs, working_rate
from fesnet.evaluation.learners import LEARNERS
from fesnet.jobs import Executor, SerialExecutor

Load = Callable[[Recording], tuple[NDArray[np.floating], float]]
PAIRED = 256  # an even number of columns up to this is taken for x and y of regions


@dataclass(frozen=True)
class Preparation:
    """Where inputs are kept, how features are read, and what looks at the videos."""

    folder: Path
    load: Load
    flow: Flow = "auto"
    executor: Executor = field(default_factory=SerialExecutor)


def prepare(
    sets: Sequence[DataSet], method: str, how: Preparation, told: CountCallback = lambda *_: None
) -> tuple[EvaluationDataset, dict[str, str]]:
    """Material of the first data set, and of a second one that is only tested on; and what was
    decided about it.

    Raises UsageError as `required_input`; SourceError and TruthError as `prepare_features`.
    """
    needed = required_input(sets, method)
    if sets[0].recordings[0].media == "features":
        return prepare_features(sets, needed, how)
    return prepare_videos(sets, needed, how, told)


def required_input(sets: Sequence[DataSet], method: str) -> str:
    """What a method needs of what there is. Raises UsageError where features and videos are mixed,
    the method cannot read what there is, or videos or their crops are missing."""
    media = {
        "features" if r.media == "features" else "video" for data in sets for r in data.recordings
    }
    if len(media) > 1:
        raise UsageError(
            "expected either features or videos, got both; give a data set of one kind"
        )
    needed = LEARNERS[method].needs.get(next(iter(media)))
    if needed is None:
        raise UsageError(
            f"expected {' or '.join(LEARNERS[method].needs)} for method {method}, got {media.pop()}"
        )
    if media == {"video"}:
        at_face_stages(needed, [r for _, r in enumerate_recordings(sets)])
    return needed


def prepare_features(
    sets: Sequence[DataSet], needed: str, how: Preparation
) -> tuple[EvaluationDataset, dict[str, str]]:
    """Raises UsageError for features of differing width, SourceError for what is not finite or has
    another shape, TruthError for truth after the end of a video."""
    recordings = enumerate_recordings(sets)
    loaded = [how.load(r) for _, r in recordings]
    tables = [flat(table, r.id) for (table, _), (_, r) in zip(loaded, recordings, strict=True)]
    check_widths(tables, [r for _, r in recordings])
    tells = decide(tables, how.flow)
    rate = working_rate(
        {each for (n, _), (_, each) in zip(recordings, loaded, strict=True) if n == 0}
    )
    groups = region_count(tables[0].shape[1])
    videos = []
    for (n, recording), (_, own), table in zip(recordings, loaded, tables, strict=True):
        check_truth(recording, len(table))
        made = make_inputs(table, own, rate, tells, groups)
        if needed == "flow":
            made = flow_baseline_scores(table, own, tells)
        times = np.arange(len(table)) / own
        videos.append(kept(made, times, recording, prefix(sets, n), how.folder))
    return material(videos, made.groups, sets), {
        "features tell": tells,
        "working rate": f"{made.rate:g} Hz",
    }


def prepare_videos(
    sets: Sequence[DataSet], needed: str, how: Preparation, told: CountCallback
) -> tuple[EvaluationDataset, dict[str, str]]:
    """As `prepare_features`; videos are looked at once for everything that is `needed`."""
    recordings = enumerate_recordings(sets)
    seen = extract_all(
        needed, [r for _, r in recordings], how.folder.parent / "watched", how.executor, told
    )
    width = max(s.values.shape[1] for s in seen)
    videos = []
    for (n, recording), one in zip(recordings, seen, strict=True):
        check_truth(recording, len(one.frame_times))
        made = inputs_from_features(one, needed, width)
        videos.append(kept(made, one.frame_times, recording, prefix(sets, n), how.folder))
    return material(videos, made.groups, sets), {
        "videos": needed,
        "working rate": f"{made.rate:g} Hz",
    }


def inputs_from_features(seen: FeatureTrack, needed: str, width: int) -> Inputs:
    """Scores stay as they are; features become copies as those of `make_inputs`, ticks without a
    face held.
    """
    from fesnet.evaluation.feature_cache import RATE

    if needed == "maps" and seen.values.shape[1] != width:  # a video without a face
        return Inputs(np.zeros((len(seen.values), width), np.float32).astype(np.int8), (0,), RATE)
    if needed not in ("lsdm", "regions"):
        return Inputs(seen.values, (0, 1), RATE)
    table = (
        held(seen.values)
        if seen.values.shape[1] == width
        else np.zeros((len(seen.values), width), np.float32)
    )
    return make_inputs(
        table, RATE, RATE, "state", region_count(width) if needed == "regions" else width
    )


def held(values: Float32Array) -> Float32Array:
    """Rows that are not numbers replaced by the last known before them (or the first known; 0 where
    none is).
    """
    known = np.isfinite(values).all(1)
    if not known.any():
        return np.zeros_like(values)
    at = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    return np.asarray(values[np.where(at < 0, int(np.argmax(known)), at)])


def flow_baseline_scores(table: Float32Array, rate: float, tells: str) -> Inputs:
    """Scores (T, 2) of the hand-crafted flow baseline, which reads displacement at 30 Hz."""
    from fesnet.baselines import make_baseline
    from fesnet.evaluation.inputs import RATE, resample_states, resample_steps

    centred = np.asarray(table - np.median(table, 0), np.float32)
    if tells == "step":
        place = np.cumsum(resample_steps(centred, rate, RATE), 0)
    else:
        place = resample_states(table, rate, RATE)
    unit = (
        max(float(np.quantile(np.abs(np.diff(place, axis=0)), 0.9)), 1e-9) / 0.001
    )  # its floor is in crop units
    return Inputs(
        np.asarray(make_baseline("flow").score([place / unit])[0], np.float32), (0, 1), RATE
    )


def region_count(width: int) -> int:
    return width // 2 if width % 2 == 0 and width <= PAIRED else width


def enumerate_recordings(sets: Sequence[DataSet]) -> list[tuple[int, Recording]]:
    return [(n, r) for n, data in enumerate(sets) for r in data.recordings]


def prefix(sets: Sequence[DataSet], number: int) -> str:
    """Before ids and subjects of the data set that is tested on, which may have the same names."""
    return "" if number == 0 else f"{sets[number].name}:"


def material(
    videos: list[AnnotatedVideo], groups: tuple[int, ...], sets: Sequence[DataSet]
) -> EvaluationDataset:
    tested = frozenset(
        f.clip.subject
        for f, (n, _) in zip(videos, enumerate_recordings(sets), strict=True)
        if n > 0
    )
    return EvaluationDataset(tuple(sorted(videos, key=lambda f: f.clip.id)), groups, tested)


def check_widths(tables: Sequence[Float32Array], recordings: Sequence[Recording]) -> None:
    first = tables[0].shape[1]
    for table, recording in zip(tables, recordings, strict=True):
        if table.shape[1] != first:
            raise UsageError(
                f"expected features of one width, got {first} numbers a frame in "
                f"{recordings[0].id} and "
                f"{table.shape[1]} in {recording.id}"
            )


def check_truth(recording: Recording, frames: int) -> None:
    """Raises TruthError for an expression that begins after the last frame: another rate, or
    another video.
    """
    late = [i for i in recording.truth if i.start >= frames]
    if late:
        raise TruthError(
            f"expected true intervals within the {frames} frames of {recording.id}, got one from "
            "frame "
            f"{late[0].start + 1} on; are the features of another rate than the truth?"
        )


def kept(
    made: Inputs, times: NDArray[np.floating], recording: Recording, before: str, folder: Path
) -> AnnotatedVideo:
    """Inputs written under a name that follows from their contents, unless they lie there."""
    folder.mkdir(parents=True, exist_ok=True)
    values = made.values
    mark = hashlib.sha256(str(values.shape).encode() + values.tobytes()).hexdigest()
    path = folder / f"{mark[:24]}.npy"
    if not path.is_file():
        with atomic_open(path) as handle:
            np.save(handle, values)
    clip = Clip(
        before + recording.id, before + recording.subject, path, mark, len(values), made.rate
    )
    return AnnotatedVideo(clip, np.asarray(times, np.float64), recording.truth)

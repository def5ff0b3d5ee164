"""A data set -> `EvaluationDataset`: inputs of every video on one working axis.

They are kept on disk, named by their contents.
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
from fesnet.evaluation.feature_cache import RATE, FeatureTrack, at_face_stages, extract_all
from fesnet.evaluation.inputs import (
    FeatureKind,
    Inputs,
    detect_kind,
    flatten_features,
    make_inputs,
    resample_states,
    resample_steps,
    working_rate,
)
from fesnet.evaluation.methods import METHODS
from fesnet.jobs import Executor, SerialExecutor

LoadFeatures = Callable[[Recording], tuple[NDArray[np.floating], float]]
PAIRED = 256  # an even number of columns up to this is taken for x and y of regions


@dataclass(frozen=True)
class Preparation:
    """folder: of the inputs; load: reads features; executor: extracts features of videos."""

    folder: Path
    load: LoadFeatures
    flow: FeatureKind = "auto"
    executor: Executor = field(default_factory=SerialExecutor)


def prepare_dataset(
    sets: Sequence[DataSet],
    method: str,
    how: Preparation,
    progress: CountCallback = lambda *_: None,
) -> tuple[EvaluationDataset, dict[str, str]]:
    """The first data set, and a second one that is only tested on; and what was decided.

    Raises UsageError as `required_input`; SourceError and TruthError as `prepare_features`.
    """
    needed = required_input(sets, method)
    if sets[0].recordings[0].media == "features":
        return prepare_features(sets, needed, how)
    return prepare_videos(sets, needed, how, progress)


def required_input(sets: Sequence[DataSet], method: str) -> str:
    """The name of the input that a method needs of these data sets.

    Raises UsageError where features and videos are mixed, where the method can read neither, and
    where videos or their crops are missing.
    """
    media = {
        "features" if r.media == "features" else "video" for data in sets for r in data.recordings
    }
    if len(media) > 1:
        raise UsageError(
            "expected either features or videos, got both; give a data set of one kind"
        )
    needed = METHODS[method].needs.get(next(iter(media)))
    if needed is None:
        raise UsageError(
            f"expected {' or '.join(METHODS[method].needs)} for method {method}, got {media.pop()}"
        )
    if media == {"video"}:
        at_face_stages(needed, [r for _, r in enumerate_recordings(sets)])
    return needed


def prepare_features(
    sets: Sequence[DataSet], needed: str, how: Preparation
) -> tuple[EvaluationDataset, dict[str, str]]:
    """Inputs from tables of features.

    Raises UsageError for features of differing width, SourceError for what is not finite or has
    another shape, TruthError for truth after the end of a video.
    """
    recordings = enumerate_recordings(sets)
    loaded = [how.load(r) for _, r in recordings]
    tables = [
        flatten_features(table, r.id) for (table, _), (_, r) in zip(loaded, recordings, strict=True)
    ]
    check_widths(tables, [r for _, r in recordings])
    kind = detect_kind(tables, how.flow)
    rate = working_rate(
        {each for (n, _), (_, each) in zip(recordings, loaded, strict=True) if n == 0}
    )
    groups = region_count(tables[0].shape[1])
    videos = []
    for (n, recording), (_, own), table in zip(recordings, loaded, tables, strict=True):
        check_truth(recording, len(table))
        inputs = make_inputs(table, own, rate, kind, groups)
        if needed == "flow":
            inputs = flow_baseline_scores(table, own, kind)
        times = np.arange(len(table)) / own
        videos.append(store_inputs(inputs, times, recording, id_prefix(sets, n), how.folder))
    return build_dataset(videos, inputs.groups, sets), {
        "features tell": kind,
        "working rate": f"{inputs.rate:g} Hz",
    }


def prepare_videos(
    sets: Sequence[DataSet], needed: str, how: Preparation, progress: CountCallback
) -> tuple[EvaluationDataset, dict[str, str]]:
    """As `prepare_features`; the features that are `needed` are extracted once."""
    recordings = enumerate_recordings(sets)
    cache = how.folder.parent / "watched"
    tracks = extract_all(needed, [r for _, r in recordings], cache, how.executor, progress)
    width = max(t.values.shape[1] for t in tracks)
    videos = []
    for (n, recording), track in zip(recordings, tracks, strict=True):
        check_truth(recording, len(track.frame_times))
        inputs = track_inputs(track, needed, width)
        prefix = id_prefix(sets, n)
        videos.append(store_inputs(inputs, track.frame_times, recording, prefix, how.folder))
    return build_dataset(videos, inputs.groups, sets), {
        "videos": needed,
        "working rate": f"{inputs.rate:g} Hz",
    }


def track_inputs(track: FeatureTrack, needed: str, width: int) -> Inputs:
    """Scores and maps as they are; other features as `make_inputs` copies them."""
    values = track.values
    if needed == "maps" and values.shape[1] != width:  # a video without a face
        return Inputs(np.zeros((len(values), width), np.float32).astype(np.int8), (0,), RATE)
    if needed not in ("lsdm", "regions"):
        return Inputs(values, (0, 1), RATE)
    if values.shape[1] != width:  # a video without a face
        values = np.zeros((len(values), width), np.float32)
    groups = region_count(width) if needed == "regions" else width
    return make_inputs(forward_fill(values), RATE, RATE, "state", groups)


def forward_fill(values: Float32Array) -> Float32Array:
    """Rows that are not finite replaced by the last known row before them.

    The first ones get the first known row; 0 where none is known.
    """
    known = np.isfinite(values).all(1)
    if not known.any():
        return np.zeros_like(values)
    at = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    return np.asarray(values[np.where(at < 0, int(np.argmax(known)), at)])


def flow_baseline_scores(table: Float32Array, rate: float, kind: str) -> Inputs:
    """Scores (T, 2) of the flow baseline, which reads displacement at 30 Hz."""
    from fesnet.baselines import make_baseline

    centred = np.asarray(table - np.median(table, 0), np.float32)
    if kind == "step":
        displacement = np.cumsum(resample_steps(centred, rate, RATE), 0)
    else:
        displacement = resample_states(table, rate, RATE)
    # The baseline's floor is in crop units; these features have a unit of their own.
    unit = max(float(np.quantile(np.abs(np.diff(displacement, axis=0)), 0.9)), 1e-9) / 0.001
    scores = make_baseline("flow").score([displacement / unit])[0]
    return Inputs(np.asarray(scores, np.float32), (0, 1), RATE)


def region_count(width: int) -> int:
    return width // 2 if width % 2 == 0 and width <= PAIRED else width


def enumerate_recordings(sets: Sequence[DataSet]) -> list[tuple[int, Recording]]:
    return [(n, r) for n, data in enumerate(sets) for r in data.recordings]


def id_prefix(sets: Sequence[DataSet], number: int) -> str:
    """For ids and subjects of the data set that is tested on, which may have the same names."""
    return "" if number == 0 else f"{sets[number].name}:"


def build_dataset(
    videos: list[AnnotatedVideo], groups: tuple[int, ...], sets: Sequence[DataSet]
) -> EvaluationDataset:
    test_subjects = frozenset(
        v.clip.subject
        for v, (n, _) in zip(videos, enumerate_recordings(sets), strict=True)
        if n > 0
    )
    return EvaluationDataset(tuple(sorted(videos, key=lambda v: v.clip.id)), groups, test_subjects)


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
    """Raises TruthError for an expression that begins after the last frame."""
    late = [i for i in recording.truth if i.start >= frames]
    if late:
        raise TruthError(
            f"expected true intervals within the {frames} frames of {recording.id}, got one from "
            "frame "
            f"{late[0].start + 1} on; are the features of another rate than the truth?"
        )


def store_inputs(
    inputs: Inputs, times: NDArray[np.floating], recording: Recording, prefix: str, folder: Path
) -> AnnotatedVideo:
    """Write inputs under a name that follows from their contents, unless the file exists."""
    folder.mkdir(parents=True, exist_ok=True)
    values = inputs.values
    sha256 = hashlib.sha256(str(values.shape).encode() + values.tobytes()).hexdigest()
    path = folder / f"{sha256[:24]}.npy"
    if not path.is_file():
        with atomic_open(path) as handle:
            np.save(handle, values)
    clip = Clip(
        prefix + recording.id, prefix + recording.subject, path, sha256, len(values), inputs.rate
    )
    return AnnotatedVideo(clip, np.asarray(times, np.float64), recording.truth, recording.numbers)

"""Features of every video that a method needs, extracted once and kept under `work/watched`.

On ticks of 30 Hz:

lsdm         for `fesnet`: frozen LSDM of the bundled weights (trained on synthetic video), one face
maps         for `softnet`: maps of flow and strain at two lags
regions      for `auwgcn`: displacement of facial regions, as the flow baseline measures it
pretrained   for `fesnet-pretrained`: scores of the bundled weights as they are
shipped      for `fesnet-shipped`: what `fesnet spot` finds (not on ticks)
flow, landmarks, mdmd   scores of the hand-crafted baselines

Faces are found in the videos, or come from the crops that `fesnet data prepare` kept
(`fesnet.crops`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fesnet._io import resolve_path
from fesnet._types import CountCallback
from fesnet._version import __version__
from fesnet.baselines import make_baseline
from fesnet.baselines.base import Baseline, ExtractedFeatures
from fesnet.crops import open_with_faces, select_stage
from fesnet.crops.store import source_stamp
from fesnet.datasets.recording import Recording
from fesnet.errors import UsageError
from fesnet.evaluation.fold_runs import write_npz
from fesnet.evaluation.parallel import make_missing
from fesnet.extraction import extract_features
from fesnet.intervals import KINDS
from fesnet.jobs import Executor
from fesnet.postprocess import IntervalRules
from fesnet.runtime import OnnxRuntime, make_runtime
from fesnet.spotter import Spotter
from fesnet.stream import SpotStream
from fesnet.weights import load_weights

RATE = 30.0
SPOTTING = (
    "lsdm",
    "pretrained",
    "shipped",
)  # the others go through the face stage of the baselines
FACE_STAGE_VERSION = 2  # rises when the face stage changes, so that cached features are not used


@dataclass(frozen=True, eq=False)
class FeatureTrack:
    """Features of one video on ticks.

    values: (T, F), NaN where there is no face (0 in maps). frame_times: (N,) s of the source.
    """

    values: NDArray[Any]
    frame_times: NDArray[np.float64]


def lsdm_features(recording: Recording) -> FeatureTrack:
    """(T, D) of the frozen LSDM."""
    from fesnet.training.frozen import frozen_features

    weights = load_weights()
    source, tracker = open_with_faces(recording, "spotting")
    with source:
        encode = OnnxRuntime(weights).encode_attended
        found = extract_features(source, tracker, weights.config, encode)
    values = np.full((found.count, weights.config.frame_features), np.nan, np.float32)
    if len(found.ticks):
        inside = found.ticks < found.count
        values[found.ticks[inside]] = frozen_features(found.values, weights)[inside]
    return FeatureTrack(values, found.frame_times)


def pretrained_scores(recording: Recording) -> FeatureTrack:
    """Scores (T, 2) of the bundled weights, as `fesnet spot` stores them."""
    weights = load_weights()
    source, tracker = open_with_faces(recording, "spotting")
    runtime = make_runtime("onnx", weights, 1)
    stream = SpotStream(tracker, runtime, weights.config, IntervalRules())
    with source:
        for frame in source:
            stream.push(frame)
    return first_scores([t.as_stored() for t in stream.finish()], stream.times)


def shipped_finds(recording: Recording) -> FeatureTrack:
    """(N, 5) start, stop, kind (0 macro, 1 micro), apex, score: what `fesnet spot` finds."""
    spotter = Spotter()
    source, tracker = open_with_faces(recording, "spotting")
    config = spotter.weights.config
    stream = SpotStream(tracker, spotter.runtime, config, spotter.rules, spotter.check)
    with source:
        for frame in source:
            stream.push(frame)
    found = spotter.result(stream, source).intervals
    rows = [
        (i.onset_frame, i.offset_frame + 1, KINDS.index(i.kind), i.apex_frame, i.score)
        for i in found
    ]
    return FeatureTrack(np.array(rows, np.float64).reshape(-1, 5), stream.times)


def region_features(recording: Recording) -> FeatureTrack:
    """(T, 2 R) displacement of facial regions."""
    features = extract_for_baseline(make_baseline("flow"), recording)
    return first_face_on_ticks(features, np.nan, np.dtype(np.float32))


def map_features(recording: Recording) -> FeatureTrack:
    """(T, 2 * 3 * 42 * 42) int8, flow and strain at two lags; 0 where there is no face."""
    from fesnet.baselines.flowmaps import MapMaker

    return first_face_on_ticks(extract_for_baseline(MapMaker(), recording), 0, np.dtype(np.int8))


def baseline_scores(name: str, recording: Recording) -> FeatureTrack:
    """Scores (T, 2) of a hand-crafted baseline."""
    method = make_baseline(name)
    spotting = method.spot_features(extract_for_baseline(method, recording))
    return first_scores(spotting.faces, np.asarray(spotting.frame_times, np.float64))


EXTRACTORS: dict[str, Callable[[Recording], FeatureTrack]] = {
    "lsdm": lsdm_features,
    "regions": region_features,
    "maps": map_features,
    "pretrained": pretrained_scores,
    "shipped": shipped_finds,
}


def compute_features(name: str, recording: Recording) -> FeatureTrack:
    """Features of a recording by name. Raises UsageError, SourceError, FaceModelError."""
    return EXTRACTORS[name](recording) if name in EXTRACTORS else baseline_scores(name, recording)


def extract_for_baseline(method: Baseline[Any], recording: Recording) -> ExtractedFeatures:
    """A baseline's features of a recording, through the face stage of the baselines."""
    source, tracker = open_with_faces(recording, "baselines")
    method.tracker = lambda: tracker
    return method.extract_features(source)


def first_face_on_ticks(
    features: ExtractedFeatures, empty: float, dtype: np.dtype[Any]
) -> FeatureTrack:
    """The segments of the first face on the ticks of the video."""
    segments = features.faces.get(0, [])
    width = segments[0].features.shape[1] if segments else 2
    values = np.full((features.ticks, width), empty, dtype)
    for segment in segments:
        stop = min(segment.start + len(segment.features), features.ticks)
        values[segment.start : stop] = segment.features[: stop - segment.start]
    return FeatureTrack(values, np.asarray(features.frame_times, np.float64))


def first_scores(faces: Sequence[Any], times: NDArray[np.float64]) -> FeatureTrack:
    """Scores of the first face; NaN without one."""
    unknown = np.full((int(times[-1] * RATE + 1e-6) + 1, 2), np.nan)
    return FeatureTrack(np.asarray(faces[0].scores if faces else unknown, np.float32), times)


def store_features(item: tuple[Recording, Path], name: str) -> None:
    """Compute features and write them: large arrays need not go from process to process."""
    recording, path = item
    track = compute_features(name, recording)
    write_npz(path, {"values": track.values, "frame_times": track.frame_times})


def read_features(path: Path) -> FeatureTrack:
    with np.load(path, allow_pickle=False) as arrays:
        return FeatureTrack(arrays["values"], arrays["frame_times"])


def cache_key(name: str, recording: Recording, weights: str) -> str:
    """Changes with the source's files, the package, the features' name, the face stage, and the
    weights (their sha256) that compute them."""
    path = str(resolve_path(recording.source))
    state = source_stamp(recording.source)
    text = repr((__version__, FACE_STAGE_VERSION, name, path, recording.rate, state, weights))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def at_face_stages(name: str, recordings: Sequence[Recording]) -> list[Recording]:
    """The recordings at the face stage that `name` needs.

    Raises UsageError for a video or a face stage that is not there.
    """
    gone = [r.id for r in recordings if not r.source.exists()]
    if gone:
        raise UsageError(
            f"expected the video of {gone[0]}, but it is not there ({len(gone)} missing)"
        )
    return [select_stage(r, "spotting" if name in SPOTTING else "baselines") for r in recordings]


def extract_all(
    name: str,
    recordings: Sequence[Recording],
    folder: Path,
    executor: Executor,
    progress: CountCallback,
) -> list[FeatureTrack]:
    """Features of all recordings, kept in `folder` until file or package change."""
    staged = at_face_stages(name, recordings)
    folder.mkdir(parents=True, exist_ok=True)
    weights = load_weights().sha256 if name in SPOTTING else ""
    files = [folder / f"{name}-{cache_key(name, r, weights)}.npz" for r in staged]
    # Absolute paths: a worker of a cluster has another working folder. By file: two recordings may
    # be of one video.
    work = {
        f.name: ((replace(r, source=r.source.absolute()), f), f)
        for f, r in zip(files, staged, strict=True)
    }
    make_missing(executor, partial(store_features, name=name), work, progress)
    return [read_features(file) for file in files]

"""The slow look at a video that each method needs once: what is kept of it, on ticks of 30 Hz,
under `work/watched`.

fesnet              features of the bundled weights' frozen LSDM (trained on synthetic video), one
face softnet             maps of flow and strain at two lags auwgcn              displacement of
facial regions, as the flow baseline measures it fesnet-pretrained   scores of the bundled weights
as they are flow landmarks mdmd scores of the hand-crafted baselines

Faces are looked for in the videos, or come from the crops that `fesnet data prepare` kept
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

from fesnet._types import CountCallback, Float32Array
from fesnet._version import __version__
from fesnet.baselines import make_baseline
from fesnet.baselines.base import Baseline, Watched
from fesnet.config import FesNetConfig
from fesnet.crops import at_stage, open_recording
from fesnet.crops.store import stamp
from fesnet.datasets.recording import Recording
from fesnet.errors import UsageError
from fesnet.evaluation.fold_runs import write_npz
from fesnet.evaluation.parallel import require_shared_files, run_parallel
from fesnet.jobs import Executor
from fesnet.postprocess import IntervalRules
from fesnet.result import as_stored
from fesnet.runtime import Runtime, make_runtime
from fesnet.stream import SpotStream
from fesnet.weights import load_weights

RATE = 30.0


@dataclass(frozen=True, eq=False)
class FeatureTrack:
    """values (T, F) on ticks, rows that are not numbers where there is no face; frame_times (N,) s
    of the source.
    """

    values: NDArray[Any]
    frame_times: NDArray[np.float64]


class Recorder:
    """A runtime that runs the static path and keeps it, instead of scoring windows."""

    name = "recorder"

    def __init__(self, encode: Callable[[NDArray[np.uint8]], Float32Array]) -> None:
        self.encode = encode
        self.rows: list[NDArray[np.float16]] = []

    def decode(self, attended: Float32Array) -> tuple[Float32Array, Float32Array]:
        """One tick (1, P, C), kept in order; the answer means nothing."""
        self.rows.append(attended[0].astype(np.float16))
        return np.zeros((1, 3), np.float32), np.zeros(1, np.float32)


def lsdm(recording: Recording) -> FeatureTrack:
    """(T, D) of the frozen LSDM."""
    from fesnet.runtime import OnnxRuntime
    from fesnet.training.frozen import frozen_features

    weights = load_weights()
    recorder = Recorder(OnnxRuntime(weights).encode)
    config = replace(weights.config, window=1, stride=1, inference_window_scale=1)
    stream = stream_recording(recording, recorder, config)
    ticks = (
        len(stream.finish()[0].times) if stream.lines else int(stream.times[-1] * RATE + 1e-6) + 1
    )
    values = np.full((ticks, config.frame_features), np.nan, np.float32)
    if stream.lines:
        at = [part.start for line in stream.lines.values() for part in line.parts]
        told = frozen_features(np.stack(recorder.rows), weights)
        for tick, row in zip(at, told, strict=True):
            if tick < ticks:
                values[tick] = row
    return FeatureTrack(values, stream.times)


def stream_recording(recording: Recording, runtime: Runtime, config: FesNetConfig) -> SpotStream:
    """A stream that has got all frames of a recording, through the face stage of spotting."""
    source, tracker = open_recording(recording, "spotting")
    stream = SpotStream(tracker, runtime, config, IntervalRules())
    with source:
        for frame in source:
            stream.push(frame)
    return stream


def watched(method: Baseline[Any], recording: Recording) -> Watched:
    """All that a comparator keeps of a recording, through the comparators' face stage."""
    source, tracker = open_recording(recording, "baselines")
    method.tracker = lambda: tracker
    return method.watch(source)


def regions(recording: Recording) -> FeatureTrack:
    """(T, 2 R) displacement of facial regions."""
    return on_ticks(watched(make_baseline("flow"), recording), np.nan, np.dtype(np.float32))


def maps(recording: Recording) -> FeatureTrack:
    """(T, 2 * 3 * 42 * 42) int8, flow and strain at two lags; 0 where there is no face."""
    from fesnet.baselines.flowmaps import MapMaker

    return on_ticks(watched(MapMaker(), recording), 0, np.dtype(np.int8))


def on_ticks(watched: Watched, empty: float, dtype: np.dtype[Any]) -> FeatureTrack:
    """The segments of the first face on the ticks of the video."""
    parts = watched.faces.get(0, [])
    width = parts[0].features.shape[1] if parts else 2
    values = np.full((watched.ticks, width), empty, dtype)
    for part in parts:
        stop = min(part.start + len(part.features), watched.ticks)
        values[part.start : stop] = part.features[: stop - part.start]
    return FeatureTrack(values, np.asarray(watched.frame_times, np.float64))


def pretrained(recording: Recording) -> FeatureTrack:
    """Scores (T, 2) of the bundled weights, as `fesnet spot` stores them."""
    weights = load_weights()
    stream = stream_recording(recording, make_runtime("onnx", weights, 1), weights.config)
    return FeatureTrack(
        np.asarray(first_scores([as_stored(t) for t in stream.finish()], stream.times), np.float32),
        stream.times,
    )


def baseline_scores(name: str, recording: Recording) -> FeatureTrack:
    """Scores (T, 2) of a hand-crafted baseline."""
    method = make_baseline(name)
    told = method.judge(watched(method, recording))
    times = np.asarray(told.frame_times, np.float64)
    return FeatureTrack(np.asarray(first_scores(told.faces, times), np.float32), times)


def first_scores(faces: Sequence[Any], times: NDArray[np.float64]) -> NDArray[np.floating]:
    return faces[0].scores if faces else np.full((int(times[-1] * RATE + 1e-6) + 1, 2), np.nan)


def look(name: str, recording: Recording) -> FeatureTrack:
    """What `name` needs of a recording. Raises UsageError, SourceError, FaceModelError."""
    return EXTRACTORS[name](recording) if name in EXTRACTORS else baseline_scores(name, recording)


EXTRACTORS: dict[str, Callable[[Recording], FeatureTrack]] = {
    "lsdm": lsdm,
    "regions": regions,
    "maps": maps,
    "pretrained": pretrained,
}


SPOTTING = ("lsdm", "pretrained")  # the others look at what the baselines' face stage hands out
FACES = 2  # rises when another face stage stands behind what is kept here


def store_features(item: tuple[Recording, Path], name: str) -> None:
    """As `look`, written to a file: large arrays need not go from process to process."""
    recording, path = item
    seen = look(name, recording)
    write_npz(path, {"values": seen.values, "frame_times": seen.frame_times})


def read_features(path: Path) -> FeatureTrack:
    with np.load(path, allow_pickle=False) as table:
        return FeatureTrack(table["values"], table["frame_times"])


def mark(name: str, recording: Recording, weights: str) -> str:
    """Changes with the source's files, the package, what is looked for, the face stage, and the
    weights (their sha256) that look."""
    place = str(recording.source.resolve())
    text = repr((__version__, FACES, name, place, recording.rate, stamp(recording.source), weights))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def at_face_stages(name: str, recordings: Sequence[Recording]) -> list[Recording]:
    """Where `name` looks at each recording. Raises UsageError for a video or a face stage that is
    not there.
    """
    gone = [r.id for r in recordings if not r.source.exists()]
    if gone:
        raise UsageError(
            f"expected the video of {gone[0]}, but it is not there ({len(gone)} missing)"
        )
    return [at_stage(r, "spotting" if name in SPOTTING else "baselines") for r in recordings]


def extract_all(
    name: str,
    recordings: Sequence[Recording],
    folder: Path,
    executor: Executor,
    told: CountCallback,
) -> list[FeatureTrack]:
    """All recordings, looked at once: kept in `folder` until file or package change. told: (done,
    all).
    """
    staged = at_face_stages(name, recordings)
    folder.mkdir(parents=True, exist_ok=True)
    weights = load_weights().sha256 if name in SPOTTING else ""
    files = [folder / f"{name}-{mark(name, r, weights)}.npz" for r in staged]
    # Whole paths: a worker of a cluster need not stand in our folder. By file: two recordings may
    # be of one video.
    work = {
        f.name: (replace(r, source=r.source.absolute()), f)
        for f, r in zip(files, staged, strict=True)
    }
    missing = [(key, item) for key, item in work.items() if not item[1].is_file()]
    kept = len(work) - len(missing)
    told(kept, len(work))
    run_parallel(
        executor,
        partial(store_features, name=name),
        missing,
        lambda n, _: told(kept + n, len(work)),
    )
    require_shared_files(files)
    return [read_features(file) for file in files]

"""The row "as shipped": bundled weights and bundled rules, nothing chosen and nothing trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from fesnet._types import CountCallback
from fesnet.datasets.recording import DataSet, Recording
from fesnet.evaluation.dataset import AnnotatedVideo, EvaluationDataset
from fesnet.evaluation.feature_cache import RATE, FeatureTrack, extract_all
from fesnet.evaluation.folds import Mode
from fesnet.evaluation.inputs import Inputs
from fesnet.evaluation.method_results import MethodResult
from fesnet.evaluation.prepare import (
    Preparation,
    build_dataset,
    check_truth,
    enumerate_recordings,
    id_prefix,
    store_inputs,
)
from fesnet.intervals import KINDS, Interval
from fesnet.metrics import VideoResult

METHOD = "fesnet-shipped"
AS_SHIPPED = "as shipped"


def run_shipped(
    sets: Sequence[DataSet], how: Preparation, progress: CountCallback
) -> tuple[EvaluationDataset, MethodResult]:
    """What `fesnet spot` finds in all videos that are tested; of two data sets the second.

    Raises UsageError, SourceError and TruthError as `prepare_dataset`.
    """
    recordings = enumerate_recordings(sets)
    cache = how.folder.parent / "watched"
    tracks = extract_all("shipped", [r for _, r in recordings], cache, how.executor, progress)
    videos, results = [], []
    for (number, recording), track in zip(recordings, tracks, strict=True):
        check_truth(recording, len(track.frame_times))
        video = bare_video(recording, track, id_prefix(sets, number), how)
        videos.append(video)
        if number == len(sets) - 1:
            found = tuple(sorted(shipped_interval(row) for row in track.values))
            clip = video.clip
            results.append(VideoResult(clip.subject, clip.id, video.truth, found, video.seconds))
    ordered = tuple(sorted(results, key=lambda v: v.video))
    candidates = {AS_SHIPPED: ordered}
    result = MethodResult(
        METHOD, (0,), cast(Mode, AS_SHIPPED), "shipped", ordered, ordered, {}, {}, candidates,
        candidates,
    )  # fmt: skip
    return build_dataset(videos, (0, 1), sets), result


def bare_video(
    recording: Recording, track: FeatureTrack, prefix: str, how: Preparation
) -> AnnotatedVideo:
    """A video of a data set whose inputs nobody reads."""
    ticks = int(track.frame_times[-1] * RATE + 1e-6) + 1
    inputs = Inputs(np.zeros((ticks, 2), np.float32), (0, 1), RATE)
    return store_inputs(inputs, track.frame_times, recording, prefix, how.folder)


def shipped_interval(row: np.ndarray) -> Interval:
    """Of a row of `fesnet.evaluation.feature_cache.shipped_finds`."""
    start, stop, kind, apex = (int(v) for v in row[:4])
    return Interval(start, stop, KINDS[kind], apex, round(float(row[4]), 4))

"""A data set of features so small that a leave-one-subject-out takes seconds, and settings to
match.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np

from fesnet.datasets.recording import DataSet, Recording
from fesnet.evaluation import methods
from fesnet.evaluation.fold_runs import FoldRun, run_fold
from fesnet.evaluation.methods import Variant
from fesnet.intervals import Interval
from lean_torch import lean_torch

FRAMES, RATE, REGIONS = 300, 30.0, 3
SUBJECTS = ("a", "b", "c", "d")
TRUTH = (Interval(60, 100, "macro"), Interval(160, 172, "micro"), Interval(220, 250, "macro"))
Settings = Callable[[Variant, int], tuple[methods.FesNetConfig, "methods.FeatureTrainConfig"]]


def features_of(recording: Recording) -> tuple[np.ndarray, float]:
    """Steps of regions that rise and fall with the expressions of `TRUTH`, whatever the recording's
    truth says.
    """
    rng = np.random.default_rng(sum(map(ord, recording.id)))
    place = 0.1 * rng.standard_normal((FRAMES, 2 * REGIONS)).cumsum(0)
    for i in TRUTH:
        bump = np.sin(np.linspace(0, np.pi, i.length))[:, None] * (8 if i.kind == "macro" else 4)
        place[i.start : i.stop] += bump * rng.uniform(0.5, 1.5, 2 * REGIONS)
    return np.diff(place, axis=0, prepend=place[:1]).astype(np.float32), RATE


def data_set(root: Path, truth: dict[str, tuple[Interval, ...]] | None = None) -> DataSet:
    """One video of each subject; truth: of some subjects, instead of the usual one."""
    told = truth or {}
    recordings = [
        Recording(f"{s}_1", s, root / f"{s}_1.npz", "features", told.get(s, TRUTH), FRAMES, RATE)
        for s in SUBJECTS
    ]
    return DataSet("folder", root, tuple(recordings))


def small_settings(
    variant: Variant, inputs: int
) -> tuple[methods.FesNetConfig, methods.FeatureTrainConfig]:
    """The real ones, made small."""
    model, train = REAL(variant, inputs)
    model = replace(model, features=8, hidden=8, window=64, stride=32, stages=2, blocks=1)
    return model, replace(train, steps=variant.steps or 6, windows=4, checkpoints=(0.5, 1.0))


REAL: Settings = methods.fesnet_settings


def run_small_fold(run: FoldRun, folder: Path) -> None:
    """`run_fold` with the small settings, also in a process that has those of the package."""
    with lean_torch(), mock.patch.object(methods, "fesnet_settings", small_settings):
        run_fold(run, folder)

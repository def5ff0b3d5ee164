"""The slow part of a benchmark: a fold run trains once and scores clips of held-out subjects.

A fold run is named by a hash of all that it depends on: inputs and truth of the clips that it
learns from, inputs of those that it scores, settings, seed. Its scores appear under that name by an
atomic write. So a benchmark that starts again finds what is done. A fold run whose data changed
gets another name and is run again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fesnet._io import atomic_open
from fesnet._types import CountCallback, FloatArray
from fesnet._version import __version__
from fesnet.evaluation.dataset import DatasetSplit
from fesnet.evaluation.methods import METHODS, Variant
from fesnet.evaluation.parallel import make_missing
from fesnet.jobs import Executor


@dataclass(frozen=True)
class FoldRun:
    """Learn from the training clips of a split and score its test clips."""

    variant: Variant
    seed: int
    split: DatasetSplit
    groups: tuple[int, ...]

    @property
    def key(self) -> str:
        """Changes with everything that the scores depend on, and with nothing else.

        The names of the hashed values never change, so that fold runs of earlier calls are found.
        """
        values = {
            "fesnet": __version__,
            "variant": self.variant.settings(),
            "seed": self.seed,
            "groups": self.groups,
            "studied": [(c.clip.sha256, c.clip.rate, c.truth) for c in self.split.train],
            "blind": [(c.id, c.sha256, c.rate) for c in self.split.test],
        }
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True, eq=False)
class FoldScores:
    """Scores (E, T, 2) of each test clip by id, at E epochs, and the fingerprint of the weights."""

    scores: dict[str, FloatArray]
    fingerprint: str


def run_folds(
    runs: Sequence[FoldRun], folder: Path, executor: Executor, progress: CountCallback
) -> dict[str, FoldScores]:
    """All scores by key: those in `folder` are read, the executor makes the others."""
    folder.mkdir(parents=True, exist_ok=True)
    work = {run.key: (run, folder / f"{run.key}.npz") for run in runs}
    make_missing(executor, partial(run_fold, folder=folder), work, progress)
    return {key: read_fold_scores(file) for key, (_, file) in work.items()}


def run_fold(run: FoldRun, folder: Path) -> None:
    """Train, score, write."""
    learn = METHODS[run.variant.method].learn
    test_inputs = [load_inputs(clip.inputs) for clip in run.split.test]
    train_set = [(load_inputs(c.clip.inputs), c.label_mask()) for c in run.split.train]
    scores, fingerprint = learn(train_set, run.groups, test_inputs, run.variant, run.seed)
    arrays = {
        f"s:{c.id}": s.astype(np.float16) for c, s in zip(run.split.test, scores, strict=True)
    }
    write_npz(folder / f"{run.key}.npz", {"fingerprint": np.array(fingerprint), **arrays})


def load_inputs(path: Path) -> NDArray[Any]:
    """Inputs (T, F) of a clip. Flow maps (int8) stay on the disk: memory does not hold them all."""
    mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped if mapped.dtype == np.int8 else np.array(mapped)


def write_npz(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """An `.npz` by an atomic write."""
    with atomic_open(path) as handle:
        np.savez(handle, **arrays)  # type: ignore[arg-type]  # numpy's stubs: names as options


def read_fold_scores(path: Path) -> FoldScores:
    with np.load(path, allow_pickle=False) as arrays:
        scores = {
            name[2:]: arrays[name].astype(np.float32)
            for name in arrays.files
            if name.startswith("s:")
        }
        return FoldScores(scores, str(arrays["fingerprint"]))

"""The slow part in pieces that can be killed: each piece trains once and scores the clips of
held-out subjects.

A piece is named by a hash of all it depends on: inputs and truth of the clips that it learns from,
inputs of those that it scores, settings, seed. Its scores appear under that name whole or not at
all, so a benchmark that starts again finds what is done, and a piece whose material has changed is
made anew.
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
from fesnet.evaluation.fan import fan_out, seen_here
from fesnet.evaluation.learners import LEARNERS, Variant
from fesnet.evaluation.material import View
from fesnet.jobs import Engine


@dataclass(frozen=True)
class Piece:
    """Learn from the studied clips of a view and score its blind ones."""

    variant: Variant
    seed: int
    view: View
    groups: tuple[int, ...]

    @property
    def key(self) -> str:
        """Changes with everything that the outcome depends on, and with nothing else."""
        values = {
            "fesnet": __version__,
            "variant": self.variant.settings(),
            "seed": self.seed,
            "groups": self.groups,
            "studied": [(s.clip.sha256, s.clip.rate, s.truth) for s in self.view.studied],
            "blind": [(c.id, c.sha256, c.rate) for c in self.view.blind],
        }
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True, eq=False)
class Outcome:
    """Scores (E, T, 2) of each blind clip by id, and the fingerprint of the weights."""

    scores: dict[str, FloatArray]
    fingerprint: str


def run_pieces(
    pieces: Sequence[Piece], folder: Path, engine: Engine, told: CountCallback
) -> dict[str, Outcome]:
    """All outcomes by key; those that lie in `folder` are read, others made by the engine. told:
    (done, all).
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_key = {piece.key: piece for piece in pieces}
    files = {key: folder / f"{key}.npz" for key in by_key}
    missing = [(key, piece) for key, piece in by_key.items() if not files[key].is_file()]
    kept = len(by_key) - len(missing)
    told(kept, len(by_key))
    fan_out(engine, partial(make, folder=folder), missing, lambda n, _: told(kept + n, len(by_key)))
    seen_here(files.values())
    return {key: read(file) for key, file in files.items()}


def make(piece: Piece, folder: Path) -> None:
    """Train, score, write."""
    learner = LEARNERS[piece.variant.method].learn
    blind = [load(clip.inputs) for clip in piece.view.blind]
    taught = [(load(s.clip.inputs), s.held()) for s in piece.view.studied]
    scores, mark = learner(taught, piece.groups, blind, piece.variant, piece.seed)
    named = {c.id: s.astype(np.float16) for c, s in zip(piece.view.blind, scores, strict=True)}
    write_arrays(
        folder / f"{piece.key}.npz",
        {"fingerprint": np.array(mark), **{f"s:{k}": v for k, v in named.items()}},
    )


def load(path: Path) -> NDArray[Any]:
    """Inputs; maps, which would not fit into memory together, stay on the disk."""
    mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped if mapped.dtype == np.int8 else np.array(mapped)


def write_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """An `.npz`, whole or not at all."""
    with atomic_open(path) as handle:
        np.savez(handle, **arrays)  # type: ignore[arg-type]  # numpy's stubs mistake the names for its options


def read(path: Path) -> Outcome:
    with np.load(path, allow_pickle=False) as table:
        scores = {
            name[2:]: table[name].astype(np.float32)
            for name in table.files
            if name.startswith("s:")
        }
        return Outcome(scores, str(table["fingerprint"]))

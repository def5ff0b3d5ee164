"""A benchmark from data set to rows: prepare, train and score in pieces, choose, find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fesnet._types import FloatArray, StepCallback
from fesnet.evaluation.folds import Fold, Held, Mode, folds_of, pieces_of
from fesnet.evaluation.learners import Variant
from fesnet.evaluation.material import Material
from fesnet.evaluation.rows import (
    Row,
    at_release,
    choose_for,
    epoch_candidates,
    judge,
    sweep_candidates,
    tally_all,
)
from fesnet.evaluation.units import Outcome, run_pieces
from fesnet.jobs import Engine, InProcess

Scores = Mapping[Held, Mapping[str, FloatArray]]


@dataclass(frozen=True)
class Plan:
    """What to run. aims: "kinds" and/or "overall"; inner: groups of subjects for nested choice."""

    variants: tuple[Variant, ...]
    mode: Mode = "nested"
    seeds: tuple[int, ...] = (0,)
    aims: tuple[str, ...] = ("kinds", "overall")
    inner: int = 6
    engine: Engine = field(default_factory=InProcess)


def run_plan(material: Material, plan: Plan, folder: Path, told: StepCallback) -> Iterator[Row]:
    """All rows of a plan. Pieces of training lie in `folder` and are used again."""
    folds = folds_of(material, plan.mode, plan.inner)
    for variant in plan.variants:
        by_seed = {seed: pieces_of(material, folds, variant, seed) for seed in plan.seeds}
        pieces = [piece for held in by_seed.values() for piece in held.values()]
        outcomes = run_pieces(
            pieces,
            folder,
            plan.engine,
            lambda n, of, v=variant: told(v.name, n, of),  # type: ignore[misc]
        )
        sets = [(seed,) for seed in plan.seeds] + ([plan.seeds] if len(plan.seeds) > 1 else [])
        for seeds in sets:
            got = {
                held: [outcomes[by_seed[seed][held].key] for seed in seeds]
                for held in by_seed[seeds[0]]
            }
            yield from rows_of(material, plan, folds, variant.name, seeds, got)


def rows_of(
    material: Material,
    plan: Plan,
    folds: Sequence[Fold],
    name: str,
    seeds: tuple[int, ...],
    outcomes: Mapping[Held, Sequence[Outcome]],
) -> Iterator[Row]:
    """Rows of one method and seed (or of several seeds' mean scores), one for each aim."""
    scores: Scores = {
        held: {
            clip: np.mean([o.scores[clip] for o in several], axis=0) for clip in several[0].scores
        }
        for held, several in outcomes.items()
    }
    tallies = tally_all(material, folds, scores, plan.engine)
    marks = {
        " ".join(sorted(f.tested)): " ".join(o.fingerprint for o in outcomes[f.piece])
        for f in folds
    }
    for aim in plan.aims:
        chosen = {
            f.tested: choose_for(f, material, tallies, aim, last=plan.mode == "crossfit")
            for f in folds
        }
        yield Row(
            name,
            seeds,
            plan.mode,
            aim,
            judged=tuple(judge(material, folds, scores, lambda f, c=chosen: c[f.tested])),  # type: ignore[misc]
            ranked=tuple(
                judge(material, folds, scores, lambda f, c=chosen: at_release(c[f.tested]))  # type: ignore[misc]
            ),
            chosen={" ".join(sorted(tested)): c for tested, c in chosen.items()},
            fingerprints=marks,
            epochs=epoch_candidates(material, folds, scores, chosen),
            sweep=sweep_candidates(material, folds, scores, chosen),
        )

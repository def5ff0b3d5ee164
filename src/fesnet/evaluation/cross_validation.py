"""From a data set to results: train and score the folds, select rules, find expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fesnet._types import StepCallback
from fesnet.evaluation.dataset import EvaluationDataset
from fesnet.evaluation.fold_runs import FoldScores, run_folds
from fesnet.evaluation.folds import Fold, Mode, Subjects, folds_of, make_fold_runs
from fesnet.evaluation.method_results import (
    MethodResult,
    Scores,
    at_release,
    count_all,
    epoch_candidates,
    evaluate_folds,
    select_for_fold,
    sweep_candidates,
)
from fesnet.evaluation.methods import Variant
from fesnet.jobs import Executor, SerialExecutor


@dataclass(frozen=True)
class CrossValidationPlan:
    """What to run. aims: "kinds", "overall"; inner: groups of subjects for nested selection."""

    variants: tuple[Variant, ...]
    mode: Mode = "nested"
    seeds: tuple[int, ...] = (0,)
    aims: tuple[str, ...] = ("kinds", "overall")
    inner: int = 6
    executor: Executor = field(default_factory=SerialExecutor)


def cross_validate(
    data: EvaluationDataset, plan: CrossValidationPlan, folder: Path, progress: StepCallback
) -> Iterator[MethodResult]:
    """All results of a plan. Fold runs stay in `folder` and are used again."""
    folds = folds_of(data, plan.mode, plan.inner)
    for variant in plan.variants:
        by_seed = {seed: make_fold_runs(data, folds, variant, seed) for seed in plan.seeds}
        runs = [run for of_seed in by_seed.values() for run in of_seed.values()]
        done = run_folds(
            runs,
            folder,
            plan.executor,
            lambda n, of, v=variant: progress(v.name, n, of),  # type: ignore[misc]
        )
        sets = [(seed,) for seed in plan.seeds] + ([plan.seeds] if len(plan.seeds) > 1 else [])
        for seeds in sets:
            outcomes = {
                held_out: [done[by_seed[seed][held_out].key] for seed in seeds]
                for held_out in by_seed[seeds[0]]
            }
            yield from variant_results(data, plan, folds, variant.name, seeds, outcomes)


def variant_results(
    data: EvaluationDataset,
    plan: CrossValidationPlan,
    folds: Sequence[Fold],
    name: str,
    seeds: tuple[int, ...],
    outcomes: Mapping[Subjects, Sequence[FoldScores]],
) -> Iterator[MethodResult]:
    """Results of one method and seed (or of several seeds' mean scores), one for each aim."""
    scores: Scores = {
        held_out: {
            clip: np.mean([o.scores[clip] for o in of_seeds], axis=0) for clip in of_seeds[0].scores
        }
        for held_out, of_seeds in outcomes.items()
    }
    counts = count_all(data, folds, scores, plan.executor)
    fingerprints = {
        " ".join(sorted(f.test)): " ".join(o.fingerprint for o in outcomes[f.run]) for f in folds
    }
    for aim in plan.aims:
        selected = {
            f.test: select_for_fold(f, data, counts, aim, last_epoch=plan.mode == "crossfit")
            for f in folds
        }
        yield MethodResult(
            name,
            seeds,
            plan.mode,
            aim,
            videos=tuple(evaluate_folds(data, folds, scores, lambda f, s=selected: s[f.test])),  # type: ignore[misc]
            ranked=tuple(
                evaluate_folds(data, folds, scores, lambda f, s=selected: at_release(s[f.test]))  # type: ignore[misc]
            ),
            selected={" ".join(sorted(test)): s for test, s in selected.items()},
            fingerprints=fingerprints,
            epochs=epoch_candidates(data, folds, scores, selected),
            sweep=sweep_candidates(data, folds, scores, selected),
        )

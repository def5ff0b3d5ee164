"""Which fold runs a mode needs, and whose scores may select rules for whom.

`nested`    Subjects are dealt into groups. For each pair of groups one network learns without both
            and scores both. Epoch and rules for a subject of group g come from the networks that
            lacked g and another group h. They are evaluated on h, for all h, so g's truth was in
            none of it. Then one network per subject learns without that subject.
`crossfit`  Only one network per subject. The last epoch is fixed. Rules for a subject are selected
            on the scores that the other subjects got as test subjects. Those networks have learnt
            from the subject's truth, so it reaches its rules indirectly. Cheaper, and usual.
`oracle`    Epoch and rules are selected on the test subjects themselves. Not a result: it shows
            what that is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from fesnet.errors import UsageError
from fesnet.evaluation.dataset import EvaluationDataset, LabelledClip
from fesnet.evaluation.fold_runs import FoldRun
from fesnet.evaluation.methods import Variant

Mode = Literal["nested", "crossfit", "oracle"]
MODES: tuple[Mode, ...] = get_args(Mode)
Subjects = frozenset[str]


@dataclass(frozen=True)
class Fold:
    """Subjects to test, and the fold runs to test and to select with.

    A fold run is named by the subjects that it learns without. test: subjects that `run` scores for
    the result. selection: fold runs, and the subjects whose scores select. uses_test_truth: true in
    `oracle`, the only mode in which truth of the test subjects reaches the selection.
    """

    test: Subjects
    run: Subjects
    selection: tuple[tuple[Subjects, Subjects], ...]
    uses_test_truth: bool = False

    def selection_clips(self, data: EvaluationDataset) -> tuple[LabelledClip, ...]:
        """Clips whose truth the selection may use."""
        if self.uses_test_truth:
            return tuple(v.labelled() for v in data.videos)
        return data.split(self.test).train


def folds_of(data: EvaluationDataset, mode: Mode, inner: int) -> list[Fold]:
    """All folds of a mode. inner: number of groups. Raises UsageError for under 3 subjects."""
    subjects = data.subjects
    if len(subjects) < 3:
        raise UsageError(
            "expected at least 3 subjects to leave one out and choose on the others, got "
            f"{len(subjects)} "
            f"({', '.join(subjects)})"
        )
    groups = [frozenset(subjects[i::inner]) for i in range(min(inner, len(subjects)))]
    if data.test_subjects:
        if mode == "oracle":
            return [
                Fold(data.test_subjects, frozenset(), ((frozenset(), data.test_subjects),), True)
            ]
        return [Fold(data.test_subjects, frozenset(), tuple((g, g) for g in groups))]
    alone = {s: frozenset({s}) for s in subjects}
    if mode == "nested":
        own = {s: next(g for g in groups if s in g) for s in subjects}
        return [
            Fold(one, one, tuple((own[s] | h, h) for h in groups if h != own[s]))
            for s, one in alone.items()
        ]
    everyone = tuple((t, t) for t in alone.values())
    if mode == "oracle":
        return [Fold(one, one, everyone, True) for one in alone.values()]
    return [Fold(one, one, tuple(p for p in everyone if p[0] != one)) for one in alone.values()]


def make_fold_runs(
    data: EvaluationDataset, folds: Sequence[Fold], variant: Variant, seed: int
) -> dict[Subjects, FoldRun]:
    """Every fold run that the folds name."""
    wanted = {f.run for f in folds} | {run for f in folds for run, _ in f.selection}
    return {
        held_out: FoldRun(variant, seed, data.split(held_out), data.groups)
        for held_out in sorted(wanted, key=sorted)
    }

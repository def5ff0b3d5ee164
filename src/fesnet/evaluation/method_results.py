"""From scores to found intervals: rules are selected for each fold and applied to its videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from fesnet._types import FloatArray
from fesnet.evaluation.dataset import AnnotatedVideo, EvaluationDataset
from fesnet.evaluation.folds import Fold, Mode, Subjects
from fesnet.evaluation.parallel import run_parallel
from fesnet.evaluation.rule_selection import (
    THRESHOLDS,
    CountArray,
    ScoredClip,
    SelectedRules,
    select_rules,
    threshold_counts,
)
from fesnet.evaluation.span_rules import ScoredSpan
from fesnet.intervals import KINDS, Interval
from fesnet.jobs import Executor
from fesnet.metrics import VideoResult

Scores = Mapping[Subjects, Mapping[str, FloatArray]]  # fold run -> clip -> (E, T, 2)
ClipCounts = dict[tuple[Subjects, str], tuple[CountArray, CountArray]]
SWEEP_STEP = 2  # every second threshold is enough where a protocol selects on test subjects


@dataclass(frozen=True)
class MethodResult:
    """What a method found, before any protocol, and how its rules were selected.

    videos: found at the selected rules. ranked: found at the release already, for average
    precision. selected: by test subjects. epochs, sweep: the same videos under other epochs and
    thresholds, for protocols that select on the test subjects.
    """

    name: str
    seeds: tuple[int, ...]
    mode: Mode
    aim: str
    videos: tuple[VideoResult, ...]
    ranked: tuple[VideoResult, ...]
    selected: dict[str, SelectedRules]
    fingerprints: dict[str, str]
    epochs: Mapping[str, Sequence[VideoResult]]
    sweep: Mapping[str, Sequence[VideoResult]]


def count_all(
    data: EvaluationDataset, folds: Sequence[Fold], scores: Scores, executor: Executor
) -> ClipCounts:
    """Threshold counts of every clip that a selection needs. Truth is what its fold may see."""
    wanted: dict[Subjects, dict[str, ScoredClip]] = {}
    for fold in folds:
        for c in fold.selection_clips(data):
            for run, subjects in fold.selection:
                if c.clip.subject in subjects and c.clip.id not in wanted.setdefault(run, {}):
                    wanted[run][c.clip.id] = ScoredClip(
                        c.clip.id, scores[run][c.clip.id], c.clip.rate, c.truth
                    )
    counts = run_parallel(
        executor,
        count_both_kinds,
        [(str(n), list(clips.values())) for n, clips in enumerate(wanted.values())],
    )
    return {
        (run, clip): counted
        for (run, clips), of_run in zip(wanted.items(), counts.values(), strict=True)
        for clip, counted in zip(clips, of_run, strict=True)
    }


def count_both_kinds(clips: Sequence[ScoredClip]) -> list[tuple[CountArray, CountArray]]:
    """Macro and micro counts of each clip."""
    return [(threshold_counts(c, "macro"), threshold_counts(c, "micro")) for c in clips]


def select_for_fold(
    fold: Fold, data: EvaluationDataset, counts: ClipCounts, aim: str, *, last_epoch: bool
) -> SelectedRules:
    """Epoch and rules for a fold, from its selection clips alone.

    last_epoch: only the last epoch may be selected.
    """
    own = [
        counts[run, c.clip.id]
        for c in fold.selection_clips(data)
        for run, subjects in fold.selection
        if c.clip.subject in subjects
    ]
    if not last_epoch:
        return select_rules(own, aim=aim)
    epochs = len(own[0][0])
    selected = select_rules([(a[-1:], b[-1:]) for a, b in own], aim=aim)
    return replace(selected, epochs=(epochs - 1, epochs - 1))


def find_in_video(
    video: AnnotatedVideo, scores: FloatArray, rules: SelectedRules
) -> tuple[Interval, ...]:
    """What is found in one video, on its source's frames."""
    pairs: Iterable[tuple[str, list[ScoredSpan]]] = zip(
        KINDS, rules.find(scores, video.clip.rate), strict=True
    )
    return tuple(
        sorted(video.interval(*span[:3], kind, span[3]) for kind, spans in pairs for span in spans)
    )


def evaluate_folds(
    data: EvaluationDataset,
    folds: Sequence[Fold],
    scores: Scores,
    rules_of: Callable[[Fold], SelectedRules],
) -> list[VideoResult]:
    """Truth beside what is found. Nothing before this reads the truth of test subjects."""
    out = []
    for fold in folds:
        rules = rules_of(fold)
        for v in data.videos:
            if v.clip.subject in fold.test:
                found = find_in_video(v, scores[fold.run][v.clip.id], rules)
                out.append(VideoResult(v.clip.subject, v.clip.id, v.truth, found, v.seconds))
    return out


def at_release(selected: SelectedRules) -> SelectedRules:
    """The same edges, but every run counts, however low its peak: what average precision ranks."""
    macro, micro = (
        replace(r, threshold=r.threshold * r.release, release=1.0) if r.threshold <= 1 else r
        for r in selected.rules
    )
    return replace(selected, rules=(macro, micro))


def with_threshold(selected: SelectedRules, threshold: float, epoch: int) -> SelectedRules:
    """The same rules at another epoch, and another threshold where a kind is found at all."""
    macro, micro = (
        replace(r, threshold=threshold) if r.threshold <= 1 else r for r in selected.rules
    )
    return replace(selected, rules=(macro, micro), epochs=(epoch, epoch))


def epoch_candidates(
    data: EvaluationDataset,
    folds: Sequence[Fold],
    scores: Scores,
    selected: Mapping[Subjects, SelectedRules],
) -> dict[str, list[VideoResult]]:
    """Results at every epoch, by name."""
    return {
        f"epoch {e + 1}": evaluate_folds(
            data,
            folds,
            scores,
            lambda f, e=e: replace(selected[f.test], epochs=(e, e)),  # type: ignore[misc]
        )
        for e in range(epoch_count(folds, scores))
    }


def sweep_candidates(
    data: EvaluationDataset,
    folds: Sequence[Fold],
    scores: Scores,
    selected: Mapping[Subjects, SelectedRules],
) -> dict[str, list[VideoResult]]:
    """Results at every epoch and a range of thresholds, by name."""
    return {
        f"epoch {e + 1}, threshold {t}": evaluate_folds(
            data,
            folds,
            scores,
            lambda f, e=e, t=t: with_threshold(selected[f.test], t, e),  # type: ignore[misc]
        )
        for e in range(epoch_count(folds, scores))
        for t in THRESHOLDS[::SWEEP_STEP]
    }


def epoch_count(folds: Sequence[Fold], scores: Scores) -> int:
    return len(next(iter(scores[folds[0].run].values())))


def selection_dict(selected: SelectedRules) -> dict[str, Any]:
    """For config files: what was selected."""
    return {
        kind: {"epoch": e + 1, "f1 where chosen": round(f1, 4), **asdict(rules)}
        for kind, rules, e, f1 in zip(
            KINDS, selected.rules, selected.epochs, selected.f1, strict=True
        )
    }

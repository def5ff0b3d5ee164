"""From scores to found intervals: for each fold the rules that its judges choose, and what they
find in its videos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from fesnet._types import FloatArray
from fesnet.evaluation.decode import Span
from fesnet.evaluation.fan import fan_out
from fesnet.evaluation.folds import Fold, Held, Mode
from fesnet.evaluation.material import Footage, Material
from fesnet.evaluation.select import THRESHOLDS, Chosen, Counted, Scored, choose_rules, tally
from fesnet.intervals import KINDS, Interval
from fesnet.jobs import Engine
from fesnet.metrics import Judged

Scores = Mapping[Held, Mapping[str, FloatArray]]  # piece -> clip -> (E, T, 2)
Tallies = dict[tuple[Held, str], tuple[Counted, Counted]]
EVERY = 2  # of the thresholds: enough to choose among where a protocol chooses on test subjects


@dataclass(frozen=True)
class Row:
    """One line of the table before any protocol: what a method found, and how its rules came about.

    chosen: by tested subject. candidates: the same videos under other epochs and thresholds, for
    protocols that choose on the test subjects. ranked: found at the release already, for average
    precision.
    """

    name: str
    seeds: tuple[int, ...]
    mode: Mode
    aim: str
    judged: tuple[Judged, ...]
    ranked: tuple[Judged, ...]
    chosen: dict[str, Chosen]
    fingerprints: dict[str, str]
    epochs: Mapping[str, Sequence[Judged]]
    sweep: Mapping[str, Sequence[Judged]]


def tally_all(material: Material, folds: Sequence[Fold], scores: Scores, engine: Engine) -> Tallies:
    """Tallies of every clip that a judge needs. Truth comes from what a fold may see."""
    wanted: dict[Held, dict[str, Scored]] = {}
    for fold in folds:
        for s in fold.seen(material):
            for piece, subjects in fold.judges:
                if s.clip.subject in subjects and s.clip.id not in wanted.setdefault(piece, {}):
                    wanted[piece][s.clip.id] = Scored(
                        s.clip.id, scores[piece][s.clip.id], s.clip.rate, s.truth
                    )
    tallies = fan_out(
        engine, both, [(str(n), list(clips.values())) for n, clips in enumerate(wanted.values())]
    )
    return {
        (piece, clip): counted
        for (piece, clips), told in zip(wanted.items(), tallies.values(), strict=True)
        for clip, counted in zip(clips, told, strict=True)
    }


def both(clips: Sequence[Scored]) -> list[tuple[Counted, Counted]]:
    """Macro and micro of each clip."""
    return [(tally(scored, "macro"), tally(scored, "micro")) for scored in clips]


def choose_for(fold: Fold, material: Material, tallies: Tallies, aim: str, *, last: bool) -> Chosen:
    """Epoch and rules for a fold, from its judges alone. last: only the last epoch may be
    chosen.
    """
    told = [
        tallies[piece, s.clip.id]
        for s in fold.seen(material)
        for piece, subjects in fold.judges
        if s.clip.subject in subjects
    ]
    if not last:
        return choose_rules(told, aim=aim)
    epochs = len(told[0][0])
    chosen = choose_rules([(a[-1:], b[-1:]) for a, b in told], aim=aim)
    return replace(chosen, epochs=(epochs - 1, epochs - 1))


def find(footage: Footage, scores: FloatArray, chosen: Chosen) -> tuple[Interval, ...]:
    """What is found in one video, on its source's frames."""
    pairs: Iterable[tuple[str, list[Span]]] = zip(
        KINDS, chosen.found(scores, footage.clip.rate), strict=True
    )
    return tuple(
        sorted(
            footage.interval(*span[:3], kind, span[3]) for kind, spans in pairs for span in spans
        )
    )


def judge(
    material: Material, folds: Sequence[Fold], scores: Scores, rules: Callable[[Fold], Chosen]
) -> list[Judged]:
    """Truth beside what is found: the first moment at which the truth of tested subjects is looked
    at.
    """
    out = []
    for fold in folds:
        chosen = rules(fold)
        for f in material.footage:
            if f.clip.subject in fold.tested:
                found = find(f, scores[fold.piece][f.clip.id], chosen)
                out.append(Judged(f.clip.subject, f.clip.id, f.truth, found, f.seconds))
    return out


def at_release(chosen: Chosen) -> Chosen:
    """The same edges, but every run counts, however low its peak: what average precision ranks."""
    macro, micro = (
        replace(r, threshold=r.threshold * r.release, release=1.0) if r.threshold <= 1 else r
        for r in chosen.rules
    )
    return replace(chosen, rules=(macro, micro))


def with_threshold(chosen: Chosen, threshold: float, epoch: int | None = None) -> Chosen:
    """The same rules at another threshold (where a kind is found at all), and perhaps another
    epoch.
    """
    macro, micro = (
        replace(r, threshold=threshold) if r.threshold <= 1 else r for r in chosen.rules
    )
    epochs = chosen.epochs if epoch is None else (epoch, epoch)
    return replace(chosen, rules=(macro, micro), epochs=epochs)


def epoch_candidates(
    material: Material, folds: Sequence[Fold], scores: Scores, chosen: Mapping[Held, Chosen]
) -> dict[str, list[Judged]]:
    count = len(next(iter(scores[folds[0].piece].values())))
    return {
        f"epoch {e + 1}": judge(
            material,
            folds,
            scores,
            lambda f, e=e: replace(chosen[f.tested], epochs=(e, e)),  # type: ignore[misc]
        )
        for e in range(count)
    }


def sweep_candidates(
    material: Material, folds: Sequence[Fold], scores: Scores, chosen: Mapping[Held, Chosen]
) -> dict[str, list[Judged]]:
    count = len(next(iter(scores[folds[0].piece].values())))
    return {
        f"epoch {e + 1}, threshold {t}": judge(
            material,
            folds,
            scores,
            lambda f, e=e, t=t: with_threshold(chosen[f.tested], t, e),  # type: ignore[misc]
        )
        for e in range(count)
        for t in THRESHOLDS[::EVERY]
    }


def told(chosen: Chosen) -> dict[str, Any]:
    """For config files: what was chosen."""
    return {
        kind: {"epoch": e + 1, "f1 where chosen": round(f1, 4), **asdict(rules)}
        for kind, rules, e, f1 in zip(KINDS, chosen.rules, chosen.epochs, chosen.f1, strict=True)
    }

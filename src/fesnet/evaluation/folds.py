"""Which pieces of training a mode needs, and whose scores may choose for whom.

`nested`    Subjects are dealt into groups. For each pair of groups one network learns without both
and scores both.
            What is chosen for a subject of group g (epoch, rules) comes from the networks that
            lacked g and another group h, judged on h, for all h: g's truth was in none of it. Then
            one network per subject learns without that subject.
`crossfit`  Only one network per subject. The last epoch is fixed; rules for a subject are chosen on
the scores that the
            other subjects got as test subjects. Those networks have learnt from the subject's
            truth, so it reaches its rules by that way round; cheaper, and usual.
`oracle`    Epoch and rules are chosen on the tested subjects themselves. Not a result: it shows
what that is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from fesnet.errors import UsageError
from fesnet.evaluation.learners import Variant
from fesnet.evaluation.material import Material, Studied
from fesnet.evaluation.units import Piece

Mode = Literal["nested", "crossfit", "oracle"]
MODES: tuple[Mode, ...] = get_args(Mode)
Held = frozenset[str]


@dataclass(frozen=True)
class Fold:
    """tested: subjects that `piece` scores for the result. judges: pieces and the subjects whose
    scores choose.

    peeks: `oracle`, the only mode in which truth of the tested subjects reaches what is chosen.
    """

    tested: Held
    piece: Held
    judges: tuple[tuple[Held, Held], ...]
    peeks: bool = False

    def seen(self, material: Material) -> tuple[Studied, ...]:
        """Clips whose truth may be looked at to choose."""
        if self.peeks:
            return tuple(f.studied() for f in material.footage)
        return material.view(self.tested).studied


def folds_of(material: Material, mode: Mode, inner: int) -> list[Fold]:
    """All folds; a piece is named by the subjects that it learns without. Raises UsageError for
    under 3 subjects.
    """
    subjects = material.subjects
    if len(subjects) < 3:
        raise UsageError(
            "expected at least 3 subjects to leave one out and choose on the others, got "
            f"{len(subjects)} "
            f"({', '.join(subjects)})"
        )
    groups = [frozenset(subjects[i::inner]) for i in range(min(inner, len(subjects)))]
    if material.tested:
        judges = tuple((g, g) for g in groups)
        judged = tuple([(frozenset[str](), material.tested)]) if mode == "oracle" else judges
        return [Fold(material.tested, frozenset(), judged, mode == "oracle")]
    alone = {s: frozenset({s}) for s in subjects}
    if mode == "nested":
        own = {s: next(g for g in groups if s in g) for s in subjects}
        return [
            Fold(one, one, tuple((own[s] | h, h) for h in groups if h != own[s]))
            for s, one in alone.items()
        ]
    if mode == "oracle":
        return [
            Fold(one, one, tuple((t, t) for t in alone.values()), True) for one in alone.values()
        ]
    return [
        Fold(one, one, tuple((t, t) for t in alone.values() if t != one)) for one in alone.values()
    ]


def pieces_of(
    material: Material, folds: Sequence[Fold], variant: Variant, seed: int
) -> dict[Held, Piece]:
    """Every piece that the folds name."""
    wanted = {f.piece for f in folds} | {piece for f in folds for piece, _ in f.judges}
    return {
        held: Piece(variant, seed, material.view(held), material.groups)
        for held in sorted(wanted, key=sorted)
    }

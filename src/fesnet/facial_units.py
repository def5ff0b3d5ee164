"""What moved: named facial motions with numbers of the Facial Action Coding System (FACS), side and
strength.

    strengths (T, OUTPUTS) against a neutral face (`fesnet.unit_strengths`) -> what_moved

A strength estimates how far a motion went, 0..1 of a full one. It is no certified FACS coding, and
no emotion. LSDM's motion output is trained on synthetic people; its gains here are measured on
synthetic people, too. Which units are offered, and what landmarks add, is our choice
(docs/what-moved.md has the figures).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray

Region = Literal["brow", "eye", "nose", "mouth", "cheek"]
Side = Literal["left", "right", "both"]


@dataclass(frozen=True)
class FacialUnit:
    """One named motion.

    number: FACS action unit. motions: motions of the basis that it is made of, and their shares.
    gain: multiplies LSDM's output, which is weaker than what it was shown (measured).
    """

    number: str
    name: str
    region: Region
    has_sides: bool
    motions: dict[str, float] = field(hash=False)
    gain: float


UNITS: tuple[FacialUnit, ...] = (
    FacialUnit("1", "inner brow raised", "brow", True, {"browInnerUp": 1.0}, 1.6),
    FacialUnit("2", "outer brow raised", "brow", True, {"browOuterUp": 1.0}, 1.5),
    FacialUnit("4", "brow lowered", "brow", True, {"browDown": 1.0}, 1.6),
    FacialUnit("5", "upper lid raised", "eye", True, {}, 0.0),
    FacialUnit("6", "cheek raised", "cheek", True, {"cheekSquint": 1.0, "cheekRaiser": 0.5}, 1.0),
    FacialUnit("9", "nose wrinkled", "nose", True, {"noseSneer": 1.0}, 1.5),
    FacialUnit("10", "upper lip raised", "mouth", True, {"mouthUpperUp": 1.0}, 1.15),
    FacialUnit(
        "12", "lip corner pulled up", "mouth", True, {"mouthSmile": 1.0, "ownSmile": 1.0}, 1.15
    ),
    FacialUnit("15", "lip corner pulled down", "mouth", True, {"mouthFrown": 1.0}, 1.9),
    FacialUnit(
        "18", "lips puckered", "mouth", False, {"mouthPucker": 1.0, "mouthFunnel": 0.8}, 2.5
    ),
    FacialUnit("20", "lips stretched", "mouth", True, {"mouthStretch": 1.0}, 1.2),
    FacialUnit(
        "24",
        "lips pressed",
        "mouth",
        False,
        {"mouthPress": 0.8, "mouthRollLower": 0.5, "mouthRollUpper": 0.5},
        2.2,
    ),
    FacialUnit("25", "lips parted", "mouth", False, {"mouthLowerDown": 1.0, "jawOpen": 1.6}, 1.3),
    FacialUnit("26", "jaw dropped", "mouth", False, {"jawOpen": 2.0}, 1.6),
    FacialUnit("30", "mouth or jaw aside", "mouth", True, {"mouth+": 1.0, "jaw+": 1.0}, 1.2),
    FacialUnit("45", "eye closed", "eye", True, {"eyeBlink": 1.0}, 1.15),
)
UNIT_OF = {unit.number: unit for unit in UNITS}
# Columns of a strength track: "12L" and "12R" are the subject's left and right, "26" has no sides.
OUTPUTS: tuple[str, ...] = tuple(
    unit.number + side for unit in UNITS for side in (("L", "R") if unit.has_sides else ("",))
)


@dataclass(frozen=True)
class MovedUnit:
    """What moved in one interval. unit: FACS number; side: the subject's own; strength: 0..1 of a
    full motion."""

    unit: str
    name: str
    side: Side
    strength: float

    def __str__(self) -> str:
        side = "" if self.side == "both" else f", {self.side}"
        return f"{self.name}{side} (AU {self.unit}) {self.strength:.2f}"


# From which strength a unit is named, and which share of the strongest it must have.
MOVED_FROM = 0.2
MOVED_SHARE = 0.3
ONE_SIDED = 0.55  # the weaker side's share of the stronger one below which only that side moved
EDGE_STEPS = 4  # steps at either edge of an interval whose strengths it is compared with


def what_moved(
    strengths: FloatArray, start: int, stop: int, ignored: NDArray[np.bool_]
) -> tuple[MovedUnit, ...]:
    """Units that moved in steps start .. stop - 1 of strengths (T, OUTPUTS), the strongest first.

    A unit counts by its peak over the lower of both edges, so what lasts all through and beyond is
    not named. ignored (T,): steps that are left out (blinks).
    """
    inside = strengths[start:stop]
    known = ~np.isnan(inside).any(1)
    used = inside[known & ~ignored[start:stop]]
    if not len(used):
        return ()
    peak = np.quantile(used, 0.9, axis=0)
    eyes = [OUTPUTS.index("45L"), OUTPUTS.index("45R")]
    peak[eyes] = np.quantile(inside[known][:, eyes], 0.9, axis=0)
    edges = [
        edge_level(strengths, start - EDGE_STEPS, start + 2),
        edge_level(strengths, stop - 2, stop + EDGE_STEPS),
    ]
    low = np.nanmin([e for e in edges if e is not None] or [np.zeros(len(OUTPUTS))], axis=0)
    risen = np.minimum(peak, peak - low + 0.1)
    level = exclude(dict(zip(OUTPUTS, np.clip(risen, 0, 1).tolist(), strict=True)))
    moved = [m for unit in UNITS if (m := moved_unit(unit, level)) is not None]
    most = max((m.strength for m in moved), default=0.0)
    kept = [m for m in moved if m.strength >= max(MOVED_FROM, MOVED_SHARE * most)]
    return tuple(sorted(kept, key=lambda m: (-m.strength, int(m.unit))))


def exclude(level: dict[str, float]) -> dict[str, float]:
    """Strengths without what another motion only seems to be: a smile or a dropped jaw is no
    pucker, open lips are not pressed, and a smile pulls no corner aside."""
    smile = max(level["12L"], level["12R"])
    out = dict(level)
    out["18"] -= 0.7 * max(smile, level["26"])
    out["24"] -= level["25"]
    for side in "LR":
        out[f"30{side}"] -= 0.5 * min(level["12L"], level["12R"])
    return out


def edge_level(strengths: FloatArray, start: int, stop: int) -> FloatArray | None:
    """(OUTPUTS,) mean strengths of known steps; None where none is known."""
    rows = strengths[max(0, start) : max(0, stop)]
    rows = rows[~np.isnan(rows).any(1)]
    return np.asarray(rows.mean(0)) if len(rows) else None


def moved_unit(unit: FacialUnit, level: dict[str, float]) -> MovedUnit | None:
    """A unit with its side, None where it hardly moved. Both eyes closed are no motion but a flag;
    one is a wink (AU 46)."""
    if not unit.has_sides:
        side, strength = "both", level[unit.number]
    else:
        left, right = level[f"{unit.number}L"], level[f"{unit.number}R"]
        strength = max(left, right)
        one_sided = min(left, right) < ONE_SIDED * strength
        side = ("left" if left > right else "right") if one_sided else "both"
    if strength < MOVED_FROM or (unit.number == "45" and side == "both"):
        return None
    number, name = ("46", "wink") if unit.number == "45" else (unit.number, unit.name)
    return MovedUnit(number, name, side, round(strength, 2))  # type: ignore[arg-type]

"""What moved and what else happened, in the words that people read.

(AU 1 both 0.62, AU 2 both 0.70, AU 26 0.41) -> "brow raised (AU 1+2) both, .70; jaw dropped .."
flags, blinks, known seconds -> counts, blinks a minute, mean length
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fesnet.facial_units import UNIT_OF, MovedUnit
from fesnet.observations import FLAGS, Blink, FaceObservations, IntervalContext, runs

FLAG_WORDS: Mapping[str, str] = {
    "blink": "blink",
    "eyes_closed": "eyes closed",
    "speaking": "speaking",
    "head_turn": "head turn",
    "edge_of_face_time": "face comes or goes",
}
FLAG_MEANINGS: Mapping[str, str] = {
    "blink": "both eyes close for at most .45 s",
    "eyes_closed": "both eyes close for longer",
    "speaking": "the mouth goes on opening and closing; chewing as well",
    "head_turn": "the head turns or tilts by 7 degrees within .8 s",
    "edge_of_face_time": "the face has just been found, or is about to be lost",
}
WINK = "46"  # one closed eye; the unit of both is 45
# Units that one motion of the face moves together, and what people call it; our choice of words.
TOGETHER: Mapping[tuple[str, str], str] = {
    ("1", "2"): "brow raised",
    ("6", "12"): "lip corners up, cheeks raised",
    ("25", "26"): "mouth opened",
}


def motion_texts(moved: Sequence[MovedUnit]) -> list[str]:
    """One text a motion, the strongest first: "brow raised (AU 1+2) both, .70". Units of one motion
    and one side share a text, which has the strength of the stronger."""
    left = list(moved)
    rows: list[tuple[float, str]] = []
    for units, name in TOGETHER.items():
        pair = [m for m in left if m.unit in units]
        if len(pair) == len(units) and len({m.side for m in pair}) == 1:
            left = [m for m in left if m not in pair]
            strength = max(m.strength for m in pair)
            text = motion_text("+".join(units), name, side_text(pair[0]), strength)
            rows.append((strength, text))
    rows += [(m.strength, motion_text(m.unit, m.name, side_text(m), m.strength)) for m in left]
    return [text for _, text in sorted(rows, key=lambda row: -row[0])]


def side_text(moved: MovedUnit) -> str:
    """Left, right or both; empty of what has no sides, such as the jaw."""
    return moved.side if moved.unit == WINK or UNIT_OF[moved.unit].has_sides else ""


def motion_text(numbers: str, name: str, side: str, strength: float) -> str:
    """Strength 0..1 without its leading zero, as the field writes."""
    number = "1.00" if strength >= 0.995 else f"{strength:.2f}"[1:]
    return f"{name} (AU {numbers}){f' {side},' if side else ''} {number}"


def moved_line(context: IntervalContext | None) -> str:
    """All that moved in one line; empty where nothing did, or nothing was observed."""
    return "" if context is None else "; ".join(motion_texts(context.moved))


def flags_line(context: IntervalContext | None) -> str:
    """All flags in words: "blink, speaking"."""
    return "" if context is None else ", ".join(FLAG_WORDS[flag] for flag in context.flags)


def context_comment(context: IntervalContext | None) -> str:
    """For the one comment that a format has: "; moved: ...; around it: blink", or empty."""
    moved, flags = moved_line(context), flags_line(context)
    return (f"; moved: {moved}" if moved else "") + (f"; around it: {flags}" if flags else "")


def flag_spans(seen: FaceObservations, flag: str, rate: float) -> list[tuple[float, float]]:
    """(start, stop) in s of all times in which one flag of one face is set."""
    steps = runs(seen.flag(flag))
    return [(round(start / rate, 4), round(stop / rate, 4)) for start, stop in steps]


def summarize_flags(
    contexts: Iterable[IntervalContext | None],
    observations: Sequence[FaceObservations],
    blinks: Sequence[Blink],
    rate: float,
    known_s: float,
) -> dict[str, Any]:
    """Numbers of a result: intervals with each flag (`with_blink`), seconds of those flags that
    last (`speaking_s`), and what `summarize_blinks` says. All None where nothing was observed.
    rate: steps a second; known_s: seconds in which any face was known."""
    out: dict[str, Any] = dict.fromkeys(SUMMARY_FIELDS)
    if not observations:
        return out
    rows = [c for c in contexts if c is not None]
    out |= {f"with_{flag}": sum(flag in c.flags for c in rows) for flag in FLAGS}
    for flag in LASTING:
        out[f"{flag}_s"] = round(float(sum(o.flag(flag).sum() for o in observations)) / rate, 4)
    return out | summarize_blinks(blinks, known_s)


def summarize_blinks(blinks: Iterable[Blink], known_s: float) -> dict[str, Any]:
    """`blink_count` (longer closures are none), `blinks_per_minute` of known face, and
    `blink_mean_s`; None for what does not exist."""
    lasts = [b.stop_s - b.start_s for b in blinks if b.kind == "blink"]
    return {
        "blink_count": len(lasts),
        "blinks_per_minute": round(60 * len(lasts) / known_s, 4) if known_s > 0 else None,
        "blink_mean_s": round(sum(lasts) / len(lasts), 4) if lasts else None,
    }


LASTING = ("eyes_closed", "speaking", "head_turn")  # flags whose seconds say something
SUMMARY_FIELDS: Mapping[str, type] = {
    **{f"with_{flag}": int for flag in FLAGS},
    **{f"{flag}_s": float for flag in LASTING},
    "blink_count": int,
    "blinks_per_minute": float,
    "blink_mean_s": float,
}

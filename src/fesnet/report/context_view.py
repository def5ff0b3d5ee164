"""What moved and what else happened, as pages show it: badges, and the data of `context.js`."""

from __future__ import annotations

import html
from typing import Any

from fesnet.observation_text import (
    FLAG_MEANINGS,
    FLAG_WORDS,
    flag_spans,
    motion_texts,
    summarize_blinks,
)
from fesnet.observations import FLAGS, IntervalContext
from fesnet.result import Spotting

# Where there is room for a dozen letters alone: the names of lanes.
SHORT_WORDS = {"eyes_closed": "eyes shut", "edge_of_face_time": "face edge"}
MOVED_NOTE = """<p>Below the times of an expression stands <b>what moved</b>: facial motions with
their numbers in the Facial Action Coding System (AU), the person's own side, and a strength of 0 to
1. It is help for your own look, no certified coding and no emotion. Badges name <b>what else
happened</b> in it or within .2 s of it.</p>"""


def context_values(context: IntervalContext | None) -> dict[str, Any]:
    """What pages show of one interval: `moved`, texts; `flags`, names."""
    if context is None:
        return {"moved": [], "flags": []}
    return {"moved": motion_texts(context.moved), "flags": list(context.flags)}


def flag_values(spotting: Spotting) -> list[dict[str, Any]]:
    """Each flag that is set anywhere, with its times in each face; for `FesnetContext.setData`."""
    out = []
    for flag in FLAGS:
        spans = [
            {"face": seen.face, "spans": flag_spans(seen, flag, spotting.working_rate)}
            for seen in spotting.observations
        ]
        if any(face["spans"] for face in spans):
            words = {"text": FLAG_WORDS[flag], "meaning": FLAG_MEANINGS[flag]}
            words["short"] = SHORT_WORDS.get(flag, FLAG_WORDS[flag])
            out.append({"name": flag, **words, "spans": spans})
    return out


def context_html(context: IntervalContext | None) -> str:
    """A line of motions and badges; empty where there is nothing to say."""
    if context is None or not (context.moved or context.flags):
        return ""
    parts = [
        f'<span class="motion">{html.escape(text)}</span>' for text in motion_texts(context.moved)
    ]
    parts += [
        f'<span class="badge" title="{html.escape(FLAG_MEANINGS[flag])}">{FLAG_WORDS[flag]}</span>'
        for flag in context.flags
    ]
    return f'<p class="context">{" ".join(parts)}</p>'


def blink_cells(spotting: Spotting) -> list[tuple[str, str, str]]:
    """The cells of blinks for the numbers of a report: name, number, what stands beside it."""
    if not spotting.observations:
        return []
    known = spotting.known_seconds
    values = summarize_blinks(spotting.blinks, known)
    rate, mean = values["blinks_per_minute"], values["blink_mean_s"]
    beside = "" if rate is None else f"{rate:.1f} a minute"
    cells = [("blinks", str(values["blink_count"]) if known else "-", beside)]
    return cells + ([("blink duration", f"{mean:.2f} s", "mean")] if mean is not None else [])

"""Praat TextGrid, full text form: interval tiers with blanks filled, and a point tier for each
one's apexes.
"""

from __future__ import annotations

from pathlib import Path

from fesnet._io import atomic_write_text
from fesnet._names import printable
from fesnet.exports.common import (
    gap_end,
    lane_texts,
    list_faces,
    named_lanes,
    result_frame_ends,
)
from fesnet.observation_text import FLAG_WORDS
from fesnet.result import Spotting

LabelledSpan = tuple[float, float, str]
LabelledPoint = tuple[float, str]


def write_textgrid(spotting: Spotting, path: Path) -> None:
    """Write `path` atomically. Seconds to the microsecond; a point stands at an apex, its
    text is the score.

    Expressions of one kind that overlap go to lanes ("face 0 macro 2"), as Praat's tiers know no
    overlap. Time goes from 0 on a player's clock to the end of the last frame.
    """
    ends = result_frame_ends(spotting)
    first, last = 0.0, float(ends[-1])
    tiers = []
    for name, _, kind, lane in named_lanes(spotting):
        spans = [(i.onset_s, float(ends[i.offset_frame]), str(kind)) for i in lane]
        tiers.append(interval_tier(name, fill_blanks(spans, first, last), first, last))
        points = [(i.apex_s, f"{i.score:.4f}") for i in lane]
        tiers.append(point_tier(f"{name} apex", points, first, last))
        for what, said in lane_texts(spotting, lane).items():
            texts = [(a, b, text) for (a, b, _), text in zip(spans, said, strict=True)]
            tiers.append(
                interval_tier(f"{name} {what}", fill_blanks(texts, first, last), first, last)
            )
    tiers += blink_tiers(spotting, first, last)
    for face in list_faces(spotting):
        gaps = sorted(gap for gap in spotting.gaps if gap.face == face)
        spans = [(gap.start_s, gap_end(gap, ends), gap.reason) for gap in gaps]
        tiers.append(
            interval_tier(f"face {face} unknown", fill_blanks(spans, first, last), first, last)
        )
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", *bounds(first, last)]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, tier in enumerate(tiers, 1):
        lines += [f"    item [{number}]:", *(f"        {line}" for line in tier)]
    atomic_write_text(path, "\n".join(lines) + "\n")


def blink_tiers(spotting: Spotting, first: float, last: float) -> list[list[str]]:
    """A tier of closed eyes for each face that was observed."""
    out = []
    for seen in spotting.observations:
        spans = [
            (b.start_s, min(b.stop_s, last), FLAG_WORDS[b.kind])
            for b in spotting.blinks
            if b.face == seen.face
        ]
        name = f"face {seen.face} blinks"
        out.append(interval_tier(name, fill_blanks(spans, first, last), first, last))
    return out


def fill_blanks(spans: list[LabelledSpan], first: float, last: float) -> list[LabelledSpan]:
    """Spans in order, with blank ones between them so that all of first .. last is covered."""
    out, here = [], first
    for start, stop, text in spans:
        if start > here:
            out.append((here, start, ""))
        out.append((start, stop, text))
        here = stop
    return out + ([(here, last, "")] if here < last else [])


def interval_tier(name: str, spans: list[LabelledSpan], first: float, last: float) -> list[str]:
    lines = [
        'class = "IntervalTier"',
        f"name = {quote_text(name)}",
        *bounds(first, last),
        f"intervals: size = {len(spans)}",
    ]
    for number, (start, stop, text) in enumerate(spans, 1):
        inner = [*bounds(start, stop), f"text = {quote_text(text)}"]
        lines += [f"intervals [{number}]:", *(f"    {line}" for line in inner)]
    return lines


def point_tier(name: str, points: list[LabelledPoint], first: float, last: float) -> list[str]:
    lines = [
        'class = "TextTier"',
        f"name = {quote_text(name)}",
        *bounds(first, last),
        f"points: size = {len(points)}",
    ]
    for number, (time, text) in enumerate(sorted(points), 1):
        lines += [
            f"points [{number}]:",
            f"    number = {time:.6f}",
            f"    mark = {quote_text(text)}",
        ]
    return lines


def bounds(start: float, stop: float) -> list[str]:
    return [f"xmin = {start:.6f}", f"xmax = {stop:.6f}"]


def quote_text(text: str) -> str:
    """Praat doubles the quotes inside a text; a line of its own would end a tier for some
    readers, and a control character is none that Praat shows.
    """
    return '"' + printable(" ".join(text.split())).replace('"', '""') + '"'

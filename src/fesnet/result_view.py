"""How a result looks in a Python prompt and in a notebook: one line; a small timeline and table."""

from __future__ import annotations

from html import escape

from fesnet._messages import counted
from fesnet._names import printable
from fesnet.exports.common import gap_end, named_lanes, result_frame_ends
from fesnet.intervals import KINDS
from fesnet.result import SpottedInterval, Spotting

WIDTH, LANE, LABEL = 640, 18, 110  # pixels of the drawing, of a lane's height, of its name
COLOURS = {"macro": "#0072b2", "micro": "#b84e00"}  # those of the report
GAP_COLOUR = "#999a"
MARKS = 5  # times written below the timeline
SHOWN = 10  # rows of the table
LINE = 'stroke="currentColor" stroke-opacity="0.3"'
TABLE = '<table style="color: inherit; border-collapse: collapse">'
CELL = 'style="padding: 2px 8px; text-align: right; white-space: nowrap"'


def describe_result(spotting: Spotting) -> str:
    """One line: <Spotting interview.mp4: 12.0 s, 1 face, 3 macro, 1 micro, 2 gaps, 1 warning>."""
    parts = [f"{spotting.duration_s:.1f} s", counted(len(spotting.faces), "face")]
    parts += [f"{sum(i.kind == kind for i in spotting.intervals)} {kind}" for kind in KINDS]
    if spotting.gaps:
        parts.append(counted(len(spotting.gaps), "gap"))
    if spotting.warnings:
        parts.append(counted(len(spotting.warnings), "warning"))
    return f"<Spotting {printable(spotting.source.name)}: {', '.join(parts)}>"


def result_html(spotting: Spotting) -> str:
    """A piece of a page: summary, timeline and the first intervals. No script, nothing to load."""
    head = f"<div><code>{escape(describe_result(spotting))}</code></div>"
    return f"<div>{head}{timeline_html(spotting)}{table_html(spotting.intervals)}</div>"


def timeline_html(spotting: Spotting) -> str:
    """The intervals of each face and kind as a lane of an SVG drawing; grey where unknown. It
    shrinks to the width there is.
    """
    ends = result_frame_ends(spotting)
    start, stop = float(spotting.frame_times[0]), float(ends[-1])
    length = max(stop - start, 1e-9)

    def box(a: float, b: float, lane: int, colour: str, title: str) -> str:
        x, width = LABEL + WIDTH * (a - start) / length, max(WIDTH * (b - a) / length, 1.5)
        return (
            f'<rect x="{x:.1f}" y="{lane * LANE + 3}" width="{width:.1f}" height="{LANE - 6}" '
            f'rx="2" fill="{colour}"><title>{escape(title)}</title></rect>'
        )

    lanes = named_lanes(spotting)
    parts = []
    for row, (name, face, kind, intervals) in enumerate(lanes):
        parts.append(f'<text x="0" y="{row * LANE + 13}">{escape(name)}</text>')
        middle = f'y1="{row * LANE + LANE / 2}" y2="{row * LANE + LANE / 2}"'
        parts.append(f'<line x1="{LABEL}" x2="{LABEL + WIDTH}" {middle} {LINE}/>')
        for gap in spotting.gaps:
            if gap.face == face:
                end = gap_end(gap, ends)
                parts.append(box(gap.start_s, end, row, GAP_COLOUR, f"unknown: {gap.reason}"))
        for i in intervals:
            end = float(ends[i.offset_frame])
            title = f"{i.kind} {i.onset_s:.2f}-{i.offset_s:.2f} s, score {i.score:.2f}"
            parts.append(box(i.onset_s, end, row, COLOURS[kind], title))
    height = len(lanes) * LANE
    legend = f'<text x="0" y="{height + 13}">grey: unknown</text>' if spotting.gaps else ""
    size = f"{LABEL + WIDTH} {height + LANE}"
    return (
        f'<svg viewBox="0 0 {size}" style="width: {LABEL + WIDTH}px; max-width: 100%" role="img" '
        'aria-label="timeline of expressions" font-family="sans-serif" font-size="11" '
        f'fill="currentColor">{"".join(parts)}{legend}{time_marks(start, stop, height)}</svg>'
    )


def time_marks(start: float, stop: float, top: int) -> str:
    """Times in seconds, from start to stop in equal steps, as SVG text below `top` pixels."""
    marks = ""
    for n in range(MARKS):
        share = n / (MARKS - 1)
        anchor = ("start", *["middle"] * (MARKS - 2), "end")[n]
        place = f'x="{LABEL + WIDTH * share:.0f}" y="{top + 13}" text-anchor="{anchor}"'
        marks += f"<text {place}>{start + share * (stop - start):.1f} s</text>"
    return marks


def table_html(intervals: tuple[SpottedInterval, ...]) -> str:
    """The first intervals as a table, and how many more there are."""
    if not intervals:
        return "<div>no expression found</div>"
    names = ("face", "kind", "onset (s)", "apex (s)", "offset (s)", "frames", "score")
    head = "".join(f"<th {CELL}>{name}</th>" for name in names)
    rows = ""
    for i in intervals[:SHOWN]:
        cells = (
            *(i.face, i.kind, f"{i.onset_s:.2f}", f"{i.apex_s:.2f}", f"{i.offset_s:.2f}"),
            *(f"{i.onset_frame}-{i.offset_frame}", f"{i.score:.2f}"),
        )
        rows += f"<tr>{''.join(f'<td {CELL}>{cell}</td>' for cell in cells)}</tr>"
    more = len(intervals) - SHOWN
    rest = f"<div>and {counted(more, 'more interval')}</div>" if more > 0 else ""
    return f"{TABLE}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{rest}"

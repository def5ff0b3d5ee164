"""Two drawings of a study as SVG: a raster plot of all expressions, and rates as bars.

Colours are those of the timeline; kinds are also told by height. Texts take the colour of the page.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fesnet.intervals import KINDS
from fesnet.report.timeline_svg import COLOURS
from fesnet.study.statistics import GroupStatistic
from fesnet.study.videos import Span, StudyVideo

WIDTH, LABELS_WIDTH, LINE_HEIGHT = 1100, 170, 18  # pixels
BARS_HEIGHT, BAR_WIDTH = 260, 46
HALF_HEIGHT = {"macro": 7.0, "micro": 4.0}  # of a mark, to either side of its line
MIN_MARK = 1.2  # pixels; shorter ones would not be seen
STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:currentColor}"
    ".faint{stroke:currentColor;stroke-opacity:.25}.axis{stroke:currentColor}"
    f".macro{{fill:{COLOURS['macro']}}}.micro{{fill:{COLOURS['micro']}}}</style>"
)


@dataclass(frozen=True)
class RasterLine:
    """A line of the raster plot: the videos of a participant in a group, one after another.

    parts: (video, its start on the line, s).
    """

    label: str
    group: str
    parts: tuple[tuple[StudyVideo, float], ...]

    @property
    def seconds(self) -> float:
        return max(at + v.end_s - v.start_s for v, at in self.parts)

    def spans(self, kind: str) -> list[Span]:
        """Where expressions of a kind lie on the line, s."""
        return [
            (e["onset_s"] - v.start_s + at, e["offset_s"] - v.start_s + at)
            for v, at in self.parts
            for e in v.expressions
            if e["kind"] == kind
        ]


def raster_lines(videos: Sequence[StudyVideo], by: str | None) -> list[RasterLine]:
    """A line a participant, and a group where `by` divides them; sorted by group."""
    grouped: dict[tuple[str, str], list[StudyVideo]] = {}
    for video in videos:
        key = (video.cell(by) if by else "", video.participant)
        grouped.setdefault(key, []).append(video)
    lines = []
    for (group, participant), some in sorted(grouped.items()):
        parts, at = [], 0.0
        for video in some:
            parts.append((video, at))
            at += video.end_s - video.start_s
        lines.append(RasterLine(participant, group, tuple(parts)))
    return lines


def draw_raster(videos: Sequence[StudyVideo], by: str | None = None) -> str:
    """The raster plot: one line a participant, a mark for each expression."""
    lines = raster_lines(videos, by)
    end = max([line.seconds for line in lines], default=1.0)
    scale = (WIDTH - LABELS_WIDTH - 15) / max(end, 1e-9)
    body, y, group = [], 24.0, None
    for line in lines:
        if by and line.group != group:
            group = line.group
            body.append(f'<text x="0" y="{y + 4:.0f}" font-weight="600">{escape(group)}</text>')
            y += LINE_HEIGHT + 2
        body.append(draw_raster_line(line, y, scale))
        y += LINE_HEIGHT
    body.append(draw_time_axis(end, scale, y))
    legend = "".join(draw_legend(kind, LABELS_WIDTH + 90 * n) for n, kind in enumerate(KINDS))
    return svg(WIDTH, y + 40, "all expressions, a line a participant", legend + "".join(body))


def draw_legend(kind: str, x: float) -> str:
    half = HALF_HEIGHT[kind]
    mark = f'<rect class="{kind}" x="{x}" y="{8 - half:g}" width="10" height="{2 * half:g}"/>'
    return f'{mark}<text x="{x + 15}" y="13">{kind}</text>'


def draw_raster_line(line: RasterLine, y: float, scale: float) -> str:
    """Name, known time as a thin line, a path of marks for each kind."""
    known = "".join(
        f"M{x_of(a - v.start_s + at, scale)} {y:g}H{x_of(b - v.start_s + at, scale)}"
        for v, at in line.parts
        for a, b in v.known
    )
    out = [f'<text x="12" y="{y + 4:.0f}">{escape(shorten(line.label))}</text>']
    out.append(f'<path class="faint" d="{known}"/>')
    for kind in KINDS:
        half = HALF_HEIGHT[kind]
        marks = "".join(
            f"M{x_of(a, scale)} {y - half:g}h{max((b - a) * scale, MIN_MARK):.1f}"
            f"v{2 * half:g}H{x_of(a, scale)}z"
            for a, b in line.spans(kind)
        )
        out.append(f'<path class="{kind}" d="{marks}"/>')
    return "".join(out)


def x_of(seconds: float, scale: float) -> str:
    return f"{LABELS_WIDTH + seconds * scale:.1f}"


def draw_time_axis(end: float, scale: float, y: float) -> str:
    step = nice_step(end, 10)
    marks = [n * step for n in range(int(end / step + 1e-9) + 1)]
    texts = "".join(
        f'<text x="{x_of(m, scale)}" y="{y + 18:.0f}" text-anchor="middle">{m:g}</text>'
        for m in marks
    )
    return (
        f'<path class="axis" d="M{LABELS_WIDTH} {y:g}H{x_of(end, scale)}"/>{texts}'
        f'<text x="12" y="{y + 18:.0f}">seconds</text>'
    )


def draw_rates(
    statistics: Sequence[GroupStatistic], rows: Sequence[dict[str, Any]], by: str
) -> str:
    """Mean rates by kind and group as bars with 95 % intervals, and each participant as a dot."""
    groups = list(dict.fromkeys(s.group for s in statistics if not s.test))
    values = [row[f"{kind}_per_minute"] or 0.0 for row in rows for kind in KINDS]
    rates = {(s.measure.split("_")[0], s.group): s for s in statistics if s.measure.endswith("e")}
    top = max([*values, *(s.high_95 or 0.0 for s in rates.values()), 0.1])
    step = nice_step(top, 5)
    top = step * math.ceil(top / step - 1e-9)
    panel = 60 + (BAR_WIDTH + 26) * len(groups)
    body = []
    for number, kind in enumerate(KINDS):
        left = 55 + number * panel
        body.append(draw_rate_axis(left, panel - 60, top, step, f"{kind} per minute"))
        for n, group in enumerate(groups):
            x = left + 14 + n * (BAR_WIDTH + 26)
            dots = [row[f"{kind}_per_minute"] for row in rows if row[by] == group]
            body.append(draw_bar(x, rates.get((kind, group)), [d for d in dots if d is not None],
                                 top, kind))  # fmt: skip
            middle = x + BAR_WIDTH / 2
            body.append(
                f'<text x="{middle:g}" y="{BARS_HEIGHT + 18}" text-anchor="middle">'
                f"{escape(shorten(group, 12))}</text>"
            )
    label = f"mean rates by {by}, with 95 % bootstrap intervals over participants"
    return svg(55 + panel * len(KINDS), BARS_HEIGHT + 34, label, "".join(body))


def draw_rate_axis(left: float, width: float, top: float, step: float, title: str) -> str:
    marks = [n * step for n in range(round(top / step) + 1)]
    lines = "".join(
        f'<path class="faint" d="M{left:g} {y_of(m, top)}h{width:g}"/>'
        f'<text x="{left - 6:g}" y="{float(y_of(m, top)) + 4:.0f}" text-anchor="end">{m:g}</text>'
        for m in marks
    )
    return f'<text x="{left:g}" y="14" font-weight="600">{title}</text>{lines}'


def draw_bar(
    x: float, found: GroupStatistic | None, dots: Sequence[float], top: float, kind: str
) -> str:
    """A bar up to the mean, its interval as a line, and dots beside the middle."""
    if found is None or found.mean is None:
        return ""
    middle, y = x + BAR_WIDTH / 2, y_of(found.mean, top)
    out = [
        f'<rect class="{kind}" fill-opacity=".55" x="{x:g}" y="{y}" width="{BAR_WIDTH}" '
        f'height="{BARS_HEIGHT - float(y):.1f}"/>'
    ]
    out += [
        f'<circle class="{kind}" cx="{middle + 5 * (n % 3 - 1):g}" cy="{y_of(d, top)}" r="2.5"/>'
        for n, d in enumerate(dots)
    ]
    if found.low_95 is not None and found.high_95 is not None:
        low, high = y_of(found.low_95, top), y_of(found.high_95, top)
        out.append(
            f'<path class="axis" fill="none" stroke-width="1.5" d="M{middle:g} {low}V{high}'
            f'M{middle - 6:g} {low}h12M{middle - 6:g} {high}h12"/>'
        )
    return "".join(out)


def y_of(value: float, top: float) -> str:
    return f"{BARS_HEIGHT - value / top * (BARS_HEIGHT - 30):.1f}"


def nice_step(end: float, marks: int) -> float:
    """The smallest of 1, 2, 5, 10, ... (or 0.1, 0.2, ...) that makes no more marks than that."""
    size = 10.0 ** math.floor(math.log10(max(end, 1e-9) / marks))
    return next(size * n for n in (1, 2, 5, 10, 20) if end / (size * n) <= marks)


def shorten(text: str, most: int = 24) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def escape(text: str) -> str:
    return html.escape(text, quote=True)


def svg(width: float, height: float, label: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" aria-label="{escape(label)}">{STYLE}'
        f"<title>{escape(label)}</title>{body}</svg>"
    )

"""The whole timeline as one static SVG: for print, and where scripts are not allowed."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from fesnet._messages import format_clock, format_span
from fesnet._types import FloatArray
from fesnet.intervals import KINDS, Interval
from fesnet.report.score_view import below_threshold, compared_by, score_name, summed
from fesnet.result import FaceTrack, SpottedInterval, Spotting
from fesnet.timing import video_end

WIDTH, LEFT, CURVE_HEIGHT, LANE_HEIGHT = (
    1100,
    90,
    120,
    26,
)  # pixels of the drawing: whole width, labels, curve height, lane height
COLOURS = {
    "macro": "#0072b2",
    "micro": "#b84e00",
}  # told apart by colour-blind eyes (Okabe and Ito, darkened)
LabelledTime = tuple[str, float, float]  # a marker: what it is, and its start and end in s
MAX_POINTS = 2000  # of a curve; more than the drawing has pixels would only swell the page


def draw_timeline_svg(
    spotting: Spotting,
    track: FaceTrack,
    truth: tuple[Interval, ...],
    markers: Sequence[LabelledTime] = (),
) -> str:
    """An SVG with the score curves of one face over lanes of found and true intervals; markers as
    boxes below them.
    """
    end = video_end(spotting.frame_times, spotting.working_rate)
    scale = (WIDTH - LEFT - 10) / end
    lanes: list[tuple[str, list[tuple[str, float, float]]]] = [
        (
            "found",
            [(i.kind, i.onset_s, i.offset_s) for i in spotting.intervals if i.face == track.face],
        )
    ]
    if truth:
        times, last = (
            spotting.frame_times,
            len(spotting.frame_times) - 1,
        )  # a truth may be longer than a cut video
        spans = [(t.kind, min(t.start, last), min(t.stop - 1, last)) for t in truth]
        lanes.append(("truth", [(kind, float(times[a]), float(times[b])) for kind, a, b in spans]))
    body = [draw_gap(g.start_s, g.stop_s, scale) for g in spotting.gaps if g.face == track.face]
    body += [draw_curve_svg(track.times, track.scores[:, n], k, scale) for n, k in enumerate(KINDS)]
    compared = compared_by(spotting)
    if compared == "sum":
        body.append(draw_curve_svg(track.times, summed(track), "sum", scale))
    body.append(draw_names(compared, score_name(spotting)))
    body += [draw_threshold(k, spotting.rules.of(k, "threshold")) for k in KINDS]
    levels = ((below_threshold(spotting), True), (spotting.intervals, False))
    body += [
        draw_level(i, scale, faint) for some, faint in levels for i in some if i.face == track.face
    ]
    top = CURVE_HEIGHT + 12
    body += [
        draw_bars(name, rows, top + n * LANE_HEIGHT, scale) for n, (name, rows) in enumerate(lanes)
    ]
    bottom = top + len(lanes) * LANE_HEIGHT
    if markers:
        body.append(draw_markers(markers, bottom, scale, end))
        bottom += LANE_HEIGHT
    body += draw_axis(end, scale, bottom)
    height = bottom + 40
    label = f"face {track.face}: scores and intervals over {end:.1f} seconds"
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{"".join(body)}</svg>'
    )


def drawn_tracks(spotting: Spotting) -> tuple[FaceTrack, ...]:
    """The tracks of all faces; without any face, one unknown track, so that its gap is drawn."""
    if spotting.faces or not spotting.gaps:
        return spotting.faces
    return (
        FaceTrack(spotting.gaps[0].face, np.zeros(1), np.full((1, 2), np.nan), np.full(1, np.nan)),
    )


def draw_gap(start: float, stop: float, scale: float) -> str:
    """Slanted lines where the face is unknown, each cut at the gap's ends."""
    left, right = LEFT + start * scale, LEFT + max(stop * scale, start * scale + 2)
    lines = []
    for x in np.arange(left - CURVE_HEIGHT + 10, right, 8):
        a, b = max(x, left), min(x + CURVE_HEIGHT - 10, right)
        if a < b:
            lines.append(f"M{a:.1f} {CURVE_HEIGHT - a + x:.1f}L{b:.1f} {CURVE_HEIGHT - b + x:.1f}")
    tip = f"<title>unknown {format_span(start, stop)}</title>"
    stroke = 'stroke="currentColor" stroke-width="0.5"'
    return f'<path class="gap" d="{"".join(lines)}" {stroke}>{tip}</path>'


def draw_curve_svg(times: FloatArray, scores: FloatArray, kind: str, scale: float) -> str:
    """One score curve (T,), broken where the face is unknown; "sum" is the ink of the page."""
    step = max(1, len(times) // MAX_POINTS)
    pieces, pen = [], "M"
    for t, s in zip(times[::step], max_pool(scores, step), strict=True):
        if np.isnan(s):
            pen = "M"
            continue
        pieces.append(f"{pen}{LEFT + t * scale:.1f} {height_of(s):.1f}")
        pen = "L"
    stroke = f'stroke="{COLOURS.get(kind, "currentColor")}"'
    dashes = ' stroke-dasharray="5 2"' if kind == "micro" else ""
    width = 1.5 if kind == "sum" else 1
    path = f'd="{"".join(pieces)}" fill="none"'
    return f'<path class="curve {kind}" {path} {stroke} stroke-width="{width}"{dashes}/>'


def height_of(score: float) -> float:
    """Where a score or probability lies in the drawing, pixels from the top."""
    return 10 + (1 - score) * (CURVE_HEIGHT - 10)


def draw_names(compared: str, name: str) -> str:
    """The axis of the curves: 0 and 1, and what the bars are."""
    what = {"sum": "sum, scores", "kinds": "scores", "check": "probability"}[compared]
    return (
        f'<text x="0" y="30">{what}</text><text x="{LEFT - 6}" y="14" text-anchor="end">1</text>'
        f'<text x="{LEFT - 6}" y="{CURVE_HEIGHT}" text-anchor="end">0</text>'
        f"<desc>bars lie at the height of the {name}</desc>"
    )


def draw_threshold(kind: str, level: float) -> str:
    """The threshold of one kind: a dotted line with its number at the right end."""
    y, first = height_of(level), kind == "macro"
    line = (
        f'<line class="threshold" x1="{LEFT}" x2="{WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" '
        f'stroke="{COLOURS[kind]}" stroke-dasharray="2 6" stroke-dashoffset="{0 if first else 4}"/>'
    )
    x = WIDTH - 90 if first else WIDTH
    return (
        f'{line}<text class="small" x="{x}" y="{y - 3:.1f}" text-anchor="end" '
        f'style="fill:{COLOURS[kind]}">{kind} {level:g}</text>'
    )


def draw_level(i: SpottedInterval, scale: float, faint: bool) -> str:
    """A bar at the height of an interval's score, the length of the interval."""
    y, x, end = height_of(i.score), LEFT + i.onset_s * scale, LEFT + i.offset_s * scale
    look = 'stroke-width="2" stroke-opacity="0.45"' if faint else 'stroke-width="3"'
    name = "level faint" if faint else "level"
    tip = f"<title>{i.kind} {i.score:.2f}, {format_span(i.onset_s, i.offset_s)}</title>"
    return (
        f'<line class="{name}" x1="{x:.1f}" x2="{max(end, x + 2):.1f}" y1="{y:.1f}" y2="{y:.1f}" '
        f'stroke="{COLOURS[i.kind]}" {look}>{tip}</line>'
    )


def max_pool(scores: np.ndarray, step: int) -> np.ndarray:
    """The highest score of each `step` steps, so that a short peak stays visible."""
    padded = np.concatenate([scores, np.full(-len(scores) % step, np.nan)]).reshape(-1, step)
    unknown = np.isnan(padded).all(1)
    return np.where(unknown, np.nan, np.nanmax(np.where(np.isnan(padded), -1.0, padded), 1))


def draw_bars(name: str, rows: list[tuple[str, float, float]], y: float, scale: float) -> str:
    """A lane of bars; micro-expressions are lower."""
    out = [f'<text x="0" y="{y + 15}">{name}</text>']
    for kind, a, b in rows:
        inset = 0 if kind == "macro" else 4
        box = f'x="{LEFT + a * scale:.1f}" y="{y + inset}" width="{max((b - a) * scale, 2):.1f}"'
        tip = f"<title>{kind} {format_span(a, b)}</title>"
        out.append(
            f'<rect {box} height="{LANE_HEIGHT - 6 - 2 * inset}" rx="3" '
            f'fill="{COLOURS[kind]}">{tip}</rect>'
        )
    return "".join(out)


def draw_markers(markers: Sequence[LabelledTime], y: float, scale: float, end: float) -> str:
    """A lane of labelled boxes."""
    out = [f'<text x="0" y="{y + 15}">markers</text>']
    for label, start, stop in markers:
        text, left = html.escape(label), LEFT + start * scale
        width = max((min(stop, end) - start) * scale, 2)
        box = f'x="{left:.1f}" y="{y}" width="{width:.1f}" height="{LANE_HEIGHT - 6}"'
        tip = f"<title>{text} {start:.2f}-{stop:.2f} s</title>"
        out.append(f'<rect {box} fill="none" stroke="currentColor">{tip}</rect>')
        if width > 8 * len(label):
            out.append(f'<text x="{left + 4:.1f}" y="{y + 15}">{text}</text>')
    return "".join(out)


def draw_axis(end: float, scale: float, y: float) -> list[str]:
    """Seconds below the lanes, at round steps."""
    steps = [
        s
        for s in (0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800)
        if end / s <= 14 and (end < 60 or s >= 1)
    ]
    steps = steps or [3600.0]
    marks = np.arange(0, end + 1e-9, steps[0])
    line = (
        f'<line x1="{LEFT}" x2="{LEFT + end * scale:.1f}" y1="{y}" y2="{y}" stroke="currentColor"/>'
    )
    texts = [
        f'<text x="{LEFT + m * scale:.1f}" y="{y + 18}" text-anchor="middle">{name}</text>'
        for m, name in zip(marks, axis_names(marks), strict=True)
    ]
    unit = "seconds" if end < 60 else "m:ss"
    return [line, *texts, f'<text x="0" y="{y + 18}">{unit}</text>']


def axis_names(marks: FloatArray) -> list[str]:
    """Seconds up to a minute, else minutes and seconds."""
    if len(marks) and marks[-1] >= 60:
        return [format_clock(float(m)).removesuffix(".0") for m in marks]
    return [f"{m:g}" for m in marks]

"""The whole timeline as one static SVG: for print, and where scripts are not allowed."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from fesnet.intervals import KINDS, Interval
from fesnet.result import FaceTrack, Spotting
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
    body += [draw_curve_svg(track, column, kind, scale) for column, kind in enumerate(KINDS)]
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
    tip = f"<title>unknown {start:.2f}-{stop:.2f} s</title>"
    stroke = 'stroke="currentColor" stroke-width="0.5"'
    return f'<path class="gap" d="{"".join(lines)}" {stroke}>{tip}</path>'


def draw_curve_svg(track: FaceTrack, column: int, kind: str, scale: float) -> str:
    """One score curve, broken where the face is unknown, and its name at the left."""
    step = max(1, len(track.times) // MAX_POINTS)
    pieces, pen = [], "M"
    for t, s in zip(track.times[::step], max_pool(track.scores[:, column], step), strict=True):
        if np.isnan(s):
            pen = "M"
            continue
        pieces.append(f"{pen}{LEFT + t * scale:.1f} {10 + (1 - s) * (CURVE_HEIGHT - 10):.1f}")
        pen = "L"
    name = f'<text x="0" y="{30 + 20 * column}" style="fill:{COLOURS[kind]}">{kind} score</text>'
    style = f'fill="none" stroke="{COLOURS[kind]}" stroke-width="1.5"'
    return f'{name}<path d="{"".join(pieces)}" {style}/>'


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
        tip = f"<title>{kind} {a:.2f}-{b:.2f} s</title>"
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
    steps = [s for s in (0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800) if end / s <= 14] or [3600.0]
    marks = np.arange(0, end + 1e-9, steps[0])
    line = (
        f'<line x1="{LEFT}" x2="{LEFT + end * scale:.1f}" y1="{y}" y2="{y}" stroke="currentColor"/>'
    )
    texts = [
        f'<text x="{LEFT + m * scale:.1f}" y="{y + 18}" text-anchor="middle">{m:g}</text>'
        for m in marks
    ]
    return [line, *texts, f'<text x="0" y="{y + 18}">seconds</text>']

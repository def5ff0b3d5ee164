"""One self-contained HTML page for a result: score curves and intervals over time, the table, where it came from."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fesnet._files import write_whole
from fesnet.intervals import KINDS, Interval
from fesnet.result import FaceTrack, SpottedInterval, Spotting

WIDTH, LEFT, CURVE, LANE = 1100, 90, 120, 26  # pixels of the drawing: whole width, labels, curve height, lane height
COLOURS = {"macro": "#0072b2", "micro": "#d55e00"}  # told apart by colour-blind eyes (Okabe and Ito)
POINTS = 2000  # of a curve; more than the drawing has pixels would only swell the page

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 1140px; margin: 2rem auto; padding: 0 1rem; }}
svg {{ width: 100%; height: auto; display: block; margin: 1rem 0; }}
svg text {{ font-size: 13px; fill: currentColor; }}
table {{ border-collapse: collapse; }} th, td {{ padding: .25rem .8rem; text-align: right; }}
th {{ border-bottom: 2px solid; }} td {{ border-bottom: 1px solid #8886; font-variant-numeric: tabular-nums; }}
.scroll {{ overflow-x: auto; }} dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; }}
dd {{ margin: 0; overflow-wrap: anywhere; }} summary {{ cursor: pointer; }}
@media print {{ body {{ max-width: none; margin: 0; }} }}
</style></head><body>
<h1>{title}</h1><p>{summary}</p>
{drawings}
<h2>Expressions</h2><div class="scroll">{table}</div>
{notes}
<h2>Where this came from</h2><dl>{origin}</dl>
<details><summary>Model and rules</summary><pre>{details}</pre></details>
</body></html>
"""


def write_report(spotting: Spotting, path: Path, truth: Iterable[Interval] = ()) -> None:
    """Write the page, whole or not at all. truth: intervals on source frames to be drawn below the found ones."""
    name = html.escape(spotting.source.name)
    details = json.dumps({"rules": spotting.rules.to_dict(), **spotting.provenance}, indent=1)
    known = tuple(truth)
    page = PAGE.format(
        title=f"Expressions in {name}",
        summary=summary(spotting),
        drawings="\n".join(drawing(spotting, track, known) for track in spotting.faces),
        table=table(spotting.intervals),
        notes=notes(spotting),
        origin=origin(spotting),
        details=html.escape(details),
    )
    write_whole(path, page)


def summary(spotting: Spotting) -> str:
    """Counts and rates in one line."""
    minutes = max(float(spotting.frame_times[-1]), 1e-9) / 60
    counts = {k: sum(i.kind == k for i in spotting.intervals) for k in KINDS}
    parts = [f"{counts[k]} {k}-expressions ({counts[k] / minutes:.1f} a minute)" for k in KINDS]
    return f"{' and '.join(parts)} in {minutes * 60:.1f} s, {len(spotting.faces)} face(s)."


def drawing(spotting: Spotting, track: FaceTrack, truth: tuple[Interval, ...]) -> str:
    """An SVG with the score curves of one face over lanes of found and true intervals."""
    end = max(float(spotting.frame_times[-1]), float(track.times[-1]), 1e-3)
    scale = (WIDTH - LEFT - 10) / end
    lanes: list[tuple[str, list[tuple[str, float, float]]]] = [
        ("found", [(i.kind, i.onset_s, i.offset_s) for i in spotting.intervals if i.face == track.face])
    ]
    if truth:
        times, last = spotting.frame_times, len(spotting.frame_times) - 1  # a truth may be longer than a cut video
        spans = [(t.kind, min(t.start, last), min(t.stop - 1, last)) for t in truth]
        lanes.append(("truth", [(kind, float(times[a]), float(times[b])) for kind, a, b in spans]))
    body = [curve(track, column, kind, scale) for column, kind in enumerate(KINDS)]
    body += [bars(name, rows, CURVE + 12 + n * LANE, scale) for n, (name, rows) in enumerate(lanes)]
    bottom = CURVE + 12 + len(lanes) * LANE
    body += axis(end, scale, bottom)
    height = bottom + 40
    label = f"face {track.face}: scores and intervals over {end:.1f} seconds"
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{"".join(body)}</svg>'


def curve(track: FaceTrack, column: int, kind: str, scale: float) -> str:
    """One score curve, broken where the face is unknown, and its name at the left."""
    step = max(1, len(track.times) // POINTS)
    pieces, pen = [], "M"
    for t, s in zip(track.times[::step], pooled(track.scores[:, column], step), strict=True):
        if np.isnan(s):
            pen = "M"
            continue
        pieces.append(f"{pen}{LEFT + t * scale:.1f} {10 + (1 - s) * (CURVE - 10):.1f}")
        pen = "L"
    name = f'<text x="0" y="{30 + 20 * column}" style="fill:{COLOURS[kind]}">{kind} score</text>'
    return f'{name}<path d="{"".join(pieces)}" fill="none" stroke="{COLOURS[kind]}" stroke-width="1.5"/>'


def pooled(scores: np.ndarray, step: int) -> np.ndarray:
    """The highest score of each `step` ticks, so that a short peak stays visible."""
    padded = np.concatenate([scores, np.full(-len(scores) % step, np.nan)]).reshape(-1, step)
    unknown = np.isnan(padded).all(1)
    return np.where(unknown, np.nan, np.nanmax(np.where(np.isnan(padded), -1.0, padded), 1))


def bars(name: str, rows: list[tuple[str, float, float]], y: float, scale: float) -> str:
    """A lane of bars; micro-expressions are also told by their shorter height."""
    out = [f'<text x="0" y="{y + 15}">{name}</text>']
    for kind, a, b in rows:
        inset = 0 if kind == "macro" else 4
        box = f'x="{LEFT + a * scale:.1f}" y="{y + inset}" width="{max((b - a) * scale, 2):.1f}"'
        tip = f"<title>{kind} {a:.2f}-{b:.2f} s</title>"
        out.append(f'<rect {box} height="{LANE - 6 - 2 * inset}" rx="3" fill="{COLOURS[kind]}">{tip}</rect>')
    return "".join(out)


def axis(end: float, scale: float, y: float) -> list[str]:
    """Seconds below the lanes, at round steps."""
    steps = [s for s in (0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800) if end / s <= 14] or [3600.0]
    marks = np.arange(0, end + 1e-9, steps[0])
    line = f'<line x1="{LEFT}" x2="{LEFT + end * scale:.1f}" y1="{y}" y2="{y}" stroke="currentColor"/>'
    texts = [f'<text x="{LEFT + m * scale:.1f}" y="{y + 18}" text-anchor="middle">{m:g}</text>' for m in marks]
    return [line, *texts, f'<text x="0" y="{y + 18}">seconds</text>']


def table(intervals: tuple[SpottedInterval, ...]) -> str:
    if not intervals:
        return "<p>No expression was found.</p>"
    columns = ("face", "kind", "onset s", "apex s", "offset s", "first frame", "last frame", "score")
    head = "".join(f"<th>{c}</th>" for c in columns)
    rows = []
    for i in intervals:
        seconds = [f"{t:.2f}" for t in (i.onset_s, i.apex_s, i.offset_s)]
        rows.append((i.face, i.kind, *seconds, i.onset_frame, i.offset_frame, f"{i.score:.2f}"))
    body = "".join("<tr>" + "".join(f"<td>{v}</td>" for v in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def notes(spotting: Spotting) -> str:
    """Gaps and warnings, if there are any."""
    lines = [f"face {g.face} unknown from {g.start_s:.2f} to {g.stop_s:.2f} s ({g.reason})" for g in spotting.gaps]
    lines += spotting.warnings
    if not lines:
        return ""
    return "<h2>Gaps and warnings</h2><ul>" + "".join(f"<li>{html.escape(x)}</li>" for x in lines) + "</ul>"


def origin(spotting: Spotting) -> str:
    """Source and weights; accuracy on real faces must not be read into synthetic training."""
    s, p = spotting.source, spotting.provenance
    rows = {
        "source": s.path or s.name,
        "sha256": s.sha256 or "not a file",
        "picture": f"{s.width} x {s.height}, {s.rate or 'unknown'} frames a second",
        "fesnet": p.get("fesnet", ""),
        "weights": f"{p.get('weights', '')} ({p.get('weights_sha256', '')})",
        "trained on": p.get("trained_on", ""),
    }
    return "".join(f"<dt>{k}</dt><dd>{html.escape(str(v))}</dd>" for k, v in rows.items())

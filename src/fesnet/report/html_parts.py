"""The parts of the report page as HTML; escapes every text that comes from outside."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from fesnet._io import file_exists, resolve_path
from fesnet._messages import counted, format_clock, format_span, format_time
from fesnet.intervals import KINDS, Interval
from fesnet.report.context_view import blink_cells, context_html, context_values, flag_values
from fesnet.report.methods import format_rate
from fesnet.report.pictures import IntervalPictures
from fesnet.report.score_view import below_threshold, compared_by, score_name, summed
from fesnet.report.timeline_svg import LabelledTime
from fesnet.result import SpottedInterval, Spotting
from fesnet.timing import video_end

PLAYABLE = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".webm": "video/webm",
    ".ogv": "video/ogg",
    ".mov": "video/mp4",
}


def summary_html(spotting: Spotting) -> str:
    """Counts, rates and durations; rates are of the time in which a face was known."""
    known = spotting.known_seconds
    cells = [
        ("length", f"{spotting.seconds:.2f} s", clock_beside(spotting.seconds)),
        ("without a face", f"{spotting.seconds - known:.2f} s", counted(len(spotting.gaps), "gap")),
    ]
    for kind in KINDS:
        some = [i for i in spotting.intervals if i.kind == kind]
        rate = f"{60 * len(some) / known:.1f} a minute" if known else ""
        cells.append((f"{kind}-expressions", str(len(some)) if known else "-", rate))
        times = [i.offset_s - i.onset_s for i in some]
        if times:
            spread = f"median, {min(times):.2f}-{max(times):.2f} s" if len(times) > 1 else ""
            cells.append((f"{kind} duration", f"{np.median(times):.2f} s", spread))
    cells += blink_cells(spotting)
    rows = "".join(
        f"<div><dt>{a}</dt><dd><span>{b}</span> <small>{c}</small></dd></div>" for a, b, c in cells
    )
    return f'<dl class="numbers">{rows}</dl>'


def clock_beside(seconds: float) -> str:
    """The clock of a time beyond a minute, else nothing."""
    return format_clock(seconds) if seconds >= 60 else ""


def no_player_html(why: str) -> str:
    return f'<p class="note">The video cannot be shown here: {html.escape(why)}.</p>'


def player_html(video: Path, page: Path, embed: int) -> str:
    """The video: embedded up to `embed` bytes, else linked; a note where it cannot be shown."""
    if not file_exists(video):
        return no_player_html("it is a folder of images")
    kind = PLAYABLE.get(video.suffix.lower())
    if kind is None:
        name = html.escape(video.name)
        note = f"Browsers do not play such files; open {name} in a player beside this page."
        return f'<p class="note">{note}</p>'
    sorry = "This browser cannot play the video; open it in a player beside this page."
    note = f'<p class="note" id="no-video" hidden>{sorry}</p>'
    if video.stat().st_size <= embed:
        source = f"data:{kind};base64,{base64.b64encode(video.read_bytes()).decode()}"
    else:
        source = relative_url(video, page)
    attributes = f'preload="metadata" src="{html.escape(source)}" aria-label="the video"'
    return f"<video controls {attributes}></video>{note}"


def relative_url(video: Path, page: Path) -> str:
    """The URL of the video relative to the page; absolute if it is not below the page's folder."""
    try:
        path = resolve_path(video).relative_to(resolve_path(page).parent)
        return quote(path.as_posix())
    except ValueError:
        return resolve_path(video).as_uri()


def cards_html(spotting: Spotting, pictures: dict[int, IntervalPictures]) -> str:
    """A card for each interval."""
    intervals = spotting.intervals
    if not intervals:
        return f"<p>No {'expression' if spotting.known_seconds else 'face'} was found.</p>"
    several, name = len({i.face for i in intervals}) > 1, score_name(spotting)
    cards = (
        card_html(k, i, pictures.get(k), several, name, context_html(spotting.context(i)))
        for k, i in enumerate(intervals)
    )
    return f'<ol class="cards">{"".join(cards)}</ol>'


def card_html(
    number: int,
    i: SpottedInterval,
    pictures: IntervalPictures | None,
    several: bool,
    name: str,
    context: str,
) -> str:
    face = f"face {i.face}, " if several else ""
    kind = f'<span class="kind {i.kind}">{i.kind}</span>'
    head = f"{kind} <strong>{format_span(i.onset_s, i.offset_s)}</strong>"
    button = f'<button type="button" aria-label="go to {i.onset_s:.2f} seconds">go there</button>'
    facts = (
        f"{face}{i.offset_s - i.onset_s:.2f} s long, apex {format_time(i.apex_s)}, "
        f"{name} {i.score:.2f}, "
        f'<span class="kept">frames {i.onset_frame}-{i.offset_frame}</span>'
    )
    return (
        f'<li class="card" data-id="{number}" aria-current="false"><header>{head} {button}</header>'
        f"{context}<p>{facts}</p>{pictures_html(pictures)}</li>"
    )


def pictures_html(pictures: IntervalPictures | None) -> str:
    """The four pictures, or nothing."""
    if pictures is None:
        return ""
    named = {
        "onset": pictures.onset,
        "apex": pictures.apex,
        "offset": pictures.offset,
        "change": pictures.heatmap,
    }
    figures = [
        f'<figure><img alt="face at {name}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
        f"<figcaption>{name}</figcaption></figure>"
        for name, data in named.items()
        if data is not None
    ]
    return (
        f'<div class="pictures">{"".join(figures)}</div>'
        if figures
        else "<p>no face found in these frames</p>"
    )


def notes_html(spotting: Spotting) -> str:
    """Gaps and warnings, if there are any."""
    lines = [
        f"face {g.face} unknown from {format_span(g.start_s, g.stop_s)} ({g.reason})"
        for g in spotting.gaps
    ]
    lines += spotting.warnings
    if not lines:
        return ""
    return (
        "<h2>Gaps and warnings</h2><ul>"
        + "".join(f"<li>{html.escape(x)}</li>" for x in lines)
        + "</ul>"
    )


def provenance_html(spotting: Spotting) -> str:
    """Source, version and weights of the result, with what the weights were trained on."""
    s, p = spotting.source, spotting.provenance
    rows = {
        "source": s.path or s.name,
        "sha256": s.sha256 or "not a file",
        "picture": f"{s.width} x {s.height}, {format_rate(spotting)} frames a second",
        "fesnet": p.get("fesnet", ""),
        "weights": f"{p.get('weights', '')} (sha256 {p.get('weights_sha256', '')})",
        "trained on": p.get("trained_on", ""),
    }
    return "".join(f"<dt>{k}</dt><dd>{html.escape(str(v))}</dd>" for k, v in rows.items())


def timeline_json(
    spotting: Spotting, truth: Sequence[Interval], markers: Sequence[LabelledTime] = ()
) -> str:
    """What `timeline.js` draws, as JSON that is safe inside a page."""
    times, last = (
        spotting.frame_times,
        len(spotting.frame_times) - 1,
    )  # a truth may be longer than a cut video
    rules = spotting.rules
    values = {
        "compared": compared_by(spotting),
        "score_name": score_name(spotting),
        "duration": video_end(times, spotting.working_rate),
        "tracks": [
            {
                "face": t.face,
                "times": round_times(t.times),
                **{k: round_scores(t.scores[:, n]) for n, k in enumerate(KINDS)},
                **({"sum": round_scores(summed(t))} if compared_by(spotting) == "sum" else {}),
            }
            for t in spotting.faces
        ],
        "intervals": [
            {"id": k, **interval_values(i), **context_values(spotting.context(i))}
            for k, i in enumerate(spotting.intervals)
        ],
        "flags": flag_values(spotting),
        "candidates": [interval_values(i) for i in below_threshold(spotting)],
        "gaps": [
            {"face": g.face, "start_s": g.start_s, "stop_s": g.stop_s, "reason": g.reason}
            for g in spotting.gaps
        ],
        "thresholds": {k: rules.of(k, "threshold") for k in KINDS},
        "truth": [
            {
                "kind": t.kind,
                "onset_s": float(times[min(t.start, last)]),
                "offset_s": float(times[min(t.stop - 1, last)]),
            }
            for t in truth
        ],
        "markers": [{"label": m, "start_s": a, "end_s": b} for m, a, b in markers],
    }
    return json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")


def interval_values(i: SpottedInterval) -> dict[str, Any]:
    times = {"onset_s": i.onset_s, "apex_s": i.apex_s, "offset_s": i.offset_s}
    return {"face": i.face, "kind": i.kind, "score": i.score, **times}


def round_times(times: np.ndarray) -> list[float]:
    return [round(float(t), 4) for t in times]


def round_scores(scores: np.ndarray) -> list[float | None]:
    """Scores to four digits, as those of intervals; None where unknown."""
    return [None if np.isnan(s) else round(float(s), 4) for s in scores]

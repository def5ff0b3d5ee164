"""One self-contained HTML page for a result: the video, a timeline to walk through, pictures, where
it came from.

Nothing is loaded from elsewhere: scripts, styles and pictures are in the page, and its policy
forbids the rest.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable
from pathlib import Path

from fesnet._io import atomic_write_text, file_sha256
from fesnet.errors import FesnetError, UsageError
from fesnet.intervals import Interval
from fesnet.report import page as parts
from fesnet.report.drawing import drawing, tracks_of
from fesnet.report.pictures import Pictures, take_pictures
from fesnet.report.web import part
from fesnet.result import Spotting

EMBED = 40_000_000  # bytes up to which a video is put into the page
ABOUT = """<p>Each card shows the face at onset, apex and offset, cut out and turned upright. <b>change</b> is the apex
with a map laid over it: how far the network's features of each place (attended features of LSDM, 12 x 12 places) lie
from those of the onset; bright is far. All maps of a page have one scale. It shows where the network saw a difference,
which light, a turn of the head or speech can make, too.</p>"""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title><style>{style}</style></head><body><main>
<h1>{title}</h1>
<div class="top"><div>{player}</div><div>{numbers}</div></div>
<div class="screen" id="timeline"></div>
<p class="screen">Click or use the arrow keys to move, <kbd>+</kbd> <kbd>-</kbd> or the wheel to zoom,
<kbd>[</kbd> <kbd>]</kbd> to go from expression to expression.</p>
<div class="still">{drawings}</div><noscript>{drawings}</noscript>
<h2>Expressions</h2>{about}{cards}
{notes}
<h2>Where this came from</h2><dl class="origin">{origin}</dl>
<details><summary>Model and rules</summary><pre>{details}</pre></details>
</main><script type="application/json" id="data">{data}</script><script>{script}</script>
</body></html>
"""


def write_report(
    spotting: Spotting,
    path: Path,
    truth: Iterable[Interval] = (),
    *,
    video: Path | None = None,
    embed: int = EMBED,
) -> str:
    """Write the page, whole or not at all; returns a line on what it lacks and why, empty if it
    lacks nothing.

    truth: intervals on source frames to be drawn below the found ones. video: where the source is
    now, default where the result says. embed: bytes up to which the video is put into the page;
    larger ones are linked. Raises UsageError, also for a `video` that is not the one that was
    spotted.
    """
    shown, gone = find_video(spotting, video)
    known = tuple(truth)
    pictures, why = ({}, gone) if shown is None else pictures_of(spotting, shown)
    note = (
        f'<p class="note">No pictures: {html.escape(why)}.</p>'
        if why and spotting.intervals
        else ""
    )
    title = f"Expressions in {html.escape(spotting.source.name)}"
    script = part("timeline.js") + part("report.js")
    details = json.dumps({"rules": spotting.rules.to_dict(), **spotting.provenance}, indent=1)
    text = PAGE.format(
        policy=policy(script),
        title=title,
        style=part("style.css") + part("report.css"),
        player=parts.player(shown, path, embed) if shown else parts.no_player(gone),
        numbers=parts.numbers(spotting),
        drawings="\n".join(drawing(spotting, track, known) for track in tracks_of(spotting)),
        about=ABOUT if pictures else note,
        cards=parts.cards(spotting, pictures),
        notes=parts.notes(spotting),
        origin=parts.origin(spotting),
        details=html.escape(details),
        data=parts.timeline_data(spotting, known),
        script=script,
    )
    atomic_write_text(path, text)
    return f"{'no video, ' if gone else ''}no pictures: {why}" if why else ""


def find_video(spotting: Spotting, named: Path | None) -> tuple[Path | None, str]:
    """The video that was spotted, or none and why: at the place that is named, else where the
    result says. Raises UsageError for another one that is named."""
    source = spotting.source
    video = named or (Path(source.path) if source.path else None)
    if video is None:
        return None, "the result names no file"
    try:
        if not video.exists():
            return None, f"the video is not where the result says ({video})"
        if source.sha256 is None or (video.is_file() and file_sha256(video) == source.sha256):
            return video, ""
    except OSError as error:
        return None, f"{video} cannot be read ({error.strerror})"
    if named is not None:
        raise UsageError(
            f"expected {source.name} as it was spotted, got another file in {named}; name that "
            "video, or spot this one"
        )
    return None, f"{video} has changed since it was spotted"


def pictures_of(spotting: Spotting, video: Path) -> tuple[dict[int, Pictures], str]:
    """Pictures, or none and why there are none."""
    if not spotting.intervals:
        return {}, ""
    try:
        return take_pictures(spotting, video), ""
    except FesnetError as error:
        return {}, str(error)


def policy(script: str) -> str:
    """Nothing from elsewhere: the one script by its checksum, pictures and a small video from
    inside the page.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src "
        "data:; "
        "media-src 'self' data: file:; base-uri 'none'; form-action 'none'"
    )

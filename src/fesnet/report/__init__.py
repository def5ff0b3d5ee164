"""One self-contained HTML page for a result: video, timeline, pictures of expressions, provenance.

Scripts, styles and pictures are inside the page; its content security policy forbids all else.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from fesnet._io import atomic_write_text
from fesnet.errors import FesnetError, UsageError
from fesnet.intervals import Interval
from fesnet.report import html_parts as parts
from fesnet.report.context_view import MOVED_NOTE
from fesnet.report.legend import legend_html
from fesnet.report.methods import methods_text, rules_html
from fesnet.report.pictures import IntervalPictures, take_pictures
from fesnet.report.player import PagePlayer, make_player
from fesnet.report.timeline_svg import LabelledTime, draw_timeline_svg, drawn_tracks
from fesnet.report.web import read_web_file
from fesnet.result import Spotting
from fesnet.video.folder import source_sha256

EMBED_LIMIT = 40_000_000  # bytes up to which a video is put into the page
PICTURES_NOTE = """<p>Each card shows the face at onset, apex and offset, cropped and upright.
<b>change</b> is the apex under a heatmap: the distance between the network's features at the apex
and at the onset, for each position (attended features of LSDM, 12 x 12 positions). Bright is far;
all heatmaps of a page share one scale. It shows where the network saw a difference, which light, a
turn of the head or speech can make, too.</p>"""


def write_report(
    spotting: Spotting,
    path: Path,
    truth: Iterable[Interval] = (),
    *,
    video: Path | None = None,
    embed: int = EMBED_LIMIT,
    convert: bool = False,
    markers: Sequence[LabelledTime] = (),
) -> str:
    """Write the page atomically. Returns a line on what it lacks and why, empty if nothing.

    truth: intervals on source frames, drawn below the found ones. video: the source's place now;
    default: the path in the result. embed: bytes up to which the video is put into the page; larger
    ones are linked. convert: show a converted copy of a video that browsers do not show. markers:
    drawn, too. Raises UsageError, also if `video` is not the file that
    was spotted.
    """
    shown, gone = locate_video(spotting, video)
    known = tuple(truth)
    player = (
        make_player(shown, path, embed, convert=convert)
        if shown
        else PagePlayer(parts.no_player_html(gone))
    )
    pictures, why = ({}, gone) if shown is None else try_pictures(spotting, shown)
    note = (
        f'<p class="note">No pictures: {html.escape(why)}.</p>'
        if why and spotting.intervals
        else ""
    )
    title = f"Expressions in {html.escape(spotting.source.name)}"
    script = "".join(map(read_web_file, ("timeline.js", "context.js", "report.js")))
    details = json.dumps({"rules": spotting.rules.to_dict(), **spotting.provenance}, indent=1)
    text = read_web_file("report.html").format(
        policy=content_security_policy(script),
        title=title,
        style=read_web_file("style.css") + read_web_file("report.css"),
        player=player.text,
        numbers=parts.summary_html(spotting),
        legend=legend_html(spotting, truth=bool(known)),
        still_legend=legend_html(spotting, truth=bool(known), screen=False),
        rules=rules_html(spotting),
        methods=html.escape(methods_text(spotting)),
        drawings="\n".join(
            draw_timeline_svg(spotting, track, known, markers) for track in drawn_tracks(spotting)
        ),
        about=(MOVED_NOTE if spotting.observations and spotting.intervals else "")
        + (PICTURES_NOTE if pictures else note),
        cards=parts.cards_html(spotting, pictures),
        notes=parts.notes_html(spotting),
        origin=parts.provenance_html(spotting),
        details=html.escape(details),
        data=parts.timeline_json(spotting, known, markers),
        script=script,
    )
    atomic_write_text(path, text)
    pictured = f"{'no video, ' if gone else ''}no pictures: {why}" if why else ""
    return "; ".join(filter(None, (pictured, player.lack)))


def locate_video(spotting: Spotting, named: Path | None) -> tuple[Path | None, str]:
    """(the spotted video at `named` or at the result's path, ""), or (None, the reason why not).

    A path of the result counts only with a checksum that agrees. Raises UsageError if `named` is
    another file.
    """
    source = spotting.source
    video = named or (Path(source.path) if source.path else None)
    if video is None:
        return None, "the result names no file"
    if named is None and source.sha256 is None:
        # Its path may be anybody's: a result from elsewhere must not fetch files of this machine.
        return None, "the result holds no checksum of its video; name the video with --video"
    try:
        if not video.exists():
            return None, f"the video is not where the result says ({video})"
        if not (video.is_file() or video.is_dir()):
            return None, f"{video} is neither a file nor a folder"
        if source.sha256 is None or is_spotted(video, source.sha256):
            return video, ""
    except (OSError, ValueError) as error:
        return None, f"{video} cannot be read ({getattr(error, 'strerror', None) or error})"
    if named is not None:
        raise UsageError(
            f"expected {source.name} as it was spotted, got another file in {named}; name that "
            "video, or spot this one"
        )
    return None, f"{video} has changed since it was spotted"


def is_spotted(video: Path, sha256: str) -> bool:
    """Whether a file or folder of images has this checksum. Raises OSError."""
    return source_sha256(video) == sha256


def try_pictures(spotting: Spotting, video: Path) -> tuple[dict[int, IntervalPictures], str]:
    """(pictures by interval, ""), or ({}, the reason why there are none)."""
    if not spotting.intervals:
        return {}, ""
    try:
        return take_pictures(spotting, video), ""
    except FesnetError as error:
        return {}, str(error)


def content_security_policy(script: str) -> str:
    """The page's policy: one script by its checksum; pictures and video from inside the page."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src "
        "data:; "
        "media-src 'self' data: file:; base-uri 'none'; form-action 'none'"
    )

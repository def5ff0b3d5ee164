"""The video on a report page: shown as it is, as a converted copy, or a line that says why not."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path

from fesnet._io import file_exists, make_folder
from fesnet.errors import FesnetError
from fesnet.report.html_parts import player_html
from fesnet.video.playable import browser_format, write_playable

COPIES_FOLDER = ".playable"  # beside the page; `fesnet review` keeps its copies there, too


@dataclass(frozen=True)
class PagePlayer:
    """text: HTML of the player; lack: one line on what it does not show, empty if nothing."""

    text: str
    lack: str = ""


def make_player(video: Path, page: Path, embed: int, *, convert: bool) -> PagePlayer:
    """The player of a video. embed: as of `write_report`; convert: make a copy where browsers do
    not show the video, or take the one that is there. Raises FesnetError where none can be made.
    """
    problem = format_problem(video)
    if not problem:
        return PagePlayer(player_html(video, page, embed))
    copy = page.parent / COPIES_FOLDER / f"{video.stem}.mp4"
    if convert and not is_newer(copy, video):
        make_folder(copy.parent)
        write_playable(video, copy)
    if is_newer(copy, video):
        note = f"This is a copy for browsers; the original is {video.name}."
        return PagePlayer(f'{player_html(copy, page, embed)}<p class="note">{esc(note)}</p>')
    note = f'<p class="note">{esc(problem)}. If it stays black, open {esc(video.name)} in a player.'
    shown = player_html(video, page, embed)
    return PagePlayer(f"{shown}{note}</p>", f"{problem}: give --convert for a copy in the page")


def format_problem(video: Path) -> str:
    """Why browsers do not show a file; empty where they do, or where it is a folder of images,
    which the page says itself."""
    try:
        return browser_format(video).problem if file_exists(video) else ""
    except FesnetError:
        return ""  # the pictures say what is wrong with the file


def is_newer(copy: Path, video: Path) -> bool:
    """Whether there is a copy, made after the video."""
    return file_exists(copy) and copy.stat().st_mtime_ns >= video.stat().st_mtime_ns


def esc(text: str) -> str:
    return html.escape(text)

"""Reports of results: report, and the pages and overlays that `spot` writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fesnet._io import describe_absence
from fesnet.cli.base import Force, Quiet, app, say, video_progress

if TYPE_CHECKING:
    from fesnet.result import Spotting


@app.command("report")
def report_command(
    results: Annotated[
        list[Path], typer.Argument(help="Results or reviews (NAME.review.json), or a folder.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The page; default: beside the result, NAME.html.")
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option("--video", help="Where the video is now; default: where the result says."),
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Link the video instead of putting it into the page.")
    ] = False,
    convert: Annotated[
        bool,
        typer.Option("--convert", help="Show a copy of a video that browsers do not show (HEVC)."),
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write an HTML page of each result: video, timeline, pictures of each expression. It needs no
    network. Of a folder: of all results below it, as corrected where they were reviewed.
    """
    from fesnet._guard import replacing
    from fesnet.errors import UsageError
    from fesnet.report import EMBED_LIMIT, write_report
    from fesnet.study.results import read_named

    if len(results) > 1 and (out or video):
        raise UsageError(f"expected one result with --out or --video, got {len(results)}")
    if video is not None and not video.exists():
        raise UsageError(f"expected a video, but {video} {describe_absence(video)}")
    embed = 0 if link else EMBED_LIMIT
    for result in results:
        if result.is_dir():
            report_folder(result, out, embed, convert=convert, force=force)
            continue
        page = out or result.with_suffix(".html")
        with replacing(page, force=force):
            found = read_named(result)
            lack = write_report(found, page, video=video, embed=embed, convert=convert)
        print_page(page, lack)


def report_folder(
    folder: Path, out: Path | None, embed: int, *, convert: bool, force: bool
) -> None:
    """A page of each result below a folder, beside it or below `out`. Damaged ones are named."""
    from fesnet.errors import FesnetError
    from fesnet.study.pages import write_pages

    failed = 0
    for page, outcome in write_pages(folder, out, embed, convert=convert, force=force):
        if isinstance(outcome, FesnetError):
            failed += 1
            say(f"fesnet: {page}: {outcome}", error=True)
        else:
            print_page(page, outcome)
    say(f"next: fesnet summary {folder} links the pages in index.html")
    if failed:
        raise typer.Exit(1)


def print_page(page: Path, lack: str) -> None:
    say(f"wrote {page}")
    if lack:
        say(f"fesnet: {page}: {lack}", error=True)


def check_report_options(
    report_command: bool,
    overlay: Path | None,
    out: Path | None,
    sources: list[str | int],
    *,
    force: bool,
) -> None:
    """Before any work: are --report and --overlay possible? Raises UsageError."""
    from fesnet._guard import check_replaceable
    from fesnet.errors import UsageError
    from fesnet.report.overlay import check_overlay

    if report_command and out is None:
        raise UsageError("expected --out with --report, got none; name the folder for the page")
    if (report_command or overlay) and not sources:
        raise UsageError(
            "expected single videos with --report or --overlay, got a batch; use fesnet report "
            "afterwards"
        )
    if overlay is None:
        return
    if len(sources) != 1 or not Path(str(sources[0])).exists():
        raise UsageError(
            "expected one video file or image folder with --overlay, got others; name one"
        )
    check_overlay(overlay, Path(str(sources[0])))
    check_replaceable(overlay, force=force)


def write_report_and_overlay(
    result: Spotting, page: Path | None, overlay: Path | None, *, force: bool
) -> None:
    """Write the page and the video `overlay`, whichever is wanted."""
    from fesnet._guard import replacing
    from fesnet.report import write_report
    from fesnet.report.overlay import write_overlay

    if page is not None:
        with replacing(page, force=force):
            lack = write_report(result, page)
        print_page(page, lack)
    if overlay is not None and result.source.path is not None:
        with replacing(overlay, force=force), video_progress() as progress:
            count = len(result.frame_times)
            write_overlay(
                result,
                Path(result.source.path),
                overlay,
                lambda frame, _: progress(overlay.name, (frame.index + 1) / count),
            )
        say(f"wrote {overlay}")

"""Results to look at: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fesnet.cli.base import app


@app.command()
def report(
    result: Annotated[Path, typer.Argument(help="A result written by `fesnet spot --out`.")],
    out: Annotated[Path | None, typer.Option("--out", help="The page; default: beside the result, NAME.html.")] = None,
    video: Annotated[
        Path | None, typer.Option("--video", help="Where the video is now; default: where the result says.")
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="Link the video instead of putting it into the page.")] = False,
) -> None:
    """Write an HTML page of a result: video, timeline, pictures of each expression. It needs no network."""
    from fesnet.errors import UsageError
    from fesnet.report import EMBED, write_report
    from fesnet.result import Spotting

    if video is not None and not video.exists():
        raise UsageError(f"expected a video, but {video} does not exist")
    page = out or result.with_suffix(".html")
    write_report(Spotting.from_json(result), page, video=video, embed=0 if link else EMBED)
    print(f"wrote {page}")

"""Look and correct: review."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fesnet._messages import get_extra
from fesnet.cli.base import ImageFolderRate, WeightsFolder, app, say
from fesnet.errors import UsageError


@app.command("review")
def review_command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Videos, a result (NAME.json), or a folder of videos and results."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            help="Work folder for results; default: the folder named, else ./fesnet-review.",
        ),
    ] = None,
    port: Annotated[int, typer.Option("--port", help="Port on this machine; 0: any free one.")] = 0,
    show: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    max_upload: Annotated[
        str, typer.Option("--max-upload", help="Largest video that the page takes.")
    ] = "2GB",
    fps: ImageFolderRate = None,
    weights: WeightsFolder = None,
    blind: Annotated[
        str | None,
        typer.Option(
            "--blind", help="Name of a second rater, who sees nothing of the machine or of others."
        ),
    ] = None,
) -> None:
    """Look at expressions beside the video, correct them in the browser, export them. Stop with
    Ctrl-C.

    The page is served to this machine alone; nothing leaves it.
    """
    try:
        from fesnet.review.server import ServerOptions, prepare_server
    except ImportError as error:
        from fesnet.errors import MissingExtraError

        raise MissingExtraError(
            f"expected FastAPI and uvicorn ({error}); {get_extra('review')}"
        ) from error
    if blind == "":  # of an unset variable: a rater must not see the machine's by mistake
        raise UsageError("expected a name with --blind, got none; give initials")
    options = ServerOptions(folder, port, max_upload, fps, weights, blind or "")
    server = prepare_server(files or [], options)
    say(f"results in {server.library.folder}")
    say(f"open {server.address}")
    say("stop with Ctrl-C")
    server.run(open_browser=show)

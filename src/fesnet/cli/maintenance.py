"""The installation itself: models, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fesnet.cli.base import app, say, step_progress

models_app = typer.Typer(
    help="The face models (MediaPipe's detector and face mesh, Apache-2.0).", no_args_is_help=True
)


app.add_typer(models_app, name="models")


@models_app.command("import")
def models_import_command(
    wheel: Annotated[
        Path | None, typer.Argument(help="A mediapipe 0.10.21 wheel; default: downloaded by pip.")
    ] = None,
) -> None:
    """Fetch and convert the face models into the user's cache (about 36 MB once; or from a wheel
    file, offline).
    """
    from fesnet.faces.models import import_models

    with step_progress("fetching the face models") as report:
        files = import_models(wheel, report)
    say(f"face models in {files.detector.parent}")


@app.command("config")
def config_command() -> None:
    """Show the settings of `fesnet.toml` as TOML, and the files that they come from: the user's,
    then that of the current folder, which wins. FESNET_CONFIG names another one.
    """
    from fesnet.cli.config_file import describe_config

    for line in describe_config():
        say(line)


@app.command("doctor")
def doctor_command() -> None:
    """Versions, face models, weights, threads, GPU, disk, and what is missing for which command:
    what to send with a bug report. BAD lines make exit code 1; lines with -- are notes.
    """
    from fesnet.doctor import examine

    findings = examine()
    width = max(len(f.what) for f in findings)
    for f in findings:
        say(f"{f.mark} {f.what:<{width}}  {f.found}")
    if not all(f.good for f in findings):
        raise typer.Exit(1)

"""Data sets: data check, data list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fesnet.cli.base import app

data_app = typer.Typer(help="Data sets: what is in them.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@data_app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="casme2, samm, casme3, synthetic or folder.")],
    root: Annotated[Path, typer.Argument(help="Folder with the official files as they are.")],
    offset: Annotated[
        str, typer.Option("--offset", help="What offset 0 means: apex, mirror, apex+20, drop or unmatchable.")
    ] = "apex",
) -> None:
    """Read a data set: what is in it, every oddity of its files, what is missing, and the authors' counts."""
    from fesnet.datasets import load_dataset
    from fesnet.datasets.check import report

    data = load_dataset(name, root, offset)
    for line in report(data):
        print(line)
    if data.missing:
        raise typer.Exit(1)


@data_app.command("list")
def names() -> None:
    """The data sets that can be read."""
    from fesnet.datasets import NAMES

    for name, about in NAMES.items():
        print(f"{name:<10} {about}")

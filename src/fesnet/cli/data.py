"""Data sets: data check, data prepare, data list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fesnet.cli.base import Force, RayAddress, TableFile, app, fetch_models, say

data_app = typer.Typer(
    help="Data sets: what is in them, and their crops prepared once.", no_args_is_help=True
)
app.add_typer(data_app, name="data")


@data_app.command("check")
def data_check_command(
    name: Annotated[str, typer.Argument(help="One of `fesnet data list`.")],
    root: Annotated[Path, typer.Argument(help="Folder with the official files as they are.")],
    offset: Annotated[
        str | None,
        typer.Option(
            "--offset",
            help="What offset 0 means: apex (default), mirror, apex+20, drop or unmatchable.",
        ),
    ] = None,
    table: TableFile = None,
) -> None:
    """Read a data set: what is in it, every oddity of its files, what is missing, and the authors'
    counts.
    """
    from fesnet.datasets import load_dataset
    from fesnet.datasets.check import describe_dataset

    data = load_dataset(name, root, offset, table)
    for line in describe_dataset(data):
        say(line)
    if data.missing:
        raise typer.Exit(1)


@data_app.command("prepare")
def data_prepare_command(
    name: Annotated[str, typer.Argument(help="One of `fesnet data list`, not prepared.")],
    root: Annotated[Path, typer.Argument(help="Folder with the official files as they are.")],
    out: Annotated[
        Path, typer.Argument(help="Folder for the crops; one of an earlier call goes on.")
    ],
    stage: Annotated[
        str,
        typer.Option(
            "--stage",
            help="Face stages, divided by commas: spotting (fesnet), baselines (the others).",
        ),
    ] = "spotting",
    offset: Annotated[
        str | None, typer.Option("--offset", help="What offset 0 means, as of `data check`.")
    ] = None,
    table: TableFile = None,
    jobs: Annotated[int, typer.Option("--jobs", help="Worker processes; 0: none.")] = 1,
    ray: RayAddress = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check what lies there; write nothing.")
    ] = False,
) -> None:
    """Find the faces of a whole data set once, for `fesnet benchmark prepared OUT`. After an
    interruption, start it again.
    """
    from fesnet.crops import prepare_data, verify_data
    from fesnet.datasets import load_dataset
    from fesnet.datasets.check import numbering_lines
    from fesnet.jobs import make_executor

    data = load_dataset(name, root, offset, table)
    for line in numbering_lines(data):
        say(line.strip(), error=True)
    fetch_models()
    work = verify_data if verify else prepare_data
    stages = [part.strip() for part in stage.split(",")]
    with make_executor(jobs, ray) as executor:
        outcome = work(data, out, stages, executor, say)
    for what, reason in outcome.failed:
        say(f"fesnet: {what}: {reason}", error=True)
    counts = f"{outcome.made} made, {outcome.kept} done before, {len(outcome.failed)} failed"
    say(f"{counts}; crops in {out}")
    if outcome.failed:
        raise typer.Exit(1)


@data_app.command("truth")
def data_truth_command(
    name: Annotated[str, typer.Argument(help="One of `fesnet data list`.")],
    root: Annotated[Path, typer.Argument(help="Folder with the official files; frames may lack.")],
    out: Annotated[
        Path, typer.Option("--out", help="CSV file for the truth; videos.csv is put beside it.")
    ],
    offset: Annotated[
        str | None, typer.Option("--offset", help="What offset 0 means, as of `data check`.")
    ] = None,
    table: TableFile = None,
    force: Force = False,
) -> None:
    """Write the truth of a data set as truth.csv and videos.csv for `fesnet score`; frames are file
    numbers. Works without the frames.
    """
    from fesnet._guard import replacing
    from fesnet.datasets import load_dataset
    from fesnet.datasets.folder import VIDEOS
    from fesnet.datasets.truth import write_truth_table

    data = load_dataset(name, root, offset, table)
    with replacing(out, out.parent / VIDEOS, force=force):
        for line in write_truth_table(data, out):
            say(line)


@data_app.command("list")
def data_list_command() -> None:
    """The data sets that can be read."""
    from fesnet.datasets import DATASETS

    for name, about in DATASETS.items():
        say(f"{name:<10} {about}")

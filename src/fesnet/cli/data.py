"""Data sets: data check, data prepare, data truth, data finds, data list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fesnet.cli.base import (
    Force,
    RayAddress,
    TableFile,
    app,
    check_choice,
    fetch_models,
    say,
)

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


@data_app.command("finds")
def data_finds_command(
    form: Annotated[str, typer.Argument(help="How they are shipped: mdmd, lgsnet or log.")],
    source: Annotated[Path, typer.Argument(help="results_API, output/NAME, or the log file.")],
    out: Annotated[Path, typer.Option("--out", help="CSV file for `fesnet score`.")],
    dataset: Annotated[str, typer.Option("--set", help="Of mdmd: casme2 or samm.")] = "casme2",
    epoch: Annotated[int | None, typer.Option("--epoch", help="Of lgsnet.")] = None,
    threshold: Annotated[float, typer.Option("--threshold", help="Of lgsnet, with --epoch.")] = 0.0,
    best: Annotated[
        str | None,
        typer.Option(
            "--best", help="Of lgsnet: truth (file or NAME:ROOT) by which its script picks both."
        ),
    ] = None,
    offset: Annotated[str | None, typer.Option("--offset", help="Of --best NAME:ROOT.")] = None,
    section: Annotated[int | None, typer.Option("--section", help="Of log: 1 or 2.")] = None,
    micro_frames: Annotated[
        int, typer.Option("--micro-frames", help="Of log: the most frames of a micro-expression.")
    ] = 16,
    force: Force = False,
) -> None:
    """Write the finds that a published system ships as a table for `fesnet score`."""
    from fesnet._guard import replacing
    from fesnet._io import write_table
    from fesnet.errors import UsageError
    from fesnet.metrics.shipped_finds import HEADER, read_lgsnet, read_log_section, read_mdmd

    check_choice(form, "mdmd", "lgsnet", "log")
    if form == "mdmd":
        found = read_mdmd(source, dataset)
    elif form == "log":
        found = read_log_section(source, section, micro_frames)
    else:
        if best is not None:
            epoch, threshold = pick_as_published(source, best, offset)
        if epoch is None:
            raise UsageError("expected --epoch NUMBER or --best TRUTH with lgsnet, got neither")
        found = read_lgsnet(source, epoch, threshold)
    with replacing(out, force=force):
        write_table(out, [HEADER, *(f.row() for f in found)])
    micro = sum(f.kind == "micro" for f in found)
    say(f"wrote {out} ({len(found) - micro} macro, {micro} micro)")


def pick_as_published(source: Path, truth: str, offset: str | None) -> tuple[int, float]:
    """Epoch and threshold by the truth of the tested subjects, and a line that says so."""
    from fesnet.cli.score import truth_file
    from fesnet.metrics import agree
    from fesnet.metrics.shipped_finds import best_lgsnet

    with truth_file(truth, offset, None) as path:
        epoch, threshold, f1 = best_lgsnet(source, agree(path, path).videos)
    say(
        f"epoch {epoch}, threshold {threshold:g} by the truth of the tested subjects, as published "
        f"(F1 {f1:.4f}); no result of a fair test"
    )
    return epoch, threshold


@data_app.command("list")
def data_list_command() -> None:
    """The data sets that can be read."""
    from fesnet.datasets import DATASETS

    for name, about in DATASETS.items():
        say(f"{name:<10} {about}")

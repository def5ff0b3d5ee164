"""Methods against data sets: benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fesnet.cli.base import Force, RayAddress, TableFile, app, count_progress, say

if TYPE_CHECKING:
    from fesnet.datasets import DataSet


def split_list(text: str) -> tuple[str, ...]:
    """The parts of a text divided by commas, without blanks."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


AlsoDatasets = Annotated[
    list[str] | None,
    typer.Option(
        "--also",
        help="NAME:ROOT of a further data set, again for each: leave one data set out.",
    ),
]
TestDataset = Annotated[
    tuple[str, Path] | None,
    typer.Option("--test-on", help="Name and folder of another data set to test on."),
]


def load_sets(
    first: tuple[str, Path, Path | None],
    test_on: tuple[str, Path] | None,
    also: list[str],
    offset: str | None,
) -> list[DataSet]:
    """The data set (name, root, table) and the others. Raises UsageError for both sorts of
    others.
    """
    from fesnet.datasets import load_dataset
    from fesnet.errors import UsageError

    if test_on is not None and also:
        raise UsageError("expected --test-on or --also, got both; --also tests on each data set")
    name, root, table = first
    sets = [load_dataset(name, root, offset=offset, table=table)]
    if test_on is not None:
        sets.append(load_dataset(test_on[0], test_on[1], offset=offset))
    for text in also:
        other, _, folder = text.partition(":")
        sets.append(load_dataset(other, Path(folder), offset=offset))
    return sets


@app.command("benchmark")
def benchmark_command(
    name: Annotated[str, typer.Argument(help="Data set: one of `fesnet data list`.")],
    root: Annotated[Path, typer.Argument(help="Its folder.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the tables; one of an earlier call goes on.")
    ],
    method: Annotated[str, typer.Option("--method", help="Methods, divided by commas.")] = "fesnet",
    mode: Annotated[
        str, typer.Option("--mode", help="'nested', 'crossfit', or 'oracle' (not a result).")
    ] = "nested",
    protocol: Annotated[
        str, typer.Option("--protocol", help="Protocols, divided by commas, or 'all'.")
    ] = "all",
    ablate: Annotated[
        str, typer.Option("--ablate", help="Parts of fesnet to leave out, one row each.")
    ] = "",
    seeds: Annotated[int, typer.Option("--seeds", help="Trainings of each fold.")] = 1,
    jobs: Annotated[
        int, typer.Option("--jobs", help="Worker processes, a fold each; 0: none.")
    ] = 1,
    ray: RayAddress = None,
    inner: Annotated[
        int, typer.Option("--inner", help="Groups of subjects for nested choice.")
    ] = 6,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Steps of training; default: the method's.")
    ] = None,
    flow: Annotated[
        str, typer.Option("--features", help="Kind of features: 'step', 'state' or 'auto'.")
    ] = "auto",
    offset: Annotated[
        str | None, typer.Option("--offset", help="What an offset of 0 stands for; default: apex.")
    ] = None,
    test_on: TestDataset = None,
    also: AlsoDatasets = None,
    table: TableFile = None,
    plots: Annotated[
        bool, typer.Option("--plots", help="Figures of every row, SVG and PDF (extra `plots`).")
    ] = False,
    force: Force = False,
) -> None:
    """Train and test leave-one-subject-out, and print the table under every protocol (extra
    `train`).
    """
    from fesnet.evaluation.benchmark import BenchmarkOptions, run_benchmark
    from fesnet.evaluation.leave_dataset_out import leave_one_dataset_out
    from fesnet.jobs import make_executor
    from fesnet.metrics import PROTOCOLS

    protocols = tuple(PROTOCOLS) if protocol == "all" else split_list(protocol)
    options = BenchmarkOptions(
        split_list(method), mode, protocols, split_list(ablate), seeds, inner, steps, flow,  # type: ignore[arg-type]
        plots=plots, force=force,
    )  # fmt: skip
    sets = load_sets((name, root, table), test_on, also or [], offset)
    run = leave_one_dataset_out if also else run_benchmark
    with make_executor(jobs, ray) as executor, count_progress() as progress:
        run(sets, options, out, progress, executor)
    print((out / "table.md").read_text(encoding="utf-8"))
    say(f"tables, found intervals and the page: {out.resolve()}")

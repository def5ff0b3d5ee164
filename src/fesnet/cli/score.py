"""How good it is: score."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from fesnet.cli.base import Force, TableFile, app, check_choice, say
from fesnet.cli.output import show_agreement, show_comparisons, show_json

if TYPE_CHECKING:
    from fesnet.metrics import Agreement, MethodComparison


AgainstFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--against", help="Finds of another method, for a paired test; may be given again."
    ),
]
PlotsFolder = Annotated[
    Path | None,
    typer.Option("--plots", help="Folder for figures (SVG, PDF) and tables (LaTeX) of a paper."),
]
TruthOffset = Annotated[
    str | None,
    typer.Option("--offset", help="Of NAME:ROOT: what offset 0 means, as of `data check`."),
]
ProtocolNames = Annotated[
    str,
    typer.Option(
        "--protocol",
        help="official, softnet, abpn, lssnet, lgsnet, mdmd-script, lgsnet-script, divided by "
        "commas, or all.",
    ),
]


@contextmanager
def truth_file(truth: str, offset: str | None, table: Path | None) -> Iterator[Path]:
    """The truth to read: a path as it is; NAME:ROOT of a data set as tables in a temporary folder.

    Raises UsageError for options that a table has no use for.
    """
    from fesnet.datasets import DATASETS, load_dataset
    from fesnet.datasets.truth import write_truth_table
    from fesnet.errors import UsageError

    name, _, root = truth.partition(":")
    if not root or name not in DATASETS or Path(truth).exists():
        if offset is not None or table is not None:
            raise UsageError(
                f"expected NAME:ROOT of a data set with --offset or --table, got {truth}"
            )
        yield Path(truth)
        return
    data = load_dataset(name, Path(root), offset, table)
    with TemporaryDirectory(prefix="fesnet-truth-") as folder:
        list(write_truth_table(data, Path(folder) / "truth.csv"))
        yield Path(folder) / "truth.csv"


@app.command("score")
def score_command(
    truth: Annotated[
        str,
        typer.Argument(
            help="Table of true intervals (CSV, result, folder of results), or NAME:ROOT of a data "
            "set."
        ),
    ],
    found: Annotated[Path, typer.Argument(help="What was found, or what a second person says.")],
    protocol: ProtocolNames = "official",
    iou: Annotated[
        float, typer.Option("--iou", help="Overlap from which two intervals match.")
    ] = 0.5,
    fps: Annotated[
        float | None, typer.Option("--fps", help="For files that count in seconds (ActivityNet).")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="'subject': a row for each, too.")] = None,
    reviewed: Annotated[
        bool,
        typer.Option(
            "--reviewed",
            help="Of folders take reviews, and only reviewed videos; the same folder twice: "
            "corrected against machine.",
        ),
    ] = False,
    against: AgainstFiles = None,
    plots: PlotsFolder = None,
    offset: TruthOffset = None,
    table: TableFile = None,
    json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
    force: Force = False,
) -> None:
    """Agreement of two sets of intervals: F1 by kind with intervals over subjects, false alarms,
    edges, kappa.
    """
    from fesnet.errors import UsageError
    from fesnet.metrics import PROTOCOLS, agree

    names = list(PROTOCOLS) if protocol == "all" else [name.strip() for name in protocol.split(",")]
    for name in names:
        check_choice(name, *PROTOCOLS)
    if not 0 < iou <= 1:
        raise UsageError(f"expected an IoU above 0 and up to 1, got {iou}")
    by_subject = by is not None and check_choice(by, "subject") == "subject"
    with truth_file(truth, offset, table) as true_path:
        agreement = agree(true_path, found, iou=iou, rate=fps, reviewed=reviewed)
        others = {str(path): agree(true_path, path, iou=iou, rate=fps) for path in against or ()}
    values = agreement.to_dict(names, by_subject=by_subject)
    comparisons = compare_finds({str(found): agreement, **others}, names[0]) if others else []
    values["comparisons"] = [{**c.__dict__, "difference": c.difference} for c in comparisons]
    show_json(values) if json else show_agreement(values, agreement)
    if not json:
        show_comparisons(comparisons, names[0])
    if plots is not None:
        from fesnet._guard import guarding
        from fesnet.figures.score_figures import write_score_figures

        with guarding(force=force):
            write_score_figures(agreement, {n: agreement.evaluate_as(n) for n in names}, plots)
        say(f"figures and tables: {plots}", error=True)


def compare_finds(agreements: dict[str, Agreement], protocol: str) -> list[MethodComparison]:
    """All pairs, by overall F1 of a protocol. Raises UsageError for finds of one name."""
    from fesnet.metrics import compare_methods

    counts = {
        name: {s: c["overall"] for s, c in a.evaluate_as(protocol).by_subject.items()}
        for name, a in agreements.items()
    }
    return compare_methods(counts)

"""How good it is: score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fesnet.cli.base import app, check_choice
from fesnet.cli.output import show_agreement, show_json


@app.command("score")
def score_command(
    truth: Annotated[
        Path, typer.Argument(help="Table of true intervals (CSV, result, folder of results).")
    ],
    found: Annotated[Path, typer.Argument(help="What was found, or what a second person says.")],
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol", help="official, softnet, abpn, lssnet, lgsnet, divided by commas, or all."
        ),
    ] = "official",
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
    json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
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
    agreement = agree(truth, found, iou=iou, rate=fps, reviewed=reviewed)
    values = agreement.to_dict(names, by_subject=by_subject)
    show_json(values) if json else show_agreement(values, agreement)

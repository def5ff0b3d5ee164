"""Interval rules of new weights: tune-rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fesnet.cli.base import app, fetch_models

WORKERS = 2  # processes, a video each


@app.command("tune-rules")
def tune_rules_command(
    validation: Annotated[
        Path, typer.Argument(help="Folder by `fesnet synth` to choose rules on.")
    ],
    test: Annotated[Path, typer.Argument(help="Folder by `fesnet synth` to measure them on.")],
    weights: Annotated[Path, typer.Argument(help="Weights folder.")],
    results: Annotated[
        Path, typer.Option("--results", help="Folder that keeps results, to be used again.")
    ],
    write: Annotated[
        bool, typer.Option("--write", help="Put the rules into the config of the weights.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Choose none; measure the rules of the weights.")
    ] = False,
) -> None:
    """Choose interval rules on videos of some people, and measure them on others."""
    from fesnet.evaluation.tune_rules import tune_rules
    from fesnet.jobs import make_executor

    fetch_models()
    with make_executor(WORKERS) as executor:
        lines = tune_rules(validation, test, weights, results, executor, write=write, keep=keep)
        for line in lines:
            print(line, flush=True)

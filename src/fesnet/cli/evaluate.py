"""How steady and how robust it is: evaluate stability, evaluate robustness."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fesnet.cli.base import (
    MacroThreshold,
    MicroThreshold,
    RayAddress,
    RulesFile,
    WeightsFolder,
    app,
    count_progress,
    fetch_models,
    resolve_rules,
)

if TYPE_CHECKING:
    from fesnet.postprocess import IntervalRules

evaluate_app = typer.Typer(
    help="How spotting bears nuisances, and whether a changed clip gives the same intervals.",
    no_args_is_help=True,
)
app.add_typer(evaluate_app, name="evaluate")
Jobs = Annotated[int, typer.Option("--jobs", help="Worker processes, a video each; 0: none.")]


def other_rules(
    weights: Path | None, file: Path | None, macro: float | None, micro: float | None
) -> IntervalRules | None:
    """The rules that options give; None where there are none."""
    from fesnet.spotter import recommended_rules
    from fesnet.weights import load_weights

    if file is None and macro is None and micro is None:
        return None
    return resolve_rules(recommended_rules(load_weights(weights)), file, macro, micro)


@evaluate_app.command("stability")
def evaluate_stability_command(
    clips: Annotated[Path, typer.Argument(help="Folder of videos; no annotation is needed.")],
    out: Annotated[
        Path, typer.Argument(help="Folder for the tables; one of an earlier call goes on.")
    ],
    weights: WeightsFolder = None,
    rules: RulesFile = None,
    macro: MacroThreshold = None,
    micro: MicroThreshold = None,
    jobs: Jobs = 1,
    ray: RayAddress = None,
) -> None:
    """Spot clips as they are and encoded again, smaller, begun later and looped: do the intervals
    agree?
    """
    from fesnet.evaluation.stability import measure_stability
    from fesnet.jobs import make_executor

    chosen = other_rules(weights, rules, macro, micro)
    fetch_models()
    with make_executor(jobs, ray) as executor, count_progress() as progress:
        table = measure_stability(
            clips,
            out,
            weights,
            chosen,
            executor,
            lambda done, total: progress("spotting", done, total),
        )
    print((out / "stability.md").read_text(encoding="utf-8"), end="")
    for line in table.left_out:
        print(f"fesnet: {line}", file=sys.stderr)
    if table.left_out:
        raise typer.Exit(1)

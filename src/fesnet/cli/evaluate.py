"""How steady and how robust it is: evaluate stability, evaluate robustness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fesnet.cli.base import (
    Force,
    MacroThreshold,
    MicroThreshold,
    RayAddress,
    RulesFile,
    WeightsFolder,
    app,
    count_progress,
    fetch_models,
    resolve_rules,
    say,
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
    force: Force = False,
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
            force=force,
        )
    print((out / "stability.md").read_text(encoding="utf-8"), end="")
    for line in table.left_out:
        say(f"fesnet: {line}", error=True)
    if table.left_out:
        raise typer.Exit(1)


@evaluate_app.command("robustness")
def evaluate_robustness_command(
    source: Annotated[
        Path,
        typer.Argument(
            help="Portraits of people whom training never saw, or a folder by `fesnet synth` "
            "(then without speech, blinks, head motion)."
        ),
    ],
    out: Annotated[
        Path, typer.Argument(help="Folder for the tables; one of an earlier call goes on.")
    ],
    nuisance: Annotated[
        str, typer.Option("--nuisance", help="Some only, divided by commas; default: all.")
    ] = "",
    hours: Annotated[float, typer.Option("--hours", help="Video of each level, at least.")] = 0.1,
    seconds: Annotated[float, typer.Option("--seconds", help="Length of each video.")] = 60.0,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other videos.")] = 0,
    size: Annotated[str, typer.Option("--size", help="Width x height in pixels.")] = "640x480",
    weights: WeightsFolder = None,
    rules: RulesFile = None,
    macro: MacroThreshold = None,
    micro: MicroThreshold = None,
    jobs: Jobs = 1,
    ray: RayAddress = None,
    force: Force = False,
) -> None:
    """Recall and false alarms under one nuisance at a time: rotation, light, scale, compression,
    frame rate, occlusion, speech, blinks, head motion.
    """
    from fesnet.cli.benchmark import split_list
    from fesnet.evaluation.robustness import measure_robustness
    from fesnet.jobs import make_executor
    from fesnet.synth.script.plan import VideoPlan

    values = {"hours": hours, "seconds": seconds, "seed": seed}
    plan = VideoPlan.from_options(size, "16", [30.0], values)
    chosen = other_rules(weights, rules, macro, micro)
    fetch_models()
    with make_executor(jobs, ray) as executor, count_progress() as progress:
        measure_robustness(
            source,
            out,
            weights,
            chosen,
            plan,
            split_list(nuisance),
            executor,
            progress,
            force=force,
        )
    print((out / "robustness.md").read_text(encoding="utf-8"), end="")
    print()
    say(f"tables and curves: {out.resolve()}")

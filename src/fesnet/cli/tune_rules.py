"""Interval rules of new weights: tune-rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fesnet.cli.base import Force, app, fetch_models, say

WORKERS = 2  # processes, a video each


@app.command("tune-rules")
def tune_rules_command(
    validation: Annotated[
        Path | None, typer.Argument(help="Folder by `fesnet synth` to choose rules on.")
    ] = None,
    test: Annotated[
        Path | None, typer.Argument(help="Folder by `fesnet synth` to measure them on.")
    ] = None,
    weights: Annotated[Path | None, typer.Argument(help="Weights folder.")] = None,
    results: Annotated[
        Path | None, typer.Option("--results", help="Folder that keeps results, to be used again.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Put the rules into the config of the weights.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Choose none; measure the rules of the weights.")
    ] = False,
    reviewed: Annotated[
        Path | None,
        typer.Option("--reviewed", help="Fit rules to the reviewed videos of a results folder."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="With --reviewed: TOML file for the rules.")
    ] = None,
    force: Force = False,
) -> None:
    """Choose interval rules on videos of some people, and measure them on others; or fit them to
    your own reviewed videos (--reviewed).
    """
    from fesnet.errors import UsageError

    if reviewed is not None:
        if validation or results or write or keep:
            raise UsageError("expected --reviewed with --out alone, got other videos or options")
        tune_reviewed(reviewed, out, force=force)
        return
    if validation is None or test is None or weights is None or results is None:
        raise UsageError(
            "expected two folders, weights and --results, or --reviewed RESULTS; got neither"
        )
    from fesnet.evaluation.tune_rules import tune_rules
    from fesnet.jobs import make_executor

    fetch_models()
    with make_executor(WORKERS) as executor:
        lines = tune_rules(validation, test, weights, results, executor, write=write, keep=keep)
        for line in lines:
            print(line, flush=True)


def tune_reviewed(folder: Path, out: Path | None, *, force: bool) -> None:
    """Fit rules to reviews; the file is written where the estimate is better. Raises UsageError."""
    from fesnet._guard import check_replaceable, replacing
    from fesnet.errors import UsageError
    from fesnet.study.tuning import tune_on_reviews, write_rules_file

    if out is not None and out.suffix != ".toml":
        raise UsageError(f"expected a .toml file for the rules, got {out}")
    if out is not None:
        check_replaceable(out, force=force)
    tuned = tune_on_reviews(folder)
    for line in tuned.lines():
        say(line)
    if not tuned.helps:
        print("other rules do not help on participants that they have not seen: nothing is written")
        return
    changed = tuned.present.to_dict().items() ^ tuned.rules.to_dict().items()
    values = tuned.rules.to_dict()
    print(", ".join(f"{name} = {values[name]}" for name in sorted({name for name, _ in changed})))
    if out is not None:
        with replacing(out, force=force):
            write_rules_file(tuned, out)
        say(f"wrote {out}; next: fesnet rethreshold {folder} --rules {out}")

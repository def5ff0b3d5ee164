"""Other rules for stored results: rethreshold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fesnet.cli.base import (
    Force,
    MacroThreshold,
    MicroThreshold,
    Quiet,
    RulesFile,
    app,
    resolve_rules,
    say,
)
from fesnet.cli.output import show_result


@app.command("rethreshold")
def rethreshold_command(
    result: Annotated[
        Path, typer.Argument(help="A result written by `fesnet spot --out`, or a folder of them.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File (or folder) for the new; default: over the old one."),
    ] = None,
    rules: RulesFile = None,
    macro_threshold: MacroThreshold = None,
    micro_threshold: MicroThreshold = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Compute the intervals of a result again from its stored scores, without the network.

    Of a folder: all results below it; reviews get the rules, too, and keep what people corrected.
    """
    if result.is_dir():
        rethreshold_folder(result, out, rules, macro_threshold, micro_threshold, force=force)
        return
    from fesnet._io import make_writable_folder
    from fesnet.batch import write_results
    from fesnet.exports import outdated_files, renewing_commands
    from fesnet.result import Spotting

    old = Spotting.from_json(result)
    new = old.rethreshold(resolve_rules(old.rules, rules, macro_threshold, micro_threshold))
    path = out or result
    make_writable_folder(path.parent)
    write_results(new, path, force=force)
    if not quiet:
        show_result(new)
    say(f"wrote {path} and {path.with_suffix('.csv').name}")
    left = outdated_files(path)
    if left:
        names, renew = ", ".join(p.name for p in left), renewing_commands(path, left)
        say(f"fesnet: these still show the old intervals: {names}; run {renew}", error=True)


def rethreshold_folder(
    folder: Path,
    out: Path | None,
    rules: Path | None,
    macro_threshold: float | None,
    micro_threshold: float | None,
    *,
    force: bool,
) -> None:
    """Other rules over all results of a folder; a line for each. Raises UsageError."""
    from fesnet._io import make_writable_folder
    from fesnet.review.edits import default_user_name
    from fesnet.study import find_results
    from fesnet.study.rules import change_rules

    results = find_results(folder)
    make_writable_folder(out or folder)
    counts, outdated, failed = [0, 0, 0, 0], 0, 0
    for change in change_rules(
        results,
        out,
        lambda old: resolve_rules(old, rules, macro_threshold, micro_threshold),
        default_user_name(),
        force=force,
    ):
        if change.error is not None:
            failed += 1
            say(f"fesnet: {change.name}: {change.error}", error=True)
            continue
        counts = [a + b for a, b in zip(counts, change.before + change.after, strict=True)]
        outdated += len(change.outdated)
        corrected = ", corrected" if change.reviewed else ""
        say(f"{change.name}: {change.after[0]} macro, {change.after[1]} micro{corrected}")
    was, now = (f"{a} macro, {b} micro" for a, b in (counts[:2], counts[2:]))
    say(f"{len(results) - failed} results: {was} before, {now} now; in {out or folder}")
    say(f"next: fesnet summary {out or folder}")
    if outdated:
        say(
            f"fesnet: {outdated} pages and exports still show the old intervals; write them again",
            error=True,
        )
    if failed:
        raise typer.Exit(1)

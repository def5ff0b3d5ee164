"""A first look, without any data: demo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fesnet.cli.base import Force, app, fetch_models, say, step_progress
from fesnet.cli.output import show_comparison


@app.command("demo")
def demo_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the demo's files.")] = Path(
        "fesnet-demo"
    ),
    force: Force = False,
) -> None:
    """Animate a public-domain portrait, spot its expressions, and show found beside truth. Needs no
    data.
    """
    from fesnet.demo import run_demo

    fetch_models()
    with step_progress("making and spotting the demo video") as report:
        outcome = run_demo(out, report, force=force)
    show_comparison(outcome.rows)
    print(outcome.summary)
    say(f"report: {outcome.report.resolve()}")
    say(next_command())


def next_command() -> str:
    """What to type next, right also where `fesnet` is not on the path, as after `make demo`."""
    import os
    import shutil

    called = Path(sys.argv[0])
    on_path = shutil.which("fesnet")
    if on_path is None and called.stem == "fesnet" and called.exists():
        command = os.path.relpath(called)
        return f"next: {command} spot YOUR_VIDEO --out results --report"
    program = "fesnet" if on_path else f"{sys.executable} -m fesnet"
    return f"next: {program} spot YOUR_VIDEO --out results --report"

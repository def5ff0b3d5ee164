"""The application, options that commands share, and progress bars."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fesnet.errors import FesnetError

if TYPE_CHECKING:
    from rich.progress import Progress

    from fesnet.postprocess import IntervalRules


app = typer.Typer(
    name="fesnet",
    help="Spot macro- and micro-expressions in long face videos. Everything stays on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Out = Annotated[
    Path | None, typer.Option("--out", help="Folder for NAME.json and NAME.csv; made if missing.")
]
Year = Annotated[int, typer.Option("--year", help="Of megc: 2022, 2023, 2024 or 2025.")]
RulesFile = Annotated[Path | None, typer.Option("--rules", help="TOML file with interval rules.")]
Macro = Annotated[
    float | None, typer.Option("--macro-threshold", help="Score from which a macro counts, 0..1.")
]
Micro = Annotated[
    float | None, typer.Option("--micro-threshold", help="Score from which a micro counts, 0..1.")
]
WeightsFolder = Annotated[
    Path | None, typer.Option("--weights", help="Weights folder; default: the bundled ones.")
]
EXPORTS = "eaf, textgrid, vtt, srt, boris, labelstudio, activitynet, bids, megc, csv"


# What writing to standard output ends with on a full disk and the like; files are written by
# fesnet._io.
UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main() -> None:
    """Run the command line; exit code 2 for a wrong call, 1 for a failure."""
    try:
        code = run()
        if sys.stdout is not None:
            # here, as the interpreter would do it when nobody can catch its error
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # for what is still to be flushed
        closed = isinstance(error, BrokenPipeError)  # who read our output has seen enough
        code = (
            1
            if closed
            else failed(
                f"expected to write the output, got '{error.strerror}'; name another place", 1
            )
        )
    sys.exit(code)


def run() -> int:
    """As `main`; returns the exit code, and raises OSError where the output cannot be written."""
    try:
        return app(prog_name="fesnet", standalone_mode=False) or 0
    except FesnetError as error:
        return failed(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return failed("stopped", 130)
    except Exception as error:
        if not hasattr(
            error, "format_message"
        ):  # typer's errors of calls; their class moves between its versions
            raise
        return failed(call_error(error), 2)


def failed(line: str, code: int) -> int:
    """Tell why; returns the exit code."""
    print(line if line.startswith("Usage:") else f"fesnet: {line}", file=sys.stderr)
    return code


def call_error(error: Any) -> str:
    """One line for a wrong call; the help for a call of nothing."""
    said = str(error.format_message()).rstrip()
    if said.startswith("Usage:"):
        return said
    command = error.ctx.command_path if error.ctx else "fesnet"
    return f"{said[:1].lower()}{' '.join(said[1:].split()).rstrip('.')}; see {command} --help"


def version(wanted: bool) -> None:
    if wanted:
        from fesnet import __version__

        print(f"fesnet {__version__}")
        raise typer.Exit


@app.callback()
def options(
    show: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Spot macro- and micro-expressions in long face videos. Everything stays on this machine."""


def choice(value: str, *allowed: str) -> Any:
    from fesnet.errors import UsageError

    if value not in allowed:
        raise UsageError(f"expected one of {', '.join(allowed)}, got {value!r}")
    return value


def export_formats(names: str | None, out: Path | None) -> tuple[str, ...]:
    """The formats of --export, which needs a folder."""
    from fesnet.errors import UsageError
    from fesnet.exports import parse_formats

    if names is not None and out is None:
        raise UsageError("expected --out with --export, got none; name the folder for the files")
    return () if names is None else tuple(parse_formats(names))


def chosen_rules(
    rules: IntervalRules, file: Path | None, macro: float | None, micro: float | None
) -> IntervalRules:
    """The rules to use: given ones, changed by a TOML file and then by single options."""
    from fesnet.batch import override_rules

    return override_rules(rules, file, {"macro_threshold": macro, "micro_threshold": micro})


def fetch_models() -> None:
    """The documented first-use download, with a progress bar."""
    from fesnet.errors import FaceModelError
    from fesnet.faces.models import import_models as fetch
    from fesnet.faces.models import model_files

    try:
        model_files()
    except FaceModelError:
        with step_progress("fetching the face models (once, about 36 MB)") as report:
            fetch(None, report)


def progress_bar() -> Progress:
    """A bar on stderr that leaves nothing behind, and shows nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    # Without markup: names of files are shown as they are.
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def step_progress(text: str) -> Iterator[Any]:
    """A bar for one task; yields a function that takes the share done."""
    with progress_bar() as bar:
        task = bar.add_task(text, total=1.0)
        yield lambda share: bar.update(task, completed=share)


@contextmanager
def video_progress() -> Iterator[Any]:
    """A bar for each video in turn; yields a function of (name, share done)."""
    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def report(name: str, share: float | None) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=None if share is None else 1.0)
            if share is not None:
                bar.update(tasks[name], completed=share)

        yield report

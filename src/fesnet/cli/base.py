"""The application, options that commands share, and progress bars."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fesnet._names import printable
from fesnet.cli.lazy import LazyGroup
from fesnet.errors import FesnetError

if TYPE_CHECKING:
    from rich.progress import Progress

    from fesnet._types import ProgressCallback, ShareCallback, StepCallback
    from fesnet.postprocess import IntervalRules


app = typer.Typer(
    name="fesnet",
    help="Spot macro- and micro-expressions in long face videos. Everything stays on this machine.",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Out = Annotated[
    Path | None, typer.Option("--out", help="Folder for NAME.json and NAME.csv; made if missing.")
]
MegcYear = Annotated[int, typer.Option("--year", help="Of megc: 2022, 2023, 2024 or 2025.")]
RulesFile = Annotated[Path | None, typer.Option("--rules", help="TOML file with interval rules.")]
MacroThreshold = Annotated[
    float | None, typer.Option("--macro-threshold", help="Score from which a macro counts, 0..1.")
]
MicroThreshold = Annotated[
    float | None, typer.Option("--micro-threshold", help="Score from which a micro counts, 0..1.")
]
WeightsFolder = Annotated[
    Path | None, typer.Option("--weights", help="Weights folder; default: the bundled ones.")
]
FaceChoice = Annotated[str, typer.Option("--faces", help="'largest' or 'all'.")]
DeviceChoice = Annotated[
    str,
    typer.Option("--device", help="Of the network: auto, cpu, cuda, coreml or directml."),
]
RayAddress = Annotated[
    str | None, typer.Option("--ray", help="Address of a Ray cluster, 'auto' or 'local'.")
]
ImageFolderRate = Annotated[
    float | None, typer.Option("--fps", help="Frames a second of image folders.")
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Replace files that fesnet did not write, or that were changed."),
]
TableFile = Annotated[
    Path | None,
    typer.Option("--table", help="The spreadsheet with the annotations, under any name."),
]
EXPORT_FORMATS = (
    "eaf, textgrid, vtt, srt, boris, labelstudio, activitynet, bids, megc, frames, "
    "frames-parquet, blinks, csv"
)


class Output:
    """Whether commands print what is done; `Quiet` sets it anew with each command."""

    quiet = False


def set_quiet(wanted: bool) -> bool:
    Output.quiet = wanted
    return wanted


Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", callback=set_quiet, help="Print failures only, and no bar."),
]


# Errors of writing to standard output, such as on a full disk; fesnet._io writes the files.
LONGEST_ERROR = 2000  # letters of a line
NO_FOLDER = "expected a current folder, but it was removed; go to another"
WRITE_ERRORS = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main() -> None:
    """Run the command line; exit code 2 for a wrong call, 1 for a failure."""
    if "multiprocessing" in sys.modules:
        from fesnet.jobs.pool import exit_if_unguarded

        exit_if_unguarded()
    take_any_text()
    try:
        code = run_app()
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where its error can still be caught
    except OSError as error:
        if error.errno not in WRITE_ERRORS:
            raise
        # The interpreter flushes what is left to the null device at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        closed = isinstance(error, BrokenPipeError)  # the reader of our output stopped
        line = f"expected to write the output, got '{error.strerror}'; name another place"
        code = 1 if closed else print_error(line, 1)
    sys.exit(code)


def run_app() -> int:
    """Returns the exit code. Raises OSError where the output cannot be written."""
    try:
        code = app(prog_name="fesnet", standalone_mode=False) or 0
        return print_error("stopped", 130) if code == 130 else code  # a newer Typer's
    except FesnetError as error:
        return print_error(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return print_error("stopped", 130)
    except MemoryError:
        return print_error("expected less than memory holds; take a smaller file", 1)
    except OSError as error:
        line = file_error(error)
        if line is None:
            raise
        return print_error(line, 1)
    except Exception as error:
        # Typer's usage errors; their class differs between its versions.
        if not hasattr(error, "format_message"):
            raise
        return print_error(call_error(error), 2)


def file_error(error: OSError) -> str | None:
    """What to tell of an error about a file or folder; None for one of the output."""
    if isinstance(error, FileNotFoundError) and folder_is_gone():
        return NO_FOLDER
    if error.filename is None or error.errno in WRITE_ERRORS:
        return None
    line = f"expected to read or write {error.filename}, got '{error.strerror}'"
    return f"{line}; look whether it is there, and permitted"


def folder_is_gone() -> bool:
    """Whether the current folder was removed; relative paths mean nothing then."""
    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        return True
    return False


def print_error(line: str, code: int) -> int:
    """Print an error to stderr; returns the exit code. What a file holds can be of any length."""
    if len(line) > LONGEST_ERROR and not line.startswith("Usage:"):
        line = f"{line[: LONGEST_ERROR // 2]} ... {line[-LONGEST_ERROR // 2 :]}"
    if line.startswith("Usage:"):
        print(line, file=sys.stderr)
    else:
        say(f"fesnet: {line}", error=True)
    return code


def say(line: str, *, error: bool = False) -> None:
    """Print one line that may hold names of files, at once; with --quiet only an error. No name
    can move the cursor, change colours, or make two lines of it. An error that no one can read
    stops nothing: the exit code tells it, too.
    """
    if Output.quiet and not error:
        return
    try:
        print(printable(line), file=sys.stderr if error else sys.stdout, flush=True)
    except OSError as failed:
        if not error or failed.errno not in WRITE_ERRORS:
            raise


def take_any_text() -> None:
    """Let standard output take any letter: what its code page lacks is shown as \\uNNNN."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def call_error(error: Any) -> str:
    """One line for a wrong call; the help for a call without arguments."""
    message = str(error.format_message()).rstrip()
    if message.startswith("Usage:"):
        return message
    command = error.ctx.command_path if error.ctx else "fesnet"
    return f"{message[:1].lower()}{' '.join(message[1:].split()).rstrip('.')}; see {command} --help"


def print_version(wanted: bool) -> None:
    if wanted:
        from fesnet import __version__

        print(f"fesnet {__version__}")
        raise typer.Exit


@app.callback()
def global_options(
    show: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Spot macro- and micro-expressions in long face videos. Everything stays on this machine."""
    Output.quiet = False  # of an earlier command of this process


def check_choice(value: str, *allowed: str) -> Any:
    """The value. Raises UsageError if it is not allowed."""
    from fesnet.errors import UsageError

    if value not in allowed:
        raise UsageError(f"expected one of {', '.join(allowed)}, got {value!r}")
    return value


def export_formats(
    names: str | None, out: Path | None, frames: str | None = None
) -> tuple[str, ...]:
    """The formats of --export and --frames, which need a folder."""
    from fesnet.errors import UsageError
    from fesnet.exports import parse_formats

    for option, value in (("--export", names), ("--frames", frames)):
        if value is not None and out is None:
            raise UsageError(
                f"expected --out with {option}, got none; name the folder for the files"
            )
    formats = [] if names is None else parse_formats(names)
    if frames is not None:
        table = {"csv": "frames", "parquet": "frames-parquet"}[
            check_choice(frames.lower(), "csv", "parquet")
        ]
        formats = [*(f for f in formats if f != table), table]
    return tuple(formats)


def resolve_rules(
    rules: IntervalRules, file: Path | None, macro: float | None, micro: float | None
) -> IntervalRules:
    """The given rules, overridden by a TOML file and then by single options."""
    from fesnet.batch import override_rules

    return override_rules(rules, file, {"macro_threshold": macro, "micro_threshold": micro})


def fetch_models() -> None:
    """Download the face models at the first use: says what and why, then shows a bar."""
    from fesnet.errors import FaceModelError
    from fesnet.faces.models import fetch_notice, import_models, model_files

    try:
        model_files()
    except FaceModelError:
        if not Output.quiet:
            say(f"fesnet: {fetch_notice()}", error=True)
        with step_progress("fetching the face models (once, about 36 MB)") as report:
            import_models(None, report)


def progress_bar() -> Progress:
    """A transient bar on stderr; shows nothing if stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    # Without markup: names of files are shown as they are.
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    hidden = Output.quiet or not console.is_terminal
    return Progress(*columns, console=console, transient=True, disable=hidden)


@contextmanager
def step_progress(text: str) -> Iterator[ShareCallback]:
    """A bar for one task."""
    with progress_bar() as bar:
        task = bar.add_task(text, total=1.0)

        def report(share: float) -> None:
            bar.update(task, completed=share)

        yield report


@contextmanager
def count_progress() -> Iterator[StepCallback]:
    """A bar for each thing that is counted."""
    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(printable(what), total=total)
            bar.update(tasks[what], completed=done)

        yield report


@contextmanager
def video_progress() -> Iterator[ProgressCallback]:
    """A bar for each video in turn."""
    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def report(name: str, share: float | None) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(printable(name), total=None if share is None else 1.0)
            if share is not None:
                bar.update(tasks[name], completed=share)

        yield report

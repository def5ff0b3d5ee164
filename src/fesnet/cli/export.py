"""Results to and from other programs: export, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fesnet._messages import get_extra
from fesnet.cli.base import EXPORT_FORMATS, Force, MegcYear, Quiet, app, say, video_progress


@app.command("export")
def export_command(
    result: Annotated[
        Path,
        typer.Argument(
            help="A result (NAME.json), a review (NAME.review.json), a folder of them, or of "
            "weights."
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to", help=f"Formats, divided by commas: {EXPORT_FORMATS}; of weights: onnx."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the files; default: beside the result.")
    ] = None,
    year: MegcYear = 2023,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write a result for other programs, named like the result; over older files of fesnet only.

    A weights folder is exported as ONNX graphs, which are checked against torch (extra train).
    """
    from fesnet._io import make_writable_folder
    from fesnet.exports import iter_exports, parse_formats
    from fesnet.study.results import is_results_folder, read_named

    if result.is_dir() and not is_results_folder(result):
        export_onnx_weights(result, to, out)
        return
    formats = parse_formats(to, year)
    if result.is_dir():
        export_folder(result, formats, out, year, force=force)
        return
    spotting = read_named(result)
    folder = result.parent if out is None else make_writable_folder(out)
    for path in iter_exports(spotting, formats, folder, result.stem, year, force=force):
        say(f"wrote {path}")


def export_folder(
    folder: Path, formats: list[str], out: Path | None, year: int, *, force: bool
) -> None:
    """The files of all results below a folder; what could not be written is named."""
    from fesnet._io import make_writable_folder
    from fesnet.study.pages import export_results

    make_writable_folder(out or folder)
    failed = 0
    for name, paths, error in export_results(folder, formats, out, year, force=force):
        for path in paths:
            say(f"wrote {path}")
        if error is not None:
            failed += 1
            say(f"fesnet: {name}: {error}", error=True)
    if failed:
        raise typer.Exit(1)


def export_onnx_weights(weights: Path, to: str, out: Path | None) -> None:
    """Export a weights folder to a new one. Raises UsageError and MissingExtraError."""
    from fesnet.errors import MissingExtraError, UsageError
    from fesnet.weights import CONFIG

    if not (weights / CONFIG).is_file():
        raise UsageError(
            f"expected a result, or a folder of results or weights, got neither in {weights}"
        )
    if to != "onnx":
        raise UsageError(
            f"expected --to onnx for a weights folder, got {to!r}; other formats are for results"
        )
    if out is None:
        raise UsageError("expected --out with a weights folder, got none; name a new folder")
    try:
        from fesnet.model.checkpoint import export_weights
    except ImportError as error:
        raise MissingExtraError(
            f"expected torch to write ONNX graphs, got none; {get_extra('train')}"
        ) from error
    export_weights(weights, out)
    say(f"wrote {out / 'encode.onnx'} and {out / 'decode.onnx'}, equal to torch")


@app.command("import")
def import_command(
    file: Annotated[
        Path,
        typer.Argument(
            help="Annotations that say macro or micro: .eaf, .TextGrid, .boris, .csv. With "
            "--review also a folder of results."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="CSV file for the truth, with the columns of NAME.csv."),
    ] = None,
    review: Annotated[
        bool,
        typer.Option(
            "--review", help="Make them corrections of the result instead: NAME.review.json."
        ),
    ] = False,
    who: Annotated[
        str | None,
        typer.Option("--who", help="Who corrected; default: the name of your account. --review."),
    ] = None,
    done: Annotated[
        bool,
        typer.Option(
            "--done", help="The whole video was seen: what stayed the same is checked. --review."
        ),
    ] = False,
    video: Annotated[
        Path | None,
        typer.Option(
            "--video",
            help="The video or its result; default: FILE.json beside, else what FILE links to.",
        ),
    ] = None,
    fps: Annotated[
        float | None, typer.Option("--fps", help="Frames a second of an image folder.")
    ] = None,
    force: Force = False,
) -> None:
    """Read the macro- and micro-expressions of a file of ELAN, Praat or BORIS, or of a table: as
    truth on the frames of its video, or as corrections of its result.
    """
    from fesnet.batch import import_truth
    from fesnet.errors import UsageError

    if review == (out is not None):
        raise UsageError(
            "expected --out FILE.csv for a table, or --review for corrections of the result; name "
            "one of them"
        )
    if out is None:
        import_as_corrections(file, video, who, done=done, force=force)
        return
    with video_progress() as report:
        read = import_truth(file, out, video, fps, report, force=force)
    say_left_out(file, read.ignored)
    say(f"wrote {out}, expressions: {len(read.found)}")


def say_left_out(file: Path, ignored: dict[str, int]) -> None:
    tier = "tier " if file.suffix.lower() in (".eaf", ".textgrid") else ""
    for name, number in ignored.items():
        say(f"left out: {number} of {tier}'{name}', neither macro nor micro")


def import_as_corrections(
    file: Path, result: Path | None, who: str | None, *, done: bool, force: bool
) -> None:
    """Corrections of one result, or of all of a folder; what could not be taken is named."""
    from fesnet.review.edits import default_user_name
    from fesnet.study.corrections import import_corrections, import_folder

    name = default_user_name() if who is None else who
    if not file.is_dir():
        one = import_corrections(file, name, result, done=done, force=force)
        say_left_out(file, one.left_out)
        say(f"{one.review}: {one.text}")
        return
    failed = untouched = 0
    for one in import_folder(file, name, done=done, force=force):
        if one.error is not None:
            failed += 1
            say(f"fesnet: {one.review.name}: {one.error}", error=True)
        elif one.file is None:
            untouched += 1
        else:
            say(f"{one.review}, from {one.file.name}: {one.text}")
    if untouched:
        say(f"no annotation file was changed beside {untouched} results")
    if failed:
        raise typer.Exit(1)

"""Videos in, expressions out: spot, live, rethreshold, demo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fesnet.cli.base import (
    EXPORTS,
    Macro,
    Micro,
    Out,
    RulesFile,
    WeightsFolder,
    app,
    choice,
    chosen_rules,
    export_formats,
    fetch_models,
    step_progress,
    video_progress,
)
from fesnet.cli.show import show_comparison, show_event, show_json, show_profile, show_result
from fesnet.errors import FesnetError


@app.command()
def spot(
    videos: Annotated[list[str], typer.Argument(help="Video files, image folders, stream addresses, camera numbers.")],
    out: Out = None,
    fps: Annotated[float | None, typer.Option("--fps", help="Frames a second of image folders.")] = None,
    faces: Annotated[str, typer.Option("--faces", help="'largest' or 'all'.")] = "largest",
    weights: WeightsFolder = None,
    runtime: Annotated[str, typer.Option("--runtime", help="'onnx', or 'torch' (extra train).")] = "onnx",
    rules: RulesFile = None,
    macro_threshold: Macro = None,
    micro_threshold: Micro = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help="Stop after this time (cameras).")] = None,
    formats: Annotated[
        str | None, typer.Option("--export", help=f"Files to write too, divided by commas: {EXPORTS}.")
    ] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Print where the time went, stage by stage.")] = False,
) -> None:
    """Spot expressions in one or more videos and print them; with --out, write NAME.json and NAME.csv."""
    from fesnet.batch import Job, check_sources, prepare_folder, spot_all
    from fesnet.profile import ProfiledSpotter
    from fesnet.spotter import Spotter

    sources = check_sources(videos)
    exports = export_formats(formats, out)
    folder = None if out is None else prepare_folder(out)
    fetch_models()
    make = ProfiledSpotter if profile else Spotter
    spotter = make(weights, runtime=choice(runtime, "onnx", "torch"), faces=choice(faces, "largest", "all"))
    spotter.rules = chosen_rules(spotter.rules, rules, macro_threshold, micro_threshold)
    job = Job(spotter, folder, fps, seconds, exports)
    with video_progress() as report:
        results = spot_all(sources, job, report)
    failed = 0
    for name, result in results:
        if isinstance(result, FesnetError):
            failed += 1
            print(f"fesnet: {name}: {result}", file=sys.stderr)
        else:
            show_result(result)
    if isinstance(spotter, ProfiledSpotter):
        show_profile(spotter.clock.rows())
    if folder is not None:
        print(f"results in {folder}")
    if failed:
        raise typer.Exit(1)


@app.command()
def live(
    source: Annotated[
        str, typer.Argument(help="Camera number, stream address, or a video file (at its own speed).")
    ] = "0",
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout, for other programs.")] = False,
    out: Out = None,
    weights: WeightsFolder = None,
    faces: Annotated[str, typer.Option("--faces", help="'largest' or 'all'.")] = "largest",
    seconds: Annotated[float | None, typer.Option("--seconds", help="Stop after this time.")] = None,
) -> None:
    """Spot while it happens; frames are dropped rather than shown late. Stop with Ctrl-C; --out keeps the result."""
    from fesnet.batch import check_sources, prepare_folder, write_results
    from fesnet.live import watch
    from fesnet.spotter import Spotter
    from fesnet.video import open_source

    (checked,) = check_sources([source])
    folder = None if out is None else prepare_folder(out)
    fetch_models()
    spotter = Spotter(weights, faces=choice(faces, "largest", "all"))
    with open_source(checked) as opened:
        result = watch(spotter, opened, show_json if json else show_event, seconds=seconds)
    if folder is not None:
        write_results(result, folder / f"{Path(result.source.name).stem}.json")


@app.command()
def rethreshold(
    result: Annotated[Path, typer.Argument(help="A result written by `fesnet spot --out`.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="File for the new result; default: over the old one.")
    ] = None,
    rules: RulesFile = None,
    macro_threshold: Macro = None,
    micro_threshold: Micro = None,
) -> None:
    """Make the intervals of a result anew from its stored scores, without the network."""
    from fesnet.batch import write_results
    from fesnet.result import Spotting

    old = Spotting.from_json(result)
    new = old.rethreshold(chosen_rules(old.rules, rules, macro_threshold, micro_threshold))
    write_results(new, out or result)
    show_result(new)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the demo's files.")] = Path("fesnet-demo"),
) -> None:
    """Animate a public-domain portrait, spot its expressions, and show found beside truth. Needs no data."""
    from fesnet.demo import run_demo

    fetch_models()
    with step_progress("making and spotting the demo video") as report:
        outcome = run_demo(out, report)
    show_comparison(outcome.rows)
    print(outcome.summary)
    print(f"report: {outcome.report.resolve()}")

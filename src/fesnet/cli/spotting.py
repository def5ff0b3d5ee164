"""Videos in, expressions out: spot, live, rethreshold, demo."""

from __future__ import annotations

import sys
from dataclasses import replace
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
from fesnet.cli.batch import Many, only_single, spot_many
from fesnet.cli.looking import check_looks, show_looks
from fesnet.cli.show import show_comparison, show_event, show_json, show_profile, show_result
from fesnet.errors import FesnetError, UsageError


@app.command()
def spot(
    videos: Annotated[
        list[str] | None,
        typer.Argument(
            help="Video files, image folders, stream addresses, camera numbers; folders of "
            "videos, patterns."
        ),
    ] = None,
    out: Out = None,
    fps: Annotated[
        float | None, typer.Option("--fps", help="Frames a second of image folders.")
    ] = None,
    faces: Annotated[str, typer.Option("--faces", help="'largest' or 'all'.")] = "largest",
    weights: WeightsFolder = None,
    runtime: Annotated[
        str, typer.Option("--runtime", help="'onnx', or 'torch' (extra train).")
    ] = "onnx",
    rules: RulesFile = None,
    macro_threshold: Macro = None,
    micro_threshold: Micro = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Stop after this time (cameras).")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option("--export", help=f"Files to write too, divided by commas: {EXPORTS}."),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Write NAME.html, a page to look at, too.")
    ] = False,
    overlay: Annotated[
        Path | None,
        typer.Option("--overlay", help="Write the video with what was found drawn into it (mp4)."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=0, help="Batch: worker processes.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="Batch: CSV of videos and their options.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option("--ray", help="Batch: address of a Ray cluster, 'auto' or 'local'."),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Batch: try again what failed in an earlier run.")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Print where the time went, stage by stage.")
    ] = False,
) -> None:
    """Spot expressions in one or more videos and print them; with --out, write NAME.json and
    NAME.csv.

    Folders of videos, patterns and the options marked "Batch" make a batch: results to --out,
    finished ones kept.
    """
    from fesnet._io import make_writable_folder
    from fesnet.batch import SpotJob, SpotSettings, check_sources, load_spotter, spot_sources
    from fesnet.profile import ProfiledSpotter
    from fesnet.spotter import Spotter, recommended_rules

    many, given = Many(jobs, ray, manifest, retry_failed), videos or []
    is_batch = many.wanted(given)
    sources = [] if is_batch else check_sources(given)
    exports = export_formats(formats, out)
    check_looks(report, overlay, out, sources)
    if is_batch:
        only_single(report=report, overlay=overlay, profile=profile)
        fetch_models()
        place = None if weights is None else str(weights.absolute())
        settings = SpotSettings(
            place, choice(runtime, "onnx", "torch"), choice(faces, "largest", "all")
        )
        known = recommended_rules(load_spotter(settings).weights)
        own = chosen_rules(known, rules, macro_threshold, micro_threshold)
        spot_many(
            given,
            out,
            replace(settings, rules=own, rate=fps, seconds=seconds, formats=exports),
            many,
        )
        return
    if not given:
        raise UsageError(
            "expected a video, got none; name a file, a folder, a camera number, or a --manifest"
        )
    folder = None if out is None else make_writable_folder(out)
    fetch_models()
    make = ProfiledSpotter if profile else Spotter
    spotter = make(
        weights, runtime=choice(runtime, "onnx", "torch"), faces=choice(faces, "largest", "all")
    )
    spotter.rules = chosen_rules(spotter.rules, rules, macro_threshold, micro_threshold)
    job = SpotJob(spotter, folder, fps, seconds, exports)
    with video_progress() as tell:
        results = spot_sources(sources, job, tell)
    failed = 0
    for one in results:
        if isinstance(one.outcome, FesnetError):
            failed += 1
            print(f"fesnet: {one.source}: {one.outcome}", file=sys.stderr)
        else:
            show_result(one.outcome)
            show_looks(
                one.outcome, folder / f"{one.name}.html" if report and folder else None, overlay
            )
    if isinstance(spotter, ProfiledSpotter):
        show_profile(spotter.clock.rows())
    if folder is not None:
        print(f"results in {folder}")
    if failed:
        raise typer.Exit(1)


@app.command()
def live(
    source: Annotated[
        str,
        typer.Argument(help="Camera number, stream address, or a video file (at its own speed)."),
    ] = "0",
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line on stdout, for other programs.")
    ] = False,
    out: Out = None,
    weights: WeightsFolder = None,
    faces: Annotated[str, typer.Option("--faces", help="'largest' or 'all'.")] = "largest",
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Stop after this time.")
    ] = None,
) -> None:
    """Spot while it happens; frames are dropped rather than shown late. Stop with Ctrl-C; --out
    keeps the result.
    """
    from fesnet._io import make_writable_folder
    from fesnet.batch import check_sources, result_names, write_results
    from fesnet.live import watch
    from fesnet.spotter import Spotter
    from fesnet.video import open_source

    (checked,) = check_sources([source])
    folder = None if out is None else make_writable_folder(out)
    fetch_models()
    spotter = Spotter(weights, faces=choice(faces, "largest", "all"))
    with open_source(checked) as opened:
        result = watch(spotter, opened, show_json if json else show_event, seconds=seconds)
    if folder is not None:
        write_results(result, folder / f"{result_names([checked])[0]}.json")


@app.command()
def rethreshold(
    result: Annotated[Path, typer.Argument(help="A result written by `fesnet spot --out`.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File for the new result; default: over the old one."),
    ] = None,
    rules: RulesFile = None,
    macro_threshold: Macro = None,
    micro_threshold: Micro = None,
) -> None:
    """Make the intervals of a result anew from its stored scores, without the network."""
    from fesnet._io import make_writable_folder
    from fesnet.batch import write_results
    from fesnet.exports import outdated_files
    from fesnet.result import Spotting

    old = Spotting.from_json(result)
    new = old.rethreshold(chosen_rules(old.rules, rules, macro_threshold, micro_threshold))
    path = out or result
    make_writable_folder(path.parent)
    write_results(new, path)
    show_result(new)
    print(f"wrote {path} and {path.with_suffix('.csv').name}")
    left = ", ".join(p.name for p in outdated_files(path))
    if left:
        print(
            f"fesnet: these still show the old intervals: {left}; write them again", file=sys.stderr
        )


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the demo's files.")] = Path(
        "fesnet-demo"
    ),
) -> None:
    """Animate a public-domain portrait, spot its expressions, and show found beside truth. Needs no
    data.
    """
    from fesnet.demo import run_demo

    fetch_models()
    with step_progress("making and spotting the demo video") as report:
        outcome = run_demo(out, report)
    show_comparison(outcome.rows)
    print(outcome.summary)
    print(f"report: {outcome.report.resolve()}")

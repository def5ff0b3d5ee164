"""Spot expressions in videos: spot, live."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fesnet.cli.base import (
    EXPORT_FORMATS,
    DeviceChoice,
    FaceChoice,
    Force,
    ImageFolderRate,
    MacroThreshold,
    MicroThreshold,
    Out,
    Output,
    Quiet,
    RulesFile,
    WeightsFolder,
    app,
    check_choice,
    export_formats,
    fetch_models,
    resolve_rules,
    say,
    video_progress,
)
from fesnet.cli.batch import BatchOptions, reject_single_options, spot_batch
from fesnet.cli.output import (
    EventPrinter,
    show_json,
    show_profile,
    show_result,
)
from fesnet.cli.report import check_report_options, write_report_and_overlay
from fesnet.errors import FesnetError, UsageError

if TYPE_CHECKING:
    from fesnet._types import EventCallback
    from fesnet.batch import SpotSettings
    from fesnet.live_preview import LivePreview
    from fesnet.result import Spotting
    from fesnet.spotter import Spotter

RECONNECT_S = 0.0  # s for which a lost network camera is tried again; a stream may simply end

LatencyChoice = Annotated[
    str, typer.Option("--latency", help="full: look ahead 26 s; low: 3 s, and less exact.")
]
Videos = Annotated[
    list[str] | None,
    typer.Argument(
        help="Video files, image folders, stream addresses, camera numbers; folders of "
        "videos, patterns."
    ),
]
RuntimeChoice = Annotated[str, typer.Option("--runtime", help="'onnx', or 'torch' (extra train).")]
Seconds = Annotated[float | None, typer.Option("--seconds", help="Stop after this time (cameras).")]
ExportFormats = Annotated[
    str | None,
    typer.Option("--export", help=f"Files to write too, divided by commas: {EXPORT_FORMATS}."),
]
FrameTable = Annotated[
    str | None,
    typer.Option("--frames", help="Write NAME.frames.csv or .parquet, a row for each frame, too."),
]
WithSound = Annotated[
    bool,
    typer.Option("--sound", help="Listen for a voice, too, for the flag `speaking` (extra sound)."),
]
WithReport = Annotated[
    bool, typer.Option("--report", help="Write NAME.html, a page to look at, too.")
]
OverlayFile = Annotated[
    Path | None,
    typer.Option("--overlay", help="Write the video with what was found drawn into it (mp4)."),
]
BatchJobs = Annotated[int | None, typer.Option("--jobs", min=0, help="Batch: processors to use.")]
Manifest = Annotated[
    Path | None, typer.Option("--manifest", help="Batch: CSV of videos and their options.")
]
BatchRay = Annotated[
    str | None,
    typer.Option("--ray", help="Batch: address of a Ray cluster, 'auto' or 'local'."),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Batch: try again what failed in an earlier run.")
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print results as JSON, one line a video, and nothing else."),
]
WithProfile = Annotated[
    bool, typer.Option("--profile", help="Print where the time went, stage by stage.")
]


@dataclass(frozen=True)
class SpotOptions:
    """How to spot, as given on the command line. rate: frames a second of image folders."""

    weights: Path | None
    runtime: str
    faces: str
    rules: Path | None
    macro_threshold: float | None
    micro_threshold: float | None
    rate: float | None
    seconds: float | None
    formats: tuple[str, ...]
    force: bool = False
    device: str = "auto"
    sound: bool = False

    def make_settings(self) -> SpotSettings:
        """The settings of a batch. Raises UsageError."""
        from fesnet.batch import SpotSettings, load_spotter
        from fesnet.spotter import recommended_rules

        fetch_models()
        folder = None if self.weights is None else str(self.weights.absolute())
        runtime = check_choice(self.runtime, "onnx", "torch")
        faces = check_choice(self.faces, "largest", "all")
        settings = SpotSettings(
            folder, runtime, faces, device=self.checked_device, sound=self.sound
        )
        rules = resolve_rules(
            recommended_rules(load_spotter(settings).weights),
            self.rules,
            self.macro_threshold,
            self.micro_threshold,
        )
        rate, seconds, formats = self.rate, self.seconds, self.formats
        return replace(settings, rules=rules, rate=rate, seconds=seconds, formats=formats)

    @property
    def checked_device(self) -> Any:
        return check_choice(self.device, "auto", "cpu", "cuda", "coreml", "directml")

    def make_spotter(self, profile: bool) -> Spotter:
        """The spotter of single videos. Raises UsageError."""
        from fesnet.profile import ProfiledSpotter
        from fesnet.spotter import Spotter

        fetch_models()
        runtime = check_choice(self.runtime, "onnx", "torch")
        faces = check_choice(self.faces, "largest", "all")
        spotter_class = ProfiledSpotter if profile else Spotter
        device = self.checked_device
        spotter = spotter_class(
            self.weights, runtime=runtime, faces=faces, device=device, sound=self.sound
        )
        spotter.rules = resolve_rules(
            spotter.rules, self.rules, self.macro_threshold, self.micro_threshold
        )
        return spotter


@app.command("spot")
def spot_command(
    videos: Videos = None,
    out: Out = None,
    fps: ImageFolderRate = None,
    faces: FaceChoice = "largest",
    weights: WeightsFolder = None,
    runtime: RuntimeChoice = "onnx",
    rules: RulesFile = None,
    macro_threshold: MacroThreshold = None,
    micro_threshold: MicroThreshold = None,
    seconds: Seconds = None,
    formats: ExportFormats = None,
    frames: FrameTable = None,
    sound: WithSound = False,
    report: WithReport = False,
    overlay: OverlayFile = None,
    jobs: BatchJobs = None,
    manifest: Manifest = None,
    ray: BatchRay = None,
    retry_failed: RetryFailed = False,
    profile: WithProfile = False,
    force: Force = False,
    device: DeviceChoice = "auto",
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Spot expressions in one or more videos and print them; with --out, write NAME.json and
    NAME.csv.

    Folders of videos, patterns and the options marked "Batch" make a batch: results to --out,
    finished ones kept.
    """
    from fesnet.batch import check_sources

    batch, named = BatchOptions(jobs, ray, manifest, retry_failed, force), videos or []
    is_batch = batch.is_requested(named)
    sources = [] if is_batch else check_sources(named)
    exports = export_formats(formats, out, frames)
    check_report_options(report, overlay, out, sources, force=force)
    thresholds = (macro_threshold, micro_threshold)
    options = SpotOptions(
        weights, runtime, faces, rules, *thresholds, fps, seconds, exports, force, device, sound
    )
    if is_batch:
        reject_single_options(report=report, overlay=overlay, profile=profile, json=json)
        spot_batch(named, out, options.make_settings(), batch)
    else:
        shown = ShownResults(out, report, overlay, profile, json)
        spot_singles(sources, options, shown)


@dataclass(frozen=True)
class ShownResults:
    """Where results go. out: folder for files; report: pages there; overlay: a video; profile:
    print where the time went; json: print lines of JSON instead of tables."""

    out: Path | None
    report: bool
    overlay: Path | None
    profile: bool
    json: bool

    def __post_init__(self) -> None:
        """Standard output holds JSON alone. Raises UsageError for what would print more."""
        if self.json and self.profile:
            raise UsageError("expected --json or --profile, got both; leave one out")
        Output.quiet = Output.quiet or self.json

    def show(self, name: str, found: Spotting, *, force: bool) -> None:
        """Print one result, and write its page and video; with `force` over any files."""
        from json import dumps, loads

        if self.json:
            print(dumps(loads(found.to_json()), ensure_ascii=False), flush=True)
        elif not Output.quiet:
            show_result(found)
        page = self.out / f"{name}.html" if self.report and self.out else None
        write_report_and_overlay(found, page, self.overlay, force=force)


def spot_singles(sources: list[str | int], options: SpotOptions, shown: ShownResults) -> None:
    """Spot single videos and print what was found; failures go to stderr. Raises UsageError."""
    from fesnet._io import make_writable_folder
    from fesnet.batch import SpotJob, spot_sources
    from fesnet.profile import ProfiledSpotter

    if not sources:
        raise UsageError(
            "expected a video, got none; name a file, a folder, a camera number, or a --manifest"
        )
    folder = None if shown.out is None else make_writable_folder(shown.out)
    spotter = options.make_spotter(shown.profile)
    limits = (options.rate, options.seconds)
    job = SpotJob(spotter, folder, *limits, options.formats, options.force)
    with video_progress() as progress:
        results = spot_sources(sources, job, progress)
    failed = 0
    for result in results:
        try:
            if isinstance(result.outcome, FesnetError):
                raise result.outcome
            shown.show(result.name, result.outcome, force=options.force)
        except FesnetError as error:  # of this video; the others are shown
            failed += 1
            say(f"fesnet: {result.source}: {error}", error=True)
    if isinstance(spotter, ProfiledSpotter):
        show_profile(spotter.timer.rows())
    if folder is not None:
        say(f"results in {folder}")
    if failed:
        raise typer.Exit(1)


def pass_to(printer: EventCallback, page: LivePreview | None) -> EventCallback:
    """Events to the terminal and, if there is one, the page."""
    if page is None:
        return printer

    def both(event: dict[str, Any]) -> None:
        printer(event)
        page.show_event(event)

    return both


@app.command("live")
def live_command(
    source: Annotated[
        str,
        typer.Argument(help="Camera number, stream address, or a video file (at its own speed)."),
    ] = "0",
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line on stdout, for other programs.")
    ] = False,
    out: Out = None,
    weights: WeightsFolder = None,
    faces: FaceChoice = "largest",
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Stop after this time.")
    ] = None,
    force: Force = False,
    device: DeviceChoice = "auto",
    preview: Annotated[
        bool, typer.Option("--preview", help="Show a page on this machine with the last picture.")
    ] = False,
    reconnect: Annotated[
        float,
        typer.Option("--reconnect", help="Seconds to try a lost network camera again; 0: never."),
    ] = RECONNECT_S,
    latency: LatencyChoice = "full",
    quiet: Quiet = False,
) -> None:
    """Spot while it happens; frames are dropped rather than shown late. Stop with Ctrl-C; --out
    keeps the result.
    """
    from fesnet._io import make_writable_folder
    from fesnet.batch import check_sources, result_names
    from fesnet.cli.live import keep_live
    from fesnet.exports import check_results
    from fesnet.live import LiveOptions
    from fesnet.live_preview import optional_preview
    from fesnet.spotter import Spotter

    (checked,) = check_sources([source])
    target = None
    if out is not None:
        target = make_writable_folder(out) / f"{result_names([checked])[0]}.json"
        check_results(target, force=force)
    fetch_models()
    place = check_choice(device, "auto", "cpu", "cuda", "coreml", "directml")
    spotter = Spotter(
        weights,
        faces=check_choice(faces, "largest", "all"),
        device=place,
        latency=check_choice(latency, "full", "low"),
    )
    printer = show_json if json else EventPrinter(quiet=quiet)
    with optional_preview(preview) as page:
        options = LiveOptions(seconds, None if page is None else page.show_frame)
        show = pass_to(printer, page)
        keep_live(spotter, checked, show, target, options, reconnect_s=reconnect, force=force)

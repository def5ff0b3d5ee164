"""The command line: parse, call one library function, print. No logic here, and nothing heavy is imported early."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fesnet.errors import FesnetError

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

    from fesnet.intervals import IntervalRules
    from fesnet.metrics import Agreement
    from fesnet.result import Spotting

app = typer.Typer(
    name="fesnet",
    help="Spot macro- and micro-expressions in long face videos. Everything stays on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models_app = typer.Typer(help="The face models (MediaPipe's detector and face mesh, Apache-2.0).", no_args_is_help=True)
app.add_typer(models_app, name="models")

Out = Annotated[Path | None, typer.Option("--out", help="Folder for NAME.json and NAME.csv; made if missing.")]
EXPORTS = "eaf, textgrid, vtt, srt, boris, labelstudio, activitynet, bids, megc, csv"
Year = Annotated[int, typer.Option("--year", help="Of megc: 2022, 2023, 2024 or 2025.")]
RulesFile = Annotated[Path | None, typer.Option("--rules", help="TOML file with interval rules.")]
Macro = Annotated[float | None, typer.Option("--macro-threshold", help="Score from which a macro counts, 0..1.")]
Micro = Annotated[float | None, typer.Option("--micro-threshold", help="Score from which a micro counts, 0..1.")]
WeightsFolder = Annotated[Path | None, typer.Option("--weights", help="Weights folder; default: the bundled ones.")]


def main() -> None:
    """Run the command line; exit code 2 for a wrong call, 1 for a failure."""
    try:
        app()
    except FesnetError as error:
        print(f"fesnet: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("fesnet: stopped", file=sys.stderr)
        sys.exit(130)


def version(wanted: bool) -> None:
    if wanted:
        from fesnet import __version__

        print(f"fesnet {__version__}")
        raise typer.Exit


@app.callback()
def options(
    show: Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Spot macro- and micro-expressions in long face videos. Everything stays on this machine."""


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
) -> None:
    """Spot expressions in one or more videos and print them; with --out, write NAME.json and NAME.csv."""
    from fesnet.batch import Job, check_sources, prepare_folder, spot_all
    from fesnet.spotter import Spotter

    sources = check_sources(videos)
    exports = export_formats(formats, out)
    folder = None if out is None else prepare_folder(out)
    fetch_models()
    spotter = Spotter(weights, runtime=choice(runtime, "onnx", "torch"), faces=choice(faces, "largest", "all"))
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
def export(
    result: Annotated[Path, typer.Argument(help="A result written by `fesnet spot --out`.")],
    to: Annotated[str, typer.Option("--to", help=f"Formats, divided by commas: {EXPORTS}.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the files; default: beside the result.")] = None,
    year: Year = 2023,
) -> None:
    """Write a result for other programs, named like the result. Files of the same name are written over."""
    from fesnet.batch import prepare_folder
    from fesnet.exports import export as write
    from fesnet.exports import read_formats
    from fesnet.result import Spotting

    formats = read_formats(to, year)
    spotting = Spotting.from_json(result)
    folder = result.parent if out is None else prepare_folder(out)
    for path in write(spotting, formats, folder, result.stem, year):
        print(f"wrote {path}")


@app.command()
def score(
    truth: Annotated[Path, typer.Argument(help="Table of true intervals (CSV, result, folder of results).")],
    found: Annotated[Path, typer.Argument(help="What was found, or what a second person says.")],
    protocol: Annotated[
        str, typer.Option("--protocol", help="official, softnet, abpn, lssnet, lgsnet, divided by commas, or all.")
    ] = "official",
    iou: Annotated[float, typer.Option("--iou", help="Overlap from which two intervals match.")] = 0.5,
    fps: Annotated[float | None, typer.Option("--fps", help="For files that count in seconds (ActivityNet).")] = None,
    by: Annotated[str | None, typer.Option("--by", help="'subject': a row for each, too.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
) -> None:
    """Agreement of two sets of intervals: F1 by kind with intervals over subjects, false alarms, edges, kappa."""
    from fesnet.errors import UsageError
    from fesnet.metrics import PROTOCOLS, agree

    names = list(PROTOCOLS) if protocol == "all" else protocol.split(",")
    for name in names:
        choice(name, *PROTOCOLS)
    if not 0 < iou <= 1:
        raise UsageError(f"expected an IoU above 0 and up to 1, got {iou}")
    by_subject = by is not None and choice(by, "subject") == "subject"
    agreement = agree(truth, found, iou=iou, rate=fps)
    values = agreement.to_dict(names, by_subject=by_subject)
    show_json(values) if json else show_agreement(values, agreement)


@app.command("import")
def import_annotations(
    file: Annotated[Path, typer.Argument(help="An ELAN file (.eaf) whose annotations say macro or micro.")],
    out: Annotated[Path, typer.Option("--out", help="CSV file for the truth, with the columns of NAME.csv.")],
    video: Annotated[
        Path | None,
        typer.Option("--video", help="The video or its result; default: FILE.json beside, else what FILE links to."),
    ] = None,
    fps: Annotated[float | None, typer.Option("--fps", help="Frames a second of an image folder.")] = None,
) -> None:
    """Read the macro- and micro-expressions of an ELAN file, as truth on the frames of its video."""
    from fesnet.batch import import_truth

    with video_progress() as report:
        read = import_truth(file, out, video, fps, report)
    for name, number in read.ignored.items():
        print(f"left out: {number} of tier '{name}', neither macro nor micro")
    print(f"wrote {out}, expressions: {len(read.found)}")


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


@models_app.command("import")
def import_models(
    wheel: Annotated[Path | None, typer.Argument(help="A mediapipe 0.10.21 wheel; default: downloaded by pip.")] = None,
) -> None:
    """Fetch and convert the face models into the user's cache (about 36 MB once; or from a wheel file, offline)."""
    from fesnet.faces.models import import_models as fetch

    with step_progress("fetching the face models") as report:
        files = fetch(wheel, report)
    print(f"face models in {files.detector.parent}")


@app.command()
def train(
    portraits: Annotated[
        Path, typer.Argument(help="Folder of portraits; `neutral/` and `smiling/` if there are both.")
    ],
    out: Annotated[Path, typer.Option("--out", help="New folder for the weights; the state lies beside it.")],
    preset: Annotated[str, typer.Option("--preset", help="'default' or 'paper'.")] = "default",
    config: Annotated[Path | None, typer.Option("--config", help="TOML file with training settings.")] = None,
    pair_steps: Annotated[int | None, typer.Option("--pair-steps", help="Steps on pairs of frames.")] = None,
    head_steps: Annotated[int | None, typer.Option("--head-steps", help="Steps on windows that LSDM has seen.")] = None,
    clip_steps: Annotated[int | None, typer.Option("--clip-steps", help="Steps on clips, end to end.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the saved state.")] = False,
) -> None:
    """Train weights on synthetic video made from portraits (extra `train`)."""
    try:
        from fesnet.training import train_from_portraits
    except ImportError as error:
        from fesnet.errors import MissingExtraError

        raise MissingExtraError(f"expected torch for training ({error}); install fesnet[train]") from error
    steps = {"pair_steps": pair_steps, "head_steps": head_steps, "clip_steps": clip_steps}
    fetch_models()
    for line in train_from_portraits(portraits, out, preset, config, steps, resume=resume):
        print(line, flush=True)


@app.command()
def synth(
    portraits: Annotated[
        Path, typer.Argument(help="Folder of face photos; `neutral/` and `smiling/` if there are both.")
    ],
    out: Annotated[Path, typer.Argument(help="New folder for videos and truth, or one of an earlier call to go on.")],
    hours: Annotated[float, typer.Option("--hours", help="How much video at least.")] = 0.1,
    seconds: Annotated[float, typer.Option("--seconds", help="Length of each video.")] = 120.0,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other videos.")] = 0,
    size: Annotated[str, typer.Option("--size", help="Width x height in pixels.")] = "640x480",
    fps: Annotated[list[float] | None, typer.Option("--fps", help="Frames a second; more than once: drawn.")] = None,
    dropped: Annotated[float, typer.Option("--dropped", help="Share of frames missing (variable frame rate).")] = 0.0,
    crf: Annotated[str, typer.Option("--crf", help="x264's quality, or a range to draw from.")] = "18-30",
    macro: Annotated[float, typer.Option("--macro", help="Macro-expressions a minute, about.")] = 3.0,
    micro: Annotated[float, typer.Option("--micro", help="Micro-expressions a minute, about.")] = 2.0,
    speech: Annotated[float, typer.Option("--speech", help="Share of videos with speech.")] = 0.35,
) -> None:
    """Make long face videos with known truth from face photos: NAME.mp4, videos.csv, truth.csv, synth.json."""
    from fesnet.synth.plan import VideoPlan
    from fesnet.synth.videos import make_videos

    rates = {"macro_per_minute": macro, "micro_per_minute": micro, "speech_share": speech, "dropped": dropped}
    plan = VideoPlan.from_options(size, crf, fps or [30.0], {"hours": hours, "seconds": seconds, "seed": seed, **rates})
    fetch_models()
    with video_progress() as report:
        outcome = make_videos(portraits, out, plan, report)
    print(outcome)
    for line in outcome.left_out:
        print(f"fesnet: {line}", file=sys.stderr)
    if outcome.left_out:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Versions, face models, weights, threads and GPU: what to send with a bug report."""
    from fesnet.doctor import examine

    findings = examine()
    width = max(len(f.what) for f in findings)
    for f in findings:
        print(f"{'ok ' if f.good else 'BAD'} {f.what:<{width}}  {f.found}")
    if not all(f.good for f in findings):
        raise typer.Exit(1)


# -- helpers: reading options, showing results -----------------------------------------------------------------------


def choice(value: str, *allowed: str) -> Any:
    from fesnet.errors import UsageError

    if value not in allowed:
        raise UsageError(f"expected one of {', '.join(allowed)}, got {value!r}")
    return value


def export_formats(names: str | None, out: Path | None) -> tuple[str, ...]:
    """The formats of --export, which needs a folder."""
    from fesnet.errors import UsageError
    from fesnet.exports import read_formats

    if names is not None and out is None:
        raise UsageError("expected --out with --export, got none; name the folder for the files")
    return () if names is None else tuple(read_formats(names))


def chosen_rules(rules: IntervalRules, file: Path | None, macro: float | None, micro: float | None) -> IntervalRules:
    """The rules to use: given ones, changed by a TOML file and then by single options."""
    from fesnet.batch import changed_rules

    return changed_rules(rules, file, {"macro_threshold": macro, "micro_threshold": micro})


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


def show_result(result: Spotting) -> None:
    """A table of the intervals, and what else a person must know."""
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False, highlight=False)  # names of files are shown as they are
    table = Table(title=result.source.name, title_justify="left")
    for column in ("face", "kind", "onset s", "apex s", "offset s", "frames", "score"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    for i in result.intervals:
        times = (f"{t:.2f}" for t in (i.onset_s, i.apex_s, i.offset_s))
        table.add_row(str(i.face), i.kind, *times, f"{i.onset_frame}-{i.offset_frame}", f"{i.score:.2f}")
    console.print(table if result.intervals else f"{result.source.name}: no expression found")
    for gap in result.gaps:
        print(f"  unknown {gap.start_s:.2f}-{gap.stop_s:.2f} s (face {gap.face}: {gap.reason})")
    for warning in result.warnings:
        print(f"  warning: {warning}")


def show_agreement(values: dict[str, Any], agreement: Agreement) -> None:
    """Tables of counts by protocol, and what else there is to know."""
    from rich.console import Console

    from fesnet.metrics.words import lines

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # a table in a file is not cut
    for name, kinds in values["protocols"].items():
        console.print(counts_table(name, values, kinds))
    for line in lines(values, agreement):
        print(line)


def counts_table(name: str, values: dict[str, Any], kinds: dict[str, Any]) -> Table:
    """Counts of one protocol, by kind, and by subject where there are some."""
    from rich.table import Table

    table = Table(title=f"{name}, IoU {values['iou']:g}, {values['videos']} videos", title_justify="left")
    for column in ("", "TP", "FP", "FN", "P", "R", "F1", "95 %", "false/min"):
        table.add_column(column, justify="left" if column == "" else "right", no_wrap=True)

    def add(label: str, c: dict[str, Any]) -> None:
        rates = [f"{c[n]:.4f}" for n in ("precision", "recall", "f1")]
        spread = "{:.3f}-{:.3f}".format(*c["f1_95"]) if "f1_95" in c else ""
        alarms = "" if c["false_alarms_a_minute"] is None else f"{c['false_alarms_a_minute']:.2f}"
        table.add_row(label, str(c["tp"]), str(c["fp"]), str(c["fn"]), *rates, spread, alarms)

    for kind, c in kinds.items():
        add(kind, c)
    for subject, counts in values.get("by_subject", {}).get(name, {}).items():
        table.add_section()
        for kind, c in counts.items():
            add(f"{subject} {kind}", c)
    return table


def show_json(event: dict[str, Any]) -> None:
    from json import dumps

    print(dumps(event), flush=True)


def show_event(event: dict[str, Any]) -> None:
    """A line for each interval on stdout; the state on one line of a terminal's stderr."""
    kind = event["event"]
    if kind == "interval":
        span = f"{event['onset_s']:8.2f} - {event['offset_s']:.2f} s"
        print(f"face {event['face']}  {event['kind']}  {span}  score {event['score']:.2f}", flush=True)
    elif kind == "status":
        if sys.stderr.isatty():
            counts = f"{event['faces']} face(s), {event['dropped']} of {event['frames']} frames dropped"
            line = f"{event['time_s']:8.1f} s  {counts}  delay {event['delay_median_s']:.2f} s"
            print(f"\r{line} ", end="", file=sys.stderr)
    elif kind == "start":
        wait = f"scores are final after {event['look_ahead_s']:.1f} s at most"
        print(f"watching {event['source']}; {wait}", file=sys.stderr)
    else:
        counts = f"{event['dropped']} of {event['frames']} frames dropped"
        delays = f"delay {event['delay_median_s']:.2f} s, 95 %: {event['delay_95_percent_s']:.2f} s"
        print(f"\n{event['intervals']} expressions; {counts}; {delays}", file=sys.stderr)


def show_comparison(rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="found beside truth (synthetic demo video)", title_justify="left")
    for column in ("kind", "true onset-offset s", "found as", "found onset-offset s", "overlap (IoU)"):
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    Console().print(table)

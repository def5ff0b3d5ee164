"""Make synthetic videos with known truth: synth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fesnet.cli.base import RayAddress, app, fetch_models, say, video_progress

# Length of each video by default, s. Clips of footage are short, and run to and fro.
VIDEO_SECONDS, FOOTAGE_SECONDS = 120.0, 20.0
SoundsShare = Annotated[
    float, typer.Option("--sounds", help="Share of the speech that is a chain of sounds.")
]
MacroStrength = Annotated[
    str, typer.Option("--macro-strength", help="From-to; 1: a full expression.")
]
MicroStrength = Annotated[
    str, typer.Option("--micro-strength", help="The same of micro-expressions.")
]
TurningShare = Annotated[
    float, typer.Option("--turning", help="Share of videos in which the head turns to stay.")
]
VideoQuality = Annotated[
    str, typer.Option("--crf", help="x264's quality, or a range to draw from.")
]
NuisanceShare = Annotated[
    float, typer.Option("--nuisances", help="Share of videos with 2-4 nuisances, such as a hand.")
]
NuisanceName = Annotated[
    list[str] | None,
    typer.Option("--nuisance", help="Of --nuisances: one to draw; more than once: out of these."),
]
DroppedShare = Annotated[
    float, typer.Option("--dropped", help="Share of frames missing (variable frame rate).")
]

SynthFolders = Annotated[
    list[Path],
    typer.Argument(
        metavar="[PORTRAITS] OUT",
        help="PORTRAITS: face photos; `neutral/` and `smiling/` if there are both. Left out "
        "with --footage. OUT: new folder for videos and truth, or one of an earlier call to "
        "go on.",
    ),
]
FootageFolder = Annotated[
    Path | None,
    typer.Option("--footage", help="Render expressions onto these neutral clips instead."),
]
MasksTable = Annotated[
    Path | None,
    typer.Option(
        "--masks",
        help="Of --footage: CSV (video, onset_s, offset_s) of what is not neutral.",
    ),
]
VideoLength = Annotated[
    float | None,
    typer.Option("--seconds", help="Length of each video; default 120, 20 with --footage."),
]
VideoRates = Annotated[
    list[float] | None, typer.Option("--fps", help="Frames a second; more than once: drawn.")
]


@app.command("synth")
def synth_command(
    context: typer.Context,
    folders: SynthFolders,
    footage: FootageFolder = None,
    masks: MasksTable = None,
    hours: Annotated[float, typer.Option("--hours", help="How much video at least.")] = 0.1,
    seconds: VideoLength = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other videos.")] = 0,
    size: Annotated[str, typer.Option("--size", help="Width x height in pixels.")] = "640x480",
    fps: VideoRates = None,
    dropped: DroppedShare = 0.0,
    crf: VideoQuality = "12-26",
    macro: Annotated[
        float, typer.Option("--macro", help="Macro-expressions a minute, about.")
    ] = 3.0,
    micro: Annotated[
        float, typer.Option("--micro", help="Micro-expressions a minute, about.")
    ] = 2.0,
    speech: Annotated[float, typer.Option("--speech", help="Share of videos with speech.")] = 0.35,
    sounds: SoundsShare = 0.5,
    macro_strength: MacroStrength = "0.25-1.2",
    micro_strength: MicroStrength = "0.1-0.9",
    turning: TurningShare = 0.0,
    nuisances: NuisanceShare = 0.0,
    nuisance: NuisanceName = None,
    jobs: Annotated[
        int, typer.Option("--jobs", help="Worker processes, a video each; 0: none.")
    ] = 1,
    ray: RayAddress = None,
) -> None:
    """Make long face videos with known truth from face photos, or from clips of neutral faces:
    NAME.mp4, videos.csv, truth.csv, synth.json.
    """
    from fesnet.jobs import make_executor
    from fesnet.synth.script.plan import VideoPlan
    from fesnet.synth.videos.footage import make_footage_videos
    from fesnet.synth.videos.videos import make_videos

    portraits, out = split_folders(folders, footage, masks)
    if footage is not None:
        reject_portrait_options(context)
    usual = VIDEO_SECONDS if footage is None else FOOTAGE_SECONDS
    values: dict[str, Any] = {"hours": hours, "seconds": usual if seconds is None else seconds}
    values |= {"seed": seed, "dropped": dropped}
    values |= {"macro_per_minute": macro, "micro_per_minute": micro}
    values |= {"speech_share": speech, "sounds_share": sounds, "turning_share": turning}
    values |= {"macro_amplitude": macro_strength, "micro_amplitude": micro_strength}
    values |= nuisance_values(nuisances, nuisance)
    plan = VideoPlan.from_options(size, crf, fps or [30.0], values)
    fetch_models()
    with make_executor(jobs, ray) as executor, video_progress() as progress:
        if footage is not None:
            outcome = make_footage_videos(footage, out, plan, progress, executor, masks)
        elif portraits is not None:
            outcome = make_videos(portraits, out, plan, progress, executor)
    print(outcome)
    for line in outcome.left_out:
        say(f"fesnet: {line}", error=True)
    if outcome.left_out:
        raise typer.Exit(1)


def nuisance_values(share: float, names: list[str] | None) -> dict[str, Any]:
    """Settings of `VideoPlan`. Raises UsageError for names without a share."""
    from fesnet.errors import UsageError

    if names and not share:
        raise UsageError("expected --nuisances with --nuisance, got none; name a share such as 0.5")
    return {"nuisance_share": share} | ({"nuisance_names": tuple(names)} if names else {})


def split_folders(
    folders: list[Path], footage: Path | None, masks: Path | None
) -> tuple[Path | None, Path]:
    """PORTRAITS, if there are some, and OUT. Raises UsageError."""
    from fesnet.errors import UsageError

    if footage is None and masks is not None:
        raise UsageError("expected --footage with --masks, got none; name the folder of clips")
    if footage is not None and len(folders) == 1:
        return None, folders[0]
    if footage is None and len(folders) == 2:
        return folders[0], folders[1]
    wanted = "PORTRAITS OUT" if footage is None else "OUT alone with --footage"
    raise UsageError(f"expected {wanted}, got {len(folders)} folders")


def reject_portrait_options(context: typer.Context) -> None:
    """Raises UsageError for options that footage has no use for: its people bring all that."""
    from fesnet.errors import UsageError

    for name in ("fps", "dropped", "speech", "sounds", "turning", "nuisances"):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"expected no --{name} with --footage: the clips decide; leave it out")

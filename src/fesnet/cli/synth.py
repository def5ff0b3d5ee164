"""Make synthetic videos with known truth: synth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fesnet.cli.base import RayAddress, app, fetch_models, say, video_progress

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
DroppedShare = Annotated[
    float, typer.Option("--dropped", help="Share of frames missing (variable frame rate).")
]


@app.command("synth")
def synth_command(
    portraits: Annotated[
        Path,
        typer.Argument(help="Folder of face photos; `neutral/` and `smiling/` if there are both."),
    ],
    out: Annotated[
        Path,
        typer.Argument(help="New folder for videos and truth, or one of an earlier call to go on."),
    ],
    hours: Annotated[float, typer.Option("--hours", help="How much video at least.")] = 0.1,
    seconds: Annotated[float, typer.Option("--seconds", help="Length of each video.")] = 120.0,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other videos.")] = 0,
    size: Annotated[str, typer.Option("--size", help="Width x height in pixels.")] = "640x480",
    fps: Annotated[
        list[float] | None, typer.Option("--fps", help="Frames a second; more than once: drawn.")
    ] = None,
    dropped: DroppedShare = 0.0,
    crf: Annotated[
        str, typer.Option("--crf", help="x264's quality, or a range to draw from.")
    ] = "12-26",
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
    jobs: Annotated[
        int, typer.Option("--jobs", help="Worker processes, a video each; 0: none.")
    ] = 1,
    ray: RayAddress = None,
) -> None:
    """Make long face videos with known truth from face photos: NAME.mp4, videos.csv, truth.csv,
    synth.json.
    """
    from fesnet.jobs import make_executor
    from fesnet.synth.script.plan import VideoPlan
    from fesnet.synth.videos.videos import make_videos

    values: dict[str, Any] = {"hours": hours, "seconds": seconds, "seed": seed, "dropped": dropped}
    values |= {"macro_per_minute": macro, "micro_per_minute": micro}
    values |= {"speech_share": speech, "sounds_share": sounds, "turning_share": turning}
    values |= {"macro_amplitude": macro_strength, "micro_amplitude": micro_strength}
    plan = VideoPlan.from_options(size, crf, fps or [30.0], values)
    fetch_models()
    with make_executor(jobs, ray) as executor, video_progress() as progress:
        outcome = make_videos(portraits, out, plan, progress, executor)
    print(outcome)
    for line in outcome.left_out:
        say(f"fesnet: {line}", error=True)
    if outcome.left_out:
        raise typer.Exit(1)

"""Data and weights: synth, train."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fesnet._messages import get_extra
from fesnet.cli.base import RayAddress, app, fetch_models, video_progress


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
    dropped: Annotated[
        float, typer.Option("--dropped", help="Share of frames missing (variable frame rate).")
    ] = 0.0,
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
    sounds: Annotated[
        float, typer.Option("--sounds", help="Share of the speech that is a chain of sounds.")
    ] = 0.5,
    macro_strength: Annotated[
        str, typer.Option("--macro-strength", help="From-to; 1: a full expression.")
    ] = "0.25-1.2",
    micro_strength: Annotated[
        str, typer.Option("--micro-strength", help="The same of micro-expressions.")
    ] = "0.1-0.9",
    turning: Annotated[
        float, typer.Option("--turning", help="Share of videos in which the head turns to stay.")
    ] = 0.0,
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
    with make_executor(jobs, ray) as executor, video_progress() as report:
        outcome = make_videos(portraits, out, plan, report, executor)
    print(outcome)
    for line in outcome.left_out:
        print(f"fesnet: {line}", file=sys.stderr)
    if outcome.left_out:
        raise typer.Exit(1)


@app.command("train")
def train_command(
    portraits: Annotated[
        Path,
        typer.Argument(help="Folder of portraits; `neutral/` and `smiling/` if there are both."),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="New folder for the weights; the state lies beside it.")
    ],
    preset: Annotated[str, typer.Option("--preset", help="'default' or 'paper'.")] = "default",
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file with training settings.")
    ] = None,
    pair_steps: Annotated[
        int | None, typer.Option("--pair-steps", help="Steps on pairs of frames.")
    ] = None,
    head_steps: Annotated[
        int | None, typer.Option("--head-steps", help="Steps on windows that LSDM has seen.")
    ] = None,
    clip_steps: Annotated[
        int | None, typer.Option("--clip-steps", help="Steps on clips, end to end.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", help="Weights to go on from: 'bundled' or a folder; their preset counts."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the saved state.")] = False,
) -> None:
    """Train weights on synthetic video made from portraits (extra `train`)."""
    try:
        from fesnet.training import train_from_portraits
    except ImportError as error:
        from fesnet.errors import MissingExtraError

        raise MissingExtraError(
            f"expected torch for training ({error}); {get_extra('train')}"
        ) from error
    steps = {"pair_steps": pair_steps, "head_steps": head_steps, "clip_steps": clip_steps}
    fetch_models()
    for line in train_from_portraits(
        portraits, out, preset, config, steps, resume=resume, start=start
    ):
        print(line, flush=True)

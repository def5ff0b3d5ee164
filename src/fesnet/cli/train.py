"""Train weights: train."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from fesnet._messages import get_extra
from fesnet.cli.base import app, fetch_models
from fesnet.errors import UsageError

TrainFootage = Annotated[
    Path | None,
    typer.Option(
        "--footage",
        help="Learn from clips of neutral faces, too, or from videos by `synth --footage`.",
    ),
]
TrainMasks = Annotated[
    Path | None,
    typer.Option("--masks", help="As of `synth --masks`, for clips of --footage."),
]
StartWeights = Annotated[
    str | None,
    typer.Option(
        "--start", help="Weights to go on from: 'bundled' or a folder; their preset counts."
    ),
]


@app.command("train")
def train_command(
    out: Annotated[
        Path, typer.Option("--out", help="New folder for the weights; the state lies beside it.")
    ],
    portraits: Annotated[
        Path | None,
        typer.Argument(help="Folder of portraits; `neutral/` and `smiling/` if there are both."),
    ] = None,
    videos: Annotated[
        Path | None,
        typer.Option("--videos", help="Fine-tune --start on your own labelled videos instead."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="Of --videos: table of their expressions (CSV)."),
    ] = None,
    preset: Annotated[str, typer.Option("--preset", help="'default' or 'paper'.")] = "default",
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file with training settings.")
    ] = None,
    pair_steps: Annotated[
        int | None, typer.Option("--pair-steps", help="Steps on pairs of frames.")
    ] = None,
    head_steps: Annotated[
        int | None, typer.Option("--head-steps", help="Steps on windows of cached LSDM features.")
    ] = None,
    clip_steps: Annotated[
        int | None, typer.Option("--clip-steps", help="Steps on clips, end to end.")
    ] = None,
    start: StartWeights = None,
    footage: TrainFootage = None,
    masks: TrainMasks = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the saved state.")] = False,
) -> None:
    """Train weights on synthetic video made from portraits, or fine-tune them on your own videos
    (extra `train`).
    """
    train_from_portraits = import_training()
    if masks is not None and footage is None:
        raise UsageError("expected --footage with --masks, got none; name the folder of clips")
    steps = {"pair_steps": pair_steps, "head_steps": head_steps, "clip_steps": clip_steps}
    fetch_models()
    if videos is not None or truth is not None:
        others = (portraits, footage, masks, resume or None)
        lines = fine_tuning(videos, truth, out, start, config, steps, others)
    elif portraits is None:
        raise UsageError("expected a folder of portraits, or --videos with --truth; got neither")
    else:
        more: dict[str, Any] = {
            "resume": resume,
            "start": start,
            "footage": footage,
            "masks": masks,
        }
        lines = train_from_portraits(portraits, out, preset, config, steps, **more)
    for line in lines:
        print(line, flush=True)


def fine_tuning(
    videos: Path | None,
    truth: Path | None,
    out: Path,
    start: str | None,
    config: Path | None,
    steps: dict[str, int | None],
    others: tuple[object, ...],
) -> Iterator[str]:
    """The lines of a fine-tuning. others: what belongs to portraits alone. Raises UsageError."""
    from fesnet.evaluation.fine_tuning import FineTuneOptions, fine_tune_on_videos

    if videos is None or truth is None or start is None:
        raise UsageError(
            "expected --videos, --truth and --start together, got only some; --start bundled takes "
            "the weights of fesnet"
        )
    if any(other is not None for other in others):
        raise UsageError("expected --videos without portraits, --footage, --masks and --resume")
    return fine_tune_on_videos(FineTuneOptions(videos, truth, out, start, config, steps))


def import_training() -> Callable[..., Iterator[str]]:
    """What trains on portraits. Raises MissingExtraError without torch."""
    try:
        from fesnet.training import train_from_portraits
    except ImportError as error:
        from fesnet.errors import MissingExtraError

        raise MissingExtraError(
            f"expected torch for training ({error}); {get_extra('train')}"
        ) from error
    return train_from_portraits

"""Files for challenges: challenge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fesnet.cli.base import Force, app, say


@app.command("challenge")
def challenge_command(
    found: Annotated[
        Path, typer.Argument(help="A folder of results (NAME.json), or a table of intervals.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to hand in.")],
    year: Annotated[int, typer.Option("--year", help="2022, 2023, 2024, 2025 or 2026.")] = 2023,
    videos: Annotated[
        Path | None,
        typer.Option(
            "--videos", help="videos.csv with the challenge's names, subjects and numbers of files."
        ),
    ] = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", help="Of 2026: the questions (.jsonl).")
    ] = None,
    force: Force = False,
) -> None:
    """Write one submission of all results, in the form of a year of the Micro-Expression Grand
    Challenge.
    """
    from fesnet._guard import replacing
    from fesnet.errors import UsageError
    from fesnet.evaluation.challenge_files import write_answers, write_submission

    if (year == 2026) != (questions is not None):
        raise UsageError("expected --questions with --year 2026 and with no other")
    with replacing(out, force=force):
        if questions is not None:
            lines = write_answers(found, questions, out)
        else:
            lines = write_submission(found, year, out, videos)
    for line in lines:
        say(line)

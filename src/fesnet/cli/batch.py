"""`fesnet spot` over many videos, and what it prints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fesnet.cli.base import say

if TYPE_CHECKING:
    from fesnet.batch import SpotSettings


@dataclass(frozen=True)
class BatchOptions:
    """The options of a batch. jobs: worker processes (0: none); ray: address of a cluster;
    manifest: table of videos; force: replace files of people, too."""

    jobs: int | None = None
    ray: str | None = None
    manifest: Path | None = None
    retry_failed: bool = False
    force: bool = False

    def is_requested(self, videos: list[str]) -> bool:
        """Whether these options or videos ask for a batch."""
        from fesnet.batch import is_batch

        given = (self.jobs, self.ray, self.manifest)
        return self.retry_failed or any(option is not None for option in given) or is_batch(videos)


def spot_batch(
    videos: list[str], out: Path | None, settings: SpotSettings, options: BatchOptions
) -> None:
    """Run the batch: prints a line for each video to stdout, and failures at the end to stderr."""
    from fesnet._io import make_writable_folder
    from fesnet.batch import find_videos, read_manifest, run_batch
    from fesnet.batch.sources import count_passed_over, passed_over_text
    from fesnet.errors import UsageError
    from fesnet.jobs import make_executor
    from fesnet.study import read_version

    if out is None:
        raise UsageError(
            "expected --out with a folder of videos, a pattern, --manifest, --jobs or --ray, got "
            "none"
        )
    if options.manifest is not None and videos:
        raise UsageError(
            f"expected either videos or --manifest, got both ({videos[0]} and {options.manifest})"
        )
    if options.manifest is None and not videos:
        raise UsageError(
            "expected videos for a batch, got none; name files, folders, patterns, or a --manifest"
        )
    entries = (
        find_videos(videos, out, print_error_line)
        if options.manifest is None
        else read_manifest(options.manifest)
    )
    columns = list(dict.fromkeys(c for entry in entries for c in entry.columns))
    if columns:
        say(f"columns for the tables: {', '.join(columns)}")
    folder = make_writable_folder(out)
    jobs = 1 if options.jobs is None else options.jobs
    with make_executor(jobs, options.ray) as executor:
        outcome = run_batch(
            entries,
            folder,
            settings,
            executor,
            say,
            retry_failed=options.retry_failed,
            force=options.force,
            read_version=read_version,
            workers=1 if options.ray else jobs,
        )
    for key, reason in (*outcome.failed, *outcome.refused):
        say(f"fesnet: {key}: {reason}", error=True)
    passed = {} if options.manifest is not None else count_passed_over(videos, out)
    if passed:
        say(passed_over_text(passed))
    counts = f"{outcome.done} done, {outcome.kept} done before, {len(outcome.failed)} failed"
    say(f"{counts}; results in {out}, summary in {outcome.tables[0]}")
    say(f"next: fesnet summary {out} makes tables, drawings and a page of all videos")
    if outcome.failed or outcome.refused:
        raise typer.Exit(1)


def reject_single_options(**options: object) -> None:
    """Raises UsageError for an option that a batch does not support."""
    from fesnet.errors import UsageError

    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise UsageError(
            f"expected {given[0]} with single videos, got a batch; spot those videos by themselves"
        )


def print_error_line(line: str) -> None:
    say(f"fesnet: {line}", error=True)

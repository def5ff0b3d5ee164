"""`fesnet spot` over many videos: what it prints while it goes on and at its end."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from fesnet.batch import SpotSettings


@dataclass(frozen=True)
class Many:
    """The options of a batch. jobs: worker processes (0: none); ray: a cluster; manifest: a table
    of videos.
    """

    jobs: int | None = None
    ray: str | None = None
    manifest: Path | None = None
    retry_failed: bool = False

    def wanted(self, videos: list[str]) -> bool:
        """Whether a call means a batch."""
        from fesnet.batch import is_batch

        given = (self.jobs, self.ray, self.manifest)
        return self.retry_failed or any(option is not None for option in given) or is_batch(videos)


def spot_many(videos: list[str], out: Path | None, settings: SpotSettings, many: Many) -> None:
    """Run the batch; one line a video on stdout, what failed at the end on stderr."""
    from fesnet._io import make_writable_folder
    from fesnet.batch import find_videos, read_manifest, run_batch
    from fesnet.errors import UsageError
    from fesnet.jobs import make_executor

    if out is None:
        raise UsageError(
            "expected --out with a folder of videos, a pattern, --manifest, --jobs or --ray, got "
            "none"
        )
    if many.manifest is not None and videos:
        raise UsageError(
            f"expected either videos or --manifest, got both ({videos[0]} and {many.manifest})"
        )
    if many.manifest is None and not videos:
        raise UsageError(
            "expected videos for a batch, got none; name files, folders, patterns, or a --manifest"
        )
    entries = find_videos(videos, out) if many.manifest is None else read_manifest(many.manifest)
    folder = make_writable_folder(out)
    jobs = 1 if many.jobs is None else many.jobs
    with make_executor(jobs, many.ray) as executor:
        batch = run_batch(entries, folder, settings, executor, tell, retry_failed=many.retry_failed)
    for key, reason in batch.failed:
        print(f"fesnet: {key}: {reason}", file=sys.stderr)
    counts = f"{batch.done} done, {batch.kept} done before, {len(batch.failed)} failed"
    print(f"{counts}; results in {out}, summary in {batch.tables[0]}")
    if batch.failed:
        raise typer.Exit(1)


def only_single(**options: object) -> None:
    """Raises UsageError for an option that a batch does not know: nothing is passed over without a
    word.
    """
    from fesnet.errors import UsageError

    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise UsageError(
            f"expected {given[0]} with single videos, got a batch; spot those videos by themselves"
        )


def tell(line: str) -> None:
    print(line, flush=True)

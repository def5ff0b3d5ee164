"""The truth of a data set as tables that `fesnet score` reads, also where no frame is at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fesnet._io import make_folder, write_table
from fesnet.datasets.check import issue_lines
from fesnet.datasets.folder import VIDEOS
from fesnet.datasets.prepared import prepared_truth_rows, video_rows
from fesnet.datasets.recording import DataSet
from fesnet.errors import TruthError


def write_truth_table(data: DataSet, out: Path) -> Iterator[str]:
    """Write `out` and the videos.csv beside it; yields lines for people.

    Frames are numbers of files, counted from 1. A video whose frames are not there has no length,
    and its results cannot be placed by numbers that begin elsewhere. Raises TruthError without
    videos, UsageError where nothing can be written.
    """
    recordings = sorted((*data.recordings, *data.frameless), key=lambda r: r.id)
    if not recordings:
        raise TruthError(f"expected annotated videos in {data.root}, got none")
    make_folder(out.parent)
    write_table(out.parent / VIDEOS, video_rows(recordings, rates=True))
    write_table(out, prepared_truth_rows(recordings))
    yield from issue_lines(data.issues)
    events = sum(len(r.truth) for r in recordings)
    yield f"wrote {out} ({events} events) and {out.parent / VIDEOS} ({len(recordings)} videos)"
    if data.frameless:
        yield f"  frames are at hand for {len(data.recordings)} of them"

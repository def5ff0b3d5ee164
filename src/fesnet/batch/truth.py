"""Truth out of annotation files, on the frames of the video that they annotate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fesnet._guard import check_replaceable, replacing
from fesnet._io import describe_absence, file_exists, resolve_path
from fesnet._types import FloatArray, ProgressCallback
from fesnet.errors import UsageError
from fesnet.exports import is_table_of_result
from fesnet.exports.annotations import read_annotations
from fesnet.exports.csv import IntervalRow, write_rows
from fesnet.exports.elan_reader import (
    SINGLE_FRAME_RATE,
    ElanAnnotations,
    nearest_index,
    snap_to_frames,
)
from fesnet.result import Spotting
from fesnet.timing import frame_ends
from fesnet.video import open_source


def import_truth(
    file: Path,
    out: Path,
    video: Path | None,
    rate: float | None,
    report: ProgressCallback,
    *,
    force: bool = False,
) -> ElanAnnotations:
    """The expressions of an annotation file (`fesnet.exports.annotations`) as a table of truth.

    Its columns are those of NAME.csv; an apex that nobody marked is empty. video: the video or its
    result, default the result beside the file, else the video that the file names; rate: of an
    image folder. Returns what the file held. Raises UsageError, TruthError, ResultError,
    SourceError, and TargetError where `out` is a person's file (`force` replaces it).
    """
    if out.suffix != ".csv":
        raise UsageError(f"expected a .csv file for the truth, got {out}")
    if not file_exists(file):
        raise UsageError(f"expected an annotation file, but {file} {describe_absence(file)}")
    if resolve_path(out) == resolve_path(file):
        raise UsageError(f"expected another file for --out than {file}; name a new one")
    check_replaceable(out, force=force, known=is_table_of_result)
    name, rows, read = read_truth_rows(file, video, rate, report)
    with replacing():
        write_rows(name, rows, out)
    return read


def read_truth_rows(
    file: Path, video: Path | None, rate: float | None, report: ProgressCallback
) -> tuple[str, list[IntervalRow], ElanAnnotations]:
    """The name of the annotated video, the expressions of an annotation file on its frames, and
    what else the file held; as `import_truth`.
    """
    beside = result_beside(file)
    named = video or (beside if file_exists(beside) else None)
    read = read_annotations(file, named and video_of(named))
    chosen = named or read.video
    if chosen is None:
        raise UsageError(
            f"expected the video that {file} annotates, got none beside it; name it, or its "
            "result, by --video"
        )
    name, times = frame_axis(chosen, rate, report)
    if file_exists(beside) and chosen != beside:
        check_length(beside, chosen, len(times))
    found = read.found
    if read.last_frames:
        ends = frame_ends(times, SINGLE_FRAME_RATE)
        stops = [float(ends[nearest_index(m.stop_s, times)]) for m in found]
        found = tuple(replace(m, stop_s=stop) for m, stop in zip(found, stops, strict=True))
    return name, snap_to_frames(found, times), read


def result_beside(file: Path) -> Path:
    """Where the result of an annotation file lies if it has the same name. NAME.review.eaf was
    exported from the corrections of NAME.json."""
    return file.with_name(f"{file.stem.removesuffix('.review')}.json")


def video_of(path: Path) -> Path:
    """A video, or that of a result, by the name that annotations link to."""
    if path.suffix != ".json":
        return path
    return path.with_name(Path(Spotting.from_json(path).source.name).name or path.name)


def check_length(result: Path, video: Path, frames: int) -> None:
    """Raises UsageError for a video of another number of frames than that of the result beside the
    annotations.
    """
    known = Spotting.from_json(result)
    lengths = {
        len(known.frame_times),
        known.source.frame_count,
    }  # spotting may have stopped before the end
    if frames not in lengths:
        raise UsageError(
            f"expected the video of {result.name} ({len(known.frame_times)} frames), got {video} "
            f"of {frames}; name the "
            f"video that was annotated, or move {result.name} away"
        )


def frame_axis(path: Path, rate: float | None, report: ProgressCallback) -> tuple[str, FloatArray]:
    """The name of a video and the times (N,) s of its frames; from its result, or by reading it
    through.
    """
    if path.suffix == ".json":
        result = Spotting.from_json(path)
        return result.source.name, result.frame_times
    times = []
    with open_source(path, rate=rate) as opened:
        for frame in opened:
            times.append(frame.time)
            if frame.index % 100 == 0:
                report(
                    opened.name, min(frame.time / opened.duration, 1.0) if opened.duration else None
                )
    # Microseconds, as results keep them.
    return opened.name, np.round(times, 6)

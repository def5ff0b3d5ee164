"""The per-frame table: one row for each source frame and face, for statistics.

Scores, strengths and pose are those of the nearest step of the working grid (30 Hz). What is
unknown is empty, never a text.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fesnet._io import atomic_open, atomic_write_text
from fesnet._messages import get_extra
from fesnet._types import FloatArray
from fesnet.errors import MissingExtraError
from fesnet.facial_units import OUTPUTS
from fesnet.observations import FLAGS, FaceObservations
from fesnet.result import FaceTrack, Spotting

SIDES = {"L": "_left", "R": "_right"}
UNIT_COLUMNS = tuple(f"AU{o.rstrip('LR')}{SIDES.get(o[-1], '')}" for o in OUTPUTS)
VALUE_COLUMNS = (
    *("macro", "micro", "intensity"),
    *UNIT_COLUMNS,
    *("yaw", "pitch", "roll"),
    *FLAGS,
)
FRAME_COLUMNS = ("frame", "time_s", "face", *VALUE_COLUMNS)
DIGITS = 4  # of scores; strengths have two, degrees one


def frame_values(spotting: Spotting, track: FaceTrack) -> FloatArray:
    """(N, VALUE_COLUMNS) of one face at the N source frames; not-a-number where it is unknown."""
    steps = np.rint(spotting.frame_times * spotting.working_rate).astype(np.int64)
    inside = steps < len(track.times)
    seen = {o.face: o for o in spotting.observations}.get(track.face)
    parts = [track.scores, track.intensity[:, None], *observed(seen, len(track.times))]
    rows = np.concatenate(parts, 1)
    rows[np.isnan(track.scores).any(1)] = np.nan
    out = np.full((len(steps), len(VALUE_COLUMNS)), np.nan)
    out[inside] = rows[steps[inside]]
    return out


def observed(seen: FaceObservations | None, steps: int) -> tuple[FloatArray, ...]:
    """Strengths, pose and flags (T, .); not-a-number where nothing was observed."""
    if seen is None:
        return (np.full((steps, len(OUTPUTS) + 3 + len(FLAGS)), np.nan),)
    return seen.strengths, seen.pose, seen.flags.astype(np.float64)


def write_frames_csv(spotting: Spotting, path: Path) -> None:
    """Write `path` atomically; rows by face, then by frame."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(FRAME_COLUMNS)
    for track in spotting.faces:
        values = np.round(frame_values(spotting, track), DIGITS)
        for frame, (time, row) in enumerate(
            zip(spotting.frame_times.tolist(), values.tolist(), strict=True)
        ):
            cells = ["" if v != v else f"{v:g}" for v in row]
            table.writerow([frame, f"{time:.6f}", track.face, *cells])
    atomic_write_text(path, text.getvalue())


def write_frames_parquet(spotting: Spotting, path: Path) -> None:
    """The same as Parquet, unknown as null. Raises MissingExtraError without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            f"expected pyarrow for Parquet, but it is not installed; {get_extra('frames')}"
        ) from error
    count = len(spotting.frame_times)
    faces = [t.face for t in spotting.faces]
    values = [frame_values(spotting, t) for t in spotting.faces]
    rows = np.concatenate(values) if values else np.zeros((0, len(VALUE_COLUMNS)))
    columns: dict[str, NDArray[np.generic] | pyarrow.Array] = {
        "frame": np.tile(np.arange(count), len(faces)),
        "time_s": np.tile(spotting.frame_times, len(faces)),
        "face": np.repeat(np.array(faces, np.int64), count),
    }
    for name, column in zip(VALUE_COLUMNS, rows.T, strict=True):
        kind = pyarrow.bool_() if name in FLAGS else pyarrow.float32()
        known = column > 0 if name in FLAGS else column
        columns[name] = pyarrow.array(known, kind, mask=np.isnan(column))
    with atomic_open(path) as sink:
        pyarrow.parquet.write_table(pyarrow.table(columns), sink)

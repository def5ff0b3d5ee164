"""A result as pandas tables: intervals, scores, frames. pandas is in the extra `tables`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from fesnet._messages import get_extra
from fesnet.errors import MissingExtraError
from fesnet.exports.csv import COLUMNS
from fesnet.intervals import KINDS
from fesnet.result import FaceTrack, SpottedInterval, Spotting

if TYPE_CHECKING:
    import pandas as pd

# pandas' types of a result's columns by the annotation of their field.
DTYPES = {"int": "int64", "float": "float64", "int | None": "Int64", "float | None": "float64"}


def load_pandas() -> Any:
    """The module. Raises MissingExtraError where it is not installed."""
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError(
            f"expected pandas for a DataFrame ({error}); {get_extra('tables')}"
        ) from error
    return pandas


def interval_columns() -> dict[str, str]:
    """Columns of `intervals_table` and their types: those of NAME.csv first, in its order."""
    known = {f.name: DTYPES.get(str(f.type), "object") for f in fields(SpottedInterval)}
    known |= {"video": "object", "kind": "category", "duration_s": "float64"}
    known |= {"moved": "object", "flags": "object"}
    order = [*(name for name in COLUMNS if name in known), *known]
    return {name: known[name] for name in dict.fromkeys(order)}


def intervals_table(spotting: Spotting) -> pd.DataFrame:
    """A row for each interval, with the columns of NAME.csv. kind is a category of macro and
    micro; seconds are float64, frames and faces int64, also in a table without rows.
    """
    rows = [
        {
            **asdict(i),
            "video": spotting.source.name,
            "duration_s": round(i.offset_s - i.onset_s, 6),
            "moved": "" if context is None else context.moved_text,
            "flags": "" if context is None else " ".join(context.flags),
        }
        for i in spotting.intervals
        for context in (spotting.context(i),)
    ]
    return make_table(rows, interval_columns())


def scores_table(spotting: Spotting) -> pd.DataFrame:
    """A row for each face and step of the working rate: face, time_s, macro_score and micro_score
    (0..1), intensity. Not-a-number where the face is unknown.
    """
    columns = ("face", "time_s", "macro_score", "micro_score", "intensity")
    parts = [
        np.column_stack(
            [np.full(len(t.times), t.face), t.times, np.asarray(t.scores, float), t.intensity]
        )
        for t in spotting.faces
    ]
    values = np.concatenate(parts) if parts else np.zeros((0, len(columns)))
    table: pd.DataFrame = load_pandas().DataFrame(values, columns=list(columns), dtype="float64")
    return table.astype({"face": "int64"})


def frames_table(spotting: Spotting) -> pd.DataFrame:
    """A row for each face and frame of the source: face, frame, time_s, known, macro_score,
    micro_score, intensity (of the step nearest in time), and macro, micro: whether the frame lies
    in an interval of that kind. One face, 0, with nothing known where no face was seen.
    """
    pandas = load_pandas()
    faces = {t.face: t for t in spotting.faces}
    numbers = sorted({*faces, *(i.face for i in spotting.intervals)}) or [0]
    parts = [pandas.DataFrame(frame_columns(spotting, n, faces.get(n))) for n in numbers]
    table: pd.DataFrame = pandas.concat(parts, ignore_index=True)
    return table


def frame_columns(spotting: Spotting, face: int, track: FaceTrack | None) -> dict[str, Any]:
    """The columns of `frames_table` for one face."""
    times, count = np.asarray(spotting.frame_times, float), len(spotting.frame_times)
    scores, intensity = np.full((count, 2), np.nan), np.full(count, np.nan)
    if track is not None:
        steps = np.rint(times * spotting.working_rate).astype(int).clip(0, len(track.times) - 1)
        scores = np.asarray(track.scores, float)[steps]
        intensity = np.asarray(track.intensity, float)[steps]
    inside = {kind: np.zeros(count, bool) for kind in KINDS}
    for i in spotting.intervals:
        if i.face == face:
            inside[i.kind][i.onset_frame : i.offset_frame + 1] = True
    return {
        "face": np.full(count, face, np.int64),
        "frame": np.arange(count, dtype=np.int64),
        "time_s": times,
        "known": ~np.isnan(scores).any(1),
        "macro_score": scores[:, 0],
        "micro_score": scores[:, 1],
        "intensity": intensity,
        **{str(kind): rows for kind, rows in inside.items()},
    }


def make_table(rows: Iterable[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    """A DataFrame of these columns with these types, whatever the rows; a category is one of
    macro and micro.
    """
    pandas = load_pandas()
    kinds = pandas.CategoricalDtype(list(KINDS))
    types = {name: kinds if kind == "category" else kind for name, kind in columns.items()}
    table: pd.DataFrame = pandas.DataFrame(list(rows), columns=list(columns)).astype(types)
    return table

"""The JSON form of a result (schema "fesnet/1"): how it is read, checked and packed.

Everything but two arrays is plain JSON. The arrays are packed so that an hour takes a few megabytes
at most, in a way that any language can read: base64 of zlib of little-endian integers.

- `frame_times_us`: uint64, microseconds from each source frame to the next, the first being the
  first frame's own time;
- `faces[].scores`: uint16, (T, 3) row by row: macro and micro score (1 is 65534), intensity (1 is
  16384, at most 3.99); 65535 stands for unknown. `ticks` is T, the steps at `working_rate`; step k
  is at k / working_rate seconds.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.errors import ResultError, UsageError
from fesnet.intervals import KINDS

SCHEMA = "fesnet/1"
UNKNOWN, SCORE_UNIT, INTENSITY_UNIT = 65535, 65534, 16384


def read_values(path: Path) -> dict[str, Any]:
    """The JSON values of a result file. Raises UsageError where there is no file, ResultError for
    what is no JSON or of another schema.
    """
    if not path.exists():
        raise UsageError(f"expected a result of `fesnet spot --out`, but {path} does not exist")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(
            f"expected a result of `fesnet spot --out` in {path}, but {error}"
        ) from error
    schema = values.get("schema") if isinstance(values, dict) else None
    if schema != SCHEMA:
        raise ResultError(f"expected a result of schema {SCHEMA} in {path}, got {schema!r}")
    return dict(values)


def check_values(values: dict[str, Any], *, source: type, interval: type, gap: type) -> None:
    """Raises ValueError, TypeError or OverflowError for values of a result file that JSON allows
    and a result does not. No face at all is a result; no frame is none, and a face has at least one
    step.

    source, interval, gap: the dataclasses whose fields rows must hold.
    """
    if not 0 < float(values["working_rate"]) < float("inf"):
        raise ValueError(f"working_rate {values['working_rate']}")
    for name, wanted in {
        "warnings": list,
        "provenance": dict,
        "faces": list,
        "rules": dict,
    }.items():
        if not isinstance(values[name], wanted):
            raise TypeError(f"{name} {values[name]!r}")
    frames = int(values["frames"])
    if frames < 1 or frames != len(unpack_times(values["frame_times_us"])):
        raise ValueError(f"{frames} frames")
    check_row(values["source"], source)
    check_tracks(values)
    check_spans(values, frames, interval, gap)


def check_tracks(values: dict[str, Any]) -> None:
    """As `check_values`, for warnings and faces."""
    wrong = [w for w in values["warnings"] if not isinstance(w, str)]
    wrong += [
        f for f in values["faces"] if type(f["face"]) is not int or type(f["ticks"]) is not int
    ]
    if wrong:
        raise TypeError(f"warning or face {wrong[0]!r}")
    if any(f["ticks"] < 1 for f in values["faces"]):
        raise ValueError("a face without ticks")


def check_spans(values: dict[str, Any], frames: int, interval: type, gap: type) -> None:
    """As `check_values`, for gaps, intervals and candidates."""
    for g in values["gaps"]:
        check_row(g, gap)
        if not 0 <= g["start_frame"] <= g["stop_frame"] < frames:
            raise ValueError(f"gap {g}")
    for i in (*values["intervals"], *values.get("candidates", ())):
        check_row(i, interval)
        onset, apex, offset = i["onset_frame"], i["apex_frame"], i["offset_frame"]
        if i["kind"] not in KINDS or not 0 <= onset <= apex <= offset < frames:
            raise ValueError(f"interval {i}")


# What JSON may hold for a field of each type; no number stands for true or false.
JSON_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "Kind": (str,),
}


def check_row(row: dict[str, Any], kind: type) -> None:
    """Raises TypeError, ValueError or OverflowError unless every field holds a value of its type,
    and numbers are finite."""
    for field in fields(kind):
        name, value = str(field.type), row[field.name]
        if value is None and name.endswith(" | None"):
            continue
        if type(value) not in JSON_TYPES[name.removesuffix(" | None")]:
            raise TypeError(f"{field.name} {value!r}")
        if isinstance(value, int | float) and not math.isfinite(value):
            raise ValueError(f"{field.name} {value}")


def pack_array(values: NDArray[Any]) -> str:
    """Base64 of zlib of an array's bytes."""
    return base64.b64encode(zlib.compress(values.tobytes(), 9)).decode("ascii")


def unpack_array(text: str, dtype: str) -> NDArray[Any]:
    """The flat array that `pack_array` packed."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), dtype)


def pack_times(times: FloatArray) -> str:
    """Rising times (N,) s, to the microsecond."""
    microseconds = np.rint(np.asarray(times, np.float64) * 1e6).astype(np.int64)
    return pack_array(np.diff(microseconds, prepend=0).astype("<u8"))


def unpack_times(text: str) -> FloatArray:
    """Times (N,) s that `pack_times` packed."""
    return np.cumsum(unpack_array(text, "<u8").astype(np.int64)) / 1e6


def quantize(scores: FloatArray, intensity: FloatArray) -> NDArray[np.uint16]:
    """Scores (T, 2) and intensity (T,) as whole numbers (T, 3)."""
    rows = np.concatenate([scores * SCORE_UNIT, intensity[:, None] * INTENSITY_UNIT], 1)
    return np.where(np.isnan(rows), UNKNOWN, np.clip(np.rint(rows), 0, SCORE_UNIT)).astype("<u2")


def dequantize(values: NDArray[np.uint16]) -> tuple[FloatArray, FloatArray]:
    """Scores (T, 2) and intensity (T,) of whole numbers (T, 3)."""
    rows = np.where(values == UNKNOWN, np.nan, values).astype(np.float64)
    return rows[:, :2] / SCORE_UNIT, rows[:, 2] / INTENSITY_UNIT

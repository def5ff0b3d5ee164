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
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fesnet._io import LARGEST_FILE, load_json, read_text_file
from fesnet._types import FloatArray
from fesnet.errors import ResultError, UsageError
from fesnet.intervals import KINDS

SCHEMA = "fesnet/1"
# What a result may claim. Sizes are checked before they are believed: a packed array of a few
# megabytes can stand for gigabytes.
MOST_STEPS = 20_000_000  # frames, and steps of all faces together: a week at 30 Hz
LATEST = 10_000_000.0  # s, 116 days (`fesnet.stream.MAX_TIME`)
LARGEST_SIDE = 1_000_000  # pixels
RATES = (0.01, 100_000.0)  # Hz, of the working rate
MOST_DIGITS = 40  # of a whole number or a rate
UNKNOWN, SCORE_UNIT, INTENSITY_UNIT = 65535, 65534, 16384


def read_values(path: Path) -> dict[str, Any]:
    """The JSON values of a result file. Raises UsageError where there is no file, ResultError for
    what is no JSON or of another schema.
    """
    if not path.exists():
        raise UsageError(f"expected a result of `fesnet spot --out`, but {path} does not exist")
    try:
        values = load_json(read_text_file(path, LARGEST_FILE))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(
            f"expected a result of `fesnet spot --out` in {path}, but {str(error)[:300]}"
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
    if not RATES[0] <= float(values["working_rate"]) <= RATES[1]:
        raise ValueError(f"working_rate {values['working_rate']}")
    for name, wanted in {
        "warnings": list,
        "provenance": dict,
        "faces": list,
        "intervals": list,
        "gaps": list,
        "rules": dict,
    }.items():
        if not isinstance(values[name], wanted):
            raise TypeError(f"{name} {values[name]!r}")
    frames = int(values["frames"])
    if not 1 <= frames <= MOST_STEPS:
        raise ValueError(f"{frames} frames")
    if frames != len(unpack_times(values["frame_times_us"], frames)):
        raise ValueError(f"other times than those of {frames} frames")
    check_row(values["source"], source)
    check_source(values["source"])
    check_tracks(values)
    check_spans(values, frames, interval, gap)


def check_source(source: dict[str, Any]) -> None:
    """As `check_values`, for the sizes and the rate of a source."""
    for side in ("width", "height"):
        if not 0 < source[side] <= LARGEST_SIDE:
            raise ValueError(f"{side} {source[side]}")
    if len(source["rate"] or "") > MOST_DIGITS:
        raise ValueError(f"rate {source['rate'][:MOST_DIGITS]} ...")


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
    if sum(f["ticks"] for f in values["faces"]) > MOST_STEPS:
        raise ValueError(f"more than {MOST_STEPS} ticks")
    numbers = [f["face"] for f in values["faces"]]
    if len(set(numbers)) < len(numbers) or not all(0 <= n < MOST_STEPS for n in numbers):
        raise ValueError("faces whose numbers are not their own")


def check_spans(values: dict[str, Any], frames: int, interval: type, gap: type) -> None:
    """As `check_values`, for gaps, intervals and candidates."""
    for g in values["gaps"]:
        check_row(g, gap)
        if not 0 <= g["start_frame"] <= g["stop_frame"] < frames:
            raise ValueError(f"gap {g}")
        if g["start_s"] > g["stop_s"]:
            raise ValueError(f"a gap that ends before it begins: {g}")
    for i in (*values["intervals"], *values.get("candidates", ())):
        check_row(i, interval)
        onset, apex, offset = i["onset_frame"], i["apex_frame"], i["offset_frame"]
        if i["kind"] not in KINDS or not 0 <= onset <= apex <= offset < frames:
            raise ValueError(f"interval {i}")
        if not i["onset_s"] <= i["apex_s"] <= i["offset_s"]:
            raise ValueError(f"an interval whose seconds do not rise: {i}")


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
        if isinstance(value, int | float) and not abs(value) < 10.0**MOST_DIGITS:
            raise ValueError(f"{field.name} is no number that can be meant")
        # What a container says of its duration may be wild; nothing is made of it.
        timed = field.name.endswith("_s") and field.name != "duration_s"
        if timed and not 0 <= value <= LATEST:
            raise ValueError(f"{field.name} {value}")
        if field.name == "face" and not 0 <= value < MOST_STEPS:
            raise ValueError(f"face {value}")


def pack_array(values: NDArray[Any]) -> str:
    """Base64 of zlib of an array's bytes."""
    return base64.b64encode(zlib.compress(values.tobytes(), 9)).decode("ascii")


def unpack_array(text: str, dtype: str, count: int) -> NDArray[Any]:
    """The flat array of `count` numbers that `pack_array` packed. Raises ValueError for another
    count; no more is unpacked than that.
    """
    if count < 0:
        raise ValueError(f"expected 0 numbers or more, got {count}")
    size = count * np.dtype(dtype).itemsize
    data = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), size + 1)
    if len(data) != size:
        raise ValueError(f"expected {count} numbers, got {'more' if len(data) > size else 'fewer'}")
    return np.frombuffer(data, dtype)


def pack_times(times: FloatArray) -> str:
    """Rising times (N,) s, to the microsecond."""
    microseconds = np.rint(np.asarray(times, np.float64) * 1e6).astype(np.int64)
    return pack_array(np.diff(microseconds, prepend=0).astype("<u8"))


def unpack_times(text: str, count: int) -> FloatArray:
    """Times (N,) s, `count` of them, that `pack_times` packed. Raises ValueError for others."""
    steps = unpack_array(text, "<u8", count)
    if float(steps.sum(dtype=np.float64)) > LATEST * 1e6:
        raise ValueError(f"frames later than {LATEST:g} s")
    return np.cumsum(steps.astype(np.int64)) / 1e6


def quantize(scores: FloatArray, intensity: FloatArray) -> NDArray[np.uint16]:
    """Scores (T, 2) and intensity (T,) as whole numbers (T, 3)."""
    rows = np.concatenate([scores * SCORE_UNIT, intensity[:, None] * INTENSITY_UNIT], 1)
    return np.where(np.isnan(rows), UNKNOWN, np.clip(np.rint(rows), 0, SCORE_UNIT)).astype("<u2")


def dequantize(values: NDArray[np.uint16]) -> tuple[FloatArray, FloatArray]:
    """Scores (T, 2) and intensity (T,) of whole numbers (T, 3)."""
    rows = np.where(values == UNKNOWN, np.nan, values).astype(np.float64)
    return rows[:, :2] / SCORE_UNIT, rows[:, 2] / INTENSITY_UNIT

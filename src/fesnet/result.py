"""What spotting returns, and its JSON form (schema "fesnet/1").

Everything but two arrays is plain JSON. The arrays are packed so that an hour takes a few megabytes at most, in a way
that any language can read: base64 of zlib of little-endian integers.

- `frame_times_us`: uint64, microseconds from each source frame to the next, the first being the first frame's own time;
- `faces[].scores`: uint16, (T, 3) row by row: macro and micro score (1 is 65534), intensity (1 is 16384, at most 3.99);
  65535 stands for unknown. T ticks at `working_rate`, tick k at k / working_rate seconds.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fesnet._files import write_whole
from fesnet.errors import FesnetError, ResultError, UsageError
from fesnet.intervals import (
    KINDS,
    IntervalRules,
    Kind,
    TimedInterval,
    find_intervals,
    known_stretches,
    nearest_frame,
    to_source_frames,
)

SCHEMA = "fesnet/1"
UNKNOWN, SCORE_UNIT, INTENSITY_UNIT = 65535, 65534, 16384
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class SourceInfo:
    """Where the frames came from; None where the source does not say. rate is a fraction such as "30000/1001"."""

    name: str
    path: str | None
    sha256: str | None
    width: int
    height: int
    rate: str | None
    frame_count: int | None
    duration_s: float | None


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """One face on the working grid: times (T,) s, scores (T, 2) macro and micro in 0..1, intensity (T,).

    Rows that are not numbers are unknown (no face).
    """

    face: int
    times: Floats
    scores: Floats
    intensity: Floats


@dataclass(frozen=True, order=True)
class SpottedInterval:
    """One expression. Seconds are on the video's clock; frames are 0-based, both inclusive, of the source video."""

    face: int
    onset_s: float
    apex_s: float
    offset_s: float
    kind: Kind
    onset_frame: int
    apex_frame: int
    offset_frame: int
    score: float


@dataclass(frozen=True, order=True)
class Gap:
    """A stretch in which a face is unknown, which is not the same as neutral. Frames inclusive."""

    face: int
    start_s: float
    stop_s: float
    start_frame: int
    stop_frame: int
    reason: str


@dataclass(frozen=True, eq=False)
class Spotting:
    """The whole result of one source. frame_times (N,) s of all source frames; provenance: what made it."""

    source: SourceInfo
    faces: tuple[FaceTrack, ...]
    frame_times: Floats
    working_rate: float
    intervals: tuple[SpottedInterval, ...]
    gaps: tuple[Gap, ...]
    warnings: tuple[str, ...]
    rules: IntervalRules
    provenance: dict[str, Any]
    # What an interval check found, whatever its probability (the score); None: the rules made the intervals.
    candidates: tuple[SpottedInterval, ...] | None = None

    @property
    def seconds(self) -> float:
        """Length of what was spotted: from the first frame to the end of the last one."""
        return video_end(self.frame_times, self.working_rate) - float(self.frame_times[0])

    @property
    def known_seconds(self) -> float:
        """How much of it any face was known in; rates per minute are of this."""
        known = np.zeros(max((len(t.scores) for t in self.faces), default=0), bool)
        for track in self.faces:
            known[: len(track.scores)] |= ~np.isnan(track.scores).any(1)
        unknown = float((~known).sum()) / self.working_rate
        return max(self.seconds - unknown, 0.0) if known.any() else 0.0

    def rethreshold(self, rules: IntervalRules | Mapping[str, Any]) -> Spotting:
        """The same scores under other rules; no network is needed. A dictionary changes only what it names of this
        result's own rules. Where there are candidates, rules only choose among them. Raises UsageError."""
        rules = self.rules.changed(rules)
        if self.candidates is None:
            made = make_intervals(self.faces, self.frame_times, self.working_rate, rules)
        else:
            made = choose_intervals(self.candidates, self.working_rate, rules)
        return replace(self, rules=rules, intervals=made)

    def to_json(self, path: str | Path | None = None) -> str:
        """The JSON text, also written to `path` (whole or not at all)."""
        values = {
            "schema": SCHEMA,
            "source": asdict(self.source),
            "intervals": [asdict(i) for i in self.intervals],
            "gaps": [asdict(g) for g in self.gaps],
            "warnings": list(self.warnings),
            "rules": self.rules.to_dict(),
            "provenance": self.provenance,
            "working_rate": self.working_rate,
            "frames": len(self.frame_times),
            "frame_times_us": pack_times(self.frame_times),
            "faces": [{"face": f.face, "ticks": len(f.times), "scores": pack_track(f)} for f in self.faces],
        }
        if self.candidates is not None:
            values["candidates"] = [asdict(c) for c in self.candidates]
        text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
        if path is not None:
            write_whole(Path(path), text)
        return text

    @classmethod
    def from_json(cls, path: str | Path) -> Spotting:
        """Read a result. Raises UsageError where there is no file, ResultError for what is no result, is damaged, or of
        another schema."""
        path = Path(path)
        if not path.exists():
            raise UsageError(f"expected a result of `fesnet spot --out`, but {path} does not exist")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ResultError(f"expected a result of `fesnet spot --out` in {path}, but {error}") from error
        schema = values.get("schema") if isinstance(values, dict) else None
        if schema != SCHEMA:
            raise ResultError(f"expected a result of schema {SCHEMA} in {path}, got {schema!r}")
        try:
            return cls.from_values(values)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, zlib.error, FesnetError) as error:
            raise ResultError(f"expected a whole result in {path}, but it is damaged ({error!r})") from error

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Spotting:
        """From parsed JSON. Raises an error of Python's own, or UsageError, for values that make no result."""
        check_values(values)
        rate = float(values["working_rate"])
        return cls(
            source=SourceInfo(**values["source"]),
            faces=tuple(unpack_track(f["face"], f["ticks"], f["scores"], rate) for f in values["faces"]),
            frame_times=unpack_times(values["frame_times_us"]),
            working_rate=rate,
            intervals=tuple(SpottedInterval(**i) for i in values["intervals"]),
            gaps=tuple(Gap(**g) for g in values["gaps"]),
            warnings=tuple(values["warnings"]),
            rules=IntervalRules.from_dict(values["rules"]),
            provenance=values["provenance"],
            candidates=tuple(SpottedInterval(**i) for i in values["candidates"]) if "candidates" in values else None,
        )


def check_values(values: dict[str, Any]) -> None:
    """Raises ValueError, TypeError or OverflowError for values of a result file that JSON allows and a result does
    not. No face at all is a result; no frame is none, and a face has at least one tick."""
    if not 0 < float(values["working_rate"]) < float("inf"):
        raise ValueError(f"working_rate {values['working_rate']}")
    for name, wanted in {"warnings": list, "provenance": dict, "faces": list, "rules": dict}.items():
        if not isinstance(values[name], wanted):
            raise TypeError(f"{name} {values[name]!r}")
    frames = int(values["frames"])
    if frames < 1 or frames != len(unpack_times(values["frame_times_us"])):
        raise ValueError(f"{frames} frames")
    check_rows(values, frames)


def check_rows(values: dict[str, Any], frames: int) -> None:
    """As `check_values`, for what stands in rows."""
    check_row(values["source"], SourceInfo)
    wrong = [w for w in values["warnings"] if not isinstance(w, str)]
    wrong += [f for f in values["faces"] if type(f["face"]) is not int or type(f["ticks"]) is not int]
    if wrong:
        raise TypeError(f"warning or face {wrong[0]!r}")
    if any(f["ticks"] < 1 for f in values["faces"]):
        raise ValueError("a face without ticks")
    for gap in values["gaps"]:
        check_row(gap, Gap)
        if not 0 <= gap["start_frame"] <= gap["stop_frame"] < frames:
            raise ValueError(f"gap {gap}")
    for i in (*values["intervals"], *values.get("candidates", ())):
        check_row(i, SpottedInterval)
        onset, apex, offset = i["onset_frame"], i["apex_frame"], i["offset_frame"]
        if i["kind"] not in KINDS or not 0 <= onset <= apex <= offset < frames:
            raise ValueError(f"interval {i}")


# What JSON may hold for a field of each type; no number stands for true or false.
JSON_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "Kind": (str,)}


def check_row(row: dict[str, Any], kind: type[SourceInfo | SpottedInterval | Gap]) -> None:
    """Raises TypeError, ValueError or OverflowError unless every field holds a value of its type, and numbers are
    finite."""
    for field in fields(kind):
        name, value = str(field.type), row[field.name]
        if value is None and name.endswith(" | None"):
            continue
        if type(value) not in JSON_TYPES[name.removesuffix(" | None")]:
            raise TypeError(f"{field.name} {value!r}")
        if isinstance(value, int | float) and not math.isfinite(value):
            raise ValueError(f"{field.name} {value}")


def assemble(
    source: SourceInfo,
    tracks: tuple[FaceTrack, ...],
    frame_times: Floats,
    working_rate: float,
    rules: IntervalRules,
    *,
    warnings: tuple[str, ...],
    provenance: dict[str, Any],
    candidates: tuple[SpottedInterval, ...] | None = None,
) -> Spotting:
    """A result from scores. They are quantised first, as the JSON form keeps them, so that making the intervals
    anew from a stored result gives exactly the same ones. candidates: of an interval check, if there is one."""
    if np.any(np.diff(frame_times, prepend=0.0) < 0):
        raise UsageError("expected frame times of 0 s or more that never fall, got others; give frames in order")
    times = unpack_times(pack_times(frame_times))
    faces = tuple(as_stored(t) for t in tracks)
    if candidates is None:
        intervals = make_intervals(faces, times, working_rate, rules)
    else:
        intervals = choose_intervals(candidates, working_rate, rules)
    return Spotting(
        source=source,
        faces=faces,
        frame_times=times,
        working_rate=working_rate,
        intervals=intervals,
        gaps=find_gaps(faces, times, working_rate),
        warnings=warnings,
        rules=rules,
        provenance=provenance,
        candidates=candidates,
    )


def make_intervals(
    faces: tuple[FaceTrack, ...], frame_times: Floats, working_rate: float, rules: IntervalRules
) -> tuple[SpottedInterval, ...]:
    """All faces' intervals, carried to the source's frames, sorted by face and onset."""
    return tuple(
        sorted(
            on_source_frames(track.face, found, frame_times, working_rate)
            for track in faces
            for found in find_intervals(track.scores, track.times, rules, track.intensity)
        )
    )


def on_source_frames(face: int, found: TimedInterval, frame_times: Floats, working_rate: float) -> SpottedInterval:
    """An interval carried from the working grid to the source's frames."""
    first, last = to_source_frames(found.onset_s, found.offset_s, frame_times, 0.5 / working_rate)
    apex = min(max(nearest_frame(found.apex_s, frame_times), first), last)
    onset_s, apex_s, offset_s = (round(float(frame_times[f]), 6) for f in (first, apex, last))
    times = (face, onset_s, apex_s, offset_s)
    return SpottedInterval(*times, found.kind, first, apex, last, round(found.score, 4))


def choose_intervals(
    candidates: Iterable[SpottedInterval], working_rate: float, rules: IntervalRules
) -> tuple[SpottedInterval, ...]:
    """The candidates whose score reaches their kind's threshold, and whose length its limits allow.

    Each is kept or left out for itself: other thresholds never move or change one. Lengths may be off by the frames
    that an edge falls between.
    """
    slack = 1.5 / working_rate
    out = []
    for c in candidates:
        low, high = rules.of(c.kind, "min_s") - slack, rules.of(c.kind, "max_s") + slack
        seconds = c.offset_s - c.onset_s + 1 / working_rate
        if c.score >= rules.of(c.kind, "threshold") and low <= seconds <= high:
            out.append(c)
    return tuple(sorted(out))


def find_gaps(faces: tuple[FaceTrack, ...], frame_times: Floats, working_rate: float) -> tuple[Gap, ...]:
    """Where each face is unknown. One gap over everything where no face was ever seen."""
    last = len(frame_times) - 1
    if not faces:
        return (Gap(0, float(frame_times[0]), float(frame_times[last]), 0, last, "no face in the video"),)
    out = []
    for track in faces:
        known = np.zeros(len(track.scores), bool)
        for a, b in known_stretches(track.scores):
            known[a:b] = True
        edges = np.flatnonzero(np.diff(np.concatenate([[True], known, [True]]).astype(np.int8)))
        for a, b in zip(edges[::2], edges[1::2], strict=True):
            half = 0.5 / working_rate
            first = int(np.searchsorted(frame_times, track.times[a] - half))
            stop = int(np.searchsorted(frame_times, track.times[b - 1] + half)) - 1
            stop = last if b == len(known) else stop  # the last frame may lie after the last tick
            if first <= stop:  # else the alignment began anew between two frames, and no frame is without a face
                seconds = (float(frame_times[first]), float(frame_times[stop]))
                reason = "no face" if b - a > 1 else "the face was found anew"
                out.append(Gap(track.face, *seconds, first, stop, reason))
    return tuple(sorted(out))


def video_end(frame_times: Floats, working_rate: float) -> float:
    """When the last frame ends, s. It lasts as long as frames do in general (median); a single one lasts one step of
    the working rate."""
    steps = np.diff(frame_times)
    steps = steps[steps > 0]
    last = float(np.median(steps)) if len(steps) else 1 / working_rate
    return round(float(frame_times[-1]) + last, 6)


def pack(values: NDArray[Any]) -> str:
    return base64.b64encode(zlib.compress(values.tobytes(), 9)).decode("ascii")


def unpack(text: str, dtype: str) -> NDArray[Any]:
    return np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), dtype)


def pack_times(times: Floats) -> str:
    ticks = np.rint(np.asarray(times, np.float64) * 1e6).astype(np.int64)
    return pack(np.diff(ticks, prepend=0).astype("<u8"))


def unpack_times(text: str) -> Floats:
    return np.cumsum(unpack(text, "<u8").astype(np.int64)) / 1e6


def as_stored(track: FaceTrack) -> FaceTrack:
    """The track with the precision that the JSON form keeps."""
    return from_whole(track.face, track.times, to_whole(track))


def to_whole(track: FaceTrack) -> NDArray[np.uint16]:
    """(T, 3) scores and intensity as whole numbers."""
    rows = np.concatenate([track.scores * SCORE_UNIT, track.intensity[:, None] * INTENSITY_UNIT], 1)
    return np.where(np.isnan(rows), UNKNOWN, np.clip(np.rint(rows), 0, SCORE_UNIT)).astype("<u2")


def from_whole(face: int, times: Floats, whole: NDArray[np.uint16]) -> FaceTrack:
    rows = np.where(whole == UNKNOWN, np.nan, whole).astype(np.float64)
    return FaceTrack(face, times, rows[:, :2] / SCORE_UNIT, rows[:, 2] / INTENSITY_UNIT)


def pack_track(track: FaceTrack) -> str:
    return pack(to_whole(track))


def unpack_track(face: int, ticks: int, text: str, rate: float) -> FaceTrack:
    whole = unpack(text, "<u2").reshape(ticks, 3)  # raises where there are not so many, before memory is asked for
    return from_whole(face, np.arange(ticks) / rate, whole)

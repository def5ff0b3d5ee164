"""What spotting returns: `Spotting`, and how it is made of scores.

Its JSON form is described in `fesnet.result_json`.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fesnet._io import atomic_write_text
from fesnet._types import FloatArray
from fesnet.errors import FesnetError, ResultError, UsageError
from fesnet.intervals import IntervalMark, Kind, nearest_frame, to_source_frames
from fesnet.observations import Blink, FaceObservations, IntervalContext, blinks_of, context_of
from fesnet.postprocess import IntervalRules, TimedInterval, find_intervals
from fesnet.result_json import (
    SCHEMA,
    check_values,
    dequantize,
    pack_array,
    pack_times,
    quantize,
    read_values,
    unpack_array,
    unpack_times,
)
from fesnet.result_methods import ResultMethods
from fesnet.score_segments import known_segments
from fesnet.timing import find_holes, frame_ends, video_end


@dataclass(frozen=True)
class SourceInfo:
    """Where the frames came from; None where the source does not say. rate is a fraction such as
    "30000/1001".
    """

    name: str
    path: str | None
    sha256: str | None
    width: int
    height: int
    rate: str | None
    frame_count: int | None
    duration_s: float | None


@dataclass(frozen=True, eq=False, repr=False)
class FaceTrack:
    """One face on the working grid: times (T,) s, scores (T, 2) macro and micro in 0..1, intensity
    (T,).

    Rows that are not numbers are unknown (no face).
    """

    face: int
    times: FloatArray
    scores: FloatArray
    intensity: FloatArray

    def __repr__(self) -> str:
        return f"<FaceTrack of face {self.face}: {len(self.times)} steps>"

    def quantized(self) -> NDArray[np.uint16]:
        """(T, 3) scores and intensity as the JSON form holds them."""
        return quantize(self.scores, self.intensity)

    def as_stored(self) -> FaceTrack:
        """This track with the precision of the JSON form."""
        return FaceTrack(self.face, self.times, *dequantize(self.quantized()))

    @classmethod
    def unpack(cls, face: int, steps: int, text: str, rate: float) -> FaceTrack:
        """From the packed scores of `steps` steps at `rate` Hz. Raises ValueError for another
        count.
        """
        values = unpack_array(text, "<u2", 3 * steps).reshape(steps, 3)
        return cls(face, np.arange(steps) / rate, *dequantize(values))


@dataclass(frozen=True, order=True)
class SpottedInterval:
    """One expression. Seconds are on the video's clock; frames are 0-based, both inclusive, of the
    source video.
    """

    face: int
    onset_s: float
    apex_s: float
    offset_s: float
    kind: Kind
    onset_frame: int
    apex_frame: int
    offset_frame: int
    score: float


NO_FRAMES = "no frames"  # the reason of a gap that is a hole in the recording


@dataclass(frozen=True, order=True)
class Gap:
    """A time in which a face is unknown, which is not the same as neutral. Frames inclusive.

    Of a hole in the recording (reason NO_FRAMES) there are no frames: start_frame and stop_frame
    are those on its two sides, and the times are where the one ends and the other begins.
    """

    face: int
    start_s: float
    stop_s: float
    start_frame: int
    stop_frame: int
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class Spotting(ResultMethods):
    """The whole result of one source. frame_times (N,) s of all source frames; provenance: what
    made it. Looping over it gives its intervals; `len` counts them.
    """

    source: SourceInfo
    faces: tuple[FaceTrack, ...]
    frame_times: FloatArray
    working_rate: float
    intervals: tuple[SpottedInterval, ...]
    gaps: tuple[Gap, ...]
    warnings: tuple[str, ...]
    rules: IntervalRules
    provenance: dict[str, Any]
    # What an interval check found, whatever its probability (the score); None: the rules made the
    # intervals.
    candidates: tuple[SpottedInterval, ...] | None = None
    # Of a corrected result: who made, checked or noted what. Exports carry it, the JSON form does
    # not: the review keeps it.
    marks: Mapping[SpottedInterval, IntervalMark] = field(default_factory=dict)
    # What moved and what else happened, face by face; empty where nothing was observed.
    observations: tuple[FaceObservations, ...] = ()

    def context(self, interval: SpottedInterval) -> IntervalContext | None:
        """What moved in an interval of this video, whoever made it, and what else happened in and
        around it; None where its face was not observed."""
        seen = {o.face: o for o in self.observations}.get(interval.face)
        if seen is None:
            return None
        return context_of(seen, interval.onset_s, interval.offset_s, self.working_rate)

    @property
    def blinks(self) -> tuple[Blink, ...]:
        """All times with closed eyes, by face and start."""
        return tuple(b for o in self.observations for b in blinks_of(o, self.working_rate))

    @property
    def duration_s(self) -> float:
        """Length of what was spotted: from the first frame to the end of the last one."""
        return video_end(self.frame_times, self.working_rate) - float(self.frame_times[0])

    @property
    def seconds(self) -> float:
        """Deprecated: the old name of `duration_s`."""
        return self.duration_s

    @property
    def known_seconds(self) -> float:
        """How much of it any face was known in; rates per minute are of this."""
        known = np.zeros(max((len(t.scores) for t in self.faces), default=0), bool)
        for track in self.faces:
            known[: len(track.scores)] |= ~np.isnan(track.scores).any(1)
        before = int(np.ceil(self.frame_times[0] * self.working_rate - 0.5))  # the first frame
        unknown = float((~known[before:]).sum()) / self.working_rate
        return max(self.duration_s - unknown, 0.0) if known.any() else 0.0

    def rethreshold(self, rules: IntervalRules | Mapping[str, Any]) -> Spotting:
        """The same scores under other rules; no network is needed. A dictionary changes only what
        it names of this result's own rules. Where there are candidates, rules only choose among
        them. Raises UsageError."""
        rules = self.rules.changed(rules)
        if self.candidates is None:
            made = make_intervals(self.faces, self.frame_times, self.working_rate, rules)
        else:
            made = choose_intervals(self.candidates, self.working_rate, rules)
        return replace(self, rules=rules, intervals=made)

    def to_json(self, path: str | Path | None = None) -> str:
        """The JSON text, also written to `path` (an atomic write)."""
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
            "faces": [
                {"face": f.face, "ticks": len(f.times), "scores": pack_array(f.quantized())}
                for f in self.faces
            ],
        }
        if self.candidates is not None:
            values["candidates"] = [asdict(c) for c in self.candidates]
        if self.observations:
            values["context"] = [
                {"face": i.face, "onset_frame": i.onset_frame, **asdict(c)}
                for i in self.intervals
                if (c := self.context(i)) is not None
            ]
            values["blinks"] = [asdict(b) for b in self.blinks]
            values["observations"] = [o.to_dict() for o in self.observations]
        text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
        if path is not None:
            atomic_write_text(Path(path), text)
        return text

    @classmethod
    def from_json(cls, path: str | Path) -> Spotting:
        """Read a result. Raises UsageError where there is no file, ResultError for what is no
        result, is damaged, or of another schema."""
        path = Path(path)
        values = read_values(path)
        try:
            return cls.from_values(values)
        except (
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
            zlib.error,
            FesnetError,
        ) as error:
            raise ResultError(
                f"expected a whole result in {path}, but it is damaged ({repr(error)[:300]})"
            ) from error

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Spotting:
        """From parsed JSON. Raises an error of Python's own, or UsageError, for values that make no
        result.
        """
        check_values(values, source=SourceInfo, interval=SpottedInterval, gap=Gap)
        rate = float(values["working_rate"])
        return cls(
            source=SourceInfo(**values["source"]),
            faces=tuple(
                FaceTrack.unpack(f["face"], f["ticks"], f["scores"], rate) for f in values["faces"]
            ),
            frame_times=unpack_times(values["frame_times_us"], int(values["frames"])),
            working_rate=rate,
            intervals=tuple(SpottedInterval(**i) for i in values["intervals"]),
            gaps=tuple(Gap(**g) for g in values["gaps"]),
            warnings=tuple(values["warnings"]),
            rules=IntervalRules.from_dict(values["rules"]).anchored(),
            provenance=values["provenance"],
            candidates=tuple(SpottedInterval(**i) for i in values["candidates"])
            if "candidates" in values
            else None,
            observations=tuple(
                FaceObservations.from_dict(o) for o in values.get("observations", ())
            ),
        )


def assemble(
    source: SourceInfo,
    tracks: tuple[FaceTrack, ...],
    frame_times: FloatArray,
    working_rate: float,
    rules: IntervalRules,
    *,
    warnings: tuple[str, ...],
    provenance: dict[str, Any],
    candidates: tuple[SpottedInterval, ...] | None = None,
    observations: tuple[FaceObservations, ...] = (),
) -> Spotting:
    """A result from scores. They are quantised first, as the JSON form keeps them, so that making
    the intervals anew from a stored result gives exactly the same ones.

    candidates: of an interval check, if there is one.
    """
    if np.any(np.diff(frame_times, prepend=0.0) < 0):
        raise UsageError(
            "expected frame times of 0 s or more that never fall, got others; give frames in order"
        )
    rules = rules.anchored()
    times = unpack_times(pack_times(frame_times), len(frame_times))
    faces = tuple(t.as_stored() for t in tracks)
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
        observations=observations,
    )


def make_intervals(
    faces: tuple[FaceTrack, ...], frame_times: FloatArray, working_rate: float, rules: IntervalRules
) -> tuple[SpottedInterval, ...]:
    """All faces' intervals, carried to the source's frames, sorted by face and onset."""
    return tuple(
        sorted(
            on_source_frames(track.face, found, frame_times, working_rate)
            for track in faces
            for found in find_intervals(track.scores, track.times, rules, track.intensity)
        )
    )


def on_source_frames(
    face: int, found: TimedInterval, frame_times: FloatArray, working_rate: float
) -> SpottedInterval:
    """An interval of one face, carried from the working grid to the source's frames."""
    first, last = to_source_frames(found.onset_s, found.offset_s, frame_times, 0.5 / working_rate)
    apex = nearest_frame(found.apex_s, frame_times)
    inner = 1 if last - first > 1 else 0  # at a low rate the onset may be the nearest frame
    apex = min(max(apex, first + inner), last - inner)
    onset_s, apex_s, offset_s = (round(float(frame_times[f]), 6) for f in (first, apex, last))
    times = (face, onset_s, apex_s, offset_s)
    return SpottedInterval(*times, found.kind, first, apex, last, round(found.score, 4))


def choose_intervals(
    candidates: Iterable[SpottedInterval], working_rate: float, rules: IntervalRules
) -> tuple[SpottedInterval, ...]:
    """The candidates whose score reaches their kind's threshold, and whose length its limits allow.

    Each is kept or left out for itself: other thresholds never move or change one. Lengths may be
    off by the frames that an edge falls between.
    """
    slack = 1.5 / working_rate
    out = []
    for c in candidates:
        low, high = rules.of(c.kind, "min_s") - slack, rules.of(c.kind, "max_s") + slack
        seconds = c.offset_s - c.onset_s + 1 / working_rate
        if c.score >= rules.of(c.kind, "threshold") and low <= seconds <= high:
            out.append(c)
    return tuple(sorted(out))


def find_gaps(
    faces: tuple[FaceTrack, ...], frame_times: FloatArray, working_rate: float
) -> tuple[Gap, ...]:
    """Where each face is unknown. One gap over everything where no face was ever seen."""
    last = len(frame_times) - 1
    if not faces:
        return (
            Gap(
                0, float(frame_times[0]), float(frame_times[last]), 0, last, "no face in the video"
            ),
        )
    holes, ends = find_holes(frame_times, working_rate), frame_ends(frame_times, working_rate)
    out = []
    for track in faces:
        unknown = faceless_gaps(track, frame_times, working_rate)
        out += unknown
        for hole in map(int, holes):
            if not any(g.start_frame <= hole < g.stop_frame for g in unknown):
                seconds = (float(ends[hole]), float(frame_times[hole + 1]))
                out.append(Gap(track.face, *seconds, hole, hole + 1, NO_FRAMES))
    return tuple(sorted(out))


def faceless_gaps(track: FaceTrack, frame_times: FloatArray, working_rate: float) -> list[Gap]:
    """Frames in which one face is unknown."""
    last, out = len(frame_times) - 1, []
    known = np.zeros(len(track.scores), bool)
    for a, b in known_segments(track.scores):
        known[a:b] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[True], known, [True]]).astype(np.int8)))
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        half = 0.5 / working_rate
        first = int(np.searchsorted(frame_times, track.times[a] - half))
        stop = int(np.searchsorted(frame_times, track.times[b - 1] + half)) - 1
        stop = last if b == len(known) else stop  # the last frame may lie after the last step
        # else the alignment restarted between two frames, or there were none
        if first <= stop:
            seconds = (float(frame_times[first]), float(frame_times[stop]))
            reason = "no face" if b - a > 1 else "the face was found anew"
            out.append(Gap(track.face, *seconds, first, stop, reason))
    return out

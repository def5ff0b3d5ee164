"""Sets of time made of a result's intervals: joined, left out, cropped, compared with another
result.

    intervals   ..[====)...[==).....
                .....[====).........
    joined      ..[=======)[==).....    spans_of
    left out    [=)........)..[=====    spans_between
    crop 4-9    ....[=====).........    crop_result

Times are seconds on the video's clock, half-open: an expression ends when its last frame does.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from operator import attrgetter
from typing import Literal, get_args

import numpy as np

from fesnet.errors import UsageError
from fesnet.exports.common import gap_end, result_frame_ends
from fesnet.intervals import KINDS, Interval, Kind
from fesnet.result import NO_FRAMES, FaceTrack, Gap, SpottedInterval, Spotting, find_gaps

CropMode = Literal["intersection", "loose", "strict"]
CROPPED = "outside the cropped time"


@dataclass(frozen=True, order=True, slots=True)
class TimeSpan:
    """The time from start_s up to, but without, stop_s: seconds on the video's clock. Raises
    UsageError unless start_s < stop_s, both finite.
    """

    start_s: float
    stop_s: float

    def __post_init__(self) -> None:
        if not -math.inf < self.start_s < self.stop_s < math.inf:
            raise UsageError(
                f"expected a time span that ends after it starts, got {self.start_s} to "
                f"{self.stop_s} s"
            )

    @property
    def duration_s(self) -> float:
        return self.stop_s - self.start_s

    def overlap_s(self, other: TimeSpan) -> float:
        """Seconds in both."""
        return max(0.0, min(self.stop_s, other.stop_s) - max(self.start_s, other.start_s))


@dataclass(frozen=True, slots=True)
class IntervalOverlap:
    """Two intervals, one of each result, with frames in common. shared_s: seconds in both; iou:
    frames in both over frames in either, above 0 and up to 1 (the MEGC rule's).
    """

    own: SpottedInterval
    other: SpottedInterval
    shared_s: float
    iou: float


def span_of(interval: SpottedInterval, spotting: Spotting) -> TimeSpan:
    """From the start of an interval's first frame to the end of its last one."""
    return TimeSpan(interval.onset_s, float(result_frame_ends(spotting)[interval.offset_frame]))


def select_intervals(
    spotting: Spotting, kind: Kind | None = None, face: int | None = None
) -> list[SpottedInterval]:
    """The intervals of a kind and a face; None for any. Raises UsageError for an unknown kind."""
    if kind not in (*KINDS, None):
        raise UsageError(f"expected kind 'macro', 'micro' or None, got {kind!r}")
    return [
        i for i in spotting.intervals if kind in (None, i.kind) and (face is None or i.face == face)
    ]


def join_spans(spans: Iterable[TimeSpan]) -> tuple[TimeSpan, ...]:
    """Spans that overlap or touch become one; sorted."""
    out: list[TimeSpan] = []
    for span in sorted(spans):
        if out and span.start_s <= out[-1].stop_s:
            out[-1] = TimeSpan(out[-1].start_s, max(out[-1].stop_s, span.stop_s))
        else:
            out.append(span)
    return tuple(out)


def spans_of(
    spotting: Spotting, kind: Kind | None = None, face: int | None = None
) -> tuple[TimeSpan, ...]:
    """The time inside any interval of a kind and a face, joined and sorted."""
    ends = result_frame_ends(spotting)
    return join_spans(
        TimeSpan(i.onset_s, float(ends[i.offset_frame]))
        for i in select_intervals(spotting, kind, face)
    )


def spans_between(
    spotting: Spotting, kind: Kind | None = None, face: int | None = None
) -> tuple[TimeSpan, ...]:
    """The time outside all intervals of a kind and a face, and outside the gaps of these faces:
    the face was seen, and nothing was found.

    With several faces and face=None a gap of any face is left out.
    """
    ends = result_frame_ends(spotting)
    taken = [
        TimeSpan(g.start_s, gap_end(g, ends))
        for g in spotting.gaps
        if face is None or g.face == face
    ]
    busy = join_spans([*spans_of(spotting, kind, face), *taken])
    starts = [float(spotting.frame_times[0]), *(span.stop_s for span in busy)]
    stops = [*(span.start_s for span in busy), float(ends[-1])]
    return tuple(TimeSpan(a, b) for a, b in zip(starts, stops, strict=True) if a < b)


def crop_result(
    spotting: Spotting, start_s: float, stop_s: float, mode: CropMode = "intersection"
) -> Spotting:
    """The result as if nothing were known before start_s and from stop_s on.

    mode: 'intersection' cuts intervals at the edges, 'loose' keeps every interval that shares a
    frame with the span whole, 'strict' keeps those that lie inside. Frame numbers and times stay
    those of the whole video. Scores outside are unknown and become gaps, so that rates per minute
    of known time stay right. Raises UsageError for an empty span or one without a frame.
    """
    if mode not in get_args(CropMode):
        raise UsageError(f"expected mode 'intersection', 'loose' or 'strict', got {mode!r}")
    span = TimeSpan(start_s, stop_s)
    times = spotting.frame_times
    first = int(np.searchsorted(times, span.start_s))
    last = int(np.searchsorted(times, span.stop_s)) - 1
    if first > last:
        raise UsageError(
            f"expected a time span with a frame of {spotting.source.name} (0 to "
            f"{float(times[-1]):.2f} s), got {start_s} to {stop_s} s"
        )
    faces = tuple(crop_track(track, span) for track in spotting.faces)
    kept = tuple(crop_intervals(spotting.intervals, first, last, spotting, mode))
    candidates = spotting.candidates
    if candidates is not None:
        candidates = tuple(crop_intervals(candidates, first, last, spotting, mode))
    gaps = crop_gaps(spotting, faces, first, last)
    return replace(spotting, faces=faces, intervals=kept, candidates=candidates, gaps=gaps)


def crop_track(track: FaceTrack, span: TimeSpan) -> FaceTrack:
    """A face's scores, unknown outside a span."""
    inside = (track.times >= span.start_s) & (track.times < span.stop_s)
    scores = np.where(inside[:, None], track.scores, np.nan)
    return replace(track, scores=scores, intensity=np.where(inside, track.intensity, np.nan))


def crop_gaps(
    spotting: Spotting, faces: tuple[FaceTrack, ...], first: int, last: int
) -> tuple[Gap, ...]:
    """The gaps of cropped faces; those that reach out of the frames first .. last say so."""
    if not faces:
        return spotting.gaps

    def is_kept(gap: Gap) -> bool:
        inside = first <= gap.start_frame and gap.stop_frame <= last
        return inside or gap.reason == NO_FRAMES  # a hole stays one, on either side

    gaps = find_gaps(faces, spotting.frame_times, spotting.working_rate)
    return tuple(g if is_kept(g) else replace(g, reason=CROPPED) for g in gaps)


def crop_intervals(
    intervals: Iterable[SpottedInterval], first: int, last: int, spotting: Spotting, mode: CropMode
) -> Iterator[SpottedInterval]:
    """What is left of intervals in the frames first .. last, both inclusive."""
    for i in intervals:
        inside = first <= i.onset_frame and i.offset_frame <= last
        touches = i.onset_frame <= last and i.offset_frame >= first
        if inside or (touches and mode == "loose"):
            yield i
        elif touches and mode == "intersection":
            yield cut_interval(i, first, last, spotting)


def cut_interval(
    interval: SpottedInterval, first: int, last: int, spotting: Spotting
) -> SpottedInterval:
    """An interval without what lies outside the frames first .. last; an apex outside moves to the
    nearest frame inside.
    """
    onset, offset = max(interval.onset_frame, first), min(interval.offset_frame, last)
    apex = min(max(interval.apex_frame, onset), offset)
    onset_s, apex_s, offset_s = (
        round(float(spotting.frame_times[f]), 6) for f in (onset, apex, offset)
    )
    seconds = {"onset_s": onset_s, "apex_s": apex_s, "offset_s": offset_s}
    frames = {"onset_frame": onset, "apex_frame": apex, "offset_frame": offset}
    return replace(interval, **seconds, **frames)  # type: ignore[arg-type]


def check_same_video(one: Spotting, other: Spotting) -> None:
    """Raises UsageError unless two results have the same frames at the same times."""
    if not np.array_equal(one.frame_times, other.frame_times):
        raise UsageError(
            "expected two results of one video, got different frames: "
            f"{one.source.name} ({len(one.frame_times)}) and {other.source.name} "
            f"({len(other.frame_times)})"
        )


def union_intervals(one: Spotting, other: Spotting) -> tuple[SpottedInterval, ...]:
    """What either result of one video found: intervals of a face and a kind that share frames
    become one, with the apex and score of the one with the highest score. Raises UsageError for
    results of other frames.
    """
    check_same_video(one, other)
    out: list[SpottedInterval] = []
    every = sorted(
        [*one.intervals, *other.intervals], key=lambda i: (i.face, i.kind, i.onset_frame)
    )
    for _, group in groupby(every, key=lambda i: (i.face, i.kind)):
        joined: list[SpottedInterval] = []
        for i in group:
            if joined and i.onset_frame <= joined[-1].offset_frame:
                joined[-1] = join_intervals(joined[-1], i)
            else:
                joined.append(i)
        out += joined
    return tuple(sorted(out))


def join_intervals(first: SpottedInterval, second: SpottedInterval) -> SpottedInterval:
    """One interval over both; the second begins no earlier than the first."""
    best = max(first, second, key=lambda i: i.score)
    end = max(first, second, key=lambda i: i.offset_frame)
    return replace(
        best,
        onset_s=first.onset_s,
        onset_frame=first.onset_frame,
        offset_s=end.offset_s,
        offset_frame=end.offset_frame,
    )


def find_overlaps(
    one: Spotting, other: Spotting, *, same_kind: bool = True
) -> tuple[IntervalOverlap, ...]:
    """Every pair of intervals of two results of one video, of one face, that share a frame; sorted
    as the intervals are.

    same_kind: pairs of a macro- and a micro-expression do not count. Raises UsageError for results
    of other frames.
    """
    check_same_video(one, other)
    out, by_face = [], attrgetter("face")
    theirs = {
        face: OnsetOrder(list(group))
        for face, group in groupby(sorted(other.intervals, key=by_face), key=by_face)
    }
    for a in one.intervals:
        for b in theirs[a.face].sharing_frames(a) if a.face in theirs else ():
            if not same_kind or a.kind == b.kind:
                iou = frame_interval(a).iou(frame_interval(b))
                shared = span_of(a, one).overlap_s(span_of(b, other))
                out.append(IntervalOverlap(a, b, round(shared, 6), iou))
    return tuple(out)


class OnsetOrder:
    """Intervals in the order of their onsets, so that few are looked at for each of many others."""

    def __init__(self, intervals: list[SpottedInterval]) -> None:
        self.intervals = sorted(intervals, key=lambda i: (i.onset_frame, i))
        self.onsets = [i.onset_frame for i in self.intervals]
        self.reached = list(accumulate((i.offset_frame for i in self.intervals), max))

    def sharing_frames(self, other: SpottedInterval) -> Iterator[SpottedInterval]:
        """Those that share a frame with the other one."""
        first = bisect_left(self.reached, other.onset_frame)  # all before it end earlier
        for interval in self.intervals[first : bisect_right(self.onsets, other.offset_frame)]:
            if interval.offset_frame >= other.onset_frame:
                yield interval


def frame_interval(spotted: SpottedInterval) -> Interval:
    """The same on source frames, half-open."""
    return Interval(
        spotted.onset_frame,
        spotted.offset_frame + 1,
        spotted.kind,
        apex=spotted.apex_frame,
        score=spotted.score,
    )

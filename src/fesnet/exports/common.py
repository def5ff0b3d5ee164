"""Shared by the writers: the end of a frame, the list of faces, lanes for overlapping intervals.

A result names the first and the last frame of an expression, both inside. Programs that show time
want an end. Ours is the time at which the frame after the last one begins, since a frame is shown
until the next one comes; before a hole in the recording it lasts as long as frames do (our choice,
`fesnet.timing`):

    frames      |0   |1   |2   |3   |4   |
    expression       [1 .. 3]                 onset_s is the time of 1, offset_s of 3
    written          [--------------)         ends where 4 begins
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path, PurePath

from fesnet._io import VIDEO_SUFFIXES, resolve_path
from fesnet._types import FloatArray
from fesnet.intervals import KINDS, IntervalMark, Kind
from fesnet.observation_text import context_comment, flags_line, moved_line
from fesnet.result import NO_FRAMES, Gap, SourceInfo, SpottedInterval, Spotting
from fesnet.timing import frame_ends

Times = tuple[int, int]
FASTEST = 1_000_000  # frames a second; a rate beyond is damage


def result_frame_ends(spotting: Spotting) -> FloatArray:
    """When each frame of a result ends, (N,) s."""
    return frame_ends(spotting.frame_times, spotting.working_rate)


def gap_end(gap: Gap, ends: FloatArray) -> float:
    """When a gap ends, s: with its last frame, or where the pictures come back."""
    return gap.stop_s if gap.reason == NO_FRAMES else float(ends[gap.stop_frame])


def to_milliseconds(start_s: float, stop_s: float) -> Times:
    """Start and stop in whole milliseconds, at least one apart."""
    start = round(start_s * 1000)
    return start, max(round(stop_s * 1000), start + 1)


def list_faces(spotting: Spotting) -> list[int]:
    """Numbers of all faces in the result, sorted; [0] where there is none."""
    parts = (spotting.faces, spotting.intervals, spotting.gaps)
    return sorted({part.face for group in parts for part in group}) or [0]


def assign_lanes(
    intervals: Iterable[SpottedInterval], ends: FloatArray
) -> list[list[SpottedInterval]]:
    """Intervals laid out so that those of one lane share no time; one empty lane where there is
    none:

    all     [====)..[===)        first   [====)..[===)
               [======)          second     [======)
    """
    out: list[list[SpottedInterval]] = [[]]
    free, taken = [0], list[tuple[float, int]]()  # lanes; until when, and which
    for interval in sorted(intervals, key=lambda i: (i.onset_frame, i.offset_frame, i.apex_frame)):
        while taken and taken[0][0] <= interval.onset_s:
            heapq.heappush(free, heapq.heappop(taken)[1])
        if not free:
            free.append(len(out))
            out.append([])
        lane = heapq.heappop(free)
        out[lane].append(interval)
        heapq.heappush(taken, (float(ends[interval.offset_frame]), lane))
    return out


def named_lanes(spotting: Spotting) -> list[tuple[str, int, Kind, list[SpottedInterval]]]:
    """(name, face, kind, intervals) of each lane: "face 0 macro", and "face 0 macro 2" where that
    one is taken.
    """
    out, ends = [], result_frame_ends(spotting)
    for face in list_faces(spotting):
        for kind in KINDS:
            wanted = (i for i in spotting.intervals if (i.face, i.kind) == (face, kind))
            for number, lane in enumerate(assign_lanes(wanted, ends), 1):
                name = f"face {face} {kind}" + (f" {number}" if number > 1 else "")
                out.append((name, face, kind, lane))
    return out


def video_file(source: SourceInfo) -> Path | None:
    """The absolute path of the video file; None for image folders, cameras and streams."""
    try:
        path = None if source.path is None else resolve_path(Path(source.path))
        return None if path is None or path.is_dir() else path
    except (OSError, ValueError):  # a path that no system could hold
        return None


def nominal_rate(source: SourceInfo) -> Fraction | None:
    """Frames a second as the source states; None where it states none, or an invalid one."""
    try:
        rate = Fraction(source.rate or 0)
    except (ValueError, ZeroDivisionError):
        return None
    return rate if 0 < rate <= FASTEST else None


def video_id(source: SourceInfo) -> str:
    """The video's name without the ending of a video file, as challenges name videos; folders may
    be "s1.day1".
    """
    path = PurePath(source.name)
    return (path.stem if path.suffix.lower() in VIDEO_SUFFIXES else path.name) or source.name


def lane_texts(spotting: Spotting, lane: list[SpottedInterval]) -> dict[str, list[str]]:
    """What further tiers say of each expression of a lane, by the end of the tier's name: moved and
    flags where the face was observed, note and review of a corrected result. Texts may be empty.
    """
    out: dict[str, list[str]] = {}
    if spotting.observations:
        contexts = [spotting.context(i) for i in lane]
        out["moved"] = [moved_line(c) for c in contexts]
        out["flags"] = [flags_line(c) for c in contexts]
    if spotting.marks:
        out["note"] = [spotting.marks[i].note for i in lane]
        out["review"] = [spotting.marks[i].text for i in lane]
    return out


def describe_interval(spotting: Spotting, interval: SpottedInterval) -> str:
    """What follows the score in a comment: what moved, what else happened, who checked or changed
    it, and the note."""
    context = context_comment(spotting.context(interval))
    return context + describe_mark(spotting.marks.get(interval))


def describe_mark(mark: IntervalMark | None) -> str:
    """Who checked or changed an interval, and the note; empty for the machine's."""
    return "" if mark is None else "".join(f"; {part}" for part in (mark.text, mark.note) if part)

"""Shared by the writers: the end of a frame, the list of faces, lanes for overlapping intervals.

A result names the first and the last frame of an expression, both inside. Programs that show time
want an end. Ours is the time at which the frame after the last one begins, since a frame is shown
until the next one comes (our choice):

    frames      |0   |1   |2   |3   |4   |
    expression       [1 .. 3]                 onset_s is the time of 1, offset_s of 3
    written          [--------------)         ends where 4 begins
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path, PurePath

import numpy as np

from fesnet._io import VIDEO_SUFFIXES
from fesnet._types import FloatArray
from fesnet.intervals import KINDS, IntervalMark, Kind
from fesnet.result import SourceInfo, SpottedInterval, Spotting, video_end

Times = tuple[int, int]


def frame_edges(times: FloatArray, working_rate: float) -> FloatArray:
    """Where frames begin, and where the last one ends (`video_end`): (N + 1,) s."""
    return np.append(times, video_end(times, working_rate))


def frame_end(frame: int, edges: FloatArray) -> float:
    """When a frame ends, s: where the next one with a later time begins."""
    return float(edges[np.searchsorted(edges, edges[frame], side="right")])


def to_milliseconds(start_s: float, stop_s: float) -> Times:
    """Start and stop in whole milliseconds, at least one apart."""
    start = round(start_s * 1000)
    return start, max(round(stop_s * 1000), start + 1)


def list_faces(spotting: Spotting) -> list[int]:
    """Numbers of all faces in the result, sorted; [0] where there is none."""
    parts = (spotting.faces, spotting.intervals, spotting.gaps)
    return sorted({part.face for group in parts for part in group}) or [0]


def assign_lanes(
    intervals: Iterable[SpottedInterval], edges: FloatArray
) -> list[list[SpottedInterval]]:
    """Intervals laid out so that those of one lane share no time; one empty lane where there is
    none:

    all     [====)..[===)        first   [====)..[===)
               [======)          second     [======)
    """
    out: list[list[SpottedInterval]] = [[]]
    for interval in sorted(intervals, key=lambda i: (i.onset_frame, i.offset_frame, i.apex_frame)):
        free = (
            lane
            for lane in out
            if not lane or frame_end(lane[-1].offset_frame, edges) <= interval.onset_s
        )
        lane = next(free, None)
        if lane is None:
            out.append([interval])
        else:
            lane.append(interval)
    return out


def named_lanes(spotting: Spotting) -> list[tuple[str, int, Kind, list[SpottedInterval]]]:
    """(name, face, kind, intervals) of each lane: "face 0 macro", and "face 0 macro 2" where that
    one is taken.
    """
    out, edges = [], frame_edges(spotting.frame_times, spotting.working_rate)
    for face in list_faces(spotting):
        for kind in KINDS:
            wanted = (i for i in spotting.intervals if (i.face, i.kind) == (face, kind))
            for number, lane in enumerate(assign_lanes(wanted, edges), 1):
                name = f"face {face} {kind}" + (f" {number}" if number > 1 else "")
                out.append((name, face, kind, lane))
    return out


def video_file(source: SourceInfo) -> Path | None:
    """The absolute path of the video file; None for image folders, cameras and streams."""
    path = None if source.path is None else Path(source.path).resolve()
    return None if path is None or path.is_dir() else path


def nominal_rate(source: SourceInfo) -> Fraction | None:
    """Frames a second as the source states; None where it states none, or an invalid one."""
    try:
        rate = Fraction(source.rate or 0)
    except (ValueError, ZeroDivisionError):
        return None
    return rate if rate > 0 else None


def video_id(source: SourceInfo) -> str:
    """The video's name without the ending of a video file, as challenges name videos; folders may
    be "s1.day1".
    """
    path = PurePath(source.name)
    return (path.stem if path.suffix.lower() in VIDEO_SUFFIXES else path.name) or source.name


def describe_mark(mark: IntervalMark | None) -> str:
    """What follows the score in a comment: who checked or changed it, and the note."""
    return "" if mark is None else "".join(f"; {part}" for part in (mark.text, mark.note) if part)

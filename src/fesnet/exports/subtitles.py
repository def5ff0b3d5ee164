"""WebVTT and SubRip: one cue an expression, to see what was found while the video plays."""

from __future__ import annotations

from pathlib import Path

from fesnet._io import write_whole
from fesnet.exports.spans import end_of, frame_edges, milliseconds
from fesnet.result import SpottedInterval, Spotting


def write_vtt(spotting: Spotting, path: Path) -> None:
    """Write `path`, whole or not at all; milliseconds. Cues may overlap."""
    cues = [f"{n}\n{start} --> {stop}\n{text}\n" for n, start, stop, text in cues_of(spotting, ".")]
    write_whole(path, "\n".join(["WEBVTT\n", *cues]))


def write_srt(spotting: Spotting, path: Path) -> None:
    """Write `path`, whole or not at all; milliseconds. Cues may overlap, which some players show
    one by one.
    """
    cues = [f"{n}\n{start} --> {stop}\n{text}\n" for n, start, stop, text in cues_of(spotting, ",")]
    write_whole(path, "\n".join(cues))


def cues_of(spotting: Spotting, mark: str) -> list[tuple[int, str, str, str]]:
    """(number, start, stop, text) in order of time; mark: between seconds and milliseconds."""
    edges = frame_edges(spotting.frame_times, spotting.working_rate)
    out = []
    by_time = sorted(spotting.intervals, key=lambda i: (i.onset_s, i.offset_s, i.face, i.kind))
    for number, i in enumerate(by_time, 1):
        start, stop = milliseconds(i.onset_s, end_of(i.offset_frame, edges))
        out.append((number, clock(start, mark), clock(stop, mark), words(i)))
    return out


def words(interval: SpottedInterval) -> str:
    return f"face {interval.face}: {interval.kind}, score {interval.score:.2f}, apex at {interval.apex_s:.3f} s"


def clock(milliseconds: int, mark: str) -> str:
    """Hours, minutes, seconds: 00:00:01.480."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{rest:03d}"

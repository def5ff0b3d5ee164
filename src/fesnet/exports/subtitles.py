"""WebVTT and SubRip: one cue an expression, to see what was found while the video plays."""

from __future__ import annotations

from pathlib import Path

from fesnet._io import atomic_write_text
from fesnet.exports.common import result_frame_ends, to_milliseconds
from fesnet.observation_text import moved_line
from fesnet.result import SpottedInterval, Spotting


def write_vtt(spotting: Spotting, path: Path) -> None:
    """Write `path` atomically; milliseconds. Cues may overlap."""
    cues = [
        f"{n}\n{start} --> {stop}\n{text}\n" for n, start, stop, text in make_cues(spotting, ".")
    ]
    atomic_write_text(path, "\n".join(["WEBVTT\n", *cues]))


def write_srt(spotting: Spotting, path: Path) -> None:
    """Write `path` atomically; milliseconds. Cues may overlap, which some players show
    one by one.
    """
    cues = [
        f"{n}\n{start} --> {stop}\n{text}\n" for n, start, stop, text in make_cues(spotting, ",")
    ]
    atomic_write_text(path, "\n".join(cues))


def make_cues(spotting: Spotting, mark: str) -> list[tuple[int, str, str, str]]:
    """(number, start, stop, text) in order of time; mark: between seconds and milliseconds."""
    ends = result_frame_ends(spotting)
    out = []
    by_time = sorted(spotting.intervals, key=lambda i: (i.onset_s, i.offset_s, i.face, i.kind))
    for number, i in enumerate(by_time, 1):
        start, stop = to_milliseconds(i.onset_s, float(ends[i.offset_frame]))
        out.append((number, timestamp(start, mark), timestamp(stop, mark), cue_text(spotting, i)))
    return out


def cue_text(spotting: Spotting, i: SpottedInterval) -> str:
    """Text of a cue: face, kind, score and apex, and a line of what moved."""
    moved = moved_line(spotting.context(i))
    text = f"face {i.face}: {i.kind}, score {i.score:.2f}, apex at {i.apex_s:.3f} s"
    return f"{text}\n{moved}" if moved else text


def timestamp(to_milliseconds: int, mark: str) -> str:
    """Hours, minutes, seconds: 00:00:01.480."""
    seconds, rest = divmod(to_milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{rest:03d}"

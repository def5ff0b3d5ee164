"""BORIS project (format 7.0, read by BORIS 7 and 8): one observation with its ethogram. BORIS
imports no CSV.

BORIS pairs the starts and stops of a state in the order of their times, for each subject; so what
overlaps gets a subject of its own ("face 0 (2)").
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text
from fesnet._types import FloatArray
from fesnet.exports.common import (
    describe_interval,
    named_lanes,
    nominal_rate,
    result_frame_ends,
    to_milliseconds,
    video_file,
)
from fesnet.intervals import KINDS
from fesnet.result import SpottedInterval, Spotting
from fesnet.timing import frame_rate

PROJECT_FORMAT = "7.0"
PLAYERS = 8
NO_DATE = "1970-01-01T00:00:00"  # the format wants one; equal results must give equal bytes
KEYS = {"macro": ("m", "a"), "micro": ("i", "x")}  # of the state and of its apex
COLOURS = {"macro": "#1f77b4", "micro": "#d62728"}
STOP, POINT, START = range(3)  # the order of events of one time


def write_boris(spotting: Spotting, path: Path) -> None:
    """Write `path` atomically; milliseconds, as BORIS rounds. Expressions are states,
    apexes are points.
    """
    ends = result_frame_ends(spotting)
    subjects: dict[str, None] = {}  # in their order
    rows: list[tuple[int, list[Any]]] = []
    for name, face, kind, lane in named_lanes(spotting):
        number = name.removeprefix(f"face {face} {kind}").strip()
        subject = f"face {face}" + (f" ({number})" if number else "")
        subjects[subject] = None
        for interval in lane:
            comment = describe_interval(spotting, interval)
            rows += interval_events(interval, subject, ends, comment)
    rows.sort(key=lambda row: (row[1][0], row[1][1], row[0]))
    project: dict[str, Any] = {
        "time_format": "hh:mm:ss",
        "project_date": NO_DATE,
        "project_name": spotting.source.name,
        "project_description": "Expressions spotted by fesnet",
        "project_format_version": PROJECT_FORMAT,
        "subjects_conf": {
            str(n): {"key": "", "name": s, "description": ""} for n, s in enumerate(subjects)
        },
        "behaviors_conf": make_ethogram(),
        "observations": {
            spotting.source.name.strip() or "video": make_observation(
                spotting, [row for _, row in rows]
            )
        },
        "behavioral_categories": [],
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    # ASCII alone: BORIS opens a project in the encoding of the machine, which need not be UTF-8.
    atomic_write_text(path, json.dumps(project, indent=1) + "\n")


def make_ethogram() -> dict[str, Any]:
    """The behaviours: a state for each kind, and a point for its apex."""
    out: dict[str, Any] = {}
    for kind in KINDS:
        state, point = KEYS[kind]
        for code, form, key in (
            (kind, "State event", state),
            (f"{kind} apex", "Point event", point),
        ):
            described = (
                f"{kind}-expression" if code == kind else f"strongest moment of a {kind}-expression"
            )
            behaviour = {
                "type": form,
                "key": key,
                "code": code,
                "description": described,
                "color": COLOURS[kind],
            }
            out[str(len(out))] = behaviour | {
                "category": "",
                "modifiers": {},
                "excluded": "",
                "coding map": "",
            }
    return out


def interval_events(
    interval: SpottedInterval, subject: str, ends: FloatArray, comment: str
) -> list[tuple[int, list[Any]]]:
    """(order, row) of start, apex and stop; a row is time s, subject, behaviour, modifier, comment,
    frame.
    """
    start, stop = to_milliseconds(interval.onset_s, float(ends[interval.offset_frame]))
    apex, kind = to_milliseconds(interval.apex_s, interval.apex_s)[0], interval.kind
    return [
        (
            START,
            [
                start / 1000,
                subject,
                kind,
                "",
                f"score {interval.score:.4f}{comment}",
                interval.onset_frame,
            ],
        ),
        (POINT, [apex / 1000, subject, f"{kind} apex", "", "", interval.apex_frame]),
        (STOP, [stop / 1000, subject, kind, "", "", interval.offset_frame + 1]),
    ]


def make_observation(spotting: Spotting, rows: list[list[Any]]) -> dict[str, Any]:
    """The observation of a video file, or, where there is none, one without media ("live")."""
    video = video_file(spotting.source)
    out: dict[str, Any] = {
        "type": "LIVE" if video is None else "MEDIA",
        "date": NO_DATE,
        "description": f"spotted by fesnet in {spotting.source.name}",
        "time offset": 0.0,
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "close_behaviors_between_videos": False,
    }
    if video is None:
        return out | {"file": [], "scan_sampling_time": 0, "events": [row[:5] for row in rows]}
    name, seconds = str(video), float(result_frame_ends(spotting)[-1])
    told = nominal_rate(spotting.source)
    rate = told or frame_rate(spotting.frame_times, spotting.working_rate)
    about = {
        "length": {name: round(seconds, 3)},
        "fps": {name: round(float(rate or spotting.working_rate), 3)},
        "hasVideo": {name: True},
        "hasAudio": {name: False},
        "offset": {"1": 0.0},
    }
    files = {str(player): [name] if player == 1 else [] for player in range(1, PLAYERS + 1)}
    return out | {"file": files, "media_info": about, "events": rows}

"""Read macro- and micro-expressions of a BORIS project (.boris), of its only observation.

A state event begins and ends an expression; a point event whose code says apex marks one. Codes
name the kind as annotations of ELAN do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from fesnet._io import file_exists, load_json, read_text_file
from fesnet.errors import TruthError
from fesnet.exports.around import shortest_around
from fesnet.exports.elan_reader import AnnotatedInterval, ElanAnnotations, name_kind
from fesnet.intervals import Kind

Event = tuple[float, str, str]  # time s, subject, code

DAMAGE = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError),
    *(RecursionError, OverflowError),
)


def read_boris(path: Path) -> ElanAnnotations:
    """Raises TruthError for a damaged project, one of several observations, and one in which
    nothing is called macro or micro.
    """
    try:
        project = load_json(read_text_file(path))
        observations = project["observations"]
        if len(observations) != 1:
            names = ", ".join(map(repr, observations)) or "none"
            raise ValueError(f"it has {len(observations)} observations ({names}), and one is read")
        (observation,) = observations.values()
        check_one_clock(observation)
        events = sorted((float(e[0]), str(e[1]), str(e[2])) for e in observation["events"])
        codes = {str(b["code"]): str(b["type"]) for b in project["behaviors_conf"].values()}
        video = observed_video(observation, path.parent)
    except DAMAGE as error:
        raise TruthError(f"expected a BORIS project in {path}, but {error}") from error
    found, ignored = pair_events(events, codes)
    if not found and not any(name_kind(code) for code in codes):
        names = ", ".join(map(repr, codes)) or "none"
        raise TruthError(
            f"expected behaviours called macro or micro in {path}, got {names}; call them so"
        )
    order = sorted(found, key=lambda m: (m.face, m.start_s, m.stop_s, m.kind))
    return ElanAnnotations(tuple(order), video, ignored)


def check_one_clock(observation: dict[str, Any]) -> None:
    """Raises ValueError where the times of events are not those of one video: with an offset, or
    with videos that follow each other."""
    offset = float(observation.get("time offset") or 0)
    starts = ((observation.get("media_info") or {}).get("offset") or {}).values()
    if offset or any(float(start or 0) for start in starts):
        raise ValueError("its observation or a player has a time offset; set it to 0 in BORIS")
    joined = max((len(files) for files in (observation.get("file") or {}).values()), default=0)
    if joined > 1:
        raise ValueError(f"its observation joins {joined} videos; observe each by itself")


def pair_events(
    events: list[Event], codes: dict[str, str]
) -> tuple[list[AnnotatedInterval], dict[str, int]]:
    """Expressions of states, with their apexes, and how many events of which codes are left out:
    those of no kind, and starts without an end.
    """
    found: list[tuple[str, AnnotatedInterval]] = []
    ignored: Counter[str] = Counter()
    begun: dict[tuple[str, str], float] = {}
    for time, subject, code in events:
        kind = name_kind(code)
        if "apex" in code.casefold():
            continue
        if kind is None or "point" in codes.get(code, "").casefold():
            ignored[code] += 1
        elif (subject, code) in begun:
            start = begun.pop((subject, code))
            found.append((subject, AnnotatedInterval(face_of(subject), start, time, kind)))
        else:
            begun[subject, code] = time
    ignored.update(f"{code} (without an end)" for _, code in begun)
    marks = [event for event in events if "apex" in event[2].casefold()]
    ignored.update(mark_states(found, marks))
    return [m for _, m in found], dict(ignored)


def mark_states(found: list[tuple[str, AnnotatedInterval]], marks: list[Event]) -> Iterator[str]:
    """Give each apex to the shortest expression of its subject around it; yields the codes of those
    that have none."""
    groups: dict[tuple[str, Kind | None], list[Event]] = {}
    for event in marks:
        kind = name_kind(event[2].casefold().replace("apex", " "))
        groups.setdefault((event[1], kind), []).append(event)
    states: dict[tuple[str, Kind | None], list[int]] = {}
    for n, (who, m) in enumerate(found):
        for group in ((who, m.kind), (who, None)):
            states.setdefault(group, []).append(n)
    for wanted, events in groups.items():
        own = states.get(wanted, [])
        spans = [(found[n][1].start_s, found[n][1].stop_s) for n in own]
        best = shortest_around(spans, [e[0] for e in events], closed=True)
        for (time, _, code), nearest in zip(events, best, strict=True):
            if nearest is None:
                yield code
            else:
                who, m = found[own[nearest]]
                found[own[nearest]] = who, replace(m, apex_s=time)


def face_of(subject: str) -> int:
    number = re.search(r"face\s*(\d+)", subject.casefold())
    return int(number[1]) if number else 0


def observed_video(observation: dict[str, Any], folder: Path) -> Path | None:
    """The first video of the observation that lies where the project says, or beside it."""
    files = observation.get("file") or {}
    names = [name for player in (files.values() if files else ()) for name in player]
    for name in names:
        for path in (folder / str(name), folder / Path(str(name)).name):
            if file_exists(path):
                return path
    return None

"""How well the bundled weights spot people of different sex, age and ethnicity.

    python dev/measure_groups.py PEOPLE.csv --videos RECORDS VIDEOS [--videos ...]

PEOPLE.csv: columns face_id, face_gender, face_age, face_eth, as beside the portraits. RECORDS: what
`dev/record_tracks.py` wrote of VIDEOS, a folder by `fesnet synth` whose names begin with the
person's number. In brackets is the 95 % interval over people, drawn anew 2,000 times.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from labelled_clips import Clip, answered, judge, load_synthetic

from fesnet.interval_check import load_check
from fesnet.weights import load_weights

DRAWS = 2000
YOUNGER = 25  # up to this age (years), half of the people


@dataclass(frozen=True)
class PersonCounts:
    """Of one person: events that were found, intervals and events of each kind, minutes."""

    found: tuple[int, int]
    intervals: tuple[int, int]
    events: tuple[int, int]
    minutes: float


def count_person(
    clips: Sequence[Clip], kept: Sequence[Sequence[tuple[str, float, float]]]
) -> PersonCounts:
    """kept: intervals (kind, onset, offset in s) that are reported of each clip."""
    found, intervals, events = [0, 0], [0, 0], [0, 0]
    for clip, spans in zip(clips, kept, strict=True):
        for at, kind in enumerate(("macro", "micro")):
            own = [(a, b) for k, a, b in spans if k == kind]
            truth = clip.events_of(kind)
            found[at] += answered(own, truth)
            intervals[at] += len(own)
            events[at] += len(truth)
    minutes = sum(clip.truth["duration_s"] for clip in clips) / 60
    return PersonCounts(
        (found[0], found[1]), (intervals[0], intervals[1]), (events[0], events[1]), minutes
    )


def figures(people: Sequence[PersonCounts]) -> tuple[float, float, float]:
    """F1 of macro- and micro-expressions, and false alarms a minute, over people."""
    f1 = []
    for at in (0, 1):
        found = sum(p.found[at] for p in people)
        both = sum(p.intervals[at] + p.events[at] for p in people)
        f1.append(2 * found / max(1, both))
    false = sum(sum(p.intervals) - sum(p.found) for p in people)
    return f1[0], f1[1], false / max(1e-9, sum(p.minutes for p in people))


def row(name: str, people: Sequence[PersonCounts]) -> str:
    rng = np.random.default_rng(1)
    draws = np.array(
        [
            figures([people[i] for i in rng.integers(len(people), size=len(people))])
            for _ in range(DRAWS)
        ]
    )
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    cells = [
        f"{value:.2f} [{a:.2f}, {b:.2f}]"
        for value, a, b in zip(figures(people), low, high, strict=True)
    ]
    events = [sum(p.events[at] for p in people) for at in (0, 1)]
    return f"| {name} | {len(people)} | {events[0]}, {events[1]} | " + " | ".join(cells) + " |"


def groups_of(person: dict[str, str]) -> list[str]:
    out = [person["face_gender"], person["face_eth"]]
    if person["face_age"].isdigit():  # else it is not known
        younger = int(person["face_age"]) <= YOUNGER
        out.append(f"up to {YOUNGER} years" if younger else f"older than {YOUNGER} years")
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("people", type=Path)
    parser.add_argument(
        "--videos", nargs=2, type=Path, action="append", required=True, metavar=("RECORDS", "MADE")
    )
    parser.add_argument("--weights", type=Path)
    args = parser.parse_args()
    with args.people.open(encoding="utf-8", newline="") as file:
        people = {r["face_id"]: r for r in csv.DictReader(file)}
    weights = load_weights(args.weights)
    check = load_check(weights.folder)
    assert check is not None, "expected weights with an interval check"
    thresholds = {k: weights.rules[f"{k}_threshold"] for k in ("macro", "micro")}
    clips: dict[str, list[Clip]] = defaultdict(list)
    for pair in args.videos:
        for clip in load_synthetic(*pair):
            clips[clip.person].append(clip)
    counts = {}
    for person, own in clips.items():
        kept = [
            [
                (c.kind, *clip.span(c))
                for c in judge(clip, check)
                if c.probability >= thresholds[c.kind]
            ]
            for clip in own
        ]
        counts[person] = count_person(own, kept)
    groups: dict[str, list[PersonCounts]] = defaultdict(list)
    for person, count in counts.items():
        for group in ("all", *groups_of(people[person])):
            groups[group].append(count)
    print("| people | n | macro, micro events | macro F1 | micro F1 | false alarms a minute |")
    print("|---|---|---|---|---|---|")
    for group in sorted(groups, key=lambda g: (g != "all", g)):
        print(row(group, groups[group]))


if __name__ == "__main__":
    main()

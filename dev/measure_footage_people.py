"""Does the check learn people, or what speech looks like? Footage without expressions, judged by a
check that was fitted without its person, against one that knew the person.

    python dev/measure_footage_people.py THE OPTIONS OF fit_interval_check.py

A person is what stands before the second "_" of a clip's name (grid_p03_01.mpg: grid_p03). False
alarms are counted at the bundled thresholds; the table is of all footage together and of each
person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from fit_interval_check import Data, fitted, load, parse
from labelled_clips import Clip, judge, load_clips, load_quiet, load_synthetic, standing

from fesnet.interval_check import IntervalCheck
from fesnet.weights import load_weights


def person_of(clip: Clip) -> str:
    return "_".join(Path(clip.name).name.split("_")[:2])


def false_alarms(
    clips: Sequence[Clip], check: IntervalCheck, thresholds: tuple[float, float]
) -> tuple[int, float]:
    """How many intervals stand, and the mean of the highest probability of each clip."""
    kept = [judge(c, check) for c in clips]
    highest = [max([k.probability for k in each] or [0.0]) for each in kept]
    return sum(len(standing(each, thresholds)) for each in kept), float(np.mean(highest))


def main() -> None:
    args = parse()
    quiet = load(args.quiet, load_quiet)
    data = Data(
        load(args.clips, load_clips),
        load(args.changed, load_clips),
        load(args.synthetic, load_synthetic),
        quiet,
        load(args.validate, load_synthetic),
    )
    rules = load_weights(None).rules
    thresholds = rules["macro_threshold"], rules["micro_threshold"]
    people: dict[str, list[Clip]] = defaultdict(list)
    for clip in quiet:
        people[person_of(clip)].append(clip)
    checks = {"with": fitted(data), "no footage at all": fitted(replace(data, quiet=[]))}
    totals = dict.fromkeys(("with", "without", "no footage at all"), 0)
    print("person: clips, seconds; false alarms (mean of the highest probability a clip)")
    for person, clips in sorted(people.items()):
        left = replace(data, quiet=[c for c in quiet if person_of(c) != person])
        cells = []
        for name in totals:
            check = fitted(left) if name == "without" else checks[name]
            count, highest = false_alarms(clips, check, thresholds)
            totals[name] += count
            cells.append(f"{name} {count} ({highest:.2f})")
        seconds = sum(c.truth["duration_s"] for c in clips)
        print(f"{person}: {len(clips)}, {seconds:.0f} s; {', '.join(cells)}", flush=True)
    minutes = sum(c.truth["duration_s"] for c in quiet) / 60
    per_minute = ", ".join(f"{name} {count / minutes:.2f}" for name, count in totals.items())
    print(f"{len(people)} people, {minutes:.2f} minutes; false alarms a minute: {per_minute}")


if __name__ == "__main__":
    main()

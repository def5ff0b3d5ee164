"""Check on stored results that a lower threshold only adds intervals of its kind.

    python dev/check_thresholds.py results/*.json

Each kind's threshold goes down from 0.95 to 0.05, for two thresholds of the other kind. A breach is
an interval that changes, moves or goes, and one of the other kind that comes. Prints how many
comparisons and breaches there were; the exit code is 1 where there are any breaches.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from fesnet.intervals import KINDS, Kind
from fesnet.result import SpottedInterval, Spotting

STEPS = (0.95, 0.65, 0.5, 0.4, 0.25, 0.05)
OTHERS = (0.65, 0.3)


def breaches(spotting: Spotting, kind: Kind, fixed: float) -> Iterator[tuple[float, int]]:
    """(threshold, breaches) of each step down of one kind; the other kind's is fixed."""
    (other,) = (k for k in KINDS if k != kind)
    before: set[SpottedInterval] | None = None
    for threshold in STEPS:
        rules = {f"{kind}_threshold": threshold, f"{other}_threshold": fixed}
        now = set(spotting.rethreshold(rules).intervals)
        if before is not None:
            foreign = [i for i in now - before if i.kind != kind]
            yield threshold, len(before - now) + len(foreign)
        before = now


def main(paths: list[Path]) -> int:
    compared = broken = 0
    for path in paths:
        spotting = Spotting.from_json(path)
        for kind in KINDS:
            for fixed in OTHERS:
                for threshold, number in breaches(spotting, kind, fixed):
                    compared += 1
                    broken += number
                    if number:
                        print(f"{path.name}: {number} at {kind} {threshold}, the other {fixed}")
    print(f"{len(paths)} results, {compared} comparisons, {broken} breaches")
    return 1 if broken else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("expected results (NAME.json)")
    sys.exit(main([Path(name) for name in sys.argv[1:]]))

"""Choose the thresholds of the comparators on synthetic video of validation people, and measure
them on test people.

usage: python experiments/choose_baseline_rules.py PORTRAITS FOLDER [--methods flow,landmarks,mdmd]
[--test]

People are split as for FESNet (dev/people.csv), by the place of their photo in the sorted folder:
the last 8 are for testing, the 8 before them for validation. Of each a minute of encoded video is
made with about five expressions of each kind, half of them with speech; of the first two also a
minute without expressions, one with speech. The videos are kept in FOLDER with their truth beside
them, and used again. For each method the grid below is searched for the largest F1 of macro plus F1
of micro; among what comes within TIE of it, the fewest false alarms win. What is printed is frozen
by hand as the defaults in `fesnet.baselines`; real clips play no part.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fesnet.baselines import METHODS, make_baseline
from fesnet.baselines.base import CROP, RATE, Baseline, ExtractedFeatures
from fesnet.faces import Face, FaceTracker
from fesnet.intervals import KINDS, Interval
from fesnet.metrics import Counts, count, false_alarms_a_minute, overall
from fesnet.postprocess import IntervalRules, find_intervals
from fesnet.synth.render.portraits import Person, find_people
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.writer import write_script
from fesnet.synth.videos.demo_video import encode_script, write_truth
from fesnet.video import Frame, open_source
from fesnet.windows import FrameSampler

PARTS = {"validation": (slice(-16, -8), 1), "test": (slice(-8, None), 3)}  # people, seed
SECONDS = 60
# Sparser than in training, where minutes without an event would be wasted.
SCRIPT = SynthConfig(macro_per_minute=5, micro_per_minute=5, quiet_share=0.0, speech_share=0.5)
QUIET_SEEDS = 100  # added to a person's number for the quiet minute
THRESHOLDS = [round(x, 2) for x in np.arange(0.1, 0.96, 0.05)]
RELEASES = (0.3, 0.5, 0.7)
VALLEYS = (0.2, 0.4, 0.6)
TIE = 0.01  # of F1: less than one event more or less makes
KINDS_GRID: dict[str, Sequence[float]] = {
    "usual_s": (20.0, 40.0),
    "smooth_s": (0.04, 0.07),
    "brief_s": (0.47, 0.53, 0.6),
    "share": (0.1, 0.3),
}
LEAST: dict[str, Sequence[float]] = {"flow": (2.0, 4.0, 8.0), "mdmd": (0.002, 0.004, 0.008)}
Minute = tuple[ExtractedFeatures, list[Interval]]


class Replay:
    """A tracker that hands out again what another one found, so that all methods see the same
    faces.
    """

    def __init__(self, faces: list[list[Face]]) -> None:
        self.faces = iter(faces)

    def push(self, frame: Frame) -> list[Face]:
        return next(self.faces)


def make_videos(people: Sequence[Person], folder: Path, seed: int) -> list[Path]:
    """The videos of a part, with their truth; those that lie there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(n, person, SCRIPT, person.name) for n, person in enumerate(people)]
    for n, person in enumerate(people[:2]):
        quiet = replace(SCRIPT, quiet_share=1.0, speech_share=float(n))
        wanted.append((QUIET_SEEDS + n, person, quiet, f"{person.name}_quiet"))
    out = []
    for number, person, config, name in wanted:
        path = folder / f"{name}.mp4"
        if not path.exists():
            script = write_script(
                np.random.default_rng([seed, number]), int(SECONDS * RATE), config
            )
            write_truth(path.with_suffix(".csv"), path.name, script.events)
            encode_script(person.avatar(), script, path, seed=number)
        out.append(path)
    return out


def read_truth(video: Path) -> list[Interval]:
    kinds = {str(kind): kind for kind in KINDS}
    with video.with_suffix(".csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    return [
        Interval(int(r["onset_frame"]), int(r["offset_frame"]) + 1, kinds[r["kind"]]) for r in rows
    ]


def extract_minute(video: Path, names: Sequence[str]) -> dict[str, Minute]:
    """Each method's features of a video and its truth. Faces are found once."""
    tracker, sampler = FaceTracker(crop_size=CROP), FrameSampler(RATE)
    with open_source(video) as source:
        faces = [tracker.push(frame) for frame in source if sampler.should_sample(frame.time)]
    truth = read_truth(video)
    return {
        n: (METHODS[n](tracker=lambda: Replay(faces)).extract_features(video), truth) for n in names
    }


def scores_of(method: Baseline[Any], minutes: Sequence[Minute]) -> list[np.ndarray]:
    return [method.face_track(0, w.faces.get(0, []), w.ticks).scores for w, _ in minutes]


def measure(
    scores: Sequence[np.ndarray], minutes: Sequence[Minute], rules: IntervalRules
) -> dict[str, Counts]:
    out = []
    for rows, (_, truth) in zip(scores, minutes, strict=True):
        timed = find_intervals(rows, np.arange(len(rows)) / RATE, rules)
        found = [
            Interval(round(i.onset_s * RATE), round(i.offset_s * RATE) + 1, i.kind) for i in timed
        ]
        out.append(count(truth, found))
    return overall(out)


def best_rules(
    scores: Sequence[np.ndarray], minutes: Sequence[Minute], valley: float
) -> tuple[float, IntervalRules]:
    """The best rules with this valley, and their F1 macro + F1 micro. The kinds are apart, so each
    is sought alone.
    """
    value, rules = 0.0, IntervalRules(exclusive=False, valley=valley)
    for column, kind in enumerate(KINDS):
        alone = [np.where(np.arange(2) == column, rows, 0 * rows) for rows in scores]
        tried = []
        for threshold, release in itertools.product(THRESHOLDS, RELEASES):
            numbers = {f"{kind}_threshold": threshold, f"{kind}_release": release}
            tried.append((measure(alone, minutes, replace(rules, **numbers))[kind], numbers))
        top = max(counts.f1 for counts, _ in tried)
        counts, numbers = min((t for t in tried if t[0].f1 >= top - TIE), key=lambda t: t[0].fp)
        value, rules = value + counts.f1, replace(rules, **numbers)
    return value, rules


def settings_grid(name: str, settings: Any) -> Iterator[Any]:
    """Every combination of a method's numbers that need no second look at the pictures."""
    leasts = [{"least": least} for least in LEAST.get(name, ())] or [{}]
    if name == "mdmd":
        kinds: list[dict[str, Any]] = [{}]
    else:
        combinations = itertools.product(*KINDS_GRID.values())
        kinds = [
            {"kinds": replace(settings.kinds, **dict(zip(KINDS_GRID, c, strict=True)))}
            for c in combinations
        ]
    for one, other in itertools.product(kinds, leasts):
        yield replace(settings, **one, **other)


def choose(name: str, minutes: Sequence[Minute]) -> Baseline[Any]:
    """The method with the best settings and rules."""
    best, chosen = -1.0, make_baseline(name)
    for settings in settings_grid(name, chosen.settings):
        scores = scores_of(METHODS[name](settings), minutes)
        value, rules = max(
            (best_rules(scores, minutes, valley) for valley in VALLEYS), key=lambda found: found[0]
        )
        if value > best:
            best, chosen = value, METHODS[name](settings, rules=rules)
    return chosen


def report(part: str, method: Baseline[Any], minutes: Sequence[Minute]) -> None:
    for kind, counts in measure(scores_of(method, minutes), minutes, method.rules).items():
        alarms = false_alarms_a_minute(counts, SECONDS * len(minutes))
        scores = f"precision {counts.precision:.3f} recall {counts.recall:.3f} F1 {counts.f1:.3f}"
        print(
            f"{part:10} {kind:7} TP {counts.tp} FP {counts.fp} FN {counts.fn} {scores} false/min "
            f"{alarms:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("portraits", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument(
        "--test", action="store_true", help="also measure on the people kept for testing"
    )
    given = parser.parse_args()
    names = given.methods.split(",")
    people, _ = find_people(given.portraits)
    minutes_of_part = {}
    for part in PARTS if given.test else ["validation"]:
        chosen, seed = PARTS[part]
        minutes_of_part[part] = [
            extract_minute(v, names) for v in make_videos(people[chosen], given.folder / part, seed)
        ]
    for name in names:
        method = choose(name, [minute[name] for minute in minutes_of_part["validation"]])
        print(f"{name}: {method.settings}\n{method.rules}")
        for part, minutes in minutes_of_part.items():
            report(part, method, [minute[name] for minute in minutes])


if __name__ == "__main__":
    main()

"""Choose the interval rules of new weights on validation people, and measure them on test people.

usage: python dev/choose_rules.py VALIDATION TEST WEIGHTS --results FOLDER [--write | --keep]

VALIDATION and TEST are folders that `fesnet synth` made, of people whom training never saw
(`dev/people.csv` says who is who). Every video goes through the whole of `fesnet spot`: decoding,
face tracking, network. Results are kept in FOLDER and taken from there the next time. Rules are
chosen on VALIDATION alone, by the sum of the F1 of macro and micro at IoU 0.5, less a PRICE for
each false alarm a minute; TEST is only measured. `--write` puts the rules into the weights' config;
`--keep` chooses none and measures with the rules that are there.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from fesnet.intervals import KINDS, Interval
from fesnet.metrics import Counts, bootstrap, count, match, overall
from fesnet.postprocess import IntervalRules
from fesnet.result import Spotting
from fesnet.spotter import Spotter
from fesnet.weights import CONFIG, load_weights

GRID = tuple(round(float(x), 2) for x in np.arange(0.2, 0.96, 0.05))
RELEASES = (
    0.4,
    0.5,
    0.6,
)  # nearer to the threshold, scores that flicker would divide an expression
VALLEYS = (0.4, 0.5, 0.65)
INTENSITY_VALLEYS = (0.3, 0.4, 0.5)
START = {
    "macro_threshold": 0.8,
    "micro_threshold": 0.8,
    "intensity_valley": 0.4,
    "merge_gap_s": 0.0,  # scores are smooth: a dip is a dip, however brief
    # as micro_max_s: kinds are durations, and what is found is a tick or two longer than it was
    "macro_min_s": 0.57,
}
# of F1, for a false alarm a minute; for nothing, video full of expressions would ask for many
PRICE = 0.1
SIZES = (
    0.25,
    0.5,
    0.75,
    1.0,
    1.5,
    2.0,
    3.0,
    4.0,
    8.0,
)  # edges in pixels of a 96 px crop, of the curve of recall
LEAST_SIZES = (0.0, 1.0, 2.0, 3.0)  # pixels, for F1 without the faintest events


@dataclass(frozen=True)
class Video:
    """One spotted video: its subject, truth with the size in pixels of each event, and what was
    found with scores.
    """

    subject: str
    truth: tuple[Interval, ...]
    pixels: tuple[float, ...]
    found: Spotting

    @property
    def seconds(self) -> float:
        return float(self.found.frame_times[-1])

    def intervals(self, rules: IntervalRules) -> list[Interval]:
        found = self.found.rethreshold(rules).intervals
        return [Interval(i.onset_frame, i.offset_frame + 1, i.kind, score=i.score) for i in found]


def read_folder(folder: Path, weights: Path, results: Path) -> list[Video]:
    """All videos of a folder by `fesnet synth`, spotted with `weights`."""
    rows = list(csv.DictReader((folder / "videos.csv").open(encoding="utf-8", newline="")))
    truth = list(csv.DictReader((folder / "truth.csv").open(encoding="utf-8", newline="")))
    jobs = [
        (folder / row["video"], weights, results / f"{folder.name}-{Path(row['video']).stem}.json")
        for row in rows
    ]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(spot_once, jobs))
    out = []
    for row, (_, _, file) in zip(rows, jobs, strict=True):
        own = [t for t in truth if t["video"] == row["video"]]
        events = [
            Interval(int(t["onset_frame"]) - 1, int(t["offset_frame"]), kind_of(t["kind"]))
            for t in own
        ]
        sizes = tuple(float(t["pixels"]) for t in own)
        out.append(Video(row["subject"], tuple(events), sizes, Spotting.from_json(file)))
    return out


def kind_of(text: str) -> str:
    return KINDS[KINDS.index(text)]


def spot_once(job: tuple[Path, Path, Path]) -> None:
    video, weights, file = job
    spotter = Spotter(weights)
    if (
        file.is_file()
        and Spotting.from_json(file).provenance["weights_sha256"] == spotter.weights.sha256
    ):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    spotter.spot(video).to_json(file)


def measure(videos: Sequence[Video], rules: IntervalRules) -> dict[str, Counts]:
    return overall([count(list(v.truth), v.intervals(rules)) for v in videos])


def worth(videos: Sequence[Video], rules: IntervalRules) -> float:
    """What is maximised: the sum of both kinds' F1, less the price of false alarms."""
    counts, minutes = measure(videos, rules), sum(v.seconds for v in videos) / 60
    return sum(counts[kind].f1 for kind in map(str, KINDS)) - PRICE * counts["overall"].fp / minutes


def out_of_nothing(videos: Sequence[Video], rules: IntervalRules) -> float:
    """Intervals a minute that share no frame with any event. (Others are wrong, too, but about
    something; F1 counts those as both false and missed.)"""
    alone = sum(not any(i.overlap(e) for e in v.truth) for v in videos for i in v.intervals(rules))
    return alone / (sum(v.seconds for v in videos) / 60)


def choose(videos: Sequence[Video]) -> IntervalRules:
    """Rules by trying: a kind's threshold and release at once, then the other's, then the valleys,
    as long as it helps. At once, because a higher threshold wants a lower release."""
    pairs = list(itertools.product(GRID, RELEASES))
    steps: list[list[dict[str, float]]] = [
        [
            {f"{kind}_threshold": threshold, f"{kind}_release": release}
            for threshold, release in pairs
        ]
        for kind in KINDS
    ]
    valleys = itertools.product(VALLEYS, INTENSITY_VALLEYS)
    steps.append(
        [{"valley": valley, "intensity_valley": intensity} for valley, intensity in valleys]
    )
    rules, value, better = replace(IntervalRules(), **START), -10.0, True
    while better:
        better = False
        for changes in steps:
            tried = max(
                (replace(rules, **change) for change in changes), key=lambda r: worth(videos, r)
            )
            if (top := worth(videos, tried)) > value:
                rules, value, better = tried, top, True
    return rules


def tell(name: str, videos: Sequence[Video], rules: IntervalRules) -> Iterator[str]:
    """One line for each kind: counts, F1 with the interval of a bootstrap over subjects, false
    alarms a minute.
    """
    minutes = sum(v.seconds for v in videos) / 60
    subjects = sorted({v.subject for v in videos})
    by_subject = [measure([v for v in videos if v.subject == s], rules) for s in subjects]
    for kind, c in measure(videos, rules).items():
        low, high = bootstrap([s[kind] for s in by_subject])
        yield (
            f"{name:10} {kind:7} TP {c.tp} FP {c.fp} FN {c.fn} precision {c.precision:.3f} "
            f"recall {c.recall:.3f} "
            f"F1 {c.f1:.3f} [{low:.3f}, {high:.3f}] false/min {c.fp / minutes:.2f}"
        )
    yield f"{name:10} out of nothing: {out_of_nothing(videos, rules):.2f}/min"


def curve(videos: Sequence[Video], rules: IntervalRules, kind: str) -> Iterator[str]:
    """Recall of one kind by size of the motion."""
    hit = {size: [0, 0] for size in SIZES}
    for v in videos:
        found = {i for i, _ in match(list(v.truth), v.intervals(rules))}
        for n, (event, pixels) in enumerate(zip(v.truth, v.pixels, strict=True)):
            if event.kind == kind:
                size = min((s for s in SIZES if pixels <= s), default=SIZES[-1])
                hit[size][0] += n in found
                hit[size][1] += 1
    for size, (found_n, total) in hit.items():
        if total:
            yield f"{kind} up to {size:g} px: recall {found_n / total:.2f} of {total}"


def from_size(videos: Sequence[Video], rules: IntervalRules, least: float) -> dict[str, Counts]:
    """Counts where events that move less than `least` pixels are neither wanted nor false when
    found.
    """
    total = {str(kind): Counts(0, 0, 0) for kind in KINDS}
    for v in videos:
        found = v.intervals(rules)
        pairs = match(list(v.truth), found)
        hit, used = {i for i, _ in pairs}, {j for _, j in pairs}
        for n, (event, pixels) in enumerate(zip(v.truth, v.pixels, strict=True)):
            if pixels >= least:
                total[event.kind] += Counts(int(n in hit), 0, int(n not in hit))
        for n, interval in enumerate(found):
            total[interval.kind] += Counts(0, int(n not in used), 0)
    return total


def by_least_size(videos: Sequence[Video], rules: IntervalRules) -> Iterator[str]:
    """F1 of each kind over the events from some size on."""
    for least in LEAST_SIZES:
        for kind, c in from_size(videos, rules, least).items():
            yield f"{kind} of at least {least:g} px: {c.tp + c.fn} events, TP {c.tp} FP {c.fp} FN {c.fn} F1 {c.f1:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("validation", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    people = read_folder(given.validation, given.weights, given.results)
    rules = (
        IntervalRules.from_dict(load_weights(given.weights).rules) if given.keep else choose(people)
    )
    print(
        "rules of the weights:" if given.keep else "chosen on validation people:",
        json.dumps(rules.to_dict()),
    )
    held = read_folder(given.test, given.weights, given.results)
    for name, part in (("validation", people), ("test", held)):
        print("\n".join(tell(name, part, rules)))
    for kind in KINDS:
        print("\n".join(curve(held, rules, kind)))
    print("\n".join(by_least_size(held, rules)))
    if given.write and not given.keep:
        path = given.weights / CONFIG
        values = json.loads(path.read_text(encoding="utf-8"))
        values["rules"] = rules.to_dict()
        path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Choose the interval rules of weights on validation people, and measure them on test people.

Both are folders that `fesnet synth` made, of people whom training never saw. Every video goes
through the whole of `fesnet spot`. Rules are chosen on the validation folder alone: by the sum of
the F1 of macro and micro at IoU 0.5, less a price for each false alarm a minute. The grids and the
price are our choice.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fesnet._io import atomic_write_text, load_json, read_text_file
from fesnet.datasets.folder import TRUTH, VIDEOS, read_table
from fesnet.errors import TruthError, UsageError
from fesnet.evaluation.parallel import run_parallel
from fesnet.intervals import KINDS, Interval
from fesnet.jobs import Executor
from fesnet.metrics import Counts, bootstrap, count, match, overall
from fesnet.postprocess import IntervalRules
from fesnet.result import Spotting
from fesnet.spotter import Spotter
from fesnet.weights import CONFIG, load_weights

THRESHOLD_GRID = tuple(round(0.2 + 0.05 * i, 2) for i in range(16))  # 0.2 to 0.95
RELEASES = (0.4, 0.5, 0.6)  # nearer to the threshold, scores that flicker would divide
VALLEYS = (0.4, 0.5, 0.65)
INTENSITY_VALLEYS = (0.3, 0.4, 0.5)
START = IntervalRules(
    macro_threshold=0.8,
    micro_threshold=0.8,
    intensity_valley=0.4,
    merge_gap_s=0.0,  # scores are smooth: a dip is a dip, however brief
    # As micro_max_s: kinds are durations, and intervals come out a tick or two too long.
    macro_min_s=0.57,
)
# Of F1, for a false alarm a minute. Without a price, video full of expressions asks for many.
FALSE_ALARM_PRICE = 0.1
# Upper edges of the bins of recall, in pixels of motion in a 96 px crop.
SIZE_BINS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0)
MIN_SIZES = (0.0, 1.0, 2.0, 3.0)  # pixels, for F1 without the faintest events


@dataclass(frozen=True)
class LabelledResult:
    """One spotted video. pixels: the size of the motion of each true event."""

    subject: str
    truth: tuple[Interval, ...]
    pixels: tuple[float, ...]
    spotting: Spotting

    @property
    def seconds(self) -> float:
        times = self.spotting.frame_times
        return float(times[-1] - times[0])

    def find(self, rules: IntervalRules) -> list[Interval]:
        """Intervals of the stored scores under these rules."""
        found = self.spotting.rethreshold(rules).intervals
        return [Interval(i.onset_frame, i.offset_frame + 1, i.kind, score=i.score) for i in found]


def tune_rules(
    validation: Path,
    test: Path,
    weights: Path,
    results: Path,
    executor: Executor,
    *,
    write: bool = False,
    keep: bool = False,
) -> Iterator[str]:
    """Choose rules on one folder of videos and measure them on both; yields lines for people.

    results: a folder that keeps the results of `fesnet spot`. write: put the rules into the
    weights' config. keep: choose none, measure the rules of the weights. Raises UsageError,
    TruthError, SourceError.
    """
    if write and keep:
        raise UsageError("expected --write or --keep, got both; --keep chooses no rules to write")
    validation_videos = spot_folder(validation, weights, results, executor)
    if keep:
        rules = IntervalRules.from_dict(load_weights(weights).rules)
    else:
        rules = choose_rules(validation_videos)
    heading = "rules of the weights:" if keep else "chosen on validation people:"
    yield f"{heading} {json.dumps(rules.to_dict())}"
    test_videos = spot_folder(test, weights, results, executor)
    for name, videos in (("validation", validation_videos), ("test", test_videos)):
        yield from count_lines(name, videos, rules)
    for kind in KINDS:
        yield from recall_lines(test_videos, rules, kind)
    yield from min_size_lines(test_videos, rules)
    if write:
        write_rules(weights, rules)


def write_rules(weights: Path, rules: IntervalRules) -> None:
    """Put rules into the config of weights."""
    path = weights / CONFIG
    values = load_json(read_text_file(path))
    values["rules"] = rules.to_dict()
    atomic_write_text(path, json.dumps(values, indent=1) + "\n")


def spot_folder(
    folder: Path, weights: Path, results: Path, executor: Executor
) -> list[LabelledResult]:
    """All videos of a folder by `fesnet synth`, spotted with `weights`.

    Raises UsageError and TruthError for a folder without tables or with wrong ones.
    """
    rows = [row for _, row in read_table(folder, VIDEOS)]
    truth = list(read_table(folder, TRUTH))
    if not rows:
        raise UsageError(f"expected videos in {folder / VIDEOS}, got none")
    results.mkdir(parents=True, exist_ok=True)
    jobs = [
        (folder / row["video"], weights, results / f"{folder.name}-{Path(row['video']).stem}.json")
        for row in rows
    ]
    run_parallel(executor, spot_to_file, [(str(job[2]), job) for job in jobs])
    videos = []
    for row, (_, _, file) in zip(rows, jobs, strict=True):
        events = [
            read_event(event, f"{folder / TRUTH} line {line}")
            for line, event in truth
            if event["video"] == row["video"]
        ]
        intervals, pixels = tuple(i for i, _ in events), tuple(size for _, size in events)
        videos.append(LabelledResult(row["subject"], intervals, pixels, Spotting.from_json(file)))
    return videos


def read_event(row: dict[str, str], where: str) -> tuple[Interval, float]:
    """A true interval and the size of its motion, from a row of `truth.csv`. Raises TruthError."""
    try:
        kind = KINDS[KINDS.index(row["kind"])]
        interval = Interval(int(row["onset_frame"]) - 1, int(row["offset_frame"]), kind)
        return interval, float(row["pixels"])
    except (KeyError, ValueError) as error:
        raise TruthError(
            f"expected kind, onset_frame, offset_frame and pixels in {where}, got {error}"
        ) from error


def spot_to_file(job: tuple[Path, Path, Path]) -> None:
    """Spot a video (job: video, weights, result), unless the result of these weights is there."""
    video, weights, file = job
    spotter = Spotter(weights)
    if file.is_file():
        provenance = Spotting.from_json(file).provenance
        if provenance["weights_sha256"] == spotter.weights.sha256:
            return
    spotter.spot(video).to_json(file)


def count_videos(videos: Sequence[LabelledResult], rules: IntervalRules) -> dict[str, Counts]:
    """Counts of all videos by kind and overall."""
    return overall([count(v.truth, v.find(rules)) for v in videos])


def minutes_of(videos: Sequence[LabelledResult]) -> float:
    return sum(v.seconds for v in videos) / 60


def objective(videos: Sequence[LabelledResult], rules: IntervalRules) -> float:
    """What is maximised: the sum of both kinds' F1, less the price of false alarms."""
    counts = count_videos(videos, rules)
    false_alarms = counts["overall"].fp / minutes_of(videos)
    return sum(counts[kind].f1 for kind in map(str, KINDS)) - FALSE_ALARM_PRICE * false_alarms


def choose_rules(videos: Sequence[LabelledResult]) -> IntervalRules:
    """Rules by coordinate search: one kind's threshold and release, the other's, the valleys.

    It goes on as long as that helps. Threshold and release change together, as a higher threshold
    wants a lower release.
    """
    pairs = list(itertools.product(THRESHOLD_GRID, RELEASES))
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
    rules, value, better = START, -10.0, True
    while better:
        better = False
        for changes in steps:
            candidates = (replace(rules, **change) for change in changes)  # type: ignore[arg-type]
            best = max(candidates, key=lambda r: objective(videos, r))
            if (best_value := objective(videos, best)) > value:
                rules, value, better = best, best_value, True
    return rules


def count_lines(name: str, videos: Sequence[LabelledResult], rules: IntervalRules) -> Iterator[str]:
    """A line for each kind: counts, F1 with its interval over subjects, false alarms a minute."""
    minutes = minutes_of(videos)
    subjects = sorted({v.subject for v in videos})
    by_subject = [count_videos([v for v in videos if v.subject == s], rules) for s in subjects]
    for kind, c in count_videos(videos, rules).items():
        low, high = bootstrap([s[kind] for s in by_subject])
        yield (
            f"{name:10} {kind:7} TP {c.tp} FP {c.fp} FN {c.fn} precision {c.precision:.3f} "
            f"recall {c.recall:.3f} "
            f"F1 {c.f1:.3f} [{low:.3f}, {high:.3f}] false/min {c.fp / minutes:.2f}"
        )
    yield f"{name:10} out of nothing: {unrelated_per_minute(videos, rules):.2f}/min"


def unrelated_per_minute(videos: Sequence[LabelledResult], rules: IntervalRules) -> float:
    """Intervals a minute that share no frame with any event.

    Other false ones are about an event; F1 counts those as both false and missed.
    """
    alone = sum(not any(i.overlap(e) for e in v.truth) for v in videos for i in v.find(rules))
    return alone / minutes_of(videos)


def recall_lines(
    videos: Sequence[LabelledResult], rules: IntervalRules, kind: str
) -> Iterator[str]:
    """Recall of one kind by size of the motion."""
    bins = {size: [0, 0] for size in SIZE_BINS}  # found, all
    for v in videos:
        found = {i for i, _ in match(v.truth, v.find(rules))}
        for n, (event, pixels) in enumerate(zip(v.truth, v.pixels, strict=True)):
            if event.kind == kind:
                size = min((s for s in SIZE_BINS if pixels <= s), default=SIZE_BINS[-1])
                bins[size][0] += n in found
                bins[size][1] += 1
    for size, (found_count, total) in bins.items():
        if total:
            yield f"{kind} up to {size:g} px: recall {found_count / total:.2f} of {total}"


def min_size_lines(videos: Sequence[LabelledResult], rules: IntervalRules) -> Iterator[str]:
    """F1 of each kind over the events from some size on."""
    for min_size in MIN_SIZES:
        for kind, c in count_from_size(videos, rules, min_size).items():
            yield (
                f"{kind} of at least {min_size:g} px: {c.tp + c.fn} events, "
                f"TP {c.tp} FP {c.fp} FN {c.fn} F1 {c.f1:.3f}"
            )


def count_from_size(
    videos: Sequence[LabelledResult], rules: IntervalRules, min_size: float
) -> dict[str, Counts]:
    """Counts without the events that move less than `min_size` pixels, found or not."""
    total = {str(kind): Counts(0, 0, 0) for kind in KINDS}
    for v in videos:
        found = v.find(rules)
        pairs = match(v.truth, found)
        true_hits, found_hits = {i for i, _ in pairs}, {j for _, j in pairs}
        for n, (event, pixels) in enumerate(zip(v.truth, v.pixels, strict=True)):
            if pixels >= min_size:
                total[event.kind] += Counts(int(n in true_hits), 0, int(n not in true_hits))
        for n, interval in enumerate(found):
            total[interval.kind] += Counts(0, int(n not in found_hits), 0)
    return total

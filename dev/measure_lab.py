"""Do rules and weights that fit a lab help on its other participants? One row for the table.

    python dev/measure_lab.py PORTRAITS WORK --lab dim --seed 1

Makes two sets of videos of a lab that looks unlike the training, of different people: one to adapt
to, one held out. A coder who knows the truth reviews the first set through the requests of the
review page. Then `tune-rules --reviewed` and `train --videos` are run on it, and measured on the
second set, also where they say that they do not help. PORTRAITS: photos (`neutral/`, `smiling/`)
of people that no weights were trained on. WORK keeps everything, so a second call goes on.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

import numpy as np
from walk_study import code, read_truth, run, say

from fesnet._types import Image
from fesnet.intervals import Interval
from fesnet.metrics import Counts, count, overall
from fesnet.postprocess import IntervalRules
from fesnet.result import Spotting
from fesnet.study.results import find_results
from fesnet.study.tuning import tune_on_reviews
from fesnet.synth.render.portraits import Person, find_people
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.plan import video_seed
from fesnet.synth.script.video_script import write_video_script
from fesnet.synth.videos.encoder import RecordingConfig, encode_video
from fesnet.video import VideoWriter, open_source
from fesnet.weights import load_weights

T = TypeVar("T")
SECONDS = 20.0  # of a clip, one a participant
SETS = ("adapt", "held")
COMMON: dict[str, Any] = {
    "macro_per_minute": 8.0,
    "micro_per_minute": 6.0,
    "quiet_share": 0.0,
    "speech_share": 0.2,
    "jitter_scale": 0.0,
}


@dataclass(frozen=True)
class LabLook:
    """How a lab records. fps, width, height: of what is rendered; light: share of it that is
    left, with the sensor's noise; crf: x264's quality, once for each encoding; script: what its
    people do, as fields of `SynthConfig`."""

    fps: float
    width: int
    height: int
    light: float
    crf: tuple[int, ...]
    script: dict[str, Any]


LABS = {
    # a dark room before a small and slow camera
    "dim": LabLook(15.0, 320, 240, 0.12, (26,), {}),
    # a call, kept by a messenger, of people who squint with every blink
    "call": LabLook(25.0, 256, 192, 1.0, (34, 34), {"blinks_per_minute": 30.0, "blink_reach": 8.0}),
}
NOISE = 2.0  # grey levels, of a dark picture


def film_lab(portraits: Path, work: Path, look: LabLook, seed: int) -> None:
    """The videos, manifest and truth of both sets; people are divided by the seed."""
    people, _ = find_people(portraits)
    order = np.random.default_rng(seed).permutation(len(people))
    half = len(people) // 2
    for part, chosen in zip(SETS, (order[:half], order[half : 2 * half]), strict=True):
        folder = work / part / "videos"
        folder.mkdir(parents=True, exist_ok=True)
        rows, truth = [], []
        for who in chosen:
            path = folder / f"{people[who].name}.mp4"
            truth += film_clip(people[who], path, look, video_seed(seed, int(who)))
            rows.append((f"videos/{path.name}", people[who].name))
        write_rows(work / part / "videos.csv", ("video", "participant"), rows)
        columns = ("video", "kind", "onset_frame", "offset_frame")
        write_rows(work / part / "truth.csv", columns, truth)


def film_clip(person: Person, path: Path, look: LabLook, seed: int) -> list[tuple[Any, ...]]:
    """Make a clip unless it is there; its rows of the truth, frames from 1, inclusive."""
    times = np.arange(round(SECONDS * look.fps)) / look.fps
    config = SynthConfig(**COMMON, **look.script)
    script = write_video_script(np.random.default_rng([seed, 1]), times, config)
    if not path.is_file():
        raw = path.with_suffix(".raw.mp4")
        recording = RecordingConfig(look.fps, look.width, look.height, 12, seed)
        encode_video(person, script, recording, raw, lambda _: None)
        for number, crf in enumerate(look.crf):
            changed = path.with_suffix(f".{number}.mp4")
            encode_again(raw, changed, look, crf, dark=number == 0)
            raw.unlink()
            raw = changed
        encode_again(raw, path.with_suffix(".part.mp4"), look, 12, dark=False)
        raw.unlink()
        path.with_suffix(".part.mp4").rename(path)
    events = [e.interval for e in script.events]
    return [(path.name, e.kind, e.start + 1, e.stop) for e in events]


def encode_again(source: Path, out: Path, look: LabLook, crf: int, *, dark: bool) -> None:
    rng = np.random.default_rng(0)
    with (
        open_source(source) as frames,
        VideoWriter(out, look.fps, look.width, look.height, crf=crf) as writer,
    ):
        for frame in frames:
            writer.write(dim(frame.image, look.light, rng) if dark else frame.image)


def dim(image: Image, light: float, rng: np.random.Generator) -> Image:
    if light >= 1:
        return image
    noise = rng.normal(0, NOISE, (*image.shape[:2], 1))
    return np.clip(np.rint(image * light + noise), 0, 255).astype(np.uint8)


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(columns)
        table.writerows(rows)


@dataclass(frozen=True)
class Measured:
    """F1 of macro, micro, overall, and false alarms a minute."""

    macro: float
    micro: float
    both: float
    alarms: float

    @classmethod
    def of(cls, counts: dict[str, Counts], minutes: float) -> Measured:
        macro, micro, both = (counts[kind].f1 for kind in ("macro", "micro", "overall"))
        return cls(macro, micro, both, counts["overall"].fp / minutes)

    def __str__(self) -> str:
        return f"{self.macro:.2f} / {self.micro:.2f} / {self.both:.2f}, {self.alarms:.1f}"


def spot_all(part: Path, results: Path, weights: Path | None = None) -> None:
    """`fesnet spot` over a set; finished videos are kept."""
    more = ("--weights", weights) if weights else ()
    run("spot", "--manifest", part / "videos.csv", "--out", results, "-q", *more)


def held_out(part: Path, results: Path, rules: IntervalRules | None = None) -> Measured:
    """Against the truth of a set; rules: others than those of the results."""
    truth, counts, seconds = read_truth(part), [], 0.0
    for result in find_results(results):
        spotting = Spotting.from_json(result.path)
        seconds += spotting.known_seconds
        intervals = (spotting.rethreshold(rules) if rules else spotting).intervals
        found = [Interval(i.onset_frame, i.offset_frame + 1, i.kind) for i in intervals]
        rows = truth.get(result.path.stem, [])
        true = [Interval(t["first"], t["last"] + 1, t["kind"]) for t in rows]
        counts.append(count(true, found))
    return Measured.of(overall(counts), seconds / 60)


def review_all(work: Path) -> Path:
    """Results of the set to adapt to, reviewed as a whole; the tables of `fesnet summary`."""
    results = work / "adapt-results"
    spot_all(work / "adapt", results)
    code(results, read_truth(work / "adapt"), 10_000)
    run("summary", results)
    return results


def measure_rules(work: Path) -> Iterator[str]:
    """A row of `tune-rules --reviewed`: its own estimate, and the held-out people."""
    tuned = tune_on_reviews(review_all(work))
    spot_all(work / "held", work / "held-results")
    estimate = [Measured.of(c, tuned.minutes) for c in (tuned.before, tuned.after)]
    held = [held_out(work / "held", work / "held-results", r) for r in (None, tuned.rules)]
    yield row("rules", estimate, held, tuned.helps)


def measure_weights(work: Path, file: Path | None, *, estimated: bool) -> Iterator[str]:
    """The same of `train --videos`. The weights are made also where it says that they do not
    help. estimated: whether its own estimate is made, too, which takes most of the time."""
    from fesnet.evaluation.fine_tuning import prepare_lab
    from fesnet.training.lab_videos import fine_tune, lab_config, read_lab, save_tuned

    start, config = load_weights(None), lab_config(file, {})
    videos, _ = read_lab(work / "adapt" / "videos", work / "adapt-results" / "expressions.csv")
    with TemporaryDirectory(prefix=".features-", dir=work) as scratch:
        lab = told(prepare_lab(start, videos, config, Path(scratch)))
        found = told(lab.estimate()) if estimated else None
        tuned = fine_tune(lab.network, lab.shards, config)
    name = f"tuned-{file.stem}" if file else "tuned"
    shutil.rmtree(work / name, ignore_errors=True)
    save_tuned(tuned, start, work / name, {"data": "a lab"})
    results = work / f"held-{name}"
    shutil.rmtree(results, ignore_errors=True)
    spot_all(work / "held", results, work / name)
    estimate = [Measured.of(c, found.minutes) for c in (found.before, found.after)] if found else []
    held = [held_out(work / "held", work / r) for r in ("held-results", results.name)]
    yield row("weights", estimate, held, found.helps if found else None)


def told(lines: Generator[str, None, T]) -> T:
    """Print the lines of what takes long, and return what comes of it."""
    while True:
        try:
            say(next(lines))
        except StopIteration as end:
            return cast("T", end.value)


def row(
    what: str, estimate: Sequence[Measured], held: Sequence[Measured], helps: bool | None
) -> str:
    """F1 of macro / micro / both, false alarms a minute; before and after."""
    said = {True: "written", False: "refused", None: "not estimated"}[helps]
    parts = (*(estimate or ("", "")), *held)
    return f"| {what} | {' | '.join(map(str, parts))} | {said} |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("portraits", type=Path)
    options.add_argument("work", type=Path)
    options.add_argument("--lab", choices=sorted(LABS), required=True)
    options.add_argument("--seed", type=int, required=True)
    options.add_argument("--what", choices=("rules", "weights", "both"), default="both")
    options.add_argument("--config", type=Path, help="of the training, as of `fesnet train`")
    options.add_argument("--no-estimate", action="store_true", help="held-out people alone")
    given = options.parse_args()
    film_lab(given.portraits, given.work, LABS[given.lab], given.seed)
    say("videos are there")
    for line in measure_rules(given.work) if given.what != "weights" else ():
        print(f"| {given.lab} {given.seed} {line}", flush=True)
    estimated = not given.no_estimate
    weights = measure_weights(given.work, given.config, estimated=estimated)
    for line in weights if given.what != "rules" else ():
        print(f"| {given.lab} {given.seed} {line}", flush=True)


if __name__ == "__main__":
    main()

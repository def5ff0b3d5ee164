"""Robustness: recall and false alarms on labelled videos under one nuisance at a time.

From portraits, calm videos are made, and others that differ in one thing the face does (speech,
blinks, head motion). Nuisances of the picture change the calm videos while they are spotted. With a
folder by `fesnet synth` only the latter are measured. Videos and results stay in the output folder,
so a second call goes on.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fesnet._guard import check_replaceable, guarding
from fesnet._io import atomic_write_text, file_exists, file_sha256, make_writable_folder
from fesnet._types import StepCallback
from fesnet.errors import SourceError, TruthError, UsageError
from fesnet.evaluation.clip_changes import MILLISECOND, millisecond_intervals
from fesnet.evaluation.nuisances import NUISANCES, Nuisance, bench_config
from fesnet.evaluation.parallel import run_parallel
from fesnet.evaluation.robustness_table import (
    CALM_VIDEOS,
    ConditionCounts,
    robustness_lines,
    robustness_svg,
)
from fesnet.evaluation.stability import is_current, process_spotter, read_result
from fesnet.intervals import Interval
from fesnet.jobs import Executor
from fesnet.metrics import count, overall
from fesnet.postprocess import IntervalRules
from fesnet.synth.render.portraits import Person, find_people
from fesnet.synth.script.plan import VideoPlan, video_seed
from fesnet.synth.script.video_script import write_video_script
from fesnet.synth.videos.demo_video import write_truth
from fesnet.synth.videos.encoder import RecordingConfig, encode_video
from fesnet.synth.videos.videos import subject_names, with_absolute_paths
from fesnet.video import open_source
from fesnet.video.folder import find_video_files

BENCH_CRF = 16  # of the videos: little loss, as compression is a nuisance of its own
BENCH_FPS = 30.0
BENCH = "bench.json"  # of what the videos in a folder were made


@dataclass(frozen=True)
class RecordJob:
    """A video to make: who does what, and where it goes. nuisance: by name; None: calm."""

    person: Person
    seed: int
    nuisance: str | None
    level: float
    plan: VideoPlan
    path: Path


@dataclass(frozen=True)
class ConditionJob:
    """A video to spot under a nuisance of the picture (None: as it is). result: file to write."""

    video: Path
    nuisance: str | None
    level: float
    result: Path


def measure_robustness(
    source: Path,
    out: Path,
    weights: Path | None,
    rules: IntervalRules | None,
    plan: VideoPlan,
    nuisances: Sequence[str],
    executor: Executor,
    progress: StepCallback = lambda *_: None,
    *,
    force: bool = False,
) -> list[ConditionCounts]:
    """Measure all levels of some nuisances; write `robustness.json`, `.md` and `.svg` into `out`.

    source: portraits, or a folder by `fesnet synth`. plan: how much video, how long, how large, and
    the seed. rules: default those of the weights. Raises UsageError, SourceError.
    """
    if not source.is_dir():
        raise UsageError(f"expected a folder of portraits or of videos, but {source} is none")
    chosen = choose_nuisances(nuisances, portraits=not list(source.glob("*.truth.csv")))
    make_writable_folder(out)
    for ending in (".json", ".md", ".svg"):
        check_replaceable(out / f"robustness{ending}", force=force)
    videos = collect_videos(source, out, plan, chosen, executor, progress)
    jobs = []
    for nuisance, level in conditions(chosen):
        changed = nuisance is not None and nuisance.change is not None
        name = condition_name(nuisance, level)
        for video in videos[CALM_VIDEOS if changed else name]:
            change = nuisance.name if changed and nuisance is not None else None
            file = out / "results" / name / f"{video.stem}.json"
            jobs.append((name, ConditionJob(video, change, level, file)))
    run_parallel(
        executor,
        partial(spot_under, weights=weights),
        [(str(job.result), job) for _, job in jobs],
        lambda done, total: progress("spotting", done, total),
    )
    table = [
        count_condition(
            nuisance,
            level,
            [j for name, j in jobs if name == condition_name(nuisance, level)],
            rules,
        )
        for nuisance, level in conditions(chosen)
    ]
    spotter = process_spotter(weights)
    values = {
        "weights": spotter.weights.name,
        "weights_sha256": spotter.weights.sha256,
        "rules": (rules or spotter.rules).to_dict(),
        "videos": {name: len(own) for name, own in videos.items()},
        "conditions": [row.to_dict() for row in table],
    }
    with guarding(force=force):
        atomic_write_text(out / "robustness.json", json.dumps(values, indent=1) + "\n")
        atomic_write_text(out / "robustness.md", "\n".join(robustness_lines(table)) + "\n")
        atomic_write_text(out / "robustness.svg", robustness_svg(table))
    return table


def choose_nuisances(names: Sequence[str], *, portraits: bool) -> list[Nuisance]:
    """The nuisances of these names; without names all that the source allows. Raises UsageError."""
    for name in names:
        if name not in NUISANCES:
            raise UsageError(f"expected nuisances out of {', '.join(NUISANCES)}, got {name!r}")
        if NUISANCES[name].script is not None and not portraits:
            raise UsageError(
                f"expected a folder of portraits for {name}, got finished videos; name portraits"
            )
    wanted = [NUISANCES[name] for name in names] or list(NUISANCES.values())
    return [n for n in wanted if portraits or n.script is None]


def conditions(nuisances: Sequence[Nuisance]) -> list[tuple[Nuisance | None, float]]:
    """Calm videos first, then every level of every nuisance."""
    return [(None, 0.0), *((n, float(level)) for n in nuisances for level in n.levels)]


def condition_name(nuisance: Nuisance | None, level: float) -> str:
    return CALM_VIDEOS if nuisance is None else nuisance.condition(level)


def collect_videos(
    source: Path,
    out: Path,
    plan: VideoPlan,
    chosen: Sequence[Nuisance],
    executor: Executor,
    progress: StepCallback,
) -> dict[str, list[Path]]:
    """The videos of each condition that needs its own: those of a folder, or made of portraits."""
    if list(source.glob("*.truth.csv")):
        truths = [v for v in find_video_files(source) if file_exists(v.with_suffix(".truth.csv"))]
        return {CALM_VIDEOS: truths}
    people, left_out = find_people(source)
    if not people:
        raise SourceError(
            f"expected a frontal face in a photo of {source}, found none in {len(left_out)} photos"
        )
    check_bench(out, plan, people)
    names, jobs, videos = subject_names(people), [], {}
    for nuisance, level in conditions(chosen):
        if nuisance is not None and nuisance.script is None:
            continue
        folder = out / "videos" / condition_name(nuisance, level)
        make_writable_folder(folder)
        own = []
        for number in range(plan.count):
            turn, who = divmod(number, len(people))
            path = (folder / f"{names[who]}_{turn + 1:03d}.mp4").absolute()
            own.append(path)
            seed, what = video_seed(plan.seed, number), nuisance.name if nuisance else None
            person = with_absolute_paths(people[who])
            jobs.append((str(path), RecordJob(person, seed, what, level, plan, path)))
        videos[condition_name(nuisance, level)] = own
    run_parallel(executor, record_video, jobs, lambda done, total: progress("filming", done, total))
    return videos


def check_bench(out: Path, plan: VideoPlan, people: Sequence[Person]) -> None:
    """Note what the videos are made of. Raises UsageError where the folder holds those of other
    people or another plan.
    """
    photos = [file_sha256(p.neutral.path) for p in people]
    now = json.dumps({"plan": plan.describe(), "photos": photos}, indent=1) + "\n"
    file = out / BENCH
    if file_exists(file) and file.read_text(encoding="utf-8") != now:
        raise UsageError(
            f"expected the portraits and options of the videos in {out}, got others; name another "
            "folder"
        )
    atomic_write_text(file, now)


def record_video(job: RecordJob) -> None:
    """Write a video and its truth, unless they are there."""
    if file_exists(job.path):
        return
    nuisance = NUISANCES[job.nuisance] if job.nuisance else None
    times = np.arange(round(job.plan.seconds * BENCH_FPS)) / BENCH_FPS
    rng = np.random.default_rng([job.seed, 1])
    script = write_video_script(rng, times, bench_config(nuisance, job.level))
    events = [e.interval for e in script.events]
    write_truth(job.path.with_suffix(".truth.csv"), job.path.name, events, times)
    recording = RecordingConfig(BENCH_FPS, job.plan.width, job.plan.height, BENCH_CRF, job.seed)
    encode_video(job.person, script, recording, job.path, lambda _: None)


def spot_under(job: ConditionJob, weights: Path | None) -> None:
    """Write the result of a video under a nuisance, unless the one that is there is of the same
    video, nuisance and weights.
    """
    spotter = process_spotter(weights)
    origin = {
        "video_sha256": file_sha256(job.video),
        "nuisance": job.nuisance,
        "level": job.level if job.nuisance else None,
    }
    made_by = json.loads(json.dumps({**spotter.provenance(), **origin}))
    if file_exists(job.result) and is_current(job.result, made_by):
        return
    source: Any = job.video
    change = NUISANCES[job.nuisance].change if job.nuisance else None
    if change is not None:
        source = change(iter(open_source(job.video)), job.level)
    result = spotter.spot(source)
    result.provenance.update(origin)
    make_writable_folder(job.result.parent)
    result.to_json(job.result)


def count_condition(
    nuisance: Nuisance | None,
    level: float,
    jobs: Sequence[ConditionJob],
    rules: IntervalRules | None,
) -> ConditionCounts:
    """Counts over the videos of a condition; kinds must agree (IoU 0.5)."""
    videos, seconds = [], 0.0
    for job in jobs:
        result = read_result(job.result, rules)
        seconds += result.seconds
        videos.append(
            count(
                millisecond_truth(job.video.with_suffix(".truth.csv")),
                millisecond_intervals(result),
            )
        )
    name, unit = (nuisance.name, nuisance.unit) if nuisance else (CALM_VIDEOS, "")
    return ConditionCounts(name, level, unit, overall(videos), seconds / 60)


def millisecond_truth(file: Path) -> list[Interval]:
    """The intervals of a NAME.truth.csv in ms. Raises TruthError."""
    out = []
    with file.open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            try:
                onset, offset = float(row["onset_s"]), float(row["offset_s"])
                frames = int(row["offset_frame"]) - int(row["onset_frame"])
                step = (offset - onset) / frames if frames else 1 / BENCH_FPS
                stop = round((offset + step) / MILLISECOND)
                out.append(Interval(round(onset / MILLISECOND), stop, row["kind"]))  # type: ignore[arg-type]
            except (KeyError, TypeError, ValueError) as error:
                raise TruthError(f"expected a table of truth in {file}, but {error!r}") from error
    return out

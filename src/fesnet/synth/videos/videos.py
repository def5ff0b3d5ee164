"""Portraits -> a folder of long labelled face videos, deterministic by seed.

Video number i follows from (seed, i), the plan and the photos alone: more videos, another order or
a run that was interrupted make no difference. What lies in the folder afterwards is described in
`docs/synth.md`.
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fesnet._io import atomic_write_text, load_json, read_text_file, write_table
from fesnet._messages import counted
from fesnet._types import FloatArray, ProgressCallback
from fesnet._version import __version__
from fesnet.errors import SourceError, UsageError
from fesnet.jobs import Executor, Resources, SerialExecutor
from fesnet.jobs.resumable import iterate_outcomes
from fesnet.synth.render.portraits import Person, find_people
from fesnet.synth.script.plan import VideoPlan, video_seed
from fesnet.synth.script.video_script import VideoScript, write_video_script
from fesnet.synth.videos.demo_video import write_truth
from fesnet.synth.videos.encoder import RecordingConfig
from fesnet.synth.videos.nuisance_videos import (
    NUISANCE_COLUMNS,
    change_recording,
    draw_pictures,
    encode_nuisances,
    nuisance_rows,
    video_nuisances,
)

SETTINGS = "synth.json"
VIDEO_COLUMNS = ("subject", "video", "seconds", "fps", "frames", "seed")
TRUTH_COLUMNS = (
    "subject",
    "video",
    "kind",
    "onset_frame",
    "apex_frame",
    "offset_frame",
    "amplitude",
    "pixels",
)
# Of a video: one thread renders and encodes it, so that its bytes are always the same.
TASK = Resources(cpus=1.0)


@dataclass(frozen=True)
class VideoJob:
    """One video to make: its number, subject, file name, seed, and what the plan says."""

    number: int
    subject: str
    person: Person
    name: str
    seed: int
    plan: VideoPlan


@dataclass(frozen=True)
class SynthesizedVideo:
    """One video that is there: its number and name, whether it was there before, its rows of the
    tables.
    """

    number: int
    name: str
    kept: bool
    video: list[Any]
    truth: list[list[Any]]
    nuisances: list[list[Any]] | None = None  # None: of a plan without any


@dataclass(frozen=True)
class SynthesisResult:
    """What a call made: names of videos written now and of those that were there, events of all by
    kind, one line for each photo that was left out."""

    out: Path
    made: tuple[str, ...]
    kept: tuple[str, ...]
    events: dict[str, int]
    left_out: tuple[str, ...]

    def __str__(self) -> str:
        events = ", ".join(f"{number} {kind}" for kind, number in self.events.items())
        kept = f" ({len(self.kept)} were there already)" if self.kept else ""
        videos = counted(len(self.made) + len(self.kept), "video")
        return f"{videos} in {self.out}{kept}, with {events}"


def make_videos(
    portraits: Path,
    out: Path,
    plan: VideoPlan,
    report: ProgressCallback,
    executor: Executor | None = None,
) -> SynthesisResult:
    """Make the videos of a plan in the folder `out`; finished ones are kept, so a second call goes
    on.

    report takes what is being done and the share of it that is done. executor: default this
    process. Raises UsageError for a wrong call (no portraits, a folder that cannot be written
    or holds something else) and SourceError without any usable photo; then nothing is left behind.
    """
    with output_folder(out):
        people, left_out = find_people(portraits, lambda share: report("looking for faces", share))
        if not people:
            raise SourceError(
                f"expected a frontal face in a photo of {portraits}, found none in "
                f"{len(left_out)} photos"
            )
        settings = describe_settings(plan, people, left_out)
        check_same_settings(out, settings)
        atomic_write_text(out / SETTINGS, json.dumps(settings, indent=1) + "\n")
    for part in out.glob(".*.part"):  # of a run that was killed
        part.unlink()
    done = make_all(plan, people, out, report, executor or SerialExecutor())
    made, kept = (tuple(d.name for d in done if d.kept is there) for there in (False, True))
    return SynthesisResult(out, made, kept, count_events(done), tuple(left_out))


def count_events(done: Sequence[SynthesizedVideo]) -> dict[str, int]:
    """The events of all videos by kind."""
    kinds = ("macro", "micro")
    return {kind: sum(row[2] == kind for d in done for row in d.truth) for kind in kinds}


def make_all(
    plan: VideoPlan,
    people: Sequence[Person],
    out: Path,
    report: ProgressCallback,
    executor: Executor,
) -> list[SynthesizedVideo]:
    """All videos in the order of the plan."""
    work = ((job.name, job) for job in video_jobs(plan, people))
    return run_video_jobs(
        executor, partial(make_video, out=out.absolute()), work, plan.count, out, report
    )


def run_video_jobs(
    executor: Executor,
    function: Callable[[Any], SynthesizedVideo],
    jobs: Iterable[tuple[str, Any]],
    count: int,
    out: Path,
    report: ProgressCallback,
) -> list[SynthesizedVideo]:
    """The videos of all jobs in their order. Whenever one more is there, so are its rows in the
    tables of `out`.
    """
    done: list[SynthesizedVideo] = []
    for outcome in iterate_outcomes(executor, function, jobs, resources=TASK):
        done = sorted([*done, outcome.value], key=lambda d: d.number)
        write_table(out / "videos.csv", [VIDEO_COLUMNS, *(d.video for d in done)])
        write_table(out / "truth.csv", [TRUTH_COLUMNS, *(row for d in done for row in d.truth)])
        if done[0].nuisances is not None:
            rows = [row for d in done for row in d.nuisances or ()]
            write_table(out / "nuisances.csv", [NUISANCE_COLUMNS, *rows])
        report("filming", len(done) / count)
    return done


def make_video(job: VideoJob, out: Path) -> SynthesizedVideo:
    """Make a video unless it is there; its rows of the tables."""
    script, recording = sample_script(job)
    names = video_nuisances(job.plan, job.seed)
    pictures = draw_pictures(names, script, job.seed)
    kept = (out / f"{job.name}.mp4").is_file()
    if not kept:
        write_own_truth(job, script, out)
        encode_nuisances(job.person, script, recording, names, pictures, out / f"{job.name}.mp4")
    nuisances = None
    if job.plan.nuisance_share:
        nuisances = nuisance_rows(job.subject, f"{job.name}.mp4", names, script, pictures)
    row, truth = video_row(job, script, recording), truth_rows(job, script)
    return SynthesizedVideo(job.number, job.name, kept, row, truth, nuisances)


@contextmanager
def output_folder(out: Path) -> Iterator[None]:
    """Makes the folder, and removes it again if what follows fails. Raises UsageError where it
    cannot be written.
    """
    new = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        atomic_write_text(out / ".try", "")
        (out / ".try").unlink()
    except (OSError, UsageError) as error:
        remove_folders(new)
        raise UsageError(
            f"expected an output folder that can be written, got {out}; name another"
        ) from error
    try:
        yield
    except BaseException:
        remove_folders(new)
        raise


def remove_folders(folders: Sequence[Path]) -> None:
    for folder in folders:
        if folder.is_dir():
            folder.rmdir()


def describe_settings(
    plan: VideoPlan, people: Sequence[Person], left_out: Sequence[str]
) -> dict[str, Any]:
    """Everything that the videos follow from, for `synth.json`."""
    photos = [shot.path for p in people for shot in (p.neutral, p.smiling) if shot is not None]
    return {
        "made_by": f"fesnet {__version__}",
        "settings": plan.describe(),
        "portraits": {
            f"{p.parent.name}/{p.name}": hashlib.sha256(p.read_bytes()).hexdigest() for p in photos
        },
        "left_out": list(left_out),
        "frames": "1-based and inclusive in truth.csv, 0-based and inclusive in NAME.truth.csv",
    }


def check_same_settings(out: Path, settings: dict[str, Any]) -> None:
    """Raises UsageError where `out` holds something else than an earlier part of the same set."""
    path = out / SETTINGS
    if not path.exists():
        others = [p.name for p in out.iterdir()]
        if others:
            raise UsageError(
                f"expected a new or empty folder, but {out} holds {others[0]}; name another"
            )
        return
    try:
        old = load_json(read_text_file(path))
        was = {**old, "settings": {**old["settings"], "hours": None}}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"expected the settings of an earlier call in {path}, but it is damaged; delete {out}"
        ) from error
    now = {**settings, "settings": {**settings["settings"], "hours": None}}
    for name in ("made_by", "portraits", "footage", "masks"):
        if was.get(name) != now.get(name):
            raise UsageError(
                f"expected the same {name} as in {path}, got others; name another folder"
            )
    for name in {**now["settings"], **was["settings"]}:
        before, value = (of["settings"].get(name) for of in (was, now))
        if before != value:
            raise UsageError(
                f"expected {name} {before} as in {path}, got {value}; name another folder"
            )


def video_jobs(plan: VideoPlan, people: Sequence[Person]) -> Iterator[VideoJob]:
    """One job a video, the people in turn."""
    names = subject_names(people)
    for number in range(plan.count):
        turn, who = divmod(number, len(people))
        name = f"{names[who]}_{turn + 1:03d}"
        yield VideoJob(
            number,
            names[who],
            with_absolute_paths(people[who]),
            name,
            video_seed(plan.seed, number),
            plan,
        )


def with_absolute_paths(person: Person) -> Person:
    """With absolute paths, as a worker of a cluster has another working folder."""
    neutral, smiling = (
        shot and replace(shot, path=shot.path.absolute())
        for shot in (person.neutral, person.smiling)
    )
    return Person(person.name, neutral or person.neutral, smiling)


def subject_names(people: Sequence[Person]) -> list[str]:
    """A name for each person: the photo's without the ending, or with it where two would be the
    same.
    """
    short = [p.name.casefold() for p in people]
    names = [p.name if short.count(p.name.casefold()) == 1 else p.neutral.path.name for p in people]
    # Tables are UTF-8, file names need not be.
    return [name.encode("utf-8", "replace").decode() for name in names]


def sample_script(job: VideoJob) -> tuple[VideoScript, RecordingConfig]:
    """What happens in a video and how it is recorded; both follow from seed and plan, not from the
    photo.
    """
    plan = job.plan
    recording_rng, script_rng = (np.random.default_rng([job.seed, part]) for part in range(2))
    recording = RecordingConfig(
        float(recording_rng.choice(plan.rates)), plan.width, plan.height, 0, job.seed
    )
    names = video_nuisances(plan, job.seed)
    fps = change_recording(recording, names, job.seed).fps
    shown = recording_rng.random(max(2, round(plan.seconds * fps))) >= plan.dropped
    shown[[0, -1]] = True
    crf = int(recording_rng.integers(plan.crf[0], plan.crf[1] + 1))
    recording = change_recording(replace(recording, crf=crf), names, job.seed)
    times = np.flatnonzero(shown) / fps
    return write_video_script(script_rng, times, plan.script, nuisances=names), recording


def write_own_truth(job: VideoJob, script: VideoScript, out: Path) -> None:
    """Write NAME.truth.csv, before there is a NAME.mp4."""
    video = f"{job.name}.mp4"
    for part in out.glob(glob.escape(f".{video}.") + "*.part"):  # of a worker that was killed
        part.unlink()
    events = [e.interval for e in script.events]
    write_truth(out / f"{job.name}.truth.csv", video, events, script.times)


def video_row(job: VideoJob, script: VideoScript, recording: RecordingConfig) -> list[Any]:
    seconds = float(script.times[-1]) + 1 / recording.fps
    return [
        job.subject,
        f"{job.name}.mp4",
        f"{seconds:.6g}",
        f"{recording.fps:g}",
        len(script),
        job.seed,
    ]


def truth_rows(job: VideoJob, script: VideoScript) -> list[list[Any]]:
    """One row an event, frames 1-based and inclusive as in official annotation files."""
    return event_rows(job.subject, f"{job.name}.mp4", script, job.person.smile())


def event_rows(subject: str, video: str, script: VideoScript, smile: FloatArray) -> list[list[Any]]:
    """Rows of `truth.csv`; smile (468, 2): the person's full smile, crop units."""
    rows = []
    for event in script.events:
        e = event.interval
        apex = e.start if e.apex is None else e.apex
        size = [f"{event.amplitude:.4f}", f"{event.pixels(smile):.3f}"]
        rows.append([subject, video, e.kind, e.start + 1, apex + 1, e.stop, *size])
    return rows

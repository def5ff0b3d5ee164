"""Real footage -> a folder of labelled videos: expressions rendered onto real frames.

What the footage shows is neutral by declaration, what is added is the truth. Video number i follows
from (seed, i), the plan, the clips and the masks alone. `docs/synth.md` describes the folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fesnet._io import atomic_write_text, file_sha256, remove_partial_files
from fesnet._types import ProgressCallback
from fesnet._version import __version__
from fesnet.errors import SourceError, UsageError
from fesnet.jobs import Executor, SerialExecutor
from fesnet.jobs.resumable import iterate_outcomes
from fesnet.synth.render.frame_renderer import basis_smile
from fesnet.synth.script.footage_script import write_footage_script
from fesnet.synth.script.plan import VideoPlan, video_seed
from fesnet.synth.script.video_script import VideoScript
from fesnet.synth.videos.demo_video import write_truth
from fesnet.synth.videos.footage_encoder import Take, encode_take
from fesnet.synth.videos.footage_tracks import (
    FootageTrack,
    Stretch,
    make_track,
    read_masks,
    track_file,
)
from fesnet.synth.videos.videos import (
    SETTINGS,
    TASK,
    SynthesisResult,
    SynthesizedVideo,
    check_same_settings,
    count_events,
    event_rows,
    output_folder,
    run_video_jobs,
)
from fesnet.video.folder import find_video_files

TRACKS = ".tracks"  # folder of the clips' landmarks, inside the output folder
FASTER = (0.85, 1.2)  # a clip's speed, drawn for each video
RATES = (12.0, 60.0)  # frames a second that a video may have, whatever its clip's
SMALLER = (0.6, 1.0)  # times a clip's size, drawn for each video
GAMMA, GAIN = (0.75, 1.35), (0.75, 1.1)  # light, drawn for each video
SHADING = (0.0, 0.35)
Masks = Mapping[Path, tuple[tuple[float, float], ...]]


@dataclass(frozen=True)
class UsableClip:
    """A clip and its stretches. name: of its videos; subject: its folder below that of the footage,
    or else its name.
    """

    path: Path
    name: str
    subject: str
    track: Path
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class FootageJob:
    """One video to make of a clip: its number, file name and seed, and what the plan says."""

    number: int
    clip: UsableClip
    name: str
    seed: int
    plan: VideoPlan


def make_footage_videos(
    footage: Path,
    out: Path,
    plan: VideoPlan,
    report: ProgressCallback,
    executor: Executor | None = None,
    masks: Path | None = None,
) -> SynthesisResult:
    """Make the videos of a plan of a folder of clips; finished ones are kept, so a second call
    goes on.

    plan: its rates and its speech are not used, its size is the most that a picture may have.
    masks: a table of `read_masks`. Raises UsageError for a wrong call, SourceError where no clip
    can be used; then nothing is left behind.
    """
    if plan.nuisance_share:
        raise UsageError("expected a nuisance_share of 0 with footage, which has its own nuisances")
    executor = executor or SerialExecutor()
    clips, hidden = find_video_files(footage), read_masks(masks, footage)
    with output_folder(out):
        settings = describe_footage(plan, footage, clips, hidden)
        check_same_settings(out, settings)
    new = not (out / SETTINGS).exists()
    atomic_write_text(out / SETTINGS, json.dumps(settings, indent=1) + "\n")
    remove_partial_files(out)
    usable, left_out = find_usable(footage, clips, hidden, out / TRACKS, report, executor)
    if not usable:
        if new:
            (out / SETTINGS).unlink()
            shutil.rmtree(out / TRACKS)
            out.rmdir()
        raise SourceError(
            f"expected a face for a second or longer in a clip of {footage}, found none in "
            f"{len(clips)}"
        )
    jobs = ((job.name, job) for job in footage_jobs(plan, usable))
    function = partial(make_footage_video, out=out.absolute())
    done = run_video_jobs(executor, function, jobs, plan.count, out, report)
    made, kept = (tuple(d.name for d in done if d.kept is there) for there in (False, True))
    return SynthesisResult(out, made, kept, count_events(done), tuple(left_out))


def describe_footage(
    plan: VideoPlan, footage: Path, clips: Sequence[Path], masks: Masks
) -> dict[str, Any]:
    """Everything that the videos follow from, for `synth.json`."""
    names = {clip: clip.relative_to(footage).as_posix() for clip in clips}
    return {
        "made_by": f"fesnet {__version__}",
        "settings": plan.describe(),
        "footage": {name: file_sha256(clip) for clip, name in names.items()},
        "masks": {
            names[clip]: [[str(t) for t in mask] for mask in own] for clip, own in masks.items()
        },
        "frames": "1-based and inclusive in truth.csv, 0-based and inclusive in NAME.truth.csv",
    }


def find_usable(
    footage: Path,
    clips: Sequence[Path],
    masks: Masks,
    tracks: Path,
    report: ProgressCallback,
    executor: Executor,
) -> tuple[list[UsableClip], list[str]]:
    """The clips that videos can be made of, and one line for each of the others."""
    tracks.mkdir(exist_ok=True)
    files = {str(clip): track_file(tracks.absolute(), clip) for clip in clips}
    jobs = [(key, (Path(key).absolute(), file)) for key, file in files.items()]
    failed: dict[str, str] = {}
    outcomes = iterate_outcomes(executor, make_track, jobs, resources=TASK, keep_going=True)
    for done, outcome in enumerate(outcomes, 1):
        if outcome.error is not None:
            failed[outcome.key] = str(outcome.error)
        report("following faces", done / len(clips))
    usable: list[UsableClip] = []
    left_out: list[str] = []
    for clip in clips:
        key, place = str(clip), clip.relative_to(footage)
        if key in failed:
            left_out.append(failed[key])
            continue
        stretches = FootageTrack.load(files[key]).stretches(masks.get(clip, ()))
        name = "__".join((*place.parts[:-1], clip.stem))
        subject = place.parts[0] if len(place.parts) > 1 else clip.stem
        if stretches:
            usable.append(UsableClip(clip.absolute(), name, subject, files[key], tuple(stretches)))
        elif (float("-inf"), float("inf")) not in masks.get(clip, ()):
            left_out.append(f"expected a face for a second or longer in {clip}, found none")
    return usable, left_out


def footage_jobs(plan: VideoPlan, clips: Sequence[UsableClip]) -> Iterator[FootageJob]:
    """One job a video: the people in turn, and of each the clips in turn."""
    stems = [clip.name.casefold() for clip in clips]
    names = [
        c.name if stems.count(c.name.casefold()) == 1 else f"{c.name}_{c.path.suffix[1:]}"
        for c in clips
    ]
    people: dict[str, list[int]] = {}
    for which, clip in enumerate(clips):
        people.setdefault(clip.subject, []).append(which)
    groups = list(people.values())
    for number in range(plan.count):
        turn, who = divmod(number, len(groups))
        again, place = divmod(turn, len(groups[who]))
        which = groups[who][place]
        name = f"{names[which]}_{again + 1:03d}"
        yield FootageJob(number, clips[which], name, video_seed(plan.seed, number), plan)


def make_footage_video(job: FootageJob, out: Path) -> SynthesizedVideo:
    """Make a video unless it is there; its rows of the tables."""
    track = FootageTrack.load(job.clip.track)
    take, script = draw_take(job, track)
    video = f"{job.name}.mp4"
    kept = (out / video).is_file()
    if not kept:
        events = [e.interval for e in script.events]
        write_truth(out / f"{job.name}.truth.csv", video, events, script.times)
        encode_take(job.clip.path, track, take, script.script.weights, out / video)
    subject, seconds = job.clip.subject, len(script) / take.rate
    row = [subject, video, f"{seconds:.6g}", f"{take.rate:.6g}", len(script), job.seed]
    smile = basis_smile()[:, :2]
    return SynthesizedVideo(
        job.number, job.name, kept, row, event_rows(subject, video, script, smile)
    )


def draw_take(job: FootageJob, track: FootageTrack) -> tuple[Take, VideoScript]:
    """Which frames are shown and how, and what is added to them; both follow from the seed."""
    rng, script_rng = (np.random.default_rng([job.seed, part]) for part in range(2))
    plan, lengths = job.plan, np.array([len(s) for s in job.clip.stretches])
    stretch = job.clip.stretches[int(rng.choice(len(lengths), p=lengths / lengths.sum()))]
    rate = float(np.clip(track.rate * rng.uniform(*FASTER), *RATES))
    frames = max(2, round(plan.seconds * rate))
    start = int(rng.integers(max(1, len(stretch) - frames + 1)))
    take = Take(
        stretch=stretch,
        frames=to_and_fro(frames, len(stretch), start),
        rate=rate,
        mirrored=bool(rng.random() < 0.5),
        scale=float(rng.uniform(*SMALLER)),
        largest=(plan.width, plan.height),
        gamma=float(np.exp(rng.uniform(*np.log(GAMMA)))),
        gain=float(rng.uniform(*GAIN)),
        shading=float(rng.uniform(*SHADING)),
        crf=int(rng.integers(plan.crf[0], plan.crf[1] + 1)),
    )
    times = np.arange(frames) / rate
    return take, write_footage_script(script_rng, times, plan.script, speaks=stretch.speaks)


def to_and_fro(frames: int, length: int, start: int = 0) -> tuple[int, ...]:
    """`frames` numbers of a stretch of `length` frames, from `start` on, back and forth at its
    ends.
    """
    if length == 1:
        return (0,) * frames
    period = 2 * (length - 1)
    at = (start + np.arange(frames)) % period
    return tuple(np.minimum(at, period - at).tolist())

"""The nuisances of whole videos: which there are, how they are recorded, and their table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from fesnet._types import FloatArray
from fesnet.intervals import nearest_frame
from fesnet.synth.render.picture_nuisances import PictureNuisances
from fesnet.synth.render.portraits import Person
from fesnet.synth.script.nuisances import (
    LOW_RATE,
    RECORDING_NUISANCES,
    TELEVISION,
    Episode,
    draw_nuisances,
)
from fesnet.synth.script.plan import VideoPlan
from fesnet.synth.script.video_script import VideoScript
from fesnet.synth.videos.encoder import RecordingConfig, SingleThreadWriter, encode_video
from fesnet.video import open_source

NUISANCE_COLUMNS = (
    *("subject", "video", "nuisance", "onset_frame", "offset_frame", "onset_s", "offset_s"),
)
LOW_RATES = (15.0, 16.0, 18.0, 20.0)  # frames a second
TELEVISION_WIDTH = 256  # pixels
TELEVISION_CRF = (26, 36)  # x264's quality, of both encodings
PARTS = 2  # of a video's seed that the script and the recording take; nuisances take the next ones


def video_nuisances(plan: VideoPlan, seed: int) -> tuple[str, ...]:
    """The names of those that the video of a seed has."""
    if not plan.nuisance_share:
        return ()
    rng = np.random.default_rng([seed, PARTS])
    return draw_nuisances(rng, plan.nuisance_share, plan.nuisance_names)


def change_recording(
    recording: RecordingConfig, names: Sequence[str], seed: int
) -> RecordingConfig:
    """With fewer frames a second, or the size and quality of television."""
    rng = np.random.default_rng([seed, PARTS + 1])
    if LOW_RATE in names:
        recording = replace(recording, fps=float(rng.choice(LOW_RATES)))
    if TELEVISION in names:
        height = round(TELEVISION_WIDTH * recording.height / recording.width / 2) * 2
        crf = int(rng.integers(TELEVISION_CRF[0], TELEVISION_CRF[1] + 1))
        recording = replace(recording, width=TELEVISION_WIDTH, height=height, crf=crf)
    return recording


def draw_pictures(names: Sequence[str], script: VideoScript, seed: int) -> PictureNuisances | None:
    """What the nuisances do to the pictures; None without any."""
    if not names:
        return None
    spans = [e.interval for e in script.events]
    busy = [(float(script.times[s.start]), float(script.times[s.stop - 1])) for s in spans]
    rng = np.random.default_rng([seed, PARTS + 2])
    return PictureNuisances.draw(rng, names, script.times, busy)


def nuisance_rows(
    subject: str,
    video: str,
    names: Sequence[str],
    script: VideoScript,
    pictures: PictureNuisances | None,
) -> list[list[Any]]:
    """Rows of `nuisances.csv`: one an episode in the order of time, frames from 1, both ends
    inside.
    """
    last = float(script.times[-1])
    whole = [Episode(n, 0.0, last) for n in names if n in RECORDING_NUISANCES]
    told = (*script.episodes, *(pictures.episodes if pictures is not None else ()))
    episodes = {*whole, *told}
    rows = []
    for e in sorted(episodes, key=lambda e: (e.onset_s, e.name, e.offset_s)):
        first, final = (nearest_frame(at, script.times) for at in (e.onset_s, e.offset_s))
        seconds = (f"{script.times[f]:.6f}" for f in (first, final))
        rows.append([subject, video, e.name, first + 1, final + 1, *seconds])
    return rows


def encode_nuisances(
    person: Person,
    script: VideoScript,
    recording: RecordingConfig,
    names: Sequence[str],
    pictures: PictureNuisances | None,
    path: Path,
) -> None:
    """Write `path`: once, or twice where it is television."""
    if TELEVISION not in names:
        encode_video(person, script, recording, path, lambda _: None, pictures)
        return
    with TemporaryDirectory() as folder:
        first = Path(folder) / "first.mp4"
        encode_video(person, script, recording, first, lambda _: None, pictures)
        encode_television(first, script.times, recording, path)


def encode_television(
    first: Path, times: FloatArray, recording: RecordingConfig, path: Path
) -> None:
    """Decode a video and encode it once more, at a quality near its own."""
    rng = np.random.default_rng([recording.seed, PARTS + 3])
    crf = int(np.clip(recording.crf + rng.integers(-4, 5), 18, 40))
    ticks = np.rint(times * recording.fps).astype(int)
    with (
        open_source(first) as source,
        SingleThreadWriter(
            path, recording.fps, recording.width, recording.height, crf=crf
        ) as writer,
    ):
        for frame in source:
            writer.count = int(ticks[frame.index])
            writer.write(frame.image)

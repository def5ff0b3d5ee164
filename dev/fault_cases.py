"""The commands that `dev/faults.py` kills, and their small inputs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

import fesnet
from fesnet.video import VideoWriter

PORTRAIT = Path(fesnet.__file__).parent / "assets" / "portrait.jpg"
TRAINING = """pair_steps = 6
pair_groups = 2
pair_frames = 2
head_steps = 0
clip_steps = 3
clips = 1
save_every = 1
workers = 0
warmup = 1
"""


@dataclass(frozen=True)
class Case:
    """One command. call: its arguments for an output folder."""

    name: str
    call: Callable[[Path], list[str]]
    workers: bool = False  # whether single workers are killed, too
    short: bool = False  # so short that a kill may come at any moment of a whole run
    exit_code: int = 0  # of an undisturbed run


def make_clips(folder: Path, count: int, frames: int = 40) -> Path:
    """Short clips of the bundled portrait that sways, all different, in ten folders."""
    photo = np.asarray(cv2.imread(str(PORTRAIT)))[:, :, ::-1]
    for k in range(count):
        rng = np.random.default_rng(k)
        across, down, period = rng.uniform(2, 9), rng.uniform(1, 4), rng.uniform(4, 12)
        place = folder / f"s{k % 10:02d}"
        place.mkdir(parents=True, exist_ok=True)
        with VideoWriter(place / f"clip{k // 10:03d}.mp4", 25, 320, 240) as writer:
            for t in range(frames):
                x, y = 150 - across * np.sin(t / period), 40 + down * np.cos(t / 5)
                matrix = np.array([[1.4, 0, -1.4 * x + 80], [0, 1.4, -1.4 * y + 20]])
                picture = cv2.warpAffine(photo, matrix, (320, 240), borderMode=cv2.BORDER_REPLICATE)
                writer.write(np.ascontiguousarray(picture))
    return folder


def make_odd_names(folder: Path) -> Path:
    """Clips whose names disks take and results do not: too long for an ending, no UTF-8, a line
    end, what moves a cursor, a formula."""
    clips = sorted(make_clips(folder, 9, frames=12).rglob("*.mp4"))
    names = [
        *(b"n" * 251 + b".mp4", "\u8868".encode() * 83 + b".mp4", b"M\xfcller.mp4"),
        *(b"a\nb.mp4", b"\x1b[31mred.mp4", b"=1+1.mp4", "e\u0301.mp4".encode()),
    ]
    for clip, name in zip(clips, names, strict=False):
        clip.rename(clip.with_name(os.fsdecode(name)))
    return folder


def make_video_set(folder: Path) -> Path:
    """A `folder` data set of twelve short clips, as `data prepare` reads it."""
    clips = sorted(
        p.relative_to(folder).as_posix() for p in make_clips(folder, 12, frames=12).rglob("*.mp4")
    )
    return write_tables(folder, [(f"s{n}", clip) for n, clip in enumerate(clips)])


def make_feature_set(folder: Path) -> Path:
    """A `folder` data set of six short tables of region steps, a subject each."""
    folder.mkdir(parents=True)
    for n in range(6):
        steps = np.random.default_rng(n).standard_normal((300, 4, 2)).astype(np.float32)
        steps[60:100] += 2
        np.savez(folder / f"v{n}.npz", features=steps, fps=30.0)
    return write_tables(folder, [(f"s{n}", f"v{n}") for n in range(6)])


def write_tables(folder: Path, videos: list[tuple[str, str]]) -> Path:
    """Write videos.csv and truth.csv; the truth is frames 3 to 10 of each video."""
    rows = [f"{subject},{video}" for subject, video in videos]
    (folder / "videos.csv").write_text("\n".join(["subject,video", *rows, ""]), encoding="utf-8")
    head = "subject,video,kind,onset_frame,apex_frame,offset_frame"
    truth = [f"{row},macro,3,6,10" for row in rows]
    (folder / "truth.csv").write_text("\n".join([head, *truth, ""]), encoding="utf-8")
    return folder


def make_cases(folder: Path, videos: Path | None, count: int, only: str | None) -> list[Case]:
    """The commands, or the command `only`, with their inputs."""
    clips = videos or (make_clips(folder / "clips", count) if only in (None, "spot") else folder)
    portraits = folder / "portraits"
    portraits.mkdir(parents=True, exist_ok=True)
    shutil.copy(PORTRAIT, portraits / "one.jpg")
    (folder / "train.toml").write_text(TRAINING, encoding="utf-8")
    config = ["--config", str(folder / "train.toml"), "--resume"]
    spot = ["spot", str(clips), "--jobs", "2", "--retry-failed"]
    dataset = [
        "folder",
        str(make_video_set(folder / "dataset") if only in (None, "prepare") else folder),
    ]
    features = make_feature_set(folder / "features") if only in (None, "benchmark") else folder
    bench = [
        "benchmark",
        "folder",
        str(features),
        "--mode",
        "crossfit",
        "--inner",
        "3",
        "--steps",
        "2",
    ]
    names = make_odd_names(folder / "odd") if only in (None, "names") else folder
    odd = ["spot", str(names), "--jobs", "2", "--export", "eaf,csv"]
    return [
        Case("names", lambda out: [*odd, "--out", str(out)], workers=True, exit_code=1),
        Case("spot", lambda out: [*spot, "--out", str(out)], workers=True),
        Case("train", lambda out: ["train", str(portraits), "--out", str(out), *config]),
        Case(
            "prepare",
            lambda out: ["data", "prepare", *dataset, str(out), "--jobs", "2"],
            workers=True,
            short=True,
        ),
        Case(
            "benchmark",
            lambda out: [*bench, "--out", str(out), "--jobs", "2"],
            workers=True,
            short=True,
        ),
    ]

"""Which video an interval belongs to, by `videos.csv`, paths, bare names and subjects.

table has              videos.csv has         same video?
a.mp4                  spNO.1/a               yes, if no other subject has an "a"
1/a.mp4, spNO.1/a      spNO.1/a               the second
subject 2, video a     subject 1, video a     no
subject 17, video 17_1 subject 017, 017_1     yes, if nothing fits better
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from fesnet._io import VIDEO_SUFFIXES
from fesnet._messages import in_utf8
from fesnet.errors import TruthError, UsageError
from fesnet.frame_numbers import FrameNumbers

ENDINGS = (*VIDEO_SUFFIXES, ".npy", ".npz")  # of videos, and of features that stand for them


@dataclass(frozen=True)
class VideoId:
    """A video: subject ("" if unknown), name without its ending, and length (None if unknown).

    numbers: of its files, where frames are not counted from 1.
    """

    subject: str
    video: str
    seconds: float | None = None
    frames: int | None = None
    numbers: FrameNumbers | None = None

    def __str__(self) -> str:
        return f"{self.video} (subject {self.subject})" if self.subject else self.video


def video_name(text: str) -> str:
    """The name of a video without its ending, folders divided by "/"."""
    path = PurePosixPath(text.strip().replace("\\", "/"))
    return str(path.with_suffix("") if path.suffix.lower() in ENDINGS else path)


def read_video_ids(truth: Path) -> list[VideoId]:
    """All videos of the `videos.csv` beside a truth table, also those without an event.

    Returns none without the file. Raises TruthError for a table that is not UTF-8, a missing
    column, a video named twice, and lengths that are no numbers above 0.
    """
    file = (truth if truth.is_dir() else truth.parent) / "videos.csv"
    return read_video_table(file) if file.is_file() else []


def read_video_table(file: Path) -> list[VideoId]:
    """All videos of a table; raises as `read_video_ids`, and UsageError for no file."""
    if not file.is_file():
        raise UsageError(f"expected a table of videos in {file}, but it does not exist")
    try:
        with file.open(newline="", encoding="utf-8-sig") as handle:
            return parse_video_table(file, csv.DictReader(handle))
    except (UnicodeDecodeError, csv.Error) as error:
        raise TruthError(in_utf8(file, error)) from error


def parse_video_table(file: Path, rows: csv.DictReader[str]) -> list[VideoId]:
    for name in ("subject", "video"):
        if name not in (rows.fieldnames or ()):
            raise TruthError(
                f"expected a column {name} in {file}, got {', '.join(rows.fieldnames or ())}"
            )
    videos: dict[tuple[str, str], VideoId] = {}
    for number, row in enumerate(rows, 2):
        video = parse_video_row(row, f"{file} line {number}")
        if videos.setdefault((video.subject, video.video), video) is not video:
            raise TruthError(
                f"expected each video once in {file}, got {video} again in line {number}"
            )
    return list(videos.values())


def parse_video_row(row: dict[str, str | None], where: str) -> VideoId:
    frames, seconds, fps = (
        parse_length(row.get(name), name, where) for name in ("frames", "seconds", "fps")
    )
    if seconds is None and frames is not None and fps is not None:
        seconds = frames / fps
    if not row["video"]:
        raise TruthError(f"expected the name of a video in {where}, got none")
    return VideoId(
        row["subject"] or "",
        video_name(row["video"]),
        seconds,
        None if frames is None else round(frames),
        parse_numbers(row.get("numbers"), where),
    )


def parse_numbers(text: str | None, where: str) -> FrameNumbers | None:
    """Runs of file numbers, None for an empty field. Raises TruthError."""
    if not text or not text.strip():
        return None
    try:
        return FrameNumbers.from_text(text)
    except TruthError as error:
        raise TruthError(f"{error} in {where}") from error


def parse_length(text: str | None, name: str, where: str) -> float | None:
    """A number above 0, or None for an empty field."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise TruthError(f"expected a number above 0 for {name} in {where}, got {text!r}")
    return value


def same_name(one: str, other: str) -> bool:
    """Equal, or one of them the last part of the other's path."""
    a, b = PurePosixPath(one).parts, PurePosixPath(other).parts
    n = min(len(a), len(b))
    return a[-n:] == b[-n:]


def without_padding(name: str) -> str:
    """Without zeros before numbers: 017_1 as 17_1."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", name)


def find_video(subject: str, video: str, videos: Iterable[VideoId]) -> VideoId | None:
    """The one video that fits, or None. Raises TruthError where several fit.

    Zeros before numbers count only where no video fits with them.
    """
    known = list(videos)
    fits = fitting_videos(subject, video, known)
    if not fits:
        plain = {replace(v, subject=without_padding(v.subject), video=without_padding(v.video)): v
                 for v in known}  # fmt: skip
        found = fitting_videos(without_padding(subject), without_padding(video), list(plain))
        fits = [plain[v] for v in found] if len(plain) == len(known) else []
    if len(fits) > 1:
        raise TruthError(
            f"expected the name of one video, got {video}, which may be {fits[0]} or {fits[1]}; "
            "add a column subject, or write the name with its folder"
        )
    return fits[0] if fits else None


def fitting_videos(subject: str, video: str, videos: Sequence[VideoId]) -> list[VideoId]:
    """Videos of this name and subject; those of exactly this name alone, where there are some."""
    fits = [
        v
        for v in videos
        if same_name(v.video, video) and (not subject or not v.subject or v.subject == subject)
    ]
    return [v for v in fits if v.video == video] or fits


def with_known_length(video: VideoId, known: Iterable[VideoId]) -> VideoId:
    """With the length that is known of a video of that name.

    Unchanged if it has a length, or if several lengths are known.
    """
    lengths = {(v.seconds, v.frames) for v in known if same_name(v.video, video.video)}
    if (video.seconds, video.frames) != (None, None) or len(lengths) != 1:
        return video
    ((seconds, frames),) = lengths
    return replace(video, seconds=seconds, frames=frames)


def resolve_videos(
    rows: Sequence[tuple[str, str]], videos: list[VideoId], file: Path | None
) -> dict[tuple[str, str], VideoId]:
    """The video of each row (subject, video).

    file: the table of the rows, if `videos` are all that there are; an unknown one then raises
    TruthError. None: unknown ones are added to `videos`.
    """
    out: dict[tuple[str, str], VideoId] = {}
    for subject, name in dict.fromkeys(rows):
        video = find_video(subject, name, videos)
        if video is None and file is not None:
            raise TruthError(
                "expected the videos of videos.csv beside the truth, got "
                f"{VideoId(subject, name)} in {file}; "
                "add it there or correct it"
            )
        if video is None:
            spelled = {without_padding(v.subject): v.subject for v in videos}
            video = VideoId(spelled.get(without_padding(subject), subject), name)
            videos.append(video)
        out[subject, name] = video
    return out

"""Which video an interval belongs to, by `videos.csv`, paths, bare names and subjects.

table has              videos.csv has         same video?
a.mp4                  spNO.1/a               yes, if no other subject has an "a"
1/a.mp4, spNO.1/a      spNO.1/a               the second
subject 2, video a     subject 1, video a     no
subject 17, video 17_1 subject 017, 017_1     yes, if nothing fits better
15_0401girlcrashing    s15_0401               yes, if nothing fits better
"""

from __future__ import annotations

import csv
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from fesnet._io import VIDEO_SUFFIXES, describe_absence
from fesnet._messages import in_utf8
from fesnet._names import LEVELS, comparison_keys, same_text
from fesnet._tables import LooseTable, read_loose_table
from fesnet.errors import TruthError, UsageError
from fesnet.frame_numbers import FrameNumbers

VIDEO_COLUMNS = ("subject", "video", "frames", "seconds", "fps", "numbers")
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
    """The name of a video without its ending, folders divided by "/", as tables hold it."""
    path = PurePosixPath(comparison_keys(text)[0])
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
        raise UsageError(f"expected a table of videos in {file}, but it {describe_absence(file)}")
    try:
        return parse_video_table(file, read_loose_table(file, VIDEO_COLUMNS))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TruthError(in_utf8(file, error)) from error


def parse_video_table(file: Path, rows: LooseTable) -> list[VideoId]:
    for name in ("subject", "video"):
        if name not in rows.columns:
            raise TruthError(f"expected a column {name} in {file}, got {', '.join(rows.columns)}")
    videos: dict[tuple[str, str], VideoId] = {}
    for number, row in rows:
        video = parse_video_row(row, f"{file} line {number}")
        if videos.setdefault((video.subject, video.video), video) is not video:
            raise TruthError(
                f"expected each video once in {file}, got {video} again in line {number}"
            )
    return list(videos.values())


def parse_video_row(row: dict[str | None, str | None], where: str) -> VideoId:
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


def same_name(one: str, other: str, level: int = 0) -> bool:
    """Equal, or one of them the last part of the other's path. level: of `comparison_keys`."""
    a, b = (PurePosixPath(comparison_keys(name)[level]).parts for name in (one, other))
    n = min(len(a), len(b))
    return a[-n:] == b[-n:]


class VideoIndex:
    """Videos by the last part of their names, so that a name is compared with few of them."""

    def __init__(self, videos: Iterable[VideoId] = ()) -> None:
        self.videos: dict[tuple[int, str], list[VideoId]] = {}
        self.codes: dict[tuple[str, str], list[VideoId]] = {}
        for video in videos:
            self.add(video)

    def add(self, video: VideoId) -> None:
        for level in range(LEVELS):
            self.videos.setdefault((level, last_part(video.video, level)), []).append(video)
        code = stimulus_code(video.video)
        if code is not None:
            self.codes.setdefault(code, []).append(video)

    def named(self, name: str, level: int) -> list[VideoId]:
        """Those of that name or of a path that ends so, at a level of `comparison_keys`."""
        near = self.videos.get((level, last_part(name, level)), [])
        return [v for v in near if same_name(v.video, name, level)]

    def of_stimulus(self, name: str) -> list[VideoId]:
        """Those of the subject and film that a name of CAS(ME)^2 says."""
        code = stimulus_code(name)
        return [] if code is None else self.codes.get(code, [])


def last_part(name: str, level: int) -> str:
    return PurePosixPath(comparison_keys(name)[level]).name


def find_video(
    subject: str,
    video: str,
    videos: VideoIndex,
    levels: Iterable[int] = range(LEVELS),
    taken: Container[VideoId] = (),
) -> VideoId | None:
    """The one video that fits, or None. Raises TruthError where several fit.

    Names that are written otherwise (case, composed letters, zeros) count only where none is
    written so. taken: videos that do not count.
    """
    for level in levels:
        fits = [
            v
            for v in videos.named(video, level)
            if v not in taken
            and (not subject or not v.subject or same_text(v.subject, subject, level))
        ]
        fits = [v for v in fits if same_text(v.video, video, level)] or fits
        if len(fits) > 1:
            raise TruthError(
                f"expected the name of one video, got {video}, which may be {fits[0]} or "
                f"{fits[1]}; add a column subject, or write the name with its folder"
            )
        if fits:
            return fits[0]
    coded = [v for v in videos.of_stimulus(video) if v not in taken]
    return coded[0] if len(coded) == 1 else None


def stimulus_code(video: str) -> tuple[str, str] | None:
    """Subject and film of a name as CAS(ME)^2 and its users write it, None for other names.

    s15_0401, 15_0401 and s15/15_0401girlcrashing are one video.
    """
    found = re.fullmatch(r"s?(\d{2})_(\d{4})[a-z]*", PurePosixPath(video).name.casefold())
    return (found[1], found[2]) if found else None


def with_known_length(video: VideoId, known: VideoIndex) -> VideoId:
    """With the length that is known of a video of that name.

    Unchanged if it has a length, or if several lengths are known.
    """
    lengths: set[tuple[float | None, int | None]] = set()
    for level in range(LEVELS):
        lengths = lengths or {(v.seconds, v.frames) for v in known.named(video.video, level)}
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
    wanted, index, known = list(dict.fromkeys(rows)), VideoIndex(videos), set(videos)
    for levels in ((0,), range(1, LEVELS)):  # a name written just so belongs to no other
        taken = set() if levels == (0,) else set(out.values())
        for row in wanted:
            video = out.get(row) or find_video(*row, index, levels, taken)
            if video is not None:
                out[row] = video
    spelled = {comparison_keys(v.subject)[-1]: v.subject for v in reversed(videos)}
    for row in wanted:
        video = out.get(row) or find_video(*row, index, (0,))
        if video is None and file is not None:
            raise TruthError(
                f"expected the videos of videos.csv beside the truth, got {VideoId(*row)} in "
                f"{file}; add it there or correct it"
            )
        if video is None:
            video = VideoId(spelled.setdefault(comparison_keys(row[0])[-1], row[0]), row[1])
            if video not in known:
                known.add(video)
                videos.append(video)
                index.add(video)
        out[row] = video
    return out

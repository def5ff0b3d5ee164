"""Which videos a batch is made of: files, folders, patterns, a manifest; and what their results are
called.
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from fesnet._io import VIDEO_SUFFIXES, describe_absence, file_exists
from fesnet._messages import counted
from fesnet._names import find_path
from fesnet.batch.columns import OPTIONS, OWN_NAMES, manifest_columns
from fesnet.batch.image_folders import describe_no_video
from fesnet.batch.single import short_and_full_name, unique_names
from fesnet.errors import TruthError, UsageError
from fesnet.spreadsheet import TableRow, TextTable, read_text_table
from fesnet.video.files import missing_source_error, public_address
from fesnet.video.folder import SUFFIXES as IMAGES

if TYPE_CHECKING:
    from fesnet._types import LogCallback

PATTERN = set("*?[")
# Endings that count in folders alone: cameras, recorders and old programs write them, but in a name
# such as "subject.mod" they may be a part of it.
RARE_SUFFIXES = (
    *(".3g2", ".3gp2", ".amv", ".dav", ".divx", ".f4v", ".gif", ".h264", ".h265", ".hevc", ".ivf"),
    *(".m1v", ".m2p", ".m2t", ".mjpeg", ".mod", ".mpe", ".mpv", ".nut", ".ogm", ".ogx", ".qt"),
    *(".rm", ".rmvb", ".tod", ".trp", ".wtv", ".xvid"),
)


@dataclass(frozen=True)
class BatchVideo:
    """One video of a batch. source: what `open_source` takes; key: its path below the folder that
    was given, or its name, with "/"; name: of its results, below the output folder, without an
    ending; overrides: settings of its own; columns: what else the manifest says of it."""

    source: str
    key: str
    name: str = ""
    subject: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Tells this video from any other of this machine; an address by a checksum, as it may hold
        a password.
        """
        if "://" in self.source:
            return f"{public_address(self.source)}#{sha256(self.source.encode()).hexdigest()[:16]}"
        return os.path.abspath(self.source)  # noqa: PTH100  # links stay as they are


def is_batch(videos: list[str]) -> bool:
    """Whether the arguments of a call mean a batch by themselves: a pattern, or a folder that is
    not one of images.
    """
    return any(
        is_pattern(v)
        or (
            Path(v).is_dir()
            and (
                not contains_files(Path(v), IMAGES)
                or contains_files(Path(v), (*VIDEO_SUFFIXES, *RARE_SUFFIXES))
            )
        )
        for v in videos
    )


def is_pattern(text: str) -> bool:
    return "://" not in text and bool(PATTERN & set(text)) and not Path(text).exists()


def is_video_name(name: str) -> bool:
    """Whether a file of a folder counts as a video: by its ending, in any case of letters."""
    return Path(name).suffix.lower() in (*VIDEO_SUFFIXES, *RARE_SUFFIXES)


def count_passed_over(videos: list[str], out: Path) -> dict[str, int]:
    """Of the folders among the arguments: how many visible files were passed over, by reason."""
    counts: Counter[str] = Counter()
    for root in (v for v in videos if "://" not in v and Path(v).is_dir()):
        seen = {os.path.realpath(out)}
        for folder, folders, files in os.walk(root, followlinks=True):
            real = os.path.realpath(folder)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = [f for f in folders if not f.startswith(".")]
            visible = [f for f in files if not f.startswith(".")]
            videos_here = any(is_video_name(f) for f in visible)
            for name in visible:
                reason = passed_over(Path(folder, name), beside_videos=videos_here)
                if reason:
                    counts[reason] += 1
    return dict(sorted(counts.items()))


def passed_over(file: Path, *, beside_videos: bool) -> str:
    """Why a file of a folder is no video of a batch; empty where it is one, or a frame of one."""
    ending = file.suffix.lower()
    if not file_exists(file):
        return "no regular file" if is_video_name(file.name) else ""
    if is_video_name(file.name):
        return ""
    if ending in IMAGES:
        return "image beside a video" if beside_videos else ""
    return f"ending {ending}" if ending else "no ending"


def passed_over_text(counts: dict[str, int]) -> str:
    """One line on them: "3 files passed over: 2 ending .txt, 1 image beside a video"."""
    total = sum(counts.values())
    parts = sorted(counts.items(), key=lambda c: (-c[1], c[0]))
    listed = ", ".join(f"{number} {reason}" for reason, number in parts[:6])
    return f"{counted(total, 'file')} passed over: {listed}{', ...' if len(parts) > 6 else ''}"


def contains_files(folder: Path, endings: Iterable[str]) -> bool:
    """Whether a visible file with one of the endings lies directly in a folder."""
    with os.scandir(folder) as items:
        return any(
            Path(i.name).suffix.lower() in endings and not i.name.startswith(".") for i in items
        )


def find_videos(
    videos: list[str], out: Path, log: LogCallback = lambda line: None
) -> list[BatchVideo]:
    """The videos that the arguments name, each once, in order of their keys; `out` is not searched.
    log: takes a line for each folder of images that is passed over, as they are no frames.
    Raises UsageError for what is not there, holds no video, or cannot be a part of a batch."""
    found: dict[str, BatchVideo] = {}
    for video in videos:
        if os.path.realpath(video) == os.path.realpath(out):
            raise UsageError(
                f"expected another folder for --out than that of the videos, got {out}; name a "
                "new one"
            )
        before = len(found)
        for one in expand_argument(video, out, log):
            found.setdefault(one.path, one)
        if len(found) == before and not file_exists(Path(video)):
            raise UsageError(
                f"expected videos or folders of images in {video}, found none; name another"
            )
    return assign_names(sorted(found.values(), key=lambda e: (e.key, e.path)))


def expand_argument(video: str, out: Path, log: LogCallback) -> Iterator[BatchVideo]:
    """The videos of one argument."""
    path = Path(video)
    if is_pattern(video):
        for match in sorted(glob.glob(video, recursive=True)):  # of any path, relative or not  # noqa: PTH207
            inside = Path(match)
            if inside.is_dir() or is_video_name(inside.name):
                yield from expand_argument(match, out, log)
    elif "://" in video:
        yield BatchVideo(video, short_and_full_name(video)[1])
    elif path.is_dir():
        yield from walk(path, out, log)
    elif path.exists():
        yield BatchVideo(video, path.name)
    elif video.isdecimal():
        raise UsageError(f"expected videos for a batch, got camera {video}; use `fesnet live`")
    else:
        raise missing_source_error(video)


def walk(root: Path, out: Path, log: LogCallback) -> Iterator[BatchVideo]:
    """Videos anywhere below a folder. A folder that holds frames and no video is one video; images
    that are no frames are passed over and told. Hidden files and folders and the output folder are
    left out; links are followed, but no folder is entered twice. Raises UsageError for a folder
    that cannot be read: videos must not be missed without a word."""

    def refuse(error: OSError) -> None:
        raise UsageError(
            f"expected to read the folder {error.filename}, got '{error.strerror}'"
        ) from error

    seen = {os.path.realpath(out)}
    for folder, folders, files in os.walk(root, followlinks=True, onerror=refuse):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        visible = sorted(f for f in files if not f.startswith("."))
        here = Path(folder)
        videos = [f for f in visible if is_video_name(f) and file_exists(here / f)]
        for name in videos:
            yield BatchVideo(str(here / name), (here / name).relative_to(root).as_posix())
        images = [f for f in visible if Path(f).suffix.lower() in IMAGES]
        if images and not videos:
            key = here.relative_to(root).as_posix()
            key = root.resolve().name if key == "." else key
            reason = "" if here == root else describe_no_video(here, images)
            if reason:
                log(f"passed over: {key}, {reason}")
            else:
                yield BatchVideo(str(here), key)


def read_manifest(file: Path) -> list[BatchVideo]:
    """A table (CSV or .xlsx, see `fesnet.spreadsheet`) with the column `video`: a path from the
    table's own folder. `subject` (or `participant`) and the columns of OPTIONS are known; any other
    column says something of the video and goes into the tables. An empty cell leaves things as they
    are. Raises UsageError, naming the line, and MissingExtraError."""
    if not file_exists(file):
        raise UsageError(f"expected a manifest (CSV or .xlsx), but {file} {describe_absence(file)}")
    try:
        table = read_text_table(file)
    except TruthError as error:
        raise UsageError(str(error).replace("expected a table", "expected a manifest")) from error
    known = manifest_columns(file, table.columns)
    videos = [parse_manifest_row(file, row, table, known) for row in table.rows]
    if not videos:
        raise UsageError(f"expected at least one video in {file}, got none")
    seen: dict[str, int] = {}
    for row, video in zip(table.rows, videos, strict=True):
        if seen.setdefault(video.path, row.line) != row.line:
            raise UsageError(
                f"expected each video once in {file}, got {video.key} in lines "
                f"{seen[video.path]} and {row.line}"
            )
    return assign_names(sorted(videos, key=lambda e: (e.key, e.path)))


def parse_manifest_row(
    file: Path, row: TableRow, table: TextTable, known: dict[str, str]
) -> BatchVideo:
    """One line of a manifest. known: as of `manifest_columns`."""
    where = f"{file} line {row.line}"
    cells = {name: row.cells[column] for name, column in known.items()}
    video = cells["video"]
    if video.isdecimal() or not PurePosixPath(video).name:
        raise UsageError(f"expected the path of a video in {where}, got {video!r}")
    source = video if "://" in video else str(find_path(file.parent, video))
    overrides: dict[str, Any] = {}
    for column, (name, kind) in OPTIONS.items():
        text = cells.get(column, "")
        if text:
            try:
                overrides[name] = table.number(text) if kind is float else text
            except ValueError as error:
                raise UsageError(
                    f"expected a number for {column} in {where}, got {text!r}"
                ) from error
    columns = {c: text for c, text in row.cells.items() if c not in known.values()}
    return BatchVideo(source, manifest_key(video), "", cells.get("subject", ""), overrides, columns)


def manifest_key(video: str) -> str:
    """The path as it stands there, or the bare name where that leads out of the manifest's
    folder.
    """
    if "://" in video:
        return short_and_full_name(video)[1]
    path = PurePosixPath(video.replace("\\", "/"))
    inside = not path.is_absolute() and ".." not in path.parts and ":" not in path.parts[0]
    return str(path) if inside else path.name


def assign_names(videos: list[BatchVideo]) -> list[BatchVideo]:
    """Each video with a name for its results that no other has."""
    names = unique_names([name_candidates(e) for e in videos])
    return [replace(e, name=name) for e, name in zip(videos, names, strict=True)]


def name_candidates(video: BatchVideo) -> tuple[str, str]:
    key = PurePosixPath(video.key)
    is_folder = "://" not in video.source and Path(video.source).is_dir()
    short = str(
        key if is_folder or key.suffix.lower() not in VIDEO_SUFFIXES else key.with_suffix("")
    )
    return (str(key) if short.lower() in OWN_NAMES else short), str(key)

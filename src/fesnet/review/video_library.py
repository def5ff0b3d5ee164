"""The videos and results of a work folder, and which files may be served.

The page names a video by its key, never by a path. A file may be served if it lies in the folder
(after following links), was named on the command line, or has the sha256 of the file that a result
was made from.
"""

from __future__ import annotations

import glob
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from fesnet._io import VIDEO_SUFFIXES, file_exists, file_sha256, is_result, resolve_path
from fesnet._names import printable
from fesnet.errors import FesnetError, UsageError
from fesnet.report.player import COPIES_FOLDER
from fesnet.review.merge import MachineResult, merge_intervals
from fesnet.review.review_file import REVIEW_SUFFIX, Review, read_review, save_review

FACES_SUFFIX = ".faces.json"  # beside them: where the faces are
MAX_DEPTH = 4  # folders below the work folder: the page asks for its list every second
OPEN_LOCK = ".review.open"  # shared by all servers that have the folder open


@dataclass
class LibraryVideo:
    """A video and the state of the work on it.

    state: new, waiting, working, done, failed, stopped; share: of the work done, None if unknown;
    stage: of the work; error: one line; requests: how often work was requested; stem: path of its
    files below the work folder, without an ending (the key is what pages and addresses can hold).
    """

    key: str
    name: str
    stem: str = ""
    source: Path | None = None
    state: str = "new"
    share: float | None = None
    stage: str = ""
    error: str = ""
    requests: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)


@dataclass
class VideoLibrary:
    """All videos of a work folder. named: files from the command line, which may lie elsewhere;
    rater: of a blind second opinion, who sees and changes a review of their own ("" for none).
    """

    folder: Path
    named: tuple[Path, ...] = ()
    rater: str = ""
    videos: dict[str, LibraryVideo] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    machines: dict[str, tuple[tuple[int, int], MachineResult]] = field(
        default_factory=dict, repr=False
    )
    digests: dict[tuple[str, int, int], str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.folder = resolve_path(self.folder)
        self.named = tuple(resolve_path(path) for path in self.named)
        self.scan()

    def is_inside(self, path: Path) -> bool:
        """Whether the file lies in the folder, after following links."""
        return resolve_path(path).is_relative_to(self.folder)

    def check_folder(self) -> None:
        """Raises UsageError where the folder is gone, or cannot be read."""
        if not self.folder.is_dir() or not os.access(self.folder, os.R_OK):
            raise UsageError(
                f"expected the work folder {self.folder}, but it is gone or cannot be read; is its "
                "disk still there?"
            )

    def stem(self, key: str) -> str:
        """The path of a video's files below the folder, without an ending. Raises UsageError for a
        key that leads out of the folder.
        """
        found = self.videos.get(key)
        if found is not None:
            return found.stem or key
        if not key.strip(".") or "/" in key or "\\" in key or "\0" in key:
            raise UsageError(f"expected a video of {self.folder.name}, got {key!r}")
        return key

    def result_path(self, key: str) -> Path:
        return self.folder / f"{self.stem(key)}.json"

    def review_path(self, key: str) -> Path:
        rater = f".{self.rater}" if self.rater else ""
        return self.folder / f"{self.stem(key)}{rater}{REVIEW_SUFFIX}"

    def copy_path(self, key: str) -> Path:
        """Where the playable copy lies, if there is one."""
        return self.folder / COPIES_FOLDER / f"{self.stem(key).replace('/', '-')}.mp4"

    def face_path(self, key: str) -> Path:
        """Where the file lies that says where the faces are, if there is one."""
        return self.copy_path(key).with_suffix(FACES_SUFFIX)

    def scan(self) -> None:
        """Add new results, then new videos that have none, also those in subfolders."""
        with self.lock:
            files = list(walk_files(self.folder))
            known = {video.stem for video in self.videos.values()}
            for path in files:
                stem = path.relative_to(self.folder).as_posix().removesuffix(".json")
                if path.suffix == ".json" and stem not in known and self.is_inside(path):
                    self.add_result(path, stem)
            for file in (*self.named, *files):
                if file in self.named or self.is_video(file):
                    self.add_video(file)

    def add_result(self, path: Path, stem: str) -> None:
        if is_result(path):
            key = self.free_key(stem)
            self.videos[key] = LibraryVideo(key, stem, stem, state="done")

    def is_video(self, path: Path) -> bool:
        return path.suffix.lower() in VIDEO_SUFFIXES and file_exists(path) and self.is_inside(path)

    def free_key(self, stem: str) -> str:
        """A key for a video: its path with what an address cannot hold exchanged."""
        plain = printable(stem).replace("/", " \u203a ")
        keys = (plain, *(f"{plain} ({n})" for n in range(2, 10_000)))
        return next(key for key in keys if key not in self.videos)

    def add_video(self, file: Path) -> LibraryVideo:
        """The video of a file: the known one, or a new one whose files have a free name."""
        with self.lock:
            for video in self.videos.values():
                if video.source == file:
                    return video
            by_stem = {video.stem: video for video in self.videos.values()}
            inside = file.is_relative_to(self.folder)
            base = file.parent.relative_to(self.folder) if inside else Path()
            for name in (file.stem, file.name, *(f"{file.stem}-{n}" for n in range(2, 1000))):
                stem = (base / name).as_posix()
                if self.would_overwrite(stem):
                    continue
                video = by_stem.get(stem) or self.new_video(stem, file.name)
                if video.source is None and (
                    video.state == "new" or self.is_result_of(video, file)
                ):
                    video.source, video.name = file, (base / file.name).as_posix()
                    return video
            raise UsageError(f"expected fewer videos of the name {file.stem}")

    def new_video(self, stem: str, name: str) -> LibraryVideo:
        key = self.free_key(stem)
        return self.videos.setdefault(key, LibraryVideo(key, name, stem))

    def would_overwrite(self, stem: str) -> bool:
        """Whether results of this path would overwrite other files of the user."""
        result = self.folder / f"{stem}.json"
        if file_exists(result):
            return not is_result(result)
        return file_exists(self.folder / f"{stem}.csv")

    def is_result_of(self, video: LibraryVideo, file: Path) -> bool:
        """Whether the video's result names this file as its source."""
        try:
            return self.machine_result(video.key).spotting.source.name == file.name
        except FesnetError:
            return False

    def find(self, key: str) -> LibraryVideo:
        """The video of a key. Raises UsageError for an unknown key."""
        with self.lock:
            if key not in self.videos:
                self.scan()
            if key not in self.videos:
                raise UsageError(f"expected a video of {self.folder.name}, got {key!r}")
            return self.videos[key]

    def machine_result(self, key: str) -> MachineResult:
        """The result, read again if its file changed. Raises ResultError."""
        path = self.result_path(key)
        stamp = file_stamp(path)
        held = self.machines.get(key)
        if held is None or held[0] != stamp:
            held = (stamp, MachineResult.read(path))
            self.machines[key] = held
        return held[1]

    def load_review(self, key: str) -> Review:
        """The review, read from the disk each time, or a new one. Raises ResultError."""
        path = self.review_path(key)
        if not file_exists(path):
            new = self.machine_result(key).new_review(self.result_path(key).name)
            return replace(new, blind=bool(self.rater))
        review = read_review(path)
        if self.rater and not review.blind:
            raise UsageError(
                f"expected the blind review of {self.rater} in {path.name}, but that one was begun "
                "with the machine's proposals in view; take another name"
            )
        return review

    def save(self, key: str, review: Review) -> None:
        """Write the review; returns once it is on the disk. Raises UsageError."""
        save_review(
            review, merge_intervals(self.machine_result(key), review), self.review_path(key)
        )

    def other_reviews(self, key: str) -> list[str]:
        """Reviews of the same video by others: NAME.someone.review.json."""
        result = self.result_path(key)
        found = result.parent.glob(f"{glob.escape(result.stem)}.*{REVIEW_SUFFIX}")
        taken = {self.review_path(k) for k in self.videos}
        return sorted(p.name for p in found if p not in taken and self.is_inside(p))

    def playable_path(self, video: LibraryVideo) -> Path:
        """The file to serve: the copy or the source. Raises UsageError if neither is allowed."""
        copy = self.copy_path(video.key)
        if file_exists(copy) and self.is_inside(copy):
            return copy
        return self.source_path(video)

    def source_path(self, video: LibraryVideo) -> Path:
        """The source file or image folder itself. Raises UsageError."""
        if video.source is not None:
            if video.source in self.named or self.is_inside(video.source):
                return video.source
            raise UsageError(f"expected a video in {self.folder}, got a link out of it")
        source = self.machine_result(video.key).spotting.source
        for near in (self.result_path(video.key).parent / source.name, self.folder / source.name):
            if file_exists(near) and self.is_inside(near):
                return near
        path = None if source.path is None else Path(source.path)
        if path is None or not path.exists():
            raise UsageError(
                f"expected the video {source.name}, but it is not there: name it too when you start"
            )
        if (
            self.is_inside(path)
            or resolve_path(path) in self.named
            or self.has_sha256(path, source.sha256)
        ):
            return path
        raise UsageError(
            f"expected {path} as it was spotted, got another file of that name; name it when you "
            "start"
        )

    def has_sha256(self, path: Path, wanted: str | None) -> bool:
        """Whether the file has this sha256; computed once for each state of a file."""
        if wanted is None or not file_exists(path):
            return False
        key = (str(path), *file_stamp(path))
        if key not in self.digests:
            self.digests[key] = file_sha256(path)
        return self.digests[key] == wanted


def file_stamp(path: Path) -> tuple[int, int]:
    """(time of change in ns, size in bytes) of a file; zeros if there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def walk_files(folder: Path) -> Iterator[Path]:
    """Visible files below a folder, in order; links to folders are not followed."""
    for place, folders, files in os.walk(folder):
        deep = len(Path(place).relative_to(folder).parts) >= MAX_DEPTH
        folders[:] = [] if deep else sorted(f for f in folders if not f.startswith("."))
        yield from (Path(place, f) for f in sorted(files) if not f.startswith("."))


def default_folder(named: list[Path]) -> Path:
    """The default work folder: the named folder, else that of the named result, else
    `fesnet-review`."""
    for path in named:
        if path.is_dir() and not is_image_folder(path):
            return path
        if path.suffix == ".json":
            return path.parent
    return Path("fesnet-review")


def is_image_folder(folder: Path) -> bool:
    """Whether a folder holds the frames of a video, rather than videos and results."""
    files = list(folder.iterdir())
    work = any(p.suffix.lower() in VIDEO_SUFFIXES or p.suffix == ".json" for p in files)
    return not work and any(
        p.suffix.lower() in {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"} for p in files
    )


def list_sources(named: list[Path], folder: Path) -> list[Path]:
    """The videos among the named paths. Raises UsageError for a missing path, or a result outside
    the folder."""
    out = []
    for path in named:
        if not path.exists():
            raise UsageError(f"expected a video, a result or a folder, but {path} does not exist")
        if path.suffix == ".json":
            if not resolve_path(path).is_relative_to(resolve_path(folder)):
                raise UsageError(
                    f"expected results in one folder, got {path} beside {folder}; review one at "
                    "a time"
                )
            if not is_result(path):
                raise UsageError(f"expected a result of `fesnet spot --out`, got {path}")
        elif resolve_path(path) != resolve_path(folder):
            out.append(path)
    return out

"""The videos and results of a work folder, and which files may be served.

The page names a video by its key, never by a path. A file may be served if it lies in the folder
(after following links), was named on the command line, or has the sha256 of the file that a result
was made from.
"""

from __future__ import annotations

import glob
import threading
from dataclasses import dataclass, field
from pathlib import Path

from fesnet._io import VIDEO_SUFFIXES, file_sha256, is_result
from fesnet.errors import FesnetError, UsageError
from fesnet.review.merge import MachineResult, merge_intervals
from fesnet.review.review_file import REVIEW_SUFFIX, Review, read_review, save_review

COPIES_FOLDER = ".playable"  # copies of videos whose format the browser does not play
# Stands for "/" in keys, which are one part of an address.
SEPARATOR = "\u2215"


@dataclass
class LibraryVideo:
    """A video and the state of the work on it.

    state: new, waiting, working, done, failed, stopped; share: of the work done, None if unknown;
    stage: of the work; error: one line; requests: how often work was requested.
    """

    key: str
    name: str
    source: Path | None = None
    state: str = "new"
    share: float | None = None
    stage: str = ""
    error: str = ""
    requests: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)


@dataclass
class VideoLibrary:
    """All videos of a work folder. named: files from the command line, which may lie elsewhere."""

    folder: Path
    named: tuple[Path, ...] = ()
    videos: dict[str, LibraryVideo] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    machines: dict[str, tuple[tuple[int, int], MachineResult]] = field(
        default_factory=dict, repr=False
    )
    digests: dict[tuple[str, int, int], str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.named = tuple(path.resolve() for path in self.named)
        self.places = self.find_places()
        self.scan()

    def find_places(self) -> list[str]:
        """The folder, and those below it that hold results, hidden ones aside; looked for once."""
        results = (p for p in self.folder.rglob("*.json") if p.parent != self.folder)
        below = {p.parent.relative_to(self.folder) for p in results if is_result(p)}
        seen = (p for p in below if not any(part[0] == "." for part in p.parts))
        return [".", *sorted(p.as_posix() for p in seen)]

    def is_inside(self, path: Path) -> bool:
        """Whether the file lies in the folder, after following links."""
        return path.resolve().is_relative_to(self.folder)

    def file_path(self, key: str, ending: str) -> Path:
        """A file beside the result. Raises UsageError for a key that leads out of the folder."""
        parts = key.split(SEPARATOR)
        if not all(part.strip(".") for part in parts):
            raise UsageError(f"expected a video of {self.folder.name}, got {key!r}")
        return self.folder.joinpath(*parts[:-1], f"{parts[-1]}{ending}")

    def result_path(self, key: str) -> Path:
        return self.file_path(key, ".json")

    def review_path(self, key: str) -> Path:
        return self.file_path(key, REVIEW_SUFFIX)

    def copy_path(self, key: str) -> Path:
        """Where the playable copy lies, if there is one."""
        return self.folder / COPIES_FOLDER / f"{key}.mp4"

    def scan(self) -> None:
        """Add new results, then new videos that have none."""
        with self.lock:
            for path in sorted(p for at in self.places for p in (self.folder / at).glob("*.json")):
                name = path.relative_to(self.folder).as_posix().removesuffix(".json")
                key = name.replace("/", SEPARATOR)
                if key not in self.videos and self.is_inside(path) and is_result(path):
                    self.videos[key] = LibraryVideo(key, name, state="done")
            for file in self.find_files():
                self.add_video(file)

    def find_files(self) -> list[Path]:
        here = [
            p
            for p in sorted(self.folder.iterdir())
            if p.suffix.lower() in VIDEO_SUFFIXES and p.name[0] != "."
        ]
        return [*self.named, *(p for p in here if p.is_file() and self.is_inside(p))]

    def add_video(self, file: Path) -> LibraryVideo:
        """The video of a file: the known one, or a new one under a free key."""
        with self.lock:
            for video in self.videos.values():
                if video.source == file:
                    return video
            for key in (file.stem, file.name, *(f"{file.stem}-{n}" for n in range(2, 1000))):
                if self.would_overwrite(key):
                    continue
                video = self.videos.setdefault(key, LibraryVideo(key, file.name))
                if video.source is None and (
                    video.state == "new" or self.is_result_of(video, file)
                ):
                    video.source, video.name = file, file.name
                    return video
            raise UsageError(f"expected fewer videos of the name {file.stem}")

    def would_overwrite(self, key: str) -> bool:
        """Whether results under this key would overwrite other files of the user."""
        result = self.result_path(key)
        if result.exists():
            return not is_result(result)
        return result.with_suffix(".csv").exists()

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
        if path.is_file():
            return read_review(path)
        return self.machine_result(key).new_review(self.result_path(key).name)

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
        if copy.is_file() and self.is_inside(copy):
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
            if near.is_file() and self.is_inside(near):
                return near
        path = None if source.path is None else Path(source.path)
        if path is None or not path.exists():
            raise UsageError(
                f"expected the video {source.name}, but it is not there: name it too when you start"
            )
        if (
            self.is_inside(path)
            or path.resolve() in self.named
            or self.has_sha256(path, source.sha256)
        ):
            return path
        raise UsageError(
            f"expected {path} as it was spotted, got another file of that name; name it when you "
            "start"
        )

    def has_sha256(self, path: Path, wanted: str | None) -> bool:
        """Whether the file has this sha256; computed once for each state of a file."""
        if wanted is None or not path.is_file():
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
            if not path.resolve().is_relative_to(folder.resolve()):
                raise UsageError(
                    f"expected results in one folder, got {path} beside {folder}; review one at "
                    "a time"
                )
            if not is_result(path):
                raise UsageError(f"expected a result of `fesnet spot --out`, got {path}")
        elif path.resolve() != folder.resolve():
            out.append(path)
    return out

"""The folder: which videos and results there are, and which files may be served.

Nothing is served by a path that the browser names: the page names a video by its key, and the key
is looked up here. A file may be served if it lies in the folder (links are followed first), was
named on the command line, or is, by its sha256, the very file that a result was made from.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from fesnet._io import VIDEO_SUFFIXES, file_sha256
from fesnet.errors import FesnetError, UsageError
from fesnet.review.merge import MachineResult, merge_intervals
from fesnet.review.review_file import REVIEW_SUFFIX, Review, read_review, save_review

COPIES_FOLDER = (
    ".playable"  # folder of copies that a browser plays, where it does not play the video itself
)
SCHEMA_BYTES = 400  # bytes of a result in which its schema stands


@dataclass
class LibraryVideo:
    """One video and what is known of it. state: new, waiting, working, done, failed, stopped;
    share: of the work, None where unknown; stage: what is being done; error: one line; asked: how
    often work on it was asked for."""

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
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    machines: dict[str, tuple[tuple[int, int], MachineResult]] = field(
        default_factory=dict, repr=False
    )
    digests: dict[tuple[str, int, int], str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.named = tuple(path.resolve() for path in self.named)
        self.scan()

    def is_inside(self, path: Path) -> bool:
        """Whether the file, where links lead to, lies in the folder."""
        return path.resolve().is_relative_to(self.folder)

    def result_path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def review_path(self, key: str) -> Path:
        return self.folder / f"{key}{REVIEW_SUFFIX}"

    def copy_path(self, key: str) -> Path:
        """A copy to be played; it need not be there."""
        return self.folder / COPIES_FOLDER / f"{key}.mp4"

    def scan(self) -> None:
        """Look what there is: results first, then videos that have none."""
        with self.lock:
            for path in sorted(self.folder.glob("*.json")):
                if path.stem not in self.videos and self.is_inside(path) and is_result(path):
                    self.videos[path.stem] = LibraryVideo(path.stem, path.stem, state="done")
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
        """The video of a file: one that is there, or a new one under a free key."""
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
        """Whether results under this key would be written over somebody's own files."""
        result = self.result_path(key)
        if result.exists():
            return not is_result(result)
        return result.with_suffix(".csv").exists()

    def is_result_of(self, video: LibraryVideo, file: Path) -> bool:
        """Whether a result, by the name it gives, is of this file."""
        try:
            return self.machine_result(video.key).spotting.source.name == file.name
        except FesnetError:
            return False

    def find(self, key: str) -> LibraryVideo:
        """Raises UsageError for a key that is none."""
        with self.lock:
            if key not in self.videos:
                self.scan()
            if key not in self.videos:
                raise UsageError(f"expected a video of {self.folder.name}, got {key!r}")
            return self.videos[key]

    def machine_result(self, key: str) -> MachineResult:
        """The result, read again when its file has changed. Raises ResultError."""
        path = self.result_path(key)
        stamp = file_stamp(path)
        held = self.machines.get(key)
        if held is None or held[0] != stamp:
            held = (stamp, MachineResult.read(path))
            self.machines[key] = held
        return held[1]

    def load_review(self, key: str) -> Review:
        """Read from the disk each time: another program may have written it. Raises ResultError."""
        path = self.review_path(key)
        return (
            read_review(path)
            if path.is_file()
            else self.machine_result(key).new_review(self.result_path(key).name)
        )

    def save(self, key: str, review: Review) -> None:
        """Save; back when the disk has it. Raises UsageError."""
        save_review(
            review, merge_intervals(self.machine_result(key), review), self.review_path(key)
        )

    def other_reviews(self, key: str) -> list[str]:
        """Reviews of the same video by others: NAME.someone.review.json."""
        found = self.folder.glob(f"{glob_safe(key)}.*{REVIEW_SUFFIX}")
        taken = {f"{k}{REVIEW_SUFFIX}" for k in self.videos}
        return sorted(p.name for p in found if p.name not in taken and self.is_inside(p))

    def playable_path(self, video: LibraryVideo) -> Path:
        """The file to be played. Raises UsageError with the reason where there is none that may be
        served.
        """
        copy = self.copy_path(video.key)
        if copy.is_file() and self.is_inside(copy):
            return copy
        return self.source_path(video)

    def source_path(self, video: LibraryVideo) -> Path:
        """The file or image folder itself. Raises UsageError."""
        if video.source is not None:
            if video.source in self.named or self.is_inside(video.source):
                return video.source
            raise UsageError(f"expected a video in {self.folder}, got a link out of it")
        source = self.machine_result(video.key).spotting.source
        near = self.folder / source.name
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
        """Whether a file has this sha256; asked once for each state of a file."""
        if wanted is None or not path.is_file():
            return False
        key = (str(path), *file_stamp(path))
        if key not in self.digests:
            self.digests[key] = file_sha256(path)
        return self.digests[key] == wanted


def file_stamp(path: Path) -> tuple[int, int]:
    """When a file was changed and its size; zeros where it is not there."""
    try:
        source = path.stat()
    except OSError:
        return 0, 0
    return source.st_mtime_ns, source.st_size


def is_result(path: Path) -> bool:
    """Whether it begins like a result of `fesnet spot`."""
    try:
        with path.open("rb") as handle:
            return b'"schema": "fesnet/1"' in handle.read(SCHEMA_BYTES)
    except OSError:
        return False


def glob_safe(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def default_folder(named: list[Path]) -> Path:
    """Where results lie unless told otherwise: the folder that was named, or that of the result
    that was named, else `fesnet-review` here."""
    for path in named:
        if path.is_dir() and not is_image_folder(path):
            return path
        if path.suffix == ".json":
            return path.parent
    return Path("fesnet-review")


def is_image_folder(folder: Path) -> bool:
    """Whether a folder is a video in pictures rather than one of videos and results."""
    files = list(folder.iterdir())
    work = any(p.suffix.lower() in VIDEO_SUFFIXES or p.suffix == ".json" for p in files)
    return not work and any(
        p.suffix.lower() in {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"} for p in files
    )


def list_sources(named: list[Path], folder: Path) -> list[Path]:
    """The videos among the files of the command line. Raises UsageError for what is not there, and
    for a result that lies elsewhere."""
    out = []
    for path in named:
        if not path.exists():
            raise UsageError(f"expected a video, a result or a folder, but {path} does not exist")
        if path.suffix == ".json":
            if path.resolve().parent != folder.resolve():
                raise UsageError(
                    f"expected results in one folder, got {path} beside {folder}; review one at "
                    "a time"
                )
            if not is_result(path):
                raise UsageError(f"expected a result of `fesnet spot --out`, got {path}")
        elif path.resolve() != folder.resolve():
            out.append(path)
    return out

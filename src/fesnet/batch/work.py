"""What a worker does with one video: look whether its result still holds, else spot it and
write.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import cv2

from fesnet._io import file_sha256
from fesnet.batch.settings import Settings
from fesnet.batch.single import write_results
from fesnet.batch.summary import row_of
from fesnet.errors import FesnetError, SourceError, UsageError
from fesnet.exports import export
from fesnet.result import Spotting
from fesnet.spotter import Spotter
from fesnet.video import open_source
from fesnet.video.folder import image_files, natural_key
from fesnet.weights import CONFIG, bundled_weights

FRESH = (
    3.0  # s; a file changed so shortly before it was read may change again within its clock's tick
)


@dataclass(frozen=True)
class Task:
    """One video. name: of its results below `out`. held: sha256 of the content that has results
    under that name, None where that does not matter; holds: whether those were made by the same
    settings. other: the name to take if `held` belongs to a video at another place, and this one
    turns out to be a different video; else None."""

    source: str
    out: str
    name: str
    settings: Settings
    held: str | None = None
    holds: bool = False
    other: str | None = None


@dataclass(frozen=True)
class Done:
    """What a worker hands back. spotted: False where the stored result still held."""

    name: str
    sha256: str
    stamp: str
    written: str
    row: dict[str, Any]
    spotted: bool
    seconds: float
    warnings: tuple[str, ...] = ()


def do(task: Task) -> Done:
    """Spot one video and write its results, each file whole or not at all. Raises SourceError for a
    video that cannot be read, UsageError where nothing can be written, ResultError where a format
    cannot hold the result."""
    started = time.monotonic()
    before, newest = stamp(task.source)
    trusted = before if time.time() - newest > FRESH else ""
    name, found = task.name, None
    same = task.held is not None and content(task.source) == task.held
    if same and task.holds:
        found = stored(result_file(Path(task.out), name))
    elif not same and task.other is not None:
        name = task.other
    spotted = found is None
    if found is None:
        found = spot(task.source, task.settings)
        if stamp(task.source)[0] != before:
            raise SourceError(
                f"{Path(task.source).name} changed while it was read; spot it again when it is "
                "complete"
            )
        write(found, Path(task.out), name, task.settings.formats)
    written = stamp(str(result_file(Path(task.out), name)))[0]
    digest = found.source.sha256 or content(task.source)
    seconds = round(time.monotonic() - started, 3)
    return Done(name, digest, trusted, written, row_of(found), spotted, seconds, found.warnings)


def spot(source: str, settings: Settings) -> Spotting:
    """As `Spotter.spot`; every error of the video is a SourceError, as the rest of the batch goes
    on.
    """
    spotter = spotter_for(settings)
    spotter.rules = settings.rules
    try:
        opened = open_source(source, rate=settings.rate)
        if settings.seconds is not None:
            limit = settings.seconds
            opened.frames = takewhile(lambda frame: frame.time < limit, opened.frames)
        return spotter.spot(opened)
    except UsageError as error:
        raise SourceError(str(error)) from error
    except OSError as error:
        raise SourceError(
            f"cannot read {Path(source).name}: {error.strerror}; is its share still there?"
        ) from error


def spotter_for(settings: Settings) -> Spotter:
    """One for each process and kind, as loading costs more than a short video; a new one for
    weights that changed.
    """
    folder = bundled_weights() if settings.weights is None else Path(settings.weights)
    config = folder / CONFIG
    known = file_sha256(config) if config.is_file() else ""
    return spotter_of(settings.weights, settings.runtime, settings.faces, known)


@lru_cache(maxsize=2)
def spotter_of(weights: str | None, runtime: Any, faces: Any, _known: str) -> Spotter:
    cv2.setNumThreads(1)  # other workers have the other cores
    return Spotter(weights, runtime=runtime, faces=faces)


def write(found: Spotting, out: Path, name: str, formats: tuple[str, ...]) -> None:
    """All files of one result. Exports come first: where the JSON lies, all of them lie."""
    path = result_file(out, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"expected to make {path.parent}, got '{error.strerror}'; name another --out"
        ) from error
    refused: FesnetError | None = None
    try:
        list(export(found, formats, path.parent, path.name.removesuffix(".json")))
    except UsageError:
        raise
    except FesnetError as error:
        refused = error
    write_results(found, path)
    if refused is not None:
        raise refused


def result_file(out: Path, name: str) -> Path:
    return out / f"{name}.json"


def stored(path: Path) -> Spotting | None:
    """A result that is there and whole."""
    try:
        return Spotting.from_json(path)
    except FesnetError:
        return None


def stamp(source: str) -> tuple[str, float]:
    """Size and time of change, as one word; and the newest time (s). Of a folder: those of all its
    images. Empty for an address. Raises SourceError where nothing is there any more."""
    if "://" in source:
        return "", 0.0
    try:
        facts = [(f.name, f.stat()) for f in files_of(Path(source))]
    except OSError as error:
        raise SourceError(
            f"cannot read {Path(source).name}: {error.strerror}; is its share still there?"
        ) from error
    newest = max((s.st_mtime for _, s in facts), default=0.0)
    if not Path(source).is_dir():
        return f"{facts[0][1].st_size}:{facts[0][1].st_mtime_ns}", newest
    return joined([f"{s.st_size}:{s.st_mtime_ns} {name}" for name, s in facts]), newest


def content(source: str) -> str:
    """The sha256 of a file, or of the names and contents of a folder's images; empty for an
    address.
    """
    if "://" in source:
        return ""
    path = Path(source)
    try:
        if not path.is_dir():
            return file_sha256(path)
        words = [f"{file_sha256(file)} {file.name}" for file in files_of(path)]
    except OSError as error:
        raise SourceError(
            f"cannot read {path.name}: {error.strerror}; is its share still there?"
        ) from error
    return joined(words)


def joined(words: list[str]) -> str:
    """One sha256 for many words; file names may hold bytes that are no UTF-8."""
    return hashlib.sha256("\n".join(words).encode("utf-8", "surrogateescape")).hexdigest()


def files_of(path: Path) -> Iterator[Path]:
    """A file, or the images of a folder in their order."""
    if path.is_dir():
        yield from sorted(image_files(path), key=natural_key)
    else:
        path.stat()
        yield path

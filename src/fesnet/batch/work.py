"""What a worker does with one video: keep its result if it is current, else spot and write it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import cv2

from fesnet._io import file_sha256, make_folder
from fesnet._types import FrameCallback
from fesnet.batch.progress import progress_file
from fesnet.batch.settings import SpotSettings
from fesnet.batch.summary import summary_row
from fesnet.errors import FesnetError, SourceError, UsageError
from fesnet.exports import check_results, export, write_results
from fesnet.jobs.resumable import concerns_one_item
from fesnet.result import Spotting
from fesnet.runtime import Device
from fesnet.spotter import Spotter
from fesnet.video import open_source
from fesnet.video.folder import image_files, natural_key, sha256_of_lines, source_sha256
from fesnet.weights import CONFIG, bundled_weights

# s; a file that changed so shortly before it was read may change again within its clock's tick
MIN_AGE_S = 3.0


@dataclass(frozen=True)
class VideoTask:
    """One video to spot.

    name: of its results below `out`. known_sha256: of the content that has results of that name;
    None where that does not matter. same_settings: whether these results were made with the same
    settings. other_name: the name to take if the content is another one; None where `name` stays.
    same_scores: whether only rules or formats differ, so that their scores hold. known_stamp: of
    the content with known_sha256, empty if it cannot be trusted. progress: file for the share done.
    force: replace files of people, too; again: write the exports of a current result again.
    overlap: more processors than videos are there (see `Spotter.spot`).
    """

    source: str
    out: str
    name: str
    settings: SpotSettings
    known_sha256: str | None = None
    same_settings: bool = False
    other_name: str | None = None
    force: bool = False
    again: bool = False
    same_scores: bool = False
    known_stamp: str = ""
    progress: str = ""
    overlap: bool = False


@dataclass(frozen=True)
class SpottedVideo:
    """A worker's answer. spotted: False where the stored result was current; reused: whether its
    scores were; seconds: it took; refused: why exports were not written, or empty.
    """

    name: str
    sha256: str
    stamp: str
    written: str
    row: dict[str, Any]
    spotted: bool
    seconds: float
    warnings: tuple[str, ...] = ()
    reused: bool = False
    refused: str = ""


def spot_video(task: VideoTask) -> SpottedVideo:
    """Spot one video and write its results, each file atomically.

    Raises SourceError for a video that cannot be read, UsageError where nothing can be written,
    TargetError where this result cannot.
    """
    started = time.monotonic()
    before, newest = modification_stamp(task.source)
    trusted = before if time.time() - newest > MIN_AGE_S else ""
    name, found = find_stored(task, before)
    reused = found is not None and not task.same_settings
    spotted, refused = found is None or reused, ""
    path = result_file(Path(task.out), name)
    if found is None or reused:
        make_folder(path.parent)
        check_results(path, force=task.force)  # before any work
    if found is None:
        with progress_file(task.progress, task.settings.seconds) as progress:
            found = spot_content(task.source, task.settings, progress, task.overlap)
        if modification_stamp(task.source)[0] != before:
            raise SourceError(
                f"{Path(task.source).name} changed while it was read; spot it again when it is "
                "complete"
            )
    elif reused:
        found = found.rethreshold(task.settings.rules)
    if spotted:
        refused = write_exports(found, path, task)
        write_results(found, path, force=task.force)
    elif task.again:
        refused = write_exports(found, path, task)
    written = modification_stamp(str(path))[0]
    digest = found.source.sha256 or content_sha256(task.source)
    seconds = round(time.monotonic() - started, 3)
    row, more = summary_row(found), found.warnings
    return SpottedVideo(
        name, digest, trusted, written, row, spotted, seconds, more, reused, refused
    )


def find_stored(task: VideoTask, stamp: str) -> tuple[str, Spotting | None]:
    """The name of the results, and what is stored of them if it is of use."""
    same = task.known_sha256 is not None and has_content(task, stamp)
    if same and (task.same_settings or task.same_scores):
        return task.name, read_stored(result_file(Path(task.out), task.name))
    return (task.name if same or task.other_name is None else task.other_name), None


def has_content(task: VideoTask, stamp: str) -> bool:
    """Whether the video is the one of the stored result: by its stamp, else by its content."""
    if stamp and stamp == task.known_stamp:
        return True
    return content_sha256(task.source) == task.known_sha256


def spot_content(
    source: str,
    settings: SpotSettings,
    progress: FrameCallback | None = None,
    overlap: bool = False,
) -> Spotting:
    """As `Spotter.spot`. Every error of the video is a SourceError, as the batch goes on."""
    spotter = load_spotter(settings)
    spotter.rules = settings.rules
    try:
        opened = open_source(source, rate=settings.rate)
        if settings.seconds is not None:
            limit = settings.seconds
            opened.frames = takewhile(lambda frame: frame.time < limit, opened.frames)
        return spotter.spot(opened, progress=progress, overlap=overlap)
    except UsageError as error:
        raise SourceError(str(error)) from error
    except OSError as error:
        raise unreadable(source, error) from error


def load_spotter(settings: SpotSettings) -> Spotter:
    """One for each process and kind, as loading costs more than a short video. Weights that changed
    are loaded again.
    """
    folder = bundled_weights() if settings.weights is None else Path(settings.weights)
    config = folder / CONFIG
    known = file_sha256(config) if config.is_file() else ""
    return cached_spotter(
        settings.weights, settings.runtime, settings.faces, settings.device, settings.sound, known
    )


@lru_cache(maxsize=2)
def cached_spotter(
    weights: str | None, runtime: Any, faces: Any, device: Device, sound: bool, _known: str
) -> Spotter:
    cv2.setNumThreads(1)  # other workers have the other cores
    return Spotter(weights, runtime=runtime, faces=faces, device=device, sound=sound)


def write_exports(found: Spotting, result: Path, task: VideoTask) -> str:
    """The exports beside a result; why some were not written, or empty.

    They come first: where the JSON lies, all of them lie.
    """
    try:
        name = result.name.removesuffix(".json")
        export(found, task.settings.formats, result.parent, name, force=task.force)
    except FesnetError as error:
        if not concerns_one_item(error):
            raise
        return " ".join(str(error).split())
    return ""


def result_file(out: Path, name: str) -> Path:
    return out / f"{name}.json"


def read_stored(path: Path) -> Spotting | None:
    """The result in a file; None where there is none, or a damaged one."""
    try:
        return Spotting.from_json(path)
    except FesnetError:
        return None


def modification_stamp(source: str) -> tuple[str, float]:
    """Size and time of change as one word, and the newest time (s); of a folder, of all its images.

    The word is empty for an address. Raises SourceError where nothing is there any more.
    """
    if "://" in source:
        return "", 0.0
    try:
        facts = [(f.name, f.stat()) for f in source_files(Path(source))]
    except OSError as error:
        raise unreadable(source, error) from error
    newest = max((s.st_mtime for _, s in facts), default=0.0)
    if not Path(source).is_dir():
        return f"{facts[0][1].st_size}:{facts[0][1].st_mtime_ns}", newest
    return sha256_of_lines([f"{s.st_size}:{s.st_mtime_ns} {name}" for name, s in facts]), newest


def content_sha256(source: str) -> str:
    """The sha256 of a file, or of the names and contents of a folder's images; empty for an
    address.
    """
    if "://" in source:
        return ""
    try:
        return source_sha256(Path(source))
    except OSError as error:
        raise unreadable(source, error) from error


def unreadable(source: str, error: OSError) -> SourceError:
    return SourceError(
        f"cannot read {Path(source).name}: {error.strerror}; is its share still there?"
    )


def source_files(path: Path) -> Iterator[Path]:
    """A file, or the images of a folder in their order. Raises OSError."""
    if path.is_dir():
        yield from sorted(image_files(path), key=natural_key)
    else:
        path.stat()
        yield path

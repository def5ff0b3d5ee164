"""A few sources in this process, one after another: results to files, errors gathered instead of
raised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from fesnet._io import resolve_path
from fesnet._types import ProgressCallback
from fesnet.errors import FesnetError
from fesnet.exports import check_results, export, write_results
from fesnet.jobs.resumable import concerns_one_item
from fesnet.result import Spotting
from fesnet.spotter import Spotter
from fesnet.video import Frame, Source, open_source
from fesnet.video.files import missing_source_error, public_address
from fesnet.video.folder import check_folder_rate
from fesnet.video.source import check_seconds


@dataclass(frozen=True)
class SpotJob:
    """What is done with every source. out: folder for results; rate: of image folders; seconds:
    stop after; formats: of `fesnet.exports` to write beside each result; force: replace files of
    people, too."""

    spotter: Spotter
    out: Path | None = None
    rate: float | None = None
    seconds: float | None = None
    formats: tuple[str, ...] = ()
    force: bool = False

    def __post_init__(self) -> None:
        check_seconds(self.seconds)


def check_sources(names: list[str]) -> list[str | int]:
    """Paths, addresses and camera numbers as `open_source` takes them. Raises UsageError for what
    is not there.
    """
    out: list[str | int] = []
    for name in names:
        if name.isdecimal() and not Path(name).exists():
            out.append(int(name))
        elif "://" in name or Path(name).exists():
            out.append(name)
        else:
            raise missing_source_error(name)
    return out


@dataclass(frozen=True)
class SourceResult:
    """What came of one source. source: as it may be printed, without a password; name: of its
    results.
    """

    source: str
    name: str
    outcome: Spotting | FesnetError


def spot_sources(
    sources: list[str | int], job: SpotJob, report: ProgressCallback
) -> list[SourceResult]:
    """Spot one after another; a source that fails does not stop the others and stands in the list
    by its error, one whose result a format cannot hold by its result and by that error. Raises
    UsageError before any work where a call is wrong."""
    results: list[SourceResult] = []
    for source in sources:
        if not isinstance(source, int) and "://" not in source and Path(source).is_dir():
            check_folder_rate(Path(source), job.rate)
    for source, name in zip(sources, result_names(sources), strict=True):
        label = (
            public_address(source) if isinstance(source, str) and "://" in source else str(source)
        )
        try:
            for found in spot_to_files(source, name, job, report):
                results.append(SourceResult(label, name, found))  # noqa: PERF401  # kept if it raises
        except FesnetError as error:
            if not concerns_one_item(error):
                raise
            results.append(SourceResult(label, name, error))
    return results


def spot_to_files(
    source: str | int, name: str, job: SpotJob, report: ProgressCallback
) -> Iterator[Spotting]:
    """Yield the result once it is written, then write its exports. Raises FesnetError."""
    target = None if job.out is None else job.out / f"{name}.json"
    if target is not None:
        check_results(target, force=job.force)  # before any work
    found = spot_source(source, job, report)
    if target is not None:
        write_results(found, target, force=job.force)
    yield found
    if target is not None:
        export(found, job.formats, target.parent, name, force=job.force)


def spot_source(source: str | int, job: SpotJob, report: ProgressCallback) -> Spotting:
    opened = open_source(source, rate=job.rate)
    label = opened.name
    if job.seconds is not None:
        limit = job.seconds
        opened.frames = takewhile(lambda frame: frame.time < limit, opened.frames)
    end = job.seconds or opened.duration

    def progress(frame: Frame, _: Source) -> None:
        if frame.index % 10 == 0:
            report(label, None if not end else min(frame.time / end, 1.0))

    return job.spotter.spot(opened, progress=progress)


def result_names(sources: list[str | int]) -> list[str]:
    """A file name for each source: its name without the ending, or with it where two would be the
    same.
    """
    return unique_names([short_and_full_name(source) for source in sources])


def unique_names(both: list[tuple[str, str]]) -> list[str]:
    """Of (short, whole): the short name; the whole one where another short is the same; else that
    with a number. Case is ignored, as on many file systems.
    """
    short = Counter(first.lower() for first, _ in both)
    names = [whole if short[first.lower()] > 1 else first for first, whole in both]
    total = Counter(name.lower() for name in names)
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name.lower()] += 1
        out.append(f"{name}-{seen[name.lower()]}" if total[name.lower()] > 1 else name)
    return out


def short_and_full_name(source: str | int) -> tuple[str, str]:
    """A source's name without and with the ending; never with user, password or query of an
    address.
    """
    if isinstance(source, int):
        return (f"camera{source}",) * 2
    if "://" in source:
        address = urlsplit(public_address(source))
        path = PurePosixPath(address.path)
        host = (address.hostname or "stream").replace(":", "-")
        return (path.stem, path.name) if path.name else (host, host)
    local = resolve_path(Path(source))  # "." has a name then
    whole = local.name or "images"
    return (whole if local.is_dir() else local.stem, whole)

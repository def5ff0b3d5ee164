"""Reports and exports of all results of a folder, in the version that counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fesnet._guard import replacing
from fesnet._io import make_folder
from fesnet.errors import FesnetError
from fesnet.exports import iter_exports
from fesnet.report import write_report
from fesnet.report.timeline_svg import LabelledTime
from fesnet.result import Spotting
from fesnet.study.markers import Marker, folder_markers, name_participants, names_of_video
from fesnet.study.results import StudyResult, error_of_one, find_results


def write_pages(
    folder: Path, out: Path | None, embed: int, *, convert: bool = False, force: bool = False
) -> Iterator[tuple[Path, str | FesnetError]]:
    """(page, what it lacks, or why it could not be written) of each result. embed, convert: as of
    `write_report`. Raises UsageError.
    """
    results = find_results(folder)
    markers = name_participants(folder_markers(folder), {r.participant for r in results})
    for result in results:
        page = file_of(result, out).with_suffix(".html")
        try:
            spotting = result.read()
            make_folder(page.parent)
            shown = shown_markers(result, spotting, markers)
            with replacing(page, force=force):
                lack = write_report(spotting, page, embed=embed, convert=convert, markers=shown)
            yield page, lack
        except FesnetError as error:
            if error.exit_code == 2 and not page.parent.is_dir():
                raise
            yield page, error
        except OSError as error:
            yield page, error_of_one(page, error)


def file_of(result: StudyResult, out: Path | None) -> Path:
    """Where files of the version that counts go: beside it, or to its place below `out`."""
    version = result.version
    return version if out is None else (out / result.name).parent / version.name


def shown_markers(
    result: StudyResult, spotting: Spotting, markers: Sequence[Marker]
) -> list[LabelledTime]:
    """The markers of one result, within its video."""
    names = names_of_video(result.name, spotting.source.name)
    start = float(spotting.frame_times[0])
    end = start + spotting.seconds
    own = sorted(m for m in markers if m.belongs_to(result.participant, names))
    return [(m.label, m.start_s, min(m.end_s, end)) for m in own if m.start_s < end]


def export_results(
    folder: Path, formats: Sequence[str], out: Path | None, year: int, *, force: bool = False
) -> Iterator[tuple[str, list[Path], FesnetError | None]]:
    """(name, files, error) of each result; what one format refuses does not stop the others."""
    for result in find_results(folder):
        target = file_of(result, out)
        paths: list[Path] = []
        try:
            make_folder(target.parent)
            names = (target.parent, target.stem, year)
            for path in iter_exports(result.read(), formats, *names, force=force):
                paths.append(path)  # noqa: PERF402  # those before an error count, too
        except (FesnetError, OSError) as error:
            yield result.name, paths, error_of_one(target, error)
        else:
            yield result.name, paths, None

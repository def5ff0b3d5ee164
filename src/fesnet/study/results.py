"""The results of a folder, each in the version that counts: corrected by a person, else the
machine's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fesnet._io import file_exists, is_result, write_error
from fesnet._names import closest_names
from fesnet.batch.columns import PARTICIPANT, Columns, read_study_columns, result_key
from fesnet.errors import FesnetError, TargetError, UsageError
from fesnet.result import Spotting
from fesnet.review import read_reviewed
from fesnet.review.review_file import REVIEW_SUFFIX


@dataclass(frozen=True)
class StudyResult:
    """One result. name: its path below the folder, without the ending, divided by "/"; path: of
    the machine's version; columns: what study.csv says of it.
    """

    name: str
    path: Path
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def review(self) -> Path:
        """Where its review lies, if there is one."""
        return review_of(self.path)

    @property
    def reviewed(self) -> bool:
        return file_exists(self.review)

    @property
    def version(self) -> Path:
        """The file that counts: NAME.review.json, else NAME.json."""
        return self.review if self.reviewed else self.path

    @property
    def participant(self) -> str:
        """As study.csv says, else the name of the result: each video stands for itself."""
        return self.columns.get(PARTICIPANT) or self.name

    def read(self) -> Spotting:
        """The version that counts. Raises UsageError and ResultError."""
        return read_reviewed(self.review) if self.reviewed else Spotting.from_json(self.path)


def error_of_one(target: Path, error: FesnetError | OSError) -> FesnetError:
    """What keeps one result from being read, or from being written to `target`. Raises it again
    where the others would meet the same: a full disk, a wrong call.
    """
    if isinstance(error, OSError):
        error = write_error(target, error)
    if error.exit_code == 2 and not isinstance(error, TargetError):
        raise error
    return error


def review_of(result: Path) -> Path:
    return result.with_name(result.name.removesuffix(".json") + REVIEW_SUFFIX)


def read_named(file: Path) -> Spotting:
    """NAME.json, or NAME.review.json as corrected. Raises UsageError and ResultError."""
    return read_reviewed(file) if file.name.endswith(REVIEW_SUFFIX) else Spotting.from_json(file)


def read_version(result: Path) -> Spotting | None:
    """The version of NAME.json that counts; None for a damaged one."""
    try:
        return StudyResult(result.stem, result).read()
    except FesnetError:
        return None


def find_results(folder: Path) -> list[StudyResult]:
    """All results anywhere below a folder, hidden folders aside, in the order of their names.

    Raises UsageError for a folder without any, TruthError for a damaged study.csv.
    """
    if not folder.is_dir():
        raise UsageError(f"expected a folder of results, but {folder} does not exist")
    columns = read_study_columns(folder)
    found = sorted(result_paths(folder))
    rows = rows_of_results([name for name, _ in found], columns)
    out = [StudyResult(name, path, rows.get(name, {})) for name, path in found]
    if not out:
        raise UsageError(
            f"expected results of `fesnet spot --out` in {folder}, found none; name their folder"
        )
    return out


def rows_of_results(names: Sequence[str], columns: Columns) -> Columns:
    """The rows of study.csv by the names of results. A spreadsheet may have dropped zeros of names,
    or another system changed their letters; a row written just so is of no other result.
    """
    rows = {name: columns[key] for name in names if (key := result_key(name)) in columns}
    others = [key for key in columns if key not in {result_key(name) for name in rows}]
    for name in names if others else ():
        fits = closest_names(name, others) if name not in rows else []
        if len(fits) == 1:
            rows[name] = columns[fits[0]]
    return rows


def result_paths(folder: Path) -> Iterator[tuple[str, Path]]:
    """(name, path) of every result below a folder."""
    for path in folder.rglob("*.json"):
        below = path.relative_to(folder)
        if not any(part.startswith(".") for part in below.parts) and is_result(path):
            yield below.as_posix().removesuffix(".json"), path


def is_results_folder(path: Path) -> bool:
    """Whether a path is a folder that holds results and no weights."""
    return path.is_dir() and next(result_paths(path), None) is not None

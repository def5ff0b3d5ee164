"""What a manifest's columns mean, and study.csv: what it says of the videos beside their options.

study.csv lies in the results folder: `result` (the name of the result, below the folder, without an
ending), `participant`, and the manifest's own columns. People may edit it, or write it themselves.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fesnet._locks import CHANGE_LOCK, lock_change
from fesnet._names import comparison_keys
from fesnet.errors import TruthError, UsageError
from fesnet.spreadsheet import read_text_table, write_text_table

STUDY = "study.csv"
RESULT, PARTICIPANT = "result", "participant"
# Columns of a manifest -> the setting that each sets (`SpotSettings.override`), and how it is read.
OPTIONS: dict[str, tuple[str, type]] = {
    "fps": ("rate", float),
    "faces": ("faces", str),
    "seconds": ("seconds", float),
    "macro_threshold": ("macro_threshold", float),
    "micro_threshold": ("micro_threshold", float),
}
KNOWN = ("video", "subject", *OPTIONS)
# Columns that the tables of a study have themselves; a manifest may not say something else by them.
TABLE_COLUMNS = {
    *("result", "status", "reason", "version", "kind", "face", "face_number", "by", "when"),
    *("checked", "note", "score", "onset_s", "apex_s", "offset_s", "onset_frame", "apex_frame"),
    *("offset_frame", "duration_s", "frames", "unknown_s", "warnings", "sha256", "reviewed_by"),
}
# Names of results that would take the place of the folder's own files.
OWN_NAMES = {
    *("summary", "run", "study", "expressions", "participants", "statistics", "markers"),
    *("by_marker", "index", "raster", "rates"),
}


def manifest_columns(file: Path, columns: Sequence[str]) -> dict[str, str]:
    """The known names of a manifest, by any case, and how each is written there.

    Raises UsageError for a missing or doubled column, for one that is nearly the name of an option,
    and for one that the tables have themselves.
    """
    known: dict[str, str] = {}
    for column in columns:
        name = column.casefold()
        name = "subject" if name == PARTICIPANT else name
        if name in KNOWN:
            if name in known:
                raise doubled_column(file, columns)
            known[name] = column
        else:
            check_own_column(file, column)
    if "video" not in known or len({c.casefold() for c in columns}) < len(columns):
        raise doubled_column(file, columns)
    return known


def doubled_column(file: Path, columns: Sequence[str]) -> UsageError:
    return UsageError(
        f"expected a column video in {file}, and each column once, got "
        f"{shorten_list(list(columns)) or 'none'}"
    )


def check_own_column(file: Path, column: str) -> None:
    """Raises UsageError for a column that cannot travel into tables."""
    if not column:
        raise UsageError(f"expected a name for each column in {file}, got an empty one; name it")
    if column.casefold() in TABLE_COLUMNS:
        raise UsageError(
            f"expected another name for the column {column!r} in {file}, which the tables have "
            "themselves; rename it"
        )
    near = difflib.get_close_matches(column.casefold(), KNOWN, n=1, cutoff=0.85)
    if near:
        raise UsageError(
            f"expected a column {near[0]} in {file}, got {column!r}; correct it, or name it "
            "otherwise"
        )


def shorten_list(words: list[str]) -> str:
    """The first few, each cut, as a damaged table may have thousands."""
    return ", ".join(word[:40] for word in words[:5]) + (" ..." if len(words) > 5 else "")


Columns = dict[str, dict[str, str]]  # by `result_key` of a result: what is known of its video


def read_study_columns(folder: Path) -> Columns:
    """By result, the cells of study.csv; empty where there is none. Raises TruthError."""
    file = folder / STUDY
    if not file.is_file():
        return {}
    table = read_text_table(file)
    if RESULT not in table.columns:
        raise TruthError(
            f"expected a column {RESULT} in {file}, got {shorten_list(list(table.columns))}"
        )
    out: Columns = {}
    for row in table.rows:
        name = result_key(row.cells[RESULT])
        if name in out:
            raise TruthError(f"expected each result once in {file}, got {name} again in {row.line}")
        out[name] = {c: text for c, text in row.cells.items() if c != RESULT}
    return out


def merge_study_columns(folder: Path, known: Mapping[str, Mapping[str, str]]) -> Columns:
    """Write study.csv with what is known now; rows of other results stay. Returns all of it.

    Nothing is written where nothing is known beside the video. Others who do the same wait.
    """
    if not any(known.values()):
        return read_study_columns(folder)
    with lock_change(folder / CHANGE_LOCK):
        return merge_locked(folder, known)


def merge_locked(folder: Path, known: Mapping[str, Mapping[str, str]]) -> Columns:
    """The same, while nobody else changes study.csv."""
    rows: Columns = {**read_study_columns(folder)}
    own = {result_key(name): cells for name, cells in known.items()}
    rows |= {name: {**rows.get(name, {}), **cells} for name, cells in own.items()}
    names = column_names(rows.values())
    if names:
        cells = [[name, *(rows[name].get(c, "") for c in names)] for name in sorted(rows)]
        write_text_table(folder / STUDY, [[RESULT, *names], *cells])
    return rows


def result_key(name: str) -> str:
    """The name of a result as study.csv can hold it."""
    return comparison_keys(name)[0]


def column_names(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """Every column of some rows, the participant first, in the order in which they come."""
    names = list(dict.fromkeys(c for row in rows for c, text in row.items() if text))
    return sorted(names, key=lambda c: c != PARTICIPANT)

"""Spreadsheets, xls or xlsx, every cell as text: codes keep their zeros, whole numbers have no
point.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from fesnet._io import LARGEST_FILE, check_archive, check_regular_file
from fesnet._messages import get_extra
from fesnet.errors import MissingExtraError, TruthError, UsageError
from fesnet.video.folder import natural_key

READERS = {".xlsx": "openpyxl", ".xls": "xlrd"}
SHOWN = 5  # names in an error
MOST_CELLS = 20_000_000  # of one sheet
MOST_ROWS = 1 << 20  # of one sheet, as spreadsheets have them
HEADER_ROWS = 40  # where a header may stand
Rows = list[list[str]]


def find_file(root: Path, patterns: Sequence[str], table: Path | None = None) -> Path:
    """The spreadsheet with the annotations: `table`, else by its name in the root or one folder
    below.

    patterns: official names, regardless of case; the first that fits anything wins, and of its
    files the newest by name (V10 is newer than V2). Raises UsageError for a table that does not
    exist, TruthError for none.
    """
    if table is not None:
        if not table.is_file():
            raise UsageError(f"expected a spreadsheet with the annotations, but {table} is none")
        return table
    there = [
        p
        for place in ("*", "*/*")
        for p in root.glob(place)
        if p.suffix.lower() in READERS and not p.name.startswith(("~", "."))
    ]
    for pattern in patterns:
        found = [p for p in there if fnmatch(p.name.lower(), pattern.lower())]
        if found:
            return max(found, key=natural_key)
    names = ", ".join(p.name for p in sorted(there, key=natural_key)[:SHOWN])
    got = names or f"no spreadsheet beside {folder_names(root)}"
    raise TruthError(
        f"expected the annotations {patterns[0]} in {root}, got {got}; put the official file in, "
        "or name it with --table"
    )


def folder_names(root: Path) -> str:
    """The first things in a folder, for an error."""
    names = sorted(p.name for p in root.iterdir())
    more = ", ..." if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more if names else "nothing"


def read_workbook(path: Path) -> dict[str, Rows]:
    """All sheets by name. Raises TruthError, and MissingExtraError without the reader."""
    library = READERS.get(path.suffix.lower())
    if library is None:
        raise TruthError(f"expected a file .xlsx or .xls, got {path}")
    try:
        module = importlib.import_module(library)
    except ImportError as error:
        raise MissingExtraError(
            f"expected {library} to read {path.name}; {get_extra('datasets')}"
        ) from error
    try:
        check_regular_file(path)
        sheets = read_xlsx(module, path) if library == "openpyxl" else read_xls(module, path)
    except Exception as error:  # both readers raise what their parsers raise
        raise TruthError(
            f"expected a spreadsheet in {path}, but it cannot be read ({error})"
        ) from error
    return sheets


def read_xlsx(openpyxl: Any, path: Path) -> dict[str, Rows]:
    """Raises ValueError for a file that unpacks to gigabytes, and what openpyxl raises."""
    check_archive(path, LARGEST_FILE)
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        return {s.title: read_rows_of_sheet(s) for s in book.worksheets}
    finally:
        book.close()


def read_rows_of_sheet(sheet: Any) -> Rows:
    """All rows up to the last one that says something, of one length.

    Raises ValueError for more cells than any table has: a small file can name the last cell of all.
    """
    sheet.reset_dimensions()  # what a sheet claims may be far more than it holds
    rows: Rows = []
    for cells in sheet.iter_rows(values_only=True):
        row = [cell_text(c) for c in cells]
        while row and not row[-1]:
            row.pop()
        rows.append(row)
        if len(rows) > MOST_ROWS:  # the reader makes up those before a number that is far away
            raise ValueError(f"more than {MOST_ROWS} rows in {sheet.title!r}")
    while rows and not rows[-1]:
        rows.pop()
    width = max(map(len, rows), default=0)
    if width * len(rows) > MOST_CELLS:
        raise ValueError(f"{len(rows)} rows of {width} columns in {sheet.title!r}")
    return [row + [""] * (width - len(row)) for row in rows]


def read_xls(xlrd: Any, path: Path) -> dict[str, Rows]:
    book = xlrd.open_workbook(str(path))
    return {
        s.name: [[cell_text(c) for c in s.row_values(n)] for n in range(s.nrows)]
        for s in book.sheets()
    }


def cell_text(cell: Any) -> str:
    """A cell as a person reads it. One of "#" alone, as of a column that was too narrow, holds
    nothing.
    """
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell).strip()
    return "" if re.fullmatch(r"#+", text) else text


def find_sheet(sheets: dict[str, Rows], name: str) -> Rows | None:
    """The sheet of a name, regardless of case and blanks; None where there is none."""
    wanted = name.replace(" ", "").lower()
    for title, rows in sheets.items():
        if title.replace(" ", "").lower() == wanted:
            return rows
    return None


def find_columns(
    sheets: dict[str, Rows], name: str, columns: Sequence[str], path: Path
) -> tuple[Rows, int, dict[str, int]]:
    """The sheet `name`, else the first with these columns; its header's row, and where each stands.

    Raises TruthError, which names what is there.
    """
    own = find_sheet(sheets, name)
    for rows in [own] if own is not None else list(sheets.values()):
        header = find_header(rows, columns)
        if header is not None:
            return rows, *header
    there = "; ".join(f"{title}: {row_text(rows)}" for title, rows in sheets.items())
    raise TruthError(
        f"expected a sheet {name} with the columns {', '.join(columns)} in {path}, got "
        f"{there or 'no sheet'}"
    )


def row_text(rows: Rows) -> str:
    """The row of a sheet that looks most like a header, for an error."""
    head = max(rows[:HEADER_ROWS], key=lambda row: sum(map(bool, row)), default=[])
    return ", ".join(c for c in head if c) or "empty"


def find_header(rows: Rows, names: Sequence[str]) -> tuple[int, dict[str, int]] | None:
    """The row that holds all names (regardless of case) and where each stands."""
    for number, row in enumerate(rows[:HEADER_ROWS]):
        lower = [c.lower() for c in row]
        if all(n.lower() in lower for n in names):
            return number, {n: lower.index(n.lower()) for n in names}
    return None


def optional_column(row: Sequence[str], *names: str) -> int | None:
    """Where the first of these columns stands in a header, regardless of case."""
    lower = [c.lower() for c in row]
    return next((lower.index(n.lower()) for n in names if n.lower() in lower), None)


def cell_at(row: Sequence[str], place: int | None) -> str:
    """A cell, "" where there is none."""
    return "" if place is None or place >= len(row) else row[place]

"""Spreadsheets, xls or xlsx, every cell as text: codes keep their zeros, whole numbers have no
point.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from fesnet._messages import get_extra
from fesnet.errors import MissingExtraError, TruthError
from fesnet.video.folder import natural_key

READERS = {".xlsx": "openpyxl", ".xls": "xlrd"}


def find_file(root: Path, pattern: str) -> Path:
    """The newest by name of the files that fit (V10 is newer than V2), in the root or one folder
    below. Raises TruthError for none."""
    fitting = (
        p
        for place in (pattern, f"*/{pattern}")
        for p in root.glob(place)
        if not p.name.startswith("~")
    )
    found = sorted(fitting, key=natural_key)
    if not found:
        raise TruthError(
            f"expected the annotations {pattern} in {root}, but they are not there; put the "
            "official file in"
        )
    return found[-1]


def read_sheet(path: Path, wanted: str) -> list[list[str]]:
    """All rows of a sheet, named regardless of case. Raises TruthError, and MissingExtraError
    without the reader.
    """
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
        sheets = read_xlsx(module, path) if library == "openpyxl" else read_xls(module, path)
    except Exception as error:  # both readers raise what their parsers raise
        raise TruthError(
            f"expected a spreadsheet in {path}, but it cannot be read ({error})"
        ) from error
    for name, rows in sheets.items():
        if name.strip().lower() == wanted.lower():
            return rows
    raise TruthError(f"expected a sheet {wanted} in {path}, got {', '.join(sheets) or 'none'}")


def read_xlsx(openpyxl: Any, path: Path) -> dict[str, list[list[str]]]:
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        return {
            s.title: [[cell_text(c) for c in row] for row in s.iter_rows(values_only=True)]
            for s in book.worksheets
        }
    finally:
        book.close()


def read_xls(xlrd: Any, path: Path) -> dict[str, list[list[str]]]:
    book = xlrd.open_workbook(str(path))
    return {
        s.name: [[cell_text(c) for c in s.row_values(n)] for n in range(s.nrows)]
        for s in book.sheets()
    }


def cell_text(cell: Any) -> str:
    """A cell as a person reads it."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def find_header(
    rows: list[list[str]], names: tuple[str, ...], path: Path
) -> tuple[int, dict[str, int]]:
    """The row that holds all names (regardless of case) and where each stands. Raises
    TruthError.
    """
    for number, row in enumerate(rows[:40]):
        lower = [c.lower() for c in row]
        if all(n.lower() in lower for n in names):
            return number, {n: lower.index(n.lower()) for n in names}
    first = next((r for r in rows if any(r)), [])
    raise TruthError(
        f"expected columns {', '.join(names)} in {path}, got "
        f"{', '.join(c for c in first if c) or 'none'}"
    )

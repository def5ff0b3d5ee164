"""Tables that people keep: CSV as `fesnet._tables` takes it, or xlsx.

Every cell is read as text, so that codes such as 007 keep their zeros.
"""

from __future__ import annotations

import csv
import importlib
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fesnet._io import atomic_write_text, check_regular_file, read_regular_file
from fesnet._messages import get_extra
from fesnet._names import from_cell, text_cell
from fesnet._tables import split_cells, strip_columns
from fesnet.datasets.sheets import read_xlsx
from fesnet.errors import MissingExtraError, TruthError


@dataclass(frozen=True)
class TableRow:
    """One row: its line, counted from 1, and its cells by column."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class TextTable:
    """columns: names as written, without blanks around; rows: in their order, empty ones left out.

    decimal_comma: whether the separator is not a comma, so that "0,5" may be a number.
    """

    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    decimal_comma: bool = False

    def number(self, text: str) -> float:
        """A finite number of a cell. Raises ValueError."""
        if "_" in text:  # Python's own way of writing numbers, not that of tables
            raise ValueError(f"{text!r} is no number")
        value = float(text.replace(",", ".") if self.decimal_comma else text)
        if not math.isfinite(value):
            raise ValueError(f"{text!r} is not finite")
        return value


def read_text_table(path: Path) -> TextTable:
    """A CSV or xlsx file; of a spreadsheet, its first sheet.

    Raises TruthError for a file that is no table, and for a row of more or fewer cells than
    columns; MissingExtraError for an xlsx file without its reader.
    """
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        return make_text_table(path, pad_rows(read_first_sheet(path)), decimal_comma=True)
    try:
        separator, lines = split_cells(read_regular_file(path), strict=True)
    except (OSError, UnicodeError, csv.Error) as error:
        raise TruthError(
            f"expected a table (CSV in UTF-8, or .xlsx) in {path}, got something else ({error}); "
            "save it so (in Excel: CSV UTF-8)"
        ) from error
    return make_text_table(path, lines, decimal_comma=separator != ",")


def read_first_sheet(path: Path) -> list[list[str]]:
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ImportError as error:
        raise MissingExtraError(
            f"expected openpyxl to read {path.name}; {get_extra('study')}"
        ) from error
    try:
        check_regular_file(path)
        return next(iter(read_xlsx(openpyxl, path).values()), [])
    except Exception as error:  # it raises what its parsers raise
        raise TruthError(
            f"expected a spreadsheet in {path}, but it cannot be read ({error})"
        ) from error


def pad_rows(rows: list[list[str]]) -> list[tuple[int, list[str]]]:
    """Numbered rows of a sheet, each as wide as its first one; a sheet has no missing cells."""
    numbered = [(n, row) for n, row in enumerate(rows, 1) if any(row)]
    wide = len(strip_columns(numbered[0][1])) if numbered else 0
    return [(n, row + [""] * (wide - len(row))) for n, row in numbered]


def make_text_table(
    path: Path, lines: list[tuple[int, list[str]]], *, decimal_comma: bool
) -> TextTable:
    filled = drop_blank_columns([(n, [from_cell(c.strip()) for c in row]) for n, row in lines])
    if not filled:
        return TextTable((), (), decimal_comma)
    head, rows = filled[0][1], []
    wide = len(strip_columns(head))
    if any(any(cells[wide : len(head)]) for _, cells in filled[1:]):
        wide = len(head)  # a column that lacks its name
    columns = head[:wide]
    for number, cells in filled[1:]:
        inside = cells if any(cells[wide:]) else cells[:wide]  # empty ones at the end are none
        if len(inside) != wide:
            raise TruthError(
                f"expected as many cells as columns in {path} line {number}, got {len(inside)} "
                f"instead of {wide}"
            )
        if any(inside):
            rows.append(TableRow(number, dict(zip(columns, inside, strict=True))))
    return TextTable(tuple(columns), tuple(rows), decimal_comma)


def drop_blank_columns(lines: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Without the columns before the first one that holds anything, in which a sheet begins."""
    blank = min(
        (next((k for k, c in enumerate(row) if c), len(row)) for _, row in lines), default=0
    )
    return [(n, row[blank:]) for n, row in lines]


def write_text_table(
    path: Path, rows: Iterable[Iterable[object]], *, decimal_comma: bool = False
) -> None:
    """Write rows as a CSV table in UTF-8, atomically; None is an empty cell.

    decimal_comma: numbers as 0,5, separated by semicolons, with a byte-order mark, as spreadsheet
    programs of many countries expect.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n", delimiter=";" if decimal_comma else ",")
    for row in rows:
        table.writerow([cell_of(value, decimal_comma) for value in row])
    atomic_write_text(path, ("\ufeff" if decimal_comma else "") + text.getvalue())


def cell_of(value: object, decimal_comma: bool) -> object:
    """A value as it stands in the table; a text that is no number is no formula either."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return text_cell(value)
    return str(value).replace(".", ",") if decimal_comma and isinstance(value, float) else value

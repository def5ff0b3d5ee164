"""Tables that people keep: CSV with comma, semicolon or tab, or xlsx.

Every cell is read as text, so that codes such as 007 keep their zeros. The separator is the one of
`SEPARATORS` that stands most often in the line of the columns' names, outside of quotes.
"""

from __future__ import annotations

import codecs
import csv
import importlib
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fesnet._io import atomic_write_text
from fesnet._messages import get_extra
from fesnet.datasets.sheets import read_xlsx
from fesnet.errors import MissingExtraError, TruthError

SEPARATORS = ",;\t"
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",  # "Unicode text" of spreadsheet programs
    codecs.BOM_UTF16_BE: "utf-16",
}


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
        text = decode_table(path.read_bytes())
        separator = find_separator(text)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        lines = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeError, csv.Error) as error:
        raise TruthError(
            f"expected a table (CSV in UTF-8, or .xlsx) in {path}, got something else ({error}); "
            "save it so (in Excel: CSV UTF-8)"
        ) from error
    return make_text_table(path, lines, decimal_comma=separator != ",")


def decode_table(data: bytes) -> str:
    """The text of a file, by its byte-order mark, else UTF-8. Raises UnicodeError."""
    encoding = next((e for mark, e in BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8")
    return data.decode(encoding)


def find_separator(text: str) -> str:
    """Of the first line that says something; a comma where none of them is there."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    bare = "".join(first.split('"')[::2])  # what stands outside of quotes
    return max(SEPARATORS, key=bare.count)


def read_first_sheet(path: Path) -> list[list[str]]:
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ImportError as error:
        raise MissingExtraError(
            f"expected openpyxl to read {path.name}; {get_extra('study')}"
        ) from error
    try:
        return next(iter(read_xlsx(openpyxl, path).values()), [])
    except Exception as error:  # it raises what its parsers raise
        raise TruthError(
            f"expected a spreadsheet in {path}, but it cannot be read ({error})"
        ) from error


def pad_rows(rows: list[list[str]]) -> list[tuple[int, list[str]]]:
    """Numbered rows of a sheet, each as wide as its first one; a sheet has no missing cells."""
    numbered = [(n, row) for n, row in enumerate(rows, 1) if any(row)]
    if not numbered:
        return []
    head = numbered[0][1]
    wide = max(n for n, name in enumerate(head, 1) if name)
    return [
        (n, row + [""] * (wide - len(row)) if len(row) < wide else trim_row(row, wide))
        for n, row in numbered
    ]


def trim_row(row: list[str], wide: int) -> list[str]:
    """Without empty cells beyond the width."""
    return row[:wide] if not any(row[wide:]) else row


def make_text_table(
    path: Path, lines: list[tuple[int, list[str]]], *, decimal_comma: bool
) -> TextTable:
    filled = [(n, [cell.strip() for cell in row]) for n, row in lines if row]
    if not filled:
        return TextTable((), (), decimal_comma)
    columns, rows = filled[0][1], []
    for number, cells in filled[1:]:
        if len(cells) != len(columns):
            raise TruthError(
                f"expected as many cells as columns in {path} line {number}, got {len(cells)} "
                f"instead of {len(columns)}"
            )
        if any(cells):
            rows.append(TableRow(number, dict(zip(columns, cells, strict=True))))
    return TextTable(tuple(columns), tuple(rows), decimal_comma)


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
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    return str(value).replace(".", ",") if decimal_comma and isinstance(value, float) else value

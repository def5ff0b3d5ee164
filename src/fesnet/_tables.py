"""Tables of text as people and spreadsheet programs save them.

Read without being told: UTF-8 or UTF-16 with a mark of byte order; commas, semicolons, tabs or bars
between cells; a first line `sep=;`; blank rows and columns at the end; decimal commas where cells
are not divided by commas.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from fesnet._io import read_regular_file

LONGEST_HEADER = 1_000_000  # letters
DELIMITERS = (",", ";", "\t", "|")
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
# Columns of names, in which a comma is a comma.
TEXT_COLUMNS = ("video", "vid", "subject", "kind", "type", "emotion", "faces")
SEPARATOR_LINE = re.compile(r'\s*"?sep=([^"\w\r\n])"?[;,\t ]*', re.IGNORECASE)


@dataclass(frozen=True)
class LooseTable:
    """columns: their names, in order; rows: the number of the line and the cells by column. A cell
    that is not there is None; cells without a column stand under None.
    """

    columns: list[str]
    rows: list[tuple[int, dict[str | None, str | None]]]

    def __iter__(self) -> Iterator[tuple[int, dict[str | None, str | None]]]:
        return iter(self.rows)


def read_loose_table(path: Path, known: Collection[str], *, strict: bool = False) -> LooseTable:
    """Read a table whose columns are among the `known` ones, or some of them.

    Raises OSError, UnicodeDecodeError, csv.Error.
    """
    delimiter, lines = split_cells(read_regular_file(path), known, strict=strict)
    columns: list[str] = []
    rows: list[tuple[int, dict[str | None, str | None]]] = []
    for number, cells in lines:
        if columns:
            rows.append((number, make_row(columns, cells, delimiter)))
        else:
            columns = strip_columns(cells)
    return LooseTable(columns, rows)


def split_cells(
    data: bytes, known: Collection[str] = (), *, strict: bool = False
) -> tuple[str, list[tuple[int, list[str]]]]:
    """The delimiter of a table, and the number and cells of each line that says something.

    known: columns by which the delimiter is told; without them it is the one that stands most often
    in the first line. Raises UnicodeDecodeError, csv.Error.
    """
    text, first = decode_table(data), 1
    line, _, rest = text.partition("\n")
    told = SEPARATOR_LINE.fullmatch(line.strip("\r"))
    if told:
        text, first = rest, 2
    delimiter = told[1] if told else guess_delimiter(text, known)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict)
    lines = ((reader.line_num + first - 1, cells) for cells in reader)
    return delimiter, [(n, cells) for n, cells in lines if any(cell.strip() for cell in cells)]


def strip_columns(cells: list[str]) -> list[str]:
    """Names of columns without blanks around, and without empty ones at the end."""
    columns = [c.strip() for c in cells]
    while columns and not columns[-1]:
        columns.pop()
    return columns


def decode_table(data: bytes) -> str:
    """Raises UnicodeDecodeError."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def guess_delimiter(text: str, known: Collection[str]) -> str:
    """The delimiter by which most columns of the first line are known ones, or which stands most
    often outside of quotes where none are known; a comma by default. Raises csv.Error for a line
    longer than any header.
    """
    header = next((line for line in io.StringIO(text, newline="") if line.strip(" ,;\t|\r\n")), "")
    if len(header) > LONGEST_HEADER:
        raise csv.Error(f"its first line has {len(header)} letters")
    if not known:
        return max(DELIMITERS, key="".join(header.split('"')[::2]).count)

    def count(delimiter: str) -> int:
        cells = next(csv.reader([header], delimiter=delimiter), [])
        return sum(cell.strip() in known for cell in cells)

    return max(DELIMITERS, key=count)  # the first of equal ones


def make_row(columns: list[str], cells: list[str], delimiter: str) -> dict[str | None, str | None]:
    """Cells by column. A decimal comma becomes a point where commas divide no cells."""
    row: dict[str | None, str | None] = dict.fromkeys(columns)
    for column, cell in zip(columns, cells, strict=False):
        numeric = delimiter != "," and column not in TEXT_COLUMNS
        comma = numeric and DECIMAL_COMMA.fullmatch(cell)
        row[column] = cell.replace(",", ".") if comma else cell
    beyond = ",".join(cells[len(columns) :])
    if beyond.strip(" ,"):
        row[None] = beyond
    return row

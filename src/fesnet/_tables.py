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
SEPARATOR_LINE = re.compile(r'\s*"?sep\s*=\s*([^"\w\r\n])"?[;,\t ]*', re.IGNORECASE)


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

    Case does not matter where a column has no other name. Raises OSError, UnicodeDecodeError,
    csv.Error.
    """
    delimiter, lines = split_cells(read_regular_file(path), known, strict=strict)
    spelt = {name.casefold(): name for name in known}
    columns: list[str] = []
    rows: list[tuple[int, dict[str | None, str | None]]] = []
    for number, cells in lines:
        if columns:
            rows.append((number, make_row(columns, cells, delimiter)))
        else:
            columns = name_columns(strip_columns(cells), spelt)
    return LooseTable(columns, rows)


def name_columns(columns: list[str], spelt: dict[str, str]) -> list[str]:
    """Columns as the reader knows them, whatever their case. Raises csv.Error where one that it
    knows stands there twice: either could be meant."""
    named = [c if c in spelt.values() else spelt.get(c.casefold(), c) for c in columns]
    twice = [c for c in spelt.values() if named.count(c) > 1]
    if twice:
        raise csv.Error(f"its column {twice[0]} stands there {named.count(twice[0])} times")
    return named


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
    if told and known and not count_known(text, delimiter, known):  # it was not renewed
        delimiter = guess_delimiter(text, known)
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
    """UTF-8, or UTF-16 or 32 by its mark or, without one, by its zero bytes; without what old
    systems put at the end of a file. Raises UnicodeDecodeError.
    """
    head = data[:400]
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        text = data.decode("utf-32")
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16")
    elif 0 in head and head[1::2].count(0) > len(head) / 4 > head[::2].count(0):
        text = data.decode("utf-16-le")
    elif 0 in head and head[::2].count(0) > len(head) / 4 > head[1::2].count(0):
        text = data.decode("utf-16-be")
    else:
        text = data.decode("utf-8-sig")
    return text.rstrip("\0\x1a")


def guess_delimiter(text: str, known: Collection[str]) -> str:
    """The delimiter by which most columns of the first line are known ones, or which stands most
    often outside of quotes where none are known; a comma by default. Raises csv.Error for a line
    longer than any header.
    """
    header = first_line(text)
    if len(header) > LONGEST_HEADER:
        raise csv.Error(f"its first line has {len(header)} letters")
    if not known:
        return max(DELIMITERS, key="".join(header.split('"')[::2]).count)
    # the first of equal ones
    return max(DELIMITERS, key=lambda delimiter: count_known(header, delimiter, known))


def first_line(text: str) -> str:
    """The first line that says something."""
    return next((line for line in io.StringIO(text, newline="") if line.strip(" ,;\t|\r\n")), "")


def count_known(text: str, delimiter: str, known: Collection[str]) -> int:
    """How many columns of the first line are known ones, whatever their case."""
    names = {name.casefold() for name in known}
    cells = next(csv.reader([first_line(text)[:LONGEST_HEADER]], delimiter=delimiter), [])
    return sum(cell.strip().casefold() in names for cell in cells)


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

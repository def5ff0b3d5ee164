"""Names of files, videos and subjects: how they are shown, put into tables, and compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

# What must not reach a terminal or split a row: control characters, line ends, marks that turn the
# direction of writing, bytes that are no UTF-8 (as Python holds them), a mark of byte order.
UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufeff]"
)
# What begins a formula in spreadsheets.
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001
# What programs drop in front of a cell, so that what follows it would begin one: blanks of any
# width, and marks without one.
IGNORED_BEFORE = re.compile(r"[\s\u180e\u200b-\u200d\u2060\ufeff]*")
LEVELS = 3  # ways of comparing, from exact to loose
T = TypeVar("T")


def printable(text: str) -> str:
    """The text on one line, with what no terminal and no table should get as \\xNN or \\uNNNN."""
    return UNPRINTABLE.sub(escape_character, text)


def escape_character(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def to_cell(text: str) -> str:
    """A name as a cell of a table; no spreadsheet takes it for a formula."""
    shown = printable(text)
    return f"'{shown}" if begins_formula(shown) and len(shown) > 1 else shown


def begins_formula(text: str) -> bool:
    """Whether a spreadsheet may take a cell for a formula, blanks in front of it or not."""
    return IGNORED_BEFORE.sub("", text, count=1).startswith(FORMULA)


def text_cell(value: object) -> object:
    """A value of a table: a text that is no number becomes a `to_cell`."""
    return to_cell(value) if isinstance(value, str) and not is_number(value) else value


def is_number(text: str) -> bool:
    """Whether a text is a number, with a point or a comma."""
    return re.fullmatch(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", text) is not None


def from_cell(text: str) -> str:
    """The name that `to_cell` was given, as far as it can be shown."""
    is_guarded = text[:1] == "'" and begins_formula(text[1:]) and len(text) > 2
    return text[1:] if is_guarded else text


@lru_cache(maxsize=100_000)
def comparison_keys(name: str) -> tuple[str, ...]:
    """What two names must share to be one, from exact to loose:

    0. the name, with "/" between folders, as tables hold it
    1. composed letters, no case: what file systems and spreadsheets change
    2. no leading zeros of numbers, which spreadsheets drop; wide letters and blanks that do not
       break as plain ones, which web pages and input methods bring
    """
    exact = printable(from_cell(name.strip())).replace("\\", "/").removeprefix("./")
    loose = unicodedata.normalize("NFC", unicodedata.normalize("NFC", exact).casefold())
    plain = " ".join(unicodedata.normalize("NFKC", loose).split())
    return exact, loose, re.sub(r"(?<!\d)0+(?=\d)", "", plain)


def same_text(one: str, other: str, level: int) -> bool:
    """Whether two names are one at a level of `comparison_keys`."""
    return comparison_keys(one)[level] == comparison_keys(other)[level]


def closest_names(wanted: str, names: Iterable[T], text: Iterable[str] | None = None) -> list[T]:
    """The names that fit best: those of the first level at which any does. text: how they read."""
    pairs = list(names)
    texts = [str(n) for n in pairs] if text is None else list(text)
    for level in range(LEVELS):
        key = comparison_keys(wanted)[level]
        fits = [n for n, t in zip(pairs, texts, strict=True) if comparison_keys(t)[level] == key]
        if fits:
            return fits
    return []


def find_path(folder: Path, name: str) -> Path:
    """The file or folder `name` below a folder, found as `closest_names` does where there is none
    of just that name; where nothing or several fit, the path as it was written.
    """
    exact = folder / name
    if exact.exists() or "\0" in name:
        return exact
    found = folder
    for part in split_path(name):
        if (found / part).exists():
            found /= part
            continue
        try:
            there = sorted(p.name for p in found.iterdir())
        except OSError:
            return exact
        fits = closest_names(part, there)
        if len(fits) != 1:
            return exact
        found /= fits[0]
    return found


def split_path(name: str) -> Iterator[str]:
    """The parts of a path with the separators of any system."""
    if name.startswith("/"):
        yield "/"
    for part in re.split(r"[/\\]", name):
        if part not in ("", "."):
            yield part

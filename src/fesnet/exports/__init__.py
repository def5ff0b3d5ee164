"""A result in the forms that other programs read; one small file each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fesnet.exports.csv import write_csv
from fesnet.exports.json import write_json
from fesnet.result import Spotting

WRITERS: dict[str, Callable[[Spotting, Path], None]] = {"csv": write_csv, "json": write_json}

"""Annotation files of other programs, all read into the same: expressions, what is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fesnet.errors import TruthError, UsageError
from fesnet.exports.boris_reader import read_boris
from fesnet.exports.csv_reader import read_csv_annotations
from fesnet.exports.elan_reader import ElanAnnotations, read_elan
from fesnet.exports.textgrid_reader import read_textgrid
from fesnet.result_json import LATEST

READERS: dict[str, Callable[[Path], ElanAnnotations]] = {
    ".eaf": read_elan,
    ".textgrid": read_textgrid,
    ".boris": read_boris,
    ".csv": read_csv_annotations,
    ".tsv": read_csv_annotations,
    ".xlsx": read_csv_annotations,
}


def read_annotations(path: Path, video: Path | None = None) -> ElanAnnotations:
    """Read an annotation file by its ending. video: as of `read_elan`.

    Raises UsageError for another ending, TruthError for a damaged file.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"expected a file ending in {', '.join(READERS)}, got {path}; export one")
    found = read_elan(path, video) if reader is read_elan else reader(path)
    for interval in found.found:
        if not 0 <= interval.start_s <= interval.stop_s:
            raise TruthError(
                f"expected expressions that end after they start in {path}, got one from "
                f"{interval.start_s:.3f} to {interval.stop_s:.3f} s; correct it"
            )
        if interval.stop_s > LATEST:
            raise TruthError(
                f"expected expressions within {LATEST:g} s in {path}, got one that ends at "
                f"{interval.stop_s:g} s; correct it"
            )
    return found

"""Official files, folders and features -> recordings with their truth."""

from __future__ import annotations

from pathlib import Path

from fesnet.datasets import casme2_long, casme3, prepared, samm_lv
from fesnet.datasets.folder import load_features, load_folder
from fesnet.datasets.recording import DataSet, Quirk, Recording
from fesnet.errors import UsageError

__all__ = ["NAMES", "DataSet", "Quirk", "Recording", "load_dataset", "load_features"]


NAMES = {
    "casme2": "CAS(ME)^2 part A, long videos",
    "samm": "SAMM Long Videos",
    "casme3": "CAS(ME)^3 part A, table v1 or v2",
    "synthetic": "videos of fesnet synth",
    "prepared": "what fesnet data prepare wrote of one of the others",
    "folder": "any videos, frames or features with videos.csv and truth.csv",
}


def load_dataset(name: str, root: Path, offset: str | None = None) -> DataSet:
    """The data set of a name in NAMES, from its official files under `root`.

    offset: what an offset of 0 means, one of `fesnet.datasets.official.CONVENTIONS`; None for
    "apex", and for what a prepared folder was prepared with. Raises UsageError for an unknown name
    or no such folder, TruthError for tables that are not understood, MissingExtraError without
    their readers.
    """
    if name not in NAMES:
        raise UsageError(f"expected a data set out of {', '.join(NAMES)}, got {name!r}")
    if not root.is_dir():
        raise UsageError(f"expected the folder of a data set, but {root} does not exist")
    if name in ("folder", "synthetic"):
        return load_folder(root, name)
    if name == "prepared":
        return prepared.load(root, offset)
    readers = {"casme2": casme2_long.load, "samm": samm_lv.load, "casme3": casme3.load}
    return readers[name](root, offset or "apex")

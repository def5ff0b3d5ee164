"""Official files, folders and features -> recordings with their truth."""

from __future__ import annotations

from pathlib import Path

from fesnet.datasets.casme2_long import load_casme2_long
from fesnet.datasets.casme3 import load_casme3, load_casme3_part_c
from fesnet.datasets.folder import load_features, load_folder
from fesnet.datasets.fourdme import load_fourdme
from fesnet.datasets.prepared import load_prepared
from fesnet.datasets.recording import AnnotationIssue, DataSet, Recording
from fesnet.datasets.samm_lv import load_samm_lv
from fesnet.errors import UsageError

__all__ = [
    "DATASETS",
    "OFFICIAL_READERS",
    "AnnotationIssue",
    "DataSet",
    "Recording",
    "load_dataset",
    "load_features",
]


DATASETS = {
    "casme2": "CAS(ME)^2 part A, long videos",
    "samm": "SAMM Long Videos",
    "casme3": "CAS(ME)^3 part A, table v1 or v2",
    "casme3c": "CAS(ME)^3 part C, one video of each subject",
    "4dme": "4DME, long grey videos (columns of the table as far as they are public)",
    "synthetic": "videos of fesnet synth",
    "prepared": "what fesnet data prepare wrote of one of the others",
    "folder": "any videos, frames or features with videos.csv and truth.csv",
}


OFFICIAL_READERS = {
    "casme2": load_casme2_long,
    "samm": load_samm_lv,
    "casme3": load_casme3,
    "casme3c": load_casme3_part_c,
    "4dme": load_fourdme,
}


def load_dataset(
    name: str, root: Path, offset: str | None = None, table: Path | None = None
) -> DataSet:
    """The data set of a name in DATASETS, from its official files under `root`.

    offset: what an offset of 0 means, one of `fesnet.datasets.official.CONVENTIONS`; None for
    "apex", and for what a prepared folder was prepared with. table: the spreadsheet of an official
    data set, under any name; None looks for it. Raises UsageError for an unknown name or no such
    folder, TruthError for tables that are not understood, MissingExtraError without their readers.
    """
    if name not in DATASETS:
        raise UsageError(f"expected a data set out of {', '.join(DATASETS)}, got {name!r}")
    if not root.is_dir():
        raise UsageError(f"expected the folder of a data set, but {root} does not exist")
    if name in OFFICIAL_READERS:
        return OFFICIAL_READERS[name](root, offset or "apex", table)
    if table is not None:
        raise UsageError(
            f"expected --table with {', '.join(OFFICIAL_READERS)}, got it with {name}, which has "
            "tables of its own"
        )
    return load_prepared(root, offset) if name == "prepared" else load_folder(root, name)

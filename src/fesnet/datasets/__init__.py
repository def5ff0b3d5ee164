"""Official files, folders and features -> recordings with their truth."""

from __future__ import annotations

from pathlib import Path

from fesnet.datasets.folder import load_features, load_folder
from fesnet.datasets.recording import DataSet, Quirk, Recording
from fesnet.errors import UsageError

__all__ = ["DataSet", "Quirk", "Recording", "load_dataset", "load_features"]


def load_dataset(name: str, root: Path, offset: str = "apex") -> DataSet:
    """The data set of a name. Raises UsageError for an unknown one, and what its reader raises."""
    if name not in ("folder", "synthetic"):
        raise UsageError(f"expected data set folder or synthetic, got {name!r}")
    if not root.is_dir():
        raise UsageError(f"expected the folder of a data set, but {root} does not exist")
    return load_folder(root, name)

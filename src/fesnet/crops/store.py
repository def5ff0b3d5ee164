"""`Kept` in a file and back: an `.npz` that says itself what it was made from, the same bytes for
the same input.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from fesnet._io import atomic_open
from fesnet._version import __version__
from fesnet.crops.stage import FORMAT, Kept, Stage
from fesnet.datasets.recording import Recording
from fesnet.errors import SourceError
from fesnet.faces import model_files
from fesnet.video.folder import image_files

ARRAYS = tuple(f.name for f in fields(Kept) if f.name != "warnings")
DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


def origin(recording: Recording, stage: Stage) -> dict[str, Any]:
    """All that decides what is kept of a recording. Raises SourceError where its files are not
    there.
    """
    return {
        "format": FORMAT,
        "fesnet": __version__,
        "faces": model_files().sha256,
        "crop_size": stage.crop_size,
        "rate": stage.rate,
        "source_rate": recording.rate,
        "source": stamp(recording.source),
    }


def stamp(source: Path) -> str:
    """Changes with name, size or time of change of a video, or of an image of a folder; not with
    their place.
    """
    try:
        files = sorted(image_files(source)) if source.is_dir() else [source]
        told = [(f.name, s.st_size, s.st_mtime_ns) for f, s in ((f, f.stat()) for f in files)]
    except OSError as error:
        raise SourceError(
            f"cannot read {source}: {error.strerror}; is its share still there?"
        ) from error
    return hashlib.sha256(repr(told).encode()).hexdigest()


def save(path: Path, kept: Kept, about: dict[str, Any]) -> None:
    """Write a file, whole or not at all. Raises UsageError where that is not possible."""
    told = json.dumps({**about, "warnings": kept.warnings}, sort_keys=True)
    with atomic_open(path) as handle:
        # Masks and what lies around a face shrink well; on the whole a file is about half as large.
        np.savez_compressed(
            handle, about=np.array(told), **{name: getattr(kept, name) for name in ARRAYS}
        )


def read_about(path: Path) -> dict[str, Any]:
    """What stands in a file of its origin, with its warnings. Raises SourceError for a damaged
    one.
    """
    try:
        with np.load(path, allow_pickle=False) as table:
            about: dict[str, Any] = json.loads(str(table["about"]))
            return about
    except DAMAGED as error:
        raise damaged(path) from error


def read_facts(path: Path) -> dict[str, Any]:
    """Counts of frames, stretches without a face and warnings, without the crops. Raises
    SourceError.
    """
    about = read_about(path)
    with np.load(path, allow_pickle=False) as table:
        return {
            "frames": len(table["frame_times"]),
            "with_face": len(table["frames"]),
            "unknown": table["unknown"].tolist(),
            "warnings": about["warnings"],
        }


def load(path: Path) -> Kept:
    """Raises SourceError for a damaged file."""
    try:
        with np.load(path, allow_pickle=False) as table:
            told = json.loads(str(table["about"]))
            return Kept(**{name: table[name] for name in ARRAYS}, warnings=tuple(told["warnings"]))
    except DAMAGED as error:
        raise damaged(path) from error


def damaged(path: Path) -> SourceError:
    return SourceError(
        f"expected prepared crops in {path}, but it is damaged; run `fesnet data prepare` again"
    )

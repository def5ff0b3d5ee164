"""`CropTrack` to a file and back.

The `.npz` also holds what it was made from. The same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from fesnet._io import ARCHIVE_ERRORS, atomic_open, check_archive, load_json
from fesnet._version import __version__
from fesnet.crops.stage import FORMAT, CropTrack, FaceStage
from fesnet.datasets.recording import Recording
from fesnet.errors import SourceError
from fesnet.faces import model_files
from fesnet.video.folder import image_files

ARRAYS = tuple(f.name for f in fields(CropTrack) if f.name != "warnings")
LARGEST = 32_000_000_000  # bytes of one file's arrays: ten hours of crops
DAMAGED = (*ARCHIVE_ERRORS, KeyError)


def crop_origin(recording: Recording, stage: FaceStage) -> dict[str, Any]:
    """All that decides what is kept of a recording. Raises SourceError where a file is missing."""
    return {
        "format": FORMAT,
        "fesnet": __version__,
        "faces": model_files().sha256,
        "crop_size": stage.crop_size,
        "rate": stage.rate,
        "source_rate": recording.rate,
        "source": source_stamp(recording.source),
    }


def source_stamp(source: Path) -> str:
    """A checksum of name, size and time of change of a video, or of all images of a folder.

    It does not change with their place. Raises SourceError for a source that cannot be read.
    """
    try:
        files = sorted(image_files(source)) if source.is_dir() else [source]
        facts = [(f.name, s.st_size, s.st_mtime_ns) for f, s in ((f, f.stat()) for f in files)]
    except OSError as error:
        raise SourceError(
            f"cannot read {source}: {error.strerror}; is its share still there?"
        ) from error
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def save_crops(path: Path, kept: CropTrack, about: dict[str, Any]) -> None:
    """Write a file atomically. Raises UsageError where that is not possible."""
    header = json.dumps({**about, "warnings": kept.warnings}, sort_keys=True)
    with atomic_open(path) as handle:
        # Masks and what lies around a face shrink well; on the whole a file is about half as large.
        np.savez_compressed(
            handle, about=np.array(header), **{name: getattr(kept, name) for name in ARRAYS}
        )


def read_origin(path: Path) -> dict[str, Any]:
    """The origin of a file (`crop_origin`) and its warnings. Raises SourceError if damaged."""
    try:
        check_archive(path, LARGEST)
        with np.load(path, allow_pickle=False) as table:
            about: dict[str, Any] = load_json(str(table["about"]))
            return about
    except DAMAGED as error:
        raise damaged_file(path) from error


def read_counts(path: Path) -> dict[str, Any]:
    """Counts of frames, stretches without a face and warnings, without the crops. Raises
    SourceError.
    """
    about = read_origin(path)
    with np.load(path, allow_pickle=False) as table:
        return {
            "frames": len(table["frame_times"]),
            "with_face": len(table["frames"]),
            "unknown": table["unknown"].tolist(),
            "warnings": about["warnings"],
        }


def load_crops(path: Path) -> CropTrack:
    """The crops in a file. Raises SourceError for a damaged one."""
    try:
        check_archive(path, LARGEST)
        with np.load(path, allow_pickle=False) as table:
            header = load_json(str(table["about"]))
            return CropTrack(
                **{name: table[name] for name in ARRAYS}, warnings=tuple(header["warnings"])
            )
    except DAMAGED as error:
        raise damaged_file(path) from error


def damaged_file(path: Path) -> SourceError:
    return SourceError(
        f"expected prepared crops in {path}, but it is damaged; run `fesnet data prepare` again"
    )

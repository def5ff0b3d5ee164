"""Trained weights on disk, readable without torch.

A set of weights is a folder: `config.json` (sizes, provenance, rules, sha256 of the other files),
`encode.onnx` and `decode.onnx` (to run), `model.safetensors` (to go on training; may be missing),
`interval_check.json` (how probable a found interval is; may be missing), `motion_head.onnx` (what
moved, LSDM's motion output; may be missing). Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from fesnet._io import LARGEST_SETTINGS, file_sha256, load_json, read_regular_file
from fesnet.config import FesNetConfig
from fesnet.errors import CheckpointError, UsageError

SCHEMA = "fesnet-weights/2"
ATTENDED_SCHEMA = "fesnet-weights/1"  # until 0.2: graphs pass on attended features, not projected
BUNDLED = "bundled"  # the name of the weights that come with the package
CONFIG, ENCODE, DECODE, TENSORS = "config.json", "encode.onnx", "decode.onnx", "model.safetensors"
CHECK, MOTION_HEAD = "interval_check.json", "motion_head.onnx"


@dataclass(frozen=True)
class Weights:
    """One set of weights on disk, checked: every file of it has the sha256 that stands in its
    config.
    """

    folder: Path
    name: str
    config: FesNetConfig
    sha256: str  # of config.json, which holds the sha256 of all other files
    training: dict[str, Any]
    rules: dict[str, Any]
    projected: bool = True  # what the graphs pass on (see `fesnet.model.projected`)

    @property
    def encode(self) -> Path:
        return self.folder / ENCODE

    @property
    def decode(self) -> Path:
        return self.folder / DECODE

    @property
    def tensors(self) -> Path:
        return self.folder / TENSORS


def bundled_weights() -> Path:
    """Folder of the weights that come with the package (trained on synthetic video only)."""
    return Path(str(files("fesnet"))) / "assets" / "weights"


def load_weights(folder: str | Path | None = None) -> Weights:
    """Read and check a weights folder (default: the bundled one).

    Raises UsageError where there is no such folder, CheckpointError where it is damaged or of
    another version.
    """
    path = bundled_weights() if folder is None else Path(folder)
    if not (path / CONFIG).is_file():
        raise UsageError(f"expected a weights folder with {CONFIG} in it, but {path} is none")
    try:
        raw = read_regular_file(path / CONFIG, LARGEST_SETTINGS)
        values = load_json(raw)
        schema, model, hashes = values["schema"], values["model"], values["sha256"]
        training, rules = values.get("training", {}), values.get("rules", {})
        if not all(isinstance(part, dict) for part in (model, hashes, training, rules)):
            raise TypeError("model, sha256, training and rules must be tables")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"expected fesnet weights in {path}, but {CONFIG} is damaged ({error})"
        ) from error
    if schema not in (SCHEMA, ATTENDED_SCHEMA):
        raise CheckpointError(
            f"expected weights of schema {SCHEMA} in {path}, got {schema!r}; they are of another "
            "version of fesnet: update fesnet, or name other weights"
        )
    config = FesNetConfig.from_dict(model)
    optional = (name for name in (TENSORS, CHECK, MOTION_HEAD) if (path / name).exists())
    needed = (ENCODE, DECODE, *optional)
    missing = [name for name in needed if name not in hashes]
    if missing:
        raise CheckpointError(
            f"expected the sha256 of {', '.join(missing)} in {path / CONFIG}, got none; get it anew"
        )
    for name, expected in hashes.items():
        check_file(path / Path(name).name, expected)
    name = BUNDLED if path == bundled_weights() else path.name
    digest = hashlib.sha256(raw).hexdigest()
    return Weights(path, name, config, digest, training, rules, schema == SCHEMA)


def check_file(path: Path, expected: str) -> None:
    """Raises CheckpointError unless the file is there and has this sha256."""
    if not path.is_file():
        raise CheckpointError(
            f"expected {path.name} beside {CONFIG} in {path.parent}, but it is missing"
        )
    if file_sha256(path) != expected:
        raise CheckpointError(
            f"expected {path} as it was written, but its contents have changed; get it anew"
        )

"""Weights folders from torch's side: save, load, and partial states for training. safetensors
only.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fesnet._io import file_sha256
from fesnet._version import __version__
from fesnet.errors import CheckpointError, UsageError
from fesnet.model.export import export_motion_head, export_onnx
from fesnet.model.network import FesNet
from fesnet.weights import (
    CHECK,
    CONFIG,
    DECODE,
    ENCODE,
    MOTION_HEAD,
    SCHEMA,
    TENSORS,
    Weights,
    load_weights,
)


def save_weights(
    network: FesNet,
    folder: Path,
    *,
    training: dict[str, Any],
    rules: dict[str, Any],
    more: Sequence[Path] = (),
) -> None:
    """Write config, tensors and both ONNX graphs; the folder appears whole or not at all. more:
    other files of weights, which are copied. Raises UsageError where the folder is there already,
    or cannot be made."""
    if folder.exists():
        raise UsageError(
            f"expected a new folder for the weights, but {folder} exists; name another"
        )
    try:
        write_weights(network, folder, training=training, rules=rules, more=more)
    except OSError as error:
        raise UsageError(
            f"expected to write {folder}, got '{error.strerror or error}'; name another folder"
        ) from error


def write_weights(
    network: FesNet,
    folder: Path,
    *,
    training: dict[str, Any],
    rules: dict[str, Any],
    more: Sequence[Path] = (),
) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".weights-") as scratch:
        part = Path(scratch) / "w"
        part.mkdir()
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, part / TENSORS)
        export_onnx(network, part / ENCODE, part / DECODE)
        if network.config.motions:
            export_motion_head(network, part / MOTION_HEAD)
        for file in more:
            shutil.copyfile(file, part / file.name)
        config = {
            "schema": SCHEMA,
            "fesnet": __version__,
            "model": network.config.to_dict(),
            "rules": rules,
            "training": training,
            "sha256": {path.name: file_sha256(path) for path in sorted(part.iterdir())},
        }
        (part / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        os.replace(part, folder)


def export_weights(source: Path, folder: Path) -> None:
    """Write a weights folder anew whose ONNX graphs are made from the tensors of `source`, and
    checked against torch.

    Raises UsageError, CheckpointError (also where a graph and torch differ by more than
    `export.TOLERANCE`).
    """
    weights = load_weights(source)
    network, more = load_network(weights), check_files(weights)
    save_weights(network, folder, training=weights.training, rules=weights.rules, more=more)


def check_files(weights: Weights) -> tuple[Path, ...]:
    """The interval check of weights, if they have one: the thresholds of their rules are of its
    probabilities, so that neither goes anywhere alone."""
    check = weights.folder / CHECK
    return (check,) if check.is_file() else ()


def load_network(weights: Weights) -> FesNet:
    """The network of a weights folder, on the CPU, in evaluation mode. Raises CheckpointError."""
    network = FesNet(weights.config)
    network.load_state_dict(read_tensors(weights.tensors, network))
    return network.eval()


def read_tensors(path: Path, network: FesNet) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, checked against the network's names and shapes."""
    if not path.is_file():
        raise CheckpointError(
            f"expected tensors in {path}, but the file is missing; only the ONNX graphs are there"
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"expected safetensors in {path}, but it is damaged ({error})"
        ) from error
    wanted = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    got = {k: tuple(v.shape) for k, v in tensors.items()}
    if wanted != got:
        wrong = sorted(k for k in wanted.keys() | got.keys() if wanted.get(k) != got.get(k))
        some = ", ".join(wrong[:3]) + (" ..." if wrong[3:] else "")
        raise CheckpointError(f"expected the tensors of this config in {path}, got others ({some})")
    return tensors

"""Trained weights on disk and the network's config: readable without torch.

A set of weights is a folder: `config.json` (sizes, provenance, rules, sha256 of the other files),
`encode.onnx` and `decode.onnx` (to run), `model.safetensors` (to go on training; may be missing).
Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from fesnet.errors import CheckpointError, UsageError

SCHEMA = "fesnet-weights/1"
BUNDLED = "bundled"  # the name of the weights that come with the package
CONFIG, ENCODE, DECODE, TENSORS = "config.json", "encode.onnx", "decode.onnx", "model.safetensors"
# Plain types of a config's fields; a whole number will do for a float.
PLAIN: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
}


def check_types(config: Any) -> None:
    """Raises UsageError for a field of a dataclass whose value is of another type, or no finite
    number.
    """
    for field in fields(config):
        if not fits(getattr(config, field.name), str(field.type)):
            raise UsageError(
                f"expected {field.type} for {field.name}, got {getattr(config, field.name)!r}"
            )


def fits(value: Any, kind: str) -> bool:
    """Whether a value is of a type as annotations name it: plain, or a tuple (a list will do).
    Others always fit.
    """
    if kind.startswith("tuple["):
        inner, endless = kind.removesuffix("]").removesuffix(", ...")[6:], kind.endswith(", ...]")
        kinds = (
            [inner] * len(value)
            if endless and isinstance(value, tuple | list)
            else inner.split(", ")
        )
        return (
            isinstance(value, tuple | list)
            and len(value) == len(kinds)
            and all(map(fits, value, kinds))
        )
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return kind not in PLAIN or (
        isinstance(value, PLAIN[kind]) and (kind == "bool" or not isinstance(value, bool))
    )


@dataclass(frozen=True)
class FesNetConfig:
    """Every size and switch of the network. Sizes are our choice; switches name the paper's
    mechanisms.
    """

    crop_size: int = 96  # pixels; 12 x 12 positions after three halvings
    width: int = 16  # channels of the first residual block; doubled at each halving
    heads: int = 4  # attention heads over the positions of one frame
    features: int = 128  # D, features a frame carries into MTAM
    window: int = 128  # T, frames at the working rate: 4.3 s, the longest usual macro-expression
    stride: int = 32  # frames between the starts of overlapping windows
    # extension: spotting looks at windows, and strides, this many times as long as training does
    reach: int = 1
    working_rate: float = 30.0  # Hz
    hidden: int = 64  # channels inside MTAM
    stages: int = 3  # cascade stages after the proposal
    blocks: int = 3  # multi-scale blocks in a stage
    branches: tuple[tuple[int, int], ...] = ((3, 1), (5, 1), (7, 2), (7, 4))  # kernel, dilation
    dropout: float = 0.1  # inside MTAM, in training only
    attention: bool = True  # paper: on
    discrepancy: bool = (
        True  # paper: on; off: the frame itself instead of its difference to the reference
    )
    cascade: bool = True  # paper: on; off: one stage after the proposal
    multi_scale: bool = True  # paper: on; off: one kernel of 3 instead of the parallel branches
    reference: str = (
        "first"  # paper: "first" frame of the window; "neutral": found by a first pass (extension)
    )
    reference_beside: bool = False  # extension: the reference's own features beside the difference
    intensity: bool = (
        False  # extension: a second output, the strength of the expression (for the apex)
    )
    motions: int = 0  # extension: outputs of the auxiliary motion head that pairs of frames train
    shape: int = (
        0  # extension: numbers of `fesnet.faces.shape` beside each frame's pixels; 0: pixels alone
    )
    shape_features: int = (
        64  # features that the shape's discrepancy adds to a frame's, where there is a shape
    )
    face_only: bool = (
        False  # extension: what lies outside the outline of the face's landmarks is black
    )
    # extension: beside the difference to the first frame, that to the window's median frame
    centred: bool = False
    # extension: with `centred`, also in units of each feature's mean change in the window
    relative: bool = False
    consensus: tuple[float, float] = (
        0.0,
        0.0,
    )  # extension: what pixels alone, and shapes alone, have of the say
    # extension: numbers of pre-extracted features a frame, projected in LSDM's place; 0: pixels
    inputs: int = 0
    independent: bool = (
        False  # extension: each kind scored by itself, so that a micro may lie in a macro
    )

    def __post_init__(self) -> None:
        check_types(self)
        least = dict.fromkeys(("inputs", "motions", "shape", "shape_features"), 0) | dict.fromkeys(
            (
                "crop_size",
                "width",
                "heads",
                "features",
                "window",
                "reach",
                "hidden",
                "stages",
                "blocks",
            ),
            1,
        )
        shared = bool(self.branches) and self.hidden % len(self.branches) == 0
        wanted = {
            f"reference 'first' or 'neutral', got {self.reference!r}": self.reference
            in ("first", "neutral"),
            **{
                f"{n} of {k} or more, got {getattr(self, n)}": getattr(self, n) >= k
                for n, k in least.items()
            },
            f"a working rate above 0 and up to 1000 Hz, got {self.working_rate}": 0
            < self.working_rate
            <= 1000,
            f"a dropout of 0 or more and below 1, got {self.dropout}": 0 <= self.dropout < 1,
            f"a crop size divisible by 8, got {self.crop_size}": self.crop_size % 8 == 0,
            "hidden to divide by the number of branches": shared,
            f"branches (kernel, dilation) of 1 or more, kernels odd, got {self.branches}": all(
                min(kernel, dilation) > 0 and kernel % 2 for kernel, dilation in self.branches
            ),
            "4 * width to divide by heads": (4 * self.width) % max(1, self.heads) == 0,
            f"shape to divide by 4 * width ({4 * self.width}), got {self.shape}": self.shape
            % max(1, 4 * self.width)
            == 0,
            "centred with relative, which scales the change from the median frame": self.centred
            or not self.relative,
            f"two shares for a consensus, 0 or more and together below 1, got {self.consensus}": (
                min(self.consensus) >= 0 and sum(self.consensus) < 1
            ),
            "shapes, and kinds that exclude each other, for a consensus": not any(self.consensus)
            or (self.shape > 0 and not self.independent),
            f"a stride of 1 to {self.window} frames (the window), got {self.stride}": 0
            < self.stride
            <= self.window,
        }
        for what, holds in wanted.items():
            if not holds:
                raise UsageError(f"expected {what}")

    @property
    def frame_features(self) -> int:
        """D, what LSDM tells of each frame: features of the pixels, then those of the shape."""
        return self.features + (self.shape_features if self.shape else 0)

    @property
    def scored_features(self) -> int:
        """What proposals and MTAM get of each frame: D, and D more for `centred` and for
        `relative`.
        """
        return self.frame_features * (1 + self.centred + self.relative)

    @property
    def spotting(self) -> tuple[int, int]:
        """Window and stride of spotting, in frames at the working rate."""
        return self.reach * self.window, self.reach * self.stride

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FesNetConfig:
        """Raises CheckpointError for keys that this version does not know."""
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise CheckpointError(
                f"expected only config keys that this version knows, got {', '.join(unknown)}; "
                "use the version of fesnet that wrote the checkpoint"
            )
        known = dict(values)
        try:
            if "branches" in known:
                known["branches"] = tuple((k, d) for k, d in known["branches"])
            if "consensus" in known:
                known["consensus"] = tuple(known["consensus"])
            return cls(**known)
        except (TypeError, ValueError, OverflowError, UsageError) as error:
            raise CheckpointError(
                f"expected a network config, got values that do not fit ({error})"
            ) from error

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


PRESETS = {
    "paper": FesNetConfig(),
    "default": FesNetConfig(
        window=320,
        stride=80,
        reach=2,
        reference_beside=True,
        intensity=True,
        motions=60,
        shape=128,
        face_only=True,
        centred=True,
        relative=True,
        consensus=(0.6, 0.2),
    ),
}


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
    raw = (path / CONFIG).read_bytes()
    try:
        values = json.loads(raw)
        schema, model, hashes = values["schema"], values["model"], values["sha256"]
        training, rules = values.get("training", {}), values.get("rules", {})
        if not all(isinstance(part, dict) for part in (model, hashes, training, rules)):
            raise TypeError("model, sha256, training and rules must be tables")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"expected fesnet weights in {path}, but {CONFIG} is damaged ({error})"
        ) from error
    if schema != SCHEMA:
        raise CheckpointError(f"expected weights of schema {SCHEMA} in {path}, got {schema!r}")
    config = FesNetConfig.from_dict(model)
    needed = (ENCODE, DECODE, *([TENSORS] if (path / TENSORS).exists() else []))
    missing = [name for name in needed if name not in hashes]
    if missing:
        raise CheckpointError(
            f"expected the sha256 of {', '.join(missing)} in {path / CONFIG}, got none; get it anew"
        )
    for name, expected in hashes.items():
        check_file(path / Path(name).name, expected)
    name = BUNDLED if path == bundled_weights() else path.name
    return Weights(path, name, config, hashlib.sha256(raw).hexdigest(), training, rules)


def check_file(path: Path, expected: str) -> None:
    """Raises CheckpointError unless the file is there and has this sha256."""
    if not path.is_file():
        raise CheckpointError(
            f"expected {path.name} beside {CONFIG} in {path.parent}, but it is missing"
        )
    if sha256(path) != expected:
        raise CheckpointError(
            f"expected {path} as it was written, but its contents have changed; get it anew"
        )


def sha256(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

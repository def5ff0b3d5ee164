"""A weights folder in 8-bit integers: convolutions and the large linear layer, by onnxruntime's own tool.

Weights get a scale for each channel, activations one for each tensor, from the ranges that synthetic clips give them.
Attention, norms and sums stay float: with them in integers too, differences between frames, which is what expressions
are, were further off and the graphs no faster. Needs torch for the clips; the graphs run where any others do.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from fesnet.errors import CheckpointError, UsageError
from fesnet.runtime import Floats, OnnxRuntime
from fesnet.synth.batches import clip_batch
from fesnet.synth.crops import Stage
from fesnet.synth.motion import SynthConfig
from fesnet.synth.portraits import find_people
from fesnet.synth.puppet import Puppet
from fesnet.weights import CONFIG, DECODE, ENCODE, Weights, load_weights, sha256

LAYERS = ["Conv", "Gemm"]
PEOPLE = 16  # of whom a clip each is made
EVERY = 8  # of whose frames one goes through `encode` to give ranges; neighbours look alike
TOLERANCE = 0.03  # mean difference of the scores 0..1; the bundled weights' is 0.006 on encoded video


@dataclass(frozen=True)
class Clip:
    """A window of one synthetic face: crops (T, S, S, 3) uint8, attended (1, T, P, C) of the float graphs."""

    crops: NDArray[np.uint8]
    attended: Floats


class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Hands batches of a graph's one input to onnxruntime's tool."""

    def __init__(self, name: str, batches: Sequence[NDArray[Any]]) -> None:
        self.left = iter([{name: batch} for batch in batches])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self.left, None)


def export_int8(source: Path, portraits: Path, folder: Path) -> float:
    """Write the weights folder `source` anew with both graphs in int8; without tensors, which torch would run in float.

    portraits: photos of people, as for training, whose clips give the ranges. Returns the mean difference of scores to
    the float graphs on a clip that gave no ranges. Raises UsageError, CheckpointError (also where it is more than
    TOLERANCE).
    """
    weights = load_weights(source)
    if folder.exists():
        raise UsageError(f"expected a new folder for the weights, but {folder} exists; name another")
    people = find_people(portraits)[0]
    if not people:
        raise UsageError(f"expected portraits with a face in {portraits}, found none; use frontal ones")
    chosen = people[:: max(1, len(people) // PEOPLE)][:PEOPLE]
    return write_int8(weights, [person.puppet() for person in chosen], folder)


def write_int8(weights: Weights, puppets: Sequence[Puppet], folder: Path) -> float:
    """As `export_int8`; the folder appears whole or not at all."""
    *clips, held = clips_of(weights, [*puppets, puppets[0]])  # another performance of the first
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".weights-") as scratch:
        part = Path(scratch) / "w"
        part.mkdir()
        quantize(weights.encode, part / ENCODE, Reader("crops", [c.crops[::EVERY] for c in clips]))
        quantize(weights.decode, part / DECODE, Reader("attended", [c.attended for c in clips]))
        values = json.loads((weights.folder / CONFIG).read_text(encoding="utf-8"))
        values["training"] = {**weights.training, "int8": f"ranges from synthetic clips of {len(puppets)} people"}
        values["sha256"] = {name: sha256(part / name) for name in (ENCODE, DECODE)}
        (part / CONFIG).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        apart = difference(OnnxRuntime(weights), OnnxRuntime(load_weights(part)), held)
        if not apart <= TOLERANCE:
            raise CheckpointError(
                f"expected scores in int8 within {TOLERANCE} of the float ones on average, got {apart:.3f}; "
                "these weights are better run in float"
            )
        os.replace(part, folder)
    return apart


def clips_of(weights: Weights, puppets: Sequence[Puppet]) -> list[Clip]:
    """One window of each puppet; every place in the list draws another performance, light and camera."""
    c, stage, runtime, out = weights.config, Stage(puppets), OnnxRuntime(weights), []
    for n in range(len(puppets)):
        made = clip_batch(stage, np.array([n]), n, c.window, c.crop_size, SynthConfig(), face_only=c.face_only)
        grey = (255 * made.crops[0, :, 0].clamp(0, 1)).round().to(torch.uint8).numpy()
        crops = np.repeat(grey[..., None], 3, -1)
        shapes = made.shapes[0].numpy() if c.shape else None
        out.append(Clip(crops, joined(runtime.encode(crops), shapes)[None]))
    return out


def joined(seen: Floats, shapes: Floats | None) -> Floats:
    """Attended features (T, P, C) with the rows of shapes (T, config.shape) behind, as `FesNet.join`."""
    if shapes is None:
        return seen
    return np.concatenate([seen, shapes.reshape(len(seen), -1, seen.shape[-1])], 1)


def quantize(graph: Path, out: Path, reader: Reader) -> None:
    """uint8 activations and int8 weights are what onnxruntime advises for x86 and runs fastest there."""
    with tempfile.TemporaryDirectory() as scratch:
        ready = Path(scratch) / graph.name
        quant_pre_process(graph, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            out,
            reader,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=LAYERS,
        )


def difference(floats: OnnxRuntime, int8: OnnxRuntime, held: Clip) -> float:
    """Mean difference of the last stage's probabilities, all of int8 against all of float."""
    pixels = int8.encode(held.crops)
    attended = np.concatenate([pixels, held.attended[0, :, pixels.shape[1] :]], 1)
    return float(np.abs(int8.decode(attended)[0] - floats.decode(held.attended[0])[0]).mean())

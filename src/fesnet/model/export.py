"""FESNet as two ONNX graphs: `encode` (crops -> projected features) and `decode` (window -> logits
of all stages). See `fesnet.model.projected`.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn

from fesnet.errors import CheckpointError
from fesnet.model.network import FesNet
from fesnet.model.projected import (
    LocalProjection,
    ProjectedDecode,
    ProjectedEncode,
    ProjectedMotion,
)

OPSET = 18
TOLERANCE = 1e-3  # on logits; the two runtimes must agree to this


def export_onnx(network: FesNet, encode: Path, decode: Path) -> None:
    """Write both graphs and check each against torch on random input; raises CheckpointError if
    they differ.
    """
    network = network.eval()
    c, encoder = network.config, ProjectedEncode(network).eval()
    rng = np.random.default_rng(0)
    crops = torch.from_numpy(rng.integers(0, 256, (3, c.crop_size, c.crop_size, 3), np.uint8))
    with torch.inference_mode():
        attended = network.encode(crops)
        landmarks = torch.randn(3, c.landmark_feature_count)
        window = attended[torch.arange(c.window) % 3]
        window = window + 0.1 * torch.randn(window.shape)
        projected = encoder.projection(window)
        if c.landmark_feature_count:
            rows = landmarks[torch.arange(c.window) % 3]
            window = network.append_landmarks(window, rows)
            projected = network.append_landmarks(projected, rows)
    projected = projected.clone()  # no inference tensor, which cannot be traced
    names = {"crops": {0: "N"}, "projected": {0: "N"}, "attended": {0: "N"}}
    write_graph(encoder, (crops,), encode, ["crops"], ["projected", "attended"], names)
    names = {
        "projected": {0: "B", 1: "T"},
        "logits": {1: "B", 2: "T"},
        "intensity": {0: "B", 1: "T"},
    }
    decoder = ProjectedDecode(network).eval()
    write_graph(decoder, (projected[None],), decode, ["projected"], ["logits", "intensity"], names)
    with torch.inference_mode():
        check_graph(encode, crops.numpy(), encoder(crops)[0])
        for length in (c.window, c.window // 2 + 1):
            # a graph must not remember how long a window was
            expected = network.decode(window[None, :length])[0]
            check_graph(decode, projected[None, :length].numpy(), expected)


def export_motion_head(network: FesNet, path: Path) -> None:
    """Write the graph of LSDM's motion output: projected (N, 2 R, C), reference (1, 2 R, C) ->
    motions (N, M). Checked against torch; raises CheckpointError if they differ."""
    network = network.eval()
    c = network.config
    attended = torch.randn(3, network.lsdm.side**2, 4 * c.width)
    with torch.inference_mode():
        projected = LocalProjection(network.lsdm)(attended)
        expected = network.lsdm.predict_motion(attended[None], attended[None, :1])[0]
    projected = projected.clone()
    names = {"projected": {0: "N"}, "motions": {0: "N"}}
    head, given = ProjectedMotion(network.lsdm).eval(), (projected, projected[:1])
    write_graph(head, given, path, ["projected", "reference"], ["motions"], names)
    ort.disable_telemetry_events()  # beside the environment variable that `fesnet` sets
    found = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(
        None, {"projected": projected.numpy(), "reference": projected[:1].numpy()}
    )[0]
    worst = float(np.abs(found - expected.numpy()).max())
    if not worst <= TOLERANCE:
        raise CheckpointError(
            f"expected {path.name} to equal torch to {TOLERANCE}, got a difference of {worst:.2g}"
        )


def write_graph(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    path: Path,
    inputs: list[str],
    outputs: list[str],
    dynamic: dict[str, dict[int, str]],
) -> None:
    """Trace and write one graph. The tracing exporter is used: its graphs are small and it needs no
    other package.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that it prefers its newer exporter
        torch.onnx.export(
            module,
            arguments,
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=dynamic,
            opset_version=OPSET,
            dynamo=False,
        )


def check_graph(path: Path, given: np.ndarray, expected: Tensor) -> None:
    ort.disable_telemetry_events()  # beside the environment variable that `fesnet` sets
    found = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = found.get_inputs()[0].name
    worst = float(np.abs(found.run(None, {name: given})[0] - expected.numpy()).max())
    if not worst <= TOLERANCE:
        raise CheckpointError(
            f"expected {path.name} to equal torch to {TOLERANCE}, got a difference of {worst:.2g}"
        )

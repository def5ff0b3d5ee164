"""FESNet as two ONNX graphs: `encode` (crops -> attended features) and `decode` (window -> logits
of all stages).
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

OPSET = 18
TOLERANCE = 1e-3  # on logits; the two runtimes must agree to this


class Encode(nn.Module):
    """`FesNet.encode` as a module of its own."""

    def __init__(self, network: FesNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        return self.network.encode(crops)


class Decode(nn.Module):
    """`FesNet.decode` as a module of its own."""

    def __init__(self, network: FesNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, attended: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.decode(attended)


def export_onnx(network: FesNet, encode: Path, decode: Path) -> None:
    """Write both graphs and check each against torch on random input; raises CheckpointError if
    they differ.
    """
    network = network.eval()
    c = network.config
    rng = np.random.default_rng(0)
    crops = torch.from_numpy(rng.integers(0, 256, (3, c.crop_size, c.crop_size, 3), np.uint8))
    with torch.inference_mode():
        one = network.encode(crops)
        if c.landmark_feature_count:
            one = network.append_landmarks(one, torch.randn(3, c.landmark_feature_count))
    window = one[torch.arange(c.window) % 3][None] + 0.1 * torch.randn(1, c.window, *one.shape[1:])
    write_graph(
        Encode(network).eval(),
        (crops,),
        encode,
        ["crops"],
        ["attended"],
        {"crops": {0: "N"}, "attended": {0: "N"}},
    )
    names = {
        "attended": {0: "B", 1: "T"},
        "logits": {1: "B", 2: "T"},
        "intensity": {0: "B", 1: "T"},
    }
    write_graph(
        Decode(network).eval(), (window,), decode, ["attended"], ["logits", "intensity"], names
    )
    with torch.inference_mode():
        check_graph(encode, crops.numpy(), network.encode(crops))
        for part in (
            window,
            window[:, : c.window // 2 + 1],
        ):  # a graph must not remember how long a window was
            check_graph(decode, part.numpy(), network.decode(part)[0])


class MotionHead(nn.Module):
    """LSDM's motion output as a module of its own."""

    def __init__(self, network: FesNet) -> None:
        super().__init__()
        self.lsdm = network.lsdm

    def forward(self, attended: Tensor, reference: Tensor) -> Tensor:
        return self.lsdm.predict_motion(attended[None], reference[None])[0]


def export_motion_head(network: FesNet, path: Path) -> None:
    """Write the graph of LSDM's motion output: attended (N, P, C), reference (1, P, C) -> motions
    (N, M). Checked against torch; raises CheckpointError if they differ."""
    network = network.eval()
    c = network.config
    attended = torch.randn(3, network.lsdm.side**2, 4 * c.width)
    names = {"attended": {0: "N"}, "motions": {0: "N"}}
    head = MotionHead(network).eval()
    arguments = (attended, attended[:1])
    write_graph(head, arguments, path, ["attended", "reference"], ["motions"], names)
    ort.disable_telemetry_events()  # beside the environment variable that `fesnet` sets
    with torch.inference_mode():
        found = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(
            None, {"attended": attended.numpy(), "reference": attended[:1].numpy()}
        )[0]
        worst = float(np.abs(found - head(*arguments).numpy()).max())
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

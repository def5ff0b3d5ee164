"""The two ways to run FESNet, behind one interface of two methods.

`OnnxRuntime` is the default and needs no torch; `TorchRuntime` runs a checkpoint in torch, to
compare. Windows and intervals exist once and do not depend on the runtime.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from fesnet._messages import get_extra
from fesnet._types import Float32Array
from fesnet.errors import CheckpointError, MissingExtraError, UsageError
from fesnet.weights import Weights

CPU = "CPUExecutionProvider"
# What onnxruntime may run FESNet on, the fastest first, where the installed build brings it.
ACCELERATORS = ("CUDAExecutionProvider", "CoreMLExecutionProvider", "DmlExecutionProvider")
FORCE_CPU = "FESNET_CPU"  # environment variable; anything but empty or 0 keeps to the CPU


class Runtime(Protocol):
    """What spotting needs of a network."""

    name: str

    def encode(self, crops: NDArray[np.uint8]) -> Float32Array:
        """(N, H, W, 3) uint8 RGB -> attended features (N, P, C)."""
        ...

    def decode(self, attended: Float32Array) -> tuple[Float32Array, Float32Array]:
        """One window (T, P, C) -> class probabilities of the last stage (T, K), intensity (T,)."""
        ...


class OnnxRuntime:
    """FESNet's two exported graphs under onnxruntime."""

    def __init__(self, weights: Weights, threads: int = 1) -> None:
        self.encoder = session(weights.encode, threads)
        self.decoder = session(weights.decode, threads)
        length = self.decoder.get_inputs()[0].shape[1]
        if isinstance(length, int):
            raise CheckpointError(
                f"expected a graph for windows of any length in {weights.decode}, got one for "
                f"{length} ticks only; "
                "write them anew with `fesnet export WEIGHTS --to onnx --out FOLDER`"
            )
        used = self.encoder.get_providers()[0]
        self.name = f"onnxruntime {ort.__version__}" + ("" if used == CPU else f", {used}")

    def encode(self, crops: NDArray[np.uint8]) -> Float32Array:
        out: Float32Array = self.encoder.run(["attended"], {"crops": crops})[0]
        return out

    def decode(self, attended: Float32Array) -> tuple[Float32Array, Float32Array]:
        logits, intensity = self.decoder.run(["logits", "intensity"], {"attended": attended[None]})
        return softmax(logits[-1, 0]), intensity[0]


class OnnxMotionHead:
    """LSDM's motion output as a graph of its own (`fesnet.model.export.export_motion_head`)."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.graph = session(path, threads)

    def __call__(self, attended: Float32Array, reference: Float32Array) -> Float32Array:
        """Attended features (N, P, C) against a reference (P, C) -> motions (N, M)."""
        given = {"attended": attended, "reference": reference[None]}
        out: Float32Array = self.graph.run(["motions"], given)[0]
        return out


class TorchRuntime:
    """FESNet in torch on the CPU, from the same weights folder."""

    def __init__(self, weights: Weights, threads: int = 1) -> None:
        try:
            import torch

            from fesnet.model.checkpoint import load_network
        except ImportError as error:
            raise MissingExtraError(
                "expected torch for the torch runtime, but it is not installed; "
                f"{get_extra('train')}"
            ) from error
        self.torch = torch
        self.name = f"torch {torch.__version__}"
        torch.set_num_threads(threads)
        self.network = load_network(weights).eval()

    def encode(self, crops: NDArray[np.uint8]) -> Float32Array:
        with self.torch.inference_mode():
            return self.network.encode(self.torch.from_numpy(crops)).numpy()

    def decode(self, attended: Float32Array) -> tuple[Float32Array, Float32Array]:
        with self.torch.inference_mode():
            logits, intensity = self.network.decode(self.torch.from_numpy(attended[None]))
            return softmax(logits[-1, 0].numpy()), intensity[0].numpy()


def make_runtime(name: str, weights: Weights, threads: int = 1) -> Runtime:
    """`onnx` or `torch`."""
    if name == "onnx":
        return OnnxRuntime(weights, threads)
    if name == "torch":
        return TorchRuntime(weights, threads)
    raise UsageError(f"expected runtime 'onnx' or 'torch', got {name!r}")


def chosen_providers() -> list[str]:
    """onnxruntime's execution providers for FESNet, the first that works is used; the CPU is always
    the last.
    """
    if os.environ.get(FORCE_CPU, "0") not in ("", "0"):
        return [CPU]
    there = ort.get_available_providers()
    return [*(name for name in ACCELERATORS if name in there), CPU]


def session(path: Path, threads: int) -> ort.InferenceSession:
    """A session that neither spins nor takes more threads than it is given: a busy machine must not
    collapse.
    """
    ort.disable_telemetry_events()  # beside the environment variable that `fesnet` sets
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=chosen_providers())
    except Exception as error:  # onnxruntime raises its own, unrelated classes
        raise CheckpointError(
            f"expected an ONNX graph in {path}, but onnxruntime cannot read it"
        ) from error


def softmax(logits: Float32Array) -> Float32Array:
    """Over the last axis."""
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True), np.float32)

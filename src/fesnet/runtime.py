"""The two ways to run FESNet, behind one interface of two methods.

`OnnxRuntime` is the default and needs no torch; `TorchRuntime` runs a checkpoint in torch, to
compare. Windows and intervals exist once and do not depend on the runtime.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

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
Device = Literal["auto", "cpu", "cuda", "coreml", "directml"]
PROVIDERS = dict(zip(("cuda", "coreml", "directml"), ACCELERATORS, strict=True))
BUILDS = {"cuda": "onnxruntime-gpu", "coreml": "onnxruntime", "directml": "onnxruntime-directml"}
ONLY_ON = {"coreml": "macOS", "directml": "Windows"}
SYSTEMS = {"macOS": "darwin", "Windows": "win32"}


class Runtime(Protocol):
    """What spotting needs of a network."""

    name: str

    def encode(self, crops: NDArray[np.uint8]) -> Float32Array:
        """(N, H, W, 3) uint8 RGB -> features (N, R, C) that `decode` takes: projected ones, or
        attended ones of older weights.
        """
        ...

    def decode(self, features: Float32Array) -> tuple[Float32Array, Float32Array]:
        """One window (T, R, C) -> class probabilities of the last stage (T, K), intensity (T,)."""
        ...


class OnnxRuntime:
    """FESNet's two exported graphs under onnxruntime. device: 'auto' takes the fastest that works;
    any other is used or refused.
    """

    def __init__(self, weights: Weights, threads: int = 1, device: Device = "auto") -> None:
        self.encoder = session(weights.encode, threads, device)
        self.decoder = session(weights.decode, threads, device)
        length = self.decoder.get_inputs()[0].shape[1]
        if isinstance(length, int):
            raise CheckpointError(
                f"expected a graph for windows of any length in {weights.decode}, got one for "
                f"{length} ticks only; "
                "write them anew with `fesnet export WEIGHTS --to onnx --out FOLDER`"
            )
        used = self.encoder.get_providers()[0]
        self.name = f"onnxruntime {ort.__version__}" + ("" if used == CPU else f", {used}")
        self.features = "projected" if weights.projected else "attended"

    def encode(self, crops: NDArray[np.uint8]) -> Float32Array:
        out: Float32Array = run_graph(self.encoder, [self.features], {"crops": crops})[0]
        return out

    def encode_attended(self, crops: NDArray[np.uint8]) -> Float32Array:
        """(N, H, W, 3) uint8 RGB -> attended features (N, P, C), one row for each position."""
        out: Float32Array = run_graph(self.encoder, ["attended"], {"crops": crops})[0]
        return out

    def decode(self, features: Float32Array) -> tuple[Float32Array, Float32Array]:
        given = {self.features: features[None]}
        logits, intensity = run_graph(self.decoder, ["logits", "intensity"], given)
        return softmax(logits[-1, 0]), intensity[0]


class OnnxMotionHead:
    """LSDM's motion output as a graph of its own (`fesnet.model.export.export_motion_head`)."""

    def __init__(self, path: Path, threads: int = 1, device: Device = "auto") -> None:
        self.graph = session(path, threads, device)
        self.features = self.graph.get_inputs()[0].name

    def __call__(self, features: Float32Array, reference: Float32Array) -> Float32Array:
        """Features (N, R, C) of `Runtime.encode` against a reference (R, C) -> motions (N, M)."""
        given = {self.features: features, "reference": reference[None]}
        out: Float32Array = run_graph(self.graph, ["motions"], given)[0]
        return out


class TorchRuntime:
    """FESNet in torch, from the same weights folder. device: 'auto' is the CPU; 'cuda' an NVIDIA
    GPU.
    """

    def __init__(self, weights: Weights, threads: int = 1, device: Device = "auto") -> None:
        try:
            import torch

            from fesnet.model.checkpoint import load_network
            from fesnet.model.projected import LocalProjection, ProjectedDecode
        except ImportError as error:
            raise MissingExtraError(
                "expected torch for the torch runtime, but it is not installed; "
                f"{get_extra('train')}"
            ) from error
        self.torch = torch
        self.name = f"torch {torch.__version__}"
        torch.set_num_threads(threads)
        if device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"expected device 'cpu' or 'cuda' for torch, got {device!r}")
        if device == "cuda" and not torch.cuda.is_available():
            raise UsageError("expected a GPU for device 'cuda', but torch finds none")
        self.device = "cuda" if device == "cuda" else "cpu"
        self.name += "" if self.device == "cpu" else ", cuda"
        self.network = load_network(weights).eval().to(self.device)
        self.projection: Any = None
        self.judge: Any = self.network.decode
        if weights.projected:
            self.projection = LocalProjection(self.network.lsdm).to(self.device)
            self.judge = ProjectedDecode(self.network).eval().to(self.device)

    def encode(self, crops: NDArray[np.uint8]) -> Float32Array:
        with self.torch.inference_mode():
            attended = self.network.encode(self.torch.from_numpy(crops).to(self.device))
            out = attended if self.projection is None else self.projection(attended)
            return np.asarray(out.cpu().numpy())

    def decode(self, features: Float32Array) -> tuple[Float32Array, Float32Array]:
        with self.torch.inference_mode():
            given = self.torch.from_numpy(features[None]).to(self.device)
            logits, intensity = self.judge(given)
            return softmax(logits[-1, 0].cpu().numpy()), intensity[0].cpu().numpy()


def make_runtime(name: str, weights: Weights, threads: int = 1, device: Device = "auto") -> Runtime:
    """`onnx` or `torch`, on a device. Raises UsageError for another name, and for a device that is
    not to be had.
    """
    if device not in get_args(Device):
        raise UsageError(f"expected a device out of {', '.join(get_args(Device))}, got {device!r}")
    if name == "onnx":
        return OnnxRuntime(weights, threads, device)
    if name == "torch":
        return TorchRuntime(weights, threads, device)
    raise UsageError(f"expected runtime 'onnx' or 'torch', got {name!r}")


def chosen_providers(device: Device = "auto") -> list[str]:
    """onnxruntime's execution providers for FESNet, the first that works is used; the CPU is always
    the last. Raises UsageError for a device that the installed onnxruntime does not bring.
    """
    there = ort.get_available_providers()
    if device in PROVIDERS:
        if PROVIDERS[device] not in there:
            what = f"install {BUILDS[device]} in the place of onnxruntime"
            if device in ONLY_ON and sys.platform != SYSTEMS[ONLY_ON[device]]:
                what = f"only {ONLY_ON[device]} has it: take --device cpu"
            raise UsageError(
                f"expected an onnxruntime with {PROVIDERS[device]} for device {device!r}, got one "
                f"with {', '.join(there)}; {what}"
            )
        return [PROVIDERS[device], CPU]
    if device == "cpu" or os.environ.get(FORCE_CPU, "0") not in ("", "0"):
        return [CPU]
    return [*(name for name in ACCELERATORS if name in there), CPU]


def session(path: Path, threads: int, device: Device = "auto") -> ort.InferenceSession:
    """A session that neither spins nor takes more threads than it is given: a busy machine must not
    collapse. Raises CheckpointError for what is no graph, UsageError where a device that was asked
    for does not work.
    """
    providers = chosen_providers(device)
    ort.disable_telemetry_events()  # beside the environment variable that `fesnet` sets
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        made = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime raises its own, unrelated classes
        raise CheckpointError(
            f"expected an ONNX graph in {path}, but onnxruntime cannot read it"
        ) from error
    used = made.get_providers()[0]  # onnxruntime falls back to the CPU without an error
    if device in PROVIDERS and used != providers[0]:
        raise UsageError(
            f"expected to run on device {device!r}, but onnxruntime fell back to {used}; check the "
            "driver and its libraries, or use device 'cpu'"
        )
    return made


def run_graph(
    graph: ort.InferenceSession, outputs: list[str], given: dict[str, NDArray[Any]]
) -> list[Any]:
    """The outputs of a graph. Raises CheckpointError where it was read, but cannot be run, and
    MemoryError.
    """
    try:
        return list(graph.run(outputs, given))
    except Exception as error:  # onnxruntime raises its own, unrelated classes
        said = " ".join(str(error).split())
        if "alloc" in said.lower():
            raise MemoryError(said) from error
        raise CheckpointError(
            f"expected weights whose graph runs, but onnxruntime says: {said[:200]}; take others"
        ) from error


def softmax(logits: Float32Array) -> Float32Array:
    """Over the last axis."""
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True), np.float32)

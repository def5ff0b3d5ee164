"""Lower bounds of time on this machine, from the rates of matrix products and of copies."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx


def shortest(function: object, repeat: int = 7) -> float:
    """Shortest CPU time of a call, s."""
    times = []
    for _ in range(repeat):
        started = time.process_time()
        function()  # type: ignore[operator]
        times.append(time.process_time() - started)
    return min(times)


def matrix_rate() -> float:
    """Multiply-adds a second of a large float32 matrix product, in as many threads as numpy may use
    (set it to one).
    """
    a = np.random.default_rng(0).standard_normal((1024, 1024)).astype(np.float32)
    return 1024**3 / shortest(lambda: a @ a)


def copy_rate() -> float:
    """Bytes a second read and written by a copy larger than the caches."""
    a = np.zeros(1 << 27, np.uint8)
    b = np.empty_like(a)
    return 2 * a.size / shortest(lambda: np.copyto(b, a))


def multiplications(path: Path, shapes: dict[str, tuple[int, ...]]) -> float:
    """Multiply-adds of the convolutions and matrix products of a graph, for inputs of these
    shapes.
    """
    model = onnx.load(str(path))
    for given in model.graph.input:
        for dim, size in zip(
            given.type.tensor_type.shape.dim, shapes.get(given.name, ()), strict=False
        ):
            dim.dim_value = size
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    known = {w.name: list(w.dims) for w in graph.initializer}
    for value in [*graph.value_info, *graph.input, *graph.output]:
        known[value.name] = [d.dim_value for d in value.type.tensor_type.shape.dim]
    total = 0.0
    for node in graph.node:
        out = known.get(node.output[0])
        if node.op_type == "Conv" and out:
            total += float(np.prod(out)) * float(np.prod(known[node.input[1]][1:]))
        elif node.op_type in ("MatMul", "Gemm") and out:
            total += float(np.prod(out)) * known[node.input[0]][-1]
    return total

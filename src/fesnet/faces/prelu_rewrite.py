"""The same network in operations that onnxruntime runs well on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

# onnx is imported when a face is first looked for: it takes a seventh of a second.


def without_prelu(path: Path) -> bytes:
    """A graph in which every PRelu over channels is written as a x + (1 - a) relu(x).

    onnxruntime keeps its convolutions in blocks of channels, but not its PRelu: Face Mesh spent
    three quarters of its time in those and in changing layouts before and behind. Convolutions of
    one pixel and one channel stay in blocks. Values differ by rounding only.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    graph = model.graph
    slopes = {w.name: numpy_helper.to_array(w).reshape(-1) for w in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    gone = set()
    for node in graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        slope = slopes[node.input[1]].astype(np.float32)
        gone.add(node.input[1])
        kept, passed = (
            channel_weights(f"{node.output[0]}_{k}", s)
            for k, s in (("kept", slope), ("passed", 1 - slope))
        )
        graph.initializer.extend([kept, passed])
        nodes += written_out(node, kept.name, passed.name, len(slope))
    still = [w for w in graph.initializer if w.name not in gone]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(still)
    graph.node.extend(nodes)
    data: bytes = model.SerializeToString()
    return data


def channel_weights(name: str, values: np.ndarray) -> onnx.TensorProto:
    """One weight for each channel, as a convolution takes them."""
    from onnx import numpy_helper

    return numpy_helper.from_array(np.ascontiguousarray(values.reshape(-1, 1, 1, 1)), name)


def written_out(
    node: onnx.NodeProto, kept: str, passed: str, channels: int
) -> list[onnx.NodeProto]:
    """The four operations in place of one PRelu."""
    from onnx import helper

    x, y = node.input[0], node.output[0]
    alone: dict[str, Any] = {"group": channels, "kernel_shape": [1, 1]}
    return [
        helper.make_node("Relu", [x], [f"{y}_relu"]),
        helper.make_node("Conv", [x, kept], [f"{y}_below"], **alone),
        helper.make_node("Conv", [f"{y}_relu", passed], [f"{y}_above"], **alone),
        helper.make_node("Add", [f"{y}_below", f"{y}_above"], [y]),
    ]

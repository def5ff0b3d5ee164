"""Face Mesh in operations that onnxruntime runs well on a CPU: other operations, equal values.

onnxruntime keeps convolutions in blocks of channels, and so additions, maxima and ReLUs between
them. It leaves the blocks for PRelu, Pad and Transpose. What stands here stays in blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fesnet._io import create_partial

if TYPE_CHECKING:
    import onnx

# onnx is imported where the graph was not kept: it takes a seventh of a second.
VERSION = 1  # rises when the rewriting changes
DIGEST = 32  # bytes of the sha256 before a kept graph


def kept_fast_graph(path: Path) -> bytes:
    """`fast_graph` of a file, kept beside it after the first time. A damaged one is made anew;
    where nothing can be written it is made each time."""
    source = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    place = path.with_name(f"{path.stem}-{source}.fast-{VERSION}")
    with suppress(OSError):
        kept = place.read_bytes()
        if hashlib.sha256(kept[DIGEST:]).digest() == kept[:DIGEST]:
            return kept[DIGEST:]
    graph = fast_graph(path)
    with suppress(OSError):
        keep(place, hashlib.sha256(graph).digest() + graph)
    return graph


def keep(place: Path, data: bytes) -> None:
    """Write a file of the cache, whole or not at all. It is none of a person's results, so the
    records of those do not learn of it. Raises OSError."""
    part = create_partial(place)
    try:
        part.write_bytes(data)
        part.replace(place)
    except OSError:
        part.unlink()
        raise


def fast_graph(path: Path) -> bytes:
    """The graph of a file, rewritten.

    PRelu over channels becomes a x + (1 - a) relu(x), by convolutions of one pixel and one channel.
    New channels of zeros come from a convolution with ones and zeros. A first Transpose goes: the
    input is then (N, C, H, W). Values stay equal but for the rounding of PRelu's product.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    graph = model.graph
    weights = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    rewrite: dict[str, Callable[..., Any]] = {
        "PRelu": write_out_prelu,
        "Pad": pad_by_convolution,
    }
    nodes: list[onnx.NodeProto] = []
    made: dict[str, NDArray[np.float32]] = {}
    for node in drop_first_transpose(graph):
        new = rewrite.get(node.op_type, leave)(node, weights, made)
        nodes += [node] if new is None else new
    used = {name for node in nodes for name in node.input}
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(
        numpy_helper.from_array(values, name)
        for name, values in {**weights, **made}.items()
        if name in used
    )
    graph.node.extend(nodes)
    data: bytes = model.SerializeToString()
    return data


Weights = dict[str, NDArray[Any]]


def leave(node: onnx.NodeProto, weights: Weights, made: Weights) -> None:
    """A node that stays."""
    return


def drop_first_transpose(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes without a Transpose of the input, whose place the input takes."""
    given = graph.input[0]
    nodes = list(graph.node)
    if nodes[0].op_type != "Transpose" or list(nodes[0].input) != [given.name]:
        return nodes
    old = nodes[0].output[0]
    for node in nodes[1:]:
        for k, name in enumerate(node.input):
            if name == old:
                node.input[k] = given.name
    dims = given.type.tensor_type.shape.dim
    sizes = [d.dim_value for d in dims]
    for dim, size in zip(dims[1:], (sizes[3], sizes[1], sizes[2]), strict=True):
        dim.dim_value = size
    return nodes[1:]


def write_out_prelu(
    node: onnx.NodeProto, weights: Weights, made: Weights
) -> list[onnx.NodeProto] | None:
    """The four operations in place of one PRelu; onnxruntime runs them as two or three.

    Where no slope is above 1, (1 - a) relu(x) = relu((1 - a) x), which is part of a convolution.
    """
    from onnx import helper

    slope = weights[node.input[1]].reshape(-1).astype(np.float32)
    x, y = node.input[0], node.output[0]
    kept, passed, above = f"{y}_kept", f"{y}_passed", f"{y}_above"
    made[kept], made[passed] = one_pixel(slope), one_pixel(1 - slope)
    alone: dict[str, Any] = {"group": len(slope), "kernel_shape": [1, 1]}
    order = ("Conv", "Relu") if slope.max() <= 1 else ("Relu", "Conv")
    passing = []
    for operation, source, target in zip(
        order, (x, f"{y}_half"), (f"{y}_half", above), strict=True
    ):
        if operation == "Conv":
            passing.append(helper.make_node("Conv", [source, passed], [target], **alone))
        else:
            passing.append(helper.make_node("Relu", [source], [target]))
    return [
        *passing,
        helper.make_node("Conv", [x, kept], [f"{y}_below"], **alone),
        helper.make_node("Add", [f"{y}_below", above], [y]),
    ]


def one_pixel(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """One weight for each channel, as a convolution takes them."""
    return np.ascontiguousarray(values.reshape(-1, 1, 1, 1))


def pad_by_convolution(
    node: onnx.NodeProto, weights: Weights, made: Weights
) -> list[onnx.NodeProto] | None:
    """One convolution in place of a Pad that only adds channels of zeros behind; else None.

    The graph doubles its channels so; their number is that of the zeros.
    """
    from onnx import helper

    pads = weights[node.input[1]].tolist()
    new = pads[5]
    if new == 0 or any(p for k, p in enumerate(pads) if k != 5) or len(node.input) > 2:
        return None
    copied = np.concatenate([np.eye(new), np.zeros((new, new))]).astype(np.float32)
    name = f"{node.output[0]}_copied"
    made[name] = np.ascontiguousarray(copied[:, :, None, None])
    return [helper.make_node("Conv", [node.input[0], name], list(node.output), kernel_shape=[1, 1])]

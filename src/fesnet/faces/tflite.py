"""Turn a small float .tflite graph into ONNX, without TensorFlow and without its generated schema.

A .tflite file is a FlatBuffer: tables of numbered fields behind a vtable. The few fields that the
two face graphs use are read by number (the numbers are those of TensorFlow Lite's public
`schema.fbs`). Only the operators of those two graphs are known; any other one is an error, never a
guess.

TensorFlow's images are NHWC, ONNX convolutions want NCHW: one transpose at the input, one at each
image-shaped output and one in front of each reshape keep what is seen from outside NHWC.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fesnet.errors import FaceModelError

INPUT = "image"
OPSET, IR_VERSION = 17, 9  # old enough for every onnxruntime that supports numpy 2
DTYPES = {0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64}
TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)
NONE, RELU, RELU6 = 0, 1, 3  # fused activation codes


@dataclass(frozen=True)
class Table:
    """One FlatBuffer table at byte `at` of `data`; fields are read by their number in the
    schema.
    """

    data: bytes
    at: int

    @classmethod
    def root(cls, data: bytes) -> Table:
        """The table the file begins with."""
        return cls(data, cls(data, 0)._read("<I", 0))

    def _read(self, form: str, at: int) -> int:
        return int(struct.unpack_from(form, self.data, at)[0])

    def _find(self, number: int) -> int | None:
        """Byte position of a field, None where the file leaves it at its default."""
        vtable = self.at - self._read("<i", self.at)
        slot = 4 + 2 * number
        offset = self._read("<H", vtable + slot) if slot < self._read("<H", vtable) else 0
        return self.at + offset if offset else None

    def scalar(self, number: int, form: str) -> int:
        """A number in `struct` notation; 0, the schema's default for all fields used here, where
        absent.
        """
        at = self._find(number)
        return 0 if at is None else self._read(form, at)

    def table(self, number: int) -> Table:
        """The table a field points to."""
        at = self._find(number)
        if at is None:
            raise FaceModelError(
                f"expected a table in field {number}, got none; the .tflite file is damaged"
            )
        return Table(self.data, at + self._read("<I", at))

    def _vector(self, number: int) -> tuple[int, int]:
        """Position of the first element and the number of elements; (0, 0) where absent."""
        at = self._find(number)
        if at is None:
            return 0, 0
        start = at + self._read("<I", at)
        return start + 4, self._read("<I", start)

    def tables(self, number: int) -> list[Table]:
        """A vector of tables."""
        start, count = self._vector(number)
        places = range(start, start + 4 * count, 4)
        return [Table(self.data, at + self._read("<I", at)) for at in places]

    def array(self, number: int, dtype: Any) -> NDArray[Any]:
        """A vector of numbers."""
        start, count = self._vector(number)
        return np.frombuffer(self.data, dtype, count, start)


@dataclass
class GraphBuilder:
    """The ONNX graph while it grows: `constant` holds known tensors by number, `shape` all shapes
    (NHWC).
    """

    constant: dict[int, NDArray[Any]]
    shape: dict[int, list[int]]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        """Append one ONNX node."""
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def keep(self, array: NDArray[Any]) -> str:
        """Store a constant in the ONNX graph; its name."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def activated(self, fused: int, output: str) -> str:
        """Name to write to so that, after its fused activation, the result is called `output`."""
        return output if fused == NONE else f"{output}_raw"

    def activate(self, fused: int, output: str) -> None:
        """Append the activation that TensorFlow fused into an operator."""
        if fused == RELU:
            self.add("Relu", [f"{output}_raw"], output)
        elif fused == RELU6:
            limits = [self.keep(np.array(v, np.float32)) for v in (0, 6)]
            self.add("Clip", [f"{output}_raw", *limits], output)
        elif fused != NONE:
            raise FaceModelError(
                f"expected activation none, relu or relu6, got code {fused}; use the pinned models"
            )


@dataclass(frozen=True)
class Operator:
    """One operator: numbers of its tensors, and its options."""

    inputs: list[int]
    output: int
    record: Table

    def option(self, number: int, form: str = "<b") -> int:
        """One field of the operator's options table."""
        return self.record.table(4).scalar(number, form)

    def window(self) -> dict[str, Any]:
        """Padding and strides; convolutions and pooling number these fields alike."""
        return {
            "auto_pad": "VALID" if self.option(0) else "SAME_UPPER",
            "strides": [self.option(2, "<i"), self.option(1, "<i")],
        }


def tensor_name(tensor: int) -> str:
    """ONNX name of a tensor."""
    return f"t{tensor}"


def convolution(graph: GraphBuilder, op: Operator, *, depthwise: bool) -> None:
    """CONV_2D (weights O H W I) and DEPTHWISE_CONV_2D (1 H W O) to Conv (O I H W)."""
    weight, bias = (graph.constant[i].astype(np.float32) for i in op.inputs[1:3])
    weight = weight.transpose(3, 0, 1, 2) if depthwise else weight.transpose(0, 3, 1, 2)
    fused = op.option(4 if depthwise else 3)
    output = tensor_name(op.output)
    inputs = [tensor_name(op.inputs[0]), graph.keep(weight), graph.keep(bias)]
    group = weight.shape[0] if depthwise else 1
    graph.add("Conv", inputs, graph.activated(fused, output), group=group, **op.window())
    graph.activate(fused, output)


def convert_conv(graph: GraphBuilder, op: Operator) -> None:
    """CONV_2D."""
    convolution(graph, op, depthwise=False)


def convert_depthwise(graph: GraphBuilder, op: Operator) -> None:
    """DEPTHWISE_CONV_2D."""
    convolution(graph, op, depthwise=True)


def convert_add(graph: GraphBuilder, op: Operator) -> None:
    """ADD of two tensors of one shape."""
    fused, output = op.option(0), tensor_name(op.output)
    graph.add("Add", [tensor_name(i) for i in op.inputs], graph.activated(fused, output))
    graph.activate(fused, output)


def convert_pool(graph: GraphBuilder, op: Operator) -> None:
    """MAX_POOL_2D."""
    kernel = [op.option(4, "<i"), op.option(3, "<i")]
    graph.add(
        "MaxPool",
        [tensor_name(op.inputs[0])],
        tensor_name(op.output),
        kernel_shape=kernel,
        **op.window(),
    )


def convert_prelu(graph: GraphBuilder, op: Operator) -> None:
    """PRELU with one slope a channel."""
    slope = graph.constant[op.inputs[1]].astype(np.float32).reshape(-1, 1, 1)
    graph.add("PRelu", [tensor_name(op.inputs[0]), graph.keep(slope)], tensor_name(op.output))


def convert_relu(graph: GraphBuilder, op: Operator) -> None:
    """RELU."""
    graph.add("Relu", [tensor_name(op.inputs[0])], tensor_name(op.output))


def convert_pad(graph: GraphBuilder, op: Operator) -> None:
    """PAD with zeros; the amounts (4, 2) are reordered to NCHW."""
    amount = graph.constant[op.inputs[1]][list(TO_NCHW)].astype(np.int64)
    graph.add(
        "Pad", [tensor_name(op.inputs[0]), graph.keep(amount.T.reshape(-1))], tensor_name(op.output)
    )


def convert_reshape(graph: GraphBuilder, op: Operator) -> None:
    """RESHAPE of an image to (N, rows, columns); the batch stays free."""
    output, shape = tensor_name(op.output), graph.shape[op.output]
    if len(shape) != 3:
        raise FaceModelError(
            f"expected a reshape to three dimensions, got {shape}; use the pinned models"
        )
    graph.add("Transpose", [tensor_name(op.inputs[0])], f"{output}_nhwc", perm=TO_NHWC)
    target = graph.keep(np.array([0, -1, shape[2]], np.int64))
    graph.add("Reshape", [f"{output}_nhwc", target], output)


def convert_concat(graph: GraphBuilder, op: Operator) -> None:
    """CONCATENATION of the (N, rows, columns) results of reshapes, along the rows."""
    graph.add("Concat", [tensor_name(i) for i in op.inputs], tensor_name(op.output), axis=1)


def convert_dequantize(graph: GraphBuilder, op: Operator) -> None:
    """DEQUANTIZE of half-precision weights: done here, once."""
    graph.constant[op.output] = graph.constant[op.inputs[0]].astype(np.float32)


OPERATORS: dict[int, Callable[[GraphBuilder, Operator], None]] = {
    0: convert_add,
    2: convert_concat,
    3: convert_conv,
    4: convert_depthwise,
    6: convert_dequantize,
    17: convert_pool,
    19: convert_relu,
    22: convert_reshape,
    34: convert_pad,
    54: convert_prelu,
}


def read_graph(model: Table, subgraph: Table) -> GraphBuilder:
    """Shapes of all tensors and values of the constant ones."""
    buffers = model.tables(4)
    graph = GraphBuilder({}, {})
    for i, tensor in enumerate(subgraph.tables(0)):
        shape = graph.shape[i] = [int(n) for n in tensor.array(0, "<i4")]
        raw = buffers[tensor.scalar(2, "<I")].array(0, np.uint8)
        if raw.size:
            graph.constant[i] = raw.view(DTYPES[tensor.scalar(1, "<b")]).reshape(shape)
    return graph


def to_onnx(tflite: bytes, outputs: tuple[str, ...]) -> bytes:
    """Convert one .tflite graph.

    tflite: the file's bytes; outputs: names for its outputs, in its order. The result is an ONNX
    file whose input `image` is (N, H, W, 3) float32 with a free N, and whose outputs keep
    TensorFlow's shapes with a free N. Raises FaceModelError for an operator that the face graphs do
    not have.
    """
    model = Table.root(tflite)
    subgraph = model.tables(2)[0]
    codes = [max(c.scalar(0, "<b"), c.scalar(3, "<i")) for c in model.tables(1)]
    graph = read_graph(model, subgraph)
    entry = int(subgraph.array(1, "<i4")[0])
    graph.add("Transpose", [INPUT], tensor_name(entry), perm=TO_NCHW)
    for record in subgraph.tables(3):
        code = codes[record.scalar(0, "<I")]
        if code not in OPERATORS:
            raise FaceModelError(
                f"expected operators of the face graphs, got code {code}; use the pinned models"
            )
        inputs = [int(i) for i in record.array(1, "<i4")]
        OPERATORS[code](graph, Operator(inputs, int(record.array(2, "<i4")[0]), record))
    results = [
        result(graph, int(i), called)
        for i, called in zip(subgraph.array(2, "<i4"), outputs, strict=True)
    ]
    image = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", *graph.shape[entry][1:]])
    body = helper.make_graph(graph.nodes, "face", [image], results, graph.weights)
    made = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def result(graph: GraphBuilder, tensor: int, called: str) -> onnx.ValueInfoProto:
    """Give an output its name and TensorFlow's layout."""
    shape = graph.shape[tensor]
    if len(shape) == 4:
        graph.add("Transpose", [tensor_name(tensor)], called, perm=TO_NHWC)
    else:
        graph.add("Identity", [tensor_name(tensor)], called)
    return helper.make_tensor_value_info(called, TensorProto.FLOAT, ["N", *shape[1:]])

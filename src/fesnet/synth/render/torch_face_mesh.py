"""The landmark model itself on rendered clips, with its own errors, where a device is fast enough
to run it.

`fesnet.synth.render.landmark_errors` draws the errors of the landmark model; here it looks. On a
CPU that would cost ten times the painting.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor

from fesnet.faces.landmark_features import (
    DISPLACEMENT_UNIT,
    EXPRESSIVE_LANDMARKS,
    RIGID_LANDMARKS,
    ROTATION_UNIT,
    canonical_face,
)
from fesnet.faces.landmarks import ENLARGE, EYES, POINTS, SIDE
from fesnet.faces.models import ensure_models
from fesnet.synth.render.avatar import MARGIN, SPAN

BATCH = 640  # faces in one pass of the model
KEY_INTERVAL = 3  # frames from one run of the model to the next (`fesnet.landmarks_between`)
MOVED_LIMIT = 0.02  # change from which it also runs on the frames between


class TorchFaceMesh:
    """MediaPipe's Face Mesh, the graph that `fesnet.faces` keeps, on torch's device."""

    def __init__(self, model: Path, device: str | torch.device) -> None:
        graph = onnx.load(str(model)).graph
        self.nodes = [
            (n.op_type, list(n.input), n.output[0], read_attributes(n)) for n in graph.node
        ]
        self.weights = {
            w.name: torch.from_numpy(numpy_helper.to_array(w).copy()).to(device)
            for w in graph.initializer
        }

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Landmarks (N, 468, 3) in 0..1 of the image (z in the same scale) for images (N, 3, 192,
        192) in 0..1.
        """
        # In full: with ten bits of mantissa landmarks would jitter by more than an expression
        # moves them.
        tf32, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
        try:
            with torch.autocast(images.device.type, enabled=False):
                parts = [
                    self.run(images[i : i + BATCH].float()) for i in range(0, len(images), BATCH)
                ]
        finally:
            torch.backends.cudnn.allow_tf32 = tf32
        return torch.cat(parts).view(-1, POINTS, 3) / SIDE

    def run(self, images: Tensor) -> Tensor:
        values: dict[str, Tensor] = dict(self.weights) | {"image": images.permute(0, 2, 3, 1)}
        for kind, inputs, output, attributes in self.nodes:
            values[output] = OPERATIONS[kind]([values[name] for name in inputs], attributes)
        return values["landmarks"]


Attributes = dict[str, list[int]]


def read_attributes(node: onnx.NodeProto) -> Attributes:
    """The lists of whole numbers among a node's attributes; `same`: whether its input is padded to
    the same size.
    """
    lists = {a.name: list(a.ints) for a in node.attribute if a.ints}
    single = {a.name: [a.i] for a in node.attribute if a.type == onnx.AttributeProto.INT}
    same = any(a.name == "auto_pad" and a.s == b"SAME_UPPER" for a in node.attribute)
    return lists | single | {"same": [int(same)]}


def convolve(given: list[Tensor], attributes: Attributes) -> Tensor:
    x, weight, bias = given
    step = attributes["strides"]
    if attributes["same"][0]:
        sizes = [
            max((-(-n // s) - 1) * s + k - n, 0)
            for n, s, k in zip(x.shape[2:], step, weight.shape[2:], strict=True)
        ]
        (y0, y1), (x0, x1) = ((n // 2, n - n // 2) for n in sizes)
        x = F.pad(x, (x0, x1, y0, y1))
    return F.conv2d(x, weight, bias, step, groups=attributes["group"][0])


def pad(given: list[Tensor], attributes: Attributes) -> Tensor:
    before, after = given[1].tolist()[:4], given[1].tolist()[4:]
    return F.pad(
        given[0], [int(n) for pair in zip(before[::-1], after[::-1], strict=True) for n in pair]
    )


OPERATIONS: dict[str, Callable[[list[Tensor], Attributes], Tensor]] = {
    "Conv": convolve,
    "PRelu": lambda given, attributes: F.prelu(given[0], given[1].flatten()),
    "Add": lambda given, attributes: given[0] + given[1],
    "MaxPool": lambda given, attributes: F.max_pool2d(
        given[0], attributes["kernel_shape"], attributes["strides"]
    ),
    "Transpose": lambda given, attributes: given[0].permute(attributes["perm"]),
    "Pad": pad,
}


@cache
def landmark_model(device: str) -> TorchFaceMesh:
    """The landmark model of the face stage (see `fesnet.faces.models`) on a device."""
    return TorchFaceMesh(ensure_models().landmarks, device)


def run_landmark_model(
    mesh: TorchFaceMesh, wide: Tensor, placed: Tensor, rng: np.random.Generator
) -> Tensor:
    """Shapes (T, SHAPE) of a clip, as `fesnet.faces.compute_landmark_features` gives them.

    wide (T, 1, R, R) grey in 0..1: whole pictures, MARGIN beyond the crop on every side. placed (T,
    V, 2): where its points truly stand, by which the square that the model is shown is found, as
    from the frame before.
    """
    before = placed[:, :468].roll(1, 0)
    before[0] = placed[0, :468]
    jitter = torch.from_numpy(rng.normal(0, 0.002, (len(placed), 3)).astype(np.float32)).to(
        wide.device
    )
    low, high = before.amin(1), before.amax(1)
    side = ENLARGE * (high - low).amax(1) * (1 + jitter[:, 2])
    centre = (low + high) / 2 + jitter[:, :2]
    across = before[:, EYES[1]] - before[:, EYES[0]]
    angle = torch.atan2(across[:, 1], across[:, 0])
    turn = side[:, None, None] * torch.stack(
        [torch.stack([angle.cos(), -angle.sin()], 1), torch.stack([angle.sin(), angle.cos()], 1)], 1
    )
    axis = (torch.arange(SIDE, device=wide.device) + 0.5) / SIDE - 0.5
    square = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).view(1, -1, 2)
    at = (square @ turn.transpose(1, 2) + centre[:, None] + MARGIN) * (2 / SPAN) - 1
    view = F.grid_sample(
        wide, at.view(-1, SIDE, SIDE, 2), padding_mode="border", align_corners=False
    )
    found = mesh(view.expand(-1, 3, -1, -1))
    flat = (found[..., :2] - 0.5) @ turn.transpose(1, 2) + centre[:, None]
    return interpolate_skipped_frames_torch(
        landmark_features_torch(torch.cat([flat, found[..., 2:] * side[:, None, None]], -1)), rng
    )


def landmark_features_torch(landmarks: Tensor) -> Tensor:
    """`fesnet.faces.compute_landmark_features` of landmarks (N, 468, 3) on their device."""
    canonical = torch.from_numpy(canonical_face()).to(landmarks.device).double()
    source, target = landmarks[:, list(RIGID_LANDMARKS)].double(), canonical[list(RIGID_LANDMARKS)]
    a, b = source.mean(1, keepdim=True), target.mean(0)
    p, q = source - a, target - b
    left, values, right = torch.linalg.svd(p.transpose(1, 2) @ q)
    sign = torch.ones_like(values)
    sign[:, 2] = torch.linalg.det(left @ right).sign()
    turn = (left * sign[:, None]) @ right
    scale = (values * sign).sum(1) / p.square().sum((1, 2)).clamp(min=1e-12)
    upright = (landmarks[:, list(EXPRESSIVE_LANDMARKS)].double() - a) @ turn * scale[
        :, None, None
    ] + b
    moved = (upright[..., :2] - canonical[list(EXPRESSIVE_LANDMARKS), :2]) * DISPLACEMENT_UNIT
    yaw = torch.asin((-turn[:, 2, 0]).clamp(-1, 1))
    pitch, roll = (
        torch.atan2(turn[:, 2, 1], turn[:, 2, 2]),
        torch.atan2(turn[:, 1, 0], turn[:, 0, 0]),
    )
    turns = torch.stack([yaw, pitch, roll], 1) * ROTATION_UNIT
    return torch.cat([moved.flatten(1), turns, torch.zeros_like(yaw)[:, None]], 1).float()


def interpolate_skipped_frames_torch(shapes: Tensor, rng: np.random.Generator) -> Tensor:
    """As spotting asks the model: every third frame, and those between where much has moved;
    straight lines elsewhere. In some clips, whose heads never rest, every frame."""
    if rng.random() < 0.25:
        return shapes
    at = torch.arange(len(shapes), device=shapes.device)
    left = at // KEY_INTERVAL * KEY_INTERVAL
    right = (left + KEY_INTERVAL).clamp(max=len(shapes) - 1)
    share = ((at - left) / (right - left).clamp(min=1))[:, None]
    a, b = shapes[left], shapes[right]
    moved = (b - a).abs().mean(1, keepdim=True) > MOVED_LIMIT
    return torch.where(moved, shapes, torch.lerp(a, b, share))

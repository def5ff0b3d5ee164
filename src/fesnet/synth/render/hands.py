"""A hand that comes before the face, stays a while and goes: no expression, whatever landmarks and
pixels make of it.

It is a blurred shape of the face's own tone with darker lines between its fingers: enough for a
network that sees grey crops of 96 pixels. All numbers are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fesnet._types import FloatArray
from fesnet.synth.render.avatar_renderer import pixel_centres
from fesnet.synth.script.curves import intensity_curve, smooth_noise

AWAY = 1.1  # crop units from the crop's middle, where nothing of a hand is seen
MISLED = (
    0.3  # false motion of shapes behind a hand that covers the whole face, 4 pixels of 96 being 1
)


@dataclass(frozen=True)
class Hand:
    """centre (T, 2), half axes (2,) and width of a finger in crop units, turn in radians, tone (1:
    the face's).
    """

    centre: FloatArray
    axes: FloatArray
    turn: float
    tone: float
    finger: float

    def cover(self, crops: Tensor, margin: float = 0.0) -> Tensor:
        """Crops (T, 1, S, S) in 0..1, reaching `margin` beyond the unit square, with the hand
        before them.
        """
        axis = pixel_centres(crops.shape[-1], margin, crops.device)
        x, y = axis[None] - self.column(0, crops), axis[:, None] - self.column(1, crops)
        c, s = float(np.cos(self.turn)), float(np.sin(self.turn))
        along, across = (c * x + s * y) / float(self.axes[0]), (c * y - s * x) / float(self.axes[1])
        inside = torch.sigmoid((1 - (along**4 + across**4) ** 0.25) * 25)[:, None]
        lines = (
            1
            - 0.25
            * torch.cos(torch.pi * across * float(self.axes[1]) / self.finger).abs()[:, None] ** 8
        )
        down, wide = ((axis > low) & (axis < 1 - low) for low in (1 / 3, 1 / 4))
        skin = crops[:, :, down][..., wide].mean()
        return torch.lerp(crops, (self.tone * skin * lines).clamp(0, 1), inside)

    def column(self, which: int, crops: Tensor) -> Tensor:
        return torch.as_tensor(self.centre[:, which], device=crops.device).float()[:, None, None]

    def disturb_landmarks(self, landmarks: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Shapes (..., T, SHAPE) as the landmark model errs while part of the face is hidden."""
        distance = np.linalg.norm(self.centre - 0.5, axis=1) / (0.5 + float(self.axes.mean()))
        hidden = np.clip(1.2 - distance, 0, 1)[:, None]
        frames, numbers = landmarks.shape[-2:]
        parts = np.stack([smooth_noise(rng, frames, rng.uniform(2, 20), 1.0) for _ in range(8)], 1)
        error = parts @ rng.normal(0, 8**-0.5, (8, numbers)) + rng.normal(0, 1, numbers)
        return np.asarray(landmarks + MISLED * rng.uniform(0.2, 1.5) * hidden * error, np.float32)


def draw_hand(rng: np.random.Generator, frames: int, rate: float) -> Hand:
    """A hand that comes once or more, from below or from a side, to a place before the face."""
    side = rng.uniform(-0.35, np.pi + 0.35)  # from the right, over below, to the left
    outside = 0.5 + AWAY * np.array([np.cos(side), np.sin(side)])
    to = np.array([0.5, 0.6]) + rng.normal(0, [0.22, 0.2])
    near = np.zeros(frames, np.float32)
    t = rng.uniform(0, 6) * rate
    while t < frames:
        seconds = rng.uniform(0.2, 0.8) + rng.exponential(1.5) + 0.4
        n = int(seconds * rate)
        way = float(np.clip(rng.uniform(0.2, 0.7) / seconds, 0.05, 0.45))
        curve = intensity_curve(n, way, way, 1.0)
        stop = min(frames, int(t) + n)
        near[int(t) : stop] = np.maximum(near[int(t) : stop], curve[: stop - int(t)])
        t += n + rng.exponential(6) * rate
    restless = np.stack(
        [smooth_noise(rng, frames, rng.uniform(4, 20), rng.choice([0.003, 0.02])) for _ in "xy"], 1
    )
    centre = outside + near[:, None] * (to - outside) + restless
    axes = np.array([rng.uniform(0.2, 0.45), rng.uniform(0.08, 0.25)])
    return Hand(
        centre, axes, float(side), float(rng.uniform(0.6, 1.3)), float(rng.uniform(0.05, 0.1))
    )

"""Light, lens, sensor and codec over rendered crops: everything that changes pixels but is no
motion.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fesnet._types import FloatArray
from fesnet.synth.render.avatar_renderer import pixel_centres
from fesnet.synth.script.curves import log_uniform, smooth_noise

BLOCK = 8  # side of the codec's transform blocks


def simulate_camera(
    clip: Tensor,
    pose: FloatArray,
    rng: np.random.Generator,
    margin: float = 0.0,
    pixel_scale: float = 1.0,
) -> Tensor:
    """A clip (T, 1, H, W) in 0..1 as a camera would deliver it: same shape, 0..1, in steps of
    1/255.

    pose (T, 3) lets the light on the face change as the head turns. Light and camera are drawn.
    margin: how far the clip reaches beyond the crop; finer: how many times smaller its pixels are
    than a crop's, in which noise is given.
    """
    clip = light(clip, pose, rng)
    if rng.random() < 0.15:
        clip = glint(clip, rng, margin)
    if rng.random() < 0.55:
        clip = defocus(clip, rng)
    clip = sensor_noise(clip, rng, pixel_scale)
    if rng.random() < 0.4:
        clip = codec(clip, rng)
    return (clip.clamp(0, 1) * 255).round() / 255


def per_frame(values: FloatArray, clip: Tensor) -> Tensor:
    """One value a frame, shaped to multiply a clip (T, 1, H, W)."""
    return torch.as_tensor(np.asarray(values, np.float32), device=clip.device).view(-1, 1, 1, 1)


def light(clip: Tensor, pose: FloatArray, rng: np.random.Generator) -> Tensor:
    """Tone curve, side light that shifts with head turns, exposure drift, flicker."""
    n, size = len(clip), clip.shape[-1]
    gamma, gain = float(np.exp(rng.normal(0, 0.3))), float(rng.uniform(0.5, 1.15))
    lamp = rng.normal(0, 0.3, 2)
    follow = rng.normal(0, 0.8, 2)
    axis = torch.linspace(-0.5, 0.5, size, device=clip.device)
    ramp_x = per_frame(lamp[0] + follow[0] * pose[:, 0], clip) * axis
    ramp_y = per_frame(lamp[1] + follow[1] * pose[:, 1], clip) * axis[:, None]
    exposure: FloatArray = 1 + smooth_noise(
        rng, n, rng.uniform(10, 90), float(rng.choice([0.004, 0.02, 0.06]))
    )
    if rng.random() < 0.15:  # lamp flicker beating with the shutter
        exposure = exposure + rng.uniform(0.005, 0.03) * np.sin(
            np.arange(n) * rng.uniform(0.3, 3.0)
        )
    if rng.random() < 0.08:  # auto-exposure step
        at, width = rng.integers(0, n), rng.uniform(2, 15)
        exposure = exposure * (1 + rng.normal(0, 0.12) / (1 + np.exp(-(np.arange(n) - at) / width)))
    lit = clip.clamp(1e-3, 1).pow(gamma) * (1 + ramp_x + ramp_y).clamp(0.2, 2) * gain
    return lit * per_frame(exposure, clip) + float(rng.normal(0, 0.03))


def glint(clip: Tensor, rng: np.random.Generator, margin: float) -> Tensor:
    """Bright spots near the eyes, as on glasses, that wander a little."""
    n, axis = len(clip), pixel_centres(clip.shape[-1], margin, clip.device)
    for side in (-1, 1):
        x = per_frame(0.5 + side * rng.uniform(0.1, 0.2) + smooth_noise(rng, n, 15, 0.008), clip)
        y = per_frame(0.36 + rng.normal(0, 0.02) + smooth_noise(rng, n, 15, 0.006), clip)
        wide, high = rng.uniform(0.01, 0.05), rng.uniform(0.008, 0.03)
        spot = torch.exp(-(((axis - x) / wide) ** 2) - ((axis[:, None] - y) / high) ** 2)
        clip = clip + float(rng.uniform(0.1, 0.6)) * spot
    return clip


def defocus(clip: Tensor, rng: np.random.Generator) -> Tensor:
    """Low resolution (a small face) or a soft lens."""
    size = clip.shape[-1]
    small = int(size * rng.uniform(0.45, 0.95))
    shrunk = F.interpolate(
        clip, size=(small, small), mode="bilinear", antialias=True, align_corners=False
    )
    return F.interpolate(shrunk, size=(size, size), mode="bilinear", align_corners=False)


def sensor_noise(clip: Tensor, rng: np.random.Generator, pixel_scale: float) -> Tensor:
    """White noise, in part smoothed in space as cameras and codecs do, in part frozen over
    frames.
    """
    generator = torch.Generator(device=clip.device).manual_seed(int(rng.integers(2**62)))

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, device=clip.device, generator=generator)

    sigma = pixel_scale * log_uniform(rng, 0.001, 0.03)
    noise = normal(*clip.shape)
    if rng.random() < 0.5:
        noise = F.avg_pool2d(noise, 3, 1, 1) * 2
    if rng.random() < 0.3:  # slowly changing blotches
        h = clip.shape[-1] // 4
        knots = normal(len(clip) // 8 + 2, 1, h, h)
        t = torch.linspace(0, len(knots) - 1.001, len(clip), device=clip.device)
        i, f = t.long(), (t % 1)[:, None, None, None]
        blotch = knots[i] * (1 - f) + knots[i + 1] * f
        size = (clip.shape[-2], clip.shape[-1])
        noise = noise + 0.5 * F.interpolate(blotch, size=size, mode="bilinear", align_corners=False)
    return clip + sigma * noise


def codec(clip: Tensor, rng: np.random.Generator) -> Tensor:
    """Block transform with coarse steps for high frequencies; static blocks keep their content
    between key frames.
    """
    n, _, h, w = clip.shape
    k = torch.arange(BLOCK, device=clip.device)
    basis = torch.cos(torch.pi * (k[:, None] + 0.5) * k / BLOCK) * (2 / BLOCK) ** 0.5
    basis[:, 0] /= 2**0.5
    blocks = clip.view(n, h // BLOCK, BLOCK, w // BLOCK, BLOCK).permute(0, 1, 3, 2, 4)
    spectrum = basis.T @ blocks @ basis
    steps = log_uniform(rng, 0.01, 0.08) * (1 + 0.6 * (k[:, None] + k))
    if rng.random() < 0.6:  # predicted frames: only changes are coded
        spectrum = predict_frames(spectrum, steps, int(rng.integers(12, 250)))
    else:
        spectrum = (spectrum / steps).round() * steps
    coded = basis @ spectrum @ basis.T
    out: Tensor = coded.permute(0, 1, 3, 2, 4).reshape(n, 1, h, w)
    return out


def predict_frames(spectrum: Tensor, steps: Tensor, key: int) -> Tensor:
    """Each frame adds the quantised difference to the frame before; every `key` frames starts
    anew.
    """
    out = [(spectrum[0] / steps).round() * steps]
    for i in range(1, len(spectrum)):
        base = torch.zeros_like(out[-1]) if i % key == 0 else out[-1]
        out.append(base + ((spectrum[i] - base) / steps).round() * steps)
    return torch.stack(out)

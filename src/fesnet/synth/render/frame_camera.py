"""Light, lens and sensor over rendered frames in colour: everything that changes pixels but is no
motion of the face.

`fesnet.synth.render.camera` does the same for training crops, in batches with torch. All numbers
are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.synth.render.frame_renderer import GREY, Mouth, Scene
from fesnet.synth.script.curves import log_uniform, smooth_noise

TRACK_RATE = 30.0  # points a second of drawn tracks, whatever the video's rate
MAX_SHAKE = 0.14  # crop units that the camera may shake to each side
NOISE_FIELDS, NOISE_MARGIN = (
    5,
    32,
)  # noise fields, and pixels by which they are larger than the frame: each frame takes another part


@dataclass(frozen=True)
class CameraSettings:
    """How one video of T frames is lit and recorded.

    gamma, gain, balance (3,), saturation: the tone curve of the whole video (gain 1, balance 1: as
    photographed). lamp, follow (2,): side light to the right and down, a crop unit, and how it
    changes with yaw and pitch (a radian). exposure (T,) factor; view (T, 2) where the camera looks,
    crop units; sharpness: share of the frame's resolution that the lens leaves; grain: noise in
    grey levels (0..255), coarse: grains of three pixels. glints: ((x, y, width, height, strength),
    ...) on glasses, from the middle between the eyes, crop units.
    """

    gamma: float
    gain: float
    balance: FloatArray
    saturation: float
    lamp: FloatArray
    follow: FloatArray
    exposure: FloatArray
    view: FloatArray
    sharpness: float
    grain: float
    coarse: bool
    glints: tuple[tuple[float, ...], ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, times: FloatArray) -> CameraSettings:
        """A random look for frames at `times` (T,) in seconds."""
        warm, tint = rng.normal(0, [0.06, 0.02])
        return cls(
            gamma=float(np.exp(rng.normal(0, 0.22))),
            gain=float(rng.uniform(0.6, 1.1)),
            balance=np.array([1 + warm, 1 + tint, 1 - warm], np.float32),
            saturation=0.0 if rng.random() < 0.1 else float(rng.uniform(0.65, 1.1)),
            lamp=rng.normal(0, 0.16, 2).astype(np.float32),
            follow=rng.normal(0, 0.5, 2).astype(np.float32),
            exposure=draw_exposure(rng, times),
            view=draw_view(rng, times),
            sharpness=float(rng.uniform(0.45, 0.95)) if rng.random() < 0.5 else 1.0,
            grain=log_uniform(rng, 0.3, 5.0),
            coarse=bool(rng.random() < 0.4),
            glints=draw_glints(rng) if rng.random() < 0.15 else (),
        )

    def tone_scene(self, scene: Scene) -> Scene:
        """The scene through the tone curve, once for all frames."""
        smiling = None if scene.smiling is None else self.apply_tone_curve(scene.smiling)
        return replace(scene, picture=self.apply_tone_curve(scene.picture), smiling=smiling)

    def apply_tone_curve(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture (H, W, 3) uint8 RGB through the tone curve."""
        grey = (picture @ GREY)[..., None]
        values = np.clip(grey + self.saturation * (picture - grey), 0, 255) / 255
        balance = self.balance if self.saturation else np.ones(3, np.float32)
        return np.clip(np.rint(255 * self.gain * balance * values**self.gamma), 0, 255).astype(
            np.uint8
        )


def draw_mouth(rng: np.random.Generator) -> Mouth:
    """Folds and the inside of the mouth."""
    shading, dark, teeth, height = (
        float(rng.uniform(*r)) for r in ((0, 0.5), (0.05, 0.2), (0.4, 0.95), (0, 0.04))
    )
    return Mouth(shading, dark, teeth, height)


def noise_track(
    rng: np.random.Generator, times: FloatArray, step: float, sigma: float
) -> FloatArray:
    """(T,) smooth noise at `times` (s), a knot every `step` seconds; the same at every frame
    rate.
    """
    points = int(times[-1] * TRACK_RATE) + 2
    knots = smooth_noise(rng, points, step * TRACK_RATE, sigma)
    return np.asarray(np.interp(times * TRACK_RATE, np.arange(points), knots), np.float32)


def draw_exposure(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """(T,) drift; in some videos lamp flicker that beats with the shutter, or steps of the
    automatic exposure.
    """
    exposure = 1 + noise_track(
        rng, times, rng.uniform(0.5, 4), float(rng.choice([0.003, 0.01, 0.03]))
    )
    if rng.random() < 0.15:
        exposure = exposure + rng.uniform(0.005, 0.03) * np.sin(
            2 * np.pi * rng.uniform(1.5, 14) * times
        )
    if rng.random() < 0.3:
        for at in rng.uniform(0, times[-1] + 1e-3, rng.integers(1, 4)):
            size = rng.normal(0, 0.08)
            later = np.clip(
                (times - at) / rng.uniform(0.07, 0.5), -50, 50
            )  # beyond, it has settled
            exposure = exposure * (1 + size / (1 + np.exp(-later)))
    return np.clip(exposure, 0.5, 1.5).astype(np.float32)


def draw_view(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """(T, 2) a tripod in most videos, a hand in some."""
    slow, fast = (
        (0.0, 0.0)
        if rng.random() < 0.7
        else (log_uniform(rng, 0.004, 0.03), log_uniform(rng, 0.0005, 0.003))
    )
    axes = [
        noise_track(rng, times, rng.uniform(1.5, 5), slow) + noise_track(rng, times, 0.25, fast)
        for _ in range(2)
    ]
    return np.clip(np.stack(axes, 1), -MAX_SHAKE, MAX_SHAKE)


def draw_glints(rng: np.random.Generator) -> tuple[tuple[float, ...], ...]:
    """A bright spot on each glass."""
    spots = []
    for side in (-1, 1):
        place = (side * rng.uniform(0.1, 0.2), rng.normal(0, 0.02))
        spots.append(
            (*place, rng.uniform(0.01, 0.05), rng.uniform(0.008, 0.03), rng.uniform(25, 130))
        )
    return tuple(tuple(float(v) for v in spot) for spot in spots)


class FrameCamera:
    """Puts a look over frames whose pixel centres stand at xs (W,), ys (H,) in crop units."""

    def __init__(
        self, settings: CameraSettings, xs: FloatArray, ys: FloatArray, rng: np.random.Generator
    ) -> None:
        self.settings, self.xs, self.ys, self.rng = settings, xs, ys, rng
        # Beyond the face the light stays as it is at its edge: a lamp lights a room, not a slope.
        self.right = np.broadcast_to(np.clip(xs - 0.5, -0.5, 0.5), (len(ys), len(xs)))
        self.down = np.broadcast_to(np.clip(ys - 0.5, -0.5, 0.5)[:, None], (len(ys), len(xs)))
        self.noise = noise_fields(rng, settings, (len(ys) + NOISE_MARGIN, len(xs) + NOISE_MARGIN))

    def simulate(
        self, image: NDArray[np.uint8], t: int, pose: FloatArray, eyes: FloatArray
    ) -> NDArray[np.uint8]:
        """Frame t (H, W, 3) uint8 RGB with head pose (3,) and the middle between the eyes (2,) in
        the frame's crop units; the same shape and type."""
        settings = self.settings
        height, width = image.shape[:2]
        if settings.sharpness < 1:
            small = (
                max(1, round(width * settings.sharpness)),
                max(1, round(height * settings.sharpness)),
            )
            shrunk = cv2.resize(image, small, interpolation=cv2.INTER_LINEAR)
            image = np.asarray(
                cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8
            )
        lamp = settings.lamp + settings.follow * pose[:2]
        light = (
            np.clip(1 + lamp[0] * self.right + lamp[1] * self.down, 0.3, 1.8) * settings.exposure[t]
        )
        lit = np.asarray(cv2.multiply(image, cv2.merge([light] * 3), dtype=cv2.CV_32F), np.float32)
        for glint in settings.glints:
            self.add_glint(lit, glint, eyes)
        k, y, x = self.rng.integers(0, (NOISE_FIELDS, NOISE_MARGIN + 1, NOISE_MARGIN + 1))
        noise = self.noise[k, y : y + height, x : x + width]
        return np.asarray(cv2.add(lit, cv2.merge([noise] * 3), dtype=cv2.CV_8U), np.uint8)

    def add_glint(self, image: FloatArray, glint: tuple[float, ...], eyes: FloatArray) -> None:
        """Add one spot to an image (H, W, 3)."""
        x, y, wide, high, strength = glint
        columns = slice(*np.searchsorted(self.xs, eyes[0] + x + np.array([-3, 3]) * wide))
        rows = slice(*np.searchsorted(self.ys, eyes[1] + y + np.array([-3, 3]) * high))
        across = np.exp(-(((self.xs[columns] - eyes[0] - x) / wide) ** 2))
        along = np.exp(-(((self.ys[rows] - eyes[1] - y) / high) ** 2))
        image[rows, columns] += (strength * along[:, None] * across)[..., None]


def noise_fields(
    rng: np.random.Generator, settings: CameraSettings, size: tuple[int, int]
) -> FloatArray:
    """(BANK, height, width) sensor noise in grey levels."""
    noise = rng.standard_normal((NOISE_FIELDS, *size), np.float32)
    if settings.coarse:  # as cameras that denoise deliver it
        noise = np.stack([2 * cv2.blur(field, (3, 3)) for field in noise])
    return np.asarray(settings.grain * noise, np.float32)

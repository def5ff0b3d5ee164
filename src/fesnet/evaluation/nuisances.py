"""Nuisances at graded strength: what changes a picture, and what a face does besides.

Each has three or four levels from mild to hard. All numbers are our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from fesnet._types import Image
from fesnet.evaluation.clip_changes import encode_frames, shrink
from fesnet.faces.detect import BlazeFaceDetector, Box
from fesnet.faces.models import ensure_models
from fesnet.synth.script.config import SynthConfig
from fesnet.video import Frame

GRAIN = 2.0  # grey levels of noise in a dark picture
COVER_PERIOD, COVER_SHARE, COVER_SLIDE = 4.0, 0.5, 0.3  # s; share of it that is covered; s to come
SKIN = (168, 122, 100)  # colour of what covers a face, RGB

Frames = Iterator[Frame]


@dataclass(frozen=True)
class Nuisance:
    """One nuisance. unit: of its levels, which go from mild to hard. change: of the frames of a
    video (None: none), for a level. script: of what the face does besides expressions, for a level;
    needs portraits.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    change: Callable[[Frames, float], Frames] | None = None
    script: Callable[[float], dict[str, Any]] | None = None

    def condition(self, level: float) -> str:
        """A short name of the nuisance at one level, also of files."""
        return f"{self.name} {level:g}"


def each_image(frames: Frames, function: Callable[[Image, float], Image]) -> Frames:
    """Frames with pictures changed by a function of picture and time."""
    for frame in frames:
        yield Frame(frame.index, frame.time, function(frame.image, frame.time))


def roll_picture(frames: Frames, degrees: float) -> Frames:
    """The picture turned round its middle."""

    def turn(image: Image, _: float) -> Image:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        turned = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(turned, np.uint8)

    return each_image(frames, turn)


def darken(frames: Frames, share: float) -> Frames:
    """A share of the light, and the sensor's noise over it."""
    rng = np.random.default_rng(0)

    def dim(image: Image, _: float) -> Image:
        noise = rng.normal(0, GRAIN, (*image.shape[:2], 1))
        return np.clip(np.rint(image * share + noise), 0, 255).astype(np.uint8)

    return each_image(frames, dim)


def scale_down(frames: Frames, scale: float) -> Frames:
    """A smaller picture."""
    return each_image(frames, lambda image, _: shrink(image, scale))


def encode_again(frames: Frames, crf: float) -> Frames:
    """H.264 of lower quality."""
    return encode_frames(frames, 30.0, int(crf))


def drop_frames(frames: Frames, rate: float) -> Frames:
    """At most `rate` frames a second, by time."""
    shown = 0
    due = 0.0
    for frame in frames:
        if frame.time >= due - 1e-6:
            yield Frame(shown, frame.time, frame.image)
            shown += 1
            due = max(due + 1 / rate, frame.time)


def cover_face(frames: Frames, share: float) -> Frames:
    """A hand comes before the face from below every COVER_PERIOD seconds, up to a share of its
    height.
    """
    detector: BlazeFaceDetector | None = None
    box: Box | None = None
    for frame in frames:
        image = frame.image
        if box is None:
            detector = detector or BlazeFaceDetector(ensure_models().detector)
            found = detector.detect(image)
            box = found[0].box if found else None
        up = cover_height(frame.time)
        if box is not None and up > 0:
            image = lay_over(image, box, share * up)
        yield Frame(frame.index, frame.time, image)


def cover_height(time: float) -> float:
    """How far the hand has come at a time, 0..1."""
    phase = time % COVER_PERIOD - (1 - COVER_SHARE) * COVER_PERIOD
    left = COVER_SHARE * COVER_PERIOD - phase
    return float(np.clip(min(phase, left) / COVER_SLIDE, 0, 1))


def lay_over(image: Image, box: Box, share: float) -> Image:
    """A skin-coloured ellipse over the lower `share` of a face's box."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    top = y1 + 0.1 * height - share * 1.1 * height
    centre = (round((x0 + x1) / 2), round(top + 0.8 * height))
    axes = (max(1, round(0.6 * width)), max(1, round(0.8 * height)))
    out = image.copy()
    cv2.ellipse(out, centre, axes, 0, 0, 360, SKIN, -1, cv2.LINE_AA)
    return out


# What all videos of the bench have, but for the nuisance: nobody speaks or turns.
CALM: dict[str, Any] = {
    "quiet_share": 0.0,
    "speech_share": 0.0,
    "sounds_share": 0.5,
    "blinks_per_minute": 6.0,
    "head_scale": 0.2,
    "jitter_scale": 0.0,
    "macro_per_minute": 4.0,
    "micro_per_minute": 4.0,
}


def speech_settings(pause: float) -> dict[str, Any]:
    return {"speech_share": 1.0, "speech_pause": (pause, pause)}


PICTURE_NUISANCES = (
    Nuisance("rotation", "degrees", (10, 20, 30, 45), roll_picture),
    Nuisance("light", "share left", (0.5, 0.25, 0.12, 0.06), darken),
    Nuisance("scale", "of the pixels a side", (0.6, 0.4, 0.25, 0.15), scale_down),
    Nuisance("compression", "crf", (28, 34, 40, 46), encode_again),
    Nuisance("frame rate", "frames a second", (20, 15, 12, 10), drop_frames),
    Nuisance("occlusion", "of the face, half of the time", (0.2, 0.4, 0.6, 0.8), cover_face),
)
SCRIPT_NUISANCES = (
    Nuisance("speech", "s of pause", (15, 5, 1.2), script=speech_settings),
    Nuisance("blinks", "a minute", (15, 30, 60), script=lambda n: {"blinks_per_minute": n}),
    Nuisance("head motion", "of the usual", (0.5, 1, 2), script=lambda n: {"head_scale": n}),
)
NUISANCES = {n.name: n for n in (*PICTURE_NUISANCES, *SCRIPT_NUISANCES)}


def bench_config(nuisance: Nuisance | None, level: float) -> SynthConfig:
    """What happens in the videos of a condition; of a nuisance of pictures as in calm ones."""
    config = SynthConfig(**CALM)
    if nuisance is None or nuisance.script is None:
        return config
    return replace(config, **nuisance.script(level))

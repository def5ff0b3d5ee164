"""One video of real frames whose face shows what a script says, encoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray, Image
from fesnet.errors import SourceError
from fesnet.synth.render.avatar import FACE_OVAL, face_motion
from fesnet.synth.render.face_warp import head_displacement, warp_face
from fesnet.synth.videos.encoder import SingleThreadWriter
from fesnet.synth.videos.footage_tracks import FootageTrack, Stretch
from fesnet.video import Source, open_source

SMALLEST_FACE = 80.0  # pixels: a face is not made smaller than this by chance


@dataclass(frozen=True)
class Take:
    """How a stretch of a clip becomes a video.

    frames: numbers of the stretch's frames in the order in which they are shown. rate: frames a
    second. scale: of the picture, which is at most `largest` (width, height) pixels. gamma, gain:
    light. shading: how dark folds become, 0..1. crf: x264's quality.
    """

    stretch: Stretch
    frames: tuple[int, ...]
    rate: float
    mirrored: bool
    scale: float
    largest: tuple[int, int]
    gamma: float
    gain: float
    shading: float
    crf: int


def encode_take(
    clip: Path, track: FootageTrack, take: Take, weights: FloatArray, path: Path
) -> None:
    """Write `path` (H.264 mp4), which appears when it is whole. weights (T, K): of the motions that
    are added to the T frames of the take. Raises SourceError for a clip that cannot be read.
    """
    landmarks = track.smooth_landmarks(take.stretch)
    curve = tone_curve(take.gamma, take.gain)
    with open_source(clip) as source:
        size = picture_size(source, float(np.ptp(landmarks[:, list(FACE_OVAL), 0], 1).min()), take)
        landmarks *= np.float32(size[0] / source.width)
        rate = Fraction(take.rate).limit_denominator(1001)
        with SingleThreadWriter(path, rate, *size, crf=take.crf) as writer:
            for t, image in enumerate(shown_images(source, take, size)):
                seen = landmarks[take.frames[t]]
                moved = head_displacement(seen[None], face_motion(weights[t : t + 1]))[0]
                warped = cv2.LUT(warp_face(image, seen, moved, take.shading), curve)
                writer.write(np.asarray(warped[:, ::-1] if take.mirrored else warped, np.uint8))


def picture_size(source: Source, face: float, take: Take) -> tuple[int, int]:
    """Width and height of the video; face: the width of the smallest face in pixels."""
    fits = min(1.0, take.largest[0] / source.width, take.largest[1] / source.height)
    scale = min(fits, max(take.scale, SMALLEST_FACE / face))
    return max(16, round(source.width * scale)), max(16, round(source.height * scale))


def tone_curve(gamma: float, gain: float) -> NDArray[np.uint8]:
    """(256,) what becomes of each grey level."""
    levels = (np.arange(256) / 255) ** gamma
    return np.clip(np.rint(255 * gain * levels), 0, 255).astype(np.uint8)


def shown_images(source: Source, take: Take, size: tuple[int, int]) -> Iterator[Image]:
    """The pictures of a take in its order. Where it turns back, all of them are in memory."""
    straight = all(a < b for a, b in pairwise(take.frames))
    wanted, held = set(take.frames), {}
    for number, frame in enumerate(source):
        place = number - take.stretch.start
        if place in wanted:
            small = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
            if straight:
                yield np.asarray(small, np.uint8)
            else:
                held[place] = np.asarray(small, np.uint8)
        if place >= max(wanted):
            break
    else:
        raise SourceError(f"expected {source.name} as it was followed, got fewer frames")
    yield from () if straight else (held[place] for place in take.frames)

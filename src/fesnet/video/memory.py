"""Frames that are already in memory: an array, or any iterable of images or of frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from fesnet.errors import SourceError, UsageError
from fesnet.video.source import Frame, Source, rgb_image


def open_array(video: npt.NDArray[Any], rate: Fraction | None) -> Source:
    """Open an array (T, H, W) or (T, H, W, 3) uint8 RGB; needs a rate."""
    # (H, W, 3) is one colour picture far more often than a grey video three pixels wide.
    grey = video.ndim == 3 and video.shape[2] != 3
    colour = video.ndim == 4 and video.shape[3] == 3
    if video.dtype != np.uint8 or not (grey or colour):
        raise UsageError(
            f"expected an array (T, H, W) or (T, H, W, 3) uint8, got {video.shape} {video.dtype}; "
            "put one picture into a list"
        )
    source = open_iterable(video, rate, name="array")
    source.frame_count = len(video)
    source.duration = float(len(video) / _require_rate(rate))
    return source


def open_iterable(items: Iterable[Any], rate: Fraction | None, name: str = "frames") -> Source:
    """Open an iterable of `Frame` (taken as they are) or of (H, W[, 3]) uint8 images (needs a
    rate).
    """
    iterator = iter(items)
    first = next(iterator, None)
    if first is None:
        raise SourceError(f"expected at least one frame, got an empty {name} source")
    every = chain([first], iterator)
    frames = (
        _checked_frames(every)
        if isinstance(first, Frame)
        else _frames_at_rate(every, _require_rate(rate))
    )
    image = first.image if isinstance(first, Frame) else rgb_image(first, "image 0")
    height, width = image.shape[:2]
    return Source(name=name, width=width, height=height, frames=frames, rate=rate)


def _require_rate(rate: Fraction | None) -> Fraction:
    if rate is None:
        raise UsageError(
            "expected a rate for images without times, got none; give rate= (frames a second)"
        )
    return rate


def _checked_frames(items: Iterable[Any]) -> Iterator[Frame]:
    for place, item in enumerate(items):
        if not isinstance(item, Frame):
            raise UsageError(
                f"expected item {place} to be a Frame like the first, got {type(item).__name__}"
            )
        yield item


def _frames_at_rate(items: Iterable[Any], rate: Fraction) -> Iterator[Frame]:
    for index, item in enumerate(items):
        yield Frame(index, float(index / rate), rgb_image(item, f"image {index}"))

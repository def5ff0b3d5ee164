"""What every source hands out: frames with true times, and what is known about them beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import cv2
import numpy as np

from fesnet._types import Image
from fesnet.errors import UsageError

BESIDE = 16  # pixels round a look at the luma, for the next one: a face hardly moves between them


class Picture(Protocol):
    """A picture that has not been converted yet: most frames of a fast video never need to be."""

    def rgb(self) -> Image:
        """(H, W, 3) uint8 RGB 0..255, upright."""
        ...

    def grey(self) -> Image | None:
        """(H, W) uint8 luma 0..255, upright; None where it is only to be had by way of `rgb`."""
        ...


class LumaPlane:
    """(H, W) uint8 luma of a frame, 0..255: as an array that can only be cut. It is brought to full
    range where it is looked at alone, once for neighbouring looks.
    """

    def __init__(self, plane: Image, to_full: Callable[[Image], Image]) -> None:
        """plane (H, W): as the file holds it; to_full: brings any part of it to full range."""
        self.plane, self.to_full = plane, to_full
        self.shape = plane.shape
        self._top = self._left = 0
        self._known: Image = plane[:0, :0]  # what was looked at last, in full range

    def __getitem__(self, part: tuple[slice, slice]) -> Image:
        """Rows and columns, as of an array; each may have a step, or a start and a stop >= 0."""
        (y0, y1, y_step), (x0, x1, x_step) = (
            one.indices(size) for one, size in zip(part, self.shape, strict=True)
        )
        if y_step != 1 or x_step != 1:
            return self.to_full(self.plane[part])
        height, width = self._known.shape
        if not (
            self._top <= y0
            and y1 <= self._top + height
            and self._left <= x0
            and x1 <= self._left + width
        ):
            self._top, self._left = max(0, y0 - BESIDE), max(0, x0 - BESIDE)
            self._known = self.to_full(
                self.plane[self._top : y1 + BESIDE, self._left : x1 + BESIDE]
            )
        return self._known[y0 - self._top : y1 - self._top, x0 - self._left : x1 - self._left]


@dataclass(frozen=True, slots=True)
class ArrayPicture:
    """A picture that is there already."""

    image: Image

    def rgb(self) -> Image:
        """(H, W, 3) uint8 RGB."""
        return self.image

    def grey(self) -> None:
        """By way of `rgb`."""
        return


class Frame:
    """One picture of a source.

    index: 0-based place on the source's own frame axis. time: the second at which a player shows
    it (docs/adr/0060), from the container's presentation times; never falls. image: (H, W, 3) uint8
    RGB 0..255, upright and of square pixels; made when first asked for, as is grey: (H, W) uint8
    0..255, luma.

    Make your own with an array (H, W, 3), RGB, or (H, W), grey; raises UsageError for any other
    picture.
    """

    __slots__ = ("_grey", "_image", "_luma", "_picture", "index", "time")

    def __init__(self, index: int, time: float, image: Image | Picture) -> None:
        self.index = index
        self.time = time
        self._image: Image | None = None
        self._grey: Image | None = None
        self._luma: LumaPlane | None = None
        self._picture: Picture
        if isinstance(image, np.ndarray) or not hasattr(image, "rgb"):
            self._picture = ArrayPicture(rgb_image(image, f"the image of frame {index}"))
        else:
            self._picture = image  # of a decoder: left alone until it is needed

    def __repr__(self) -> str:
        return f"Frame(index={self.index}, time={self.time})"

    @property
    def image(self) -> Image:
        if self._image is None:
            self._image = self._picture.rgb()
        return self._image

    @property
    def luma(self) -> Image | LumaPlane:
        """What `grey` holds, to be cut: the whole is not made where the decoder's picture has
        it."""
        if self._luma is None and self._grey is None:
            self._luma = getattr(self._picture, "luma", _no_luma)()
        return self.grey if self._luma is None else self._luma

    @property
    def grey(self) -> Image:
        if self._grey is None:
            luma = self._picture.grey()
            self._grey = (
                np.asarray(cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY), np.uint8)
                if luma is None
                else luma
            )
        return self._grey


def _no_luma() -> None:
    """The luma of a picture that has no plane of it."""


def _no_op() -> None:
    """Close a source that holds nothing open."""


@dataclass(eq=False, kw_only=True)
class Source:
    """Frames in order, to be looped over once; a context manager, which also closes itself after
    the loop.

    name: short name for messages and results (never with a password of a stream address). width,
    height: pixels of the first frame, upright; later frames of a source may differ. frames: where
    the frames come from; loop over the source itself, not over this. path: file or folder on this
    machine, None for a camera, a stream or an array. rate: average frames a second, None where
    unknown; never use it to make times. frame_count, duration: what the container says (frames, s),
    may be wrong; None where it says nothing. live: frames come in real time and cannot be waited
    for. warnings: one line each; filled while looping, complete after the loop. on_close: gives
    back what the source holds open.
    """

    name: str
    width: int
    height: int
    frames: Iterator[Frame] = field(repr=False)
    path: Path | None = None
    rate: Fraction | None = None
    frame_count: int | None = None
    duration: float | None = None
    live: bool = False
    warnings: list[str] = field(default_factory=list)
    on_close: Callable[[], None] = field(default=_no_op, repr=False)
    _started: bool = field(default=False, init=False, repr=False)
    _closed: bool = field(default=False, init=False, repr=False)

    def __iter__(self) -> Iterator[Frame]:
        """Loop over the frames, once. Raises UsageError on a second loop or after `close`."""
        if self._started or self._closed:
            raise UsageError(
                f"expected {self.name} to be read once, got a second loop or a closed source; "
                "open it again with open_source"
            )
        self._started = True
        return self._run()

    def _run(self) -> Iterator[Frame]:
        try:
            for frame in self.frames:
                yield frame
                if self._closed:
                    return
        finally:
            self.close()

    def close(self) -> None:
        """Give back the file or the camera; a running loop ends at its next step. May be called
        again.
        """
        if not self._closed:
            self._closed = True
            self.on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def exact_rate(rate: Fraction | float) -> Fraction:
    """Frames a second as a fraction (29.97 -> 2997/100). Raises UsageError unless finite and above
    0 (a millionth).
    """
    # A float such as 29.97002997 stands for a ratio of small numbers; a million keeps any real rate
    # exact.
    known = not isinstance(rate, bool) and math.isfinite(rate)
    exact = Fraction(rate).limit_denominator(1_000_000) if known else Fraction(0)
    if exact <= 0:
        raise UsageError(
            f"expected a rate above 0 frames a second, got {rate}; give one, as in --fps 25 or "
            "rate=25"
        )
    return exact


def check_seconds(seconds: float | None) -> None:
    """Raises UsageError for a time to stop after that is none; None: at the end of the source."""
    if seconds is not None and not seconds > 0:
        raise UsageError(f"expected a time above 0 s to stop after, got {seconds}")


def rgb_image(item: Any, what: str) -> Image:
    """Turn (H, W) or (H, W, 3) uint8 into (H, W, 3); raises UsageError naming `what` for anything
    else.
    """
    if not isinstance(item, np.ndarray):
        raise UsageError(f"expected {what} to be a numpy array, got {type(item).__name__}")
    grey = item.ndim == 2
    if (
        item.dtype != np.uint8
        or not (grey or (item.ndim == 3 and item.shape[2] == 3))
        or item.size == 0
    ):
        raise UsageError(
            f"expected {what} to be (H, W) grey or (H, W, 3) RGB uint8, got {item.shape} "
            f"{item.dtype}; convert it first"
        )
    return np.repeat(item[:, :, None], 3, axis=2) if grey else item

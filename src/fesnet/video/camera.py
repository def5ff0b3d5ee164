"""A camera of this machine, by OpenCV."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import count

import cv2

from fesnet.errors import SourceError
from fesnet.video.quiet import quiet_opencv
from fesnet.video.source import Frame, Source, exact_rate


def open_camera(number: int) -> Source:
    """Open camera `number` (0 is the first). Raises SourceError where there is none or it gives no
    picture.

    Times are this machine's monotonic clock since the first frame: cameras tell none that can be
    trusted.
    """
    name = f"camera {number}"
    with quiet_opencv():
        capture = cv2.VideoCapture(number)
        ready = capture.isOpened() and capture.grab()
    if not ready:
        capture.release()
        raise SourceError(
            f"cannot open {name}: not there, in use or not allowed; try another number"
        )
    warnings: list[str] = []
    return Source(
        name=name,
        width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        frames=_camera_frames(name, capture, warnings),
        rate=_reported_rate(capture),
        live=True,
        warnings=warnings,
        on_close=capture.release,
    )


def _reported_rate(capture: cv2.VideoCapture) -> Fraction | None:
    rate = capture.get(cv2.CAP_PROP_FPS)
    return exact_rate(rate) if math.isfinite(rate) and rate > 0 else None


def _camera_frames(name: str, capture: cv2.VideoCapture, warnings: list[str]) -> Iterator[Frame]:
    start = None
    for index in count():
        with quiet_opencv():
            ready, image = capture.read()
        now = time.monotonic()
        start = now if start is None else start
        if not ready:
            warnings.append(
                f"{name} stopped at {now - start:.2f} s: no more pictures; the part before was used"
            )
            return
        yield Frame(
            index, now - start, cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype("uint8", copy=False)
        )

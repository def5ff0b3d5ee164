"""Pictures of 16 bits that use only the lowest of them: nearly black once they are brought to 8."""

from __future__ import annotations

from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

DEEPEST = 65535
NEARLY_BLACK = DEEPEST // 8  # a camera of 12 bits fills a sixteenth of them


def dark_warning(name: str, values: NDArray[Any]) -> list[str]:
    """A warning for a picture of 16 bits whose brightest value is that low; else nothing."""
    if values.dtype != np.uint16 or values.size == 0:
        return []
    brightest = int(values.max())
    if brightest >= NEARLY_BLACK:
        return []
    return [
        f"{name} is dark: the brightest value of its first picture is {brightest} of {DEEPEST}; a "
        "camera of 12 bits needs its values times 16 before they are stored in 16"
    ]


def frame_dark_warning(name: str, frame: VideoFrame) -> list[str]:
    """The same for a decoded frame; formats of at most 8 bits are never meant."""
    if max(c.bits for c in frame.format.components) < 16:
        return []
    return dark_warning(name, frame.to_ndarray(format="gray16le", threads=1))

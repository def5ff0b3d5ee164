"""Names for types that several modules share. Modules that must load without numpy import these for
type checkers alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fesnet.video import Frame, Source

__all__ = [
    "CountCallback",
    "EventCallback",
    "Float32Array",
    "FloatArray",
    "FrameCallback",
    "Image",
    "LogCallback",
    "ProgressCallback",
    "ShareCallback",
    "StepCallback",
]

FloatArray = NDArray[np.floating]
Float32Array = NDArray[np.float32]
Image = NDArray[np.uint8]  # (height, width, 3) RGB, or (height, width) grey

ProgressCallback = Callable[[str, float | None], None]  # what is done; share 0..1, None if unknown
ShareCallback = Callable[[float], None]  # share 0..1 that is done
CountCallback = Callable[[int, int], None]  # items done, items in all
StepCallback = Callable[[str, int, int], None]  # what is done, items done, items in all
FrameCallback = Callable[["Frame", "Source"], None]  # after each frame of a source
LogCallback = Callable[[str], None]  # one line for a person
EventCallback = Callable[[dict[str, Any]], None]  # one event as JSON values

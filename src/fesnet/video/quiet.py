"""Keep OpenCV's own log lines off the terminal while we report the same thing in one line of our
own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

SILENT = 0


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Silence OpenCV's log inside the block, and put the level back afterwards."""
    # The two functions moved between releases 4.10 and 4.14.
    log: Any = getattr(cv2.utils, "logging", cv2)
    before = log.getLogLevel()
    log.setLogLevel(SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)

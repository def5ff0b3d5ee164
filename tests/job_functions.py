"""What tests give executors to do. In a module of its own, because workers must be able to import
it.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from fesnet.errors import SourceError


def square(number: int) -> int:
    return number * number


def process(_: object) -> int:
    time.sleep(0.05)
    return os.getpid()


def die_first(path: str) -> str:
    """Is killed the first time that it works on a path."""
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path


def die(number: int) -> int:
    """Is killed each time, if the number is odd."""
    if number % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fail(number: int) -> int:
    if number == 1:
        raise SourceError("expected a video, got a brick")
    if number == 2:
        raise KeyError("two\nlines")
    return number


def no_memory_first(path: str) -> str:
    if not Path(path).exists():
        Path(path).touch()
        np.empty(2**62, np.uint8)
    return path

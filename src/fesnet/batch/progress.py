"""How far a batch is within its videos: workers leave the share in hidden files.

Files, because they work in every worker, also on another machine of a cluster. They are not synced
and are no results: a lost one costs nothing but a line on the screen.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from fesnet._types import FrameCallback, LogCallback

if TYPE_CHECKING:
    from fesnet.video import Frame, Source

FOLDER = ".progress"
WRITE_S, SAY_S = 1.0, 30.0  # s between two writes of a worker, and between two lines on the screen


def progress_place(out: Path, path: str) -> Path:
    """The file for a video of this path."""
    return out / FOLDER / sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:24]


@contextmanager
def progress_file(place: str, seconds: float | None) -> Iterator[FrameCallback | None]:
    """A callback that writes the share of a video into a file, about once a second; None where
    there is no place. seconds: where spotting stops. The file is removed at the end.
    """
    if not place:
        yield None
        return
    file, last = Path(place), time.monotonic()

    def write(frame: Frame, source: Source) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < WRITE_S:
            return
        last = now
        end = seconds or source.duration
        if end:
            with contextlib.suppress(OSError):  # the screen is not worth a failure
                file.parent.mkdir(exist_ok=True)
                file.write_text(f"{min(frame.time / end, 1.0):.4f}", encoding="ascii")

    try:
        yield write
    finally:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def read_share(place: Path) -> float | None:
    """The share that a worker wrote last; None where there is none, or half of a number."""
    try:
        return min(max(float(place.read_text(encoding="ascii")), 0.0), 1.0)
    except (OSError, ValueError):
        return None


@contextmanager
def tell_progress(
    out: Path, lines: Callable[[], str], log: LogCallback, every: float = SAY_S
) -> Iterator[None]:
    """While the body runs, log what `lines` says every so many seconds, unless it is empty."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(every):
            line = lines()
            if line:
                log(line)

    shutil.rmtree(out / FOLDER, ignore_errors=True)  # of a run that was killed
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        shutil.rmtree(out / FOLDER, ignore_errors=True)

"""Video in: any file, image folder, camera or array as frames with true times. Video out: an H.264
writer.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fesnet.errors import UsageError
from fesnet.video.camera import open_camera
from fesnet.video.encode import VideoWriter
from fesnet.video.files import missing_source_error, open_file, open_url
from fesnet.video.folder import open_folder
from fesnet.video.memory import open_array, open_iterable
from fesnet.video.source import Frame, Source, exact_rate

__all__ = ["Frame", "Source", "VideoWriter", "open_source"]

Sourceable = (
    Source
    | str
    | Path
    | int
    | npt.NDArray[np.uint8]
    | Iterable[npt.NDArray[np.uint8]]
    | Iterable[Frame]
)


def open_source(
    source: Sourceable, *, rate: Fraction | float | None = None, threads: int = 1
) -> Source:
    """Open whatever holds frames.

    source: a video file, a folder of numbered images, a stream address (rtsp://, http://), a camera
    number,
        an array (T, H, W) or (T, H, W, 3) uint8 RGB, or an iterable of such images or of `Frame`.
        A `Source` is handed back as it is.
    rate: frames a second, needed where there are no times (image folder, array, images). A video
    file keeps
        its own times; there the rate is used only for frames that carry none.
    threads: of the video decoder. 1 is our choice: a second one saves a quarter of the time where a
    core is
        idle, costs time where none is, and holds more frames in memory.

    Raises UsageError for a wrong call (nothing there, no rate) and SourceError for what cannot be
    read.
    """
    exact = None if rate is None else exact_rate(rate)
    if isinstance(source, Source):
        return source
    if isinstance(source, str | Path):
        return _open_path(source, exact, threads)
    if isinstance(source, int) and not isinstance(source, bool):
        return open_camera(source)
    if isinstance(source, np.ndarray):
        return open_array(source, exact)
    if isinstance(source, Iterable):
        return open_iterable(source, exact)
    raise UsageError(
        "expected a path, a camera number, an array or an iterable of images, got "
        f"{type(source).__name__}"
    )


def _open_path(source: str | Path, rate: Fraction | None, threads: int) -> Source:
    if isinstance(source, str) and "://" in source:
        return open_url(source, rate, threads)
    path = Path(source)
    if path.is_dir():
        return open_folder(path, rate)
    if not path.exists():
        raise missing_source_error(source)
    return open_file(path, rate, threads)

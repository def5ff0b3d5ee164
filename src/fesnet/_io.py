"""Files: which ones are videos, and writing them so that they appear whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fesnet.errors import UsageError

# Dots are common inside the names of subjects and videos (spNO.1), so that only these count as
# endings of videos.
VIDEO_SUFFIXES = (
    *(
        ".3gp",
        ".asf",
        ".avi",
        ".dv",
        ".flv",
        ".m2ts",
        ".m2v",
        ".m4v",
        ".mjpg",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
    ),
    *(".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
)
PART = re.compile(r"\..+\.\w{8}\.part")  # names that `open_whole` gives


def write_whole(path: Path, text: str) -> None:
    """Write UTF-8 text to `path`, as `open_whole` does."""
    with open_whole(path) as handle:
        # A file name may hold bytes that are no UTF-8; in JSON they become a valid escape.
        handle.write(text.encode("utf-8", errors="backslashreplace"))


@contextmanager
def open_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write into beside `path`, renamed to it at the end; raises UsageError where that is
    not possible.
    """
    try:
        # Its ending tells what a killed process left: a batch removes it when it is started again.
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as opened:
                yield opened
                opened.flush()
                os.fsync(handle)  # else a power cut could leave the new name with nothing in it
            os.chmod(part, 0o666 & ~current_umask())
            os.replace(part, path)
            sync_folder(path.parent)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(
            f"expected to write {path}, got '{error.strerror}'; name a writable folder"
        ) from error


def remove_parts(folder: Path) -> None:
    """Remove what killed runs left half-written anywhere below a folder, and nothing else."""
    for part in folder.rglob(".*.part"):
        if PART.fullmatch(part.name):
            part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder last. Windows knows no such call, and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def hold(handle: IO[bytes], folder: Path) -> None:
    """Keep other runs out of a folder as long as a file in it is open, as far as the file system
    can; a killed run's hold is gone with it. Raises UsageError where another run has it."""
    try:
        import fcntl
    except ImportError:  # Windows: two runs at once would do work twice, and write the same
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        handle.close()
        raise UsageError(
            f"expected no other run in {folder}, but one is going on; wait for it"
        ) from error
    except OSError:
        return  # a share without locks


def current_umask() -> int:
    """The process's file mode mask (it can only be read by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask

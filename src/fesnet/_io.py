"""Files: suffixes of videos, atomic writes, checksums, and locks of folders."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
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
SCHEMA_BYTES = 400  # leading bytes of a result that hold its schema
PARTIAL = re.compile(r"\..+\.\w{8}\.part")  # names that `create_partial` gives


def atomic_write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to `path`, as `atomic_open` does."""
    with atomic_open(path) as handle:
        # A file name may hold bytes that are no UTF-8; in JSON they become a valid escape.
        handle.write(text.encode("utf-8", errors="backslashreplace"))


def write_table(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write rows as a CSV table in UTF-8, atomically. The first row holds the columns' names."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    atomic_write_text(path, text.getvalue())


@contextmanager
def atomic_open(path: Path) -> Iterator[IO[bytes]]:
    """A file to write into beside `path`, as `atomic_path` does."""
    with atomic_path(path) as part, part.open("wb") as handle:
        yield handle


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """The path of an empty file beside `path`. It is renamed to `path` at the end, or removed.

    Raises UsageError where the file cannot be written.
    """
    try:
        part = create_partial(path)
        try:
            yield part
            commit_partial(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(
            f"expected to write {path}, got '{error.strerror}'; name a writable folder"
        ) from error


def create_partial(path: Path) -> Path:
    """An empty file beside `path`, whose name tells that a killed process may have left it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    return Path(name)


def commit_partial(part: Path, path: Path) -> None:
    """Give a written file of `create_partial` its final name, on disk for good."""
    with part.open("rb+") as handle:
        os.fsync(handle.fileno())  # else a power cut could leave the new name with nothing in it
    part.chmod(0o666 & ~current_umask())
    os.replace(part, path)  # tests replace it
    sync_folder(path.parent)


def remove_partial_files(folder: Path) -> None:
    """Remove the files of `create_partial` that killed runs left anywhere below a folder."""
    for part in folder.rglob(".*.part"):
        if PARTIAL.fullmatch(part.name):
            part.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make the folder and those above it. Raises UsageError where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"expected to make {folder}, got '{error.strerror}'; name another folder"
        ) from error


def make_writable_folder(folder: Path) -> Path:
    """Make the folder and try to write into it, before any work. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UsageError(
            f"expected an output folder that can be written, got {folder} ({error.strerror}); "
            "name another"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder last. Windows knows no such call, and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lock_folder(handle: IO[bytes], folder: Path) -> None:
    """Lock a folder for one run as long as a file in it is open. A killed run loses its lock.

    Does nothing where the file system has no locks. Raises UsageError where another run has it.
    """
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


def is_result(path: Path) -> bool:
    """Whether the file begins like a result of `fesnet spot`."""
    try:
        with path.open("rb") as handle:
            return b'"schema": "fesnet/1"' in handle.read(SCHEMA_BYTES)
    except OSError:
        return False


def file_sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

"""Receive videos from the browser: check their size while they arrive, open them before keeping."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from fesnet._io import VIDEO_SUFFIXES, file_exists
from fesnet._names import UNPRINTABLE
from fesnet.errors import FesnetError, SourceError, UsageError
from fesnet.video import open_source

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
SCRATCH = re.compile(r"\.[0-9a-f]{16}\.\w+")  # names of uploads on the way
LARGEST_SIZE = 2.0**60  # bytes that an option can name
MAX_NAME_BYTES = 150  # bytes of a name; file systems take 255, and endings are added


class TooLargeError(UsageError):
    """More bytes than allowed, or than the disk has free."""


def parse_size(text: str) -> int:
    """Bytes of "2GB", "500 MB" or "1000". Raises UsageError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*", text.lower())
    size = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not 1 <= size < LARGEST_SIZE:
        raise UsageError(f"expected a size like 2GB or 500MB, got {text[:80]!r}")
    return round(size)


def format_size(size: int) -> str:
    """A size for people: "2 GB"."""
    for unit, one in reversed(UNITS.items()):
        if size >= one:
            return f"{round(size / one, 1):g} {unit.upper().replace('K', 'k')}B"
    return f"{size} B"


def safe_name(name: str) -> str:
    """The name of a file to keep. Raises UsageError for a path, a hidden name, or no video."""
    if (
        re.search(r"[/\\]", name)
        or UNPRINTABLE.search(name)
        or name.startswith(".")
        or len(name.encode()) > MAX_NAME_BYTES
    ):
        raise UsageError(f"expected the plain name of a file, got {name[:80]!r}; rename it")
    if Path(name).suffix.lower() not in VIDEO_SUFFIXES:
        raise UsageError(f"expected a video ({', '.join(VIDEO_SUFFIXES)}), got {name}")
    return name


def check_size(declared: str | None, limit: int, folder: Path) -> None:
    """Check the declared length of a request before its body. Raises TooLargeError, UsageError."""
    if declared is None:
        return
    if not declared.isdecimal():
        raise UsageError(f"expected a length in bytes, got {declared!r}")
    size = int(declared)
    if size > limit:
        raise TooLargeError(too_large(limit, format_size(size)))
    free = shutil.disk_usage(folder).free
    if size > free:
        raise TooLargeError(
            f"expected room for {format_size(size)} in {folder}, got {format_size(free)}; make room"
        )


def too_large(limit: int, got: str) -> str:
    return (
        f"expected a video of at most {format_size(limit)}, got {got}; name it on the command "
        "line, or raise --max-upload"
    )


async def receive_video(folder: Path, name: str, chunks: AsyncIterator[bytes], limit: int) -> Path:
    """Save a video as `folder/name`, or as name-2 if that is taken; a refused one leaves no file.

    Raises TooLargeError, SourceError for a file that is no video, UsageError.
    """
    temporary = folder / f".{secrets.token_hex(8)}{Path(name).suffix}"
    count = 0
    try:
        with temporary.open("xb") as handle:
            async for chunk in chunks:
                count += len(chunk)
                if count > limit:
                    raise TooLargeError(too_large(limit, "more"))
                await run_in_threadpool(handle.write, chunk)
        await run_in_threadpool(check_video, temporary, name)
        return move_to_free_name(temporary, folder, name)
    except OSError as error:
        raise UsageError(f"expected to write {name} in {folder}, got '{error.strerror}'") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_video(path: Path, name: str) -> None:
    """Raises SourceError about `name` if no frame of the file can be read."""
    try:
        open_source(path).close()
    except FesnetError as error:
        raise SourceError(str(error).replace(path.name, name)) from error


def move_without_replacing(temporary: Path, path: Path) -> None:
    """Rename a file. Raises FileExistsError where the name is taken."""
    try:
        os.link(temporary, path)  # unlike a rename, never replaces a file
    except FileExistsError:
        raise
    except OSError:  # a disk without links (exFAT, some shares): the name is taken first
        path.open("xb").close()
        os.replace(temporary, path)


def remove_scratch(folder: Path) -> None:
    """Remove what uploads that were killed left in a folder."""
    for path in folder.glob(".*"):
        if SCRATCH.fullmatch(path.name) and file_exists(path):
            path.unlink(missing_ok=True)


def move_to_free_name(temporary: Path, folder: Path, name: str) -> Path:
    """Rename the file to `name`, or to name-2 and so on; replaces no file."""
    stem, ending = Path(name).stem, Path(name).suffix
    for number in range(1, 10_000):
        path = folder / (name if number == 1 else f"{stem}-{number}{ending}")
        try:
            move_without_replacing(temporary, path)
        except FileExistsError:
            continue
        return path
    raise UsageError(f"expected fewer files of the name {name}")

"""Files: suffixes of videos, atomic writes, checksums."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import lzma
import os
import re
import sys
import tempfile
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from io import FileIO
from pathlib import Path
from typing import IO, Any, cast

from fesnet._names import text_cell
from fesnet._partial import new_token, was_left
from fesnet.errors import TargetError, UsageError

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
LARGEST_FILE = 500_000_000  # bytes of a result
LARGEST_TABLE = 200_000_000  # bytes of a table or of annotations
LARGEST_SETTINGS = 2_000_000  # bytes of settings
MOST_PARTS = 100  # of a dotted key of settings
SCHEMA_BYTES = 400  # leading bytes of a result that hold its schema
MAX_PARTIAL_NAME = 200  # bytes of a name that its partial file repeats; file systems take 255
# Errors of one name, and of a disk as a whole.
NAME_ERRORS = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EISDIR, errno.ELOOP)
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENODEV, errno.ENXIO)
# How file systems say that they do not know a call (exFAT, SMB, FUSE).
UNSUPPORTED = (errno.EINVAL, errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EBADF)
NOT_SYNCED = (
    "this disk cannot confirm what is written ({}); results are complete, but a power cut within "
    "seconds may lose the last ones"
)
WORKER_VARIABLE = "FESNET_WORKER"  # set in worker processes: their parent speaks to people
TOLD: set[str] = set()
# Called with the partial file and its final path before the one takes the other's name.
BEFORE_COMMIT: ContextVar[Callable[[Path, Path], None] | None] = ContextVar(
    "before_commit", default=None
)


def atomic_write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to `path`, as `atomic_open` does."""
    with atomic_open(path) as handle:
        handle.write(encode_text(text))


def encode_text(text: str) -> bytes:
    """UTF-8. A file name may hold bytes that are no UTF-8; in JSON they become a valid escape."""
    return text.encode("utf-8", errors="backslashreplace")


def write_table(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write rows as a CSV table in UTF-8, atomically. The first row holds the columns' names."""
    atomic_write_text(path, csv_text(rows))


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV; no text in them is a formula for a spreadsheet."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerows([text_cell(value) for value in row] for row in rows)
    return text.getvalue()


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
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> UsageError:
    """A TargetError where only this file is concerned; else a UsageError, as other files would meet
    the same (a full or broken disk).
    """
    if error.errno in NAME_ERRORS:
        return TargetError(f"expected to write {path}, got '{error.strerror}'; use another name")
    kind = UsageError if error.errno in DISK_ERRORS else TargetError
    return kind(f"expected to write {path}, got '{error.strerror}'; name a writable folder")


def create_partial(path: Path) -> Path:
    """An empty file beside `path`, whose name tells that a killed process may have left it."""
    # A name that just fits has no room for the ending of its partial file.
    name = path.name
    if len(os.fsencode(name)) > MAX_PARTIAL_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    while True:
        part = path.with_name(f".{name}.{new_token()}.part")
        try:
            # The system takes the user's mask off these rights; some disks refuse to change them.
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        return part


def commit_partial(part: Path, path: Path) -> None:
    """Give a written file of `create_partial` its final name, on disk for good."""
    with part.open("rb+") as handle:
        sync_file(handle)  # else a power cut could leave the new name with nothing in it
    before_commit = BEFORE_COMMIT.get()
    if before_commit is not None:
        before_commit(part, path)
    os.replace(part, path)  # tests replace it
    sync_folder(path.parent)


def remove_partial_files(folder: Path) -> None:
    """Remove the files of `create_partial` that killed runs left anywhere below a folder; not those
    of programs that are writing now."""
    for part in folder.rglob(".*.part"):
        if was_left(part):
            with suppress(PermissionError):  # open, on Windows
                part.unlink(missing_ok=True)


def read_regular_file(path: Path, limit: int = LARGEST_TABLE) -> bytes:
    """The bytes of a file. Raises OSError for none, for a pipe or device, which could hang or never
    end, and for more bytes than `limit`."""
    check_regular_file(path, limit)
    return path.read_bytes()


def check_regular_file(path: Path, limit: int = LARGEST_TABLE) -> None:
    """Raises OSError as `read_regular_file` does."""
    if path.exists() and not path.is_file():
        raise OSError(f"it {describe_absence(path)}; save it as a file first")
    if path.stat().st_size > limit:
        raise OSError(f"it has more than {limit // 1_000_000} MB")


def read_text_file(path: Path, limit: int = LARGEST_TABLE) -> str:
    """UTF-8 text, with or without a mark of byte order. Raises as `read_regular_file`, and
    UnicodeDecodeError."""
    return read_regular_file(path, limit).decode("utf-8-sig")


def load_json(text: str | bytes) -> Any:
    """What a text says in JSON. Raises ValueError, also for one that is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Settings as TOML. Raises OSError, and ValueError for what is none."""
    text = read_text_file(path, LARGEST_SETTINGS)
    # A key of thousands of parts, each a table in the one before, takes gigabytes.
    for number, line in enumerate(text.splitlines(), 1):
        if (
            line.count(".") > MOST_PARTS
            and max(part.count(".") for part in re.split(r"[={,\[]", line)) > MOST_PARTS
        ):
            raise ValueError(f"line {number} has more than {MOST_PARTS} dots")
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    todo: list[Any] = [values]
    while todo:
        value = todo.pop()
        if isinstance(value, dict | list):
            todo += value.values() if isinstance(value, dict) else value
        elif isinstance(value, int) and abs(value) >= 1 << 63:  # more than TOML has
            raise ValueError("it holds a number of more than 64 bits")
    return values


def file_exists(path: Path) -> bool:
    """Whether a regular file stands there. `Path.is_file` raises OSError for a name that is too
    long, such as the review's of a result whose own name just fits."""
    return os.path.isfile(path)  # noqa: PTH113


def describe_absence(path: Path) -> str:
    """Of what is no file: why, as the end of a sentence."""
    try:
        path.stat()
    except FileNotFoundError:
        return "does not exist"
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return f"cannot be read ({reason})"
    return "is a folder" if path.is_dir() else "is no regular file"


def resolve_path(path: Path) -> Path:
    """The absolute path without links. A link that leads to itself stays as it is, where
    `Path.resolve` of Python 3.11 and 3.12 raises RuntimeError."""
    return Path(os.path.realpath(path))


def open_to_append(path: Path, mode: str = "ab") -> FileIO:
    """A file that lines are added to. Raises OSError also for a pipe or a device, which could hang
    for ever."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, f"it {describe_absence(path)}", str(path))
    return cast(FileIO, path.open(mode, buffering=0))


def make_folder(folder: Path) -> None:
    """Make the folder and those above it. Raises UsageError where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        kind = UsageError if error.errno in DISK_ERRORS else TargetError
        raise kind(
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


def sync_file(handle: IO[bytes]) -> None:
    """Wait until a file is on the disk. Raises OSError where the disk fails."""
    handle.flush()
    try:
        os.fsync(handle.fileno())
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        tell_once(NOT_SYNCED.format(error.strerror))


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder last. Windows knows no such call, and needs none.

    The file is complete already, so a disk that refuses is told of and costs nothing else.
    """
    if os.name == "nt":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        tell_once(NOT_SYNCED.format(error.strerror))


def tell_once(line: str) -> None:
    """Print a line for people on stderr, once in this process; nothing in a worker."""
    if line not in TOLD and not os.environ.get(WORKER_VARIABLE):
        TOLD.add(line)
        print(f"fesnet: {line}", file=sys.stderr)


def is_result(path: Path) -> bool:
    """Whether a file begins like a result of `fesnet spot`; a pipe is none."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as handle:
            return b'"schema": "fesnet/1"' in handle.read(SCHEMA_BYTES)
    except (OSError, ValueError):
        return False


# What zipfile and numpy raise for an archive that is damaged, encrypted or of unknown compression,
# or whose header claims sizes and forms that it has not.
ARCHIVE_ERRORS = (
    *(OSError, ValueError, TypeError, EOFError, MemoryError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


def check_archive(path: Path, limit: int) -> None:
    """Raises ValueError for a zip file (.npz) whose members say that they hold more bytes than
    `limit` in all, and OSError or BadZipFile for what is none. A few megabytes can unpack to
    gigabytes."""
    check_regular_file(path, limit)
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > limit:
        raise ValueError(f"it unpacks to {size // 1_000_000} MB, more than {limit // 1_000_000}")


def file_sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

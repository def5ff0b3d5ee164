"""What fesnet did not write is never replaced unless asked for; what was changed since, neither.

Each folder of results keeps the sha256 of every file that was written into it, in `.fesnet-files`
(lines of "SUM  NAME"). A line is added before the file takes its name, so that a kill at any
moment leaves no file of ours that looks like a person's. A file may be replaced if its content is
in one of its lines.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import fsencode, stat_result
from pathlib import Path
from typing import IO

from fesnet._io import (
    BEFORE_COMMIT,
    atomic_open,
    file_sha256,
    open_to_append,
    read_regular_file,
    write_error,
)
from fesnet.errors import TargetError

RECORD = ".fesnet-files"
TRIES = 5  # some disks never say that two looks at a file are of the same one


@contextmanager
def replacing(
    *paths: Path, force: bool = False, known: Callable[[Path], bool] | None = None
) -> Iterator[None]:
    """Check that all paths may be written, then record all files that are written inside.

    known: whether a file that is in no record is ours (of an older version, or copied here).
    Raises TargetError as `check_replaceable` does, before anything is written.
    """
    for path in paths:
        check_replaceable(path, force=force, known=known)
    token = BEFORE_COMMIT.set(record_file)
    try:
        yield
    finally:
        BEFORE_COMMIT.reset(token)


@contextmanager
def guarding(*paths: Path, force: bool = False) -> Iterator[None]:
    """Check the named paths now, and every other file that is written inside when it would take its
    name; record all. For commands that write many files. Raises TargetError.
    """

    def check_and_record(part: Path, path: Path) -> None:
        check_replaceable(path, force=force)
        record_file(part, path)

    for path in paths:
        check_replaceable(path, force=force)
    token = BEFORE_COMMIT.set(check_and_record)
    try:
        yield
    finally:
        BEFORE_COMMIT.reset(token)


def check_replaceable(
    path: Path, *, force: bool = False, known: Callable[[Path], bool] | None = None
) -> None:
    """Raises TargetError where the path cannot be written, or holds what fesnet did not write or
    what was changed since. force: then only a folder is refused.
    """
    try:
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode):
            raise TargetError(f"expected a file at {path}, got a folder; name another")
        if force or is_own(path, found, known):
            return
    except FileNotFoundError:
        return
    except OSError as error:
        raise write_error(path, error) from error
    raise TargetError(
        f"expected to write {path}, but a file stands there that fesnet did not write, or that was "
        "changed since; move it away, name another folder, or add --force to replace it"
    )


def is_own(path: Path, found: stat_result, known: Callable[[Path], bool] | None) -> bool:
    """Whether a file has the content that fesnet gave it, or none. A link is a person's."""
    if not stat.S_ISREG(found.st_mode):
        return False
    if found.st_size == 0:
        return True
    recorded = recorded_sha256(path)
    if recorded:
        return file_sha256(path) in recorded
    return known is not None and known(path)


def recorded_sha256(path: Path) -> list[str]:
    """The sha256 of all contents that a file was given here, the last one last."""
    try:
        data = b"\n" + read_regular_file(path.parent / RECORD)
    except OSError:
        return []
    end = record_name(path.name) + b"\n"
    out, at = [], data.find(end)
    while at >= 0:
        first = data.rfind(b"\n", 0, at) + 1
        if at - first == 64:
            out.append(data[first:at].decode("ascii", "replace"))
        at = data.find(end, at + 1)
    return out


def record_name(name: str) -> bytes:
    """How a line goes on after the sum."""
    coded = fsencode(name).replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return b"  " + coded


def record_file(part: Path, path: Path) -> None:
    """Add the content of `part` as that of `path`. Raises UsageError where that cannot be
    written.
    """
    try:
        digest = file_sha256(part)
        if path.exists() and recorded_sha256(path)[-1:] == [digest]:
            return
        append_record(path.parent / RECORD, digest.encode() + record_name(path.name) + b"\n")
    except OSError as error:
        raise write_error(path.parent / RECORD, error) from error


def append_record(record: Path, line: bytes) -> None:
    """Add a line; again where another program tidied the record in that moment. Raises OSError."""
    for _ in range(TRIES):
        with open_to_append(record) as handle:
            handle.write(line)
            if is_at(record, handle):
                return


def is_at(path: Path, handle: IO[bytes]) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except OSError:
        return False


def tidy_records(folder: Path) -> None:
    """Keep one line a file in all records below a folder, in the order of names. What other
    programs add in the meantime is kept."""
    for record in sorted(folder.rglob(RECORD)):
        if record.is_file():
            with record.open("rb") as before:
                tidy_record(record, before)


def tidy_record(record: Path, before: IO[bytes]) -> None:
    """One of them. before: the record, open at its beginning."""
    old = before.read()
    last = {line[64:]: line[:64] for line in old.split(b"\n") if line[64:66] == b"  "}
    new = b"".join(last[name] + name + b"\n" for name in sorted(last))
    if new == old:
        return
    with atomic_open(record) as handle:
        handle.write(new)
    added = before.read()
    if added:
        append_record(record, added)


def free_path(path: Path, known: Callable[[Path], bool] | None = None) -> Path:
    """The path, or with a number where a person's file stands there: for files that nobody
    named.
    """
    for number in range(1, 10_000):
        candidate = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        try:
            check_replaceable(candidate, known=known)
        except TargetError:
            continue
        return candidate
    raise TargetError(f"expected fewer files of the name {path}")

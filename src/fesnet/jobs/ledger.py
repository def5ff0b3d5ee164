"""Append-only files of lines that say which items of a folder are finished.

Each line is synced. A kill or a power cut loses one line at most, and the next run passes over what
is left of it. An item is finished because of its line, never because of a file's name alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from fesnet._io import open_to_append, sync_file
from fesnet._locks import lock_folder
from fesnet.errors import UsageError
from fesnet.jobs.pool import exit_if_unguarded


class Ledger:
    """The ledger at `path`, open for one run at a time; a context manager. lines: what it held."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError where it cannot be written, or another run has it open."""
        exit_if_unguarded()  # its parent has it open
        self.path = path
        try:
            self._handle = open_to_append(path, "a+b")
        except OSError as error:
            raise UsageError(
                f"expected to write {path}, got '{error.strerror}'; name another folder"
            ) from error
        lock_folder(self._handle, path.parent)
        self._handle.seek(0)
        self.lines = self._handle.read().split(b"\n")
        if self.lines[-1]:  # a line that was cut off
            self.append(b"")

    def append(self, line: bytes) -> None:
        """Write a line without its end, on disk for good. Raises UsageError where that fails."""
        try:
            rest = memoryview(line + b"\n")
            while rest:  # an unbuffered write may take a part
                rest = rest[self._handle.write(rest) :]
            sync_file(self._handle)
        except OSError as error:
            raise UsageError(
                f"expected to write {self.path}, got '{error.strerror}'; free space and go on"
            ) from error

    def close(self) -> None:
        """Close the file, and give the folder free."""
        self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

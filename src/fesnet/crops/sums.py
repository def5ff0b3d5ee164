"""SHA256SUMS of a prepared folder, as `sha256sum -c` reads it: what is finished, and whether it is
still whole.

A line is appended and synced for each finished file, so that a kill or a power cut loses the file
in hand at most.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Self

from fesnet._io import atomic_write_text, lock_folder
from fesnet.errors import UsageError

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def read_sums(folder: Path) -> dict[str, str]:
    """The sums by name; the last one counts, and a line that a kill cut off is passed over. None
    are there: empty.
    """
    path = folder / SUMS
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    found = (LINE.fullmatch(line) for line in text.split("\n"))
    return {match[2]: match[1] for match in found if match}


class Sums:
    """The sums of one folder, held by one run at a time; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / SUMS
        try:
            self.handle = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise UsageError(
                f"expected to write {self.path}, got '{error.strerror}'; name another folder"
            ) from error
        lock_folder(self.handle, folder)
        self.known = read_sums(folder)
        self.handle.seek(0)
        if self.handle.read()[-1:] not in (b"", b"\n"):  # a line that was cut off
            self.append("\n")

    def settle(self, name: str, digest: str) -> None:
        """A file is finished."""
        self.known[name] = digest
        self.append(f"{digest}  {name}\n")

    def append(self, text: str) -> None:
        try:
            self.handle.write(text.encode())
            os.fsync(self.handle.fileno())
        except OSError as error:
            raise UsageError(
                f"expected to write {self.path}, got '{error.strerror}'; free space and go on"
            ) from error

    def finish(self, names: Collection[str]) -> None:
        """Write the sums of these files alone, in order."""
        atomic_write_text(self.path, "".join(f"{self.known[n]}  {n}\n" for n in sorted(names)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.close()

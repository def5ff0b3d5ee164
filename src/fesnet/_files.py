"""Writing files so that they appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fesnet.errors import UsageError


def write_whole(path: Path, text: str) -> None:
    """Write UTF-8 text beside `path`, then rename; raises UsageError where that is not possible."""
    try:
        # Its ending tells what a killed process left: a batch removes it when it is started again.
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            # A file name may hold bytes that are no UTF-8; in JSON they become a valid escape.
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as opened:
                opened.write(text)
                opened.flush()
                os.fsync(handle)  # else a power cut could leave the new name with nothing in it
            os.chmod(part, 0o666 & ~current_umask())
            os.replace(part, path)
            sync_folder(path.parent)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"expected to write {path}, got '{error.strerror}'; name a writable folder") from error


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder last. Windows knows no such call, and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def current_umask() -> int:
    """The process's file mode mask (it can only be read by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Locks of folders: for a whole run, or for one change."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from fesnet._io import open_to_append, write_error
from fesnet.errors import UsageError

STALE_S = 30.0  # s; a lock file that is older was left by a process that was killed
CHANGE_LOCK = ".review.lock"  # of a folder, while a review in it or its study.csv is changed
WAIT_S = 20.0  # s that one change waits for another; a change takes a second at most


def try_lock(handle: IO[bytes], *, shared: bool = False) -> bool | None:
    """Lock an open file as long as it is open; a killed process loses its lock. Returns whether it
    was free, None where the file system or the system has no locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None  # a share without locks
    return True


def lock_folder(handle: IO[bytes], folder: Path) -> None:
    """Lock a folder for one run as long as a file in it is open. A killed run loses its lock.

    Does nothing where there are no locks: two runs at once would do work twice, and write the same.
    Raises UsageError where another run has it.
    """
    if try_lock(handle) is False:
        handle.close()
        raise UsageError(f"expected no other run in {folder}, but one is going on; wait for it")


@contextmanager
def lock_change(file: Path) -> Iterator[None]:
    """Hold the lock `file` while something is read, changed and written; others wait, also other
    processes and machines. Raises UsageError where the lock cannot be had.
    """
    with ExitStack() as stack:
        try:
            handle = stack.enter_context(open_to_append(file))
        except OSError as error:
            raise write_error(file, error) from error
        end = time.monotonic() + WAIT_S
        while (free := try_lock(handle)) is False:
            wait_until(end, file)
        if free is None:
            stack.enter_context(exclusive_file(file.with_name(f"{file.name}ed")))
        yield


@contextmanager
def exclusive_file(file: Path) -> Iterator[None]:
    """The same by a file that only one can make, where the file system has no locks."""
    end = time.monotonic() + WAIT_S
    while True:
        try:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            if is_stale(file):
                file.unlink(missing_ok=True)
            else:
                wait_until(end, file)
        except OSError as error:
            raise write_error(file, error) from error
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def wait_until(end: float, file: Path) -> None:
    """Wait a moment. Raises UsageError after the end."""
    if time.monotonic() > end:
        raise UsageError(f"expected to change files in {file.parent}, but they are in use; wait")
    time.sleep(0.01)


def is_stale(file: Path) -> bool:
    """Whether a lock file was left behind."""
    try:
        return time.time() - file.stat().st_mtime > STALE_S
    except OSError:
        return False

"""Disks that lack conveniences (exFAT, SMB, FUSE), names that they refuse, and locks."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fesnet import _io, _locks
from fesnet._io import atomic_write_text
from fesnet._locks import lock_change
from fesnet.errors import TargetError, UsageError
from fesnet.jobs.ledger import Ledger
from fesnet.jobs.resumable import concerns_one_item


def refusing(code: int, only_folders: bool = False) -> Any:
    real = os.fsync

    def call(handle: Any, *_: Any, **__: Any) -> None:
        if only_folders and not os.path.isdir(f"/proc/self/fd/{handle}"):  # noqa: PTH112
            return real(handle)
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_a_disk_that_cannot_confirm_is_told_of_once(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_io, "TOLD", set())
    monkeypatch.setattr(_io.os, "fsync", refusing(code))
    for text in ("one", "two"):
        atomic_write_text(tmp_path / "a", text)
    assert (tmp_path / "a").read_text() == "two"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fesnet: this disk cannot confirm what is written")


def test_a_folder_that_fails_to_sync_does_not_undo_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_io.os, "fsync", refusing(errno.EIO, only_folders=True))
    atomic_write_text(tmp_path / "a", "one")
    assert (tmp_path / "a").read_text() == "one"


def test_a_disk_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_io.os, "fsync", refusing(errno.EIO))
    with pytest.raises(UsageError, match="Input/output error") as caught:
        atomic_write_text(tmp_path / "a", "one")
    assert not concerns_one_item(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_rights_are_those_of_the_users_mask_and_the_mask_is_never_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o027)
    try:

        def never(*_: object) -> int:
            raise AssertionError("it holds for all threads")

        monkeypatch.setattr(os, "umask", never)
        monkeypatch.setattr(os, "chmod", never)
        atomic_write_text(tmp_path / "a", "one")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("length", [236, 250, 255])
def test_a_name_that_fits_is_written(length: int, tmp_path: Path) -> None:
    for name in ("n" * length, "\u8868" * (length // 3)):
        atomic_write_text(tmp_path / name, "one")
        assert [p.name for p in tmp_path.iterdir()] == [name]
        (tmp_path / name).unlink()


@pytest.mark.parametrize("name", ["n" * 256, "\u8868" * 86])
def test_a_name_that_does_not_fit_concerns_one_item(name: str, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="File name too long'; use another name") as caught:
        atomic_write_text(tmp_path / name, "one")
    assert concerns_one_item(caught.value)


def test_a_full_disk_concerns_all(tmp_path: Path) -> None:
    error = _io.write_error(tmp_path / "a", OSError(errno.ENOSPC, "No space left on device"))
    assert not concerns_one_item(error)


def test_a_ledger_takes_short_writes(tmp_path: Path) -> None:
    class Slow:
        def __init__(self, handle: Any) -> None:
            self.handle = handle

        def write(self, data: Any) -> int:
            return int(self.handle.write(data[:3]))

        def __getattr__(self, name: str) -> Any:
            return getattr(self.handle, name)

    with Ledger(tmp_path / "l") as ledger:
        ledger._handle = Slow(ledger._handle)  # type: ignore[assignment]
        ledger.append(b"a line of some length")
    assert (tmp_path / "l").read_bytes() == b"a line of some length\n"


@pytest.mark.parametrize("has_locks", [True, False])
def test_changes_wait_for_each_other(
    has_locks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the file system has no locks."""
    if not has_locks:
        monkeypatch.setattr(_locks, "try_lock", lambda *_, **__: None)
    counter = tmp_path / "n"
    counter.write_text("0")

    def add() -> None:
        for _ in range(10):
            with lock_change(tmp_path / ".lock"):
                value = int(counter.read_text())
                time.sleep(0.0005)
                counter.write_text(str(value + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "40"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "n"]


def test_a_lock_that_a_killed_process_left_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_locks, "try_lock", lambda *_, **__: None)
    (tmp_path / ".locked").touch()
    os.utime(tmp_path / ".locked", (1e9, 1e9))
    with lock_change(tmp_path / ".lock"):
        pass
    monkeypatch.setattr(_locks, "WAIT_S", 0.05)
    (tmp_path / ".locked").touch()
    with pytest.raises(UsageError, match="in use"), lock_change(tmp_path / ".lock"):
        pass

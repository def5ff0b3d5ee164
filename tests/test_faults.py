"""Faults on purpose, each in seconds: kills, a full disk, a folder that may not be written, a share
that goes away.

`dev/faults.py` does the same to more commands, many times, with more videos.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fesnet import _io as _files
from fesnet._guard import RECORD
from fesnet.batch import SpotSettings, find_videos, run_batch
from fesnet.batch import work as work_module
from fesnet.batch.ledger import LEDGER, BatchLedger, VideoRecord
from fesnet.cli import base
from fesnet.cli.lazy import WITH_TORCH
from fesnet.errors import UsageError
from fesnet.faces import ModelFiles
from fesnet.jobs import ProcessPool, SerialExecutor
from fesnet.spotter import Spotter
from video_files import write_video


@pytest.fixture(scope="module")
def made_clips(
    face_frames: list[Any], face_models: ModelFiles, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Four very short videos."""
    folder = tmp_path_factory.mktemp("clips") / "made"
    folder.mkdir()
    for n in range(4):
        write_video(
            folder / f"c{n}.mkv", face_frames[3 * n : 3 * n + 6], codec="ffv1", pixels="bgr0"
        )
    return folder


@pytest.fixture
def clips(made_clips: Path) -> Path:
    """The same for each test, which may change them; always in one place, as results tell it."""
    folder = made_clips.with_name("clips")
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(made_clips, folder))


@pytest.fixture(scope="module")
def settings(tiny_weights: Path) -> SpotSettings:
    return SpotSettings(str(tiny_weights), rules=Spotter(tiny_weights).rules)


@pytest.fixture
def run(clips: Path, settings: SpotSettings, tmp_path: Path) -> Callable[..., Any]:
    """Runs a batch of the clips into tmp_path/NAME, in this process."""

    def call(
        name: str, say: Callable[[str], None] = lambda line: None, executor: Any = None
    ) -> Any:
        out = tmp_path / name
        out.mkdir(exist_ok=True)
        return run_batch(
            find_videos([str(clips)], out), out, settings, executor or SerialExecutor(), say
        )

    return call


WHOLE: dict[Path, dict[str, bytes]] = {}  # by the place of the clips


@pytest.fixture
def whole(clips: Path, run: Callable[..., Any], tmp_path: Path) -> dict[str, bytes]:
    """What a run writes that nothing disturbs; made once."""
    if clips not in WHOLE:
        run("whole")
        WHOLE[clips] = tree(tmp_path / "whole")
    return WHOLE[clips]


def tree(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != LEDGER)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def kill_after(lines: int, arguments: list[str]) -> None:
    """Start `fesnet`, and kill it when it has told of so many videos."""
    code = "from fesnet.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = 0
    for line in process.stdout:
        told += line.startswith("[")
        if told == lines:
            break
    process.kill()
    process.wait()
    process.stdout.close()


def test_killed_and_started_again_ends_with_the_same_bytes(
    run: Callable[..., Any],
    clips: Path,
    whole: dict[str, bytes],
    tiny_weights: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "killed"
    arguments = [
        "spot",
        str(clips),
        "--out",
        str(out),
        "--jobs",
        "2",
        "--weights",
        str(tiny_weights),
    ]
    for _ in range(2):
        kill_after(1, arguments)
        for path in out.rglob("*.json"):
            json.loads(path.read_text(encoding="utf-8"))
    batch = run("killed")
    assert batch.kept >= 1
    assert tree(out) == whole


def test_a_killed_worker_loses_nothing(
    run: Callable[..., Any], whole: dict[str, bytes], tmp_path: Path
) -> None:
    with ProcessPool(2) as pool:
        killed = iter([True])

        def say(line: str) -> None:
            if line.startswith("[") and next(killed, False):
                for worker in pool.workers:
                    os.kill(worker.process.pid or 0, signal.SIGKILL)

        batch = run("killed", say, pool)
    assert (batch.done, batch.failed) == (4, ())
    assert tree(tmp_path / "killed") == whole


def full(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk on which `after` more files have room."""
    left = iter(range(after))
    real = os.fsync

    def fsync(handle: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(_files.os, "fsync", fsync)


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5, 6])
def test_a_full_disk_stops_the_run_and_spoils_nothing(
    after: int,
    run: Callable[..., Any],
    whole: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether it is full at a result, at its table or at the log."""
    with monkeypatch.context() as patch:
        full(after, patch)
        with pytest.raises(UsageError, match="No space left on device"):
            run("full")
    seen = {name: data for name, data in tree(tmp_path / "full").items() if name != RECORD}
    assert seen.items() <= whole.items(), "what can be seen is whole"
    assert run("full").failed == (), "a full disk is no fault of the video"
    assert tree(tmp_path / "full") == whole


def test_files_of_limited_size(
    run: Callable[..., Any], clips: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    """The operating system itself refuses to write on."""
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (900, 900)); from fesnet.cli import main; main()"
    )
    out = tmp_path / "small"
    arguments = [
        "spot",
        str(clips),
        "--out",
        str(out),
        "--jobs",
        "0",
        "--weights",
        str(tiny_weights),
    ]
    done = subprocess.run(
        [sys.executable, "-c", limit, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done
    assert done.stderr.startswith("fesnet: expected to write")
    assert len(done.stderr.splitlines()) == 1
    assert not [name for name in tree(out) if name.endswith((".part", ".json"))]


def test_a_folder_that_becomes_read_only(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(_files.os, "open", refuse)
        with pytest.raises(UsageError, match=r"expected to write .*got 'Permission denied'"):
            run("closed")
    assert run("closed").done == 4


def test_a_share_that_goes_away_fails_what_is_left_and_comes_back(
    run: Callable[..., Any], clips: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    away = clips.with_name("away")
    told: list[str] = []

    def say(line: str) -> None:
        told.append(line)
        if line.startswith("[2/"):
            clips.rename(away)

    batch = run("out", say)
    assert (batch.done, len(batch.failed)) == (2, 2)
    assert all("is its share still there?" in reason for _, reason in batch.failed)
    away.rename(clips)
    assert run("out").done == 2, "tried again without being asked: it was not the videos' fault"
    assert tree(tmp_path / "out") == whole


def test_a_video_that_changes_while_it_is_read_is_no_result(
    run: Callable[..., Any], clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = work_module.spot_content

    def growing(source: str, settings: SpotSettings, *more: Any) -> Any:
        found = real(source, settings, *more)
        if source.endswith("c1.mkv"):
            with Path(source).open("ab") as handle:
                handle.write(b"more")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(work_module, "spot_content", growing)
        ((key, reason),) = run("out").failed
    assert (key, "changed while it was read" in reason) == ("c1.mkv", True)


def test_the_log_is_whole_after_a_kill_at_any_byte(tmp_path: Path) -> None:
    with BatchLedger(tmp_path) as log:
        for n in range(3):
            log.record(VideoRecord(f"v{n}", f"v{n}.mp4", f"/v{n}.mp4", "d", sha256="s"))
    data = (tmp_path / LEDGER).read_bytes()
    for cut in range(0, len(data), 7):
        (tmp_path / LEDGER).write_bytes(data[:cut])
        with BatchLedger(tmp_path) as log:
            known = set(log.records)
            log.record(VideoRecord("new", "new.mp4", "/new.mp4", "d"))
        with BatchLedger(tmp_path) as log:
            assert set(log.records) == known | {"new"}


SENT_EARLY = """
import builtins, os, signal, sys
import fesnet.__main__ as entry
real = builtins.__import__
def send(name, *rest, **more):
    if name == "fesnet.cli":
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *rest, **more)
builtins.__import__ = send
sys.argv = ["fesnet", "--version"]
if sys.stdin.read(1):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
entry.start_program()
"""


def test_ctrl_c_while_the_program_is_loaded_is_quiet() -> None:
    """Loading takes half a second. Under nohup it is ignored, as before."""
    for given, code in (("", 130), ("nohup", 0)):
        done = subprocess.run(
            [sys.executable, "-c", SENT_EARLY], input=given, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (code, "")


def test_ctrl_c_says_that_it_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Newer versions of Typer make an exit code of it, older ones an error."""

    def stop(**_: object) -> int:
        raise KeyboardInterrupt

    for call in (lambda **_: 130, stop):
        monkeypatch.setattr(base, "app", call)
        assert base.run_app() == 130
        assert capsys.readouterr().err == "fesnet: stopped\n"


@pytest.mark.parametrize("command", WITH_TORCH)
def test_a_current_folder_that_is_gone_is_told_before_torch_dies_of_it(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr(sys, "argv", ["fesnet", command])
    assert base.run_app() == 2
    assert capsys.readouterr().err == f"fesnet: {base.NO_FOLDER}\n"

"""A live session keeps what is known, however it ends."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from fesnet.cli import live
from fesnet.cli.live import LiveEvents, close_source, keep_live, stop_by_signals
from fesnet.errors import TargetError, UsageError
from fesnet.faces import ModelFiles
from fesnet.live import LiveOptions
from fesnet.result import Spotting
from fesnet.spotter import Spotter
from fesnet.video import Source, open_source

INTERVAL = {"event": "interval", "kind": "macro", "onset_s": 1.0}


@pytest.fixture
def session(
    tiny_weights: Path,
    face_models: ModelFiles,
    face_frames: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Path]:
    """Runs a session over a second of video; `show` gets its events. Returns the result's path."""
    monkeypatch.setattr(
        "fesnet.video.reconnect.open_source", lambda _: open_source(np.stack(face_frames), rate=25)
    )
    (tmp_path / ".tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ".tmp"))
    spotter, target = Spotter(tiny_weights), tmp_path / "cam.json"

    def call(show: Any, **options: Any) -> Path:
        keep_live(
            spotter, "cam", show, target, LiveOptions(), reconnect_s=0, force=False, **options
        )
        return target

    return call


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("[!.]*"))


def test_what_comes_after_the_last_frame_loses_no_result(
    session: Callable[..., Path], tmp_path: Path
) -> None:
    """A reader that is first missed at the end, and a signal while the result is made."""

    def leave(event: dict[str, Any]) -> None:
        if event["event"] == "end":
            raise BrokenPipeError

    monkey = pytest.MonkeyPatch()
    monkey.setattr(os, "dup2", lambda *_: None)
    with pytest.raises(typer.Exit):
        session(leave)
    monkey.undo()
    assert left(tmp_path) == ["cam.csv", "cam.json"]
    (tmp_path / "cam.json").unlink()

    def interrupt(event: dict[str, Any]) -> None:
        if event["event"] == "end":
            os.kill(os.getpid(), signal.SIGINT)

    assert Spotting.from_json(session(interrupt)).frame_times[-1] > 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_one_signal_ends_it_and_the_result_is_written(
    name: str, session: Callable[..., Path], tmp_path: Path
) -> None:
    """More of them do not disturb the writing."""
    number, sent = getattr(signal, name), []

    def show(event: dict[str, Any]) -> None:
        if event["event"] in ("status", "end"):
            sent.append(event)
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    path = session(show)
    assert len(sent) == 2
    assert Spotting.from_json(path).frame_times[-1] < 1.7
    assert left(tmp_path) == ["cam.csv", "cam.json"]
    assert signal.getsignal(number) is before


def test_a_reader_that_goes_away_ends_it_and_the_result_is_written(
    session: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live.os, "dup2", lambda *_: None)  # of this process's own output
    shown: list[str] = []

    def show(event: dict[str, Any]) -> None:
        shown.append(event["event"])
        if event["event"] == "status":
            raise BrokenPipeError

    with pytest.raises(typer.Exit):
        session(show)
    assert shown[-1] == "status"
    assert left(tmp_path) == ["cam.csv", "cam.json"]


def test_certain_intervals_are_on_the_disk_at_once(tmp_path: Path) -> None:
    """Nothing is closed here: this is what a kill would leave."""
    events = LiveEvents(lambda event: None, tmp_path / "cam.json", threading.Event())
    events.take({"event": "status"})
    events.take(INTERVAL)
    (line,) = (tmp_path / "cam.live.jsonl").read_text().splitlines()
    assert json.loads(line) == INTERVAL
    assert events.handle is not None
    events.handle.close()
    with LiveEvents(lambda event: None, tmp_path / "cam.json", threading.Event()) as again:
        again.take(INTERVAL)
    assert left(tmp_path) == ["cam.live-2.jsonl", "cam.live.jsonl"]
    with LiveEvents(lambda event: None, tmp_path / "cam.json", threading.Event()):
        pass  # nothing was certain
    assert len(left(tmp_path)) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_stops_no_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[dict[str, Any]] = []
    with LiveEvents(shown.append, tmp_path / "cam.json", threading.Event()) as events:
        assert events.handle is not None
        events.handle.close()
        events.handle = Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115
        events.take(INTERVAL)
        events.take(INTERVAL)
    assert shown == [INTERVAL, INTERVAL]
    (told,) = capsys.readouterr().err.splitlines()
    assert "cam.live.jsonl, got 'No space left on device'" in told


def test_a_result_that_has_no_place_any_more_is_put_elsewhere(
    session: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was watched does not come again."""

    def put_in_the_way(event: dict[str, Any]) -> None:
        if event["event"] == "end":
            (tmp_path / "cam.json").write_text("a person's")

    with pytest.raises(
        UsageError, match=r"cam\.json, but a file .*; the result is in (.*)$"
    ) as told:
        session(put_in_the_way)
    place = Path(str(told.value).rpartition("the result is in ")[2])
    assert Spotting.from_json(place).frame_times[-1] > 0
    assert place.is_relative_to(tmp_path / ".tmp")
    assert place.parent.stat().st_mode & 0o077 == 0
    assert (tmp_path / "cam.json").read_text() == "a person's"
    (tmp_path / "cam.json").unlink()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"or add --force to replace it$"):
        session(put_in_the_way)


def test_a_persons_file_is_not_replaced(session: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "cam.csv").write_text("mine")
    with pytest.raises(TargetError, match="--force"):
        session(lambda event: None)
    assert (tmp_path / "cam.csv").read_text() == "mine"


def test_two_signals_at_once_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python writes of a signal whose handler became "ignore" after it came."""
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    both = {signal.SIGINT, signal.SIGTERM}
    with stop_by_signals() as stopping:
        with pytest.raises(KeyboardInterrupt):
            send_at_once(both)
        assert stopping.is_set()
        send_at_once(both)
    assert told == []


def send_at_once(numbers: set[signal.Signals]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    for number in numbers:
        os.kill(os.getpid(), number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def test_signals_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stop_by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_camera_that_does_not_close_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr(live, "CLOSE_S", 0.01)
    waiting = threading.Event()
    source = Source(name="cam", width=8, height=8, frames=iter(()))
    monkeypatch.setattr(Source, "close", lambda self: waiting.wait(120))
    close_source(source)
    waiting.set()


@pytest.mark.skipif(os.name == "nt", reason="pipes of Windows always block")
@pytest.mark.parametrize("length", [10, 100_000])
def test_a_reader_that_takes_nothing_does_not_keep_a_session_from_ending(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a signal its pipe may be slow; after it, what is known must be written."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writing, b"x" * 1000)
    os.set_blocking(writing, True)
    monkeypatch.setattr(live, "STALLED_S", 0.05)
    stopping = threading.Event()
    stopping.set()

    def show(event: dict[str, Any]) -> None:
        print("x" * length, flush=True)

    with os.fdopen(writing, "w") as stalled:
        monkeypatch.setattr(sys, "stdout", stalled)
        monkeypatch.setattr(sys, "stderr", stalled)
        if length > 10:  # room for a little of it
            os.read(reading, 8192)
        with LiveEvents(show, tmp_path / "cam.json", stopping) as events:
            events.take(INTERVAL)
            assert events.reader_left
            events.take(INTERVAL)
        monkeypatch.undo()
    os.close(reading)
    assert (tmp_path / "cam.live.jsonl").read_text().count("macro") == 2

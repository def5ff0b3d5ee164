"""A live session that ends in any way but keeps what is known."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from fesnet.cli.base import say

if TYPE_CHECKING:
    from fesnet._types import EventCallback
    from fesnet.live import LiveOptions
    from fesnet.result import Spotting
    from fesnet.spotter import Spotter
    from fesnet.video import Source

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
STALLED_S = 1.0  # s after which a reader that takes nothing is given up
CLOSE_S = 2.0  # s for a camera or stream to close


def keep_live(
    spotter: Spotter,
    source: str | int,
    show: EventCallback,
    target: Path | None,
    options: LiveOptions,
    *,
    reconnect_s: float,
    force: bool,
) -> None:
    """Spot a running source and show its events; with a target, write NAME.json and NAME.csv.

    Ctrl-C, SIGTERM, SIGHUP and a reader of the output that goes away end the source, not the
    result. Until then each certain interval lies in NAME.live.jsonl, which even a kill leaves.
    reconnect_s: how long a lost network camera is tried again.
    """
    from fesnet.live import spot_live
    from fesnet.video.reconnect import open_live

    ended = threading.Event()
    options = replace(options, on_end=ended.set)
    with stop_by_signals(ended) as stopping:
        opened = open_live(source, reconnect_s)
        try:
            with LiveEvents(show, target, stopping, ended) as events:
                result = spot_live(spotter, opened, events.take, options=options)
                if target is not None:
                    write_or_rescue(result, target, force=force)
                    events.remove_log()
        finally:
            close_source(opened)
    if events.reader_left:
        raise typer.Exit(1)


def write_or_rescue(result: Spotting, target: Path, *, force: bool) -> None:
    """Write the result. What was watched does not come again: where its folder is full or gone, the
    result goes to a folder of its own among the temporary ones. Raises the UsageError of the place
    that was asked for, which names that folder then.
    """
    from fesnet.errors import UsageError
    from fesnet.exports import write_results

    try:
        write_results(result, target, force=force)
    except UsageError as error:
        try:
            place = Path(tempfile.mkdtemp(prefix="fesnet-"))  # nobody else may look into it
            write_results(result, place / target.name)
        except (OSError, UsageError):
            raise error from None
        raise type(error)(f"{error}; the result is in {place / target.name}") from error


class LiveEvents:
    """Shows events, and keeps the intervals among them on the disk; a context manager.

    stopping: a signal to stop has come; ended: no frame follows, nothing is left to be stopped.
    """

    def __init__(
        self,
        show: EventCallback,
        target: Path | None,
        stopping: threading.Event,
        ended: threading.Event | None = None,
    ) -> None:
        from fesnet._guard import free_path

        self.show, self.stopping = show, stopping
        self.ended = threading.Event() if ended is None else ended
        self.reader_left = False
        self.log = None if target is None else free_path(target.with_suffix(".live.jsonl"))
        self.handle = None if self.log is None else self.log.open("ab", buffering=0)

    def take(self, event: dict[str, Any]) -> None:
        """Raises KeyboardInterrupt, once, where the reader of the output is gone. After a signal to
        stop, a reader that takes nothing is gone, too: what is known must still be written.
        """
        if event["event"] == "interval":
            self.keep(event)
        if self.reader_left:
            return
        try:
            if self.stopping.is_set():
                with never_blocking(sys.stdout):
                    self.show(event)
            else:
                self.show(event)
        except (BrokenPipeError, BlockingIOError) as error:
            self.reader_left = True
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if not self.stopping.is_set() and not self.ended.is_set():
                raise KeyboardInterrupt from error

    def keep(self, event: dict[str, Any]) -> None:
        """Put an interval on the disk. A disk that takes nothing stops nothing; that is told."""
        if self.handle is None:
            return
        line = json.dumps(event).encode() + b"\n"
        try:
            if self.handle.write(line) == len(line):
                return
            reason = "a part was written"
        except OSError as error:
            reason = str(error.strerror)
        self.handle.close()
        self.handle = None
        line_of = f"expected to write {self.log}, got '{reason}'; free space before this ends"
        say(f"fesnet: {line_of}", error=True)

    def remove_log(self) -> None:
        """The result is written: the log says nothing more."""
        if self.log is not None:
            self.log.unlink(missing_ok=True)

    def __enter__(self) -> LiveEvents:
        return self

    def __exit__(self, *_: object) -> None:
        if self.log is None:
            return
        if self.handle is not None:
            self.handle.close()
        with suppress(OSError):
            if not self.log.stat().st_size:
                self.log.unlink()


@contextmanager
def never_blocking(stream: TextIO) -> Iterator[None]:
    """Writing to a stream raises BlockingIOError where its reader takes nothing for a while."""
    try:
        handle = stream.fileno()
        os.set_blocking(handle, False)
    except (OSError, ValueError, AttributeError):  # no file, or a system that cannot tell
        yield
        return
    try:
        if not select.select([], [handle], [], STALLED_S)[1]:
            raise BlockingIOError
        yield
    finally:
        os.set_blocking(handle, True)


@contextmanager
def stop_by_signals(ended: threading.Event | None = None) -> Iterator[threading.Event]:
    """The first signal to stop is a KeyboardInterrupt, and sets the event; later ones do not
    disturb what is still written, and none does after the end of the source.
    """
    stopping = threading.Event()
    numbers = [getattr(signal, name) for name in STOP_SIGNALS if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return

    def stop(number: int, frame: object) -> None:
        stopping.set()
        for each in numbers:  # SIG_IGN would have Python write of a signal that came with this one
            signal.signal(each, pass_over)
        if ended is None or not ended.is_set():
            raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in numbers}
    try:
        yield stopping
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def pass_over(*_: object) -> None:
    """What a signal does that came after the first one."""


def close_source(source: Source) -> None:
    """Close a source; one that waits for its camera is left to the end of the process."""
    closing = threading.Thread(target=source.close, daemon=True)
    closing.start()
    closing.join(CLOSE_S)

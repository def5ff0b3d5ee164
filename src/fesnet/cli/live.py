"""A live session that ends in any way but keeps what is known."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from fesnet._types import EventCallback
    from fesnet.live import LiveOptions
    from fesnet.spotter import Spotter
    from fesnet.video import Source

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
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
    from fesnet.exports import write_results
    from fesnet.live import spot_live
    from fesnet.video.reconnect import open_live

    with stop_by_signals():
        opened = open_live(source, reconnect_s)
        try:
            with LiveEvents(show, target) as events:
                result = spot_live(spotter, opened, events.take, options=options)
                if target is not None:
                    write_results(result, target, force=force)
                    events.remove_log()
        finally:
            close_source(opened)
    if events.reader_left:
        raise typer.Exit(1)


class LiveEvents:
    """Shows events, and keeps the intervals among them on the disk; a context manager."""

    def __init__(self, show: EventCallback, target: Path | None) -> None:
        from fesnet._guard import free_path

        self.show = show
        self.reader_left = False
        self.log = None if target is None else free_path(target.with_suffix(".live.jsonl"))
        self.handle = None if self.log is None else self.log.open("ab", buffering=0)

    def take(self, event: dict[str, Any]) -> None:
        """Raises KeyboardInterrupt, once, where the reader of the output is gone."""
        if self.handle is not None and event["event"] == "interval":
            self.handle.write(json.dumps(event).encode() + b"\n")
        if self.reader_left:
            return
        try:
            self.show(event)
        except BrokenPipeError as error:
            self.reader_left = True
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            raise KeyboardInterrupt from error

    def remove_log(self) -> None:
        """The result is written: the log says nothing more."""
        if self.log is not None:
            self.log.unlink(missing_ok=True)

    def __enter__(self) -> LiveEvents:
        return self

    def __exit__(self, *_: object) -> None:
        if self.handle is None or self.log is None:
            return
        self.handle.close()
        with suppress(OSError):
            if not self.log.stat().st_size:
                self.log.unlink()


@contextmanager
def stop_by_signals() -> Iterator[None]:
    """The first signal to stop is a KeyboardInterrupt; later ones do not disturb what is still
    written.
    """
    numbers = [getattr(signal, name) for name in STOP_SIGNALS if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in numbers}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def close_source(source: Source) -> None:
    """Close a source; one that waits for its camera is left to the end of the process."""
    closing = threading.Thread(target=source.close, daemon=True)
    closing.start()
    closing.join(CLOSE_S)

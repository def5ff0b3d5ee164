"""Network cameras that break off and come back: one source over all connections.

first connection   |0 1 2 3|
lost                        . . .
second connection                |4 5 6 ...     times go on by this machine's clock
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fesnet._types import Image
from fesnet.errors import FesnetError, SourceError
from fesnet.video import open_source
from fesnet.video.source import Frame, Source

WAITS_S = (0.5, 1.0, 2.0, 5.0)  # s before each try; the last one repeats


@dataclass(frozen=True, slots=True)
class LazyPicture:
    """The picture of another frame, converted when it is asked for."""

    frame: Frame

    def rgb(self) -> Image:
        """(H, W, 3) uint8 RGB."""
        return self.frame.image

    def grey(self) -> Image | None:
        """(H, W) uint8 luma."""
        return self.frame.grey


@dataclass(frozen=True)
class Clocks:
    """How to wait and what time it is, s; tests put others in their place."""

    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic


def open_live(source: str | int, patience_s: float) -> Source:
    """Open a source for spotting while it happens. A stream address that gives frames in real time
    is opened again when it breaks off, for `patience_s` seconds (0: never). Raises UsageError and
    SourceError as `open_source` does.
    """
    opened = open_source(source)
    if patience_s <= 0 or not opened.live or not isinstance(source, str):
        return opened
    return reconnecting(opened, lambda: open_source(source), patience_s, Clocks())


def reconnecting(
    first: Source, open_again: Callable[[], Source], patience_s: float, clocks: Clocks
) -> Source:
    """One source made of connections. Every gap is a warning with its seconds; SourceError ends the
    frames when no connection came back in time.
    """
    warnings = list(first.warnings)
    current = [first]
    return Source(
        name=first.name,
        width=first.width,
        height=first.height,
        frames=joined_frames(current, open_again, patience_s, clocks, warnings),
        rate=first.rate,
        live=True,
        warnings=warnings,
        on_close=lambda: current[-1].close(),
    )


def joined_frames(
    current: list[Source],
    open_again: Callable[[], Source],
    patience_s: float,
    clocks: Clocks,
    warnings: list[str],
) -> Iterator[Frame]:
    """The frames of one connection after another; `current` holds the open one."""
    index, last_s, shift_s = 0, 0.0, 0.0
    began: float | None = None
    while True:
        name, reason = current[-1].name, "the stream ended"
        fresh = index > 0
        try:
            for frame in current[-1]:
                began = clocks.now() - frame.time if began is None else began
                if fresh:  # the clock of this machine tells how long the camera was away
                    shift_s = max(clocks.now() - began, last_s) - frame.time
                    warnings.append(
                        f"{name}: no picture from {last_s:.2f} to {frame.time + shift_s:.2f} s; "
                        "connected again"
                    )
                    fresh = False
                last_s = max(frame.time + shift_s, last_s)
                yield Frame(index, last_s, LazyPicture(frame))
                index += 1
        except SourceError as error:
            reason = str(error)
        current[-1].close()
        current[-1] = connect(open_again, patience_s, clocks, f"{name}: {reason}")


def connect(
    open_again: Callable[[], Source], patience_s: float, clocks: Clocks, reason: str
) -> Source:
    """Try again until a connection is there. Raises SourceError after `patience_s` seconds."""
    started, tries = clocks.now(), 0
    while clocks.now() - started < patience_s:
        clocks.sleep(WAITS_S[min(tries, len(WAITS_S) - 1)])
        tries += 1
        try:
            return open_again()
        except FesnetError:
            continue
    raise SourceError(f"{reason}, and it did not come back within {patience_s:g} s")

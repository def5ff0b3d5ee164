"""Spotting while it happens: a camera, a stream, or a file played at its own speed.

    reader (a thread) -> a short queue; frames are dropped while it is full -> stream -> events

The reader never waits for the network, so what is shown never lags by more than the queue, however
slow the machine.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from fesnet._types import EventCallback
from fesnet.errors import FesnetError
from fesnet.result import SpottedInterval, Spotting
from fesnet.spotter import Spotter
from fesnet.video import Frame, Source
from fesnet.video.source import check_seconds

QUEUE_FRAMES = 10  # frames that may wait: a third of a second at 30 Hz
STATUS_EVERY = 1.0  # s


@dataclass
class StreamStats:
    """What happened on the way: frames read and dropped, and how long each frame waited until it
    was done with (s).
    """

    frames: int = 0
    dropped: int = 0
    delays: list[float] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        middle, late = np.quantile(self.delays or [0.0], [0.5, 0.95])
        return {
            "frames": self.frames,
            "dropped": self.dropped,
            "delay_median_s": round(float(middle), 3),
            "delay_95_percent_s": round(float(late), 3),
        }


class SourceReader(threading.Thread):
    """Reads a source as fast as it comes (files: at their own speed) and drops what nobody takes in
    time.
    """

    def __init__(self, source: Source, seconds: float | None) -> None:
        super().__init__(daemon=True)
        check_seconds(seconds)
        self.source, self.seconds = source, seconds
        self.waiting: queue.Queue[tuple[Frame, float] | None] = queue.Queue(QUEUE_FRAMES)
        self.stats = StreamStats()
        self.error: Exception | None = None  # why it ended, if not by itself
        self.stopped = threading.Event()

    def run(self) -> None:
        try:
            started: float | None = None
            for frame in self.source:
                now = time.monotonic()
                started = now - frame.time if started is None else started
                if self.stopped.is_set() or (
                    self.seconds is not None and frame.time > self.seconds
                ):
                    break
                if not self.source.live and self.stopped.wait(max(0.0, started + frame.time - now)):
                    break
                self.offer(frame)
        except (
            Exception
        ) as error:  # raised by `check_error`; `spot_live` would wait for ever otherwise
            self.error = error
        self.waiting.put(None)

    def check_error(self, frames: int) -> None:
        """Raise what the source broke with if no frame came or it is no error of ours; else make it
        a warning.
        """
        if self.error is None:
            return
        if not frames or not isinstance(self.error, FesnetError):
            raise self.error
        self.source.warnings.append(f"{self.source.name} broke off: {self.error}")

    def offer(self, frame: Frame) -> None:
        self.stats.frames += 1
        try:
            self.waiting.put_nowait((frame, time.monotonic()))
        except queue.Full:
            self.stats.dropped += 1


def spot_live(
    spotter: Spotter, source: Source, on_event: EventCallback, *, seconds: float | None = None
) -> Spotting:
    """Spot a running source, and report events as dictionaries that JSON can hold.

    "start" (look_ahead_s: seconds until scores are final at the latest), "status" once a second
    (time_s, faces, counts of frames and of dropped ones, delays), "interval" as soon as it is
    certain (with told_after_s, seconds from its offset to now on the source's clock), and "end". A
    keyboard interrupt ends the source, not the result, and so does a source that breaks after its
    first frames: the result has a warning then. Returns the whole result. Raises SourceError where
    no frame came, UsageError for seconds of 0 or less.
    """
    stream, reader = spotter.stream(), SourceReader(source, seconds)
    on_event({"event": "start", "source": source.name, "look_ahead_s": round(stream.look_ahead, 2)})
    emitted: list[SpottedInterval] = []
    reader.start()
    last = 0.0
    try:
        while (item := reader.waiting.get()) is not None:
            frame, came = item
            for interval in stream.push(frame):
                emitted.append(interval)
                on_event(as_event(interval, frame.time))
            reader.stats.delays.append(time.monotonic() - came)
            if frame.time - last >= STATUS_EVERY:
                last = frame.time
                on_event(
                    {
                        "event": "status",
                        "time_s": round(last, 2),
                        "faces": len(stream.faces),
                        **reader.stats.to_dict(),
                    }
                )
    except KeyboardInterrupt:
        reader.stopped.set()
    reader.check_error(len(stream.frame_times))
    result = spotter.result(stream, source)
    end = stream.frame_times[-1]
    for interval in result.intervals:
        if interval not in emitted:
            on_event(as_event(interval, end))
    counts = reader.stats.to_dict()
    on_event(
        {
            "event": "end",
            "intervals": len(result.intervals),
            **counts,
            "warnings": list(result.warnings),
        }
    )
    return result


def as_event(interval: SpottedInterval, now: float) -> dict[str, Any]:
    return {
        "event": "interval",
        **asdict(interval),
        "told_after_s": round(now - interval.offset_s, 2),
    }

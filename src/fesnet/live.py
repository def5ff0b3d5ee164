"""Spotting while it happens: a camera, a stream, or a file played at its own speed.

    reader (a thread) -> a short queue; frames are dropped while it is full -> stream -> events

The reader never waits for the network, so what is shown never lags by more than the queue, however
slow the machine.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from fesnet._types import EventCallback
from fesnet.errors import FesnetError
from fesnet.result import SpottedInterval, Spotting
from fesnet.spotter import Spotter
from fesnet.stream import SpotStream
from fesnet.video import Frame, Source
from fesnet.video.source import check_seconds

QUEUE_FRAMES = 10  # frames that may wait: a third of a second at 30 Hz
STATUS_EVERY = 1.0  # s
GAP_S = 1.0  # s without a frame from which a gap is told


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


@dataclass(frozen=True)
class LiveOptions:
    """seconds: stop after this time; on_frame: called with every frame that is spotted; on_end:
    called when no frame follows, before the result is made: an interrupt would lose it from then
    on."""

    seconds: float | None = None
    on_frame: Callable[[Frame], None] | None = None
    on_end: Callable[[], None] | None = None


class ScoreFeed:
    """The scores of a stream that became final since the last look, as events."""

    def __init__(self, stream: SpotStream, rate: float) -> None:
        self.stream, self.rate = stream, rate
        self.sent: dict[int, int] = {}  # chunks by face

    def events(self) -> Iterator[dict[str, Any]]:
        """One event for each piece of scores, by face and time."""
        for face, pipeline in sorted(self.stream.pipelines.items()):
            for chunk in pipeline.chunks[self.sent.get(face, 0) :]:
                columns = (*np.asarray(chunk.scores, float).T, np.asarray(chunk.intensity, float))
                macro, micro, intensity = (np.round(c, 4).tolist() for c in columns)
                yield {
                    "event": "scores",
                    "face": face,
                    "start_s": round(chunk.start / self.rate, 6),
                    "step_s": round(1 / self.rate, 6),
                    **{"macro": macro, "micro": micro, "intensity": intensity},
                }
            self.sent[face] = len(pipeline.chunks)


def spot_live(
    spotter: Spotter,
    source: Source,
    on_event: EventCallback,
    *,
    seconds: float | None = None,
    options: LiveOptions | None = None,
) -> Spotting:
    """Spot a running source, and report events as dictionaries that JSON can hold.

    "start" (look_ahead_s: seconds until scores are final at the latest), "status" once a second
    (time_s, faces, counts of frames and of dropped ones, delays), "scores" when some are final,
    "gap" (no picture for more than a second), "interval" as soon as it is certain (with
    told_after_s, seconds from its offset to now on the source's clock), and "end". A keyboard
    interrupt ends the source, not the result, and so does a source that breaks after its first
    frames: the result has a warning then. seconds: as in the options. Returns the whole result.
    Raises SourceError where no frame came, UsageError for seconds of 0 or less.
    """
    chosen = options or LiveOptions(seconds)
    stream, reader = spotter.stream(), SourceReader(source, chosen.seconds)
    on_event({"event": "start", "source": source.name, "look_ahead_s": round(stream.look_ahead, 2)})
    feed = ScoreFeed(stream, spotter.weights.config.working_rate)
    emitted: list[SpottedInterval] = []
    reader.start()
    try:
        for event in running_events(reader, stream, emitted, chosen):
            on_event(event)
            for scores in feed.events():
                on_event(scores)
    except KeyboardInterrupt:
        reader.stopped.set()
    if chosen.on_end is not None:
        chosen.on_end()
    reader.check_error(len(stream.frame_times))
    result = spotter.result(stream, source)
    for scores in feed.events():
        on_event(scores)
    end = stream.frame_times[-1]
    for interval in result.intervals:
        if interval not in emitted:
            on_event(as_event(interval, end))
    counts = reader.stats.to_dict()
    told = {"intervals": len(result.intervals), **counts, "warnings": list(result.warnings)}
    on_event({"event": "end", **told})
    return result


def running_events(
    reader: SourceReader, stream: SpotStream, emitted: list[SpottedInterval], options: LiveOptions
) -> Iterator[dict[str, Any]]:
    """Spot what the reader brings until it ends: intervals (also put into `emitted`), gaps, and
    the state once a second.
    """
    status_s = last_s = 0.0
    while (item := reader.waiting.get()) is not None:
        frame, came = item
        if frame.time - last_s > GAP_S and stream.frame_times:
            yield {"event": "gap", "start_s": round(last_s, 3), "stop_s": round(frame.time, 3)}
        last_s = frame.time
        for interval in stream.push(frame):
            emitted.append(interval)
            yield as_event(interval, frame.time)
        if options.on_frame is not None:
            options.on_frame(frame)
        reader.stats.delays.append(time.monotonic() - came)
        if frame.time - status_s >= STATUS_EVERY:
            status_s = frame.time
            yield {
                "event": "status",
                "time_s": round(status_s, 2),
                "faces": len(stream.faces),
                **reader.stats.to_dict(),
            }


def as_event(interval: SpottedInterval, now: float) -> dict[str, Any]:
    return {
        "event": "interval",
        **asdict(interval),
        "told_after_s": round(now - interval.offset_s, 2),
    }

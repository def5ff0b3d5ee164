"""One video on more than one processor: reading, faces and network in a thread each.

    frames -> (reader) -> frames -> `SpotStream.look` (this thread) -> faces ->
    `SpotStream.judge` (judge), which also runs the landmark model between key frames

Every step gets what it gets in a loop of `push`, in the same order, so the result has the same
bytes. The queues between are short, so memory stays flat. FFmpeg, OpenCV and onnxruntime let go of
Python's lock while they work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, Full, Queue
from threading import Event
from typing import Any, Generic, TypeVar

from fesnet.stream import SeenFrame, SpotStream
from fesnet.video import Frame

FRAMES_AHEAD = 8  # read and not looked at yet
SEEN_AHEAD = 16  # frames whose faces wait; some hold their picture
WAIT = 0.1  # s between two looks whether another thread has failed

Item = TypeVar("Item")


class OtherThreadFailedError(Exception):
    """Another thread has failed, and tells why."""


class Handover(Generic[Item]):
    """A short queue from one thread to another. stopped: set by whoever fails."""

    def __init__(self, size: int, stopped: Event) -> None:
        self.queue: Queue[Item | None] = Queue(size)
        self.stopped = stopped

    def put(self, item: Item | None) -> None:
        """Hand over an item; None is the end. Raises OtherThreadFailedError."""
        while True:
            if self.stopped.is_set():
                raise OtherThreadFailedError
            try:
                return self.queue.put(item, timeout=WAIT)
            except Full:
                continue

    def __iter__(self) -> Iterator[Item]:
        """The items up to the end. Raises OtherThreadFailedError."""
        while True:
            if self.stopped.is_set():
                raise OtherThreadFailedError
            try:
                item = self.queue.get(timeout=WAIT)
            except Empty:
                continue
            if item is None:
                return
            yield item


def push_overlapped(
    stream: SpotStream, frames: Iterable[Frame], report: Callable[[Frame], None] | None = None
) -> None:
    """Push all frames into the stream. report: called with each frame, in this thread.

    Raises what reading, looking or judging raise; no thread is left then.
    """
    stopped = Event()
    read: Handover[Frame] = Handover(FRAMES_AHEAD, stopped)
    seen: Handover[SeenFrame] = Handover(SEEN_AHEAD, stopped)
    with ThreadPoolExecutor(2, "fesnet") as pool:
        others = (
            pool.submit(run_stage, stopped, read_all, frames, read),
            pool.submit(run_stage, stopped, judge_all, stream, seen),
        )
        run_stage(stopped, look_at_all, stream, read, seen, report)
    for other in others:
        other.result()


def run_stage(stopped: Event, stage: Callable[..., None], *arguments: Any) -> None:
    """Run one stage; if it fails the others stop, and only it raises."""
    try:
        stage(*arguments)
    except OtherThreadFailedError:
        pass
    except BaseException:
        stopped.set()
        raise


def look_at_all(
    stream: SpotStream,
    read: Handover[Frame],
    seen: Handover[SeenFrame],
    report: Callable[[Frame], None] | None,
) -> None:
    """Find the faces of all frames that were read, and hand them over."""
    for frame in read:
        found = stream.look(frame)
        if report is not None:
            report(frame)  # before the judge may ask for its picture
        seen.put(found)
    seen.put(None)


def judge_all(stream: SpotStream, seen: Handover[SeenFrame]) -> None:
    """Judge all frames that were looked at."""
    for found in seen:
        stream.judge(found)


def read_all(frames: Iterable[Frame], read: Handover[Frame]) -> None:
    """Hand over all frames."""
    for frame in frames:
        read.put(frame)
    read.put(None)

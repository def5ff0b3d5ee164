"""Spotting in the background: one video after another, so that the page stays quick."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from fesnet.batch import Job, spot_one, write_results
from fesnet.errors import FesnetError
from fesnet.faces.models import ensure_models
from fesnet.review.library import Library, Video
from fesnet.spotter import Spotter
from fesnet.video import VideoWriter, open_source

COPY_RATE = Fraction(30)  # of a copy of a video that does not tell its rate
COPY_CRF = 20  # looks nearly the same; the copy is for the eyes only


class Report(Protocol):
    """Tells how far a task is, and in which stage from now on. Raises StoppedError where it is not
    wanted any more.
    """

    def __call__(self, share: float | None, stage: str = "") -> None: ...


class StoppedError(Exception):
    """Somebody does not want this video any more."""


@dataclass
class Worker:
    """Does one task at a time in a thread of its own, which ends with the program.

    weights: folder, None for the bundled ones; rate: frames a second of image folders.
    """

    library: Library
    weights: Path | None = None
    rate: float | None = None
    tasks: queue.Queue[tuple[str, Video, int]] = field(default_factory=queue.Queue, repr=False)
    spotter: Spotter | None = None
    thread: threading.Thread | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def ask(self, task: str, video: Video) -> None:
        """Put a video at the end of the line, to "spot" or to "copy", unless it waits already."""
        with video.lock:
            if video.state in ("waiting", "working"):
                return
            video.state, video.share, video.error = "waiting", None, ""
            video.stage = "waiting"
            video.asked += 1
            self.tasks.put((task, video, video.asked))
        with self.lock:
            if self.thread is None:
                self.thread = threading.Thread(target=self.run, daemon=True, name="spotting")
                self.thread.start()

    def stop(self, video: Video) -> None:
        """A video that waits or is being spotted will not be."""
        with video.lock:
            if video.state in ("waiting", "working"):
                video.state = "stopped"

    def run(self) -> None:
        while True:
            task, video, asked = self.tasks.get()
            self.do(self.copy if task == "copy" else self.spot, video, asked)

    def do(self, task: Callable[[Video, Report], None], video: Video, asked: int) -> None:
        """One task, the video's `asked`-th; its error becomes the video's line. Of one that was
        stopped and asked for again meanwhile nothing is told any more."""
        with video.lock:
            if video.state != "waiting" or video.asked != asked:
                return
            video.state = "working"

        def report(share: float | None, stage: str = "") -> None:
            with video.lock:
                if video.state != "working" or video.asked != asked:
                    raise StoppedError
                video.share, video.stage = share, stage or video.stage

        state, line = "done", ""
        try:
            task(video, report)
        except StoppedError:
            state = "stopped"
        except FesnetError as error:
            state, line = "failed", str(error)
        except Exception as error:  # else the line of waiting videos would end here, without a word
            state, line = "failed", f"an error of fesnet itself, please report it: {error!r}"
        with video.lock:
            if video.asked == asked:
                video.state, video.error, video.share, video.stage = state, line, None, ""

    def spot(self, video: Video, report: Report) -> None:
        """Spot the video and write its result. Raises FesnetError."""
        source = self.library.original(video)
        if self.spotter is None:
            report(None, "preparing")
            ensure_models(report)
            self.spotter = Spotter(self.weights)
        report(0.0, "spotting")
        job = Job(self.spotter, rate=self.rate)
        found = spot_one(str(source), job, lambda _, share: report(share))
        report(1.0)  # stopped at the last moment is stopped, too
        write_results(found, self.library.result(video.key))

    def copy(self, video: Video, report: Report) -> None:
        """Write a copy that browsers play, on the same time axis: at each of its frames the picture
        that is shown then.

        Raises FesnetError.
        """
        source = self.library.original(video)
        target = self.library.copy(video.key)
        target.parent.mkdir(exist_ok=True)
        report(None, "making a copy that the browser plays")
        with open_source(source, rate=self.rate) as opened:
            rate = min(opened.rate or COPY_RATE, Fraction(60))
            size = (opened.width, opened.height)
            with VideoWriter(target, rate, *size, crf=COPY_CRF) as writer:
                last = None
                for frame in opened:
                    while last is not None and writer.count / rate < frame.time - 1e-6:
                        writer.write(last)
                    last = frame.image
                    if frame.index % 10 == 0:
                        report(min(frame.time / opened.duration, 1.0) if opened.duration else None)
                if last is not None:
                    writer.write(last)

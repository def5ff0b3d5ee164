"""Spotting in the background: one video after another, so that the page stays quick."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from fesnet.batch import Job, spot_one, write_results
from fesnet.errors import FesnetError
from fesnet.faces.models import ensure_models
from fesnet.review.library import Library, Video
from fesnet.spotter import Spotter
from fesnet.video import VideoWriter, open_source

COPY_RATE = Fraction(30)  # of a copy of a video that does not tell its rate
COPY_CRF = 20  # looks nearly the same; the copy is for the eyes only


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
    tasks: queue.Queue[tuple[str, Video]] = field(default_factory=queue.Queue, repr=False)
    spotter: Spotter | None = None
    thread: threading.Thread | None = None

    def ask(self, task: str, video: Video) -> None:
        """Put a video at the end of the line, to "spot" or to "copy", unless it waits already."""
        with video.lock:
            if video.state in ("waiting", "working"):
                return
            video.state, video.share, video.error = "waiting", None, ""
            video.stage = "waiting"
        self.tasks.put((task, video))
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
            task, video = self.tasks.get()
            self.do(self.copy if task == "copy" else self.spot, video)

    def do(self, task: Callable[[Video], None], video: Video) -> None:
        """One task; its error becomes the video's line."""
        with video.lock:
            if video.state != "waiting":
                return
            video.state = "working"
        try:
            task(video)
            video.state = "done"
        except StoppedError:
            video.state = "stopped"
        except FesnetError as error:
            video.state, video.error = "failed", str(error)
        except Exception as error:  # else the line of waiting videos would end here, without a word
            video.state, video.error = "failed", f"an error of fesnet itself, please report it: {error!r}"
        finally:
            video.share, video.stage = None, ""

    def report(self, video: Video, share: float | None) -> None:
        """Raises StoppedError where the video is not wanted any more."""
        if video.state != "working":
            raise StoppedError
        video.share = share

    def spot(self, video: Video) -> None:
        """Spot the video and write its result. Raises FesnetError."""
        source = self.library.original(video)
        if self.spotter is None:
            video.stage = "preparing"
            ensure_models(lambda share: self.report(video, share))
            self.spotter = Spotter(self.weights)
        video.stage, video.share = "spotting", 0.0
        job = Job(self.spotter, rate=self.rate)
        found = spot_one(str(source), job, lambda _, share: self.report(video, share))
        write_results(found, self.library.result(video.key))

    def copy(self, video: Video) -> None:
        """Write a copy that browsers play, on the same time axis: at each of its frames the picture that is shown then.

        Raises FesnetError.
        """
        source = self.library.original(video)
        target = self.library.copy(video.key)
        target.parent.mkdir(exist_ok=True)
        video.stage = "making a copy that the browser plays"
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
                        self.report(video, min(frame.time / opened.duration, 1.0) if opened.duration else None)
                if last is not None:
                    writer.write(last)

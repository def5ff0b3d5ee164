"""Spot videos and make playable copies in a background thread, one after another."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fesnet.batch import SpotJob, spot_source, write_results
from fesnet.errors import FesnetError
from fesnet.faces.models import ensure_models
from fesnet.review.face_path import follow_faces, save_paths
from fesnet.review.video_library import LibraryVideo, VideoLibrary
from fesnet.spotter import Spotter
from fesnet.video.playable import write_playable


class StageCallback(Protocol):
    """Reports the share of a task that is done and its stage. Raises StoppedError if the task was
    stopped."""

    def __call__(self, share: float | None, stage: str = "") -> None: ...


class StoppedError(Exception):
    """A person stopped the task."""


@dataclass
class BackgroundWorker:
    """Runs one task at a time in its own daemon thread.

    weights: folder, None for the bundled ones; rate: frames a second of image folders.
    """

    library: VideoLibrary
    weights: Path | None = None
    rate: float | None = None
    tasks: queue.Queue[tuple[str, LibraryVideo, int] | None] = field(
        default_factory=queue.Queue, repr=False
    )
    spotter: Spotter | None = None
    thread: threading.Thread | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    closed: threading.Event = field(default_factory=threading.Event, repr=False)

    def enqueue(self, task: str, video: LibraryVideo) -> None:
        """Queue "spot", "copy" or "follow" for a video, unless a task waits or runs already."""
        with video.lock:
            if video.state in ("waiting", "working"):
                return
            video.state, video.share, video.error = "waiting", None, ""
            video.stage = "waiting"
            video.requests += 1
            self.tasks.put((task, video, video.requests))
        with self.lock:
            if self.thread is None:
                self.thread = threading.Thread(target=self.run, daemon=True, name="spotting")
                self.thread.start()

    def stop(self, video: LibraryVideo) -> None:
        """Stop the waiting or running task of a video."""
        with video.lock:
            if video.state in ("waiting", "working"):
                video.state = "stopped"

    def close(self, wait_s: float = 20.0) -> None:
        """End the thread, at the next step of the running task; what waits is not begun.

        A thread that still ran in a native library when Python ends would abort the process.
        """
        self.closed.set()
        self.tasks.put(None)
        with self.lock:
            thread = self.thread
        if thread is not None:
            thread.join(wait_s)

    def run(self) -> None:
        does = {"spot": self.spot, "copy": self.copy, "follow": self.follow}
        while (item := self.tasks.get()) is not None and not self.closed.is_set():
            task, video, request = item
            self.run_task(does[task], video, request)

    def run_task(
        self, task: Callable[[LibraryVideo, StageCallback], None], video: LibraryVideo, request: int
    ) -> None:
        """Run a task and keep its error as the video's message. request: number of the request; a
        task that was stopped and requested again changes the video no more."""
        with video.lock:
            if video.state != "waiting" or video.requests != request:
                return
            video.state = "working"

        def report(share: float | None, stage: str = "") -> None:
            with video.lock:
                wanted = video.state == "working" and video.requests == request
                if not wanted or self.closed.is_set():
                    raise StoppedError
                video.share, video.stage = share, stage or video.stage

        state, line = "done", ""
        try:
            task(video, report)
        except StoppedError:
            state = "stopped"
        except FesnetError as error:
            state, line = "failed", str(error)
        except Exception as error:  # else the thread would end silently
            state, line = "failed", f"an error of fesnet itself, please report it: {error!r}"
        with video.lock:
            if video.requests == request:
                video.state, video.error, video.share, video.stage = state, line, None, ""

    def spot(self, video: LibraryVideo, report: StageCallback) -> None:
        """Spot the video and write its result. Raises FesnetError."""
        source = self.library.source_path(video)
        if self.spotter is None:
            report(None, "preparing")
            ensure_models(report)
            self.spotter = Spotter(self.weights)
        report(0.0, "spotting")
        job = SpotJob(self.spotter, rate=self.rate)
        found = spot_source(str(source), job, lambda _, share: report(share))
        report(1.0)  # raises StoppedError if stopped at the last moment
        write_results(found, self.library.result_path(video.key))

    def copy(self, video: LibraryVideo, report: StageCallback) -> None:
        """Write a copy that browsers play, with its sound. Raises FesnetError."""
        source = self.library.source_path(video)
        target = self.library.copy_path(video.key)
        target.parent.mkdir(exist_ok=True)
        report(None, "making a copy that the browser plays")
        write_playable(source, target, report, self.rate)

    def follow(self, video: LibraryVideo, report: StageCallback) -> None:
        """Write where the faces of a spotted video are, for the zoom. Raises FesnetError."""
        report(0.0, "finding the face for the zoom")
        spotting = self.library.machine_result(video.key).spotting
        source = self.library.source_path(video)
        paths = follow_faces(source, spotting, report)
        target = self.library.face_path(video.key)
        target.parent.mkdir(exist_ok=True)
        save_paths(paths, spotting, target)

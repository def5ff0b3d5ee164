"""Spotting while it happens: paced files, dropped frames, and the same result as from the file."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fesnet.errors import SourceError, UsageError
from fesnet.faces import ModelFiles
from fesnet.live import QUEUE_FRAMES, SourceReader, spot_live
from fesnet.spotter import Spotter
from fesnet.video import Frame, Source, open_source

RATE = Fraction(25)


@pytest.fixture(scope="module")
def spotter(tiny_weights: Path, face_models: ModelFiles) -> Spotter:
    return Spotter(tiny_weights)


def test_a_file_at_its_own_speed_gives_the_result_of_the_file(
    spotter: Spotter, face_frames: list[np.ndarray]
) -> None:
    frames = np.stack(face_frames)
    events: list[dict[str, Any]] = []
    started = time.monotonic()
    result = spot_live(spotter, open_source(frames, rate=RATE), events.append)
    assert time.monotonic() - started >= (len(frames) - 1) / 25
    kinds = [e["event"] for e in events]
    assert (kinds[0], kinds[-1]) == ("start", "end")
    assert events[-1]["frames"] == len(frames)
    if (
        events[-1]["dropped"] == 0
    ):  # on a machine that is too busy frames may be dropped, and that is right
        assert result.to_json() == spotter.spot(frames, rate=RATE).to_json()
    assert kinds.count("interval") == len(result.intervals) == events[-1]["intervals"]


def test_what_nobody_takes_is_dropped_and_counted() -> None:
    """A reader never waits: all but a queue of frames are gone when nobody takes any."""
    image = np.zeros((8, 8, 3), np.uint8)
    source = Source(
        name="fast",
        width=8,
        height=8,
        frames=iter([Frame(i, i / 1000, image) for i in range(50)]),
        live=True,
    )
    reader = SourceReader(source, None)
    reader.start()
    deadline = time.monotonic() + 120
    while reader.stats.frames < 50 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert (reader.stats.frames, reader.stats.dropped) == (50, 50 - QUEUE_FRAMES)
    assert [reader.waiting.get()[0].index for _ in range(QUEUE_FRAMES)] == list(range(QUEUE_FRAMES))  # type: ignore[index]
    assert reader.waiting.get() is None


def test_it_stops_after_the_given_time(spotter: Spotter, face_frames: list[np.ndarray]) -> None:
    result = spot_live(
        spotter, open_source(np.stack(face_frames), rate=RATE), lambda event: None, seconds=0.5
    )
    assert result.frame_times[-1] <= 0.5


def test_an_interrupt_ends_the_source_and_keeps_the_result(
    spotter: Spotter, face_frames: list[np.ndarray]
) -> None:
    def interrupt(event: dict[str, Any]) -> None:
        if event["event"] == "status":
            raise KeyboardInterrupt

    frames = [f for _ in range(3) for f in face_frames]
    result = spot_live(spotter, open_source(np.stack(frames), rate=RATE), interrupt)
    assert 1.0 <= result.frame_times[-1] < 4.0  # of 4.8 s; a busy machine is told late
    assert threading.active_count() < 20


def test_a_source_that_gives_nothing_is_told(spotter: Spotter) -> None:
    def broken() -> Iterator[Frame]:
        raise SourceError("cannot decode x: broken")
        yield

    with pytest.raises(SourceError, match="broken"):
        spot_live(spotter, Source(name="x", width=8, height=8, frames=broken()), lambda event: None)


def test_a_source_that_breaks_off_keeps_what_came_and_says_so(
    spotter: Spotter, face_frames: list[np.ndarray]
) -> None:
    def broken() -> Iterator[Frame]:
        yield from (Frame(i, i / 25, image) for i, image in enumerate(face_frames[:5]))
        raise SourceError("cannot decode x: broken")

    source = Source(name="x", width=8, height=8, frames=broken(), live=True)
    result = spot_live(spotter, source, lambda event: None)
    assert len(result.frame_times) == 5
    assert any("broke off: cannot decode x" in warning for warning in result.warnings)


def test_an_error_of_the_source_is_not_waited_for(
    spotter: Spotter, face_frames: list[np.ndarray]
) -> None:
    def faulty() -> Iterator[Frame]:
        yield Frame(0, 0.0, face_frames[0])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spot_live(spotter, Source(name="x", width=8, height=8, frames=faulty()), lambda event: None)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_time_of_nothing_is_refused(spotter: Spotter, seconds: float) -> None:
    with pytest.raises(UsageError, match="above 0 s to stop after"):
        spot_live(
            spotter,
            open_source(np.zeros((2, 8, 8), np.uint8), rate=RATE),
            lambda event: None,
            seconds=seconds,
        )

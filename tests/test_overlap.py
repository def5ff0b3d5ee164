"""One video in several threads: the same bytes, and no thread is left when something fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fesnet.errors import SourceError, UsageError
from fesnet.faces import Face, ModelFiles
from fesnet.overlap import push_overlapped
from fesnet.postprocess import IntervalRules
from fesnet.spotter import Spotter
from fesnet.stream import SpotStream
from fesnet.video import Frame
from fesnet.weights import load_weights
from small_network import face_of, moving_crops


@pytest.fixture
def spotter(tiny_weights: Path, face_models: ModelFiles) -> Spotter:
    return Spotter(tiny_weights)


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    before = threading.enumerate()
    yield
    assert [thread for thread in threading.enumerate() if thread not in before] == []


def test_overlapped_spotting_gives_the_same_bytes(
    spotter: Spotter, face_video: Path, no_thread_is_left: None
) -> None:
    told: list[list[int]] = [[], []]
    found = [
        spotter.spot(face_video, progress=lambda f, _: told[0].append(f.index)),
        spotter.spot(face_video, overlap=True, progress=lambda f, _: told[1].append(f.index)),
    ]
    assert found[0].faces
    assert np.isfinite(found[0].faces[0].scores).any()
    assert found[0].to_json() == found[1].to_json()
    assert told[0] == told[1] == list(range(len(found[0].frame_times)))


class Shown:
    """A tracker that knows all faces beforehand."""

    def __init__(self, faces: dict[float, Face]) -> None:
        self.faces = faces

    def push(self, frame: Frame) -> list[Face]:
        return [self.faces[frame.time]] if frame.time in self.faces else []


class Video:
    """A long made-up video: a face that is lost twice; every stage can be told to fail."""

    def __init__(self, weights: Path, count: int = 400) -> None:
        rules = IntervalRules(macro_threshold=0.2, micro_threshold=0.2)
        spotter = Spotter(weights, rules=rules)
        times, self.crops = np.arange(count) / 25, moving_crops(count)
        shown = {
            t: face_of(self.crops[i], i, t) for i, t in enumerate(times.tolist()) if i % 150 < 130
        }
        self.times = times.tolist()
        config = load_weights(weights).config
        self.stream = SpotStream(Shown(shown), spotter.runtime, config, rules)

    def frames(self, fail_at: int = -1) -> Iterator[Frame]:
        for i, time in enumerate(self.times):
            if i == fail_at:
                raise SourceError("the disk is gone")
            yield Frame(i, time, self.crops[i])


def test_a_long_stream_is_judged_alike(tiny_weights: Path, no_thread_is_left: None) -> None:
    one, other = Video(tiny_weights), Video(tiny_weights)
    for frame in one.frames():
        one.stream.push(frame)
    push_overlapped(other.stream, other.frames())
    assert one.stream.frame_times == other.stream.frame_times
    ends = [video.stream.end() for video in (one, other)]
    assert ends[0] == ends[1]
    tracks = [video.stream.finish() for video in (one, other)]
    assert len(one.stream.pipelines[0].chunks) > 20
    for a, b in zip(*tracks, strict=True):
        assert a.scores.tobytes() == b.scores.tobytes()
        assert a.intensity.tobytes() == b.intensity.tobytes()


def test_an_error_of_the_source_is_raised(tiny_weights: Path, no_thread_is_left: None) -> None:
    video = Video(tiny_weights)
    with pytest.raises(SourceError, match="the disk is gone"):
        push_overlapped(video.stream, video.frames(fail_at=50))


def test_an_error_of_the_network_is_raised(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch, no_thread_is_left: None
) -> None:
    video = Video(tiny_weights)

    def fail(_: Any) -> Any:
        raise MemoryError("no memory is left")

    monkeypatch.setattr(video.stream.runtime, "encode", fail)
    with pytest.raises(MemoryError, match="no memory is left"):
        push_overlapped(video.stream, video.frames())


def test_a_frame_that_cannot_be_pushed_is_told(tiny_weights: Path, no_thread_is_left: None) -> None:
    video = Video(tiny_weights)
    backwards = [Frame(0, 1.0, video.crops[0]), Frame(1, 0.5, video.crops[1])]
    with pytest.raises(UsageError, match=r"expected a time from 1\.0"):
        push_overlapped(video.stream, backwards)


def test_few_frames_are_held_at_once(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch, no_thread_is_left: None
) -> None:
    """However slow the network is: memory stays flat."""
    video, gate, ahead = Video(tiny_weights), threading.Event(), 0
    encode = video.stream.runtime.encode

    def wait_and_encode(crops: Any) -> Any:
        gate.wait(120)
        return encode(crops)

    def counted() -> Iterator[Frame]:
        nonlocal ahead
        for frame in video.frames():
            if not gate.is_set():
                ahead = frame.index
                if ahead == 16:  # the first batch is full, and the network waits
                    threading.Timer(0.3, gate.set).start()
            yield frame

    monkeypatch.setattr(video.stream.runtime, "encode", wait_and_encode)
    push_overlapped(video.stream, counted())
    assert 16 <= ahead <= 16 + 8 + 16 + 4

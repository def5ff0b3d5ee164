"""The preview page, cameras that come back, cameras without times, and scores while it happens."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fesnet.errors import SourceError
from fesnet.faces import ModelFiles
from fesnet.live import LiveOptions, spot_live
from fesnet.live_preview import optional_preview
from fesnet.spotter import Spotter
from fesnet.video import Frame, Source, open_source
from fesnet.video.reconnect import Clocks, open_live, reconnecting

IMAGE = np.full((40, 60, 3), 128, np.uint8)


def get(address: str, host: str | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(address, headers={} if host is None else {"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def test_the_page_shows_the_last_picture_and_intervals() -> None:
    with optional_preview(True) as page:
        assert page is not None
        page.show_frame(Frame(0, 0.0, IMAGE))
        found = {"face": 0, "kind": "micro", "onset_s": 0.5, "offset_s": 0.8, "score": 0.9}
        page.show_event({"event": "interval", **found})
        counts = {"time_s": 1.0, "faces": 1, "frames": 30, "dropped": 2}
        page.show_event({"event": "status", **counts})
        assert b"fesnet live" in get(page.address)[1]
        picture = cv2.imdecode(np.frombuffer(get(page.address + "picture?1")[1], np.uint8), 1)
        assert picture is not None and picture.shape == IMAGE.shape
        told = json.loads(get(page.address + "state")[1])
        assert told["intervals"][0]["kind"] == "micro"
        assert told["state"] == "1.0 s, faces: 1, dropped: 2 of 30"
        root = page.address.rsplit("/", 2)[0]
        assert get(root + "/")[0] == get(root + "/wrong/")[0] == 404
        assert get(page.address, host="evil.example")[0] == 404
        address = page.address
    with pytest.raises(urllib.error.URLError):
        get(address)
    with optional_preview(False) as none:
        assert none is None


def live_source(frames: int, error: str | None = None) -> Source:
    def run() -> Iterator[Frame]:
        yield from (Frame(i, i / 10, IMAGE) for i in range(frames))
        if error:
            raise SourceError(error)

    return Source(name="cam", width=60, height=40, frames=run(), live=True)


class FakeTime:
    """A clock that moves when somebody sleeps, and a tenth of a second with each look."""

    def __init__(self) -> None:
        self.time = 0.0

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def now(self) -> float:
        return self.time


def test_a_camera_that_comes_back_goes_on_with_a_told_gap() -> None:
    fake = FakeTime()
    tries: list[int] = []

    def again() -> Source:
        tries.append(len(tries))
        if len(tries) < 3:
            raise SourceError("still away")
        return live_source(3)

    source = reconnecting(live_source(5, "lost"), again, 60, Clocks(fake.sleep, fake.now))
    frames = []
    for frame in source:
        frames.append(frame)
        fake.time = max(fake.time, frame.time)
        if len(frames) == 8:
            break
    assert [f.index for f in frames] == list(range(8))
    times = [f.time for f in frames]
    assert times[:5] == [0, 0.1, 0.2, pytest.approx(0.3), 0.4]
    assert times[5:] == pytest.approx([3.9, 4.0, 4.1])  # three tries: 0.5 + 1 + 2 s
    assert source.warnings == ["cam: no picture from 0.40 to 3.90 s; connected again"]
    assert frames[6].image is IMAGE or np.array_equal(frames[6].image, IMAGE)


def test_a_camera_that_stays_away_ends_the_frames() -> None:
    def again() -> Source:
        raise SourceError("still away")

    fake = FakeTime()
    source = reconnecting(live_source(2, "lost"), again, 10, Clocks(fake.sleep, fake.now))
    with pytest.raises(SourceError, match="cam: lost, and it did not come back within 10 s"):
        list(source)
    assert 10 <= fake.time < 20


def test_files_are_not_connected_again(face_video: Path) -> None:
    with open_live(str(face_video), 60) as source:
        assert not source.live


@contextmanager
def camera_without_times(pictures: int, every_s: float) -> Iterator[str]:
    """The address of an MJPEG camera: pictures alone, as many cameras send them."""
    jpeg = cv2.imencode(".jpg", np.full((64, 64, 3), 90, np.uint8))[1].tobytes()

    class Camera(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=--next")
            self.end_headers()
            for n in range(pictures):
                part = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(part.encode() + jpeg + b"\r\n")
                self.wfile.flush()
                time.sleep(every_s if n else 0.05)

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/video"
    finally:
        server.shutdown()
        server.server_close()


def test_a_camera_that_sends_no_times_gets_those_of_arrival() -> None:
    """FFmpeg would say 0.04 s apart, whatever the camera does."""
    with camera_without_times(16, 0.25) as address, open_source(address) as source:
        assert source.live and source.rate is None
        times = [frame.time for frame in source]
    assert times[0] == 0
    # The first may be read late; then those behind it come at once.
    assert times[-1] > 0.04 * (len(times) - 1) * 1.25
    assert any("sends no times: those of arrival" in w for w in source.warnings)


def test_scores_and_gaps_are_told_while_it_happens(
    tiny_weights: Path, face_models: ModelFiles, face_frames: list[np.ndarray]
) -> None:
    def frames() -> Iterator[Frame]:
        for i, image in enumerate(face_frames):
            yield Frame(i, i / 25 + (2.0 if i >= 30 else 0.0), image)

    shown: list[int] = []
    events: list[dict[str, Any]] = []
    spotter = Spotter(tiny_weights)
    source = Source(name="x", width=320, height=240, frames=frames(), rate=Fraction(25))
    options = LiveOptions(None, lambda frame: shown.append(frame.index))
    result = spot_live(spotter, source, events.append, options=options)
    gaps = [(e["start_s"], e["stop_s"]) for e in events if e["event"] == "gap"]
    assert len(gaps) == 1 and gaps[0][1] - gaps[0][0] > 2
    known = result.faces[0].scores
    told = np.full(known.shape, np.nan)
    for event in (e for e in events if e["event"] == "scores"):
        first = round(event["start_s"] / event["step_s"])
        told[first : first + len(event["macro"]), 0] = event["macro"]
        told[first : first + len(event["micro"]), 1] = event["micro"]
    assert np.isfinite(told).any()
    assert np.allclose(told, known, atol=2e-4, equal_nan=True), "all scores, as the result has them"
    assert shown and json.dumps(events)

"""A review server on this machine, a client that sends exactly what it is told, and a small video
with a result.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from fesnet.batch import write_results
from fesnet.postprocess import IntervalRules
from fesnet.result import FaceTrack, SourceInfo, Spotting, assemble
from fesnet.review.server import ReviewServer, ServerOptions, prepare_server
from video_files import pictures, write_video

RULES = IntervalRules(macro_threshold=0.5, micro_threshold=0.5)
# kind, middle (s), half width (s), height: one of each kind above the thresholds, one macro below
BUMPS = ((0, 1.0, 0.35, 0.9), (1, 2.4, 0.12, 0.8), (0, 3.3, 0.3, 0.4))


def made_spotting(
    seconds: float = 4.0, bumps: Any = BUMPS, rate: float = 25.0, **source: Any
) -> Spotting:
    """A result of a video at 25 Hz with these bumps in its scores."""
    ticks = np.arange(round(seconds * 30)) / 30
    scores = np.full((len(ticks), 2), 0.02)
    for column, middle, width, height in bumps:
        near = np.abs(ticks - middle) <= width
        scores[near, column] = np.maximum(scores[near, column], height)
    told = {"name": "small.mp4", "path": None, "sha256": None, **source}
    count = round(seconds * rate)
    about = SourceInfo(
        width=64, height=48, rate="25", frame_count=count, duration_s=seconds, **told
    )
    track = FaceTrack(0, ticks, scores, scores.sum(1))
    times = np.arange(count) / rate
    return assemble(
        about, (track,), times, 30.0, RULES, warnings=(), provenance={"trained_on": "nothing"}
    )


def make_work(folder: Path) -> Path:
    """small.mp4 (4 s), small.json and small.csv in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_video(folder / "small.mp4", pictures(100), g="5")
    write_results(made_spotting(), folder / "small.json")
    return folder


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


@dataclass
class Web:
    """A client with the server's cookie and headers as the page sends them, unless told
    otherwise.
    """

    port: int
    token: str
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, address: str) -> Web:
        """As a browser does: the address that was printed, then the cookie."""
        port, token = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=(.*)", address).groups()  # type: ignore[union-attr]
        web = cls(int(port), token)
        first = web.ask("GET", f"/?token={token}")
        assert first.status == 200
        web.cookie = first.headers["set-cookie"].split(";")[0]
        return web

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str | None) -> Answer:
        """Header names with _ for -; None leaves one out. A body that is no bytes is sent as
        JSON.
        """
        sent: dict[str, str | None] = {
            "host": f"127.0.0.1:{self.port}",
            "origin": self.origin,
            "cookie": self.cookie,
        }
        if body is not None and not isinstance(body, bytes):
            body, sent["content-type"] = json.dumps(body).encode(), "application/json"
        if body is not None:
            sent["content-length"] = str(len(body))
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                if value:
                    line.putheader(name, value)
            line.endheaders(body)
            answer = line.getresponse()
            return Answer(
                answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
            )
        finally:
            line.close()

    def view(self, key: str = "small") -> Any:
        return self.ask("GET", f"/api/videos/{key}").json

    def edit(self, revision: int, what: str, key: str = "small", **fields: Any) -> Answer:
        return self.ask(
            "POST",
            f"/api/videos/{key}/edits",
            {"revision": revision, "who": "anna", "what": what, **fields},
        )


@contextmanager
def serving(named: list[Path], **options: Any) -> Iterator[tuple[Web, ReviewServer]]:
    """A server in a thread of this process."""
    served = prepare_server(named, ServerOptions(**options))
    server = uvicorn.Server(served.config())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [served.handle]}, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield Web.open(served.address), served
    finally:
        server.should_exit = True
        thread.join(120)
        served.close()


@contextmanager
def program(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`fesnet review` as a program of its own, and the address that it prints."""
    command = [
        sys.executable,
        "-c",
        "from fesnet.cli import main; main()",
        "review",
        "--no-open",
        *map(str, arguments),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            yield process, lines[1].removeprefix("open ").strip()
        finally:
            process.kill()


def wait_for(true: Any, seconds: float = 120.0) -> None:
    """Wait for what another thread or process does; on a busy machine that may take long."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)

"""A small page for `fesnet live --preview`: the last picture and the newest intervals.

It is served to this machine alone, under an address that holds a random key, as the review app's.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np

from fesnet.video import Frame

HOST = "127.0.0.1"
WIDTH = 480  # pixels of the picture
EVERY_S = 0.2  # s between pictures
SHOWN = 15  # newest intervals
POLICY = "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; {}"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>fesnet live</title>
<style>body{font:15px sans-serif;margin:1rem;max-width:60rem}img{max-width:100%;background:#ddd}
td,th{padding:.1rem .8rem .1rem 0;text-align:left}</style>
<h1>fesnet live</h1><img id="picture" alt="last picture of the camera" width="480">
<p id="state" role="status">waiting for the first picture</p>
<table><thead><tr><th>kind<th>face<th>onset s<th>offset s<th>score</thead>
<tbody id="rows"></tbody></table>
<script nonce="NONCE">
async function update() {
  try {
    const told = await (await fetch("state")).json();
    document.getElementById("picture").src = "picture?" + Date.now();
    document.getElementById("state").textContent = told.state;
    const rows = told.intervals.map(i => {
      const row = document.createElement("tr");
      for (const text of [i.kind, i.face, i.onset_s.toFixed(2), i.offset_s.toFixed(2), i.score]) {
        row.insertCell().textContent = text;
      }
      return row;
    });
    document.getElementById("rows").replaceChildren(...rows);
  } catch { document.getElementById("state").textContent = "ended"; return; }
  setTimeout(update, 500);
}
update();
</script></html>"""


class LivePreview:
    """What the page shows. `show_frame` and `show_event` are called by the thread that spots."""

    def __init__(self) -> None:
        self.key, self.nonce = secrets.token_urlsafe(24), secrets.token_urlsafe(16)
        self.picture = b""
        self.shown = 0.0
        self.state = "waiting for the first picture"
        self.intervals: deque[dict[str, Any]] = deque(maxlen=SHOWN)
        self.server = ThreadingHTTPServer((HOST, 0), handler_of(self))
        self.server.daemon_threads = True

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.server.server_port}/{self.key}/"

    def show_frame(self, frame: Frame) -> None:
        """Keep a small picture, a few times a second."""
        now = time.monotonic()
        if now - self.shown < EVERY_S:
            return
        self.shown = now
        scale = min(1.0, WIDTH / frame.image.shape[1])
        small = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        done, data = cv2.imencode(".jpg", np.ascontiguousarray(small[:, :, ::-1]))
        if done:
            self.picture = data.tobytes()

    def show_event(self, event: dict[str, Any]) -> None:
        """Keep an interval or the state."""
        if event["event"] == "interval":
            self.intervals.appendleft(event)
        elif event["event"] == "status":
            self.state = (
                f"{event['time_s']:.1f} s, faces: {event['faces']}, dropped: {event['dropped']} of "
                f"{event['frames']}"
            )

    def answer(self, path: str, host: str) -> tuple[int, str, bytes]:
        """Status, type and body. 404 without the key, or for the name of another machine."""
        port = self.server.server_port
        if host not in (f"{HOST}:{port}", f"localhost:{port}"):
            return 404, "text/plain", b""
        key, _, name = path.partition("?")[0].lstrip("/").partition("/")
        if not secrets.compare_digest(key.encode(), self.key.encode()):
            return 404, "text/plain", b""
        if name == "":
            return 200, "text/html; charset=utf-8", PAGE.replace("NONCE", self.nonce).encode()
        if name == "picture":
            return 200, "image/jpeg", self.picture
        if name == "state":
            told = {"state": self.state, "intervals": list(self.intervals)}
            return 200, "application/json", json.dumps(told).encode()
        return 404, "text/plain", b""


def handler_of(preview: LivePreview) -> type[BaseHTTPRequestHandler]:
    """What answers requests of one preview."""

    class PreviewHandler(BaseHTTPRequestHandler):
        """GET alone; nothing is logged."""

        def do_GET(self) -> None:
            code, kind, body = preview.answer(self.path, self.headers.get("Host", ""))
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            script = f"script-src 'nonce-{preview.nonce}'"
            self.send_header("Content-Security-Policy", POLICY.format(script))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: pages ask twice a second."""

    return PreviewHandler


@contextmanager
def optional_preview(wanted: bool) -> Iterator[LivePreview | None]:
    """Serve a preview while the block runs, and print its address to stderr; None if unwanted."""
    if not wanted:
        yield None
        return
    preview = LivePreview()
    thread = threading.Thread(target=preview.server.serve_forever, daemon=True)
    thread.start()
    print(f"preview: {preview.address}", file=sys.stderr, flush=True)
    try:
        yield preview
    finally:
        preview.server.shutdown()
        preview.server.server_close()
        thread.join()

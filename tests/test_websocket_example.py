"""The websocket example: answers as spotting does, and holds a fast client back."""

from __future__ import annotations

import asyncio
import json
import runpy
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import fesnet
from fesnet.faces import ModelFiles

fastapi = pytest.importorskip("fastapi", reason="needs the extra review")
EXAMPLE = Path(__file__).parents[1] / "examples" / "websocket_server.py"


def load(spotter: fesnet.Spotter) -> dict[str, Any]:
    example = runpy.run_path(str(EXAMPLE))
    example["answer"].__globals__["shared_spotter"] = lambda: spotter
    return example


def message(seconds: float, image: np.ndarray) -> bytes:
    done, data = cv2.imencode(".png", np.ascontiguousarray(image[:, :, ::-1]))
    assert done
    return struct.pack("<d", seconds) + data.tobytes()


async def talk(app: Any, sent: list[dict[str, Any]], taken: list[int]) -> list[Any]:
    """Run the server on these messages, as a server of ASGI would; what it answers. taken: how many
    messages it had asked for, kept up to date."""
    answers: list[Any] = []
    waiting = iter([{"type": "websocket.connect"}, *sent])

    async def receive() -> Any:
        item = next(waiting, None)
        if item is None:
            await asyncio.Event().wait()  # an idle client
        taken[0] += 1
        return item

    async def send(item: Any) -> None:
        answers.append(item)

    scope = {
        **{"type": "websocket", "path": "/spot", "raw_path": b"/spot", "query_string": b""},
        **{"headers": [], "scheme": "ws", "subprotocols": [], "asgi": {"version": "3.0"}},
    }
    await asyncio.wait_for(app(scope, receive, send), 60)
    return answers


def frames_of(images: list[np.ndarray]) -> list[dict[str, Any]]:
    return [
        {"type": "websocket.receive", "bytes": message(n / 25, image)}
        for n, image in enumerate(images)
    ]


def texts(answers: list[Any]) -> list[Any]:
    return [json.loads(a["text"]) for a in answers if a["type"] == "websocket.send"]


def test_it_answers_what_spotting_finds(
    tiny_weights: Path, face_models: ModelFiles, face_frames: list[np.ndarray]
) -> None:
    spotter = fesnet.Spotter(tiny_weights)
    sent = [*frames_of(face_frames), {"type": "websocket.receive", "text": "end"}]
    *told, end = texts(asyncio.run(talk(load(spotter)["app"], sent, [0])))
    whole = spotter.spot(np.stack(face_frames), rate=25)
    assert end["event"] == "end"
    assert end["intervals"] == [asdict(i) for i in whole]
    assert len(whole) > 0
    assert all(t["event"] == "interval" for t in told)


class SlowStream:
    """Takes no frame until it may."""

    def __init__(self) -> None:
        self.pushed = 0

    def push(self, frame: fesnet.Frame) -> list[Any]:
        import time

        time.sleep(0.02)
        self.pushed += 1
        return []

    def end(self) -> list[Any]:
        return []


def test_a_fast_client_is_held_back() -> None:
    """Never are more messages taken than were spotted and may wait."""
    slow, taken, most = SlowStream(), [0], 0

    class Slow:
        def stream(self) -> SlowStream:
            return slow

    example = load(Slow())  # type: ignore[arg-type]
    sent = frames_of([np.zeros((8, 8, 3), np.uint8)] * 40)
    sent.append({"type": "websocket.receive", "text": "end"})

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, taken[0] - 1 - slow.pushed)
            await asyncio.sleep(0.002)

    async def both() -> list[Any]:
        watcher = asyncio.create_task(watch())
        try:
            return await talk(example["app"], sent, taken)
        finally:
            watcher.cancel()

    assert texts(asyncio.run(both()))[-1]["event"] == "end"
    assert slow.pushed == 40, "nothing is dropped"
    # waiting, one that is being spotted, one that waits for a place
    assert 4 <= most <= example["WAITING"] + 2


def test_what_is_no_frame_is_told() -> None:
    example = load(type("Slow", (), {"stream": lambda self: SlowStream()})())  # type: ignore[arg-type]
    sent = [{"type": "websocket.receive", "bytes": b"12345678nothing"}]
    answers = asyncio.run(talk(example["app"], sent, [0]))
    assert texts(answers) == [{"event": "error", "text": "expected a JPEG or PNG picture"}]
    assert answers[-1]["type"] == "websocket.close"

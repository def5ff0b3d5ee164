"""A server that takes a stream over a websocket and answers with intervals while it runs.

    pip install 'fastapi>=0.115' 'uvicorn>=0.30' websockets
    uvicorn websocket_server:app --host 127.0.0.1

A client sends one binary message a frame: eight bytes, the seconds since its first frame (a
little-endian double), then the picture as JPEG or PNG. The text "end" ends the stream. Each answer
is one JSON object: {"event": "interval", ...} as soon as an interval is certain, and at the end
{"event": "end", "intervals": [...]}.

Back-pressure: at most `WAITING` frames are taken before they are spotted. Then nothing more is read
from the socket, its buffers fill, and the client's `send` waits. Nothing is dropped, and memory
stays small, however fast the client is. A client that must not wait drops frames by itself.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import asdict
from functools import cache

import cv2
import numpy as np
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

import fesnet

WAITING = 8  # frames
TIME = struct.Struct("<d")
app = FastAPI()


@cache
def shared_spotter() -> fesnet.Spotter:
    """One for all connections: it may be used by several threads at once."""
    return fesnet.Spotter()


def decode_frame(index: int, message: bytes) -> fesnet.Frame:
    """A frame from one message. Raises ValueError for what is none."""
    if len(message) <= TIME.size:
        raise ValueError("expected eight bytes of time and a picture")
    (seconds,) = TIME.unpack_from(message)
    picture = cv2.imdecode(np.frombuffer(message, np.uint8, offset=TIME.size), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("expected a JPEG or PNG picture")
    return fesnet.Frame(index, seconds, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8))


async def receive_frames(socket: WebSocket, frames: asyncio.Queue[bytes | None]) -> None:
    """Hand on messages until the end. `put` waits while the queue is full: the back-pressure."""
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect" or message.get("text") == "end":
                return
            await frames.put(message.get("bytes") or b"")
    finally:
        await frames.put(None)


async def answer(socket: WebSocket, frames: asyncio.Queue[bytes | None]) -> None:
    """Spot frames in a thread of their own, so that the server goes on serving others."""
    stream, index = shared_spotter().stream(), 0
    found = []
    while (message := await frames.get()) is not None:
        frame = decode_frame(index, message)
        for interval in await asyncio.to_thread(stream.push, frame):
            found.append(interval)
            await socket.send_json({"event": "interval", **asdict(interval)})
        index += 1
    found += await asyncio.to_thread(stream.end)
    await socket.send_json({"event": "end", "intervals": [asdict(i) for i in found]})


@app.websocket("/spot")
async def spot(socket: WebSocket) -> None:
    """One stream of one camera."""
    await socket.accept()
    frames: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)
    reader = asyncio.create_task(receive_frames(socket, frames))
    try:
        await answer(socket, frames)
        await socket.close()
    except (ValueError, fesnet.FesnetError) as error:
        await socket.send_json({"event": "error", "text": str(error)})
        await socket.close(1003)
    except WebSocketDisconnect:
        pass  # the client has gone
    finally:
        reader.cancel()

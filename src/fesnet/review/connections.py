"""Connections that ask for nothing are closed, so that they keep nobody else out."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.auto import AutoHTTPProtocol

MAX_WAITING = 64  # connections that have asked for nothing yet; a browser opens six
REQUEST_S = 10.0  # s until a connection must have sent its first request


class BoundedProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's protocol; the oldest idle connection makes room for a new one."""

    waiting: ClassVar[dict[int, BoundedProtocol]] = {}  # oldest first

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.waiting[id(self)] = self
        self.deadline = asyncio.get_running_loop().call_later(REQUEST_S, self.close_waiting)
        if len(self.waiting) > MAX_WAITING:
            next(iter(self.waiting.values())).close_waiting()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None:  # the head of a request is here
            self.leave()

    def connection_lost(self, exc: Exception | None) -> None:
        self.leave()
        super().connection_lost(exc)

    def close_waiting(self) -> None:
        """Close the connection, if it still asks for nothing."""
        if self.leave():
            self.transport.close()

    def leave(self) -> bool:
        """Count no more; whether it did."""
        self.deadline.cancel()
        return self.waiting.pop(id(self), None) is not None

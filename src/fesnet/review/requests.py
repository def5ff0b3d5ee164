"""What all request handlers of the review app share: its answers, and what belongs to the app."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from fesnet.errors import UsageError
from fesnet.review.background import BackgroundWorker
from fesnet.review.video_library import VideoLibrary


class PlainJSON(JSONResponse):
    """JSON in ASCII: a name may hold bytes that are no UTF-8, which only an escape can carry."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def library_of(request: Request) -> VideoLibrary:
    found: VideoLibrary = request.app.state.library
    return found


def worker_of(request: Request) -> BackgroundWorker:
    found: BackgroundWorker = request.app.state.worker
    return found


def refuse_blind(request: Request) -> None:
    """Raises UsageError where a blind rater works: what the machine or others say stays hidden."""
    if library_of(request).rater:
        raise UsageError(
            "expected nothing of the machine or of other raters in a blind review; compare "
            "afterwards, without --blind"
        )

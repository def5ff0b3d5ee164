"""The web application: one page, and what it asks for.

Long answers are `JSONResponse`s: FastAPI takes a hundred times as long to write hundreds of
intervals by itself.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response

import fesnet
from fesnet._version import __version__
from fesnet.errors import FesnetError, SourceError, UsageError
from fesnet.exports import ENDINGS, export, parse_formats
from fesnet.intervals import IntervalRules
from fesnet.review.agree import agreement
from fesnet.review.desk import Reading, person, reading, version
from fesnet.review.editing import Edit, StaleError, apply
from fesnet.review.guard import Guard
from fesnet.review.library import Library
from fesnet.review.upload import TooLargeError, check_size, receive_video, safe_name
from fesnet.review.view import MACHINE, shown
from fesnet.review.worker import Worker

ROOT = Path(fesnet.__file__).parent
# All that is served of the package, by name.
PAGE = {
    "index.html": ROOT / "review" / "page" / "index.html",
    "review.css": ROOT / "review" / "page" / "review.css",
    "style.css": ROOT / "web" / "style.css",
    "timeline.js": ROOT / "web" / "timeline.js",
    **{
        f"{name}.js": ROOT / "review" / "page" / f"{name}.js"
        for name in ("main", "server", "table", "panels", "keys")
    },
}
STATUS: dict[type[FesnetError], int] = {
    StaleError: 409,
    TooLargeError: 413,
    SourceError: 415,
    UsageError: 400,
}
router = APIRouter()


def make_app(library: Library, worker: Worker, token: str, *, limit: int, who: str) -> Guard:
    """The application behind its guard. limit: bytes of an upload; who: name to begin with."""
    app = FastAPI(title="fesnet review", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.library, app.state.worker, app.state.limit, app.state.who = (
        library,
        worker,
        limit,
        who,
    )
    app.include_router(router)
    app.add_exception_handler(FesnetError, tell_error)
    app.add_exception_handler(RequestValidationError, tell_request)
    return Guard(app, token)


def tell_error(_: Request, error: Exception) -> Response:
    """Our own errors as one line."""
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 422)
    return JSONResponse({"error": str(error)}, status)


def tell_request(_: Request, error: Exception) -> Response:
    """A request that is none, as one line."""
    details = error.errors() if isinstance(error, RequestValidationError) else []
    first = f"{details[0]['loc'][-1]}: {details[0]['msg']}" if details else str(error)
    return JSONResponse({"error": f"expected another request ({first})"}, 422)


def library_of(request: Request) -> Library:
    found: Library = request.app.state.library
    return found


def worker_of(request: Request) -> Worker:
    found: Worker = request.app.state.worker
    return found


@router.get("/")
def page() -> Response:
    return FileResponse(PAGE["index.html"], media_type="text/html")


@router.get("/static/{name}")
def static(name: str) -> Response:
    if name not in PAGE:
        return JSONResponse({"error": f"expected a part of the page, got {name!r}"}, 404)
    return FileResponse(PAGE[name])


@router.get("/api/about")
def about(request: Request) -> dict[str, Any]:
    """What the page needs to know once."""
    state = request.app.state
    told = {"version": __version__, "folder": str(state.library.folder), "who": state.who}
    return {**told, "limit": state.limit, "formats": list(ENDINGS)}


@router.get("/api/videos")
def videos(request: Request) -> list[dict[str, Any]]:
    """All videos and how far they are."""
    library = library_of(request)
    library.scan()
    out = []
    for video in sorted(library.videos.values(), key=lambda v: v.name.lower()):
        review = library.review(video.key)
        stamp = review.stat().st_mtime_ns if review.is_file() else 0
        told = {
            name: getattr(video, name)
            for name in ("key", "name", "state", "share", "stage", "error")
        }
        files = {
            "result": library.result(video.key).is_file(),
            "copy": library.copy(video.key).is_file(),
        }
        out.append({**told, **files, "stamp": str(stamp)})
    return out


@router.get("/api/videos/{key}")
def video(request: Request, key: str) -> Response:
    """Everything of one video but its long columns of numbers."""
    return JSONResponse(reading(library_of(request), key).to_dict())


@router.get("/api/videos/{key}/frames")
def frames(request: Request, key: str) -> Response:
    """Times of the frames, s: little-endian 64-bit floats."""
    times = reading(library_of(request), key).machine.spotting.frame_times
    return numbers(times, "<f8")


@router.get("/api/videos/{key}/scores/{face}")
def scores(request: Request, key: str, face: int) -> Response:
    """Scores of one face: macro of all ticks, then micro; little-endian 32-bit floats, not a number
    where unknown.
    """
    for track in reading(library_of(request), key).machine.spotting.faces:
        if track.face == face:
            return numbers(track.scores.T, "<f4")
    raise UsageError(f"expected a face of {key}, got {face}")


def numbers(values: Any, dtype: str) -> Response:
    return Response(
        np.ascontiguousarray(values, dtype).tobytes(), media_type="application/octet-stream"
    )


@router.get("/api/videos/{key}/preview")
def preview(request: Request, key: str, asked: Annotated[str, Query(alias="rules")]) -> Response:
    """The intervals under other rules ("macro_threshold=0.4,..."), which nothing is changed by."""
    now = reading(library_of(request), key)
    try:
        changes = {
            name: float(value) for name, value in (pair.split("=") for pair in asked.split(","))
        }
    except ValueError:
        raise UsageError(f"expected rules like macro_threshold=0.4, got {asked!r}") from None
    return JSONResponse(
        shown(now.machine, now.review, IntervalRules.from_dict({**now.review.rules, **changes}))
    )


@router.post("/api/videos/{key}/edits")
def edit(request: Request, key: str, asked: Edit) -> Response:
    """Make an edit; the answer comes when the disk has it."""
    library = library_of(request)
    with library.get(key).lock:
        now = reading(library, key)
        after = apply(now.machine, now.review, asked)
        library.keep(key, after)
        return JSONResponse(Reading(library, key, now.machine, after).to_dict())


@router.post("/api/videos/{key}/spot")
def spot(request: Request, key: str) -> dict[str, str]:
    worker_of(request).ask("spot", library_of(request).get(key))
    return {}


@router.post("/api/videos/{key}/copy")
def copy(request: Request, key: str) -> dict[str, str]:
    worker_of(request).ask("copy", library_of(request).get(key))
    return {}


@router.post("/api/videos/{key}/stop")
def stop(request: Request, key: str) -> dict[str, str]:
    worker_of(request).stop(library_of(request).get(key))
    return {}


@router.get("/api/videos/{key}/agreement")
def agreed(
    request: Request, key: str, truth: str = "person", found: Annotated[str, Query()] = "machine"
) -> dict[str, Any]:
    """How far two versions agree: person, machine, or the name of another's review."""
    library = library_of(request)
    return agreement(version(library, key, truth), version(library, key, found))


@router.post("/api/videos/{key}/export")
def exported(request: Request, key: str, to: str, which: str = "person") -> Response:
    """Write a version in one of the formats, beside the result, and hand it to the browser."""
    library = library_of(request)
    formats = parse_formats(to)
    spotting, name = (
        person(library, key)
        if which == "person"
        else (library.machine(key).spotting, f"{key}.{MACHINE}")
    )
    path = next(export(spotting, formats[:1], library.folder, name))
    return FileResponse(path, filename=path.name, media_type="application/octet-stream")


@router.get("/api/videos/{key}/media")
def media_problem(request: Request, key: str) -> dict[str, str]:
    """Why the video cannot be played, as far as the server knows; empty where it should be."""
    library = library_of(request)
    try:
        path = library.media(library.get(key))
    except FesnetError as error:
        return {"problem": str(error)}
    return {"problem": "", "kind": "folder" if path.is_dir() else "file"}


@router.get("/media/{key}")
def media(request: Request, key: str) -> Response:
    """The video, or the part of it that the browser asks for."""
    library = library_of(request)
    path = library.media(library.get(key))
    if not path.is_file():
        raise UsageError(
            f"expected a video file, but {path} is a folder of pictures; make a copy to play"
        )
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(
        path, media_type=kind if kind.startswith("video/") else "application/octet-stream"
    )


@router.put("/api/upload/{name}")
async def upload(request: Request, name: str) -> dict[str, str]:
    """Take a video and spot it."""
    library, limit = library_of(request), int(request.app.state.limit)
    name = safe_name(name)
    check_size(request.headers.get("content-length"), limit, library.folder)
    path = await receive_video(library.folder, name, request.stream(), limit)
    taken = library.take(path)
    worker_of(request).ask("spot", taken)
    return {"key": taken.key}

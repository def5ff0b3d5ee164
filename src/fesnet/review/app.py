"""The web application: one page, and the requests that it makes.

Long answers are `JSONResponse`s: FastAPI by itself needs a hundred times as long to serialise
hundreds of intervals.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import fesnet
from fesnet._io import file_exists
from fesnet._locks import CHANGE_LOCK, lock_change
from fesnet._names import printable
from fesnet._version import __version__
from fesnet.errors import FesnetError, SourceError, UsageError
from fesnet.exports import ENDINGS, export, free_export_name, parse_formats
from fesnet.review import coding_routes
from fesnet.review.access import AccessControl
from fesnet.review.agreement import compute_agreement
from fesnet.review.background import BackgroundWorker
from fesnet.review.edits import EditRequest, StaleError, apply_edit
from fesnet.review.merge import MACHINE, merge_intervals, review_rules
from fesnet.review.overview import OverviewCache
from fesnet.review.requests import PlainJSON, library_of, refuse_blind, worker_of
from fesnet.review.review_state import ReviewState, load_corrected, load_opinions, load_state
from fesnet.review.upload import TooLargeError, check_size, receive_video, safe_name
from fesnet.review.video_library import VideoLibrary

ROOT = Path(fesnet.__file__).parent
PAGE_MODULES = (
    *("main", "server", "table", "panels", "keys"),
    *("clock", "edits", "hints", "library", "player", "raters", "shortcuts", "zoom"),
)
# All files of the package that are served, by name.
PAGE = {
    "index.html": ROOT / "review" / "page" / "index.html",
    "review.css": ROOT / "review" / "page" / "review.css",
    "style.css": ROOT / "report" / "web" / "style.css",
    "timeline.js": ROOT / "report" / "web" / "timeline.js",
    "context.js": ROOT / "report" / "web" / "context.js",
    **{f"{name}.js": ROOT / "review" / "page" / f"{name}.js" for name in PAGE_MODULES},
}
STATUS: dict[type[FesnetError], int] = {
    StaleError: 409,
    TooLargeError: 413,
    SourceError: 415,
    UsageError: 400,
}
router = APIRouter()


def make_app(
    library: VideoLibrary, worker: BackgroundWorker, token: str, *, limit: int, who: str
) -> AccessControl:
    """The application with access control. limit: bytes of an upload; who: the first user name."""
    app = FastAPI(title="fesnet review", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.library, app.state.worker = library, worker
    app.state.limit, app.state.who = limit, who
    app.state.overviews = OverviewCache()
    app.include_router(router)
    app.include_router(coding_routes.router)
    app.add_exception_handler(FesnetError, error_response)
    app.add_exception_handler(RequestValidationError, invalid_request_response)
    app.add_exception_handler(HTTPException, refused_response)
    app.add_exception_handler(ClientDisconnect, refused_response)
    access = AccessControl(app, token)
    app.state.prefix = access.prefix
    return access


def error_response(_: Request, error: Exception) -> Response:
    """An error of fesnet as one line."""
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 422)
    return PlainJSON({"error": str(error)}, status)


def refused_response(_: Request, error: Exception) -> Response:
    """What the web framework refuses, as one line like all errors; nobody reads the answer to a
    client that went away in the middle of its request.
    """
    status = getattr(error, "status_code", 400)
    said = getattr(error, "detail", "") or "the request did not end"
    return PlainJSON({"error": str(said)}, status, getattr(error, "headers", None))


def invalid_request_response(_: Request, error: Exception) -> Response:
    """An invalid request, as one line."""
    details = error.errors() if isinstance(error, RequestValidationError) else []
    first = f"{details[0]['loc'][-1]}: {details[0]['msg']}" if details else str(error)
    return PlainJSON({"error": f"expected another request ({first})"}, 422)


@router.get("/")
def get_page(request: Request) -> Response:
    """The page; what it asks for lies below the prefix to which its cookie is bound."""
    text = PAGE["index.html"].read_text(encoding="utf-8")
    return HTMLResponse(text.replace('"/static/', f'"{request.app.state.prefix}/static/'))


@router.get("/static/{name}")
def get_static(name: str) -> Response:
    if name not in PAGE:
        return PlainJSON({"error": f"expected a part of the page, got {name!r}"}, 404)
    return FileResponse(PAGE[name])


@router.get("/api/about")
def get_about(request: Request) -> Response:
    """Facts that the page needs once."""
    state = request.app.state
    return PlainJSON(
        {
            "version": __version__,
            "folder": printable(str(state.library.folder)),
            "who": state.who,
            "limit": state.limit,
            "rater": state.library.rater,
            "formats": list(ENDINGS),
        }
    )


@router.get("/api/videos/{key}")
def get_video(request: Request, key: str) -> Response:
    """The state of one video, without frame times and scores."""
    return PlainJSON(load_state(library_of(request), key).to_dict())


@router.get("/api/videos/{key}/frames")
def get_frame_times(request: Request, key: str) -> Response:
    """Times of the frames, s: little-endian 64-bit floats."""
    times = load_state(library_of(request), key).machine.spotting.frame_times
    return binary_response(times, "<f8")


@router.get("/api/videos/{key}/scores/{face}")
def get_scores(request: Request, key: str, face: int) -> Response:
    """Scores of one face: macro of all steps, then micro; little-endian 32-bit floats, NaN where
    unknown."""
    refuse_blind(request)
    for track in load_state(library_of(request), key).machine.spotting.faces:
        if track.face == face:
            return binary_response(track.scores.T, "<f4")
    raise UsageError(f"expected a face of {key}, got {face}")


def binary_response(values: Any, dtype: str) -> Response:
    return Response(
        np.ascontiguousarray(values, dtype).tobytes(), media_type="application/octet-stream"
    )


@router.get("/api/videos/{key}/preview")
def preview_rules(request: Request, key: str, rules: str) -> Response:
    """The intervals under other rules ("macro_threshold=0.4,..."); changes nothing."""
    refuse_blind(request)
    now = load_state(library_of(request), key)
    try:
        changes = {
            name: float(value) for name, value in (pair.split("=") for pair in rules.split(","))
        }
    except ValueError:
        raise UsageError(f"expected rules like macro_threshold=0.4, got {rules!r}") from None
    rows = merge_intervals(now.machine, now.review, review_rules(now.review).changed(changes))
    return PlainJSON(now.machine.with_context(rows))


@router.post("/api/videos/{key}/edits")
def post_edit(request: Request, key: str, request_body: EditRequest) -> Response:
    """Apply an edit; answers once it is on the disk.

    Two servers may have the same folder open, or one a folder below the other's, also on two
    machines: one edit at a time.
    """
    library = library_of(request)
    library.check_folder()
    with library.find(key).lock, lock_change(library.review_path(key).parent / CHANGE_LOCK):
        now = load_state(library, key)
        after = apply_edit(now.machine, now.review, request_body)
        library.save(key, after)
        return PlainJSON(ReviewState(library, key, now.machine, after).to_dict())


@router.post("/api/videos/{key}/spot")
def start_spotting(request: Request, key: str) -> dict[str, str]:
    worker_of(request).enqueue("spot", library_of(request).find(key))
    return {}


@router.post("/api/videos/{key}/copy")
def start_copy(request: Request, key: str) -> dict[str, str]:
    worker_of(request).enqueue("copy", library_of(request).find(key))
    return {}


@router.post("/api/videos/{key}/stop")
def stop_task(request: Request, key: str) -> dict[str, str]:
    worker_of(request).stop(library_of(request).find(key))
    return {}


@router.get("/api/videos/{key}/agreement")
def get_agreement(
    request: Request, key: str, truth: str = "person", found: Annotated[str, Query()] = "machine"
) -> Response:
    """Agreement of two versions, where people looked: person, machine, or another's review."""
    refuse_blind(request)
    library = library_of(request)
    sides = [load_opinions(library, key, which) for which in (truth, found)]
    spotting = library.machine_result(key).spotting
    values = compute_agreement(sides[0], sides[1], len(spotting.frame_times), spotting.seconds)
    return PlainJSON(values)


@router.post("/api/videos/{key}/export")
def export_version(request: Request, key: str, to: str, which: str = "person") -> Response:
    """Write a version in one of the formats beside the result, and send it to the browser.

    Under a name with a number where an earlier export was changed since.
    """
    if which != "person":
        refuse_blind(request)
    library = library_of(request)
    formats = parse_formats(to)
    result = library.result_path(key)
    spotting, name = (
        load_corrected(library, key)
        if which == "person"
        else (library.machine_result(key).spotting, f"{result.stem}.{MACHINE}")
    )
    name = free_export_name(formats[0], result.parent, name)
    path = export(spotting, formats[:1], result.parent, name)[0]
    shown = printable(path.name)
    return FileResponse(path, filename=shown, media_type="application/octet-stream")


@router.get("/media/{key}")
def get_media(request: Request, key: str) -> Response:
    """The video, or the requested part of it."""
    library = library_of(request)
    path = library.playable_path(library.find(key))
    if not file_exists(path):
        raise UsageError(
            f"expected a video file, but {path} is a folder of pictures; make a copy to play"
        )
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(
        path, media_type=kind if kind.startswith("video/") else "application/octet-stream"
    )


@router.put("/api/upload/{name}")
async def upload_video(request: Request, name: str) -> dict[str, str]:
    """Receive a video and queue it for spotting."""
    library, limit = library_of(request), int(request.app.state.limit)
    library.check_folder()
    name = safe_name(name)
    check_size(request.headers.get("content-length"), limit, library.folder)
    path = await receive_video(library.folder, name, request.stream(), limit)
    video = library.add_video(path)
    worker_of(request).enqueue("spot", video)
    return {"key": video.key}

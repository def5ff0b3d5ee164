"""Requests of the page's coding tools: the list of videos, formats, face zoom, two raters."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from fesnet._io import file_exists
from fesnet._names import printable
from fesnet.errors import FesnetError
from fesnet.review.face_path import read_paths
from fesnet.review.overview import OverviewCache, study_text
from fesnet.review.raters import pair_moments, rows_of
from fesnet.review.requests import PlainJSON, library_of, refuse_blind, worker_of
from fesnet.review.video_library import LibraryVideo, VideoLibrary
from fesnet.video.playable import browser_format

router = APIRouter()
STATE_FIELDS = ("key", "state", "share", "stage", "error")


@router.get("/api/videos")
def list_videos(request: Request) -> Response:
    """All videos and their states. Raises UsageError where the folder is gone."""
    library = library_of(request)
    library.check_folder()
    library.scan()
    cache: OverviewCache = request.app.state.overviews
    columns, out = cache.study(library), []
    probes: list[str] = []
    for video in sorted(library.videos.values(), key=lambda v: v.name.lower()):
        about = {name: getattr(video, name) for name in STATE_FIELDS}
        group = (
            "" if library.rater else study_text(columns, video.stem)
        )  # a blind rater's is hidden
        about |= {"name": printable(video.name), "about": group}
        about |= file_states(library, video) | cache.of(library, video)
        about["format"] = cache.format_problem(library, video, probes)
        out.append(about)
    return PlainJSON(out)


def file_states(library: VideoLibrary, video: LibraryVideo) -> dict[str, Any]:
    """Which files of a video are there, and when its review last changed."""
    review = library.review_path(video.key)
    stamp = review.stat().st_mtime_ns if file_exists(review) else 0
    return {
        "result": file_exists(library.result_path(video.key)),
        "copy": file_exists(library.copy_path(video.key)),
        "stamp": str(stamp),
    }


@router.get("/api/videos/{key}/media")
def get_media_problem(request: Request, key: str) -> Response:
    """Why the server cannot serve the video (empty if it can), and whether browsers show it."""
    library = library_of(request)
    try:
        path = library.playable_path(library.find(key))
        shown = browser_format(path)
    except FesnetError as error:
        return PlainJSON({"problem": str(error)})
    return PlainJSON(
        {"problem": "", "plays": shown.plays, "mime": shown.mime, "format": shown.problem}
    )


@router.get("/api/videos/{key}/faces")
def get_faces(request: Request, key: str) -> Response:
    """Where the faces are, for the zoom; empty until `follow` has found them."""
    library = library_of(request)
    spotting = library.machine_result(library.find(key).key).spotting
    return PlainJSON(read_paths(library.face_path(key), spotting) or {})


@router.post("/api/videos/{key}/follow")
def start_following(request: Request, key: str) -> dict[str, str]:
    worker_of(request).enqueue("follow", library_of(request).find(key))
    return {}


@router.get("/api/videos/{key}/raters")
def get_raters(request: Request, key: str, one: str, other: str) -> Response:
    """Two versions side by side, moment by moment."""
    refuse_blind(request)
    library = library_of(request)
    moments = pair_moments(rows_of(library, key, one), rows_of(library, key, other))
    return PlainJSON([moment.to_dict() for moment in moments])

"""Start the review server on this machine alone."""

from __future__ import annotations

import re
import secrets
import socket
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import uvicorn

from fesnet._io import file_exists, make_writable_folder, remove_partial_files, write_error
from fesnet._locks import try_lock
from fesnet.errors import UsageError
from fesnet.review.access import AccessControl
from fesnet.review.app import make_app
from fesnet.review.background import BackgroundWorker
from fesnet.review.connections import BoundedProtocol
from fesnet.review.edits import default_user_name
from fesnet.review.upload import parse_size, remove_scratch
from fesnet.review.video_library import OPEN_LOCK, VideoLibrary, default_folder, list_sources

HOST = "127.0.0.1"


@dataclass(frozen=True)
class ServerOptions:
    """port: 0 for any free one; limit: size of an upload, such as "2GB"; rate: frames a second of
    image folders; weights: None for the bundled ones; blind: the name of a rater who sees nothing
    of the machine, "" for none."""

    folder: Path | None = None
    port: int = 0
    limit: str = "2GB"
    rate: float | None = None
    weights: Path | None = None
    blind: str = ""


@dataclass(frozen=True)
class ReviewServer:
    """A server that is ready to run; its socket is open, so its address is known."""

    app: AccessControl
    handle: socket.socket
    library: VideoLibrary
    worker: BackgroundWorker
    in_use: IO[bytes]  # keeps other servers from removing our uploads

    @property
    def address(self) -> str:
        return f"{self.url}?token={self.app.token}"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.handle.getsockname()[1]}/"

    def run(self, *, open_browser: bool = False) -> None:
        """Serve until Ctrl-C."""
        if open_browser:
            webbrowser.open(f"{self.url}?key={self.app.new_key()}")
        try:
            uvicorn.Server(self.config()).run(sockets=[self.handle])
        finally:
            self.close()

    def config(self) -> uvicorn.Config:
        """How it is served."""
        return uvicorn.Config(
            self.app,
            http=BoundedProtocol,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
        )

    def close(self) -> None:
        """End the running task, and give the address and the folder free."""
        self.worker.close()
        self.handle.close()
        self.in_use.close()


def prepare_server(named: list[Path], options: ServerOptions) -> ReviewServer:
    """Scan the folder, open the socket, and queue the named videos without a result. Raises
    UsageError."""
    limit = parse_size(options.limit)
    folder = options.folder or default_folder(named)
    sources = list_sources(named, folder)
    rater = check_rater(options.blind)
    library = VideoLibrary(make_writable_folder(folder), tuple(sources), rater)
    worker = BackgroundWorker(library, options.weights, options.rate)
    who = rater or default_user_name()
    app = make_app(library, worker, secrets.token_urlsafe(32), limit=limit, who=who)
    handle = open_socket(options.port)
    try:
        server = ReviewServer(app, handle, library, worker, open_folder_lock(library.folder))
    except OSError as error:
        handle.close()
        raise write_error(library.folder, error) from error
    for source in library.named:
        video = library.add_video(source)
        if not file_exists(library.result_path(video.key)):
            worker.enqueue("spot", video)
    return server


def check_rater(name: str) -> str:
    """The name of a blind rater, which becomes part of file names. Raises UsageError."""
    if name and not re.fullmatch(r"[\w-]{1,40}", name):
        raise UsageError(
            f"expected a name of letters, digits, - and _ with --blind, got {name!r}; give initials"
        )
    return name


def open_folder_lock(folder: Path) -> IO[bytes]:
    """Mark a folder as open as long as the file is; the first server removes what killed ones left
    there.
    """
    handle = (folder / OPEN_LOCK).open("ab")
    if try_lock(handle):
        remove_scratch(folder)
        remove_partial_files(folder)
    try_lock(handle, shared=True)
    return handle


def open_socket(port: int) -> socket.socket:
    """A listening socket. Raises UsageError for an invalid port, or one in use."""
    handle = socket.socket()
    try:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        handle.bind((HOST, port))
        handle.listen(128)  # early requests wait instead of being refused
    except (OSError, OverflowError) as error:
        handle.close()
        raise UsageError(
            f"expected a free port, got {port} ({error}); name another, or none for any"
        ) from error
    return handle

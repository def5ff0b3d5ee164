"""Start the server on this machine alone, and tell the address."""

from __future__ import annotations

import getpass
import secrets
import socket
import webbrowser
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from fesnet.batch import prepare_folder
from fesnet.errors import UsageError
from fesnet.review.app import make_app
from fesnet.review.guard import Guard
from fesnet.review.library import Library, default_folder, sources_of
from fesnet.review.upload import read_size
from fesnet.review.worker import Worker

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Options:
    """port 0: any free one; limit: of an upload, like "2GB"; rate: of image folders; weights: None
    for the bundled.
    """

    folder: Path | None = None
    port: int = 0
    limit: str = "2GB"
    rate: float | None = None
    weights: Path | None = None


@dataclass(frozen=True)
class Served:
    """A server that is ready to run: its socket is open, so that the address holds."""

    app: Guard
    handle: socket.socket
    library: Library

    @property
    def address(self) -> str:
        return f"{self.place}?token={self.app.token}"

    @property
    def place(self) -> str:
        return f"http://{HOST}:{self.handle.getsockname()[1]}/"

    def run(self, *, open_browser: bool = False) -> None:
        """Serve until Ctrl-C."""
        if open_browser:
            webbrowser.open(f"{self.place}?key={self.app.key()}")
        config = uvicorn.Config(
            self.app, log_level="warning", access_log=False, timeout_graceful_shutdown=1
        )
        uvicorn.Server(config).run(sockets=[self.handle])


def prepare(named: list[Path], options: Options) -> Served:
    """Look at what was named, open the socket, and put named videos without a result in line.
    Raises UsageError.
    """
    limit = read_size(options.limit)
    folder = options.folder or default_folder(named)
    sources = sources_of(named, folder)
    library = Library(prepare_folder(folder), tuple(sources))
    worker = Worker(library, options.weights, options.rate)
    app = make_app(library, worker, secrets.token_urlsafe(32), limit=limit, who=user())
    served = Served(app, open_socket(options.port), library)
    for source in library.named:
        video = library.take(source)
        if not library.result(video.key).is_file():
            worker.ask("spot", video)
    return served


def open_socket(port: int) -> socket.socket:
    """Raises UsageError for a port that is taken or is none."""
    handle = socket.socket()
    try:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        handle.bind((HOST, port))
        handle.listen(
            128
        )  # from now on whoever opens the address waits, rather than being turned away
    except (OSError, OverflowError) as error:
        handle.close()
        raise UsageError(
            f"expected a free port, got {port} ({error}); name another, or none for any"
        ) from error
    return handle


def user() -> str:
    """The name to begin with; the page lets it be changed."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "me"

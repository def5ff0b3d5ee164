"""Spot macro- and micro-expressions in long face videos.

    import fesnet
    result = fesnet.spot("interview.mp4")
    for interval in result:
        print(interval.kind, interval.onset_s, interval.offset_s)

Importing fesnet loads nothing heavy; torch is needed only for training.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from fesnet._version import __version__

# onnxruntime reads this when it is first imported; workers and other child processes inherit it.
ONNXRUNTIME_CAME_FIRST = (
    "onnxruntime" in sys.modules and os.environ.get("ORT_DISABLE_TELEMETRY") != "1"
)
if ONNXRUNTIME_CAME_FIRST:
    warnings.warn(
        "onnxruntime was imported before fesnet, so its telemetry may be on: import fesnet "
        "first, or set "
        "ORT_DISABLE_TELEMETRY=1",
        stacklevel=2,
    )
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction
    from pathlib import Path
    from typing import Literal

    from fesnet._types import FrameCallback
    from fesnet.errors import FesnetError
    from fesnet.interval_algebra import TimeSpan
    from fesnet.intervals import Interval
    from fesnet.postprocess import IntervalRules
    from fesnet.result import Gap, SpottedInterval, Spotting
    from fesnet.runtime import Device
    from fesnet.spotter import FaceSelection, Spotter
    from fesnet.stream import SpotStream
    from fesnet.video import Frame, Sourceable, open_source

__all__ = [
    "FesnetError",
    "Frame",
    "Gap",
    "Interval",
    "IntervalRules",
    "SpotStream",
    "SpottedInterval",
    "Spotter",
    "Spotting",
    "TimeSpan",
    "__version__",
    "open_source",
    "spot",
]

_HOMES = {
    "FesnetError": "fesnet.errors",
    "Frame": "fesnet.video",
    "Gap": "fesnet.result",
    "Interval": "fesnet.intervals",
    "IntervalRules": "fesnet.postprocess",
    "SpotStream": "fesnet.stream",
    "SpottedInterval": "fesnet.result",
    "Spotter": "fesnet.spotter",
    "Spotting": "fesnet.result",
    "TimeSpan": "fesnet.interval_algebra",
    "open_source": "fesnet.video",
}


def spot(
    source: Sourceable,
    *,
    weights: str | Path | None = None,
    runtime: Literal["onnx", "torch"] = "onnx",
    device: Device = "auto",
    rules: IntervalRules | Mapping[str, float] | None = None,
    faces: FaceSelection = "largest",
    threads: int = 1,
    rate: Fraction | float | None = None,
    progress: FrameCallback | bool | None = None,
    overlap: bool = False,
    sound: bool = False,
) -> Spotting:
    """Spot one source: `Spotter(...).spot(source)`. For many, keep a `Spotter`.

    source: a video file, image folder, stream address, camera number, array (T, H, W, 3) uint8 RGB,
    or an iterable of pictures or frames. weights: a folder, default the bundled ones. runtime:
    "onnx" or "torch". device: of the network: "auto", "cpu", "cuda", "coreml" or "directml". rules:
    a dictionary changes what it names, an `IntervalRules` replaces all. faces: "largest" or "all"
    (up to eight). threads: of the network. rate: frames a second, for image folders and arrays.
    progress: called with each frame and the source; True shows a bar on stderr. overlap: a thread
    each for reading, faces and network, with the same result. sound: look for a voice in the sound
    track, too, for the flag `speaking` (extra `sound`).

    Raises UsageError for a wrong call, SourceError for what cannot be read, CheckpointError,
    FaceModelError, MissingExtraError.
    """
    from fesnet.spotter import Spotter

    spotter = Spotter(
        weights,
        runtime=runtime,
        device=device,
        rules=rules,
        faces=faces,
        threads=threads,
        sound=sound,
    )
    return spotter.spot(source, rate=rate, progress=progress, overlap=overlap)


def __dir__() -> list[str]:
    """What is public, for completion."""
    return sorted(__all__)


if not TYPE_CHECKING:  # a type checker knows the names above, and no others

    def __getattr__(name: str) -> Any:
        """Public names are imported when they are first used."""
        if name not in _HOMES:
            raise AttributeError(f"module 'fesnet' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)

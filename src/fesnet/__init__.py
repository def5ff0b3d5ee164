"""Spot macro- and micro-expressions in long face videos.

    import fesnet
    result = fesnet.spot("interview.mp4")
    for interval in result.intervals:
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
    from fesnet.intervals import Interval
    from fesnet.postprocess import IntervalRules
    from fesnet.result import Spotting
    from fesnet.spotter import Spotter

__all__ = ["Interval", "IntervalRules", "Spotter", "Spotting", "__version__", "spot"]

_HOMES = {
    "Interval": "fesnet.intervals",
    "IntervalRules": "fesnet.postprocess",
    "Spotter": "fesnet.spotter",
    "Spotting": "fesnet.result",
}


def spot(source: Any, **options: Any) -> Spotting:
    """Spot one source with the bundled weights: `Spotter(**options).spot(source)`.

    source: a video file, image folder, camera number or array; options: those of `Spotter`, and
    `rate` (frames a second, for image folders and arrays).
    """
    from fesnet.spotter import Spotter

    rate = options.pop("rate", None)
    return Spotter(**options).spot(source, rate=rate)


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'fesnet' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)

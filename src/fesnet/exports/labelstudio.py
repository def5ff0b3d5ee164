"""Label Studio pre-annotation: one task whose prediction has a region of frames for each
expression.

Label Studio counts frames from 1, both ends inside, and finds the time of a frame as frame over
rate: that is the wrong frame wherever the rate varies, so such a video is refused.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

import numpy as np

from fesnet._io import atomic_write_text
from fesnet._version import __version__
from fesnet.errors import ResultError
from fesnet.exports.common import describe_interval, nominal_rate
from fesnet.result import Spotting

# Frames: largest distance of a frame from its place at a constant rate (our choice).
MAX_FRAME_ERROR = 0.25


def write_labelstudio(spotting: Spotting, path: Path) -> None:
    """Write `path` atomically; exact to the frame. Raises ResultError for a variable
    frame rate.
    """
    rate = constant_rate(spotting)
    # It counts from second 0, however late the pictures begin.
    first = 1 + round(float(spotting.frame_times[0] * rate))
    regions = []
    for number, i in enumerate(
        sorted(spotting.intervals, key=lambda i: (i.onset_frame, i.face, i.kind)), 1
    ):
        about = f"face {i.face}, apex in frame {i.apex_frame + first}, score {i.score:.4f}"
        about += describe_interval(spotting, i)
        ranges = [{"start": i.onset_frame + first, "end": i.offset_frame + first}]
        regions.append(
            {
                "id": f"fesnet{number}",
                "from_name": "expression",
                "to_name": "video",
                "type": "timelinelabels",
                "value": {"ranges": ranges, "timelinelabels": [i.kind]},
                "score": i.score,
                "meta": {"text": [about]},
            }
        )
    name = Path(spotting.source.path or spotting.source.name).name
    video = f"/data/local-files/?d={quote(name, errors='replace')}"
    task = {
        "data": {"video": video, "fps": float(rate), "name": spotting.source.name},
        "predictions": [{"model_version": f"fesnet {__version__}", "result": regions}],
    }
    atomic_write_text(path, json.dumps([task], indent=1, ensure_ascii=False) + "\n")


def constant_rate(spotting: Spotting) -> Fraction:
    """Frames a second at which every frame lies in its place. Raises ResultError where there is
    none.
    """
    times, nominal = spotting.frame_times - spotting.frame_times[0], nominal_rate(spotting.source)
    rates = [nominal] if nominal else []
    if times[-1] > 0:
        rates.append(Fraction((len(times) - 1) / float(times[-1])).limit_denominator(1001))
    for rate in rates:
        places = times * float(rate)
        start = float(spotting.frame_times[0] * rate)
        places += start - round(start)
        if np.abs(places - np.arange(len(times))).max() <= MAX_FRAME_ERROR:
            return rate
    steps = 1000 * np.diff(times)
    found = (
        f"frames {steps.min():.1f} to {steps.max():.1f} ms apart"
        if len(steps)
        else "a single frame"
    )
    raise ResultError(
        f"expected a constant frame rate for Label Studio, got {found} in {spotting.source.name}; "
        "it would show other frames than those found: convert the video to a constant rate and "
        "spot again"
    )

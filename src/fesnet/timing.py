"""How long frames last: where one ends, which pauses are holes in the recording, the frame rate.

frames   |0 |1 |2 |3               |4 |5 |
ends        |  |  |  |             |  |  |     3 lasts as long as frames do in general:
hole                 [-------------)           what follows it is a hole
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray

# Frames further apart than this (s) are no longer of one segment (`fesnet.windows.is_contiguous`):
# between them a face is unknown.
SHORTEST_HOLE = 0.51
# and than so many of the video's usual (median) steps, so that a film of one frame a second is no
# row of holes (our choice)
HOLE_STEPS = 3.0


def usual_step(times: FloatArray, working_rate: float) -> float:
    """How long a frame lasts in general, s: the median step; for a single frame one step of the
    working rate.
    """
    steps = np.diff(times)
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else 1 / working_rate


def video_end(times: FloatArray, working_rate: float) -> float:
    """When the last frame ends, s: it lasts one `usual_step`."""
    return round(float(times[-1]) + usual_step(times, working_rate), 6)


def find_holes(times: FloatArray, working_rate: float) -> NDArray[np.int64]:
    """Frames after which the recording pauses. times (N,) s, never falling."""
    limit = max(SHORTEST_HOLE, HOLE_STEPS * usual_step(times, working_rate))
    return np.flatnonzero(np.diff(times) > limit).astype(np.int64)


def frame_ends(times: FloatArray, working_rate: float) -> FloatArray:
    """When each frame ends, (N,) s: where the next one with a later time begins; before a hole and
    at the end of the video after one `usual_step`.
    """
    later = np.append(times, video_end(times, working_rate))
    ends = later[np.searchsorted(later, times, side="right")]
    holes = find_holes(times, working_rate)
    if len(holes):
        usual = usual_step(times, working_rate)
        for hole in holes:  # all frames of that time, where several share it
            same = slice(int(np.searchsorted(times, times[hole])), int(hole) + 1)
            ends[same] = np.round(times[same] + usual, 6)
    return np.asarray(ends, np.float64)


def frame_rate(times: FloatArray, working_rate: float) -> float | None:
    """Frames a second while the recording runs; None where that cannot be said."""
    holes = find_holes(times, working_rate)
    seconds = float(times[-1] - times[0]) - float(np.diff(times)[holes].sum())
    steps = len(times) - 1 - len(holes)
    return steps / seconds if steps > 0 and seconds > 0 else None

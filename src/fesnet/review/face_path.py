"""Where each face of a spotted video is, for the zoom beside the video.

The tracker of spotting follows the faces once more, so that their numbers are those of the result.
Each face gives a path: centre, turn and size of a square round it, smoothed, so that the crop stays
still while the face moves in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fesnet._io import atomic_write_text, load_json, read_text_file
from fesnet._types import FloatArray
from fesnet.faces import Face
from fesnet.result import Spotting
from fesnet.stream import make_face_tracker
from fesnet.timing import frame_rate
from fesnet.video import open_source
from fesnet.weights import load_weights
from fesnet.windows import FrameSampler

PATH_RATE = 10.0  # points a second
SMOOTH_S = 0.25  # standard deviation of the smoothing, s: heads move slower, jitter is faster
EYE_CORNERS = (
    (33, 133),
    (362, 263),
)  # of MediaPipe's mesh: outer and inner, left and right as seen
SIDE = 2.7  # side of the square, in distances of the eyes' middles: from brow to chin with room
BELOW_EYES = 0.45  # how far its centre lies below the eyes, in the same unit
HOLE_S = 0.5  # a longer time without the face ends a piece of its path
FacePaths = dict[int, FloatArray]  # by face: (N, 5) time s, x, y of the centre, turn rad, side


def follow_faces(
    source: Path, spotting: Spotting, report: Callable[[float | None], None]
) -> FacePaths:
    """Follow the faces of a video. report: gets the share that is done. Raises FesnetError."""
    tracker = make_face_tracker(
        load_weights(None).config, "all" if len(spotting.faces) > 1 else "largest"
    )
    sampler = FrameSampler(spotting.working_rate)
    rate = frame_rate(spotting.frame_times, spotting.working_rate) or spotting.working_rate
    seen: dict[int, list[tuple[float, ...]]] = {}
    end = max(float(spotting.frame_times[-1]), 1e-9)
    with open_source(source, rate=rate if source.is_dir() else None) as opened:
        for frame in opened:
            if not sampler.should_sample(frame.time):
                continue
            for face in tracker.push(frame):
                seen.setdefault(face.face, []).append((frame.time, *square_of(face)))
            if frame.index % 10 == 0:
                report(min(frame.time / end, 1.0))
    return {face: smooth_path(np.array(points)) for face, points in seen.items()}


def square_of(face: Face) -> tuple[float, float, float, float]:
    """(x, y of the centre, turn, side) of the square round a face, in source pixels and radians."""
    eyes = [face.landmarks[list(corners), :2].mean(0) for corners in EYE_CORNERS]
    across = eyes[1] - eyes[0]
    apart = float(np.hypot(*across))
    down = np.array([-across[1], across[0]])
    x, y = (eyes[0] + eyes[1]) / 2 + BELOW_EYES * down
    return float(x), float(y), float(np.arctan2(across[1], across[0])), SIDE * apart


def smooth_path(points: FloatArray) -> FloatArray:
    """(N, 5) of all sampled frames -> (M, 5) at about PATH_RATE, each piece smoothed for itself."""
    times = points[:, 0]
    pieces = np.split(points, np.flatnonzero(np.diff(times) > HOLE_S) + 1)
    return np.concatenate([smooth_piece(piece) for piece in pieces])


def smooth_piece(piece: FloatArray) -> FloatArray:
    times = piece[:, 0]
    chosen = np.unique(
        np.searchsorted(times, np.arange(times[0], times[-1] + 1 / PATH_RATE, 1 / PATH_RATE))
    )
    chosen = chosen[chosen < len(times)]
    out = [weighted_point(piece, times, float(times[k])) for k in chosen]
    return np.array(out)


def weighted_point(piece: FloatArray, times: FloatArray, at: float) -> NDArray[np.float64]:
    """The piece at one time, averaged over its neighbours by a Gaussian."""
    near = slice(*np.searchsorted(times, [at - 3 * SMOOTH_S, at + 3 * SMOOTH_S]))
    weights = np.exp(-0.5 * ((times[near] - at) / SMOOTH_S) ** 2)
    values = np.average(piece[near, 1:], axis=0, weights=weights)
    return np.array([at, *values])


def save_paths(paths: FacePaths, spotting: Spotting, file: Path) -> None:
    """Write the paths atomically, with the checksum of the video that they are of."""
    rows = {str(face): np.round(path, 3).tolist() for face, path in paths.items()}
    size = {"width": spotting.source.width, "height": spotting.source.height}
    values = {"sha256": spotting.source.sha256, **size, "hole_s": HOLE_S, "faces": rows}
    atomic_write_text(file, json.dumps(values, separators=(",", ":")))


def read_paths(file: Path, spotting: Spotting) -> dict[str, object] | None:
    """What `save_paths` wrote; None where there is nothing, or of another video."""
    try:
        values: dict[str, object] = load_json(read_text_file(file))
    except (OSError, ValueError, RecursionError):
        return None
    return values if values.get("sha256") == spotting.source.sha256 else None

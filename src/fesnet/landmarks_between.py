"""Landmark features of the frames between two looks of the landmark model.

key frames (the model ran at once), crops between them -> landmark features of every crop
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fesnet._types import Float32Array
from fesnet.faces import compute_landmark_features

# mean change of landmark features between two key frames from which the model runs in between, too
LANDMARK_CHANGE = 0.02
# mean distance of a frame in between from the straight line between its neighbours, from which the
# model also runs on the frames beside it; landmarks of a still face jitter by 0.005
LANDMARK_BEND = 0.03


@dataclass
class PendingCrop:
    """A face that waits to be encoded."""

    time: float
    spacing: float
    segment: int
    crop: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    run_landmarks: Callable[[], Float32Array] | None  # where the model did not run yet
    landmark_features: Float32Array | None = None  # None until the next key frame


@dataclass(frozen=True)
class KeyFrame:
    """A frame in which the landmark model ran at once."""

    time: float
    segment: int
    landmark_features: Float32Array


def features_of(landmarks: Float32Array) -> Float32Array:
    """(LANDMARK_FEATURE_COUNT,) of the landmarks (468, 3) of one face."""
    return np.asarray(compute_landmark_features(landmarks[None])[0])


def interpolate_landmarks(
    crops: list[PendingCrop], before: KeyFrame, after: KeyFrame | None
) -> None:
    """Fill the landmark features of crops between two key frames, by interpolation where the face
    hardly moved, else by the model.

    After the last key frame of a segment its features stay.
    """
    if after is None or after.segment != before.segment:
        for crop in crops:
            crop.landmark_features = before.landmark_features
    elif mean_change(before, after) > LANDMARK_CHANGE:
        bisect_landmarks(crops, before, after)
    else:
        fill_straight(crops, before, after)
    for crop in crops:
        crop.run_landmarks = None  # releases the picture


def bisect_landmarks(crops: list[PendingCrop], before: KeyFrame, after: KeyFrame) -> None:
    """Run the landmark model on the crop in the middle, and on those beside it where it lies off
    the straight line between the key frames; else they are interpolated."""
    if not crops:
        return
    half = len(crops) // 2
    middle = crops[half]
    expected = straight(middle.time, before, after)
    middle.landmark_features = (
        expected if middle.run_landmarks is None else features_of(middle.run_landmarks())
    )
    key = KeyFrame(middle.time, before.segment, middle.landmark_features)
    bend = float(np.abs(key.landmark_features - expected).mean())
    fill = bisect_landmarks if bend > LANDMARK_BEND else fill_straight
    fill(crops[:half], before, key)
    fill(crops[half + 1 :], key, after)


def fill_straight(crops: list[PendingCrop], before: KeyFrame, after: KeyFrame) -> None:
    """Interpolate the landmark features of crops."""
    for crop in crops:
        crop.landmark_features = straight(crop.time, before, after)


def straight(time: float, before: KeyFrame, after: KeyFrame) -> Float32Array:
    """Landmark features at a time (s) between two key frames."""
    fraction = np.float32((time - before.time) / max(after.time - before.time, 1e-9))
    change = after.landmark_features - before.landmark_features
    return before.landmark_features + fraction * change


def mean_change(before: KeyFrame, after: KeyFrame) -> float:
    """Of all landmark features between two key frames."""
    return float(np.abs(after.landmark_features - before.landmark_features).mean())

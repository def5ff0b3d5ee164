"""Small filters that the baselines share; tracks are (n,) or (n, D), time first, at
`base.RATE`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fesnet._types import FloatArray
from fesnet.baselines.base import RATE

MEDIAN_STEP = 15  # ticks between the points at which the usual place is computed


@dataclass(frozen=True)
class KindSplit:
    """How the movement of places becomes two signals, one a kind; all numbers are our choice."""

    usual_s: float = 20.0  # s; window of the running median that says where a place usually is
    smooth_s: float = (
        0.04  # s; standard deviation of the smoothing: just over a tick, for a micro has only a few
    )
    floor: float = 0.002  # crop units; a fifth of a pixel of 96: noise in the stillest video
    # s; what lasts as long is macro, what does not is micro; the field's 0.5, blurred by a tick
    brief_s: float = 0.53
    share: float = 0.3  # of the places, those that move most: an expression moves few of them


def split_kinds(places: list[FloatArray], kinds: KindSplit) -> list[FloatArray]:
    """Places (n, G, 2) of all segments of one face -> macro and micro signal (n, 2) of each
    segment.

    A signal counts how many times its usual distance from its usual place a place has moved.
    """
    far = [
        np.linalg.norm(smooth_gaussian(p - usual_place(p, kinds.usual_s), kinds.smooth_s), axis=2)
        for p in places
    ]
    if not far:
        return []
    usual = kinds.floor + np.median(np.concatenate(far), 0)
    return [split_by_duration(f / usual, kinds) for f in far]


def split_by_duration(times: FloatArray, kinds: KindSplit) -> FloatArray:
    """(n, G) -> (n, 2), what lasts and what does not."""
    macro = keep_lasting(times, kinds.brief_s)
    return np.stack(
        [mean_of_largest(macro, kinds.share), mean_of_largest(times - macro, kinds.share)], 1
    )


def smooth_gaussian(track: FloatArray, seconds: float) -> FloatArray:
    """Gaussian smoothing by a standard deviation in seconds; the ends are repeated."""
    sigma = seconds * RATE
    reach = max(1, int(np.ceil(3 * sigma)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(track, [(reach, reach)] + [(0, 0)] * (track.ndim - 1), mode="edge")
    rows = [k * padded[i : i + len(track)] for i, k in enumerate(kernel / kernel.sum())]
    return np.asarray(np.sum(rows, 0))


def usual_place(track: FloatArray, seconds: float) -> FloatArray:
    """The median over a window of `seconds` round each tick: how a face usually looks."""
    return running_median(track, round(seconds * RATE / 2), MEDIAN_STEP)


def running_median(track: FloatArray, half: int, step: int) -> FloatArray:
    """The median over `half` rows to either side of each row (n, ...), shorter at the ends.

    It is computed at every `step`-th row and interpolated between, as it changes slowly.
    """
    last = len(track) - 1
    knots = np.unique(np.append(np.arange(0, len(track), step), last))
    values = np.stack([np.median(track[max(0, k - half) : k + half + 1], 0) for k in knots])
    rows, columns = np.arange(len(track)), values.reshape(len(knots), -1).T
    return np.stack([np.interp(rows, knots, column) for column in columns], 1).reshape(track.shape)


def keep_lasting(track: FloatArray, seconds: float) -> FloatArray:
    """A track (n, D) with peaks narrower than `seconds` cut off: a morphological opening.

    track     ...__/^^^^^\\___/\\__...
    out       ...__/^^^^^\\_______...
    """
    kernel = np.ones((round(seconds * RATE) | 1, 1), np.uint8)  # odd, or it would shift
    return np.asarray(cv2.morphologyEx(track.astype(np.float32), cv2.MORPH_OPEN, kernel))


def mean_of_largest(values: FloatArray, share: float) -> FloatArray:
    """Mean over the largest `share`, at least one, of the last axis."""
    rest = values.shape[-1] - max(1, round(share * values.shape[-1]))
    return np.asarray(np.partition(values, rest, -1)[..., rest:].mean(-1))


def scale_to_peak(signals: list[FloatArray], least: float) -> list[FloatArray]:
    """Signals (n,) of all segments -> 0..1, so that the score p is p * (max - mean) + mean over the
    whole video.

    least: of max - mean; a video in which nothing happens does not blow up its noise.
    """
    whole = np.concatenate(signals) if signals else np.zeros(1)
    mean = float(whole.mean())
    span = max(float(whole.max()) - mean, least)
    return [np.clip((s - mean) / span, 0, 1) for s in signals]

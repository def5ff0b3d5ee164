"""MDMD, main directional maximal difference: the baseline of the 2020 spotting challenge.

Re-implemented from the published idea (S.-J. Wang et al., "A main directional maximal difference
analysis for spotting facial movements from long-term videos", Neurocomputing 230, 2017; Y. He et
al., "Spotting macro- and micro-expression intervals in long video sequences", 2020): the face in 6
x 6 blocks; in each, the optical flow from k frames before to now less that from k before to k
after, over the vectors in the main direction, mean of the largest third; the mean over the third of
the blocks in which that is largest; that, less its mean nearly k before and after, above p * (max -
mean) + mean. One k for macro- and one for micro-expressions, halved where a video is short.

Our choices: DIS flow instead of RLOF; k in seconds; gaps break a video into segments, each of which
has ends; mean and maximum are those of all segments; the interval reaches to where the difference
falls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray, Image
from fesnet.baselines.base import RATE, Baseline, SegmentReader, dense_flow, to_grey
from fesnet.baselines.signals import mean_of_largest, scale_to_peak
from fesnet.faces import Face
from fesnet.postprocess import IntervalRules

LONG = 6  # times k; in a shorter segment k is halved, as published


@dataclass(frozen=True)
class MdmdSettings:
    """Numbers of MDMD: the published ones but for `least`, which is our choice."""

    macro_k_s: float = 1.3  # s to either side; 39 frames at 30 Hz
    micro_k_s: float = 0.4  # s to either side; 12 frames at 30 Hz
    blocks: int = 6  # along a side of the face
    directions: int = 4  # sectors of angles, of which one is a block's main direction
    share: float = 1 / 3  # of vectors in a block, and of blocks: those with the largest difference
    least: float = (
        0.004  # crop units; a video whose strongest moment is less above its mean has no event
    )


class Mdmd(Baseline[MdmdSettings]):
    """See the module; arguments as of `Baseline`."""

    name = "mdmd"
    recommended = IntervalRules(exclusive=False)

    @staticmethod
    def defaults() -> MdmdSettings:
        return MdmdSettings()

    def reader(self) -> SegmentReader:
        return MdmdReader(self.settings)

    def score(self, parts: list[FloatArray]) -> list[FloatArray]:
        columns = []
        for column, k in enumerate(lags(self.settings)):
            above = [
                subtract_surroundings(part[:, column], halve_lag(k, len(part))) for part in parts
            ]
            columns.append(scale_to_peak(above, self.settings.least))
        return [np.stack(pair, 1) for pair in zip(*columns, strict=True)]


def lags(settings: MdmdSettings) -> tuple[int, int]:
    """k in ticks, for macro and micro."""
    macro, micro = (max(1, round(k * RATE)) for k in (settings.macro_k_s, settings.micro_k_s))
    return macro, micro


def halve_lag(k: int, ticks: int) -> int:
    """k for a segment of so many ticks."""
    while k > 1 and ticks < LONG * k:
        k = (k + 1) // 2
    return k


def subtract_surroundings(track: FloatArray, k: int) -> FloatArray:
    """How far a difference (n,) lies above its mean nearly k before and after; beyond the ends it
    is 0.
    """
    reach, n = max(1, k - 1), len(track)
    padded = np.pad(track, reach)
    return np.asarray(track - 0.5 * (padded[:n] + padded[2 * reach :]))


class MdmdReader(SegmentReader):
    """The maximal difference at each tick for macro and micro (D = 2, crop units); 0 nearer than k
    to an end.
    """

    def __init__(self, settings: MdmdSettings) -> None:
        self.settings, self.lags = settings, lags(settings)
        self.latest: deque[Image] = deque(maxlen=2 * max(self.lags) + 1)
        self.opening: list[Image] = []  # the first crops, in case the segment stays short
        self.found: tuple[list[float], list[float]] = ([], [])
        self.ticks = 0

    def push(self, face: Face) -> None:
        self.ticks += 1
        self.latest.append(to_grey(face))
        if self.ticks <= LONG * max(self.lags):
            self.opening.append(self.latest[-1])
        for track, k in zip(self.found, self.lags, strict=True):
            if len(self.latest) > 2 * k:
                track.append(self.difference(*(self.latest[i] for i in (-1 - 2 * k, -1 - k, -1))))

    def features(self) -> FloatArray:
        out = np.zeros((self.ticks, 2), np.float32)
        for column, (track, k) in enumerate(zip(self.found, self.lags, strict=True)):
            shorter = halve_lag(k, self.ticks)
            values = track if shorter == k else self.differences(self.opening, shorter)
            out[shorter : shorter + len(values), column] = values
        return out

    def differences(self, crops: Sequence[Image], k: int) -> list[float]:
        """The maximal difference at ticks k .. n - k of a whole segment."""
        return [
            self.difference(crops[i - k], crops[i], crops[i + k]) for i in range(k, len(crops) - k)
        ]

    def difference(self, before: Image, middle: Image, after: Image) -> float:
        """The maximal difference at the middle one of three grey crops."""
        there, on = (
            split_blocks(dense_flow(before, other), self.settings.blocks)
            for other in (middle, after)
        )
        larger = np.linalg.norm(there, axis=2) - np.linalg.norm(on, axis=2)
        main = main_direction(there, self.settings.directions)
        blocks = [
            mean_of_largest(row[chosen], self.settings.share)
            for row, chosen in zip(larger, main, strict=True)
        ]
        return float(mean_of_largest(np.stack(blocks), self.settings.share))


def split_blocks(field: FloatArray, blocks: int) -> FloatArray:
    """A flow field (S, S, 2) -> (blocks * blocks, pixels, 2); rows and columns that do not fill a
    block are left.
    """
    side = len(field) // blocks
    cut = field[: blocks * side, : blocks * side].reshape(blocks, side, blocks, side, 2)
    return np.asarray(cut.transpose(0, 2, 1, 3, 4).reshape(blocks * blocks, side * side, 2))


def main_direction(vectors: FloatArray, directions: int) -> NDArray[np.bool_]:
    """(B, P) which vectors (B, P, 2) lie in the sector of angles that holds most of their block's
    vectors.
    """
    angle = np.arctan2(vectors[..., 1], vectors[..., 0])
    sector = np.floor(angle / (2 * np.pi) * directions + 0.5).astype(int) % directions
    counts = (sector[..., None] == np.arange(directions)).sum(1)
    return np.asarray(sector == counts.argmax(1)[:, None])

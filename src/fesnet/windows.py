"""Features at irregular times -> overlapping windows -> scores on one time axis.

The working axis has steps at the working rate: step k is at k / rate seconds. Features between two
frames are interpolated linearly in time (the discrepancy is a difference of features, so this is
harmless). So the network gets videos of 25 Hz, 200 Hz or a variable frame rate at the rate that it
was trained at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fesnet._types import Float32Array

Decode = Callable[[Float32Array], tuple[Float32Array, Float32Array]]

MAX_GAP = 0.12  # s; frames further apart are a gap (a lost frame or two at 25 Hz is not)
MAX_SPACING = 0.34  # s; in videos below 8 Hz, the largest spacing that is no gap
MIN_WINDOW = 80  # steps of the shortest window; shorter segments are reflected to fill it
# steps at either end of a window over which its weight falls: temporal convolutions see padding
# there
TAPER = 40
ANCHOR_EXPRESSIVE_LEVEL = (
    0.3  # macro and micro score together from which a step is inside an expression
)
ANCHOR_NEUTRAL_LEVEL = 0.1  # and below which it can be the neutral anchor
ANCHOR_STEPS = 6  # steps that show the anchor, before as many fade into the window's own
MAX_ANCHOR_AGE = 900  # steps (30 s); longer than any macro-expression in the field


def is_contiguous(apart: float, spacing: float) -> bool:
    """Whether two frames with a face, `apart` (s), are of one segment. spacing: seconds from the
    frame before in the source, whether that one had a face or not."""
    return apart <= max(MAX_GAP, 1.5 * min(spacing, MAX_SPACING))


class FrameSampler:
    """Chooses the frames that the working rate needs: at most one nearest to each step."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.last = -1

    def should_sample(self, time: float) -> bool:
        """True if the frame at `time` (s) is the first that rounds to its step."""
        step = int(time * self.rate + 0.5)
        if step <= self.last:
            return False
        self.last = step
        return True


class Resampler:
    """Interpolates features (P, C) at increasing times to the steps, segment by segment."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.time = 0.0
        self.features: Float32Array | None = None

    def push(self, time: float, features: Float32Array) -> Iterator[tuple[int, Float32Array]]:
        """Steps (index, features) up to `time`, between the last two frames. Call `reset` between
        segments.
        """
        if self.features is None:
            first = int(
                np.ceil(time * self.rate - 0.5)
            )  # the nearest step takes the first frame as it is
            yield first, features
            self.next = first + 1
        else:
            spacing = max(time - self.time, 1e-9)
            while self.next <= time * self.rate + 1e-6:
                share = (self.next / self.rate - self.time) / spacing
                fraction = np.float32(min(max(share, 0.0), 1.0))
                yield self.next, self.features + fraction * (features - self.features)
                self.next += 1
        self.time, self.features = time, features

    def is_contiguous(self, time: float, spacing: float) -> bool:
        """False if a frame at `time` is too far from the last one to be of the same segment (see
        `is_contiguous`).
        """
        return self.features is None or is_contiguous(time - self.time, spacing)

    def reset(self) -> None:
        self.features = None


@dataclass(frozen=True)
class ScoreChunk:
    """Steps start .. start + n: scores (n, 2) macro and micro in 0..1, intensity (n,)."""

    start: int
    scores: Float32Array
    intensity: Float32Array


def reflect_indices(steps: int, last: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """(steps,) positions 0 .. last, then back to 0, and so on: 0 1 2 3 2 1 0 1 2 ... For last
    (N, 1): (N, steps).

    It fills a window that a short segment does not fill. Repeating the last frame would make it the
    window's median, to which changes are measured.
    """
    period = np.maximum(1, 2 * np.asarray(last))
    at = np.arange(steps) % period
    return np.asarray(np.minimum(at, period - at))


def add_window(
    sums: Float32Array, steps: NDArray[np.int64], values: Float32Array, taper: float
) -> None:
    """Overlap-add: add a window's values (n, K) to sums (T, K + 1) at its steps (n,).

    The last column sums the weights, which fall over `taper` steps at either end. Steps below 0 are
    left out.
    """
    ramp = np.arange(len(values)) + 0.5
    weight = np.minimum(np.minimum(ramp, ramp[::-1]) / taper, 1).astype(np.float32)[:, None]
    rows = np.concatenate([values, np.ones_like(weight)], 1) * weight
    inside = steps >= 0
    np.add.at(sums, steps[inside], rows[inside])


def resample_rows(rows: Float32Array, count: int) -> Float32Array:
    """Rows (N, ...) at `count` places, evenly from the first to the last, linear between them."""
    if count == len(rows) or len(rows) == 1:
        return rows
    places = np.linspace(0, len(rows) - 1, count)
    left = np.minimum(places.astype(np.int64), len(rows) - 2)
    share = (places - left).astype(np.float32).reshape(-1, *[1] * (rows.ndim - 1))
    return np.asarray(rows[left] + share * (rows[left + 1] - rows[left]), np.float32)


class WindowAggregator:
    """Scores windows over one segment's steps, and averages them where windows overlap.

    A window is scored forwards and backwards: changes are measured from a window's first step,
    which may lie inside an expression. A step's score is final when no later window can contain it:
    at most `window` steps later, or `ahead + stride` where `ahead` is given: then a window shows
    more of the past, and its earlier steps are final already. The last window ends where the
    segment ends. A segment shorter than a window is one window.

    alternate: only the first and the last window of a segment are judged both ways, those between
    backwards and forwards in turn. With strides of half a window each step is still judged both
    ways, at half the cost.

    backward_stretch: backwards a window is shown so many times as long, as if the face moved
    slower. So the two judgements err differently, and their mean errs less.

    A window that begins inside an expression (by the scores of earlier windows) begins with the
    last neutral step instead, the neutral anchor. So an expression longer than a window is still a
    change.
    """

    def __init__(
        self,
        window: int,
        stride: int,
        decode: Decode,
        ahead: int | None = None,
        *,
        alternate: bool = False,
        backward_stretch: float = 1.0,
    ) -> None:
        self.window, self.stride, self.decode, self.alternate = window, stride, decode, alternate
        self.backward_stretch = backward_stretch
        self.ahead = window - stride if ahead is None else ahead  # steps that must follow a step
        self.min_window = min(MIN_WINDOW, window)
        self.buffer: deque[Float32Array] = deque(maxlen=window)  # the last steps
        self.final_levels: deque[float] = deque(
            maxlen=window
        )  # macro and micro together of the last steps that are final
        self.clear(0)

    def clear(self, start: int) -> None:
        """Begin a new segment at step `start`."""
        self.start, self.length, self.finalized, self.judged = start, 0, 0, 0
        self.buffer.clear()
        self.final_levels.clear()
        self.neutral_anchor: tuple[int, Float32Array] | None = (
            None  # the last neutral step and its features
        )
        self.sums = np.zeros(
            (self.window, 4), np.float32
        )  # macro, micro, intensity, weight of steps from `finalized` on

    def push(self, features: Float32Array) -> ScoreChunk | None:
        """Add the next step's features; returns scores that became final, if any."""
        self.buffer.append(features)
        self.length += 1
        if self.length - self.finalized < self.ahead + self.stride:
            return None
        self.score_buffer(last=False)
        return self.finalize(self.stride)

    def finish(self) -> ScoreChunk | None:
        """The segment has ended: score what is left."""
        left = self.length - self.finalized
        if left == 0:
            return None
        self.score_buffer(last=True)
        return self.finalize(left)

    def score_buffer(self, *, last: bool) -> None:
        """Score the last steps; too few of them are reflected. last: of the segment."""
        buffered = len(self.buffer)
        forwards = reflect_indices(max(self.min_window, buffered), buffered - 1)
        both = (forwards, buffered - 1 - forwards)
        in_turn = self.alternate and self.judged > 0 and not last
        self.score_window((both[self.judged % 2],) if in_turn else both)
        self.judged += 1

    def score_window(self, directions: tuple[NDArray[np.int64], ...]) -> None:
        """Score a window, which goes through the buffer as each of the directions says."""
        buffered = np.stack(self.buffer)
        first = (
            self.length - self.finalized - len(buffered)
        )  # the buffer's first step, counted from the first that is not final
        for at in directions[: len(buffered)]:  # a single step is its own mirror image
            in_order = len(at) == len(buffered) and at[0] == 0 and at[-1] == len(at) - 1
            window = buffered if in_order else buffered[at]
            stretch = 1.0 if at[0] == 0 else self.backward_stretch
            self.add_scores(*self.anchored(window, at + first), stretch)

    def anchored(
        self, window: Float32Array, steps: NDArray[np.int64]
    ) -> tuple[Float32Array, NDArray[np.int64]]:
        """A window and the steps it shows, counted from the first that is not final.

        Where it begins inside an expression it begins with the neutral anchor; the steps that this
        hides are -1.
        """
        if (
            self.neutral_anchor is None
            or self.finalized - self.neutral_anchor[0] > MAX_ANCHOR_AGE
            or self.level(int(steps[0])) < ANCHOR_EXPRESSIVE_LEVEL
        ):
            return window, steps
        out, shown = window.copy(), steps.copy()
        start = out[: 2 * ANCHOR_STEPS]
        fraction = np.clip(
            (np.arange(len(start)) - ANCHOR_STEPS + 1) / (ANCHOR_STEPS + 1), 0, 1
        ).astype(np.float32)
        start[:] = self.neutral_anchor[1] + fraction.reshape(-1, *[1] * (start.ndim - 1)) * (
            start - self.neutral_anchor[1]
        )
        shown[:ANCHOR_STEPS] = -1
        return out, shown

    def level(self, step: int) -> float:
        """Macro and micro score together so far, at a step counted from the first that is not
        final.
        """
        if step < 0:
            return self.final_levels[step]
        sums = self.sums[step]
        return float(sums[:2].sum() / max(sums[3], 1e-9))

    def add_scores(
        self, window: Float32Array, steps: NDArray[np.int64], stretch: float = 1.0
    ) -> None:
        """Add a window's scores to the steps that it shows, but not to those that are final."""
        longer = resample_rows(window, round((len(window) - 1) * stretch) + 1)
        probabilities, intensity = self.decode(longer)
        values = np.concatenate([probabilities[:, 1:], intensity[:, None]], 1)
        add_window(self.sums, steps, resample_rows(values, len(window)), TAPER)

    def finalize(self, steps: int) -> ScoreChunk:
        """Return the first `steps` open steps as final."""
        rows = self.sums[:steps, :3] / self.sums[:steps, 3:]
        self.sums = np.concatenate([self.sums[steps:], np.zeros((steps, 4), np.float32)])
        scored = ScoreChunk(self.start + self.finalized, rows[:, :2].copy(), rows[:, 2].copy())
        levels = scored.scores.sum(1)
        self.final_levels.extend(levels.tolist())
        calm = np.flatnonzero(levels < ANCHOR_NEUTRAL_LEVEL)
        if len(calm):
            first = self.length - len(self.buffer)  # step of the buffer's first entry
            self.neutral_anchor = (
                self.finalized + int(calm[-1]),
                self.buffer[self.finalized + int(calm[-1]) - first],
            )
        self.finalized += steps
        return scored

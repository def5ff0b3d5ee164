"""From attended features at irregular times to overlapping windows, and from window scores back to
one time axis.

The working axis is a grid of ticks at the working rate, tick k at k / rate seconds. Features
between two frames are interpolated linearly in time (the discrepancy is a difference of features,
so this is harmless), so that 25 Hz, 200 Hz and variable frame rates all meet the network at the
rate it was trained at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fesnet._types import Float32Array

Decode = Callable[[Float32Array], tuple[Float32Array, Float32Array]]

BRIDGE = 0.12  # s; frames further apart are a gap (a lost frame or two at 25 Hz is not)
SLOW = 0.34  # s; in videos slower than 8 Hz successive frames are bridged, up to this spacing
BRIEF = (
    80  # ticks of the shortest window; a segment that does not fill it is run through to and fro
)
# ticks at either end of a window over which its weight falls: temporal convolutions see padding
# there
RAMP = 40
# score of macro and micro together from which a window is said to begin inside an expression
HELD = 0.3
NEUTRAL = 0.1  # and below which a tick is neutral enough to be lent to such a window
LENT = (
    6  # ticks that then show the neutral face, before as many again turn it into the window's own
)
# ticks (30 s) for which a neutral tick is good: longer than any macro-expression in the field
AGE = 900


def is_bridged(apart: float, spacing: float) -> bool:
    """Whether two frames with a face, `apart` (s), are of one segment. spacing: seconds from the
    frame before in the source, whether that one had a face or not."""
    return apart <= max(BRIDGE, 1.5 * min(spacing, SLOW))


class Sampler:
    """Chooses the frames that the working rate needs: at most one nearest to each tick."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.last = -1

    def wants(self, time: float) -> bool:
        """True if the frame at `time` (s) is the first that rounds to its tick."""
        tick = int(time * self.rate + 0.5)
        if tick <= self.last:
            return False
        self.last = tick
        return True


class Grid:
    """Lays features (P, C) at increasing times on ticks, segment by segment."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.time = 0.0
        self.features: Float32Array | None = None

    def push(self, time: float, features: Float32Array) -> Iterator[tuple[int, Float32Array]]:
        """Ticks (index, features) up to `time` that the last two frames decide. Call `cut` between
        segments.
        """
        if self.features is None:
            first = int(
                np.ceil(time * self.rate - 0.5)
            )  # the nearest tick takes the first frame as it is
            yield first, features
            self.next = first + 1
        else:
            step = max(time - self.time, 1e-9)
            while self.next <= time * self.rate + 1e-6:
                share = np.float32(np.clip((self.next / self.rate - self.time) / step, 0, 1))
                yield self.next, self.features + share * (features - self.features)
                self.next += 1
        self.time, self.features = time, features

    def continues(self, time: float, spacing: float) -> bool:
        """False if a frame at `time` is too far from the last one to be of the same segment (see
        `is_bridged`).
        """
        return self.features is None or is_bridged(time - self.time, spacing)

    def cut(self) -> None:
        self.features = None


@dataclass(frozen=True)
class Scored:
    """Ticks start .. start + n: scores (n, 2) macro and micro in 0..1, intensity (n,)."""

    start: int
    scores: Float32Array
    intensity: Float32Array


def to_and_fro(ticks: int, last: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """(ticks,) positions 0 .. last, then back to 0, and so on:  0 1 2 3 2 1 0 1 2 ...   For last
    (N, 1): (N, ticks).

    So a window is filled that a short segment does not fill. (Its last frame again and again would
    become the window's median, to which changes are measured: in an expression just then, it would
    turn the face around.)
    """
    period = np.maximum(1, 2 * np.asarray(last))
    at = np.arange(ticks) % period
    return np.asarray(np.minimum(at, period - at))


class Stitcher:
    """Windows over one segment's ticks; every window's probabilities are averaged where windows
    overlap.

    Every window is judged forwards and backwards: changes are measured from the first tick that is
    judged, and an expression that one end lies in is seen from the other. A tick's score is final
    when no later window can reach it: at most `window` ticks later. The last window ends where the
    segment ends; one that is shorter than a window is a window by itself.

    A window that begins inside an expression, as the windows before it say, is lent the last
    neutral tick to begin with, so that what is held for longer than a window is still a change.
    """

    def __init__(self, window: int, stride: int, decode: Decode) -> None:
        self.window, self.stride, self.decode = window, stride, decode
        self.brief = min(BRIEF, window)
        self.buffer: deque[Float32Array] = deque(maxlen=window)  # the last ticks
        self.final: deque[float] = deque(
            maxlen=window
        )  # macro and micro together of the last ticks that are final
        self.clear(0)

    def clear(self, start: int) -> None:
        """Begin a new segment at tick `start`."""
        self.start, self.length, self.done = start, 0, 0
        self.buffer.clear()
        self.final.clear()
        self.neutral: tuple[int, Float32Array] | None = (
            None  # the last neutral tick and its features
        )
        self.sums = np.zeros(
            (self.window, 4), np.float32
        )  # macro, micro, intensity, weight of ticks done..

    def push(self, features: Float32Array) -> Scored | None:
        """Add the next tick's features; returns scores that became final, if any."""
        self.buffer.append(features)
        self.length += 1
        if self.length - self.done < self.window:
            return None
        self.judge(np.arange(self.window))
        return self.take(self.stride)

    def finish(self) -> Scored | None:
        """The segment has ended: score what is left."""
        left = self.length - self.done
        if left == 0:
            return None
        seen = len(self.buffer)
        self.judge(to_and_fro(max(self.brief, seen), seen - 1))
        return self.take(left)

    def judge(self, forwards: NDArray[np.int64]) -> None:
        """Score a window, which goes through the buffer as `forwards` says, and its mirror
        image.
        """
        seen = np.stack(self.buffer)
        first = (
            self.length - self.done - len(seen)
        )  # the buffer's first tick, counted from the first open one
        for at in (forwards, len(seen) - 1 - forwards)[
            : len(seen)
        ]:  # a single tick is its own mirror image
            self.score(*self.lent(seen[at], at + first))

    def lent(
        self, window: Float32Array, ticks: NDArray[np.int64]
    ) -> tuple[Float32Array, NDArray[np.int64]]:
        """A window and the ticks it shows, counted from the first open one; where it begins inside
        an expression, with the last neutral tick before it (and -1 for the ticks that are then not
        seen)."""
        if (
            self.neutral is None
            or self.done - self.neutral[0] > AGE
            or self.level(int(ticks[0])) < HELD
        ):
            return window, ticks
        out, shown = window.copy(), ticks.copy()
        start = out[: 2 * LENT]
        share = np.clip((np.arange(len(start)) - LENT + 1) / (LENT + 1), 0, 1).astype(np.float32)
        start[:] = self.neutral[1] + share.reshape(-1, *[1] * (start.ndim - 1)) * (
            start - self.neutral[1]
        )
        shown[:LENT] = -1
        return out, shown

    def level(self, tick: int) -> float:
        """Macro and micro together at a tick, counted from the first open one, as far as windows
        have told.
        """
        if tick < 0:
            return self.final[tick]
        sums = self.sums[tick]
        return float(sums[:2].sum() / max(sums[3], 1e-9))

    def score(self, window: Float32Array, ticks: NDArray[np.int64]) -> None:
        """Add a window's scores to the ticks that it shows (from the first open one; earlier ones
        are final).
        """
        probabilities, intensity = self.decode(window)
        ramp = np.arange(len(window)) + 0.5
        weight = np.minimum(np.minimum(ramp, ramp[::-1]) / RAMP, 1).astype(np.float32)[:, None]
        rows = np.concatenate([probabilities[:, 1:], intensity[:, None], np.ones_like(weight)], 1)
        there = ticks >= 0
        np.add.at(self.sums, ticks[there], (rows * weight)[there])

    def take(self, ticks: int) -> Scored:
        """Hand out the first `ticks` ticks as final and move on."""
        rows = self.sums[:ticks, :3] / self.sums[:ticks, 3:]
        self.sums = np.concatenate([self.sums[ticks:], np.zeros((ticks, 4), np.float32)])
        scored = Scored(self.start + self.done, rows[:, :2].copy(), rows[:, 2].copy())
        levels = scored.scores.sum(1)
        self.final.extend(levels.tolist())
        calm = np.flatnonzero(levels < NEUTRAL)
        if len(calm):
            first = self.length - len(self.buffer)  # tick of the buffer's first entry
            self.neutral = self.done + int(calm[-1]), self.buffer[self.done + int(calm[-1]) - first]
        self.done += ticks
        return scored

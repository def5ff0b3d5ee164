"""Intervals on the frame axis, their algebra, and the rules that turn frame scores into intervals.

truth   ..[=======)....      overlap(a, b)   frames in both
found   .....[=======).      iou(a, b)       frames in both / frames in either
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import total_ordering
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.errors import TruthError, UsageError

FAINT = 0.05  # of a full expression: intensities below this are much the same
HALF = 0.5  # of its highest score: where a run that fills everything begins and ends
NO_DIP = 0.9  # of the smaller peak beside it: what sinks less than to this does not sink
Kind = Literal["macro", "micro"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@total_ordering
@dataclass(frozen=True, slots=True)
class Interval:
    """Frames start .. stop - 1 of the source video's own axis (0-based, half-open), of one kind.

    apex: frame of the strongest expression, inside the interval, or None. score: 0..1. Raises
    TruthError for an interval that is empty, starts before 0, or has its apex outside.
    """

    start: int
    stop: int
    kind: Kind
    apex: int | None = None
    score: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise TruthError(
                f"expected an interval with 0 <= start < stop, got {self.start} and {self.stop}"
            )
        if self.kind not in KINDS:
            raise TruthError(f"expected kind 'macro' or 'micro', got {self.kind!r}")
        if self.apex is not None and not self.start <= self.apex < self.stop:
            raise TruthError(f"expected an apex in {self.start}..{self.stop - 1}, got {self.apex}")

    def __lt__(self, other: Interval) -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[int, int, str, int, float]:
        """For sorting; an unknown apex (None) comes before all others."""
        return self.start, self.stop, self.kind, -1 if self.apex is None else self.apex, self.score

    @classmethod
    def from_inclusive(
        cls,
        onset: int,
        offset: int,
        kind: Kind,
        *,
        first: int = 1,
        apex: int | None = None,
        score: float = 1.0,
    ) -> Interval:
        """From annotated frames, both inclusive, counted from `first` (1 in most official
        files).
        """
        shifted = None if apex is None else apex - first
        return cls(onset - first, offset - first + 1, kind, shifted, score)

    @property
    def length(self) -> int:
        """Frames in the interval."""
        return self.stop - self.start

    def overlap(self, other: Interval) -> int:
        """Frames in both:

        self    ..[=====)...
        other   .....[=====)
        shared  .....[==)...    3 of them count
        """
        return max(0, min(self.stop, other.stop) - max(self.start, other.start))

    def iou(self, other: Interval) -> float:
        """Frames in both over frames in either, 0..1; equals the inclusive count of the MEGC
        rule.
        """
        shared = self.overlap(other)
        return shared / (self.length + other.length - shared)


@dataclass(frozen=True)
class IntervalRules:
    """How frame scores become intervals. Every number is our choice, set on synthetic validation
    video.

    What is not given is as stands here, which is not as in the bundled weights: to change a few of
    a spotter's rules, give it a dictionary, or `dataclasses.replace(spotter.rules,
    macro_threshold=0.4)`. Raises UsageError.
    """

    macro_threshold: float = 0.5  # score that a macro-expression must reach, 0..1
    micro_threshold: float = 0.5  # score that a micro-expression must reach, 0..1
    macro_release: float = (
        0.6  # share of its threshold down to which an interval goes on (hysteresis)
    )
    micro_release: float = 0.6
    macro_min_s: float = 0.4  # the field says 0.5 s; a tenth less allows for blurred edges
    macro_max_s: float = 60.0  # longer than any annotated macro-expression (26 s in SAMM-LV)
    micro_min_s: float = 0.1  # three frames at the working rate
    micro_max_s: float = 0.57  # the field says 0.5 s; two frames more allow for blurred edges
    merge_gap_s: float = 0.1  # neighbours of one kind nearer than this are one
    valley: float = (
        0.5  # a dip below this share of the smaller peak beside it divides two expressions
    )
    intensity_valley: float = (
        0.0  # the same for a dip of the intensity, which sees what a sure score hides; 0: never
    )
    exclusive: bool = (
        True  # softmax scores: at each moment one kind at most; False: a micro may lie in a macro
    )

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not math.isfinite(value):
                raise UsageError(f"expected a finite number for {name}, got {value}")
            if name.endswith(("threshold", "release")) or name == "valley":
                expect(name, value, "above 0 and up to 1", 0 < value <= 1)
            elif name == "intensity_valley":
                expect(name, value, "of 0 or more and below 1", 0 <= value < 1)
        for kind in KINDS:
            low, high = getattr(self, f"{kind}_min_s"), getattr(self, f"{kind}_max_s")
            if not 0 <= low <= high < math.inf:
                raise UsageError(
                    f"expected 0 <= {kind}_min_s <= {kind}_max_s (finite), got {low} and {high}"
                )
        if not 0 <= self.merge_gap_s < math.inf:
            raise UsageError(f"expected merge_gap_s of 0 or more, got {self.merge_gap_s}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> IntervalRules:
        """Raises UsageError for unknown names and values that are no numbers."""
        known = {f.name: f.type for f in fields(cls)}
        unknown = sorted(str(name) for name in set(values) - set(known))
        if unknown:
            raise UsageError(
                f"expected interval rules ({', '.join(known)}), got {', '.join(unknown)}"
            )
        for name, value in values.items():
            wanted: type | tuple[type, ...] = bool if known[name] == "bool" else (int, float)
            if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
                raise UsageError(f"expected {known[name]} for {name}, got {value!r}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def changed(self, given: IntervalRules | Mapping[str, Any] | None) -> IntervalRules:
        """These rules with the numbers of a dictionary; whole other rules as they are; None changes
        nothing.

        Raises UsageError for unknown names and values that are no numbers.
        """
        if isinstance(given, IntervalRules):
            return given
        if given is not None and not isinstance(given, Mapping):
            raise UsageError(
                "expected rules as IntervalRules or a dictionary of some, got "
                f"{type(given).__name__}"
            )
        return IntervalRules.from_dict({**self.to_dict(), **(given or {})})

    def of(self, kind: Kind, what: str) -> float:
        """The number `what` ('threshold', 'release', 'min_s', 'max_s') of one kind."""
        value: float = getattr(self, f"{kind}_{what}")
        return value


def expect(name: str, value: float, range_: str, holds: bool) -> None:
    if not holds:
        raise UsageError(f"expected {name} {range_}, got {value}")


@dataclass(frozen=True, slots=True)
class TimedInterval:
    """An interval in seconds; offset_s is the last moment that belongs to it. score: highest frame
    score inside.
    """

    onset_s: float
    apex_s: float
    offset_s: float
    kind: Kind
    score: float


def find_intervals(
    scores: FloatArray, times: FloatArray, rules: IntervalRules, intensity: FloatArray | None = None
) -> list[TimedInterval]:
    """Intervals in frame scores (T, 2), macro and micro in 0..1, on a regular grid of times (T,) in
    seconds.

    Rows that are not numbers are unknown: they end every interval. What fills all rows between two
    unknown ones (or the ends) is not told: nothing changes by which it could be told from a face
    that always looks so. The apex is where intensity (T,), or else the score, is highest. Sorted by
    onset.
    """
    if scores.ndim != 2 or scores.shape[1] != 2 or len(scores) != len(times):
        raise UsageError(
            f"expected scores (T, 2) and times (T,), got {scores.shape} and {np.shape(times)}"
        )
    found: list[TimedInterval] = []
    for a, b in known_stretches(scores):
        part = Stretch(
            scores[a:b], times[a:b], rules, None if intensity is None else intensity[a:b]
        )
        found += part.exclusive() if rules.exclusive else part.separate()
    return sorted(found, key=lambda i: (i.onset_s, i.kind))


def decided(scores: FloatArray, step: float, rules: IntervalRules) -> int:
    """How many of the first rows of scores (T, 2) are decided: whatever rows follow, their
    intervals stay as they are, and can be found without the others.

    That is so up to the last row that is unknown, or the last but one of a neutral stretch of two
    rows or more that is longer than `merge_gap_s`. step: seconds between rows.
    """
    levels = [rules.of(kind, "threshold") * rules.of(kind, "release") for kind in KINDS]
    quiet = scores.sum(1) < min(levels) if rules.exclusive else (scores < levels).all(1)
    unknown = np.isnan(scores).any(1)
    out = int(np.flatnonzero(unknown)[-1]) + 1 if unknown.any() else 0
    for a, b in runs(np.asarray(quiet | unknown)):
        # One neutral row goes and one stays: an expression that fills all rows it is found in would
        # not be told.
        if b - a > 1 and (b - a) * step > rules.merge_gap_s + 1e-9:
            out = max(out, b - 1)
    return out


def known_stretches(scores: FloatArray) -> Iterator[tuple[int, int]]:
    """Start and stop of each unbroken stretch of known rows."""
    return runs(np.asarray(~np.isnan(scores).any(1)))


def runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Start and stop of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return ((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))


class Stretch:
    """One unbroken stretch of scores; makes its intervals."""

    def __init__(
        self,
        scores: FloatArray,
        times: FloatArray,
        rules: IntervalRules,
        intensity: FloatArray | None,
    ) -> None:
        self.scores, self.times, self.rules = scores, times, rules
        self.intensity = np.zeros(len(scores)) if intensity is None else intensity
        self.step = float(times[1] - times[0]) if len(times) > 1 else 1 / 30
        self.least = max(
            1, round(rules.micro_min_s / self.step)
        )  # rows of the shortest part that a cut may leave

    def separate(self) -> list[TimedInterval]:
        """Each kind by itself (sigmoid scores): a micro may lie inside a macro."""
        out = []
        for column, kind in enumerate(KINDS):
            track = self.scores[:, column]
            for a, b in self.merge(self.divide(track, self.hysteresis(track, kind))):
                out += self.made(track, a, b, kind, self.fits(a, b, kind))
        return out

    def exclusive(self) -> list[TimedInterval]:
        """Macro and micro share one activity (softmax scores): first where, then which kind."""
        activity = self.scores.sum(1)
        low: Kind = min(
            KINDS, key=lambda k: self.rules.of(k, "threshold") * self.rules.of(k, "release")
        )
        pieces = self.divide(activity, self.hysteresis(activity, low))
        parts = [
            part
            for piece in pieces
            for turn in self.at_turns(*piece)
            for part in self.several(*turn)
        ]
        out = []
        for piece in self.merge_kinds(parts):
            a, b = self.trim(activity, *piece)
            kind = self.kind_of(a, b)
            strong = activity[a:b].max() >= self.rules.of(kind, "threshold")
            out += self.made(activity, a, b, kind, strong and self.fits(a, b, kind))
        return out

    def stronger(self, a: int, b: int) -> Kind:
        """The kind with the larger summed score, whatever the duration."""
        macro, micro = self.scores[a:b].sum(0)
        return "macro" if macro >= micro else "micro"

    def merge_kinds(self, found: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """As `merge`, but only neighbours of one kind, and never two micros into what is too long
        for one.
        """
        out: list[tuple[int, int]] = []
        for a, b in found:
            near = bool(out) and 0 < (a - out[-1][1]) * self.step <= self.rules.merge_gap_s + 1e-9
            kind = self.stronger(a, b)
            short = near and (b - out[-1][0]) * self.step <= self.rules.of(kind, "max_s") + 1e-9
            if short and self.stronger(*out[-1]) == kind:
                out[-1] = (out[-1][0], b)
            else:
                out.append((a, b))
        return out

    def at_turns(self, a: int, b: int) -> list[tuple[int, int]]:
        """A piece cut where a sure micro begins and ends in it: expressions of two kinds may touch.

        Sure by both thresholds: a low one for micros must not cut pieces off macros, whose edges
        look a little alike.
        """
        micro, least = self.scores[a:b, 1], self.least
        sure = max(self.rules.micro_threshold, self.rules.macro_threshold)
        edges = {a, b}
        for c, d in runs(micro > self.scores[a:b, 0]):
            fits = least <= d - c and self.fits(c, d, "micro")
            if fits and micro[c:d].max() >= sure:
                edges |= {a + x for x in (c, d) if least <= x <= b - a - least}
        return list(pairwise(sorted(edges)))

    def several(self, a: int, b: int) -> list[tuple[int, int]]:
        """What looks like a micro all through but lasts too long for one, cut where the intensity
        is lowest.
        """
        if (b - a) * self.step <= self.rules.micro_max_s + 1e-9 or self.stronger(a, b) == "macro":
            return [(a, b)]
        at = deepest_valley(self.intensity[a:b] + FAINT, NO_DIP, self.least)
        return [(a, b)] if at is None else self.several(a, a + at) + self.several(a + at, b)

    def trim(self, activity: FloatArray, a: int, b: int) -> tuple[int, int]:
        """Draw in the edges to the release of the piece's own kind (the run was found with the
        lower one).
        """
        kind = self.kind_of(a, b)
        level = self.rules.of(kind, "threshold") * self.rules.of(kind, "release")
        above = np.flatnonzero(activity[a:b] >= level)
        return (a + int(above[0]), a + int(above[-1]) + 1) if len(above) else (a, b)

    def hysteresis(self, track: FloatArray, kind: Kind) -> list[tuple[int, int]]:
        """Runs that reach the threshold somewhere and stay above its release."""
        on = self.rules.of(kind, "threshold")
        found = runs(track >= on * self.rules.of(kind, "release"))
        return [self.risen(track, a, b) for a, b in found if track[a:b].max() >= on]

    def risen(self, track: FloatArray, a: int, b: int) -> tuple[int, int]:
        """A run that fills all rows, drawn in to where its score is half as high as at its highest:
        by its change it can be told, and a low threshold does not lose what a higher one finds."""
        if b - a < len(track):
            return a, b
        high = np.flatnonzero(track >= HALF * track.max())
        return int(high[0]), int(high[-1]) + 1

    def divide(self, track: FloatArray, found: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Cut runs at valleys of their scores, then at those of the intensity."""
        return self.cut(
            self.intensity + FAINT,
            self.cut(track, found, self.rules.valley),
            self.rules.intensity_valley,
        )

    def cut(
        self, track: FloatArray, found: list[tuple[int, int]], valley: float
    ) -> list[tuple[int, int]]:
        """Cut runs at valleys that are deep beside both of their peaks and leave both parts long
        enough.
        """
        out: list[tuple[int, int]] = []
        todo = found[::-1]
        while todo:
            a, b = todo.pop()
            at = deepest_valley(track[a:b], valley, self.least)
            if at is None:
                out.append((a, b))
            else:
                todo += [(a + at, b), (a, a + at)]
        return out

    def merge(self, found: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Join neighbours nearer than `merge_gap_s`; parts divided at a valley touch and stay
        apart.
        """
        out: list[tuple[int, int]] = []
        for a, b in found:
            if out and 0 < (a - out[-1][1]) * self.step <= self.rules.merge_gap_s + 1e-9:
                out[-1] = (out[-1][0], b)
            else:
                out.append((a, b))
        return out

    def kind_of(self, a: int, b: int) -> Kind:
        """The kind with the larger summed score, unless the duration allows only the other."""
        seconds = (b - a) * self.step
        if seconds > self.rules.micro_max_s + 1e-9:
            return "macro"
        if seconds < self.rules.macro_min_s - 1e-9:
            return "micro"
        return self.stronger(a, b)

    def fits(self, a: int, b: int, kind: Kind) -> bool:
        seconds = (b - a) * self.step
        return self.rules.of(kind, "min_s") - 1e-9 <= seconds <= self.rules.of(kind, "max_s") + 1e-9

    def made(
        self, track: FloatArray, a: int, b: int, kind: Kind, wanted: bool
    ) -> list[TimedInterval]:
        """The finished interval (in a list, empty where it is not wanted)."""
        if not wanted or b - a == len(track):
            return []
        known = self.intensity[a:b].max() > 0  # else weights without such an output
        strength = self.intensity[a:b] if known else track[a:b]
        apex = a + int(np.argmax(strength))
        times = self.times
        score = min(1.0, float(track[a:b].max()))
        return [
            TimedInterval(float(times[a]), float(times[apex]), float(times[b - 1]), kind, score)
        ]


def deepest_valley(track: FloatArray, share: float, least: int) -> int | None:
    """Where to cut: the lowest point that lies below `share` of the smaller peak beside it, or
    None.
    """
    n = len(track)
    if n < 2 * least + 1:
        return None
    left = np.maximum.accumulate(track)[least - 1 : n - least - 1]
    right = np.maximum.accumulate(track[::-1])[::-1][least + 1 :][: len(left)]
    middle = track[least : least + len(left)]
    depth = middle / np.maximum(np.minimum(left, right), 1e-9)
    at = int(np.argmin(depth))
    return at + least if depth[at] < share else None


def to_source_frames(
    onset_s: float, offset_s: float, frame_times: FloatArray, half_step: float
) -> tuple[int, int]:
    """First and last source frame of an interval in seconds: those from half a tick before its
    first tick to half a tick after its last; the next one after its first where frames are sparser
    than that.

    frame_times (N,) rises; half_step: half a tick, in seconds, by which a tick reaches to either
    side.
    """
    last = len(frame_times) - 1
    first_frame = min(int(np.searchsorted(frame_times, onset_s - half_step, "left")), last)
    last_frame = min(int(np.searchsorted(frame_times, offset_s + half_step, "left")) - 1, last)
    return first_frame, max(first_frame, last_frame)


def nearest_frame(time: float, frame_times: FloatArray) -> int:
    """Index of the source frame nearest in time."""
    right = min(int(np.searchsorted(frame_times, time)), len(frame_times) - 1)
    left = max(right - 1, 0)
    return (
        left
        if math.fabs(frame_times[left] - time) <= math.fabs(frame_times[right] - time)
        else right
    )

"""Frame scores -> intervals: `find_intervals` under `IntervalRules`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet._validation import require
from fesnet.apexes import choose_apex
from fesnet.errors import UsageError
from fesnet.intervals import KINDS, Kind, true_runs
from fesnet.score_runs import RunTrack, deepest_valley, merge_near
from fesnet.score_segments import INTENSITY_OFFSET, SharedSegments, SharedTracks

SATURATED_LEVEL = 0.5  # of its highest score: where a run that fills everything begins and ends
# Shares of the references at which scores are cut below them, for lower thresholds; our choice.
LEVELS = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02]
SHALLOW_VALLEY = 0.9  # of the smaller peak beside it: what sinks less than to this does not sink


@dataclass(frozen=True, eq=False)
class IntervalRules:
    """How frame scores become intervals. Every number is our choice, set on synthetic validation
    video.

    What is not given is as stands here, which is not as in the bundled weights: to change a few of
    a spotter's rules, give it a dictionary, or `dataclasses.replace(spotter.rules,
    macro_threshold=0.4)`. Raises UsageError.
    """

    macro_threshold: float = 0.5  # score that a macro-expression must reach, 0..1
    micro_threshold: float = 0.5  # score that a micro-expression must reach, 0..1
    macro_release: float = 0.6  # share of its reference down to which an interval goes on
    micro_release: float = 0.6
    macro_min_s: float = 0.4  # the field says 0.5 s; a tenth less allows for blurred edges
    macro_max_s: float = 60.0  # longer than any annotated macro-expression (26 s in SAMM-LV)
    micro_min_s: float = 0.1  # three frames at the working rate
    micro_max_s: float = 0.57  # the field says 0.5 s; two frames more allow for blurred edges
    merge_gap_s: float = 0.1  # neighbours of one kind nearer than this are one
    valley: float = 0.5  # a dip below this share of the smaller peak beside it divides two
    intensity_valley: float = 0.0  # the same for a dip of the intensity; 0: never
    exclusive: bool = True  # softmax scores: one kind at most at a time; False: micro in macro
    # Thresholds at which scores are cut; None: the thresholds themselves. `changed` leaves them.
    macro_reference: float | None = None
    micro_reference: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is None and name.endswith("reference"):
                continue
            require(math.isfinite(value), f"a finite number for {name}", value)
            if name.endswith(("threshold", "release", "reference")) or name == "valley":
                require(0 < value <= 1, f"{name} above 0 and up to 1", value)
            elif name == "intensity_valley":
                require(0 <= value < 1, f"{name} of 0 or more and below 1", value)
        for kind in KINDS:
            low, high = getattr(self, f"{kind}_min_s"), getattr(self, f"{kind}_max_s")
            limits = f"0 <= {kind}_min_s <= {kind}_max_s (finite)"
            require(0 <= low <= high < math.inf, limits, f"{low} and {high}")
        require(0 <= self.merge_gap_s < math.inf, "merge_gap_s of 0 or more", self.merge_gap_s)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> IntervalRules:
        """Raises UsageError for unknown names and values that are no numbers."""
        known = {f.name: str(f.type) for f in fields(cls)}
        unknown = sorted(str(name) for name in set(values) - set(known))
        if unknown:
            raise UsageError(
                f"expected interval rules ({', '.join(known)}), got {', '.join(unknown)}"
            )
        for name, value in values.items():
            wanted: type | tuple[type, ...] = bool if known[name] == "bool" else (int, float)
            if value is None and known[name].endswith("| None"):
                continue
            if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
                raise UsageError(f"expected {known[name]} for {name}, got {value!r}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """All rules by name; a reference only where it is not the threshold."""
        values = asdict(self)
        for kind in KINDS:
            if self.reference(kind) == self.of(kind, "threshold"):
                del values[f"{kind}_reference"]
        return values

    def __eq__(self, other: object) -> bool:
        """Equal are rules that give equal intervals, wherever a reference is written down."""
        return isinstance(other, IntervalRules) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @cached_property
    def _key(self) -> tuple[tuple[str, Any], ...]:
        """What tells them apart; made once, as a long track is cut by the same rules often."""
        return tuple(self.to_dict().items())

    def reference(self, kind: Kind) -> float:
        """The threshold of one kind at which scores are cut into intervals."""
        own: float | None = getattr(self, f"{kind}_reference")
        return self.of(kind, "threshold") if own is None else own

    def anchored(self) -> IntervalRules:
        """These rules with references, so that `dataclasses.replace` moves thresholds alone."""
        macro, micro = self.reference("macro"), self.reference("micro")
        return replace(self, macro_reference=macro, micro_reference=micro)

    def changed(self, given: IntervalRules | Mapping[str, Any] | None) -> IntervalRules:
        """These rules with the numbers of a dictionary; whole other rules as they are; None changes
        nothing.

        A threshold that is moved chooses among the same intervals: the references stay. Raises
        UsageError for unknown names and values that are no numbers.
        """
        if isinstance(given, IntervalRules):
            return given.anchored()
        if given is not None and not isinstance(given, Mapping):
            raise UsageError(
                "expected rules as IntervalRules or a dictionary of some, got "
                f"{type(given).__name__}"
            )
        return IntervalRules.from_dict({**asdict(self.anchored()), **(given or {})})

    def of(self, kind: Kind, what: str) -> float:
        """The number `what` ('threshold', 'release', 'min_s', 'max_s') of one kind."""
        value: float = getattr(self, f"{kind}_{what}")
        return value


@dataclass(frozen=True, slots=True)
class TimedInterval:
    """In seconds; offset_s is the last moment that belongs to it. score: the highest inside."""

    onset_s: float
    apex_s: float
    offset_s: float
    kind: Kind
    score: float


def find_intervals(
    scores: FloatArray,
    times: FloatArray,
    rules: IntervalRules,
    intensity: FloatArray | None = None,
    *,
    apexes: bool = True,
    shared: SharedSegments | None = None,
) -> list[TimedInterval]:
    """Intervals in frame scores (T, 2), macro and micro in 0..1, on a regular grid of times (T,) in
    seconds.

    Rows that are not numbers are unknown: they end every interval. What fills all rows between two
    unknown ones (or the ends) is no interval: without a change it may be how the face always looks.
    The apex is where intensity (T,), or else the score, is highest (`choose_apex`). By onset.

    Scores are cut into intervals at the references, and below them at fixed shares of these, the
    highest first; what overlaps an earlier one is left out. Thresholds choose among all these, so a
    lower threshold of one kind only adds intervals of that kind. apexes: False leaves each at the
    onset, for those who need the edges alone. shared: of the same scores and intensity, for those
    who cut them by many rules.
    """
    if scores.ndim != 2 or scores.shape[1] != 2 or len(scores) != len(times):
        raise UsageError(
            f"expected scores (T, 2) and times (T,), got {scores.shape} and {np.shape(times)}"
        )
    known = shared or SharedSegments(scores, intensity)
    found = cut_intervals(known, times, level_rules(rules, 1.0), apexes)
    shares = needed_shares(rules)
    taken = {kind: np.zeros(len(times), bool) for kind in KINDS if shares}
    mark_rows(found if shares else [], times, taken, rules)
    above = 1.0
    for share in shares:
        for i in cut_intervals(known, times, level_rules(rules, share), apexes):
            a, b = np.searchsorted(times, (i.onset_s, i.offset_s))
            # One above the level before was refused there for its length, not for its score.
            if i.score < above * rules.reference(i.kind) and not taken[i.kind][a : b + 1].any():
                found.append(i)
                mark_rows([i], times, taken, rules)
        above = share
    chosen = [i for i in found if i.score >= rules.of(i.kind, "threshold")]
    return sorted(chosen, key=lambda i: (i.onset_s, i.kind))


def mark_rows(
    found: Iterable[TimedInterval],
    times: FloatArray,
    taken: Mapping[Kind, NDArray[np.bool_]],
    rules: IntervalRules,
) -> None:
    """Mark the rows (T,) of intervals as taken, for both kinds where one excludes the other."""
    for i in found:
        a, b = np.searchsorted(times, (i.onset_s, i.offset_s))
        for kind in KINDS if rules.exclusive else (i.kind,):
            taken[kind][a : b + 1] = True


def needed_shares(rules: IntervalRules) -> list[float]:
    """The shares of the references at which scores are cut for thresholds below these."""
    lowest = min(rules.of(kind, "threshold") / rules.reference(kind) for kind in KINDS)
    higher = [s for s in LEVELS if s > lowest]
    return LEVELS[: len(higher) + 1] if lowest < 1 else []


@lru_cache(maxsize=512)
def level_rules(rules: IntervalRules, share: float) -> IntervalRules:
    """The rules that cut scores at a share of the references."""
    macro, micro = share * rules.reference("macro"), share * rules.reference("micro")
    lower = replace(rules, macro_threshold=macro, micro_threshold=micro)
    return replace(lower, macro_reference=None, micro_reference=None)


def cut_intervals(
    known: SharedSegments, times: FloatArray, rules: IntervalRules, apexes: bool
) -> list[TimedInterval]:
    """Intervals as in `find_intervals`, cut at one level: the thresholds of the rules."""
    found: list[TimedInterval] = []
    for a, b, tracks in known.segments:
        part = ScoreSegment(tracks, times[a:b], rules, apexes)
        found += part.exclusive_intervals() if rules.exclusive else part.separate_intervals()
    return sorted(found, key=lambda i: (i.onset_s, i.kind))


def finalized_prefix(scores: FloatArray, step: float, rules: IntervalRules) -> int:
    """How many of the first rows of scores (T, 2) are final: their intervals do not depend on rows
    that follow.

    The prefix ends after the last unknown row, or before the last row of a neutral segment of two
    rows or more that is longer than `merge_gap_s`. step: seconds between rows.
    """
    share = min([1.0, *needed_shares(rules)])  # neutral for the lowest cut is so for all
    levels = [share * rules.reference(kind) * rules.of(kind, "release") for kind in KINDS]
    quiet = scores.sum(1) < min(levels) if rules.exclusive else (scores < levels).all(1)
    unknown = np.isnan(scores).any(1)
    out = int(np.flatnonzero(unknown)[-1]) + 1 if unknown.any() else 0
    for a, b in true_runs(np.asarray(quiet | unknown)):
        # One neutral row goes and one stays: an expression that fills all its rows is no interval.
        if b - a > 1 and (b - a) * step > rules.merge_gap_s + 1e-9:
            out = max(out, b - 1)
    return out


class ScoreSegment:
    """One unbroken segment of known scores, and its intervals."""

    def __init__(
        self, tracks: SharedTracks, times: FloatArray, rules: IntervalRules, apexes: bool = True
    ) -> None:
        self.tracks, self.apexes = tracks, apexes
        self.scores, self.times, self.rules = tracks.scores, times, rules
        self.intensity = tracks.intensity
        self.step = float(times[1] - times[0]) if len(times) > 1 else 1 / 30
        self.min_rows = max(
            1, round(rules.micro_min_s / self.step)
        )  # rows of the shortest part that a cut may leave

    def separate_intervals(self) -> list[TimedInterval]:
        """Each kind by itself (sigmoid scores): a micro may lie inside a macro."""
        out = []
        for track, kind in zip(self.tracks.kinds, KINDS, strict=True):
            parts = self.split_at_valleys(track, self.hysteresis(track, kind))
            for a, b in merge_near(parts, self.rules.merge_gap_s + 1e-9, self.step):
                wanted = self.has_valid_duration(a, b, kind)
                out += self.build_interval(track.values, a, b, kind, wanted)
        return out

    def exclusive_intervals(self) -> list[TimedInterval]:
        """Macro and micro share one activity (softmax scores): first where, then which kind."""
        low: Kind = min(
            KINDS, key=lambda k: self.rules.of(k, "threshold") * self.rules.of(k, "release")
        )
        runs = self.hysteresis(self.tracks.activity, low)
        pieces = self.split_at_valleys(self.tracks.activity, runs)
        parts = [
            part
            for piece in pieces
            for turn in self.split_at_kind_change(*piece)
            for part in self.split_long_micro(*turn)
        ]
        activity, out = self.tracks.activity.values, []
        for piece in self.merge_kinds(parts):
            a, b = self.trim_to_release(activity, *piece)
            kind = self.kind_of(a, b)
            strong = activity[a:b].max() >= self.rules.of(kind, "threshold")
            out += self.build_interval(
                activity, a, b, kind, strong and self.has_valid_duration(a, b, kind)
            )
        return out

    def stronger_kind(self, a: int, b: int) -> Kind:
        """The kind with the larger summed score, whatever the duration."""
        known = self.tracks.stronger.get((a, b))
        if known is None:
            macro, micro = self.scores[a:b].sum(0)
            known = self.tracks.stronger[a, b] = "macro" if macro >= micro else "micro"
        return known

    def micro_runs(self, a: int, b: int) -> list[tuple[int, int, float]]:
        """Runs in rows a .. b - 1 where a micro is likelier than a macro, from a on, and the
        micro score's peaks in them."""
        known = self.tracks.micro_runs.get((a, b))
        if known is None:
            micro = self.scores[a:b, 1]
            runs = true_runs(micro > self.scores[a:b, 0])
            known = self.tracks.micro_runs[a, b] = [(c, d, micro[c:d].max()) for c, d in runs]
        return known

    def merge_kinds(self, found: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """As `merge_near` for neighbours of one kind, but never two micros into what is too long
        for one.
        """
        out: list[tuple[int, int]] = []
        for a, b in found:
            near = bool(out) and 0 < (a - out[-1][1]) * self.step <= self.rules.merge_gap_s + 1e-9
            kind = self.stronger_kind(a, b)
            short = near and (b - out[-1][0]) * self.step <= self.rules.of(kind, "max_s") + 1e-9
            if short and self.stronger_kind(*out[-1]) == kind:
                out[-1] = (out[-1][0], b)
            else:
                out.append((a, b))
        return out

    def split_at_kind_change(self, a: int, b: int) -> list[tuple[int, int]]:
        """A piece cut where a sure micro begins and ends in it: expressions of two kinds may touch.

        Sure by both thresholds: a low one for micros must not cut pieces off macros, whose edges
        look a little alike.
        """
        least = self.min_rows
        sure = max(self.rules.micro_threshold, self.rules.macro_threshold)
        edges = {a, b}
        for c, d, peak in self.micro_runs(a, b):
            fits = least <= d - c and self.has_valid_duration(c, d, "micro")
            if fits and peak >= sure:
                edges |= {a + x for x in (c, d) if least <= x <= b - a - least}
        return list(pairwise(sorted(edges)))

    def split_long_micro(self, a: int, b: int) -> list[tuple[int, int]]:
        """What looks like a micro all through but lasts too long for one, cut where the intensity
        is lowest.
        """
        if (b - a) * self.step <= self.rules.micro_max_s + 1e-9 or self.stronger_kind(
            a, b
        ) == "macro":
            return [(a, b)]
        at = deepest_valley(self.intensity[a:b] + INTENSITY_OFFSET, SHALLOW_VALLEY, self.min_rows)
        return (
            [(a, b)]
            if at is None
            else self.split_long_micro(a, a + at) + self.split_long_micro(a + at, b)
        )

    def trim_to_release(self, activity: FloatArray, a: int, b: int) -> tuple[int, int]:
        """Draw in the edges to the release of the piece's own kind (the run was found with the
        lower one).
        """
        kind = self.kind_of(a, b)
        level = self.rules.of(kind, "threshold") * self.rules.of(kind, "release")
        above = np.flatnonzero(activity[a:b] >= level)
        return (a + int(above[0]), a + int(above[-1]) + 1) if len(above) else (a, b)

    def hysteresis(self, track: RunTrack, kind: Kind) -> list[tuple[int, int]]:
        """Runs that reach the kind's threshold and stay above its release."""
        found = track.hysteresis(self.rules.of(kind, "threshold"), self.rules.of(kind, "release"))
        return [self.trim_saturated(track.values, a, b) for a, b in found]

    def trim_saturated(self, track: FloatArray, a: int, b: int) -> tuple[int, int]:
        """A run that fills all rows, cut to where its score is half its highest. So a low threshold
        does not lose what a higher one finds.
        """
        if b - a < len(track):
            return a, b
        high = np.flatnonzero(track >= SATURATED_LEVEL * track.max())
        return int(high[0]), int(high[-1]) + 1

    def split_at_valleys(
        self, track: RunTrack, found: list[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Cut runs at valleys of their scores, then at those of the intensity."""
        by_score = track.split(found, self.rules.valley, self.min_rows)
        dip = self.rules.intensity_valley
        return self.tracks.strength.split(by_score, dip, self.min_rows)

    def kind_of(self, a: int, b: int) -> Kind:
        """The kind with the larger summed score, unless the duration allows only the other."""
        seconds = (b - a) * self.step
        if seconds > self.rules.micro_max_s + 1e-9:
            return "macro"
        if seconds < self.rules.macro_min_s - 1e-9:
            return "micro"
        return self.stronger_kind(a, b)

    def has_valid_duration(self, a: int, b: int, kind: Kind) -> bool:
        seconds = (b - a) * self.step
        return self.rules.of(kind, "min_s") - 1e-9 <= seconds <= self.rules.of(kind, "max_s") + 1e-9

    def build_interval(
        self, track: FloatArray, a: int, b: int, kind: Kind, wanted: bool
    ) -> list[TimedInterval]:
        """The finished interval (in a list, empty where it is not wanted)."""
        if not wanted or b - a == len(track):
            return []
        apex = self.find_apex(track, a, b, kind) if self.apexes else a
        times = self.times
        score = min(1.0, float(track[a:b].max()))
        return [
            TimedInterval(float(times[a]), float(times[apex]), float(times[b - 1]), kind, score)
        ]

    def find_apex(self, track: FloatArray, a: int, b: int, kind: Kind) -> int:
        """Where intensity is highest; the score, for weights without such an output."""
        known = self.intensity[a:b].max() > 0
        return choose_apex(self.intensity if known else track, a, b, kind)

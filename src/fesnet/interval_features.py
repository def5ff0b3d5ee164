"""What a coder would ask about a candidate interval, as numbers: what moved, and what went on
around it.

    scores, intensity, landmark features on steps (ContextTrack) + candidates -> features (N, F)

Every feature looks at most `LOOK_AHEAD_S` past the offset and `LOOK_BACK_S` before the onset, so a
candidate's features are final when the track is known that far. All windows and units are our
choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.faces.landmark_features import (
    BROWS,
    CHEEKS,
    EXPRESSIVE_LANDMARKS,
    JAW,
    LIDS,
    LIPS,
    NOSE,
    ROTATION_UNIT,
)
from fesnet.proposals import Proposal, step_of

Steps = NDArray[np.int64]

# The windows below and their moving means reach 2.9 s; the rest is spare.
LOOK_AHEAD_S = 4.0  # behind the offset
LOOK_BACK_S = 4.0  # before the onset
AROUND_S = 2.5  # on either side: is this mouth speaking, is this head turning
APART_S = 0.1  # left out between an interval and what is around it
REFERENCE_S = 0.4  # before the onset, or behind the offset: the face to compare with
LATE_S = (
    0.15  # what begins or ends this near (s) to where the face is known from or to has an open edge
)
SMOOTH = 5  # steps of a moving mean over landmark features: landmarks tremble
FAST_S = 0.53  # a motion of the mouth that is gone from a moving mean this long is speech's
# Slow motion: what is left of the way within so many steps when a moving mean takes out the fast
# one. Not of single steps: between the frames of a video of 15 Hz every motion is smooth.
SLOW_SMOOTH, SLOW_LAG = 9, 4
LEAST_WAY = 2e-4  # a mean way in units of landmark features, below which nothing moves
REGIONS: dict[str, tuple[int, ...]] = {
    "brows": BROWS,
    "lids": LIDS,
    "nose": NOSE,
    "cheeks": CHEEKS,
    "lips": LIPS,
    "jaw": JAW,
}
COLUMNS: dict[str, slice] = {}
for _name, _points in REGIONS.items():
    _first = 2 * EXPRESSIVE_LANDMARKS.index(_points[0])
    COLUMNS[_name] = slice(_first, _first + 2 * len(_points))
POSE = slice(2 * len(EXPRESSIVE_LANDMARKS), 2 * len(EXPRESSIVE_LANDMARKS) + 3)  # yaw, pitch, roll


# A mouth that is calm around an interval, and a head that is still around it, 0..1: half where the
# compressed speed of the lips, or of the head's turning, has the first value; the second is the
# steepness. In a busy face the same votes, scores and motions say less.
CALM, STILL = (0.9, 5.0), (0.6, 5.0)
WHERE_CALM = ("votes", "mean_score", "intensity", "moved_lips", "moved_brows")
WHERE_STILL = ("votes", "mean_score", "intensity", "moved_lips")

FEATURES = (
    *("score", "mean_score", "macro", "micro", "votes", "duration"),
    *("intensity", "mean_intensity", "intensity_around"),
    *(f"moved_{name}" for name in REGIONS),
    *(f"share_{name}" for name in REGIONS if name != "nose"),
    *("back", "return", "corners_up", "mouth_open", "upper_lip_up"),
    *("brows_up", "brows_apart", "cheeks_up"),
    *("speed_lips", "speed_lips_core", "flutter", "flutter_around"),
    *("turn_range", "turning_around", "turned", "open_start"),
    *(f"calm_{name}" for name in WHERE_CALM),
    *(f"still_{name}" for name in WHERE_STILL),
    *("slow", "slow_lips"),
)


@dataclass(frozen=True, eq=False)
class ContextTrack:
    """One face on the working grid, as far as it is known.

    times (T,) s, regular; scores (T, 2) macro and micro, 0..1; intensity (T,);
    landmark_features (T, S) of `compute_landmark_features`. Rows that are not numbers are unknown.
    """

    times: FloatArray
    scores: FloatArray
    intensity: FloatArray
    landmark_features: FloatArray


def column(landmark: int, axis: int) -> int:
    """Where a landmark's x (0) or y (1) stands among landmark features."""
    return 2 * EXPRESSIVE_LANDMARKS.index(landmark) + axis


def mean_of(features: FloatArray, landmarks: Sequence[int], axis: int) -> FloatArray:
    """(T,) mean displacement of some landmarks along x (0) or y (1, down)."""
    columns = features[:, columns_of(tuple(landmarks), axis)]
    return np.asarray(np.add.reduce(columns, 1) / columns.shape[1])


@cache
def columns_of(landmarks: tuple[int, ...], axis: int) -> NDArray[np.int64]:
    """Where landmarks' x (0) or y (1) stand among landmark features."""
    return np.array([column(p, axis) for p in landmarks])


def gestures(features: FloatArray) -> dict[str, FloatArray]:
    """Signed motions (T,) that a coder names, in units of landmark features (T, S).

    Named: corners raised (AU 12), mouth open (25-27), upper lip raised (10), brows raised (1, 2),
    brows together (4), cheeks raised (6).
    """
    corners = mean_of(features, (61, 291), 1)
    return {
        "corners_up": mean_of(features, (0, 17), 1) - corners,
        "mouth_open": mean_of(features, (14,), 1) - mean_of(features, (13,), 1),
        "upper_lip_up": -mean_of(features, (0, 37, 267), 1),
        "brows_up": -mean_of(features, BROWS, 1),
        "brows_apart": mean_of(features, (336,), 0) - mean_of(features, (107,), 0),
        "cheeks_up": -mean_of(features, CHEEKS, 1),
    }


def smooth(values: FloatArray, steps: int) -> FloatArray:
    """Moving mean over `steps` (odd) of rows (T, D); unknown rows are left out, and stay
    unknown."""
    known = np.asarray(~np.isnan(values).any(1))
    filled = np.where(known[:, None], values, 0.0)
    half = steps // 2
    sums = window_sums(filled, half)
    counts = window_sums(known[:, None].astype(np.float64), half)
    out = sums / np.maximum(counts, 1)
    out[~known] = np.nan
    return out


def window_sums(values: FloatArray, half: int) -> FloatArray:
    """(T, D) sums of rows t - half .. t + half, cut at the ends.

    Added row by row, not by differences of running sums: so a part of a track gives the same bits
    as the whole.
    """
    n = len(values)
    out = np.zeros_like(values)
    for lag in range(-half, half + 1):
        if abs(lag) < n:
            out[max(0, -lag) : n - max(0, lag)] += values[max(0, lag) : n - max(0, -lag)]
    return out


class ContextFeatures:
    """Features of candidates in one track. Everything that no candidate enters is computed once."""

    def __init__(self, track: ContextTrack) -> None:
        self.track = track
        self.step = step_of(track.times)
        self.activity = track.scores.sum(1)
        self.known = ~np.isnan(self.activity)
        features = smooth(track.landmark_features, SMOOTH)
        self.displacement = features[:, : POSE.start]
        self.ways = ways(track.landmark_features[:, : POSE.start])
        self.turn = features[:, POSE] / ROTATION_UNIT
        lips = self.displacement[:, COLUMNS["lips"]]
        self.lip_speed = np.abs(np.diff(lips, axis=0, prepend=lips[:1])).mean(1) / self.step
        self.turning = np.abs(np.diff(self.turn, axis=0, prepend=self.turn[:1])).sum(1) / self.step
        opening = gestures(features)["mouth_open"][:, None]
        slow = smooth(opening, 2 * round(FAST_S / self.step / 2) + 1)
        self.flutter = np.abs(opening - slow)[:, 0]

    def steps(self, seconds: float) -> int:
        return round(seconds / self.step)

    def span(self, start: int, stop: int) -> slice:
        """Steps of the track in start .. stop."""
        return slice(max(0, start), max(0, min(stop, len(self.known))))

    def around(self, p: Proposal) -> Steps:
        """Steps near the candidate on either side, without those at its edges."""
        apart, reach = self.steps(APART_S), self.steps(AROUND_S)
        before = np.arange(max(0, p.start - reach), max(0, p.start - apart))
        behind = np.arange(
            min(len(self.known), p.stop + apart), min(len(self.known), p.stop + reach)
        )
        return np.concatenate([before, behind])

    def of(self, p: Proposal) -> dict[str, float]:
        """All features of a candidate, as measured (not yet compressed)."""
        inside, around = np.arange(p.start, p.stop, dtype=np.int64), self.around(p)
        out = {
            **self.of_scores(p, inside, around),
            **self.of_motion(p),
            **self.of_mouth(inside, around),
            **self.of_head(inside, around),
            **self.of_speed(np.concatenate([inside, around])),
            "open_start": float(self.is_open(p.start - self.steps(LATE_S), p.start)),
        }
        calm = rest_share(mean(self.lip_speed[around]), CALM)
        still = rest_share(out["turning_around"], STILL)
        out |= {f"calm_{name}": calm * out[name] for name in WHERE_CALM}
        return out | {f"still_{name}": still * out[name] for name in WHERE_STILL}

    def of_scores(self, p: Proposal, inside: Steps, around: Steps) -> dict[str, float]:
        scores, intensity = self.track.scores, self.track.intensity
        return {
            "score": float(self.activity[inside].max()),
            "mean_score": mean(self.activity[inside]),
            "macro": mean(scores[inside, 0]),
            "micro": mean(scores[inside, 1]),
            "intensity": highest(intensity[inside]),
            "mean_intensity": mean(intensity[inside]),
            "intensity_around": mean(intensity[around]),
            "duration": (p.stop - p.start) * self.step,
            "votes": p.votes,
        }

    def rest(self, p: Proposal) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Displacements (S,) before, in the middle and behind; the middle's own edges where
        nothing is known there."""
        third = max(1, (p.stop - p.start) // 3)
        at = p.start + int(np.argmax(np.nan_to_num(self.track.intensity[p.start : p.stop])))
        middle = row(
            self.displacement[self.span(max(p.start, at - 2), min(p.stop, at + 3))],
            self.displacement[at],
        )
        n = self.steps(REFERENCE_S)
        edge = min(3, third)
        before = row(
            self.displacement[self.span(p.start - n, p.start)],
            row(self.displacement[p.start : p.start + edge], middle),
        )
        behind = row(
            self.displacement[self.span(p.stop, p.stop + n)],
            row(self.displacement[p.stop - edge : p.stop], middle),
        )
        return before, middle, behind

    def of_motion(self, p: Proposal) -> dict[str, float]:
        """What moved between the middle and the faces before and behind, and what came back."""
        before, middle, behind = self.rest(p)
        near, far = np.abs(middle - before), np.abs(middle - behind)
        risen = {name: plain_mean(near[columns]) for name, columns in COLUMNS.items()}
        total = sum(risen.values()) + 1e-3
        both = np.minimum(near, far)
        out = {f"moved_{name}": plain_mean(both[columns]) for name, columns in COLUMNS.items()}
        out |= {f"share_{name}": value / total for name, value in risen.items()}
        out |= {"back": plain_mean(np.abs(behind - before)), "return": plain_mean(far)}
        for name, (first, peak, last) in gestures(np.stack([before, middle, behind])).items():
            out[name] = float(peak - (first + last) / 2)
        return out

    def of_mouth(self, inside: Steps, around: Steps) -> dict[str, float]:
        """Whether this mouth speaks, within and around."""
        quarter = len(inside) // 4
        core = inside[quarter : max(quarter + 1, 3 * len(inside) // 4)]
        return {
            "speed_lips": mean(self.lip_speed[inside]),
            "speed_lips_core": mean(self.lip_speed[core]),
            "flutter": mean(self.flutter[inside]),
            "flutter_around": mean(self.flutter[around]),
        }

    def of_head(self, inside: Steps, around: Steps) -> dict[str, float]:
        turn = self.turn[inside]
        whole = bool(np.isfinite(turn).all(1).any())
        return {
            "turn_range": float((np.nanmax(turn, 0) - np.nanmin(turn, 0)).sum()) if whole else 0.0,
            "turning_around": mean(self.turning[around]),
            "turned": float(np.nanmax(np.abs(turn))) if whole else 0.0,
        }

    def of_speed(self, near: Steps) -> dict[str, float]:
        """How much of the motion within and around is slow: little where somebody speaks or walks,
        a hand covers the face, or landmarks tremble."""
        return {
            name: mean(slow[near]) / (mean(way[near]) + LEAST_WAY)
            for name, (slow, way) in self.ways.items()
        }

    def is_open(self, start: int, stop: int) -> bool:
        """Whether the face is unknown somewhere in steps start .. stop - 1."""
        known = self.known[self.span(start, stop)]
        return len(known) < stop - start or not known.all()

    def has_open_edge(self, p: Proposal) -> bool:
        """Whether an edge may be where the face came or went, not where an expression did."""
        n = self.steps(LATE_S)
        return self.is_open(p.start - n, p.start) or self.is_open(p.stop, p.stop + n)


def ways(displacement: FloatArray) -> dict[str, tuple[FloatArray, FloatArray]]:
    """How far landmarks go in `SLOW_LAG` steps, slowly and in all: (T,) each, means over the face
    and over the lips of displacements (T, S)."""
    slow = smooth(displacement, SLOW_SMOOTH)
    columns = {"slow": slice(None), "slow_lips": COLUMNS["lips"]}
    return {
        name: (way_of(slow[:, part]), way_of(displacement[:, part]))
        for name, part in columns.items()
    }


def way_of(values: FloatArray) -> FloatArray:
    """(T,) mean absolute change of (T, D) in `SLOW_LAG` steps; not a number where it is unknown."""
    out = np.full(len(values), np.nan)
    change = np.abs(values[SLOW_LAG:] - values[:-SLOW_LAG])
    out[SLOW_LAG:] = np.add.reduce(change, 1) / values.shape[1]
    return out


def rest_share(speed: float, curve: tuple[float, float]) -> float:
    """How much at rest, 0..1, at a mean speed >= 0."""
    middle, steepness = curve
    return float(1 / (1 + np.exp(steepness * (np.log1p(4 * speed) - middle))))


def plain_mean(values: FloatArray) -> float:
    """Mean of (N,), N > 0: as `numpy.mean`, which takes three times as long for so few."""
    return float(np.add.reduce(values) / len(values))


def mean(values: FloatArray) -> float:
    """Mean of what is known, 0 where nothing is."""
    known = values[~np.isnan(values)]
    return plain_mean(known) if len(known) else 0.0


def highest(values: FloatArray) -> float:
    """Highest of what is known, 0 where nothing is."""
    known = values[~np.isnan(values)]
    return float(np.maximum.reduce(known)) if len(known) else 0.0


def row(rows: FloatArray, otherwise: FloatArray) -> FloatArray:
    """Mean row (S,) of those that are known; `otherwise` where none is."""
    known = rows[~np.isnan(rows).any(1)] if rows.ndim == 2 else rows[:0]
    if not len(known):
        return np.nan_to_num(otherwise)
    return np.asarray(np.add.reduce(known, 0) / len(known))


def compress(values: FloatArray) -> FloatArray:
    """Signed logarithm: a few huge amplitudes must not decide."""
    return np.asarray(np.sign(values) * np.log1p(4 * np.abs(values)))

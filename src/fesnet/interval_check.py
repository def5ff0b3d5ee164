"""How likely a coder would agree with a candidate interval, and which candidates stand.

    candidates -> features of their context -> logit -> mean over its like -> probability
    candidates -> suppression across kinds -> each kind's threshold -> intervals

The check is a logistic regression over named features (`fesnet.interval_features`) for each kind.
Many candidates are one interval with edges a little apart, and what is said of each trembles with
them: their mean says more than the highest of them.
Suppression comes before the thresholds and knows none, so a lower threshold of one kind only ever
adds intervals of that kind.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fesnet._io import LARGEST_SETTINGS, atomic_write_text, file_sha256, load_json, read_text_file
from fesnet._types import FloatArray
from fesnet.apexes import choose_apex
from fesnet.errors import CheckpointError
from fesnet.interval_features import FEATURES, LOOK_AHEAD_S, ContextFeatures, ContextTrack, compress
from fesnet.intervals import Kind
from fesnet.proposals import Proposal, finalized_rows, propose, step_of
from fesnet.weights import CHECK, CONFIG

SCHEMA = "fesnet-interval-check/2"
# share of the shorter of two candidates from which the less likely one goes; our choice
OVERLAP = 0.3
# IoU above which candidates of one kind are alike, and count for one another; our choice
ALIKE = 0.5
MICRO_MAX_S = 0.57  # s: what lasts no longer is a micro-expression; as in the bundled rules


@dataclass(frozen=True, slots=True)
class Candidate:
    """Steps start .. stop - 1 (half-open), its strongest step, kind, and the probability that a
    coder agrees."""

    start: int
    stop: int
    apex: int
    kind: Kind
    probability: float


@dataclass(frozen=True)
class KindWeights:
    """Logistic regression for the candidates of one kind.

    Features are compressed, centred and scaled, then weighed and added; slope and shift carry the
    sum to a calibrated logit. Raises CheckpointError for numbers that cannot be.
    """

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    slope: float = 1.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        numbers = (*self.centre, *self.scale, *self.weights, self.bias, self.slope, self.shift)
        sizes = {len(self.centre), len(self.scale), len(self.weights)}
        if len(sizes) != 1 or not all(math.isfinite(v) for v in numbers):
            raise CheckpointError(
                "expected an interval check of as many finite numbers as names, got others"
            )
        if not self.slope > 0 or not all(s > 0 for s in self.scale):
            raise CheckpointError(
                "expected an interval check with a slope and scales above 0, got others"
            )

    def logits(self, features: FloatArray) -> FloatArray:
        """(N,) calibrated, of features (N, F) as measured."""
        standard = (compress(features) - np.array(self.centre)) / np.array(self.scale)
        raw = standard @ np.array(self.weights) + self.bias
        return np.asarray(self.slope * raw + self.shift)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> KindWeights:
        kept = {f.name: values[f.name] for f in fields(cls)}
        for name, value in kept.items():
            kept[name] = tuple(map(float, value)) if isinstance(value, list) else float(value)
        return cls(**kept)


@dataclass(frozen=True)
class IntervalCheck:
    """One logistic regression for each kind, over the same named features.

    What lasts at most micro_max_s is a micro-expression. averaged: a candidate's logit is the mean
    over those that are alike (`average_alike`); checks of earlier versions were fitted without.
    """

    names: tuple[str, ...]
    macro: KindWeights
    micro: KindWeights
    micro_max_s: float = MICRO_MAX_S
    averaged: bool = False

    def __post_init__(self) -> None:
        unknown = sorted(set(self.names) - set(FEATURES))
        if unknown:
            raise CheckpointError(
                f"expected a check of features that this version knows, got {unknown[0]!r}"
            )
        if {len(self.macro.weights), len(self.micro.weights)} != {len(self.names)}:
            raise CheckpointError(
                "expected an interval check of as many finite numbers as names, got others"
            )
        if not math.isfinite(self.micro_max_s):
            raise CheckpointError("expected an interval check with a longest micro, got none")
        if not isinstance(self.averaged, bool):
            raise CheckpointError(
                f"expected averaged as true or false in an interval check, got {self.averaged!r}"
            )

    def probabilities(
        self, proposals: Sequence[Proposal], features: FloatArray, micro: NDArray[np.bool_]
    ) -> FloatArray:
        """(N,) calibrated, 0..1, of proposals, sorted by start, and their features (N, F) as
        measured; micro (N,): short enough for a micro-expression.
        """
        logits = np.where(micro, self.micro.logits(features), self.macro.logits(features))
        return logistic(average_alike(logits, proposals, micro) if self.averaged else logits)

    def to_json(self) -> str:
        values = {"schema": SCHEMA, **asdict(self)}
        return json.dumps(values, indent=1) + "\n"

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> IntervalCheck:
        """Raises CheckpointError for what is no interval check."""
        if values.get("schema") != SCHEMA:
            raise CheckpointError(
                f"expected an interval check of schema {SCHEMA}, got {values.get('schema')!r}"
            )
        try:
            return cls(
                tuple(map(str, values["names"])),
                KindWeights.from_values(values["macro"]),
                KindWeights.from_values(values["micro"]),
                float(values["micro_max_s"]),
                values.get("averaged", False),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"expected a whole interval check, but it is damaged ({error!r})"
            ) from error

    @classmethod
    def from_json(cls, path: Path) -> IntervalCheck:
        """Raises CheckpointError for a file that is no interval check."""
        try:
            values = load_json(read_text_file(path, LARGEST_SETTINGS))
        except (OSError, ValueError, RecursionError) as error:
            raise CheckpointError(f"expected an interval check in {path}, but {error}") from error
        if not isinstance(values, dict):
            raise CheckpointError(
                f"expected an interval check in {path}, got {type(values).__name__}"
            )
        return cls.from_values(values)


def load_check(folder: Path) -> IntervalCheck | None:
    """The check of a weights folder, None where it has none. Raises CheckpointError."""
    path = folder / CHECK
    return IntervalCheck.from_json(path) if path.exists() else None


def install_check(folder: Path, check: IntervalCheck, thresholds: Mapping[Kind, float]) -> None:
    """Put a check into a weights folder, and its sha256 and the thresholds of its probabilities
    into the folder's config.
    """
    atomic_write_text(folder / CHECK, check.to_json())
    values = load_json((folder / CONFIG).read_text(encoding="utf-8"))
    values["sha256"][CHECK] = file_sha256(folder / CHECK)
    values["rules"] |= {f"{kind}_threshold": t for kind, t in thresholds.items()}
    atomic_write_text(folder / CONFIG, json.dumps(values, indent=1) + "\n")


def logistic(logits: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))))


def check_candidates(
    track: ContextTrack, check: IntervalCheck, rows: tuple[int, int] | None = None
) -> list[Candidate]:
    """The candidates of one face that stand, whatever their probability; sorted by start.

    None overlap much. rows: as of `candidate_features`.
    """
    proposals, features, micro = candidate_features(track, check.names, check.micro_max_s, rows)
    if not proposals:
        return []
    kinds: list[Kind] = ["micro" if short else "macro" for short in micro]
    probabilities = np.round(check.probabilities(proposals, features, micro), 4)
    every = [
        Candidate(p.start, p.stop, apex(track, p, kind), kind, float(q))
        for p, kind, q in zip(proposals, kinds, probabilities, strict=True)
    ]
    return suppress(every)


def finalized_candidates(
    track: ContextTrack,
    check: IntervalCheck,
    *,
    ended: bool = False,
    before: int = 0,
    ahead_s: float = LOOK_AHEAD_S,
) -> tuple[list[Candidate], int]:
    """Candidates of a growing track that no later row can change, and the row up to which they lie.

    That row is neutral or unknown, and the track is known `ahead_s` further. Where that is less
    than `LOOK_AHEAD_S`, a candidate is judged by what is known then. A stream may drop what lies
    `LOOK_BACK_S` before such a row: candidates from there on stay the same. ended: no row follows,
    all are final. before: the caller has the candidates up to this row; where no later one is
    final, none is looked for.
    """
    if ended or not len(track.times):
        return check_candidates(track, check), len(track.times)
    rows = finalized_step(track.times, track.scores, ahead_s)
    if rows <= before:
        return [], rows
    return [c for c in check_candidates(track, check, (before, rows)) if c.stop <= rows], rows


def finalized_step(times: FloatArray, scores: FloatArray, ahead_s: float = LOOK_AHEAD_S) -> int:
    """The row of a growing track (T,), (T, 2) up to which candidates are final, judged by what is
    known `ahead_s` behind it."""
    step = step_of(times)
    known = max(0, len(times) - round(ahead_s / step))
    return finalized_rows(scores[:known], step) if known else 0


def candidate_features(
    track: ContextTrack,
    names: Sequence[str],
    micro_max_s: float = MICRO_MAX_S,
    rows: tuple[int, int] | None = None,
) -> tuple[list[Proposal], FloatArray, NDArray[np.bool_]]:
    """Proposals, their features (N, F) as measured, and whether each is short enough for a
    micro-expression (N,).

    A short one with an edge where the face came or went is left out: its duration is not known.
    rows: those in these rows alone, which begin and end at rows that no candidate crosses.
    """
    context = ContextFeatures(track)
    first, last = rows or (0, len(track.times))
    kept, values_of, short = [], [], []
    part = slice(first, last + 1)  # one neutral row more, so that no expression fills it
    for found in propose(track.scores[part], track.times[part], track.intensity[part]):
        p = replace(found, start=found.start + first, stop=found.stop + first)
        micro = (p.stop - p.start) * context.step <= micro_max_s + 1e-9
        if micro and context.has_open_edge(p):
            continue
        values = context.of(p)
        kept.append(p)
        values_of.append([values[name] for name in names])
        short.append(micro)
    features = np.array(values_of, np.float64).reshape(len(values_of), len(names))
    return kept, features, np.array(short, bool)


def average_alike(
    logits: FloatArray, proposals: Sequence[Proposal], micro: NDArray[np.bool_]
) -> FloatArray:
    """Logits (N,) of proposals, sorted by start: each the mean over those of its kind that overlap
    it by an IoU above `ALIKE`.

    A proposal weighs by its votes, and by how far its IoU is above `ALIKE`.
    The sums hold nothing else, so a part of a track gives the same bits as the whole.
    """
    starts = np.array([p.start for p in proposals])
    stops = np.array([p.stop for p in proposals])
    votes = np.array([p.votes for p in proposals])
    out = np.empty(len(proposals))
    for k, p in enumerate(proposals):
        length = p.stop - p.start  # what begins further away has an IoU below a half
        near = slice(*np.searchsorted(starts, (p.start - length, p.start + length)))
        shared = np.minimum(stops[near], p.stop) - np.maximum(starts[near], p.start)
        whole = np.maximum(stops[near], p.stop) - np.minimum(starts[near], p.start)
        weights = votes[near] * (shared / whole - ALIKE) * (micro[near] == micro[k])
        alike = weights > 0
        weights = weights[alike]
        out[k] = np.add.reduce(weights * logits[near][alike]) / np.add.reduce(weights)
    return out


def apex(track: ContextTrack, p: Proposal, kind: Kind) -> int:
    """The step where the intensity, or else the score, is highest (`choose_apex`)."""
    known = np.any(np.nan_to_num(track.intensity[p.start : p.stop]) > 0)
    return choose_apex(track.intensity if known else track.scores.sum(1), p.start, p.stop, kind)


def suppress(candidates: Sequence[Candidate], most: float = OVERLAP) -> list[Candidate]:
    """Non-maximum suppression across kinds: the likeliest stay, what overlaps them much goes.

    Overlap is measured in shares of the shorter one. Ties go to the earlier, then the longer one.
    Sorted by start.
    """
    kept: list[
        tuple[int, int, Candidate]
    ] = []  # sorted by start; hardly any overlap, so stops rise as well
    for c in sorted(candidates, key=lambda c: (-c.probability, c.start, -c.stop)):
        at = bisect_left(kept, (c.start, c.stop))
        if not any(overlaps(c, other, most) for *_, other in beside(kept, at, c)):
            insort(kept, (c.start, c.stop, c), key=lambda k: k[:2])
    return [c for *_, c in kept]


def beside(
    kept: Sequence[tuple[int, int, Candidate]], at: int, c: Candidate
) -> list[tuple[int, int, Candidate]]:
    """Those kept that may overlap a candidate whose place is `at`.

    Of three intervals around one point, two overlap by more than .3 of the shorter. So at most two
    kept ones that start before a candidate reach into it, and they are the last two.
    """
    stop = at
    while stop < len(kept) and kept[stop][0] < c.stop:
        stop += 1
    return list(kept[max(0, at - NEIGHBOURS) : stop])


NEIGHBOURS = 4  # kept ones to the left that are looked at: two may reach over, two more for safety


def overlaps(a: Candidate, b: Candidate, most: float) -> bool:
    shared = min(a.stop, b.stop) - max(a.start, b.start)
    return shared > most * min(a.stop - a.start, b.stop - b.start)


def above(candidates: Sequence[Candidate], thresholds: Mapping[Kind, float]) -> list[Candidate]:
    """The candidates whose probability reaches their kind's threshold."""
    return [c for c in candidates if c.probability >= thresholds[c.kind]]

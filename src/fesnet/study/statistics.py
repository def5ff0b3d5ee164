"""Groups of a study compared: means over participants, their intervals, and differences.

Participants are what is drawn at random, not expressions: each has one value in a group (the rate
over all of its videos there). scipy does the statistics: bias-corrected and accelerated bootstrap
intervals (95 %) and permutation tests, from a fixed seed. Where participants are in both groups,
their differences are taken (paired), and those in one group alone are left out and counted.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fesnet._types import FloatArray
from fesnet.errors import UsageError
from fesnet.intervals import KINDS
from fesnet.metrics.compare import load_scipy_stats

COMPARED = ("per_minute", "mean_s", "latency_s")
RESAMPLES = 9999
MIN_PARTICIPANTS = 3  # fewer say nothing of an interval; our choice
SEED = 20260101
Values = dict[str, float]  # by participant


@dataclass(frozen=True)
class GroupStatistic:
    """A mean of one group, or the difference of two. n: participants; interval and p None where
    there are too few; test: "", "paired" or "independent"; left_out: participants in one of two
    groups alone.
    """

    measure: str
    group: str
    n: int
    mean: float | None
    low_95: float | None
    high_95: float | None
    p: float | None = None
    p_adjusted: float | None = None
    test: str = ""
    left_out: int = 0


def compare_groups(rows: Sequence[dict[str, Any]], by: str) -> list[GroupStatistic]:
    """Statistics of rows that hold participant, `by` and the measures by kind, as
    `participant_rows` makes them. Raises UsageError for a column without values, MissingExtraError
    without scipy.
    """
    levels = list(dict.fromkeys(row[by] for row in sorted(rows, key=lambda r: r[by]) if row[by]))
    if not levels:
        raise UsageError(f"expected values in the column {by!r}, got none; name another")
    out: list[GroupStatistic] = []
    for name, kind in itertools.product(COMPARED, KINDS):
        measure = f"{kind}_{name}"
        groups = {level: group_values(rows, by, level, measure) for level in levels}
        out += [describe_group(measure, level, groups[level]) for level in levels]
        out += [
            describe_difference(measure, (a, b), groups[a], groups[b])
            for a, b in itertools.combinations(levels, 2)
        ]
    return adjust(out)


def group_values(rows: Sequence[dict[str, Any]], by: str, level: str, measure: str) -> Values:
    """The mean of each participant's values in one group; None is no value."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row[by] == level and row[measure] is not None:
            found.setdefault(row["participant"], []).append(float(row[measure]))
    return {participant: float(np.mean(found[participant])) for participant in sorted(found)}


def describe_group(measure: str, level: str, values: Values) -> GroupStatistic:
    sample = np.array(list(values.values()))
    mean = float(sample.mean()) if len(sample) else None
    low, high = bootstrap_span([sample], lambda x, axis=-1: np.mean(x, axis=axis))
    return GroupStatistic(measure, level, len(sample), rounded(mean), low, high)


def describe_difference(
    measure: str, names: tuple[str, str], a: Values, b: Values
) -> GroupStatistic:
    """The second group's mean minus the first's."""
    group = f"{names[1]} - {names[0]}"
    shared = sorted(set(a) & set(b))
    if shared:
        pairs = [np.array([b[s] for s in shared]), np.array([a[s] for s in shared])]
        differences = pairs[0] - pairs[1]
        low, high = bootstrap_span([differences], lambda x, axis=-1: np.mean(x, axis=axis))
        p = permutation_p(pairs, "samples")
        left = len(set(a) ^ set(b))
        mean = rounded(float(differences.mean()))
        n = len(shared)
        return GroupStatistic(measure, group, n, mean, low, high, p, None, "paired", left)
    samples = [np.array(list(b.values())), np.array(list(a.values()))]
    n = len(a) + len(b)
    if not min(map(len, samples)):
        return GroupStatistic(measure, group, n, None, None, None, test="independent")
    mean = rounded(float(samples[0].mean() - samples[1].mean()))
    low, high = bootstrap_span(samples, mean_difference)
    p = permutation_p(samples, "independent")
    return GroupStatistic(measure, group, n, mean, low, high, p, None, "independent")


def mean_difference(x: FloatArray, y: FloatArray, axis: int = -1) -> FloatArray:
    return np.asarray(np.mean(x, axis=axis) - np.mean(y, axis=axis))


def bootstrap_span(
    samples: list[FloatArray], statistic: Callable[..., Any]
) -> tuple[float | None, float | None]:
    """The 95 % bootstrap interval of a statistic; None where a sample is too small."""
    if min(map(len, samples)) < MIN_PARTICIPANTS:
        return None, None
    if all(np.ptp(sample) == 0 for sample in samples):
        value = rounded(float(statistic(*samples)))
        return value, value
    stats = load_scipy_stats()
    for method in ("BCa", "percentile"):  # the first has no value for degenerate samples
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = stats.bootstrap(
                samples, statistic, n_resamples=RESAMPLES, method=method, vectorized=True,
                rng=np.random.default_rng(SEED),
            ).confidence_interval  # fmt: skip
        if np.isfinite(found.low) and np.isfinite(found.high):
            break
    return rounded(float(found.low)), rounded(float(found.high))


def permutation_p(samples: list[FloatArray], kind: str) -> float | None:
    """Two-sided p of a difference of means; None where a sample is too small."""
    if min(map(len, samples)) < MIN_PARTICIPANTS:
        return None
    found = load_scipy_stats().permutation_test(
        samples, mean_difference, permutation_type=kind, vectorized=True, n_resamples=RESAMPLES,
        rng=np.random.default_rng(SEED),
    )  # fmt: skip
    return rounded(float(found.pvalue))


def adjust(found: list[GroupStatistic]) -> list[GroupStatistic]:
    """With p values adjusted for their number (false discovery rate, Benjamini and Hochberg)."""
    tested = [n for n, s in enumerate(found) if s.p is not None]
    out = list(found)
    if tested:
        adjusted = load_scipy_stats().false_discovery_control([found[n].p for n in tested])
        for n, p in zip(tested, adjusted, strict=True):
            out[n] = replace(found[n], p_adjusted=rounded(float(p)))
    return out


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)

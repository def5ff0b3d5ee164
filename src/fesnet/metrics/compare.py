"""Is one method better than another on the same subjects? Difference of F1, interval, p-value.

Whole subjects are drawn or exchanged, as their videos belong together. Needs scipy (extra `stats`).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fesnet._messages import get_extra
from fesnet.errors import MissingExtraError, UsageError
from fesnet.metrics.matching import Counts

DRAWS = 10_000
FEWEST = 2  # subjects


@dataclass(frozen=True)
class MethodComparison:
    """F1 of `first` less F1 of `second`, on the same subjects.

    low, high: 95 % interval of the difference over subjects drawn with replacement (percentiles).
    p: two-sided, of exchanging the two methods in some subjects. p_holm: the same, corrected for
    all comparisons of a table. subjects: how many. exact: whether every exchange was tried.
    """

    first: str
    second: str
    f1: tuple[float, float]
    low: float
    high: float
    p: float
    p_holm: float
    subjects: int
    exact: bool

    @property
    def difference(self) -> float:
        return self.f1[0] - self.f1[1]


def compare_methods(
    methods: Mapping[str, Mapping[str, Counts]], *, draws: int = DRAWS, seed: int = 0
) -> list[MethodComparison]:
    """All pairs of methods, corrected by Holm.

    methods: counts by name of method and subject. Equal seeds give equal results. Raises UsageError
    for fewer than two subjects, and for methods that were not tested on the same ones;
    MissingExtraError without scipy.
    """
    names = list(methods)
    pairs = [(a, b) for n, a in enumerate(names) for b in names[n + 1 :]]
    found = [compare_pair(a, b, methods[a], methods[b], draws, seed) for a, b in pairs]
    corrected = holm([c.p for c in found])
    return [replace(c, p_holm=p) for c, p in zip(found, corrected, strict=True)]


def compare_pair(
    first: str,
    second: str,
    one: Mapping[str, Counts],
    other: Mapping[str, Counts],
    draws: int = DRAWS,
    seed: int = 0,
) -> MethodComparison:
    """Two methods. Raises as `compare_methods`."""
    if set(one) != set(other):
        raise UsageError(
            f"expected the same subjects for {first} and {second}, got {len(one)} and {len(other)}"
        )
    if len(one) < FEWEST:
        raise UsageError(f"expected {FEWEST} subjects or more to compare methods, got {len(one)}")
    stats = load_scipy_stats()
    subjects = sorted(one)
    table = np.array([[c.tp, c.fp, c.fn] for c in (m[s] for m in (one, other) for s in subjects)])

    def difference(a: NDArray[np.int_], b: NDArray[np.int_], axis: int = -1) -> NDArray[Any]:
        """Of F1, of rows of the table whose numbers lie along an axis."""
        return np.asarray(pooled_f1(table, a, axis) - pooled_f1(table, b, axis))

    sides = (np.arange(len(subjects)), np.arange(len(subjects)) + len(subjects))
    exact = 2 ** len(subjects) <= draws
    if (table[sides[0]] == table[sides[1]]).all():  # nothing to draw: both are one
        low = high = 0.0
        p = 1.0
    else:
        rng = np.random.default_rng(seed)
        test = stats.permutation_test(
            sides, difference, permutation_type="samples", vectorized=True,
            n_resamples=np.inf if exact else draws, rng=rng,
        )  # fmt: skip
        drawn = stats.bootstrap(
            sides, difference, paired=True, vectorized=True, n_resamples=draws, rng=rng,
            method="percentile",
        )  # fmt: skip
        p, (low, high) = float(test.pvalue), map(float, drawn.confidence_interval)
    f1 = tuple(float(pooled_f1(table, side, -1)) for side in sides)
    return MethodComparison(first, second, (f1[0], f1[1]), low, high, p, p, len(subjects), exact)


def pooled_f1(table: NDArray[np.int_], rows: NDArray[np.int_], axis: int) -> NDArray[Any]:
    """F1 of the summed counts of rows; 0 where all are empty."""
    tp, fp, fn = np.moveaxis(table[np.asarray(rows, np.intp)], -1, 0)
    hits = 2 * tp.sum(axis)
    return np.asarray(hits / np.maximum(hits + fp.sum(axis) + fn.sum(axis), 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, step by step from the smallest (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda n: p_values[n])
    out, largest = [0.0] * len(p_values), 0.0
    for rank, n in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[n]))
        out[n] = largest
    return out


def load_scipy_stats() -> Any:
    """Raises MissingExtraError."""
    try:
        return importlib.import_module("scipy.stats")
    except ImportError as error:
        raise MissingExtraError(
            f"expected scipy for statistics, got none; {get_extra('stats')}"
        ) from error


def comparison_text(c: MethodComparison) -> str:
    """One line for people."""
    how = "every exchange of subjects" if c.exact else f"{DRAWS} exchanges of subjects"
    return (
        f"{c.first} {c.f1[0]:.4f} less {c.second} {c.f1[1]:.4f}: {c.difference:+.4f} "
        f"[{c.low:+.4f}, {c.high:+.4f}], p {c.p:.4f}, Holm {c.p_holm:.4f} ({c.subjects} subjects, "
        f"{how})"
    )

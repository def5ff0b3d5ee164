"""Features of any kind and rate -> inputs of the network, video by video, without any truth.

Features are steps (flow from frame to frame, as most published ones) or states (displacement from a
reference, appearance). Steps are summed to displacement, states are differentiated. So both end up
as the same three copies, each scaled by its typical size in the video:

    step       how fast it moves now
    recent     displacement less its mean of about 2 s: what is brief
    lasting    displacement less its running median of about 12 s: what is held

All of this is our choice. It is on features what LSDM's discrepancy to a reference frame is on
pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fesnet._types import Float32Array
from fesnet.baselines.signals import running_median
from fesnet.errors import SourceError, UsageError

FeatureKind = Literal["auto", "step", "state"]
# Numbers a frame; wider features are projected at random, by the same draw everywhere.
WIDE = 256
STATE_CORRELATION = 0.9  # of successive frames, from which features are states
RECENT_S, LASTING_S = 2.0, 12.0
TYPICAL = 0.9  # quantile of sizes that becomes 1
RATES = (20.0, 36.0)  # Hz; features of such a rate are not resampled
RATE = 30.0  # Hz; others are resampled to it


@dataclass(frozen=True, eq=False)
class Inputs:
    """values: (T, F) at `rate` Hz, tick k at k / rate s. groups: (F,) region of each input."""

    values: Float32Array
    groups: tuple[int, ...]
    rate: float


def working_rate(rates: set[float]) -> float:
    """One for a whole data set: its own if all videos have the same usual one, else RATE."""
    only = next(iter(rates)) if len(rates) == 1 else 0.0
    return only if RATES[0] <= only <= RATES[1] else RATE


def flatten_features(features: NDArray[np.floating], name: str) -> Float32Array:
    """(T, D) of (T, D) or (T, R, 2). Raises SourceError for other shapes and what is not finite."""
    if features.ndim not in (2, 3) or not all(features.shape):
        raise SourceError(
            f"expected features (T, D) or (T, R, 2) of {name}, got shape {features.shape}"
        )
    table = np.asarray(features, np.float32).reshape(len(features), -1)
    bad = int((~np.isfinite(table)).any(1).sum())
    if bad:
        raise SourceError(
            f"expected finite numbers in the features of {name}, got others in {bad} of "
            f"{len(table)} frames; "
            "fill them (with 0 or the last known values) or leave the video out"
        )
    return table


def frame_correlation(table: Float32Array) -> float:
    """Median over columns of the correlation of successive frames, -1..1."""
    centred = table - table.mean(0)
    power = np.maximum((centred**2).mean(0), 1e-12)
    return float(np.median((centred[1:] * centred[:-1]).mean(0) / power))


def detect_kind(tables: list[Float32Array], kind: FeatureKind) -> Literal["step", "state"]:
    """The given kind; "auto" goes by the correlation of successive frames in most videos."""
    if kind not in ("auto", "step", "state"):
        raise UsageError(f"expected features that tell 'step' or 'state', or 'auto', got {kind!r}")
    if kind != "auto":
        return kind
    typical = float(np.median([frame_correlation(t) for t in tables if len(t) > 1] or [1.0]))
    return "state" if typical >= STATE_CORRELATION else "step"


def make_inputs(
    table: Float32Array, rate: float, to: float, kind: Literal["step", "state"], groups: int
) -> Inputs:
    """(T, D) at `rate` -> inputs at `to` Hz. D / groups successive columns are one region."""
    columns = table.shape[1]
    table = project(table)
    owner = (
        np.arange(table.shape[1]) * groups // columns
        if table.shape[1] == columns
        else np.arange(table.shape[1])
    )
    table = np.asarray(table - np.median(table, 0), np.float32)
    if kind == "step":
        displacement = np.cumsum(resample_steps(table, rate, to), 0, dtype=np.float64)
    else:
        displacement = resample_states(table, rate, to).astype(np.float64)
    step = np.diff(displacement, axis=0, prepend=displacement[:1])
    copies: list[NDArray[np.float64]] = [
        step,
        displacement - running_mean(displacement, RECENT_S * to),
        displacement - lasting_median(displacement, LASTING_S * to),
    ]
    values = np.concatenate([normalize_scale(c) for c in copies], 1)
    return Inputs(
        np.ascontiguousarray(values, np.float32),
        tuple(int(g) for g in np.tile(owner, len(copies))),
        to,
    )


def project(table: Float32Array) -> Float32Array:
    """Wide features on WIDE random directions, which keeps distances about the same."""
    if table.shape[1] <= WIDE:
        return table
    directions = np.random.default_rng(0).standard_normal((table.shape[1], WIDE), np.float32)
    return np.asarray(table @ directions / np.float32(WIDE**0.5), np.float32)


def resample_steps(step: Float32Array, rate: float, to: float) -> Float32Array:
    """Steps between ticks: the sum of the steps of the frames between them."""
    if rate == to:
        return step
    path = np.cumsum(step, 0, dtype=np.float64)
    placed = interpolate_rows(path, rate, to)
    return np.asarray(
        np.diff(placed, axis=0, prepend=placed[:1] - step[:1] * rate / to), np.float32
    )


def resample_states(state: Float32Array, rate: float, to: float) -> Float32Array:
    """States at ticks: the mean of the frames round each where there are more frames than ticks."""
    if rate == to:
        return state
    width = round(rate / to)
    return np.asarray(
        interpolate_rows(
            running_mean(state.astype(np.float64), width) if width > 1 else state, rate, to
        )
    )


def interpolate_rows(table: NDArray[np.floating], rate: float, to: float) -> NDArray[np.float64]:
    """Rows at tick times, linearly between frames."""
    ticks = int((len(table) - 1) / rate * to + 1e-6) + 1
    at = np.minimum(np.arange(ticks) * rate / to, len(table) - 1)
    low = at.astype(int)
    high, share = np.minimum(low + 1, len(table) - 1), (at - low)[:, None]
    return np.asarray(table[low] * (1 - share) + table[high] * share, np.float64)


def running_mean(table: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Mean over a window round each row, shorter at the ends."""
    half = max(1, round(width / 2))
    path = np.concatenate([np.zeros((1, table.shape[1])), np.cumsum(table, 0)])
    row = np.arange(len(table))
    low, high = np.maximum(row - half, 0), np.minimum(row + half + 1, len(table))
    return np.asarray((path[high] - path[low]) / (high - low)[:, None])


def lasting_median(table: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Median over a window round each row, computed at every eighth of a window."""
    half = max(1, round(width / 2))
    return np.asarray(running_median(table, half, max(1, half // 4)), np.float64)


def normalize_scale(table: NDArray[np.floating]) -> NDArray[np.floating]:
    """Divided by the typical size over all columns of the video, then arcsinh for large values."""
    typical = float(np.quantile(np.abs(table), TYPICAL))
    return np.asarray(np.arcsinh(table / max(typical, 1e-9)))

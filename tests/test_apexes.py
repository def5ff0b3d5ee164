"""The apex is the moment of the largest change, and never the onset."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fesnet.apexes import choose_apex
from fesnet.intervals import KINDS, Kind
from fesnet.postprocess import TimedInterval
from fesnet.result import on_source_frames


def bump(length: int, at: int, rng: np.random.Generator, hold: int = 0) -> np.ndarray:
    """A rise to `at`, held for `hold` steps, a fall; noise as large as the network's."""
    rise, fall = np.linspace(0.1, 0.8, at + 1), np.linspace(0.8, 0.1, length - at - hold)
    curve = np.concatenate([rise, np.full(hold, 0.8), fall[1:]])
    return curve + rng.normal(0, 0.01, len(curve))


@pytest.mark.parametrize(("kind", "length", "hold"), [("micro", 12, 0), ("macro", 60, 20)])
def test_the_apex_of_a_noisy_bump_is_found(kind: Kind, length: int, hold: int) -> None:
    rng, errors = np.random.default_rng(1), []
    for _ in range(60):
        at = int(rng.integers(3, length - hold - 3))
        curve = np.concatenate([np.zeros(5), bump(length, at, rng, hold), np.zeros(5)])
        apex = choose_apex(curve, 5, 5 + length, kind)
        errors.append(max(5 + at - apex, apex - 5 - at - hold, 0))  # any held moment is right
    assert np.median(errors) <= 1
    assert max(errors) <= 3


def test_of_a_held_expression_the_beginning_of_the_hold_is_the_apex() -> None:
    curve = bump(90, 15, np.random.default_rng(2), 50)
    assert abs(choose_apex(curve, 0, 90, "macro") - 15) <= 4


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.sampled_from(KINDS))
def test_the_apex_lies_inside_and_is_no_edge(values: list[float], kind: Kind) -> None:
    curve = np.array([0.0, *values, 0.0])
    stop = len(values) + 1
    apex = choose_apex(curve, 1, stop, kind)
    assert 1 <= apex < stop
    if len(values) > 2:
        assert 1 < apex < stop - 1
    assert choose_apex(np.sort(curve)[::-1], 1, stop, kind) > 1 or len(values) <= 1


@pytest.mark.parametrize("rate", [10, 25, 30, 200])
def test_no_apex_is_its_onset_on_the_frames_of_a_video(rate: int) -> None:
    times = np.arange(3 * rate) / rate
    found = TimedInterval(1.0, 1.0 + 1 / 30, 1.3, "micro", 0.8)
    i = on_source_frames(0, found, times, 30.0)
    assert i.onset_frame < i.apex_frame < i.offset_frame

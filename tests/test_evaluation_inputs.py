"""Features of any kind and rate -> inputs on one axis; options, and the folder for the tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fesnet._io import atomic_open
from fesnet.errors import UsageError
from fesnet.evaluation.benchmark import BenchmarkOptions, make_output_folder
from fesnet.evaluation.inputs import (
    WIDE,
    detect_kind,
    flatten_features,
    frame_correlation,
    lasting_median,
    make_inputs,
    resample_states,
    resample_steps,
    running_mean,
    working_rate,
)


def path(frames: int, rate: float, columns: int = 4) -> np.ndarray:
    """A smooth displacement, the same in time at every rate."""
    t = np.arange(frames)[:, None] / rate
    return np.sin(2 * np.pi * t * np.linspace(0.3, 0.9, columns)) * 3


def noisy(steps: np.ndarray, seed: int = 0) -> np.ndarray:
    return steps + 0.5 * np.abs(steps).mean() * np.random.default_rng(seed).standard_normal(
        steps.shape
    )


def test_a_usual_rate_is_kept_and_others_meet_at_30() -> None:
    assert working_rate({30.0}) == 30 and working_rate({25.0}) == 25
    assert working_rate({200.0}) == 30 and working_rate({25.0, 30.0}) == 30


def test_steps_and_states_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    state = path(900, 30.0) + 0.02 * rng.standard_normal((900, 4))
    step = noisy(np.diff(path(900, 30.0), axis=0, prepend=0))
    assert (
        frame_correlation(state.astype(np.float32))
        > 0.9
        > frame_correlation(step.astype(np.float32))
    )
    assert detect_kind([state.astype(np.float32)], "auto") == "state"
    assert detect_kind([step.astype(np.float32)] * 2, "auto") == "step"
    assert detect_kind([step.astype(np.float32)], "state") == "state"
    with pytest.raises(UsageError, match="'step' or 'state', or 'auto', got 'speed'"):
        detect_kind([], "speed")  # type: ignore[arg-type]


@pytest.mark.parametrize(("rate", "to"), [(200.0, 30.0), (25.0, 30.0), (60.0, 30.0)])
def test_no_motion_is_lost_between_rates(rate: float, to: float) -> None:
    place = path(int(10 * rate) + 1, rate)
    step = np.diff(place, axis=0, prepend=place[:1]).astype(np.float32)
    told = resample_steps(step, rate, to)
    ticks = np.arange(len(told)) / to
    want = np.stack([np.interp(ticks, np.arange(len(place)) / rate, c) for c in place.T], 1)
    np.testing.assert_allclose(np.cumsum(told, 0), want, atol=0.02)
    np.testing.assert_allclose(
        resample_states(place.astype(np.float32), rate, to)[2:-2], want[2:-2], atol=0.05
    )


def test_steps_and_their_sum_become_the_same_inputs() -> None:
    place = path(600, 30.0).astype(np.float32)
    step = np.diff(place, axis=0, prepend=place[:1])
    one = make_inputs(step - step.mean(0) + 0, 30.0, 30.0, "step", 2).values
    other = make_inputs(place, 30.0, 30.0, "state", 2).values
    assert one.shape == (600, 12)
    assert np.corrcoef(one[30:-30, 4:8].ravel(), other[30:-30, 4:8].ravel())[0, 1] > 0.97


def test_inputs_do_not_know_the_scale_of_a_video() -> None:
    step = np.random.default_rng(1).standard_normal((400, 6)).astype(np.float32)
    one, other = (make_inputs(scale * step, 30.0, 30.0, "step", 3) for scale in (1, 1000))
    np.testing.assert_allclose(one.values, other.values, atol=1e-3)
    assert one.groups == (0, 0, 1, 1, 2, 2) * 3


def test_a_still_video_stays_finite() -> None:
    values = make_inputs(np.zeros((50, 4), np.float32), 30.0, 30.0, "step", 2).values
    assert values.shape == (50, 12) and not values.any()


def test_wide_features_are_projected_the_same_way_everywhere() -> None:
    wide = np.random.default_rng(2).standard_normal((80, 1000)).astype(np.float32)
    one = make_inputs(wide, 30.0, 30.0, "state", 1000)
    assert one.values.shape == (80, 3 * WIDE)
    np.testing.assert_array_equal(one.values, make_inputs(wide, 30.0, 30.0, "state", 1000).values)


def test_running_mean_and_median() -> None:
    table = np.arange(20.0)[:, None]
    np.testing.assert_allclose(running_mean(table, 4)[5:15], table[5:15])
    spike = np.zeros((200, 1))
    spike[50:55] = 9
    assert abs(lasting_median(spike, 80)).max() == 0


def test_region_flow_is_laid_flat() -> None:
    regions = np.arange(24, dtype=np.float32).reshape(2, 6, 2)
    np.testing.assert_array_equal(flatten_features(regions, "v")[0], np.arange(12))


def test_options_name_something_to_do() -> None:
    with pytest.raises(UsageError, match=r"expected methods out of fesnet, .*, got none"):
        BenchmarkOptions(methods=())
    with pytest.raises(UsageError, match=r"expected protocols out of official, .*, got none"):
        BenchmarkOptions(protocols=())
    assert BenchmarkOptions(ablate=()).variants()


def test_the_folder_for_tables(tmp_path: Path) -> None:
    """Only what a killed run of ours left behind goes."""
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(
            UsageError, match=r"expected an output folder that can be written, got .*; name another"
        ):
            make_output_folder(path, BenchmarkOptions())
    work = tmp_path / "out" / "work"
    work.mkdir(parents=True)
    left = work / ".b.npz.0a1b2c3d.part"
    left.touch()
    with atomic_open(work / "a.npz"):
        make_output_folder(tmp_path / "out", BenchmarkOptions())
        assert not left.exists()
    foreign = {".firefox-download.part", ".film.mp4.part", "a.csv.k3x_9abc.part"}
    for name in foreign:
        (work / name).touch()
    make_output_folder(tmp_path / "out", BenchmarkOptions())
    assert {p.name for p in work.iterdir()} == {*foreign, "a.npz"}

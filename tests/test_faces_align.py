"""Where an aligned face stands, and that the crop shows exactly that."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fesnet
from fesnet.faces.align import (
    CANONICAL_STABLE,
    EYE_CORNERS,
    EYE_DISTANCE,
    EYE_HEIGHT,
    PIVOT,
    STABLE,
    fit_similarity,
    invert,
    pose_of,
    to_unit,
    transform_points,
    warp,
)

POSES = st.tuples(
    st.floats(-500, 2000),
    st.floats(-500, 2000),
    st.floats(math.log(20), math.log(2000)),
    st.floats(-3.1, 3.1),
)


def canonical() -> np.ndarray:
    return np.load(Path(fesnet.__file__).parent / "assets" / "motion_basis.npz")["canonical"]


def test_canonical_positions_are_those_of_the_motion_basis() -> None:
    np.testing.assert_allclose(CANONICAL_STABLE, canonical()[list(STABLE), :2], atol=1e-6)
    corners = CANONICAL_STABLE[[STABLE.index(i) for i in EYE_CORNERS]]
    left, right = corners[:2].mean(0), corners[2:].mean(0)
    assert np.linalg.norm(right - left) == pytest.approx(EYE_DISTANCE, abs=1e-6)
    np.testing.assert_allclose((left + right) / 2, [0.5, EYE_HEIGHT], atol=1e-6)


@given(POSES)
def test_fit_finds_the_exact_similarity(pose: tuple[float, float, float, float]) -> None:
    matrix = invert(to_unit(np.array(pose)))
    np.testing.assert_allclose(
        fit_similarity(CANONICAL_STABLE, transform_points(matrix, CANONICAL_STABLE)),
        matrix,
        atol=1e-6,
    )


def test_fit_with_weights_leaves_outliers_out() -> None:
    matrix = invert(to_unit(np.array([300.0, 200.0, 5.0, 0.3])))
    target = transform_points(matrix, CANONICAL_STABLE)
    target[2] += 50
    weight = np.ones(len(target))
    weight[2] = 1e-12
    np.testing.assert_allclose(fit_similarity(CANONICAL_STABLE, target, weight), matrix, atol=1e-6)
    assert np.abs(fit_similarity(CANONICAL_STABLE, target) - matrix).max() > 1


@given(POSES)
def test_pose_there_and_back(pose: tuple[float, float, float, float]) -> None:
    landmarks = transform_points(
        invert(to_unit(np.array(pose))), canonical()[:, :2].astype(np.float64)
    )
    np.testing.assert_allclose(pose_of(landmarks), pose, atol=1e-3)
    np.testing.assert_allclose(
        transform_points(to_unit(np.array(pose)), np.array(pose[:2])), PIVOT, atol=1e-9
    )


@pytest.mark.parametrize("size", [64, 96, 160])
@pytest.mark.parametrize("per_unit", [70, 200, 420, 900])
@pytest.mark.parametrize("angle", [0.0, 0.3, -2.0])
def test_points_land_where_they_should(size: int, per_unit: float, angle: float) -> None:
    pose = np.array([520.3, 493.7, math.log(per_unit), angle])
    matrix = to_unit(pose)
    for target in ([0.3, 0.36], [0.7, 0.4], [0.5, 0.75]):
        x, y = transform_points(invert(matrix), np.array(target))
        radius = max(1.2, 2.5 * per_unit / size)
        rows, columns = np.mgrid[0:1000, 0:1040] + 0.5
        dot = 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2))
        crop = warp(np.repeat(dot[..., None], 3, 2).astype(np.uint8), matrix, size).astype(float)[
            ..., 0
        ]
        rows, columns = np.mgrid[0:size, 0:size] + 0.5
        found = [(crop * columns).sum() / crop.sum(), (crop * rows).sum() / crop.sum()]
        np.testing.assert_allclose(found, np.array(target) * size, atol=0.1)


def test_crop_beyond_the_image_repeats_its_rim() -> None:
    image = np.full((40, 30, 3), (10, 20, 30), np.uint8)
    for x, y in ((0.0, 0.0), (500.0, -500.0), (-3000.0, 20.0)):
        for scale in (20, 100, 5000):
            crop = warp(image, to_unit(np.array([x, y, math.log(scale), 0.2])), 32)
            assert crop.shape == (32, 32, 3)
            assert (crop == [10, 20, 30]).all()


def test_shrinking_averages() -> None:
    fine = np.indices((800, 800)).sum(0) % 2 * 255
    crop = warp(
        np.repeat(fine[..., None], 3, 2).astype(np.uint8),
        to_unit(np.array([400, 400, 6.6, 0.0])),
        96,
    )
    assert np.abs(crop[20:-20, 20:-20].astype(int) - 127).max() <= 2

"""The learned baselines: they learn what is plainly there, and use no more than they
should.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fesnet.baselines.auwgcn import RegionGraphNet, boundaries, co_movement
from fesnet.baselines.flowmaps import LAGS_S, SIDE, eye_mask, flow_maps
from fesnet.baselines.softnet import fit_and_score_softnet, window_overlap
from fesnet.training.feature_training import FeatureSample

SIZE = 3 * SIDE * SIDE


def test_regions_that_move_together_are_joined() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 400, 1))
    owner = np.array([0, 0, 1, 1, 2, 2])
    inputs = np.concatenate([one, one, 0.9 * one, one, other, other], 1).astype(np.float32)
    held = np.ones((400, 2), np.int8)
    edges = co_movement([FeatureSample(inputs, held)], owner)
    assert edges.sum(1) == pytest.approx(np.ones(3))
    assert edges[0, 1] > 0.3 and edges[0, 2] < 0.1


def test_a_graph_net_wants_as_many_inputs_of_every_region() -> None:
    with pytest.raises(ValueError, match="as many inputs of every region"):
        RegionGraphNet(torch.tensor([0, 0, 1]), torch.eye(2))
    logits, edge = RegionGraphNet(torch.tensor([0, 1, 0, 1]), torch.eye(2))(torch.zeros(2, 30, 4))
    assert logits.shape == (1, 2, 30, 3) and edge.shape == (2, 30, 2)


def test_boundaries_stand_at_first_and_last_frames() -> None:
    held = torch.zeros(1, 12, 2, dtype=torch.int8)
    held[0, 4:8, 0] = 1
    found = boundaries(held)[0]
    assert found[:, 0].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert found[:, 1].tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]


def test_overlap_of_windows_with_the_truth() -> None:
    held = np.array([0, 0, 1, 1, 1, 0, 0, 0], np.int8)
    assert window_overlap(held, 3) == pytest.approx(np.array([1, 2, 3, 2, 1, 0, 0, 0]) / 3)


def test_maps_show_motion_and_no_eyes() -> None:
    rng = np.random.default_rng(1)
    image = np.kron(rng.integers(0, 255, (32, 32)), np.ones((4, 4))).astype(np.uint8)
    moved = image.copy()
    moved[90:] = np.roll(image[90:], 2, axis=1)  # the mouth goes to the right
    u, v, _ = flow_maps(image, moved)
    assert u[32:40, 8:34].mean() > 40 > abs(v[32:40, 8:34].mean()) * 4
    assert not flow_maps(image, image)[:2].any()
    assert 0.02 < (eye_mask() == 0).mean() < 0.3


def test_softnet_learns_a_motion_that_means_an_expression() -> None:
    def video(seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        values = rng.integers(-10, 10, (240, 2 * SIZE)).astype(np.int8)
        held = np.zeros((240, 2), np.int8)
        for kind, (a, b) in enumerate(((60, 100), (160, 172))):
            held[a:b, kind] = 1
            lag = round(30 * LAGS_S[kind])
            values[a - lag // 2 : b - lag // 2, kind * SIZE : kind * SIZE + 2 * SIDE * SIDE] += 60
        return values, held

    train, test = [video(0), video(1)], [video(2)[0]]
    (one, mark), (other, same) = (
        fit_and_score_softnet(train, test, seed=0, steps=3) for _ in range(2)
    )
    assert mark == same and np.array_equal(one[0], other[0])
    scores_of, _ = fit_and_score_softnet(train, test, seed=0, steps=30)
    scores = scores_of[0][0]
    assert scores.shape == (240, 2) and scores.min() >= 0 and scores.max() <= 1
    assert 50 <= scores[:, 0].argmax() < 110 and 150 <= scores[:, 1].argmax() < 180

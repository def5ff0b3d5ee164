"""The network as spotting runs it equals the one that is trained, whatever is switched off."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fesnet.config import FesNetConfig
from fesnet.model.projected import LocalProjection, ProjectedDecode, ProjectedMotion
from small_network import SHAPED, TINY, make_network

CONFIGS = {
    "pixels alone": TINY,
    "landmarks": SHAPED,
    "ensemble": replace(SHAPED, ensemble_weights=(0.5, 0.2)),
    "median alone": replace(SHAPED, normalize_motion=False, ensemble_weights=(0.5, 0.2)),
    "independent kinds, no intensity": replace(TINY, independent=True, intensity=False),
    "neutral reference": replace(SHAPED, reference="neutral"),
    "reference not beside": replace(TINY, concat_reference=False),
    "no discrepancy": replace(SHAPED, discrepancy=False),
    "no cascade, one scale": replace(TINY, cascade=False, multi_scale=False),
    "odd side": replace(TINY, crop_size=40),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_windows_of_projected_features_score_alike(config: FesNetConfig) -> None:
    network = make_network(config)
    torch.manual_seed(1)
    window = torch.randn(2, 21, network.lsdm.side**2, 4 * config.width)
    with torch.inference_mode():
        projected = LocalProjection(network.lsdm)(window.flatten(0, 1)).unflatten(0, (2, 21))
        if config.landmark_feature_count:
            landmarks = torch.randn(2, 21, config.landmark_feature_count)
            window = network.append_landmarks(window, landmarks)
            projected = network.append_landmarks(projected, landmarks)
        expected, found = network.decode(window), ProjectedDecode(network).eval()(projected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    assert float(expected[0].std()) > 1e-3, "nothing to compare"


def test_motions_of_projected_features_are_alike() -> None:
    network = make_network(replace(TINY, motions=6))
    attended = torch.randn(5, network.lsdm.side**2, 4 * TINY.width)
    with torch.inference_mode():
        projected = LocalProjection(network.lsdm)(attended)
        found = ProjectedMotion(network.lsdm)(projected, projected[2:3])
        expected = network.lsdm.predict_motion(attended[None], attended[None, 2:3])[0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_projection_of_a_frame_between_is_between() -> None:
    """Features between two frames are interpolated after the projection."""
    projection = LocalProjection(make_network().lsdm)
    one, other = torch.randn(2, 1, 144, 4 * TINY.width)
    with torch.inference_mode():
        between = 0.3 * projection(one) + 0.7 * projection(other)
        torch.testing.assert_close(projection(0.3 * one + 0.7 * other), between)

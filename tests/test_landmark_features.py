"""Shapes: the same for the same face wherever it is and however it is turned, and another when it
moves.
"""

from __future__ import annotations

import numpy as np
import pytest

from fesnet.faces import LANDMARK_FEATURE_COUNT, compute_landmark_features
from fesnet.faces.landmark_features import EXPRESSIVE_LANDMARKS, ROTATION_UNIT, canonical_face
from fesnet.synth.render.avatar import face_motion
from fesnet.synth.render.landmark_errors import head_rotations
from fesnet.synth.script.basis import motion_basis


def test_the_canonical_face_is_zero() -> None:
    assert compute_landmark_features(canonical_face()[None]).shape == (1, LANDMARK_FEATURE_COUNT)
    np.testing.assert_allclose(compute_landmark_features(canonical_face()[None]), 0, atol=1e-4)


def test_place_size_and_turn_are_removed_and_told() -> None:
    angles = np.array([[0.3, -0.2, 0.4], [-0.5, 0.1, -0.3]], np.float32)
    turned = 220 * canonical_face() @ head_rotations(angles).transpose(0, 2, 1) + [300, 200, 15]
    shapes = compute_landmark_features(turned)
    np.testing.assert_allclose(shapes[:, : 2 * len(EXPRESSIVE_LANDMARKS)], 0, atol=1e-3)
    np.testing.assert_allclose(shapes[:, -4:-1], ROTATION_UNIT * angles, atol=1e-4)


@pytest.mark.parametrize("name", ["mouthSmile", "browInnerUp", "jawOpen"])
def test_a_motion_shows_in_pixels_of_the_crop(name: str) -> None:
    """A shape of 1 is 4 pixels of a 96 pixel crop."""
    motion = face_motion(motion_basis().weights({name: 1.0})[None])[0]
    largest = np.abs(motion[list(EXPRESSIVE_LANDMARKS), :2]).max() * 24
    shape = compute_landmark_features((100 * (canonical_face() + motion))[None])[0]
    assert np.abs(shape[: 2 * len(EXPRESSIVE_LANDMARKS)]).max() == pytest.approx(largest, rel=0.25)


def test_a_degenerate_face_gives_numbers() -> None:
    assert np.isfinite(compute_landmark_features(np.zeros((2, 468, 3), np.float32))).all()

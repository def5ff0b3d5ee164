"""What of a crop shows the face."""

from __future__ import annotations

import numpy as np
import pytest

from fesnet.faces import as_rgb, face_mask, only_face

SQUARE = np.array([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75], [0.5, 0.5]])


def test_inside_the_hull_is_face_and_outside_is_not() -> None:
    mask = face_mask(SQUARE, 96)
    assert mask.shape == (96, 96)
    assert (mask[26:70, 26:70] == 255).all()
    assert not mask[:22].any()
    assert not mask[:, 74:].any()


def test_the_outline_is_placed_finer_than_pixels() -> None:
    """A mask that jumped by whole pixels would flicker at the rim of every face."""
    sums = [
        face_mask(SQUARE + [shift / 96, 0], 96)[:, :48].sum() / 255
        for shift in np.linspace(0, 1, 9)
    ]
    steps = -np.diff(np.asarray(sums, float))
    assert (steps > 0).all()
    assert steps.max() < 0.25 * (sums[0] - sums[-1])


def test_a_face_beyond_the_crop_is_cut() -> None:
    assert (face_mask(4 * (SQUARE - 0.5) + 0.5, 64) == 255).all()
    assert not face_mask(SQUARE + 3, 64).any()


def test_only_the_face_is_left() -> None:
    crops = np.full((2, 96, 96, 3), 200, np.uint8)
    masks = np.stack([face_mask(SQUARE, 96), np.zeros((96, 96), np.uint8)])
    seen = only_face(crops, masks)
    assert (seen[0, 30:60, 30:60] == 200).all()
    assert not seen[0, :20].any()
    assert not seen[1].any()


@pytest.mark.parametrize("channels", [(), (3,)])
def test_every_value_under_every_mask_is_its_share(channels: tuple[int, ...]) -> None:
    values, shares = np.mgrid[:256, :256].astype(np.uint8)[:, None]
    expected = np.rint(values * (shares * np.float32(1 / 255))).astype(np.uint8)
    crops, wanted = (np.stack([v] * channels[0], -1) if channels else v for v in (values, expected))
    np.testing.assert_array_equal(only_face(crops, shares), wanted)


def test_luma_crops_become_three_equal_channels() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 8, 8), np.uint8)
    np.testing.assert_array_equal(as_rgb(crops), np.repeat(crops[..., None], 3, -1))

"""A video without a face says what may be the reason."""

from __future__ import annotations

import numpy as np
import pytest

from fesnet.faceless import FacelessFrames
from fesnet.video import Frame


def reason_of(*values: int, size: tuple[int, int] = (240, 320)) -> str:
    seen = FacelessFrames()
    for k, value in enumerate(values):
        seen.push(Frame(k, float(k), np.full((*size, 3), value, np.uint8)))
    assert seen.count == len(values)
    return seen.reason()


@pytest.mark.parametrize(
    "values, told",
    [
        ((0, 7), "dark \\(up to 7 of 255"),
        ((0, 120), "100 pixels wide, upright"),
        ((255, 250), "white \\(from 250 of 255"),
        ((120,), "100 pixels wide, upright"),
    ],
)
def test_the_light_of_all_frames_counts(values: tuple[int, ...], told: str) -> None:
    import re

    assert re.search(told, reason_of(*values))


def test_small_pictures_are_told() -> None:
    assert "32 x 24 pixels" in reason_of(120, 121, size=(24, 32))


def test_a_clock_in_a_dark_picture_makes_it_no_lighter() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    image[:12, :40] = 255
    seen = FacelessFrames()
    seen.push(Frame(0, 0.0, image))
    assert "dark" in seen.reason()

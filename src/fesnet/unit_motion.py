"""How far each facial unit went, from LSDM's motion output and from landmarks.

    LSDM's motion output (T, M), landmark features (T, S) -> strengths (T, OUTPUTS)

LSDM's output is trained on synthetic people; its gains (`fesnet.facial_units.UNITS`) are measured
on synthetic people, too. What landmarks add is our choice: they see parted lips, pouts and frowns
of real people that LSDM leaves out.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from fesnet._types import FloatArray
from fesnet.faces.landmark_features import BROWS
from fesnet.facial_units import OUTPUTS, UNIT_OF
from fesnet.interval_features import mean_of

LANDMARK_GAIN = 0.8  # what landmarks alone say counts a little less: they tremble
CROP_UNIT = 96 / 4  # LSDM's motion output of 1 is 4 pixels of a 96 pixel crop
PHOTO_SMILE, POSE_UNIT = 1.5, 0.1  # what a full photographed smile, and a radian, weigh in it


@cache
def motion_names() -> tuple[str, ...]:
    """Names of LSDM's motion outputs: the basis, the photographed smile, head and gaze."""
    with (files("fesnet") / "assets" / "motion_basis.npz").open("rb") as handle:
        names = np.load(handle, allow_pickle=False)["names"]
    return (*(str(n) for n in names), "ownSmile", "yaw", "pitch", "gazeX", "gazeY")


@cache
def motion_scale() -> FloatArray:
    """(M,) what a full motion of each kind is in LSDM's output, as it was trained."""
    with (files("fesnet") / "assets" / "motion_basis.npz").open("rb") as handle:
        delta = np.load(handle, allow_pickle=False)["delta"].astype(np.float64)
    largest = np.linalg.norm(delta[..., :2], axis=-1).max(1) * CROP_UNIT
    return np.concatenate([largest, [PHOTO_SMILE, 1 / POSE_UNIT, 1 / POSE_UNIT, 1.0, 1.0]])


@cache
def output_matrix() -> FloatArray:
    """(M, OUTPUTS) from LSDM's motion output to strengths."""
    names = motion_names()
    matrix = np.zeros((len(names), len(OUTPUTS)))
    for column, output in enumerate(OUTPUTS):
        side = output[-1] if output[-1] in "LR" else ""
        unit = UNIT_OF[output.rstrip("LR")]
        for motion, share in unit.motions.items():
            if motion.endswith("+"):  # its side is part of its name
                wanted = {motion[:-1] + {"L": "Left", "R": "Right"}[side]}
            else:
                wanted = {motion, *(f"{motion}_{s}" for s in (side or "LR"))}
            rows = [row for row, name in enumerate(names) if name in wanted]
            matrix[rows, column] += unit.gain * share / len(rows)
    return matrix / motion_scale()[:, None]


def motion_strengths(motions: FloatArray) -> FloatArray:
    """(T, OUTPUTS) of LSDM's motion output (T, M); 0 is the reference that it was run with."""
    return np.asarray(motions @ output_matrix())


LEFT_BROWS = tuple(p for p in BROWS if p >= 276)
RIGHT_BROWS = tuple(p for p in BROWS if p < 276)
# A full motion in landmark features; sizes as seen on synthetic and posed people (our choice).
FULL_BROW, FULL_KNIT, FULL_CORNER, FULL_OPEN, FULL_JAW, FULL_NARROW = 1.4, 1.2, 1.6, 1.6, 3.0, 2.4
FULL_LID, FULL_ASIDE = 0.5, 2.0
LEFT_LIDS, RIGHT_LIDS = ((385, 386, 387), (380, 374, 373)), ((160, 159, 158), (144, 145, 153))


def lid_distances(features: FloatArray) -> FloatArray:
    """(T, 2) how far the lids of the subject's left and right eye are apart, more than in the
    canonical face, in landmark features."""
    sides = [
        mean_of(features, lower, 1) - mean_of(features, upper, 1)
        for upper, lower in (LEFT_LIDS, RIGHT_LIDS)
    ]
    return np.stack(sides, 1)


def landmark_strengths(features: FloatArray) -> FloatArray:
    """(T, OUTPUTS) of landmark features (T, S), before a neutral face is taken off; units that
    landmarks tell nothing of are not numbers.
    """
    out = np.full((len(features), len(OUTPUTS)), np.nan)
    opening = mean_of(features, (14,), 1) - mean_of(features, (13,), 1)
    eyes = lid_distances(features) / FULL_LID
    aside = mean_of(features, (0, 17, 13, 14), 0) / FULL_ASIDE
    width = mean_of(features, (291,), 0) - mean_of(features, (61,), 0)
    inner = mean_of(features, (336,), 0) - mean_of(features, (107,), 0)
    measured = {
        "1L": -mean_of(features, (336, 296), 1) / FULL_BROW,
        "1R": -mean_of(features, (107, 66), 1) / FULL_BROW,
        "2L": -mean_of(features, (300, 293, 334), 1) / FULL_BROW,
        "2R": -mean_of(features, (70, 63, 105), 1) / FULL_BROW,
        "12L": -mean_of(features, (291,), 1) / FULL_CORNER,
        "12R": -mean_of(features, (61,), 1) / FULL_CORNER,
        "5L": eyes[:, 0],
        "5R": eyes[:, 1],
        "30L": aside,
        "30R": -aside,
        "4L": (mean_of(features, LEFT_BROWS, 1) - inner) / (2 * FULL_KNIT),
        "4R": (mean_of(features, RIGHT_BROWS, 1) - inner) / (2 * FULL_KNIT),
        "18": -width / FULL_NARROW,
        "25": opening / FULL_OPEN,
        "26": (mean_of(features, (152,), 1) + opening) / (2 * FULL_JAW),
    }
    for name, values in measured.items():
        out[:, OUTPUTS.index(name)] = LANDMARK_GAIN * values
    return out

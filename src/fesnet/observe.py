"""From what a stream kept of a face to what is said of it.

    StepRecord, scores -> strengths of facial units, flags, pose (FaceObservations)

Every strength is a change from a neutral face, which is looked for around each second.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.faces.landmark_features import ROTATION_UNIT
from fesnet.facial_units import OUTPUTS
from fesnet.flags import find_flags
from fesnet.interval_features import POSE, smooth
from fesnet.observations import POSE_STEP, STRENGTH_UNIT, FaceObservations
from fesnet.step_record import StepRecord
from fesnet.unit_motion import landmark_strengths, lid_distances, motion_strengths

NEUTRAL_ACTIVITY = 0.15  # macro and micro score together below which a face is neutral
NEUTRAL_BACK_S, NEUTRAL_AHEAD_S = 8.0, 4.0  # where neutral faces to compare with are looked for
NEUTRAL_STEPS = 10  # so many are enough; else the neutral face of before stays
CALM_SHARE = 0.2  # of all steps, those with the lowest scores, where a face is never neutral
BLOCK_S = 1.0  # a neutral face is found for each
STRENGTH_FLOOR = 0.05  # what is weaker is 0: a face always moves a little


def observe(face: int, record: StepRecord, scores: FloatArray, rate: float) -> FaceObservations:
    """All of one face. scores (T, 2); rate: steps a second."""
    parts = [landmark_strengths(record.landmark_features), lid_distances(record.landmark_features)]
    parts.append(
        np.full((len(scores), len(OUTPUTS)), np.nan)
        if record.motions is None
        else motion_strengths(record.motions)
    )
    raw = np.concatenate(parts, 1)
    neutral = neutral_levels(raw, np.nan_to_num(scores.sum(1), nan=1.0), rate)
    change = raw - neutral
    size = len(OUTPUTS)
    by_landmarks, by_motions = change[:, :size], change[:, size + 2 :]
    strengths = np.clip(smooth_known(np.fmax(by_motions, by_landmarks)), 0, 1)
    strengths[strengths < STRENGTH_FLOOR] = 0.0
    strengths[record.segment < 0] = np.nan
    flags = find_flags(record, np.nan_to_num(by_motions), neutral[:, size : size + 2], rate)
    pose = np.degrees(record.landmark_features[:, POSE] / ROTATION_UNIT)
    stored = np.rint(strengths * STRENGTH_UNIT) / STRENGTH_UNIT
    return FaceObservations(face, stored, flags, np.rint(pose * POSE_STEP) / POSE_STEP)


def smooth_known(values: FloatArray) -> FloatArray:
    """Moving mean over three steps; 0 where a face is known and a unit is not measured."""
    return smooth(np.nan_to_num(values), 3)


def neutral_levels(track: FloatArray, activity: FloatArray, rate: float) -> FloatArray:
    """(T, D) what a track (T, D) is in the neutral face around each step.

    The median over neutral steps nearby, block by block; where there are too few, that of the last
    block that had enough, or else the next one.
    """
    steps, block = len(track), max(1, round(BLOCK_S * rate))
    back, ahead = round(NEUTRAL_BACK_S * rate), round(NEUTRAL_AHEAD_S * rate)
    known = ~np.isnan(track[:, len(OUTPUTS)])
    neutral = known & (activity < NEUTRAL_ACTIVITY)
    centres = np.arange(block // 2, max(steps, block // 2 + 1), block)
    levels = np.full((len(centres), track.shape[1]), np.nan)
    enough = np.zeros(len(centres), bool)
    for number, centre in enumerate(centres.tolist()):
        near = slice(max(0, centre - back), min(steps, centre + ahead))
        if neutral[near].sum() >= NEUTRAL_STEPS:
            levels[number] = np.median(track[near][neutral[near]], 0)
            enough[number] = True
    if not enough.any():
        calm = known & (activity <= np.quantile(activity[known], CALM_SHARE) if known.any() else 1)
        levels[:] = np.median(track[calm], 0) if calm.any() else 0.0
    else:
        levels = levels[held(enough)]
    columns = [np.interp(np.arange(steps), centres, column) for column in levels.T]
    return np.stack(columns, 1)


def held(there: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(N,) for each place the last one that is there, or the first of all before it."""
    at = np.maximum.accumulate(np.where(there, np.arange(len(there)), -1))
    return np.asarray(np.where(at < 0, int(np.argmax(there)), at))

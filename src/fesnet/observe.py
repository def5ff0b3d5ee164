"""From what a stream kept of a face to what is said of it.

    StepRecord, scores -> strengths of facial units, flags, pose (FaceObservations)

Every strength is a change from a neutral face, which is looked for around each second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.faces.landmark_features import ROTATION_UNIT
from fesnet.facial_units import OUTPUTS
from fesnet.flags import find_flags
from fesnet.interval_features import POSE, smooth
from fesnet.observations import FLAGS, POSE_STEP, STRENGTH_UNIT, FaceObservations, Flags
from fesnet.step_record import KeptSteps, StepRecord
from fesnet.unit_motion import landmark_strengths, lid_distances, motion_strengths
from fesnet.voice import HeardVoice

NEUTRAL_ACTIVITY = 0.15  # macro and micro score together below which a face is neutral
NEUTRAL_BACK_S, NEUTRAL_AHEAD_S = 8.0, 4.0  # where neutral faces to compare with are looked for
NEUTRAL_STEPS = 10  # so many are enough; else the neutral face of before stays
CALM_SHARE = 0.2  # of all steps, those with the lowest scores, where a face is never neutral
BLOCK_S = 1.0  # a neutral face is found for each
BLOCK_STEPS = 4096  # steps that are looked at together (136 s)
MARGIN_S = 10.0  # on either side of them; flags look less far
STRENGTH_FLOOR = 0.05  # what is weaker is 0: a face always moves a little


def observe(
    face: int,
    record: StepRecord | KeptSteps,
    scores: FloatArray,
    rate: float,
    heard: HeardVoice | None = None,
) -> FaceObservations:
    """All of one face. scores (T, 2); rate: steps a second; heard: the voice in the sound, if it is
    used.

    Block by block, each with a margin that its flags look into: so memory does not grow with what
    is unpacked, and times without a face cost nothing.
    """
    steps = len(scores)
    levels = neutral_levels(record, scores, rate)
    strengths = np.full((steps, len(OUTPUTS)), np.nan)
    flags, pose = np.zeros((steps, len(FLAGS)), bool), np.full((steps, 3), np.nan)
    for start, stop in blocks_of(steps):
        low, high = max(0, start - round(MARGIN_S * rate)), stop + round(MARGIN_S * rate)
        part = record.part(low, min(high, steps))
        if (part.segment < 0).all():
            continue
        voice = None if heard is None else heard.part(low, min(high, steps))
        inner = slice(start - low, stop - low)
        found = observe_part(part, levels, low, rate, voice)
        strengths[start:stop], flags[start:stop], pose[start:stop] = (f[inner] for f in found)
    return FaceObservations(face, strengths, flags, pose)


def blocks_of(steps: int) -> Iterator[tuple[int, int]]:
    """Half-open blocks of all steps."""
    for start in range(0, steps, BLOCK_STEPS):
        yield start, min(start + BLOCK_STEPS, steps)


def observe_part(
    record: StepRecord,
    levels: NeutralLevels,
    low: int,
    rate: float,
    heard: HeardVoice | None = None,
) -> tuple[FloatArray, Flags, FloatArray]:
    """Strengths, flags and pose of steps from `low` on."""
    raw = raw_strengths(record)
    neutral = levels.at(low, low + len(raw))
    change = raw - neutral
    size = len(OUTPUTS)
    by_landmarks, by_motions = change[:, :size], change[:, size + 2 :]
    strengths = np.clip(smooth_known(np.fmax(by_motions, by_landmarks)), 0, 1)
    strengths[strengths < STRENGTH_FLOOR] = 0.0
    strengths[record.segment < 0] = np.nan
    lids = neutral[:, size : size + 2]
    flags = find_flags(record, np.nan_to_num(by_motions), lids, rate, heard)
    pose = np.degrees(record.landmark_features[:, POSE] / ROTATION_UNIT)
    stored = np.rint(strengths * STRENGTH_UNIT) / STRENGTH_UNIT
    return stored, flags, np.rint(pose * POSE_STEP) / POSE_STEP


def raw_strengths(record: StepRecord) -> FloatArray:
    """(T, D) strengths by landmarks, how far the lids are apart, strengths by LSDM's motions; none
    of them against a neutral face yet."""
    parts = [landmark_strengths(record.landmark_features), lid_distances(record.landmark_features)]
    parts.append(
        np.full((len(record.segment), len(OUTPUTS)), np.nan)
        if record.motions is None
        else motion_strengths(record.motions)
    )
    return np.concatenate(parts, 1)


def smooth_known(values: FloatArray) -> FloatArray:
    """Moving mean over three steps; 0 where a face is known and a unit is not measured."""
    return smooth(np.nan_to_num(values), 3)


@dataclass(frozen=True, eq=False)
class NeutralLevels:
    """What tracks are in the neutral face: levels (N, D) at steps `centres` (N,), straight between
    them."""

    centres: NDArray[np.int64]
    levels: FloatArray

    def at(self, start: int, stop: int) -> FloatArray:
        """(stop - start, D)."""
        steps = np.arange(start, stop)
        return np.stack([np.interp(steps, self.centres, c) for c in self.levels.T], 1)


def neutral_levels(
    record: StepRecord | KeptSteps, scores: FloatArray, rate: float
) -> NeutralLevels:
    """The median over neutral steps nearby, second by second; where there are too few, that of the
    last second that had enough, or else the next one.
    """
    steps, second = len(scores), max(1, round(BLOCK_S * rate))
    back, ahead = round(NEUTRAL_BACK_S * rate), round(NEUTRAL_AHEAD_S * rate)
    activity = np.nan_to_num(scores.sum(1), nan=1.0)
    centres = np.arange(second // 2, max(steps, second // 2 + 1), second)
    levels = np.full((len(centres), 2 * len(OUTPUTS) + 2), np.nan)
    enough = np.zeros(len(centres), bool)
    for start, stop in blocks_of(steps):
        low, high = max(0, start - back), min(steps, stop + ahead)
        part = record.part(low, high)
        if (part.segment < 0).all():
            continue
        track = raw_strengths(part)
        neutral = is_known(track) & (activity[low:high] < NEUTRAL_ACTIVITY)
        for number in np.flatnonzero((centres >= start) & (centres < stop)).tolist():
            centre = int(centres[number]) - low
            near = slice(max(0, centre - back), centre + ahead)
            if neutral[near].sum() >= NEUTRAL_STEPS:
                levels[number] = np.median(track[near][neutral[near]], 0)
                enough[number] = True
    if enough.any():
        return NeutralLevels(centres, levels[held(enough)])
    levels[:] = calm_level(record, activity)
    return NeutralLevels(centres, levels)


def is_known(track: FloatArray) -> Flags:
    """(T,) where raw strengths are."""
    return np.asarray(~np.isnan(track[:, len(OUTPUTS)]))


def calm_level(record: StepRecord | KeptSteps, activity: FloatArray) -> FloatArray:
    """(D,) the median over the calmest steps of a face that is never neutral; 0 without a step."""
    rows: list[FloatArray] = [np.zeros((0, 2 * len(OUTPUTS) + 2))]
    known: list[FloatArray] = [np.zeros(0)]
    for start, stop in blocks_of(len(activity)):
        part = record.part(start, stop)
        if (part.segment >= 0).any():
            track = raw_strengths(part)
            rows.append(track[is_known(track)])
            known.append(activity[start:stop][is_known(track)])
    levels = np.concatenate(known)
    if not len(levels):
        return np.zeros(2 * len(OUTPUTS) + 2)
    calm = levels <= np.quantile(levels, CALM_SHARE)
    return np.asarray(np.median(np.concatenate(rows)[calm], 0))


def held(there: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(N,) for each place the last one that is there, or the first of all before it."""
    at = np.maximum.accumulate(np.where(there, np.arange(len(there)), -1))
    return np.asarray(np.where(at < 0, int(np.argmax(there)), at))

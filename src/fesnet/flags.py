"""What else happened: blinks, closed eyes, speech, turns of the head, edges.

    StepRecord -> one yes or no for each flag and step (T, FLAGS)

None of these is an expression, and each can look like one. All thresholds and windows were chosen
by us on the development clips; docs/what-moved.md has the figures, and what was tried and is not
told.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.faces.landmark_features import ROTATION_UNIT
from fesnet.facial_units import OUTPUTS
from fesnet.interval_features import COLUMNS, POSE, gestures, smooth
from fesnet.observations import FLAGS, Flags, runs
from fesnet.step_record import StepRecord
from fesnet.unit_motion import lid_distances
from fesnet.voice import HeardVoice, widen

LIDS_WEIGH = 1.5  # what landmarks' lids weigh beside LSDM's eyes closed
CLOSED_FROM, CLOSING_FROM = 1.1, 0.45  # evidence against a neutral face, and against just before
AROUND_BLINK_S = 0.5
# Evidence a second, so near (s) a closure: lids close faster than a head tilts or a face laughs.
FAST_FROM, FAST_S = 6.0, 0.13
BLINK_MIN_S, BLINK_MAX_S = 0.05, 0.45  # no lid closes and opens faster; a longer one is no blink
JOIN_S = 0.07  # closures nearer than this are one
SPEECH_S = 1.73  # on either side: a mouth that goes on moving
REVERSAL = 0.1  # how far lips must come back to count as a reversal, landmark features
FLUTTER_FROM, LIP_SPEED_FROM, FLUTTER_S = 0.03, 0.5, 0.57
# of log reversals a second, log share of busy steps, and none; a fit on the development clips
SPEECH_FIT = (2.62, 2.42, -0.55)
VOICED_FROM = -1.15  # that fit is enough beside a voice; without sound it is 0
NEAR_VOICE_S = 0.33  # lips move before a voice begins, and after it
TURN_S, TURN_FROM = 0.4, np.radians(7.0)  # yaw or roll, on either side; range
EDGE_S = 0.15


def find_flags(
    record: StepRecord,
    strengths: FloatArray,
    neutral_lids: FloatArray,
    rate: float,
    heard: HeardVoice | None = None,
) -> Flags:
    """(T, FLAGS). strengths (T, OUTPUTS) against a neutral face; neutral_lids (T, 2): how
    open both eyes are in it (`lid_distances`); heard: the voice in the sound, if it is used."""
    closures = find_closures(record, strengths, neutral_lids, rate)
    found = {
        "blink": closures[0],
        "eyes_closed": closures[1],
        "speaking": find_speech(record.landmark_features, rate, heard),
        "edge_of_face_time": find_edges(record.segment, rate),
    }
    pose = smooth(record.landmark_features, 3)[:, POSE] / ROTATION_UNIT
    found["head_turn"] = moved_range(pose[:, [0, 2]], TURN_S, rate) > TURN_FROM
    out = np.stack([found[name] for name in FLAGS], 1)
    out[record.segment < 0] = False
    return out


def closure_evidence(
    record: StepRecord, strengths: FloatArray, neutral_lids: FloatArray
) -> FloatArray:
    """(T,) how much speaks for closed eyes: about 1 for a blink, 0 for open ones."""
    lids = (neutral_lids - lid_distances(record.landmark_features)).min(1)
    closed = strengths[:, [OUTPUTS.index("45L"), OUTPUTS.index("45R")]].min(1)
    if record.motions is None:
        return np.asarray(2 * LIDS_WEIGH * lids)
    return np.asarray(closed + LIDS_WEIGH * lids)


def find_closures(
    record: StepRecord, strengths: FloatArray, neutral_lids: FloatArray, rate: float
) -> tuple[Flags, Flags]:
    """(T,) blinks, and longer closures."""
    evidence = np.nan_to_num(closure_evidence(record, strengths, neutral_lids))
    half, near = round(AROUND_BLINK_S * rate), round(FAST_S * rate)
    before = lowest_before(evidence, half + 1)
    behind = lowest_before(evidence[::-1], half)[::-1]
    speed = np.abs(np.diff(evidence, prepend=evidence[:1])) * rate
    closed = (evidence > CLOSED_FROM) | (evidence - np.maximum(before, behind) > CLOSING_FROM)
    blink, long = np.zeros(len(closed), bool), np.zeros(len(closed), bool)
    for start, stop in runs(closed, round(JOIN_S * rate)):
        fast = speed[max(0, start - near + 1) : stop + near].max() > FAST_FROM
        shut = evidence[start:stop].max() > CLOSED_FROM
        if stop - start < BLINK_MIN_S * rate or not (fast or shut):
            continue
        (blink if stop - start <= BLINK_MAX_S * rate else long)[start:stop] = True
    return blink, long


def lowest_before(values: FloatArray, steps: int) -> FloatArray:
    """(T,) the lowest of so many steps up to each one, fewer at the beginning."""
    padded = np.concatenate([np.full(steps - 1, np.inf), values])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, steps).min(1))


def find_speech(features: FloatArray, rate: float, heard: HeardVoice | None = None) -> Flags:
    """(T,) a mouth that goes on opening and closing: speech, and chewing. Where there is sound: a
    mouth that moves, and a voice."""
    activity = mouth_activity(features, rate)
    speaking = activity > 0
    if heard is not None:
        voice = widen(heard.voice, round(NEAR_VOICE_S * rate))
        speaking = np.where(heard.known, voice & (activity > VOICED_FROM), speaking)
    return np.asarray(speaking)


def mouth_activity(features: FloatArray, rate: float) -> FloatArray:
    """(T,) how much a mouth goes on opening and closing, the logarithm of the odds of speech; far
    below 0 where it is unknown."""
    calm = smooth(features, 3)
    opening = gestures(calm)["mouth_open"]
    lips = calm[:, COLUMNS["lips"]]
    speed = np.abs(np.diff(lips, axis=0, prepend=lips[:1])).mean(1) * rate
    flutter = np.abs(opening - smooth(opening[:, None], 2 * round(FLUTTER_S * rate / 2) + 1)[:, 0])
    busy = (flutter > FLUTTER_FROM) & (speed > LIP_SPEED_FROM)
    known = ~np.isnan(flutter)
    rows = np.stack([reversals(opening), busy], 1).astype(np.float64)
    rows[~known] = np.nan
    around = smooth(rows, 2 * round(SPEECH_S * rate) + 1)
    rhythm, share, bias = SPEECH_FIT
    logit = rhythm * np.log(around[:, 0] * rate + 0.05) + share * np.log(around[:, 1] + 0.05) + bias
    return np.asarray(np.nan_to_num(logit, nan=-9.0))


def reversals(values: FloatArray) -> Flags:
    """(T,) where a track turns back by more than `REVERSAL`: its peaks and troughs."""
    out = np.zeros(len(values), bool)
    low = high = 0
    rising: bool | None = None
    fresh = True
    for t, value in enumerate(values.tolist()):
        if value != value:
            fresh, rising = True, None
            continue
        if fresh:
            low = high = t
            fresh = False
        high = t if value > values[high] else high
        low = t if value < values[low] else low
        if rising is not False and values[high] - value > REVERSAL:
            out[high], rising, low, high = rising is True, False, t, t
        elif rising is not True and value - values[low] > REVERSAL:
            out[low], rising, low, high = rising is False, True, t, t
    return out


def moved_range(track: FloatArray, seconds: float, rate: float) -> FloatArray:
    """(T,) range of the columns of a track (T, D) within `seconds` on either side, the largest."""
    half = max(1, round(seconds * rate))
    low = high = track
    for lag in range(1, half + 1):
        for moved in (shifted(track, lag), shifted(track, -lag)):
            low, high = np.fmin(low, moved), np.fmax(high, moved)
    return np.asarray(np.nan_to_num(high - low).max(1))


def shifted(track: FloatArray, lag: int) -> FloatArray:
    """Rows t + lag of a track, not-a-number beyond its ends."""
    out = np.full_like(track, np.nan)
    if lag > 0:
        out[:-lag] = track[lag:]
    else:
        out[-lag:] = track[:lag]
    return out


def find_edges(segment: NDArray[np.int64], rate: float) -> Flags:
    """(T,) steps just after a face begins to be known, or just before it ends."""
    near = round(EDGE_S * rate)
    out = np.zeros(len(segment), bool)
    changes = np.flatnonzero(np.diff(segment, prepend=-2, append=-2))
    for edge in changes.tolist():
        out[max(0, edge - near) : edge + near] = True
    return out & (segment >= 0)

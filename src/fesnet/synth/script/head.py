"""Head pose of a synthetic performance; all numbers are our choice."""

from __future__ import annotations

import numpy as np

from fesnet._types import FloatArray
from fesnet.intervals import Interval
from fesnet.synth.script.curves import add_curve, intensity_curve, log_uniform, smooth_noise
from fesnet.synth.script.script import ScriptTracks

# Yaw, pitch, roll (rad) of the directions between which a head turns, about.
TURN = np.array([0.2, 0.08, 0.05])


def head_pose(tracks: ScriptTracks, speaking: FloatArray) -> FloatArray:
    """(T, 3) yaw, pitch, roll: sway, turns, nods; more of all while speaking."""
    rng, n, rate = tracks.rng, tracks.frames, tracks.config.rate
    scale = tracks.config.head_scale * float(
        rng.choice([0.15, 0.5, 1.0, 2.0], p=[0.3, 0.3, 0.25, 0.15])
    )
    pose = np.stack(
        [smooth_noise(rng, n, rng.uniform(0.8, 3) * rate, s * scale) for s in (0.05, 0.04, 0.03)],
        1,
    )
    lively = np.stack(
        [smooth_noise(rng, n, rng.uniform(0.2, 0.5) * rate, 0.02 * scale) for _ in range(3)], 1
    )
    pose = pose + lively * (0.3 + speaking[:, None])
    t = rng.exponential(6) * rate
    while t < tracks.frames and scale > 0.3:  # turns and nods that come back
        frames = int(rng.uniform(0.4, 3) * rate)
        turn = rng.normal(0, 1, 3) * [0.12, 0.09, 0.06] * scale
        add_curve(pose, int(t), intensity_curve(frames, 0.4, 0.4, 1.0), turn.astype(np.float32))
        t += frames + rng.exponential(5) * rate
    for e in tracks.events if tracks.config.nod_share else ():
        if rng.random() < tracks.config.nod_share:
            pose = add_nod(tracks, pose, e)
    if tracks.config.turning_share and rng.random() < tracks.config.turning_share:
        pose = pose + lasting_turns(tracks)
    rest = rng.normal(0, 1, 3) * [0.1, 0.08, 0.05]
    return np.clip(pose + rest, [-0.38, -0.3, -0.5], [0.38, 0.3, 0.5]).astype(np.float32)


def add_nod(tracks: ScriptTracks, pose: FloatArray, event: Interval) -> FloatArray:
    """The head turns, nods or tilts along with an expression, and mostly comes back."""
    rng, rate = tracks.rng, tracks.config.rate
    frames = int((event.stop - event.start) * rng.uniform(0.6, 1.8)) + 5
    turn = rng.normal(0, 1, 3) * [0.08, 0.08, 0.07] * tracks.config.head_scale
    curve = intensity_curve(frames, rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.5), 1.0)
    out = pose.astype(np.float32)
    add_curve(out, event.start - int(rng.uniform(0, 0.4) * rate), curve, turn.astype(np.float32))
    return out


def lasting_turns(tracks: ScriptTracks) -> FloatArray:
    """(T, 3) yaw, pitch, roll that go from one direction to another and stay there, slowly or
    at once.
    """
    rng, rate = tracks.rng, tracks.config.rate
    pose, at, to = np.zeros((tracks.frames, 3)), 0.0, rng.normal(0, 1, 3) * TURN
    visible_curve = log_uniform(
        rng, 0.4, 8.0
    )  # seconds of a turn, about: a glance aside, or a camera that goes round
    while at < tracks.frames:
        since, to = to, rng.normal(0, 1, 3) * TURN
        turn, hold = (
            visible_curve * rng.uniform(0.6, 1.6) * rate,
            rng.exponential(rng.choice([0.3, 3.0])) * rate,
        )
        t = np.arange(tracks.frames) - at
        share = 0.5 - 0.5 * np.cos(np.pi * np.clip(t / turn, 0, 1))
        pose[t >= 0] = (since + share[:, None] * (to - since))[t >= 0]
        at += turn + hold
    return pose

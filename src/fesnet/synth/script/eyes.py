"""Blinks and gaze of a synthetic performance; all numbers are our choice."""

from __future__ import annotations

import numpy as np

from fesnet.synth.script.curves import add_curve, intensity_curve, log_uniform
from fesnet.synth.script.script import ScriptTracks


def add_blinks(tracks: ScriptTracks) -> None:
    """Blinks, half blinks, and now and then eyes that stay closed for a while."""
    rng, rate = tracks.rng, tracks.config.rate
    per_minute = tracks.config.blinks_per_minute * log_uniform(rng, 0.4, 2.0)
    if per_minute == 0:
        return
    t = rng.exponential(60 / per_minute) * rate
    while t < tracks.frames:
        frames = add_blink(tracks, int(t))
        t += frames + rng.exponential(60 / per_minute) * rate * (
            0.15 if rng.random() < 0.1 else 1.0
        )
    for edge in event_edges(tracks) if tracks.config.edge_blinks else ():
        if rng.random() < tracks.config.edge_blinks:
            add_blink(tracks, edge - int(rng.normal(0.12, 0.1) * rate))


def add_blink(tracks: ScriptTracks, start: int) -> int:
    """One blink; returns its frames."""
    rng, rate, reach = tracks.rng, tracks.config.rate, tracks.config.blink_reach
    long = rng.random() < 0.06
    frames = int(rate * (rng.uniform(0.5, 3.0) if long else rng.uniform(0.1, 0.4))) + 1
    rise = 0.35 if not long else 0.1
    curve = intensity_curve(frames, rise, 0.5 if not long else 0.12, 1.0)
    depth = rng.uniform(0.35, 0.7) if rng.random() < 0.15 else rng.uniform(0.8, 1.05)
    extra = {
        "cheekSquint": reach * rng.uniform(0, 0.08),
        "browDown": reach * rng.uniform(0, 0.06),
    }
    add_curve(
        tracks.weights, start, curve * float(depth), tracks.basis.weights({"eyeBlink": 1.0} | extra)
    )
    return frames


def event_edges(tracks: ScriptTracks) -> list[int]:
    """Frames at which an expression begins or ends within the script."""
    return [edge for e in tracks.events for edge in (e.start, e.stop) if 0 < edge < tracks.frames]


def add_gaze(tracks: ScriptTracks) -> None:
    """Saccades of 2-3 frames to new fixations; the lids follow the eyes up and down."""
    rng, rate = tracks.rng, tracks.config.rate
    per_minute = tracks.config.gaze_per_minute * log_uniform(rng, 0.3, 2.0)
    if per_minute == 0:
        return
    t, at = 0, np.zeros(2)
    lively = rng.uniform(0.1, 0.6)
    while t < tracks.frames:
        hold = int(rng.exponential(60 / per_minute) * rate) + 4
        to = np.clip(rng.normal(0, lively, 2), -1, 1) if rng.random() < 0.7 else np.zeros(2)
        n = min(hold, tracks.frames - t)
        step = np.clip(np.arange(1, n + 1) / float(rng.integers(2, 5)), 0, 1)[:, None]
        tracks.gaze[t : t + n] = at + (to - at) * step
        t, at = t + hold, to
    down, up = np.clip(tracks.gaze[:, 1], 0, 1), np.clip(-tracks.gaze[:, 1], 0, 1)
    lid_down = tracks.basis.weights({"eyeLookDown": 1.0}) * float(rng.uniform(0.5, 1.0))
    lid_up = tracks.basis.weights({"eyeLookUp": 1.0}) * float(rng.uniform(0.5, 1.0))
    tracks.weights += down[:, None] * lid_down + up[:, None] * lid_up
    if tracks.config.brows_follow:
        raised = rng.uniform(0, tracks.config.brows_follow, 2)
        brows = tracks.basis.weights({"browInnerUp": raised[0], "browOuterUp": raised[1]})
        tracks.weights += up[:, None] * brows

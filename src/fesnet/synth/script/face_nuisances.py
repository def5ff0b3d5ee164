"""Nuisances that the face and the head themselves make: eyes that close, lids that droop, strong
blinks, nods, beats of speech, chewing; and posed mouths, which are expressions.

All numbers are our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from fesnet._types import FloatArray
from fesnet.synth.script.curves import (
    add_curve,
    intensity_curve,
    log_uniform,
    smooth_noise,
)
from fesnet.synth.script.nuisances import place_episodes
from fesnet.synth.script.script import ScriptTracks

Span = tuple[int, int]  # first frame of an episode, and the frame after its last
GAP = 5.0  # s between two episodes, about
LID_LIMIT = 1.05  # a closed lid; what adds to it closes no further


def add_eye_closures(tracks: ScriptTracks, pose: FloatArray, speaking: FloatArray) -> list[Span]:
    """Eyes that close for half a second to ten, slowly or at once; brows and cheeks may help."""
    rng, rate, spans = tracks.rng, tracks.config.rate, []
    help_share = rng.uniform(0, 0.35) if rng.random() < 0.4 else 0.0
    for start, length in episodes(tracks, lambda: log_uniform(rng, 0.5, 10.0)):
        rise, fall = (min(0.45, rng.uniform(0.08, 0.6) * rate / length) for _ in range(2))
        curve = intensity_curve(length, rise, fall, 1.0) * rng.uniform(0.9, 1.05)
        flutter = smooth_noise(rng, length, 4, rng.choice([0.0, 0.01, 0.03]))
        helped = {"browDown": help_share * rng.random(), "cheekSquint": help_share * rng.random()}
        helped["browInnerUp"] = 0.2 * help_share * rng.random()
        move = tracks.basis.weights({"eyeBlink": 1.0} | helped)
        add_curve(tracks.weights, start, curve * (1 - np.abs(flutter)), move)
        spans.append((start, start + length))
    return spans


def add_drowsy_lids(tracks: ScriptTracks, pose: FloatArray, speaking: FloatArray) -> list[Span]:
    """Lids that sink to a half and are lifted again, with slow blinks in between."""
    rng, rate, spans = tracks.rng, tracks.config.rate, []
    lids = tracks.basis.weights({"eyeBlink": 1.0})
    for start, length in episodes(tracks, lambda: log_uniform(rng, 2.0, 15.0)):
        depth = rng.uniform(0.2, 0.65)
        rise, fall = rng.uniform(0.1, 0.6), min(0.3, rng.uniform(0.1, 0.8) * rate / length)
        curve = depth * intensity_curve(length, rise, fall, 1.0)
        curve = curve * (1 + np.clip(smooth_noise(rng, length, 0.7 * rate, 0.15), -0.5, 0.5))
        add_curve(tracks.weights, start, curve, lids)
        t = start + rng.exponential(2.0) * rate
        while t < start + length:
            frames = int(rng.uniform(0.3, 1.2) * rate)
            add_curve(tracks.weights, int(t), intensity_curve(frames, 0.4, 0.5, 1.0), lids)
            t += frames + rng.exponential(3.0) * rate
        spans.append((start, start + length))
    return spans


def add_strong_blinks(tracks: ScriptTracks, pose: FloatArray, speaking: FloatArray) -> list[Span]:
    """Blinks, single or in a row, for which brows come down, cheeks rise, and noses wrinkle a
    little or a lot.
    """
    rng, rate, spans = tracks.rng, tracks.config.rate, []
    reach = log_uniform(rng, 0.08, 0.8)  # of this person's brows and cheeks
    own = {n: rng.uniform(0.2, 1.0) for n in ("cheekSquint", "browDown", "eyeSquint")}
    own |= {"noseSneer": rng.uniform(0, 0.3), "mouthSmile": rng.uniform(0, 0.15)}
    for start, _ in episodes(tracks, lambda: 0.4, gap=2.0):
        t = start
        for _ in range(int(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1]))):
            frames = int(rng.uniform(0.15, 0.5) * rate) + 1
            strength = reach * rng.uniform(0.4, 1.3)
            along = {name: strength * share for name, share in own.items()}
            move = tracks.basis.weights({"eyeBlink": rng.uniform(0.85, 1.05)} | along)
            add_curve(tracks.weights, t, intensity_curve(frames, 0.35, 0.5, 1.0), move)
            spans.append((t, t + frames))
            t += frames + int(rng.uniform(0.05, 0.25) * rate)
    return spans


def add_nods(tracks: ScriptTracks, pose: FloatArray, speaking: FloatArray) -> list[Span]:
    """A head that nods or is shaken a few times."""
    rng, rate, spans = tracks.rng, tracks.config.rate, []
    for start, length in episodes(tracks, lambda: rng.uniform(0.5, 3.0)):
        per_second, size = rng.uniform(0.8, 3.0), log_uniform(rng, 0.03, 0.15)
        t = np.arange(length) / rate
        wave = np.sin(2 * np.pi * per_second * t) * intensity_curve(length, 0.25, 0.35, 1.0)
        shaken = rng.random() < 0.35
        axis = np.array([1.0, 0.2, 0.1] if shaken else [0.1, 1.0, 0.1], np.float32)
        add_curve(pose, start, size * wave, axis)
        spans.append((start, start + length))
    return spans


def add_speech_beats(tracks: ScriptTracks, pose: FloatArray, speaking: FloatArray) -> list[Span]:
    """Strokes of the head with what is said: down, aside or tilted, and back; quick and often."""
    rng, rate, spans = tracks.rng, tracks.config.rate, []
    size, per_second = log_uniform(rng, 0.03, 0.14), rng.uniform(0.5, 2.0)
    habit = np.abs(rng.normal(0, [0.4, 1.0, 0.4])) * rng.choice([-1, 1], 3)
    t = 0.0
    while t < tracks.frames:
        if speaking[int(t)] > 0.5:
            length = int(rng.uniform(0.15, 0.7) * rate) + 2
            stroke = intensity_curve(length, rng.uniform(0.2, 0.5), rng.uniform(0.3, 0.5), 1.0)
            turn = size * rng.uniform(0.3, 1.2) * habit * rng.choice([1, 1, 1, -0.5])
            add_curve(pose, int(t), stroke, turn.astype(np.float32))
            spans.append((int(t), int(t) + length))
        t += rng.exponential(1 / per_second) * rate + 0.1 * rate
    return spans


def add_chewing(tracks: ScriptTracks, pose: FloatArray, speaking: FloatArray) -> list[Span]:
    """A jaw that goes round behind closed lips."""
    rng, rate, spans = tracks.rng, tracks.config.rate, []
    per_second, aside = rng.uniform(0.9, 1.8), rng.choice(["jawLeft", "jawRight"])
    open_by, tight = rng.uniform(0.05, 0.15), rng.uniform(0.1, 0.5)
    for start, length in episodes(tracks, lambda: rng.uniform(2.0, 8.0), gap=3.0):
        phase = np.cumsum(
            2 * np.pi * per_second / rate * np.exp(smooth_noise(rng, length, 20, 0.2))
        )
        envelope = intensity_curve(length, 0.15, 0.2, 1.0)
        strength = envelope * (1 + np.clip(smooth_noise(rng, length, 15, 0.3), -0.6, 0.6))
        down = {"jawOpen": open_by, "mouthClose": 0.9 * open_by, "mouthRollLower": 0.3 * tight}
        moves: tuple[tuple[FloatArray, dict[str, float]], ...] = (
            (0.5 - 0.5 * np.cos(phase), down),
            (0.5 - 0.5 * np.cos(phase + 1.2), {aside: rng.uniform(0.1, 0.35)}),
            (0.5 - 0.5 * np.cos(phase + 2.5), {"mouthPress": tight, "cheekPuff": 0.15}),
        )
        for wave, motions in moves:
            add_curve(tracks.weights, start, wave * strength, tracks.basis.weights(motions))
        spans.append((start, start + length))
    return spans


AddNuisance = Callable[[ScriptTracks, FloatArray, FloatArray], list[Span]]
ADD: dict[str, AddNuisance] = {
    "eye closure": add_eye_closures,
    "drowsy lids": add_drowsy_lids,
    "strong blink": add_strong_blinks,
    "head nod": add_nods,
    "speech beat": add_speech_beats,
    "chewing": add_chewing,
}


def add_face_nuisances(
    tracks: ScriptTracks, names: Iterable[str], pose: FloatArray, speaking: FloatArray
) -> list[tuple[str, Span]]:
    """Add the named ones to the tracks and to the pose (T, 3); when each comes. speaking (T,):
    1 where the person speaks.
    """
    spans = [
        (name, span) for name in names if name in ADD for span in ADD[name](tracks, pose, speaking)
    ]
    lids = [i for i, name in enumerate(tracks.basis.names) if name.startswith("eyeBlink")]
    tracks.weights[:, lids] = np.minimum(tracks.weights[:, lids], LID_LIMIT)
    return spans


def episodes(
    tracks: ScriptTracks, draw_seconds: Callable[[], float], gap: float = GAP
) -> list[Span]:
    """First frames and numbers of frames."""
    rate = tracks.config.rate
    placed = place_episodes(tracks.rng, tracks.frames, lambda: draw_seconds() * rate, gap * rate)
    return [(int(start), max(4, round(length))) for start, length in placed]

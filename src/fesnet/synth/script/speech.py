"""Speech as a chain of sounds: lips that close, part, spread and round one after another, and
corners that move along.

Speech is labelled neutral. Its simplest kind, in which every mouth motion wanders by itself
(`add_speech` without a `Speaker`), is even and quick. People speak in sounds that follow each
other, mostly with the lower lip. Their lip corners drift with the phrase as in a faint smile. Sizes
and times are our choice, set to what the landmark model answers on people who speak: in an aligned
crop of 96 pixels the lower lip moves by 4-7 pixels, the jaw by 3-4, a lip corner by 2, at 1-2 Hz.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.curves import add_curve, intensity_curve, log_uniform, smooth_noise
from fesnet.synth.script.expressions import SPEECH_MOTIONS
from fesnet.synth.script.script import ScriptTracks

Ranges = dict[str, tuple[float, float]]
Sounds = dict[
    str, tuple[float, Ranges]
]  # share among the sounds of its class, and what the mouth does

# Each speaker draws one mouth for each sound out of these ranges of motion weights.
CONSONANTS: Sounds = {
    "lips closed": (
        0.25,
        {"mouthPress": (0.1, 0.7), "mouthRollLower": (0.0, 0.4), "mouthRollUpper": (0.0, 0.3)},
    ),
    "lip and teeth": (
        0.15,
        {"mouthRollLower": (0.2, 0.7), "mouthUpperUp": (0.0, 0.25), "jawOpen": (0.0, 0.06)},
    ),
    "tongue": (
        0.6,
        {"jawOpen": (0.02, 0.12), "mouthLowerDown": (0.1, 0.6), "mouthStretch": (0.0, 0.25)},
    ),
}
VOWELS: Sounds = {
    "open": (
        0.4,
        {"jawOpen": (0.12, 0.4), "mouthLowerDown": (0.1, 0.6), "mouthUpperUp": (0.0, 0.2)},
    ),
    "spread": (
        0.35,
        {
            "mouthStretch": (0.0, 0.4),
            "mouthSmile": (0.0, 0.3),
            "mouthLowerDown": (0.2, 0.7),
            "jawOpen": (0.03, 0.15),
        },
    ),
    "rounded": (
        0.25,
        {"mouthFunnel": (0.1, 0.7), "mouthPucker": (0.0, 0.7), "jawOpen": (0.03, 0.15)},
    ),
}
CORNERS: Ranges = {
    "mouthSmile": (0.0, 0.3),
    "mouthFrown": (0.0, 0.3),
    "mouthDimple": (0.0, 0.3),
}  # along with phrases


def add_speech(tracks: ScriptTracks, speaking: FloatArray) -> None:
    """Bursts of syllables; the speaker's rhythm, loudness and favourite mouth shapes are drawn
    once.
    """
    rng, rate = tracks.rng, tracks.config.rate
    syllable = rate / rng.uniform(2.5, 6.5)
    loudness = log_uniform(rng, 0.3, 1.8)
    mix = {n: s * float(rng.uniform(0, 1.3)) for n, s in SPEECH_MOTIONS}
    if rng.random() < 0.25:
        mix["jawOpen"] *= 0.2
    speaker = (
        Speaker(rng)
        if tracks.config.sounds_share and rng.random() < tracks.config.sounds_share
        else None
    )
    low, high = tracks.config.speech_pause
    pause = low if low == high else log_uniform(rng, low, high)
    spoken = np.zeros_like(tracks.weights)
    t = rng.uniform(-2, max(1.5, pause)) * rate
    while t < tracks.frames:
        frames = int(rng.uniform(0.7, 6.0) * rate)
        envelope = intensity_curve(frames, min(0.3, 4 / frames), min(0.3, 5 / frames), 1.0)
        if speaker is not None:
            add_curve(spoken, int(t), envelope, speaker.phrase(frames, rate))
        for name, scale in mix.items() if speaker is None else ():
            shape = np.abs(
                smooth_noise(rng, frames, syllable * rng.uniform(0.4, 1.1), 0.75 * scale * loudness)
            )
            add_curve(spoken, int(t), shape * envelope, tracks.basis.weights({name: 1.0}))
        add_curve(speaking, int(t), envelope)
        t += frames + rng.exponential(pause) * rate
    loud = (
        1 - np.convolve(tracks.silent, np.hanning(9) / np.hanning(9).sum(), "same")[: tracks.frames]
    )
    tracks.weights += (loud[:, None] * spoken).astype(np.float32)
    speaking *= loud.astype(np.float32)


def add_swallows(tracks: ScriptTracks) -> None:
    rng, rate = tracks.rng, tracks.config.rate
    t = rng.uniform(0, 8) * rate
    vector = tracks.basis.weights({"mouthShrugLower": 0.12, "mouthPress": 0.15, "jawOpen": 0.02})
    while t < tracks.frames:
        add_curve(
            tracks.weights,
            int(t),
            intensity_curve(int(rng.uniform(0.4, 0.9) * rate), 0.4, 0.5, 1.0),
            vector,
        )
        t += rng.uniform(6, 25) * rate


class Speaker:
    """One person's mouth: a shape for each sound, a pace, a loudness."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.pace = rng.uniform(1.5, 4.0)  # syllables a second
        self.loudness = float(np.exp(rng.uniform(np.log(0.45), np.log(1.7))))
        basis = motion_basis()
        lopsided = np.ones(len(basis.names), np.float32)
        for side in ("_L", "_R"):
            lopsided[[n.endswith(side) for n in basis.names]] = rng.uniform(0.8, 1.1)
        self.consonants = [lopsided * self.mouth(ranges) for _, ranges in CONSONANTS.values()]
        self.vowels = [lopsided * self.mouth(ranges) for _, ranges in VOWELS.values()]
        self.corners = [lopsided * self.mouth({name: size}) for name, size in CORNERS.items()]

    def mouth(self, ranges: Ranges) -> NDArray[np.float32]:
        sizes = {name: float(self.rng.uniform(*r)) for name, r in ranges.items()}
        return motion_basis().weights(sizes).astype(np.float32)

    def phrase(self, frames: int, rate: float) -> FloatArray:
        """(frames, K) motion weights of one phrase; at rest before and after it."""
        at, mouths, now = [0.0], [np.zeros(len(motion_basis().names), np.float32)], 0.0
        while now < frames / rate:
            syllable = float(self.rng.lognormal(0, 0.3)) / self.pace
            if self.rng.random() < 0.8:
                at.append(now + 0.45 * syllable)
                mouths.append(self.sound(CONSONANTS, self.consonants))
            now += syllable
            at.append(now)
            mouths.append(self.sound(VOWELS, self.vowels))
        track = along(np.array(at) * rate, np.stack(mouths), frames)
        knots = np.arange(0, frames + rate, 0.35 * rate)
        for corner in self.corners:
            track += along(
                knots, np.maximum(self.rng.normal(0.2, 0.6, (len(knots), 1)), 0) * corner, frames
            )
        return np.asarray(self.loudness * track, np.float32)

    def sound(self, sounds: Sounds, own: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """(K,) the mouth of one sound of a class, a little different every time."""
        which = int(self.rng.choice(len(own), p=[share for share, _ in sounds.values()]))
        return own[which] * np.float32(np.exp(self.rng.normal(0, 0.35)))


def along(at: FloatArray, values: FloatArray, frames: int) -> FloatArray:
    """(frames, K): from one value (N, K) at frames `at` (N,) to the next with a soft start and
    end.
    """
    t = np.arange(frames)
    right = np.searchsorted(at, t, side="right").clip(1, len(at) - 1)
    share = ((t - at[right - 1]) / np.maximum(at[right] - at[right - 1], 1e-6)).clip(0, 1)
    share = (0.5 - 0.5 * np.cos(np.pi * share))[:, None]
    return np.asarray(values[right - 1] * (1 - share) + values[right] * share, np.float32)

"""Made voices, and video files with sound, for tests."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from fesnet.video.sound import SOUND_RATE
from video_files import pictures

VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))
Sound = NDArray[np.int16]


def made_voice(seconds: float, loudness: float = 9000.0, pitch: float = 120.0) -> Sound:
    """A throat's pulses through the resonances of four vowels, four syllables a second."""
    count = int(seconds * SOUND_RATE)
    t = np.arange(count) / SOUND_RATE
    glide = pitch + 20 * np.sin(4.4 * t) + 5 * np.sin(31 * t)
    pulses = np.diff(np.floor(np.cumsum(glide) / SOUND_RATE), prepend=0.0)
    spectrum, hertz = np.fft.rfft(pulses), np.fft.rfftfreq(count, 1 / SOUND_RATE)
    out = np.zeros(count)
    for number, formants in enumerate(VOWELS):
        shape = 1 / (1 + (hertz / 250) ** 2)
        for formant in formants:
            shape = shape / np.hypot(1 - (hertz / formant) ** 2, 0.1 * hertz / formant)
        vowel = np.fft.irfft(spectrum * shape, count)
        mine = (t // 0.2) % len(VOWELS) == number
        out[mine] = vowel[mine] / max(np.abs(vowel).max(), 1e-9)
    return np.asarray(out * (0.55 + 0.45 * np.sin(25 * t - 1)) * loudness, np.int16)


def silence(seconds: float) -> Sound:
    return np.zeros(int(seconds * SOUND_RATE), np.int16)


def hiss(seconds: float, loudness: float = 200.0) -> Sound:
    """The noise of a microphone."""
    rng = np.random.default_rng(0)
    return np.asarray(loudness * rng.standard_normal(int(seconds * SOUND_RATE)), np.int16)


def write_talk(
    path: Path,
    sound: Sound,
    *,
    begins: float = 0.0,
    pictures_begin: float = 0.0,
    seconds: float = 4.0,
    channels: int = 1,
) -> Path:
    """A video with sound that begins at a player's second, as its pictures do."""
    webm = path.suffix == ".webm"
    codec = {".webm": "libvpx", ".avi": "mpeg4", ".mpg": "mpeg2video"}.get(path.suffix, "libx264")
    heard = {".webm": "libopus", ".mkv": "pcm_s16le", ".avi": "pcm_s16le", ".mpg": "mp2"}
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25, options={} if webm else {"g": "8", "bf": "0"})
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        rate = {".webm": 48000, ".mpg": 44100}.get(path.suffix, SOUND_RATE)
        audio: Any = container.add_stream(heard.get(path.suffix, "aac"), rate=rate)
        audio.layout = "mono" if channels == 1 else "stereo"
        packets: list[Any] = []
        images = pictures(8)
        for number in range(round(seconds * 25)):
            frame = av.VideoFrame.from_ndarray(images[number % 8], format="rgb24")
            frame.pts, frame.time_base = number + round(25 * pictures_begin), Fraction(1, 25)
            packets += video.encode(frame)
        packets += video.encode(None)
        for at in range(0, len(sound), 800):
            part = np.repeat(sound[None, at : at + 800], channels, 0)
            piece = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(part.T.reshape(1, -1)),
                format="s16",
                layout="mono" if channels == 1 else "stereo",
            )
            piece.sample_rate, piece.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
            piece.pts = at + round(begins * SOUND_RATE)
            packets += audio.encode(piece)
        packets += audio.encode(None)
        packets = [p for p in packets if p.dts is not None]
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path

"""The sound track of a video file, as the one channel of 16 kHz that voice detectors take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from fesnet.video.clock import Clock
from fesnet.video.containers import open_container, player_zero

SOUND_RATE = 16_000  # Hz
# What a header claims of the sound decides how much is made of a few bytes: at 1 Hz each sample
# would become 16,000. No microphone is that slow (Hz), no packet that long (s).
LOWEST_RATE, LONGEST_PACKET_S = 1000, 600


@dataclass(frozen=True, eq=False)
class SoundBlock:
    """A short piece of sound. time: a player's second of its first sample, on the clock of the
    video's frames; samples: (N,) int16 at SOUND_RATE."""

    time: float
    samples: NDArray[np.int16]


def read_sound(path: Path) -> Iterator[SoundBlock]:
    """Decode the sound beside the pictures of a file, piece by piece; nothing where there is none.

    What is damaged is left out, so pieces need not follow each other without a gap. No more than
    one packet's sound is held. Raises SourceError where the file cannot be opened.
    """
    with open_container(str(path.absolute()), path.name, remote=False) as container:
        stream = pick_sound(container)
        if stream is None:
            return
        clock: Clock | None = None
        zero, resampler = player_zero(container), make_resampler()
        for frame in filter(is_plausible, decode_sound(container, stream)):
            if clock is None:
                clock = begin_clock(frame, zero)
            time = float(clock.stamp(frame.pts))
            try:
                pieces = resampler.resample(frame)
            except ValueError:  # the form of the sound changed
                resampler = make_resampler()
                pieces = resampler.resample(frame)
            samples = [piece.to_ndarray()[0] for piece in pieces]
            if samples:
                yield SoundBlock(time, np.concatenate(samples))


def pick_sound(container: Any) -> Any | None:
    """The sound that players play: the container's default one, else the first; None without."""
    streams = [s for s in container.streams.audio if s.codec_context is not None]
    default = [s for s in streams if s.disposition & s.disposition.default]
    return next(iter(default + streams), None)


def is_plausible(frame: AudioFrame) -> bool:
    """Whether a piece of sound has a rate and a length that recordings have."""
    rate = frame.sample_rate
    return rate >= LOWEST_RATE and frame.samples <= LONGEST_PACKET_S * rate


def make_resampler() -> AudioResampler:
    return AudioResampler(format="s16", layout="mono", rate=SOUND_RATE)


def begin_clock(first: AudioFrame, zero: Fraction) -> Clock:
    """A clock whose 0 is the video's: a sound that begins later has a later first second."""
    base = first.time_base or Fraction(1, first.sample_rate)
    tick = Fraction(base.numerator, base.denominator)  # PyAV 19 has a rational of its own
    clock = Clock(tick, Fraction(max(first.samples, 1), first.sample_rate))
    if first.pts is not None:
        clock.begin(first.pts, first.pts * tick - zero)
    return clock


def decode_sound(container: Any, stream: Any) -> Iterator[AudioFrame]:
    """Frames of sound that decode, up to where the file breaks."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue

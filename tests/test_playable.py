"""Which videos browsers show, and copies of the others."""

from __future__ import annotations

import base64
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fesnet.report import write_report
from fesnet.video import open_source
from fesnet.video.playable import BrowserFormat, browser_format, write_playable
from review_server import made_spotting
from video_files import pictures, write_video

RATE = 16_000
BEEP_S = 1.0  # when the sound of `write_beep` begins


def write_beep(path: Path, codec: str = "libx265", seconds: float = 2.0) -> Path:
    """A video whose pictures turn white, and whose sound begins, at BEEP_S."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        voice = container.add_stream("aac", rate=RATE)
        for k in range(round(25 * seconds)):
            image = np.full((48, 64, 3), 255 * (k / 25 >= BEEP_S), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
        times = np.arange(round(RATE * seconds)) / RATE
        wave = (np.sin(2 * np.pi * 440 * times) * (times >= BEEP_S)).astype(np.float32)
        for start in range(0, len(wave) - 1023, 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(voice.encode(frame))
        container.mux(voice.encode(None))
    return path


def sound_starts(path: Path) -> float:
    """The first second of a file whose sound is not silent."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.2)
            if len(loud):
                return float(frame.time) + loud[0] / frame.sample_rate
    raise AssertionError("silence")


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "plays"),
    [
        ("a.mp4", "libx264", "yuv420p", "yes"),
        ("a.mp4", "libx264", "yuv444p", "no"),
        ("a.mov", "libx265", "yuv420p", "ask"),
        ("a.mp4", "libx265", "yuv420p10le", "no"),
        ("a.mp4", "mpeg4", "yuv420p", "no"),
        ("a.avi", "libx264", "yuv420p", "no"),
        ("a.mkv", "libx264", "yuv420p", "no"),
    ],
)
def test_formats_are_known_from_the_file(
    tmp_path: Path, name: str, codec: str, pixels: str, plays: str
) -> None:
    write_video(tmp_path / name, pictures(3), codec=codec, pixels=pixels)
    found = browser_format(tmp_path / name)
    assert found.plays == plays
    assert bool(found.problem) == (plays != "yes")


def test_an_image_folder_is_no_video_for_a_browser(tmp_path: Path) -> None:
    assert browser_format(tmp_path) == BrowserFormat("no", "a folder of pictures is no")


def test_a_copy_of_hevc_shows_and_sounds_at_the_same_seconds(tmp_path: Path) -> None:
    source = write_beep(tmp_path / "phone.mp4")
    write_playable(source, tmp_path / "copy.mp4")
    assert browser_format(source).plays == "ask"
    assert browser_format(tmp_path / "copy.mp4").plays == "yes"
    for path in (source, tmp_path / "copy.mp4"):
        with open_source(path) as opened:
            white = next(f.time for f in opened if f.image.mean() > 128)
        assert white == pytest.approx(BEEP_S, abs=0.001)
        assert sound_starts(path) == pytest.approx(BEEP_S, abs=0.05)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_silent_video_gets_a_silent_copy(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", pictures(5), codec="mpeg4")
    write_playable(tmp_path / "a.avi", tmp_path / "copy.mp4")
    with av.open(str(tmp_path / "copy.mp4")) as copy:
        assert [s.type for s in copy.streams] == ["video"]


def test_a_report_says_what_a_browser_does_not_show_and_offers_a_copy(tmp_path: Path) -> None:
    video = write_beep(tmp_path / "phone.mp4", seconds=1.5)
    spotting, page = made_spotting(seconds=1.5, bumps=()), tmp_path / "phone.html"
    lack = write_report(spotting, page, video=video)
    assert lack == "HEVC video is shown by few browsers: give --convert for a copy in the page"
    assert "If it stays black, open phone.mp4" in page.read_text(encoding="utf-8")
    assert write_report(spotting, page, video=video, convert=True) == ""
    copy = tmp_path / ".playable" / "phone.mp4"
    assert browser_format(copy).plays == "yes"
    made = base64.b64encode(copy.read_bytes()).decode()
    assert made in page.read_text(encoding="utf-8")
    stamp = copy.stat().st_mtime_ns
    assert write_report(spotting, page, video=video) == ""  # the copy that is there is taken
    assert copy.stat().st_mtime_ns == stamp

"""Our seconds are a player's: files whose pictures do not begin at 0, holes, and wild stamps."""

from __future__ import annotations

import base64
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from browser import opened_page
from fesnet.video import open_source
from fesnet.video.clock import MOST_EMPTY_S
from video_files import Image, pictures, write_video

MILLISECOND = Fraction(1, 1000)
BITS = 6


def numbered(number: int) -> Image:
    """A picture that shows its number as white bars."""
    image = np.full((64, 32 * BITS, 3), 90, np.uint8)
    for bit in range(BITS):
        image[:, 32 * bit + 4 : 32 * bit + 28] = 255 * (number >> bit & 1)
    return image


def read_number(image: Image) -> int:
    return sum(1 << b for b in range(BITS) if image[32, 32 * b + 16].mean() > 170)


def write_late(
    path: Path,
    first: float = 0.0,
    *,
    sound: float | None = None,
    codec: str = "libx264",
    count: int = 24,
    seconds: float = 2.0,
    **options: str,
) -> Path:
    """Numbered pictures, 25 a second from `first` (s) on, and silence from `sound` on."""
    webm = path.suffix == ".webm"
    with av.open(str(path), "w", options=options) as container:
        video = container.add_stream(codec, rate=25, options={} if webm else {"bf": "2", "g": "8"})
        video.width, video.height, video.pix_fmt = 32 * BITS, 64, "yuv420p"
        unit = Fraction(1, 25) if codec == "mpeg2video" else MILLISECOND
        video.codec_context.time_base = unit
        packets: list[Any] = []
        if sound is not None:
            name = "libopus" if webm else "mp2" if path.suffix == ".mpg" else "aac"
            silence = container.add_stream(name, rate=48000)
            silence.layout = "mono"
            kind, form = (np.float32, "fltp") if name == "aac" else (np.int16, "s16")
            for at in range(0, int(48000 * seconds), 960):
                frame = av.AudioFrame.from_ndarray(
                    np.zeros((1, 960), kind), format=form, layout="mono"
                )
                frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
                frame.pts = at + int(48000 * sound)
                packets += silence.encode(frame)
            packets += silence.encode(None)
        for k in range(count):
            picture = av.VideoFrame.from_ndarray(numbered(k), format="rgb24")
            picture.pts, picture.time_base = round((first + k / 25) / unit), unit
            packets += video.encode(picture)
        packets += video.encode(None)
        for packet in sorted(packets, key=lambda p: float(p.dts * p.time_base)):
            container.mux(packet)
    return path


# Of each kind that a browser plays: name, options of the writer, our first time.
PLAYED = [
    ("plain.mp4", {}, 0.0),
    ("late.mp4", {"first": 0.8, "sound": 0.0}, 0.8),
    ("alone.mp4", {"first": 0.8}, 0.8),
    ("no_edit_list.mp4", {"use_editlist": "0"}, 0.08),
    ("fragments.mp4", {"movflags": "frag_keyframe+empty_moov"}, 0.08),
    ("late.mov", {"first": 0.8, "sound": 0.0}, 0.8),
    ("late.mkv", {"first": 0.8, "sound": 0.0}, 0.8),
    ("alone.mkv", {"first": 3.0}, 3.0),
    ("late.webm", {"first": 0.8, "sound": 0.0, "codec": "libvpx"}, 0.8),
    ("primed.mp4", {"sound": 0.0}, 0.0),
    ("primed_fragments.mp4", {"sound": 0.0, "movflags": "frag_keyframe+empty_moov"}, 0.08),
    ("sound_before_zero.mp4", {"first": 0.5, "sound": -0.3}, 0.5),
    ("both_late.mp4", {"first": 5.8, "sound": 5.0}, 5.8),
    ("sound_later.mov", {"sound": 0.7}, 0.0),
    ("both_late.mkv", {"first": 5.8, "sound": 5.0}, 5.8),
    ("vp9.webm", {"first": 5.8, "sound": 5.0, "codec": "libvpx-vp9"}, 5.8),
]


@pytest.mark.parametrize(("name", "options", "first"), PLAYED)
def test_the_first_frame_has_a_players_time(
    tmp_path: Path, name: str, options: dict[str, Any], first: float
) -> None:
    source = open_source(write_late(tmp_path / name, **options))
    times = [frame.time for frame in source]
    assert times == pytest.approx([first + k / 25 for k in range(24)], abs=0.0011)
    assert source.warnings == []


@pytest.mark.parametrize("name", ["late.ts", "late.mpg", "late.flv"])
def test_formats_with_a_clock_of_their_own_count_from_their_first_stamp(
    tmp_path: Path, name: str
) -> None:
    codec = "mpeg2video" if name.endswith("mpg") else "libx264"
    path = write_late(tmp_path / name, 5.8, sound=5.0, codec=codec)
    first = next(iter(open_source(path))).time
    assert first == pytest.approx(0.8, abs=0.06)  # less what the sound's codec puts before it
    alone = write_late(tmp_path / f"alone{path.suffix}", 5.8, codec=codec)
    assert next(iter(open_source(alone))).time == pytest.approx(0.0, abs=1e-6)


def trim(path: Path, skipped: int, kept_ms: int) -> Path:
    """Change the edit list of an MP4 or MOV of one picture track, as an editor that cuts nothing
    away: it shows `kept_ms` from the frame `skipped` on."""
    data = bytearray(path.read_bytes())
    entry = data.index(b"elst") + 12
    assert struct.unpack(">I", data[entry - 4 : entry]) == (1,)
    first = struct.unpack(">i", data[entry + 4 : entry + 8])[0]
    struct.pack_into(">Ii", data, entry, kept_ms, first + skipped * 16000 // 25)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["trimmed.mp4", "trimmed.mov"])
def test_what_an_edit_list_leaves_out_is_not_shown(tmp_path: Path, name: str) -> None:
    path = trim(write_late(tmp_path / name), 6, 480)
    shown = [(frame.time, read_number(frame.image)) for frame in open_source(path)]
    assert shown[0] == (0.0, 6)
    assert [number for _, number in shown[:12]] == list(range(6, 18))
    assert len(shown) <= 13  # of 24: a frame that begins at the end may stay


@pytest.mark.parametrize("before", [0.7, 1.0, 1.9])
def test_a_clock_of_33_bits_may_wrap(tmp_path: Path, before: float) -> None:
    """After 26.5 hours a transport stream counts from 0 again: here while the sound is alone,
    at the first picture, and among the pictures."""
    whole = write_late(tmp_path / "a.mp4", first=1.0, sound=0.4)
    target = tmp_path / "wrap.ts"
    with (
        av.open(str(whole)) as old,
        av.open(str(target), "w", options={"mpegts_copyts": "1"}) as new,
    ):
        streams = [new.add_stream_from_template(s) for s in old.streams]
        packets: Any = old.demux()
        for packet in packets:
            if packet.dts is not None:
                late = round((Fraction(2**33, 90000) - Fraction(before)) / packet.time_base)
                packet.pts, packet.dts = packet.pts + late, packet.dts + late
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    source = open_source(target)
    shown = [(read_number(frame.image), frame.time) for frame in source]
    assert [number for number, _ in shown] == list(range(24))
    primed = 1024 / 48000  # what the sound's codec puts before it
    times = [0.6 + primed + k / 25 for k in range(24)]
    assert [time for _, time in shown] == pytest.approx(times, abs=0.002)
    assert source.warnings == []


@pytest.mark.parametrize(("codec", "reordered"), [("mpeg4", "0"), ("mpeg4", "2"), ("mjpeg", "0")])
@pytest.mark.parametrize("hole", [1, 12])
def test_frames_that_an_avi_left_out_keep_their_time(
    tmp_path: Path, codec: str, reordered: str, hole: int
) -> None:
    """A camera of AVI writes an empty picture for each that it dropped; the one before stays."""
    times = [*range(hole), *range(hole + 20, 44)]
    images = [numbered(k) for k in range(24)]
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    if hole == 1 and reordered != "0":  # written so, its B-frames come later, too
        times = [20 + k for k in range(24)]
    path = write_video(tmp_path / "a.avi", images, codec, pixels, times=times, bf=reordered, g="8")
    source = open_source(path)
    shown = [(read_number(frame.image), frame.time) for frame in source]
    assert [number for number, _ in shown] == list(range(24))
    assert shown[0][1] == 0.0 and source.warnings == []
    assert shown[-1][1] == pytest.approx(43 / 25, abs=0.041)
    assert np.diff([time for _, time in shown])[hole - 1] == pytest.approx(21 / 25, abs=0.041)


def test_a_browser_shows_each_frame_at_our_second(browser: Any, tmp_path: Path) -> None:
    files = [write_late(tmp_path / name, **options) for name, options, _ in PLAYED]
    files += [trim(write_late(tmp_path / f"trimmed.{end}"), 6, 480) for end in ("mp4", "mov")]
    (tmp_path / "page.html").write_text("<body></body>")
    with opened_page(browser) as page:
        page.goto((tmp_path / "page.html").as_uri())
        for file in files:
            frames = [(frame.time, read_number(frame.image)) for frame in open_source(file)]
            chosen = [frames[k] for k in (3, 11, 20) if k < len(frames)]
            kind = "mp4" if file.suffix in (".mp4", ".mov") else "webm"
            data = f"data:video/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
            shown = page.evaluate(SEEK, [data, [time + 0.02 for time, _ in chosen]])
            assert [read_number(decode(d)) for d in shown] == [n for _, n in chosen], file.name


SEEK = """async ([src, times]) => {
  const v = document.createElement('video'); v.muted = true; v.preload = 'auto'; v.src = src;
  document.body.replaceChildren(v);
  await new Promise((yes, no) => { v.onloadeddata = yes; v.onerror = () => no(src); });
  const c = document.createElement('canvas'), out = [];
  for (const at of times) {
    // "seeked" may come before the picture is there, on a busy machine
    const there = new Promise(done => v.requestVideoFrameCallback(done));
    await new Promise(done => { v.onseeked = done; v.currentTime = at; });
    await Promise.race([there, new Promise(done => setTimeout(done, 2000))]);
    [c.width, c.height] = [v.videoWidth, v.videoHeight];
    c.getContext('2d').drawImage(v, 0, 0);
    out.push(c.toDataURL());
  }
  return out;
}"""


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "ts", "flv", "avi"])
def test_a_sound_that_goes_on_or_ends_early_is_no_damage(tmp_path: Path, ending: str) -> None:
    codec = "mpeg4" if ending == "avi" else "libx264"
    for name, seconds in (("long", 4.0), ("short", 0.3)):
        path = write_late(tmp_path / f"{name}.{ending}", sound=0.0, seconds=seconds, codec=codec)
        source = open_source(path)
        assert len(list(source)) == 24
        assert not any("broke" in w or "damaged" in w for w in source.warnings), source.warnings


def decode(data: str) -> Image:
    raw = np.frombuffer(base64.b64decode(data.split(",")[1]), np.uint8)
    return np.asarray(cv2.imdecode(raw, cv2.IMREAD_COLOR), np.uint8)


def write_times(path: Path, times: list[int]) -> Path:
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "bgr0"
        video.codec_context.time_base = MILLISECOND
        for time, image in zip(times, pictures(len(times)), strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time, MILLISECOND
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


@pytest.mark.parametrize("last", [10**8, 99 * 10**8, 10**12, 2**62])
def test_a_wild_last_stamp_is_joined_and_told(tmp_path: Path, last: int) -> None:
    source = open_source(write_times(tmp_path / "wild.mkv", [0, 40, 80, last]))
    times = [frame.time for frame in source]
    assert times[:3] == [0.0, 0.04, 0.08] and times[3] < 1
    assert any("wild.mkv: times leap by" in line for line in source.warnings)


def test_holes_up_to_a_day_in_all_stay(tmp_path: Path) -> None:
    half = 500 * MOST_EMPTY_S + 1000
    source = open_source(write_times(tmp_path / "cctv.mkv", [0, half, 2 * half, 2 * half + 40]))
    times = [frame.time for frame in source]
    assert times[1] == half / 1000 and times[2] - times[1] < 1
    assert [w for w in source.warnings if "leap" in w]


def test_a_start_after_more_than_a_day_is_joined(tmp_path: Path) -> None:
    start = 1000 * (MOST_EMPTY_S + 60)
    source = open_source(write_times(tmp_path / "late.mkv", [start, start + 40]))
    assert [frame.time for frame in source] == [0.0, 0.04]
    assert "late.mkv: times leap by" in source.warnings[0]

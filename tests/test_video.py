"""Every way in which frames come in, and the file that goes out."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fesnet.errors import SourceError, UsageError
from fesnet.video import Frame, Source, VideoWriter, open_source
from fesnet.video.clock import Clock, DamageLog
from fesnet.video.files import public_address, widen_range
from fesnet.video.source import LumaPlane, exact_rate
from video_files import Image, cut, pictures, spoil, spoil_pngs, write_sound, write_video

SHARED = Path(os.environ.get("FESNET_SHARED", Path(__file__).parents[2] / "shared"))
CLIPS = sorted((SHARED / "data" / "videos").glob("*.m*"))


def times_of(source: Source) -> list[float]:
    return [frame.time for frame in source]


def far(found: Image, wanted: Image) -> float:
    """Mean distance of two images, 0..255."""
    assert found.shape == wanted.shape and found.dtype == np.uint8
    return float(np.abs(found.astype(int) - wanted).mean())


# ---------------------------------------------------------------- times


def test_times_are_the_containers_own(tmp_path: Path) -> None:
    stamps = [500, 533, 567, 650, 651, 900, 2000]
    path = write_video(tmp_path / "phone.mkv", pictures(7), times=stamps, unit=Fraction(1, 1000))
    source = open_source(path)
    frames = list(source)
    assert [f.time for f in frames] == [float(Fraction(t, 1000)) for t in stamps]
    assert [f.index for f in frames] == list(range(7))
    assert source.warnings == []


def test_mp4_times_are_exact_fractions(tmp_path: Path) -> None:
    stamps = [0, 1001, 2002, 5005, 9009]
    path = write_video(tmp_path / "ntsc.mp4", pictures(5), times=stamps, unit=Fraction(1, 30000))
    assert times_of(open_source(path)) == [float(Fraction(t, 30000)) for t in stamps]


def test_what_is_known_beforehand(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", pictures(50))
    source = open_source(str(path))
    assert (source.name, source.path) == ("a.mp4", path)
    assert (source.width, source.height) == (64, 48)
    assert (source.rate, source.frame_count, source.duration, source.live) == (25, 50, 2.0, False)
    assert isinstance(source.rate, Fraction)
    source.close()


@pytest.mark.parametrize("count", [1, 3])
def test_very_short_files(tmp_path: Path, count: int) -> None:
    source = open_source(write_video(tmp_path / "short.mp4", pictures(count)))
    assert times_of(source) == [i / 25 for i in range(count)]
    assert source.warnings == []


def test_raw_stream_without_times_needs_a_word(tmp_path: Path) -> None:
    path = write_video(tmp_path / "raw.h264", pictures(10))
    source = open_source(path)
    assert times_of(source) == [i / 25 for i in range(10)]
    assert source.warnings == [
        "raw.h264 holds no times: 25 frames a second assumed; else give --fps"
    ]
    assert source.duration is None and source.frame_count is None
    told = open_source(path, rate=50)
    assert times_of(told) == [i / 50 for i in range(10)]
    assert told.warnings == [] and told.rate == 50


def test_rate_does_not_touch_a_file_with_times(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", pictures(5))
    source = open_source(path, rate=100)
    assert source.rate == 25
    assert times_of(source) == [i / 25 for i in range(5)]


def test_avi_with_b_frames_has_decoding_times_only(tmp_path: Path) -> None:
    path = write_video(tmp_path / "b.avi", pictures(30), bf="2")
    source = open_source(path)
    assert times_of(source) == [i / 25 for i in range(30)]
    assert source.warnings == []


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.gif", "gif", "rgb8"), ("a.mpg", "mpeg2video", "yuv420p"), ("a.ts", "libx264", "yuv420p")],
)
def test_containers_with_poor_headers(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    source = open_source(write_video(tmp_path / name, pictures(30), codec, pixels))
    assert times_of(source) == [i / 25 for i in range(30)]
    assert source.warnings == []


def test_joined_streams_go_on_in_time(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.ts", pictures(50)).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(one + one)
    source = open_source(path)
    assert times_of(source) == pytest.approx([i / 25 for i in range(100)], abs=1e-12)
    assert "joined.ts: times start anew at 2.00 s; they were joined there" in source.warnings


TICK = Fraction(1, 100)


def test_clock_repairs_missing_repeated_and_falling_stamps() -> None:
    clock = Clock(TICK, Fraction(4, 100))
    stamps = [1000, 1004, None, 1012, 1012, 1010, 1016]
    assert [clock.stamp(s) / TICK for s in stamps] == [0, 4, 8, 12, 12, 12, 16]
    assert clock.restarts == []


def test_clock_starts_where_the_first_stamp_is_missing() -> None:
    clock = Clock(TICK, Fraction(4, 100))
    assert [clock.stamp(s) / TICK for s in [None, 700, 705]] == [0, 4, 9]


@given(st.lists(st.none() | st.integers(-(10**6), 10**6), max_size=40))
def test_clock_never_falls(stamps: list[int | None]) -> None:
    clock = Clock(TICK, Fraction(1, 25))
    times = [clock.stamp(s) for s in stamps]
    assert times == sorted(times)
    assert not times or times[0] == 0


# ---------------------------------------------------------------- pixels


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [
        ("libx264", "yuv420p10le"),
        ("ffv1", "yuv420p12le"),
        ("ffv1", "yuv444p16le"),
        ("libx264", "yuv422p"),
        ("mjpeg", "yuvj420p"),
    ],
)
def test_pixel_formats_become_rgb8(tmp_path: Path, codec: str, pixels: str) -> None:
    images = pictures(4)
    path = write_video(tmp_path / "deep.mkv", images, codec, pixels)
    frames = list(open_source(path))
    assert len(frames) == 4
    assert max(far(f.image, wanted) for f, wanted in zip(frames, images, strict=True)) < 4


@pytest.mark.parametrize("pixels", ["gray", "gray10le", "gray12le"])
def test_grey_formats_become_three_equal_channels(tmp_path: Path, pixels: str) -> None:
    grey = [np.repeat(image[:, :, :1], 3, axis=2) for image in pictures(3)]
    for frame, wanted in zip(
        open_source(write_video(tmp_path / "grey.mkv", grey, "ffv1", pixels)), grey, strict=True
    ):
        assert (frame.image == frame.image[:, :, :1]).all()
        assert far(frame.image, wanted) < 2


def test_odd_widths_are_handed_out_without_padding(tmp_path: Path) -> None:
    images = pictures(2, width=51, height=37)
    path = write_video(tmp_path / "odd.mov", images, "png", "rgb24")
    for frame, wanted in zip(open_source(path), images, strict=True):
        assert frame.image.flags.c_contiguous
        assert (frame.image == wanted).all()


def test_images_may_be_kept_and_written_to(tmp_path: Path) -> None:
    images = pictures(5)
    kept = []
    for frame in open_source(write_video(tmp_path / "a.mov", images, "png", "rgb24")):
        kept.append(frame.image)
    kept[0][:] = 0
    assert all((found == wanted).all() for found, wanted in zip(kept[1:], images[1:], strict=True))


@pytest.mark.parametrize("angle", [0, 90, 180, -90])
def test_rotation_gives_upright_images_as_opencv_does(tmp_path: Path, angle: int) -> None:
    path = write_video(tmp_path / "phone.mp4", pictures(3), turn=(angle, False, False))
    source = open_source(path)
    quarter = angle in (90, -90)
    assert (source.width, source.height) == ((48, 64) if quarter else (64, 48))
    frames = list(source)
    other = cv2.VideoCapture(str(path))
    for frame in frames:
        found, image = other.read()
        assert found
        assert far(frame.image, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)) < 3
    other.release()
    with av.open(str(path)) as plain:
        stored = next(plain.decode(video=0)).to_ndarray(format="rgb24", threads=1)
    assert (np.rot90(stored, angle // 90) == frames[0].image).all()


def test_quarter_turn_of_an_iphone_is_clockwise(tmp_path: Path) -> None:
    path = write_video(tmp_path / "iphone.mp4", pictures(1))
    data = path.read_bytes()
    upright = b"".join(
        v.to_bytes(4, "big", signed=True) for v in (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    )
    turned = b"".join(
        v.to_bytes(4, "big", signed=True) for v in (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    )
    before = next(iter(open_source(path))).image
    head, sep, tail = data.rpartition(
        upright
    )  # the first matrix is the movie's, the last the track's
    path.write_bytes(head + turned + tail if sep else b"")
    assert (next(iter(open_source(path))).image == np.rot90(before, -1)).all()


@pytest.mark.parametrize("angle", [0, 90, 180, -90])
@pytest.mark.parametrize(("across", "down"), [(True, False), (False, True)])
def test_mirrored_recordings_are_mirrored_back(
    tmp_path: Path, angle: int, across: bool, down: bool
) -> None:
    path = write_video(tmp_path / "selfie.mp4", pictures(1), turn=(angle, across, down))
    found = next(iter(open_source(path))).image
    with av.open(str(path)) as plain:
        frame = next(plain.decode(video=0))
        stored = frame.to_ndarray(format="rgb24", threads=1)
        matrix = (
            np.frombuffer(bytes(frame.side_data["DISPLAYMATRIX"]), np.int32).astype(float) / 65536
        )
    # Independent of the reader: carry every pixel centre by the matrix, as the format defines it.
    height, width = stored.shape[:2]
    y, x = np.mgrid[:height, :width] + 0.5
    to_x = np.rint(matrix[0] * x + matrix[3] * y - 0.5).astype(int)
    to_y = np.rint(matrix[1] * x + matrix[4] * y - 0.5).astype(int)
    wanted = np.zeros((np.ptp(to_y) + 1, np.ptp(to_x) + 1, 3), np.uint8)
    wanted[to_y - to_y.min(), to_x - to_x.min()] = stored
    assert (found == wanted).all()


def test_size_may_change_in_mid_stream(tmp_path: Path) -> None:
    small = write_video(tmp_path / "small.h264", pictures(5)).read_bytes()
    large = write_video(tmp_path / "large.h264", pictures(5, 96, 80)).read_bytes()
    path = tmp_path / "both.h264"
    path.write_bytes(small + large)
    source = open_source(path, rate=25)
    assert (source.width, source.height) == (64, 48)
    frames = list(source)
    assert [f.image.shape for f in frames] == [(48, 64, 3)] * 5 + [(80, 96, 3)] * 5
    assert [f.time for f in frames] == [i / 25 for i in range(10)]


def test_two_decoder_threads_give_the_same(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", pictures(40))
    pairs = zip(open_source(path), open_source(path, threads=2), strict=True)
    assert all(a.time == b.time and (a.image == b.image).all() for a, b in pairs)


def test_memory_stays_constant(tmp_path: Path) -> None:
    status = Path("/proc/self/statm")
    if not status.exists():
        pytest.skip("needs /proc to see how much memory is held")
    path = write_video(
        tmp_path / "long.mp4", pictures(8, 320, 240) * 50, "mpeg4", turn=(90, False, False)
    )
    gc.disable()  # PyAV's side data makes cycles that only the collector frees: none may be made
    try:
        held = [int(status.read_text().split()[1]) for _ in open_source(path)]
    finally:
        gc.enable()
    assert (max(held) - held[20]) * os.sysconf("SC_PAGE_SIZE") < 20e6  # 400 frames would be 92 MB


# ---------------------------------------------------------------- broken files


def test_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"expected a video file or an image folder, but .*no\.mp4 does not exist"
    ):
        open_source(tmp_path / "no.mp4")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_that_cannot_be_decoded_says_what_to_do(tmp_path: Path) -> None:
    """The index of an mp4 stands behind its frames, where a pipe cannot go and come back from."""
    noise = list(np.random.default_rng(0).integers(0, 256, (8, 240, 320, 3), np.uint8))
    video, pipe = write_video(tmp_path / "a.mp4", noise).read_bytes(), tmp_path / "pipe"
    assert len(video) > 100_000  # more than FFmpeg keeps to come back to
    os.mkfifo(pipe)

    def feed() -> None:
        with suppress(BrokenPipeError):
            pipe.write_bytes(video)

    thread = Thread(target=feed)
    thread.start()
    with pytest.raises(
        SourceError,
        match=r"^cannot .* pipe.*; most videos cannot be read from a pipe; save it to a",
    ):
        open_source(pipe)
    thread.join()


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "zero.mp4").touch()
    with pytest.raises(SourceError, match=r"cannot open zero\.mp4 as a video: the file is empty"):
        open_source(tmp_path / "zero.mp4")


@pytest.mark.parametrize(
    ("name", "why"), [("notes.mp4", "Invalid data"), ("notes.txt", "it is a text file")]
)
def test_text_is_no_video(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / name).write_text("onset apex offset\n" * 200)
    with pytest.raises(SourceError, match=f"cannot open {name} as a video: {why}"):
        open_source(tmp_path / name)


@pytest.mark.parametrize("cover", [False, True])
def test_sound_file_has_no_video_stream(tmp_path: Path, cover: bool) -> None:
    path = write_sound(tmp_path / "talk.mp4", pictures(1)[0] if cover else None)
    with pytest.raises(
        SourceError, match=r"expected a video, but talk\.mp4 has no video stream \(holds: audio\)"
    ):
        open_source(path)


def test_mp4_cut_before_its_index(tmp_path: Path) -> None:
    path = cut(write_video(tmp_path / "cut.mp4", pictures(50)), 0.6)
    with pytest.raises(
        SourceError, match=r"cannot open cut\.mp4 as a video: it ends at \d+ of at least"
    ):
        open_source(path)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cut.mp4", {"movflags": "+faststart"}),
        ("cut.mkv", {}),
        ("frag.mp4", {"movflags": "+frag_keyframe+empty_moov"}),
    ],
)
def test_cut_file_is_used_up_to_the_cut(
    tmp_path: Path, name: str, options: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_video(tmp_path / name, pictures(75), g="10", **options)
    whole = [f.image for f in open_source(path)]
    source = open_source(cut(path, 0.6))
    frames = list(source)
    assert 20 < len(frames) < 60
    assert all((f.image == whole[f.index]).all() for f in frames[:-1])
    assert len(source.warnings) == 1
    end = frames[-1].time + 1 / 25
    assert source.warnings[0].startswith(f"{name} broke at {end:.2f} s: ")
    assert (
        source.warnings[0].endswith("; the part before was used") and "\n" not in source.warnings[0]
    )
    assert capfd.readouterr() == ("", "")


def test_cut_transport_stream_never_crashes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.ts", pictures(75), g="10")
    data = path.read_bytes()
    for part in (0.3, 0.5, 0.7, 0.9):
        path.write_bytes(data[: int(len(data) * part)])
        times = times_of(open_source(path))
        # Frames that refer to what was cut away may be missing; those that come keep their time.
        assert (
            len(times) > 15
            and set(times) <= {i / 25 for i in range(75)}
            and times == sorted(set(times))
        )


def test_damaged_packets_are_skipped_and_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    images = pictures(80)
    path = spoil_pngs(write_video(tmp_path / "bad.mov", images, "png", "rgb24"), [10, 11, 60])
    source = open_source(path)
    frames = list(source)
    kept = [i for i in range(80) if i not in (10, 11, 60)]
    assert [f.time for f in frames] == [i / 25 for i in kept]
    assert [f.index for f in frames] == list(range(77))
    assert all((f.image == images[i]).all() for f, i in zip(frames, kept, strict=True))
    assert source.warnings == [
        "bad.mov is damaged from 0.40 to 0.44 s: frames there are missing or spoilt; the rest "
        "was used",
        "bad.mov is damaged at 2.40 s: frames there are missing or spoilt; the rest was used",
    ]
    assert capfd.readouterr() == ("", "")


def test_damage_up_to_the_end_is_a_break(tmp_path: Path) -> None:
    path = spoil_pngs(write_video(tmp_path / "bad.mov", pictures(10), "png", "rgb24"), [7, 8, 9])
    source = open_source(path)
    assert len(list(source)) == 7
    assert source.warnings == [
        "bad.mov broke at 0.28 s: the rest cannot be decoded; the part before was used"
    ]


def test_damage_before_the_first_frame(tmp_path: Path) -> None:
    path = spoil_pngs(write_video(tmp_path / "bad.mov", pictures(10), "png", "rgb24"), [0, 1])
    source = open_source(path)
    assert times_of(source) == [i / 25 for i in range(2, 10)]
    assert source.warnings == [
        "bad.mov is damaged at 0.00 s: frames there are missing or spoilt; the rest was used"
    ]


@pytest.mark.parametrize(
    "name", ["noise.mp4", "noise.mkv", "noise.avi", "noise.ts", "noise.h264", "noise.webm"]
)
def test_noise_in_a_compressed_file_never_crashes(tmp_path: Path, name: str) -> None:
    codec = {"avi": "mpeg4", "webm": "libvpx"}.get(name.split(".")[1], "libx264")
    source = open_source(spoil(write_video(tmp_path / name, pictures(100, 128, 96), codec, g="10")))
    times = times_of(source)
    assert 30 < len(times) <= 100
    assert times == sorted(times)
    assert all("\n" not in warning and warning.startswith(name) for warning in source.warnings)


def test_file_without_one_intact_frame(tmp_path: Path) -> None:
    path = spoil_pngs(write_video(tmp_path / "dead.mov", pictures(3), "png", "rgb24"), range(3))
    with pytest.raises(SourceError, match=r"cannot decode dead\.mov: not a single frame is intact"):
        open_source(path)


def test_damage_is_told_once_for_each_run() -> None:
    warnings: list[str] = []
    damage = DamageLog("x", warnings)
    for tenths in range(60):
        (damage.add_damaged if tenths in (5, 7, 12, 40) else damage.add_intact)(
            Fraction(tenths, 10)
        )
    damage.finish(Fraction(6), Fraction(6), None)
    assert [w.split(":")[0] for w in warnings] == [
        "x is damaged from 0.50 to 1.20 s",
        "x is damaged at 4.00 s",
    ]


def test_the_readers_last_word_is_told() -> None:
    warnings: list[str] = []
    damage = DamageLog("x", warnings)
    damage.add_intact(Fraction(1))
    damage.finish(Fraction(2), Fraction(3), "Connection timed out")
    assert warnings == ["x broke at 2.00 s: Connection timed out; the part before was used"]


def test_address_that_does_not_answer_hides_the_password() -> None:
    with pytest.raises(
        SourceError, match=r"cannot open http://127\.0\.0\.1:9/cam as a video"
    ) as caught:
        open_source("http://user:secret@127.0.0.1:9/cam?key=secret")
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)
    assert "whole video" not in str(caught.value)  # a hint for files


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("rtsp://anna:secret@cam.local:554/live/1?key=secret", "rtsp://cam.local:554/live/1"),
        ("http://cam/x.mp4#secret", "http://cam/x.mp4"),
        ("http://anna:secret@[::1]:9/x.mp4", "http://[::1]:9/x.mp4"),
        ("rtsp://anna:secret", "rtsp://anna"),
    ],
)
def test_what_is_told_of_an_address(address: str, public: str) -> None:
    assert public_address(address) == public


def test_video_over_http(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", pictures(10), movflags="+faststart")
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path))
    ) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            address = f"http://127.0.0.1:{server.server_port}/a.mp4"
            source = open_source(f"{address}?key=secret")
            assert (source.name, source.live, source.path) == (address, False, None)
            assert times_of(source) == [i / 25 for i in range(10)]
        finally:
            server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


# ---------------------------------------------------------------- image folders


def write_images(
    folder: Path, images: list[Image], pattern: str = "img_{}.png", first: int = 1
) -> Path:
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images, first):
        assert cv2.imwrite(
            str(folder / pattern.format(number)), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        )
    return folder


@pytest.mark.parametrize(("codec", "pixels"), [("png", "rgb24"), ("ffv1", "bgr0")])
def test_image_folder_equals_lossless_video(tmp_path: Path, codec: str, pixels: str) -> None:
    images = pictures(12)
    folder = write_images(tmp_path / "frames", images)
    video = write_video(tmp_path / "video.nut", images, codec, pixels)
    pairs = list(zip(open_source(folder, rate=25), open_source(video), strict=True))
    assert [a.index for a, _ in pairs] == list(range(12))
    for (a, b), wanted in zip(pairs, images, strict=True):
        assert (a.index, a.time) == (b.index, b.time)
        assert (a.image == b.image).all() and (a.image == wanted).all()


def test_images_come_in_natural_order(tmp_path: Path) -> None:
    images = pictures(12)
    source = open_source(
        write_images(tmp_path / "s15_0102", images, "img_{}.bmp"), rate=Fraction(30000, 1001)
    )
    assert (source.name, source.frame_count, source.rate) == ("s15_0102", 12, Fraction(30000, 1001))
    assert source.duration == float(Fraction(12 * 1001, 30000))
    for frame, wanted in zip(source, images, strict=True):
        assert (frame.image == wanted).all()
        assert frame.time == float(Fraction(frame.index * 1001, 30000))
    assert source.warnings == []


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "jpg", "JPEG"])
def test_image_types(tmp_path: Path, suffix: str) -> None:
    images = pictures(2)
    folder = write_images(tmp_path / "frames", images, "{}." + suffix)
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "._1.png").write_bytes(b"x")
    for frame, wanted in zip(open_source(folder, rate=25), images, strict=True):
        assert far(frame.image, wanted) < (8 if suffix.lower().startswith("j") else 1e-9)


def test_grey_and_16_bit_images_and_differing_sizes(tmp_path: Path) -> None:
    ramp = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 21
    cv2.imwrite(str(tmp_path / "1.png"), ramp)
    cv2.imwrite(str(tmp_path / "2.png"), (ramp[:20, :30] >> 8).astype(np.uint8))
    deep, small = open_source(tmp_path, rate=25)
    assert np.abs(deep.image.astype(int) - (ramp >> 8)[:, :, None]).max() <= 1
    assert (small.image == (ramp[:20, :30] >> 8)[:, :, None]).all()


def test_jump_in_image_numbers_is_told(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "frames", pictures(3))
    write_images(folder, pictures(2), first=7)
    source = open_source(folder, rate=25)
    assert source.warnings == [
        "frames: image numbers jump from 3 to 7 (1 such places); frames are counted by image, "
        "not by number"
    ]
    assert len(list(source)) == 5


def test_image_folder_needs_a_rate(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "frames", pictures(1))
    with pytest.raises(
        UsageError,
        match=r"expected frames a second for the image folder .*frames, got none; give them, as "
        r"in --fps 25",
    ):
        open_source(folder)


def test_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("nothing here")
    with pytest.raises(
        UsageError, match=r"expected a folder with images \(\.jpg, .*\), but .* has none"
    ):
        open_source(tmp_path, rate=25)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.97])
@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp"])
def test_unreadable_image_is_named(tmp_path: Path, part: float, suffix: str) -> None:
    folder = write_images(tmp_path / "frames", pictures(3), "img_{}." + suffix)
    cut(folder / f"img_2.{suffix}", part)
    source = open_source(folder, rate=25)
    why = "it is damaged, cut off or not" if part else "the file is empty"
    with pytest.raises(SourceError, match=rf"cannot read image .*img_2\.{suffix}: {why}"):
        list(source)


# ---------------------------------------------------------------- arrays and iterables


def test_colour_array() -> None:
    video = np.stack(pictures(4))
    source = open_source(video, rate=12.5)
    assert (source.name, source.width, source.height, source.frame_count) == ("array", 64, 48, 4)
    assert (source.rate, source.duration, source.path) == (Fraction(25, 2), 0.32, None)
    frames = list(source)
    assert [f.time for f in frames] == [0.0, 0.08, 0.16, 0.24]
    assert all((f.image == wanted).all() for f, wanted in zip(frames, video, strict=True))


def test_grey_array_gets_three_channels() -> None:
    video = np.stack(pictures(4))[:, :, :, 0]
    frames = list(open_source(video, rate=25))
    assert all(
        (f.image == wanted[:, :, None]).all() for f, wanted in zip(frames, video, strict=True)
    )
    assert frames[0].image.shape == (48, 64, 3)


def test_iterator_of_images_is_read_as_it_goes() -> None:
    given_out = []

    def camera() -> Iterator[Image]:
        for image in pictures(5):
            given_out.append(image)
            yield image

    source = open_source(camera(), rate=25)
    assert (source.width, source.height, source.frame_count, len(given_out)) == (64, 48, None, 1)
    frames = iter(source)
    assert next(frames).time == 0.0 and next(frames).time == 0.04 and len(given_out) == 2


def test_frames_are_taken_as_they_are() -> None:
    frames = [Frame(7, 1.5, pictures(1)[0]), Frame(9, 1.75, pictures(1)[0])]
    source = open_source(frames)
    found = list(source)
    assert all(a is b for a, b in zip(found, frames, strict=True))
    assert source.rate is None and (source.width, source.height) == (64, 48)


def test_a_source_is_handed_back() -> None:
    source = open_source(pictures(1), rate=25)
    assert open_source(source) is source


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (
            np.zeros((4, 8, 8), np.float32),
            r"expected an array \(T, H, W\) or .* uint8, got \(4, 8, 8\) float32",
        ),
        (np.zeros((8, 8, 3), np.uint8), r"got \(8, 8, 3\) uint8; put one picture into a list"),
        (np.zeros((4, 8, 8, 4), np.uint8), r"got \(4, 8, 8, 4\) uint8"),
        (
            [np.zeros((8, 8, 2), np.uint8)],
            r"expected image 0 to be \(H, W\) grey or .* got \(8, 8, 2\) uint8",
        ),
        (["a.mp4"], "expected image 0 to be a numpy array, got str"),
        (2.5, "expected a path, a camera number, an array or an iterable of images, got float"),
        (True, "expected a path, a camera number, .* got bool"),
    ],
)
def test_wrong_things(video: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_source(video, rate=25)  # type: ignore[arg-type]


def test_wrong_thing_in_the_middle() -> None:
    source = open_source([Frame(0, 0.0, pictures(1)[0]), pictures(1)[0]])  # type: ignore[arg-type]
    with pytest.raises(
        UsageError, match="expected item 1 to be a Frame like the first, got ndarray"
    ):
        list(source)


def test_nothing_in_it() -> None:
    with pytest.raises(SourceError, match="expected at least one frame, got an empty array source"):
        open_source(np.zeros((0, 8, 8), np.uint8), rate=25)
    with pytest.raises(
        SourceError, match="expected at least one frame, got an empty frames source"
    ):
        open_source([])


def test_images_need_a_rate() -> None:
    with pytest.raises(UsageError, match="expected a rate for images without times, got none"):
        open_source(np.stack(pictures(2)))


@pytest.mark.parametrize("rate", [0, -25, 1e-9, float("nan"), float("inf"), True])
def test_rate_must_be_a_rate(rate: float) -> None:
    with pytest.raises(UsageError, match="expected a rate above 0 frames a second, got"):
        open_source(pictures(1), rate=rate)


def test_exact_rate() -> None:
    assert exact_rate(29.97) == Fraction(2997, 100)
    assert exact_rate(30000 / 1001) == Fraction(30000, 1001)
    assert exact_rate(Fraction(24000, 1001)) == Fraction(24000, 1001)
    assert exact_rate(200) == 200
    assert exact_rate(Fraction(29.97)) == Fraction(2997, 100)  # made from a float by the caller


# ---------------------------------------------------------------- one loop, and closing


def test_a_source_is_read_once() -> None:
    source = open_source(pictures(2), rate=25)
    assert len(list(source)) == 2
    with pytest.raises(UsageError, match="expected frames to be read once, got a second loop"):
        iter(source)


def test_closing_ends_a_running_loop(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", pictures(20))
    with open_source(path) as source:
        found = []
        for frame in source:
            found.append(frame.index)
            if frame.index == 3:
                source.close()
    assert found == [0, 1, 2, 3]
    with pytest.raises(
        UsageError, match=r"expected a\.mp4 to be read once, got a second loop or a closed source"
    ):
        iter(source)


def test_leaving_a_loop_closes_the_file() -> None:
    closed = []
    frames = [Frame(i, float(i), pictures(1)[0]) for i in range(3)]
    source = Source(
        name="x", width=64, height=48, frames=iter(frames), on_close=lambda: closed.append(1)
    )
    for _ in source:
        break
    gc.collect()
    assert closed == [1]
    source.close()
    assert closed == [1]


# ---------------------------------------------------------------- cameras


class FakeCamera:
    """Three pictures, then nothing: a camera that is unplugged."""

    def __init__(self, number: int) -> None:
        self.left = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in pictures(4)]
        self.released = False
        self.number = number

    def isOpened(self) -> bool:
        return self.number == 0

    def grab(self) -> bool:
        return bool(self.left.pop(0).size)

    def get(self, what: int) -> float:
        return {
            cv2.CAP_PROP_FRAME_WIDTH: 64.0,
            cv2.CAP_PROP_FRAME_HEIGHT: 48.0,
            cv2.CAP_PROP_FPS: 30.0,
        }[what]

    def read(self) -> tuple[bool, Image | None]:
        return (True, self.left.pop(0)) if self.left else (False, None)

    def release(self) -> None:
        self.released = True


def test_camera_times_run_from_the_first_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    ticks = iter([100.0, 100.5, 100.75, 101.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    source = open_source(0)
    assert (source.name, source.live, source.rate, source.duration) == ("camera 0", True, 30, None)
    assert (source.width, source.height, source.frame_count, source.path) == (64, 48, None, None)
    frames = list(source)
    assert [f.time for f in frames] == [0.0, 0.5, 0.75]
    assert all((f.image == wanted).all() for f, wanted in zip(frames, pictures(4)[1:], strict=True))
    assert source.warnings == [
        "camera 0 stopped at 1.00 s: no more pictures; the part before was used"
    ]


def test_camera_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[FakeCamera] = []
    monkeypatch.setattr(
        cv2, "VideoCapture", lambda number: made.append(FakeCamera(number)) or made[-1]
    )
    with open_source(0) as source:
        next(iter(source))
    assert made[0].released
    with pytest.raises(SourceError, match="cannot open camera 1"):
        open_source(1)
    assert made[1].released


def test_camera_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        SourceError, match="cannot open camera 97: not there, in use or not allowed"
    ):
        open_source(97)
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------- writing


def test_written_file_comes_back(tmp_path: Path) -> None:
    images = pictures(20)
    path = tmp_path / "out.mp4"
    with VideoWriter(path, Fraction(30000, 1001), 64, 48, crf=4) as writer:
        for image in images:
            writer.write(image)
        assert not path.exists()
    source = open_source(path)
    assert source.rate == Fraction(30000, 1001)
    frames = list(source)
    assert [f.time for f in frames] == [float(Fraction(i * 1001, 30000)) for i in range(20)]
    assert max(far(f.image, wanted) for f, wanted in zip(frames, images, strict=True)) < 4
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.colorspace) == ("h264", "yuv420p", 1)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("rate", [Fraction(200), 25, 29.97, Fraction(15, 2)])
def test_rates_that_are_written(tmp_path: Path, rate: Fraction | float) -> None:
    with VideoWriter(tmp_path / "r.mp4", rate, 64, 48) as writer:
        for image in pictures(5):
            writer.write(image)
    assert times_of(open_source(tmp_path / "r.mp4")) == [
        float(i / exact_rate(rate)) for i in range(5)
    ]


def test_odd_sizes_are_padded_to_even(tmp_path: Path) -> None:
    image = pictures(1, 51, 37)[0]
    with VideoWriter(tmp_path / "odd.mp4", 25, 51, 37, crf=1) as writer:
        writer.write(image)
    found = next(iter(open_source(tmp_path / "odd.mp4"))).image
    assert found.shape == (38, 52, 3)
    assert far(found[:37, :51], image) < 4


def test_mpeg4_where_x264_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fesnet.video.encode.codecs_available", {"mpeg4"})
    images = pictures(5)
    with VideoWriter(tmp_path / "old.mp4", 25, 64, 48) as writer:
        for image in images:
            writer.write(image)
    with av.open(str(tmp_path / "old.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
    for frame, wanted in zip(open_source(tmp_path / "old.mp4"), images, strict=True):
        assert far(frame.image, wanted) < 6


def test_nothing_is_left_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"before")
    with pytest.raises(ZeroDivisionError), VideoWriter(path, 25, 64, 48) as writer:
        writer.write(pictures(1)[0])
        raise ZeroDivisionError
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_writer_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with (
        pytest.raises(UsageError, match=r"expected at least one image for .* got none"),
        VideoWriter(path, 25, 8, 8),
    ):
        pass
    with (
        pytest.raises(
            UsageError, match=r"expected an image \(48, 64, 3\) uint8, got \(48, 64\) uint8"
        ),
        VideoWriter(path, 25, 64, 48) as writer,
    ):
        writer.write(pictures(1)[0][:, :, 0])
    with pytest.raises(UsageError, match="expected a picture of at least 1 x 1, got 0 x 48"):
        VideoWriter(path, 25, 0, 48)
    with pytest.raises(UsageError, match="expected crf from 0 to 51, got 99"):
        VideoWriter(path, 25, 8, 8, crf=99)
    with pytest.raises(UsageError, match=r"expected an existing folder for .*out\.mp4"):
        VideoWriter(tmp_path / "no" / "out.mp4", 25, 8, 8)
    with pytest.raises(
        UsageError, match=r"expected a file to write, got the folder .*; name a file"
    ):
        VideoWriter(tmp_path, 25, 8, 8)
    with pytest.raises(UsageError, match="expected VideoWriter to be used in a with block"):
        VideoWriter(path, 25, 64, 48).write(pictures(1)[0])
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- real clips


@pytest.mark.skipif(not CLIPS, reason="the real clips are not on this machine")
@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.name)
def test_real_clips_decode_whole(path: Path) -> None:
    source = open_source(path)
    times = []
    for frame in source:
        times.append(frame.time)
        assert frame.image.shape == (source.height, source.width, 3)
    assert times[0] == 0.0 and len(times) > 50
    assert all(a < b for a, b in pairwise(times))
    assert source.warnings == []


# --- luma without colour ---


@pytest.mark.parametrize("turn", [None, (90, False, False)])
def test_grey_is_the_luma_of_the_file(turn: tuple[int, bool, bool] | None, tmp_path: Path) -> None:
    images = [cv2.GaussianBlur(image, (0, 0), 4) for image in pictures(3, 96, 64)]
    path = write_video(tmp_path / "a.mp4", images, turn=turn)
    for frame in open_source(path):
        grey = frame.grey
        assert grey.shape == frame.image.shape[:2]
        assert np.abs(grey - frame.image @ np.array([0.299, 0.587, 0.114])).mean() < 2.5


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_luma_cut_part_by_part_is_that_of_the_whole(data: st.DataObject) -> None:
    plane = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
    whole, luma = widen_range(plane), LumaPlane(plane, widen_range)
    assert luma.shape == whole.shape
    for _ in range(4):
        y0, x0 = data.draw(st.integers(0, 58)), data.draw(st.integers(0, 78))
        y1, x1 = data.draw(st.integers(y0 + 1, 70)), data.draw(st.integers(x0 + 1, 90))
        np.testing.assert_array_equal(luma[y0:y1, x0:x1], whole[y0:y1, x0:x1])
    np.testing.assert_array_equal(luma[::7, ::7], whole[::7, ::7])


@pytest.mark.parametrize("turn", [None, (90, False, False)])
def test_luma_of_a_frame_is_its_grey(turn: tuple[int, bool, bool] | None, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", pictures(3, 96, 64), turn=turn)
    for frame, again in zip(open_source(path), open_source(path), strict=True):
        np.testing.assert_array_equal(frame.luma[8:40, 4:30], again.grey[8:40, 4:30])


def test_grey_of_a_picture_in_colour() -> None:
    (image,) = pictures(1)
    expected = image @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(Frame(0, 0.0, image).grey, expected, atol=1.0)
    assert Frame(0, 0.0, image).image is image


def test_a_grey_picture_is_one_of_three_equal_channels() -> None:
    grey = pictures(1)[0][..., 0]
    frame = Frame(0, 0.0, grey)
    assert frame.image.shape == (*grey.shape, 3)
    np.testing.assert_array_equal(frame.grey, grey)


@pytest.mark.parametrize(
    ("image", "got"),
    [
        (np.zeros((8, 8, 3)), r"\(8, 8, 3\) float64"),
        (np.zeros((8, 8), np.int16), r"\(8, 8\) int16"),
        (np.zeros((0, 8, 3), np.uint8), r"\(0, 8, 3\) uint8"),
        (np.zeros((8, 8, 4), np.uint8), r"\(8, 8, 4\) uint8"),
        ([[0, 0], [0, 0]], "list"),
        (None, "NoneType"),
    ],
)
def test_a_frame_of_what_is_no_picture(image: Any, got: str) -> None:
    with pytest.raises(UsageError, match=f"expected the image of frame 7 to be .* got {got}"):
        Frame(7, 0.0, image)

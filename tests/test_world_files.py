"""Files as the world makes them: pixels, streams, folders, and claims that are not true."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from fesnet.batch.sources import count_passed_over, find_videos, is_batch, passed_over_text
from fesnet.errors import SourceError
from fesnet.video import open_source
from fesnet.video.containers import MAX_PIXELS
from fesnet.video.display import display_size
from fesnet.video.folder import source_sha256
from fesnet.video.picture_head import image_size
from video_files import Image, pictures, write_video


def write_streams(
    path: Path, sizes: list[tuple[int, int]], default: int | None = None, **aspect: Fraction
) -> Path:
    """A file with a video of each size (width, height), 3 frames each."""
    with av.open(str(path), "w") as container:
        streams = []
        for number, (width, height) in enumerate(sizes):
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            if aspect:
                stream.codec_context.sample_aspect_ratio = aspect["aspect"]
            if default is not None:
                flags = av.stream.Disposition
                stream.disposition = flags.default if number == default else flags(0)
            streams.append(stream)
        for stream, (width, height) in zip(streams, sizes, strict=True):
            for image in pictures(3, width, height):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))
    return path


# ---------------------------------------------------------------- pixels that are not square


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(5, 16), (64, 205)),
        (Fraction(8, 9), (64, 72)),
        (Fraction(12, 11), (70, 64)),
        (Fraction(4, 3), (85, 64)),
        (Fraction(64, 45), (91, 64)),
        (Fraction(2), (128, 64)),
    ],
)
def test_pixels_are_made_square(tmp_path: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    source = open_source(write_streams(tmp_path / "a.mkv", [(64, 64)], aspect=aspect))
    assert (source.width, source.height) == size
    frame = next(iter(source))
    assert frame.image.shape == (size[1], size[0], 3)
    assert frame.grey.shape == (size[1], size[0])


@pytest.mark.parametrize(
    "aspect", [None, Fraction(0), Fraction(1), Fraction(9), Fraction(1, 65535)]
)
def test_ratios_that_mean_nothing_change_nothing(aspect: Fraction | None) -> None:
    assert display_size(64, 48, aspect) is None
    assert display_size(16000, 4000, Fraction(2)) is None  # beyond MAX_PIXELS


@pytest.mark.parametrize("turn", [90, -90, 180, 0])
def test_pixels_are_made_square_before_the_picture_is_turned(tmp_path: Path, turn: int) -> None:
    path = write_aspect(tmp_path / "a.mp4", "libx264", Fraction(64, 45), turn=turn)
    size = (91, 48) if turn in (0, 180) else (48, 91)
    source = open_source(path)
    assert (source.width, source.height) == size
    assert next(iter(source)).image.shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.mov", "mjpeg", "yuvj420p"),
        ("a.ts", "mpeg2video", "yuv420p"),
        ("a.mxf", "mpeg2video", "yuv420p"),
        ("a.h264", "libx264", "yuv420p"),
        ("a.wmv", "wmv2", "yuv420p"),
    ],
)
def test_every_container_may_hold_wide_pixels(
    tmp_path: Path, name: str, codec: str, pixels: str
) -> None:
    source = open_source(write_aspect(tmp_path / name, codec, Fraction(4, 3), pixels, count=6))
    assert (source.width, source.height) == (85, 48)


def test_television_changes_the_shape_of_pixels_on_the_way(tmp_path: Path) -> None:
    path, data = tmp_path / "both.ts", b""
    for aspect in (Fraction(1), Fraction(4, 3)):
        part = write_aspect(tmp_path / "part.ts", "mpeg2video", aspect, count=40)
        data += part.read_bytes()
    path.write_bytes(data)
    shapes = [frame.image.shape[:2] for frame in open_source(path)]
    assert set(shapes[:38]) == {(48, 64)} and set(shapes[42:]) == {(48, 85)}


def write_aspect(
    path: Path,
    codec: str,
    aspect: Fraction,
    pixels: str = "yuv420p",
    *,
    turn: int | None = None,
    count: int = 3,
    rate: int = 25,
) -> Path:
    """A video of 64 x 48 whose pixels are `aspect` times as wide as high."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        stream.codec_context.sample_aspect_ratio = aspect
        if turn is not None:
            stream.set_display_rotation(turn, hflip=False, vflip=False)
        for image in pictures(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


# ---------------------------------------------------------------- which stream, which images


@pytest.mark.parametrize(("default", "size"), [(0, (32, 32)), (1, (64, 48)), (2, (48, 32))])
def test_the_default_video_is_used_and_told(
    tmp_path: Path, default: int, size: tuple[int, int]
) -> None:
    sizes = [(32, 32), (64, 48), (48, 32)]
    source = open_source(write_streams(tmp_path / "three.mkv", sizes, default))
    assert (source.width, source.height) == size
    assert source.warnings == [
        "three.mkv holds 3 videos (1: 32 x 32, 2: 64 x 48, 3: 48 x 32); "
        f"number {default + 1} was used"
    ]


FLAGS = av.stream.Disposition
COVER = ("mjpeg", (320, 240), 1)
FACE = ("libx264", (64, 48), 9)
SMALL = ("libx264", (32, 32), 9)


@pytest.mark.parametrize(
    ("name", "streams", "flags", "told"),
    [
        ("cover.mp4", [COVER, FACE], [FLAGS.attached_pic, FLAGS.default], False),
        ("large_preview.mp4", [("mjpeg", (320, 240), 3), FACE], [FLAGS(0), FLAGS.default], True),
        ("still.mkv", [COVER, FACE], [FLAGS.default, FLAGS(0)], True),
        ("second.mov", [SMALL, FACE], [FLAGS(0), FLAGS.default], True),
        ("none.mkv", [SMALL, FACE], [FLAGS(0), FLAGS(0)], True),
        ("both.mkv", [SMALL, FACE], [FLAGS.default, FLAGS.default], True),
        ("broadcast.ts", [SMALL, FACE], [FLAGS(0), FLAGS(0)], True),
    ],
)  # fmt: skip
def test_a_cover_a_preview_and_a_small_picture_are_not_the_video(
    tmp_path: Path, name: str, streams: list[Any], flags: list[Any], told: bool
) -> None:
    with av.open(str(tmp_path / name), "w") as container:
        made = []
        for (codec, (width, height), _), flag in zip(streams, flags, strict=True):
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.disposition = width, height, flag
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            made.append(stream)
        for stream, (_, size, count) in zip(made, streams, strict=True):
            for image in pictures(count, *size):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))
    source = open_source(tmp_path / name)
    assert (source.width, source.height) == FACE[1] and len(list(source)) == FACE[2]
    assert any("holds 2 videos" in line for line in source.warnings) == told


def test_a_rate_that_a_file_does_not_need_is_told(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", pictures(5))
    assert open_source(path, rate=25).warnings == []
    assert "the rate of 100 that was given was not used" in open_source(path, rate=100).warnings[0]


def write_images(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.zeros((8, 8, 3), np.uint8))
    return folder


def test_the_largest_series_of_images_is_the_video(tmp_path: Path) -> None:
    names = [f"img_{k}.png" for k in range(1, 5)]
    folder = write_images(tmp_path / "s", *names, "reg_img_1.png", "reg_img_2.png", "room.png")
    source = open_source(folder, rate=25)
    assert source.frame_count == 4
    assert "named like img_1.png, 3 others were left out" in source.warnings[0]
    assert open_source(write_images(tmp_path / "t", "a.png", "b.png"), rate=25).frame_count == 2


def test_what_a_folder_batch_passes_over_is_counted(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for name in (
        "a.mp4",
        "MOV1.MOD",
        "ch.dav",
        "notes.txt",
        "b.txt",
        "x",
        "room.jpg",
        ".hidden.doc",
    ):
        (root / name).touch()
    os.mkfifo(root / "pipe.mp4")
    (root / "loop.mp4").symlink_to("loop.mp4")
    (root / "again").symlink_to(root)
    assert is_batch([str(root)])
    found = find_videos([str(root)], tmp_path / "out")
    assert [v.key for v in found] == ["MOV1.MOD", "a.mp4", "ch.dav"]
    counts = count_passed_over([str(root)], tmp_path / "out")
    assert counts == {
        "ending .txt": 2, "image beside a video": 1, "no ending": 1, "no regular file": 2
    }  # fmt: skip
    assert passed_over_text(counts).startswith("6 files passed over: 2 ending .txt, 2 no regular")


# ---------------------------------------------------------------- files that refer to other files


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile inside.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\ninside.ts\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    ],
)
@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list.sdp", "list.txt"])
def test_lists_of_other_files_are_refused(tmp_path: Path, name: str, text: str) -> None:
    write_video(tmp_path / "inside.mp4", pictures(5))
    write_video(tmp_path / "inside.ts", pictures(5))
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=r"list of other files|text file|Invalid"):
        open_source(tmp_path / name)


@pytest.mark.parametrize(
    "address",
    [
        "concat:file://{0}|file://{0}",
        "subfile,,start,0,end,0,,:file://{0}",
        "cache:file://{0}",
        "async:file://{0}",
        "crypto:file://{0}",
        "concatf:file://{0}",
        "pipe:file://{0}",
        "lavfi://testsrc",
        "x11grab://:0",
    ],
)
def test_no_address_reaches_a_file_or_a_device_by_a_way_round(tmp_path: Path, address: str) -> None:
    """FFmpeg knows protocols that read other ones."""
    inside = write_video(tmp_path / "inside.mp4", pictures(5))
    assert len(list(open_source(f"file://{inside}"))) == 5  # the way that people mean
    with pytest.raises(SourceError, match="cannot open"):
        open_source(address.format(inside))


class Redirect(BaseHTTPRequestHandler):
    """Sends whoever asks to a file of this machine, or gives a list that names one."""

    inside = ""

    def log_message(self, *_: Any) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        body = b""
        if self.path == "/moved.mp4":
            self.send_response(302)
            self.send_header("Location", f"file://{self.inside}")
        else:
            head = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n"
            body = f"{head}file://{self.inside}\n#EXT-X-ENDLIST\n".encode()
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize("name", ["moved.mp4", "list.m3u8", "list.mp4"])
def test_no_server_makes_us_read_a_file_of_this_machine(tmp_path: Path, name: str) -> None:
    Redirect.inside = str(write_video(tmp_path / "inside.ts", pictures(9)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Redirect)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(SourceError, match=r"cannot (open|decode)"):
            open_source(f"http://127.0.0.1:{server.server_port}/{name}")
    finally:
        server.shutdown()
        server.server_close()


def test_a_percent_sign_names_no_row_of_pictures(tmp_path: Path) -> None:
    write_images(tmp_path, "p%d.png", "p1.png", "p2.png", "p3.png")
    assert len(list(open_source(tmp_path / "p%d.png"))) == 1


# ---------------------------------------------------------------- sizes that are only claimed


def claimed_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + sum_

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [16000, 30000])
def test_pictures_that_are_too_large_are_refused(tmp_path: Path, side: int) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for k in (1, 2):
        (folder / f"i{k}.png").write_bytes(claimed_png(side, side))
    with pytest.raises(SourceError, match=f"at most 67 million pixels, got {side} x {side}"):
        open_source(folder, rate=25)


@pytest.mark.parametrize("ending", [".png", ".bmp", ".jpg", ".tif"])
def test_sizes_are_read_from_the_head(ending: str) -> None:
    _, data = cv2.imencode(ending, np.zeros((31, 57, 3), np.uint8))
    assert image_size(data.tobytes()) == (57, 31)
    for cut in (0, 3, 9, 20, 27):
        image_size(data.tobytes()[:cut])  # whatever it says, it raises nothing
    assert MAX_PIXELS > 57 * 31


def test_a_pipe_that_nobody_writes_is_no_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fesnet.video.containers.PIPE_WAIT", 0.1)
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(SourceError, match="nobody wrote into this pipe"):
        open_source(tmp_path / "pipe.mp4")
    with pytest.raises(SourceError, match="it is a device"):
        open_source(Path("/dev/zero"))


# ---------------------------------------------------------------- no times, dark, sound


class Camera(BaseHTTPRequestHandler):
    """Sends a JPEG every 50 ms, without times."""

    images: list[Image] = pictures(12)

    def log_message(self, *_: Any) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
        self.end_headers()
        for image in self.images:
            data = cv2.imencode(".jpg", image)[1].tobytes()
            head = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
            try:
                self.wfile.write(head + data + b"\r\n")
            except OSError:
                return
            threading.Event().wait(0.08)


def test_a_camera_without_times_gets_those_of_arrival() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/video.mjpg"
        source = open_source(address)
        times = [frame.time for frame in source]
        given = [frame.time for frame in open_source(address, rate=20)]
    finally:
        server.shutdown()
        server.server_close()
    assert source.live and source.rate is None
    steps = np.diff(times)
    assert times[0] == 0 and times[-1] >= 0.05 * (len(times) - 1)  # 25 a second would be less
    assert (steps >= 0).all() and np.ptp(steps[2:] % 0.04) > 1e-4  # and finer than that, too
    assert any("sends no times: those of arrival were taken" in w for w in source.warnings)
    assert given == pytest.approx([k / 20 for k in range(len(given))])


@pytest.mark.parametrize(
    ("name", "codec", "rate", "counted"),
    [
        ("a.h264", "libx264", 30, True),  # a rate that its head tells
        ("a.mjpeg", "mjpeg", 25, True),  # none: 25 assumed
        ("a.m2v", "mpeg2video", 30, False),  # each picture tells how long it is shown
        ("a.obu", "libsvtav1", 25, True),
    ],
)
def test_raw_pictures_have_the_rate_of_their_head_and_say_so(
    tmp_path: Path, name: str, codec: str, rate: int, counted: bool
) -> None:
    try:
        av.Codec(codec, "w")
    except ValueError:  # av.codec.codec.UnknownCodecError
        pytest.skip(f"this FFmpeg does not write {name}")
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_aspect(tmp_path / name, codec, Fraction(1), pixels, rate=30, count=6)
    source = open_source(path)
    times = [frame.time for frame in source]
    assert times == pytest.approx([k / rate for k in range(6)], abs=1e-6)
    assert source.rate == rate
    told = [f"{name} holds no times: {rate} frames a second assumed; else give --fps"]
    assert source.warnings == (told if counted else [])
    if counted:
        given = open_source(path, rate=50)
        assert [frame.time for frame in given] == pytest.approx([k / 50 for k in range(6)])
        assert given.warnings == []


def test_the_rate_of_a_tape_is_that_of_its_system(tmp_path: Path) -> None:
    """FFmpeg's average of a DV file is 60,000 frames a second."""
    with av.open(str(tmp_path / "tape.dv"), "w") as container:
        stream = container.add_stream("dvvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
        for image in pictures(3, 720, 576):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    assert open_source(tmp_path / "tape.dv").rate == 25


def test_dark_pictures_of_16_bits_are_told(tmp_path: Path) -> None:
    for name, brightest in (("dark", 4095), ("fine", 60000)):
        folder = tmp_path / name
        folder.mkdir()
        for k in (1, 2):
            cv2.imwrite(str(folder / f"{k}.png"), np.full((8, 8), brightest, np.uint16))
    assert (
        "dark is dark: the brightest value" in open_source(tmp_path / "dark", rate=25).warnings[0]
    )
    assert open_source(tmp_path / "fine", rate=25).warnings == []


def test_a_folder_has_a_checksum(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "f", "1.png", "2.png")
    first = source_sha256(folder)
    assert first == source_sha256(folder) and len(first) == 64
    write_images(folder, "3.png")
    assert source_sha256(folder) != first

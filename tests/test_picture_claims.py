"""Pictures that claim more than they hold, and files that are not what their names say."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from fesnet.errors import SourceError
from fesnet.video import open_source
from fesnet.video.content import why_no_video
from fesnet.video.folder import read_image
from fesnet.video.picture_head import image_size
from video_files import write_video

SMALL = np.zeros((31, 57, 3), np.uint8)
JPEG = cv2.imencode(".jpg", SMALL)[1].tobytes()
FRAME_START = JPEG.index(b"\xff\xc0")


def claimed_jpeg(before: bytes) -> bytes:
    """A JPEG of 30,000 x 30,000, with bytes before the segment that says so."""
    size = struct.pack(">HH", 30_000, 30_000)
    head, rest = JPEG[:FRAME_START], JPEG[FRAME_START:]
    return head + before + rest[:5] + size + rest[9:]


def tiff(entries: dict[int, int], order: str = "<") -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(entries))
    return head + b"".join(struct.pack(f"{order}HHII", k, 4, 1, v) for k, v in entries.items())


GIF = b"GIF89a" + struct.pack("<HH", 30_000, 30_000) + bytes(40)
WEBP = b"RIFF\x20\0\0\0WEBP"
CLAIMS = {
    "filling bytes": claimed_jpeg(b"\xff\xff\xff"),
    "bytes between segments": claimed_jpeg(b"abc"),
    "a marker without a length": claimed_jpeg(b"\xff\xd0"),
    "old bmp": b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 30_000, 30_000, 1, 24),
    "extended webp": WEBP + b"VP8X" + bytes(8) + b"\xff\xff\0" + b"\xff\xff\0",
    "tiles": tiff({256: 64, 257: 64, 322: 16384, 323: 16384}),
    "many values a pixel": tiff({256: 8000, 257: 8000, 258: 64, 277: 60}),
    "other order": tiff({256: 64, 257: 64, 322: 1 << 23, 323: 16}, ">"),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_no_way_round_the_size_that_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(CLAIMS[name])
    with pytest.raises(SourceError, match="at most 67 million pixels"):
        read_image(path)


@pytest.mark.parametrize("ending", [".webp", ".jpg", ".bmp", ".tif", ".png"])
def test_common_pictures_tell_their_size(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(cv2.imencode(ending, SMALL)[1].tobytes())
    assert image_size(path.read_bytes()) == (57, 31)
    assert read_image(path).shape == (31, 57, 3)


@pytest.mark.parametrize(
    "data, told",
    [
        (GIF, "it is a GIF picture; save it as PNG or JPEG"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "it is a HEIC picture; save it"),
        (b"P5 30000 30000 255\n", "damaged, cut off or not an image"),
        (b"", "the file is empty"),
        (tiff({256: 1, 257: 60_000_000}), "damaged, cut off or not an image"),
        (cv2.imencode(".tiff", np.zeros((9, 9, 3), np.float32))[1].tobytes(), "no whole numbers"),
    ],
)
def test_other_pictures_are_one_line(data: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=told):
        read_image(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "a.mp4"
    write_video(path, [np.zeros((48, 64, 3), np.uint8)] * 5)
    return path.read_bytes()


NOT_VIDEOS = {
    "a page": (b"<!DOCTYPE html><html>Sign in</html>", "a web page"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
    "a pdf": (b"%PDF-1.4\n" + bytes(range(256)), "it is a PDF"),
    "a zip": (b"PK\3\4" + bytes(range(256)), "a zip archive"),
    "zeros": (bytes(5000), "begins with zeros"),
}


@pytest.mark.parametrize("name", NOT_VIDEOS)
def test_what_is_no_video_is_called_by_its_name(name: str, tmp_path: Path) -> None:
    data, told = NOT_VIDEOS[name]
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=told):
        open_source(path)


def test_a_video_that_was_cut_off_says_so(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    index = whole.index(b"moov") - 4
    cuts = {
        "its index .moov. is missing": whole[:index],
        "before its index": whole[: whole.index(b"mdat") + 40],
    }
    for told, data in cuts.items():
        path.write_bytes(data)
        with pytest.raises(SourceError, match=told):
            open_source(path)
    path.write_bytes(whole)
    assert why_no_video(path) is None


def test_an_encrypted_video_says_so(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    at = whole.index(b"stsd") + 16  # the name of the first sample entry
    path.write_bytes(whole[:at] + b"encv" + whole[at + 4 :])
    with pytest.raises(SourceError, match="it is encrypted"):
        open_source(path)

"""How large a picture claims to be, read from its first bytes before anything is unpacked.

A file of a few kilobytes may claim gigabytes, which OpenCV would fill.
"""

from __future__ import annotations

import struct
from typing import Literal

STANDALONE = (0x01, *range(0xD0, 0xD9))  # JPEG markers without a length
FRAME_STARTS = [m for m in range(0xC0, 0xD0) if m not in (0xC4, 0xC8, 0xCC)]
TIFF_WIDTH, TIFF_HEIGHT, TIFF_BITS, TIFF_SAMPLES, TILE_WIDTH, TILE_HEIGHT = (
    256, 257, 258, 277, 322, 323,
)  # fmt: skip
MOST_BITS = 64  # of one pixel: four values of 16


def image_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) that the head of a PNG, BMP, JPEG, TIFF or WebP claims; None for all else.

    Of a TIFF it is what has to be unpacked at once, which may be more than the picture.
    """
    if data.startswith(b"\x89PNG") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data.startswith(b"BM") and len(data) >= 26:
        old = data[14:18] == b"\x0c\0\0\0"
        width, height = struct.unpack("<HH", data[18:22]) if old else bmp_size(data)
        return width, height
    if data.startswith(b"\xff\xd8"):
        return jpeg_size(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        return webp_size(data)
    return tiff_size(data) if data[:4] in (b"II*\0", b"MM\0*") else None


def bmp_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<ii", data[18:26])
    return abs(width), abs(height)


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of the first start of frame; bytes between segments are passed over, as
    decoders do.
    """
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 9 <= len(data):
        marker = data[at + 1]
        if marker in FRAME_STARTS:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        if marker == 0xFF:  # a filling byte
            at += 1
        elif marker == 0 or marker in STANDALONE:
            at += 2
        else:
            at += 2 + max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)
    return None


def webp_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a lossy, lossless or extended file."""
    form = data[12:16]
    if form == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if form == b"VP8L":
        packed = int.from_bytes(data[21:25], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    if form == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def tiff_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of the first directory, or of its tiles where they are larger. Where a pixel
    holds more than MOST_BITS, the height is counted as many times."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    start = int.from_bytes(data[4:8], order)
    found: dict[int, int] = {}
    for k in range(int.from_bytes(data[start : start + 2], order)):
        entry = data[start + 2 + 12 * k : start + 14 + 12 * k]
        wide = 4 if entry[2:4] == (b"\4\0" if order == "little" else b"\0\4") else 2
        found[int.from_bytes(entry[:2], order)] = int.from_bytes(entry[8 : 8 + wide], order)
    if not {TIFF_WIDTH, TIFF_HEIGHT} <= found.keys():
        return None
    whole = found[TIFF_WIDTH], found[TIFF_HEIGHT]
    tile = found.get(TILE_WIDTH, 0), found.get(TILE_HEIGHT, 0)
    width, height = max(whole, tile, key=lambda size: size[0] * size[1])
    # Three values and more keep their depths elsewhere in the file, and this entry says where.
    samples = found.get(TIFF_SAMPLES, 1)
    bits = samples * (found.get(TIFF_BITS, 8) if samples < 3 else 16)
    return width, height * max(1, -(-bits // MOST_BITS))

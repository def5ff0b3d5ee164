"""What a file holds whose name says otherwise: for messages that tell the true reason."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# (place, first bytes, what such a file is)
KNOWN = (
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"BM", "a BMP picture"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (0, b"II+\0", "a BigTIFF picture"),
    (0, b"MM\0+", "a BigTIFF picture"),
    (8, b"WEBP", "a WebP picture"),
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftypheic", "a HEIC picture"),
    (4, b"ftypheix", "a HEIC picture"),
    (4, b"ftypmif1", "a HEIF picture"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"8BPS", "a Photoshop picture"),
    (0, b"v/1\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance picture"),
    (0, b"%PDF", "a PDF"),
    (0, b"PK\3\4", "a zip archive (or an Office file)"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x89HDF", "an HDF5 file"),
    (128, b"DICM", "a DICOM file"),
    (0, b"ID3", "an MP3 file"),
    (8, b"WAVE", "a WAV file"),
    (0, b"SQLite format 3", "a data base"),
    (0, b"MZ", "a Windows program"),
    (0, b"\x7fELF", "a Linux program"),
)
HEAD = 4096  # bytes that are looked at
LFS = b"version https://git-lfs"
PAGE_STARTS = (b"<!doctype html", b"<html", b"<head")
MOST_BOXES = 10_000
ENCRYPTED = (b"encv", b"drmi", b"enca")  # sample entries of MP4


def content_name(head: bytes) -> str | None:
    """What a file is by its first bytes; None where that is not known."""
    for place, magic, name in KNOWN:
        if head.startswith(magic, place):
            return name
    return None


def why_no_video(path: Path) -> str | None:
    """The reason why a file cannot be opened as a video, with what to do; None where the file does
    not say. Reads a few kilobytes.
    """
    try:
        if not path.is_file():
            return None
        with path.open("rb") as handle:
            return reason_of(handle, path.stat().st_size)
    except OSError:
        return None


def reason_of(handle: BinaryIO, size: int) -> str | None:
    head = handle.read(HEAD)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(LFS):
        return "it is a pointer of Git LFS, not the video; fetch it with 'git lfs pull'"
    if text.startswith(PAGE_STARTS):
        return "it is a web page, as a download without signing in leaves it; download it again"
    if not head.strip(b"\0"):
        return "it begins with zeros, as an interrupted copy leaves them; copy it again"
    name = content_name(head)
    if name is not None:
        return f"it is {name}; give a video"
    return reason_of_boxes(handle, size) if head[4:8] in (b"ftyp", b"moov", b"mdat") else None


def reason_of_boxes(handle: BinaryIO, size: int) -> str | None:
    """Of MP4 and MOV: whether the file ends too early, or lacks its index."""
    found = list(boxes(handle, size))
    names, end = {name for name, _, _ in found}, found[-1][2] if found else 0
    if end > size and b"moov" not in names:
        return (
            f"it ends at {size} of at least {end} bytes, before its index (moov); copy it again, "
            "or repair the recording"
        )
    if end > size:
        return f"it ends at {size} of at least {end} bytes; copy it again"
    if b"moov" not in names and b"moof" not in names:
        return (
            "its index (moov) is missing, as where a recording was not stopped; copy it again, or "
            "repair the recording"
        )
    return None


def is_encrypted(path: Path) -> bool:
    """Whether the index of an MP4 or MOV names encrypted pictures (DRM)."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as handle:
            return any(entry in index_of(handle, path.stat().st_size) for entry in ENCRYPTED)
    except OSError:
        return False


def index_of(handle: BinaryIO, size: int, limit: int = 50_000_000) -> bytes:
    """The first box moov of a file, at most `limit` bytes; empty where there is none."""
    for name, start, end in boxes(handle, size):
        if name == b"moov":
            handle.seek(start)
            return handle.read(min(end - start, limit))
    return b""


def boxes(handle: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, first byte, byte after the last) of the outermost boxes of an MP4 or MOV, as their
    heads claim. A box of an impossible length is the last, and ends where it begins.
    """
    at = 0
    for _ in range(MOST_BOXES):
        handle.seek(at)
        head = handle.read(16)
        if len(head) < 8:
            return
        length, name = struct.unpack(">I4s", head[:8])
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
        length = length or size - at  # 0: up to the end
        if length < 8:
            yield name, at, at
            return
        yield name, at, at + length
        at += length

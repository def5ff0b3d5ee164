"""A folder of numbered images, the form in which most research videos are handed on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._io import VIDEO_SUFFIXES, file_exists, file_sha256, read_regular_file, resolve_path
from fesnet._types import Image
from fesnet.errors import SourceError, UsageError
from fesnet.video.containers import check_pixels
from fesnet.video.content import content_name
from fesnet.video.dark import dark_warning
from fesnet.video.picture_head import image_size
from fesnet.video.quiet import quiet_opencv
from fesnet.video.source import Frame, Source, exact_rate

LARGEST_IMAGE = 1_000_000_000  # bytes; 67 million pixels of 16 bits have 400 million
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")


def open_folder(path: Path, rate: Fraction | None) -> Source:
    """Open a folder of images in natural order (img_2 before img_10); needs a rate.

    Raises UsageError without images or rate, SourceError naming the file for an image that cannot
    be read.
    """
    every = sorted(image_files(path), key=natural_key)
    files, warnings = main_series(path, every)
    if not files:
        raise UsageError(
            f"expected a folder with images ({', '.join(SUFFIXES)}), but {path} has none"
        )
    rate = check_folder_rate(path, rate)
    height, width = read_image(files[0]).shape[:2]
    warnings += dark_warning(resolve_path(path).name, read_unchanged(files[0]))
    return Source(
        name=resolve_path(path).name,
        path=path,
        width=width,
        height=height,
        frames=_folder_frames(files, rate),
        rate=rate,
        frame_count=len(files),
        duration=float(len(files) / rate),
        warnings=[*warnings, *_numbering_gaps(path, files)],
    )


def check_folder_rate(path: Path, rate: Fraction | float | None) -> Fraction:
    """The rate of an image folder. Raises UsageError where none is given, or none that can be."""
    if rate is None:
        raise UsageError(
            f"expected frames a second for the image folder {path}, got none; give them, as in "
            "--fps 25 or rate=25"
        )
    return exact_rate(rate)


def image_files(path: Path) -> Iterator[Path]:
    """Images directly in a folder, in no order; no hidden files (macOS leaves a ._img_1.jpg for
    each).
    """
    for file in path.iterdir():
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file_exists(file):
            yield file


def main_series(path: Path, files: list[Path]) -> tuple[list[Path], list[str]]:
    """The images that make the video, and a warning where others lie beside them: frames are often
    kept in two forms in one folder (img_1.jpg and reg_img_1.jpg), and a picture of the room may be
    there, too. Those are taken whose names differ in numbers alone, the most of them, of equals
    the first; all where each name is of its own kind.
    """
    series: dict[str, list[Path]] = {}
    for file in files:
        series.setdefault(re.sub(r"\d+", "#", file.name.lower()), []).append(file)
    most = max(series.values(), key=len, default=[])
    if len(series) < 2 or len(most) < 2:
        return files, []
    listed = ", ".join(f"{name}: {len(some)}" for name, some in sorted(series.items())[:4])
    more = ", ..." if len(series) > 4 else ""
    return most, [
        f"{resolve_path(path).name} holds {len(series)} series of images ({listed}{more}); the "
        f"frames are those named like {most[0].name}, {len(files) - len(most)} others were left out"
    ]


def source_sha256(path: Path) -> str:
    """The sha256 of a video file, or of the names and contents of a folder's images. Raises
    OSError.
    """
    if not path.is_dir():
        return file_sha256(path)
    files = sorted(image_files(path), key=natural_key)
    return sha256_of_lines([f"{file_sha256(f)} {f.name}" for f in files])


def sha256_of_lines(lines: list[str]) -> str:
    """One sha256 for many lines; file names may hold bytes that are no UTF-8."""
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def natural_key(file: Path) -> tuple[list[tuple[int, str]], str]:
    """Sort key in which digits count as numbers: img_2.jpg before img_10.jpg."""
    parts = re.findall(r"\d+|\D+", file.name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], file.name


def read_image(file: Path) -> Image:
    """Read one image as (H, W, 3) uint8 RGB, turned upright by its EXIF entry, 16 bits scaled to 8.

    Raises SourceError, also for one that is cut off: its black rest would look like a change of the
    face.
    """
    try:
        data = read_regular_file(file, LARGEST_IMAGE)
    except OSError as error:
        raise SourceError(f"cannot read image {file}: {error.strerror or error}") from error
    size = image_size(data)
    if size is None:  # what it would take to unpack it is not known
        raise SourceError(f"cannot read image {file}: {why_no_image(data)}")
    check_pixels(f"image {file}", *size)
    image = decode_image(data, cv2.IMREAD_COLOR)
    if image is None or is_cut_off(data):
        reason = "it is damaged, cut off or not an image; copy it again"
        if decode_image(data, cv2.IMREAD_UNCHANGED) is not None and not is_cut_off(data):
            reason = "its values are no whole numbers of 8 or 16 bits; save it with such"
        raise SourceError(f"cannot read image {file}: {reason}")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def decode_image(data: bytes, mode: int) -> NDArray[Any] | None:
    """What OpenCV makes of a file's bytes; None where it makes nothing of them."""
    if not data:  # refused with an exception
        return None
    with quiet_opencv():
        try:
            # Not imread: it cannot open every path on Windows.
            image: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
        except cv2.error:  # sides that it does not take
            return None
    return image


def why_no_image(data: bytes) -> str:
    """Why bytes that are no picture of a known kind cannot be read, and what to do."""
    name = content_name(data)
    if not data:
        return "the file is empty; copy it again"
    if name is None or image_kind(name):
        return "it is damaged, cut off or not an image; copy it again"
    return f"it is {name}; save it as PNG or JPEG"


def image_kind(name: str) -> bool:
    """Whether a kind of file (see `content_name`) is one that is read."""
    return name.split()[1] in ("PNG", "JPEG", "BMP", "TIFF", "WebP")


def read_unchanged(file: Path) -> NDArray[Any]:
    """One image of PNG or TIFF, grey, with the depth of the file; empty for other formats."""
    if file.suffix.lower() not in (".png", ".tif", ".tiff"):
        return np.empty(0, np.uint8)
    # Grey, as four values of 16 bits would take half a gigabyte.
    image = decode_image(read_regular_file(file, LARGEST_IMAGE), cv2.IMREAD_ANYDEPTH)
    return np.empty(0, np.uint8) if image is None else image


def is_cut_off(data: bytes) -> bool:
    """Whether a JPEG lacks its end, which older OpenCV (4.10) fills with black without a word.

    The end marker (FF D9) must follow the last start of scan (FF DA), which cannot occur in pixel
    data.
    """
    return data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")


def _folder_frames(files: list[Path], rate: Fraction) -> Iterator[Frame]:
    for index, file in enumerate(files):
        yield Frame(index, float(index / rate), read_image(file))


def _numbering_gaps(path: Path, files: list[Path]) -> list[str]:
    """Say once where the numbers jump: annotations by image number would be shifted from there
    on.
    """
    found = [re.search(r"(\d+)\D*$", file.stem) for file in files]
    numbers = [int(match[1]) for match in found if match]
    if len(numbers) < len(files):
        return []
    jumps = [(a, b) for a, b in pairwise(numbers) if b != a + 1]
    if not jumps:
        return []
    a, b = jumps[0]
    return [
        f"{resolve_path(path).name}: image numbers jump from {a} to {b} ({len(jumps)} such "
        "places); frames are counted by image, not by number"
    ]


def find_video_files(folder: Path) -> list[Path]:
    """Video files of a folder and the folders in it, in natural order; no hidden ones. Raises
    UsageError where there is none.
    """
    if not folder.is_dir():
        raise UsageError(f"expected a folder of videos, but {folder} is none")
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and file_exists(path)
    ]
    if not found:
        raise UsageError(f"expected videos such as .mp4 in {folder}, got none; name another folder")
    return sorted(found, key=lambda p: [natural_key(Path(s)) for s in p.relative_to(folder).parts])

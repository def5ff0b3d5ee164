"""A folder of numbered images, the form in which most research videos are handed on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from fesnet._io import VIDEO_SUFFIXES
from fesnet._types import Image
from fesnet.errors import SourceError, UsageError
from fesnet.video.quiet import quiet_opencv
from fesnet.video.source import Frame, Source, exact_rate

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")


def open_folder(path: Path, rate: Fraction | None) -> Source:
    """Open a folder of images in natural order (img_2 before img_10); needs a rate.

    Raises UsageError without images or rate, SourceError naming the file for an image that cannot
    be read.
    """
    files = sorted(image_files(path), key=natural_key)
    if not files:
        raise UsageError(
            f"expected a folder with images ({', '.join(SUFFIXES)}), but {path} has none"
        )
    rate = check_folder_rate(path, rate)
    height, width = read_image(files[0]).shape[:2]
    return Source(
        name=path.resolve().name,
        path=path,
        width=width,
        height=height,
        frames=_folder_frames(files, rate),
        rate=rate,
        frame_count=len(files),
        duration=float(len(files) / rate),
        warnings=_numbering_gaps(path, files),
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
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file():
            yield file


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
        data = file.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read image {file}: {error.strerror}") from error
    with quiet_opencv():
        # Not imread: it cannot open every path on Windows. OpenCV refuses empty data with an
        # exception.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None or is_cut_off(data):
        raise SourceError(
            f"cannot read image {file}: it is damaged, cut off or not an image; copy it again"
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


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
        f"{path.resolve().name}: image numbers jump from {a} to {b} ({len(jumps)} such places); "
        "frames are counted by image, not by number"
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
        and path.is_file()
    ]
    if not found:
        raise UsageError(f"expected videos such as .mp4 in {folder}, got none; name another folder")
    return sorted(found, key=lambda p: [natural_key(Path(s)) for s in p.relative_to(folder).parts])

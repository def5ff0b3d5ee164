"""Whether a folder of images holds the frames of a video, or pictures of something else."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from fesnet._io import read_regular_file
from fesnet.video.folder import main_series
from fesnet.video.picture_head import image_size

MIN_FRAMES = 5  # fewer images are pictures; our choice
MIN_STEPS = 0.5  # of the steps between numbers that are alike; frames may be missing; our choice
MIN_SHARE = 0.9  # of a folder's images that one numbered series makes; our choice
NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")  # before, the last number, after it


def describe_no_video(folder: Path, images: list[str]) -> str:
    """Why the images are no frames of a video; empty if they are.

    Frames are numbered: at least `MIN_FRAMES` names that differ by their last number alone, most of
    these numbers following one another at equal steps, and pictures of one size.
    """
    if len(images) < MIN_FRAMES:
        return f"{len(images)} images, fewer than the {MIN_FRAMES} that make a video"
    numbers: dict[tuple[str, str], list[int]] = {}
    for name in images:
        found = NUMBERED.fullmatch(name)
        if found:
            numbers.setdefault((found[1], found[3].lower()), []).append(int(found[2]))
    series = max(numbers.values(), key=len, default=[])
    # Frames are often kept in two forms (img_1.jpg and reg_img_1.jpg): `main_series` takes one.
    numbered = sum(len(some) for some in numbers.values() if len(some) >= MIN_FRAMES)
    if numbered < MIN_SHARE * len(images):
        return "images whose names are no numbered series"
    ordered = sorted(series)
    steps = Counter(b - a for a, b in pairwise(ordered))
    if steps.most_common(1)[0][1] < MIN_STEPS * (len(series) - 1):
        return "images whose numbers do not follow one another"
    frames, _ = main_series(folder, [folder / name for name in images])
    sizes = {size_of_file(frames[n]) for n in (0, len(frames) // 2, -1)}
    return "images of different sizes" if len(sizes) > 1 else ""


def size_of_file(path: Path) -> tuple[int, int] | None:
    """Width and height; None for what cannot be read, which `open_source` tells."""
    try:
        return image_size(read_regular_file(path))
    except OSError:
        return None

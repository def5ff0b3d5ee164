"""Whether a folder of images holds the frames of a video, or pictures of something else."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

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
    if len(series) < MIN_SHARE * len(images):
        return "images whose names are no numbered series"
    ordered = sorted(series)
    steps = Counter(b - a for a, b in pairwise(ordered))
    if steps.most_common(1)[0][1] < MIN_STEPS * (len(series) - 1):
        return "images whose numbers do not follow one another"
    sizes = {image_size(folder / images[n]) for n in (0, len(images) // 2, -1)}
    return "images of different sizes" if len(sizes) > 1 else ""


def image_size(path: Path) -> tuple[int, ...]:
    """Height and width; empty for what cannot be read, which `open_source` tells."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_8) if len(data) else None
    except (OSError, cv2.error):
        return ()
    return () if image is None else image.shape

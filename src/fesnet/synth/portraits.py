"""A folder of face photos -> puppets, through the package's own face models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fesnet.errors import SourceError, UsageError
from fesnet.faces.detect import BlazeFaceDetector
from fesnet.faces.landmarks import FaceMesh, region_of_detection, region_of_landmarks
from fesnet.faces.models import ensure_models
from fesnet.synth.puppet import PICTURE, Floats, Puppet, make_puppet
from fesnet.video.folder import image_files, read_image

SURE = 0.9  # presence score from which a photo is taken to hold a face


class FaceFinder:
    """Landmarks of the largest face in a photo."""

    def __init__(self) -> None:
        models = ensure_models()
        self.detector, self.mesh = BlazeFaceDetector(models.detector), FaceMesh(models.landmarks)

    def landmarks(self, photo: NDArray[np.uint8]) -> Floats | None:
        """(468, 3) in the photo's pixels, or None where there is no face."""
        found = self.detector.detect(photo)
        if not found:
            return None
        region = region_of_detection(max(found, key=lambda f: (f.box[2] - f.box[0]) * (f.box[3] - f.box[1])))
        for _ in range(3):  # each look starts from the landmarks of the one before
            points, score = self.mesh.landmarks(photo, [region])[0]
            region = region_of_landmarks(points)
        return points if score >= SURE else None


def read_puppets(folder: Path, *, pixels: int = PICTURE) -> tuple[list[Puppet], list[str]]:
    """Puppets of all photos, and one line for each photo that was left out.

    The folder holds photos; or `neutral/` and, under the same file names, `smiling/`: then a smile of the same
    person ends in the real one. Raises UsageError where there is no photo at all.
    """
    neutral = folder / "neutral" if (folder / "neutral").is_dir() else folder
    if not neutral.is_dir():
        raise UsageError(f"expected a folder of portraits, but {folder} is none")
    photos = list(image_files(neutral))
    if not photos:
        raise UsageError(f"expected photos (jpg, png, bmp, tif) in {neutral}, got none")
    finder, puppets, left_out = FaceFinder(), [], []
    for path in photos:
        try:
            puppets.append(read_puppet(path, finder, folder / "smiling" / path.name, pixels))
        except SourceError as error:
            left_out.append(str(error))
    return puppets, left_out


def read_puppet(path: Path, finder: FaceFinder, smiling: Path, pixels: int = PICTURE) -> Puppet:
    """One puppet. Raises SourceError for a photo that cannot be read or holds no face."""
    photo = read_image(path)
    points = finder.landmarks(photo)
    if points is None:
        raise SourceError(f"expected a face in {path}, found none; use a frontal portrait")
    if not smiling.is_file():
        return make_puppet(path.stem, photo, points, pixels=pixels)
    other = read_image(smiling)
    return make_puppet(path.stem, photo, points, other, finder.landmarks(other), pixels=pixels)

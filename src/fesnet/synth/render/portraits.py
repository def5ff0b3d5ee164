"""A folder of face photos -> people and avatars, through the package's own face models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray, ShareCallback
from fesnet.errors import SourceError, UsageError
from fesnet.faces import align
from fesnet.faces.detect import BlazeFaceDetector
from fesnet.faces.landmarks import FaceMesh, region_of_detection, region_of_landmarks
from fesnet.faces.models import ensure_models
from fesnet.synth.render.avatar import PICTURE, Avatar, make_avatar
from fesnet.synth.render.frame_renderer import basis_smile
from fesnet.video.folder import image_files, natural_key, read_image

MIN_PRESENCE = 0.9  # presence score from which a photo is taken to hold a face


class FaceFinder:
    """Landmarks of the largest face in a photo."""

    def __init__(self) -> None:
        models = ensure_models()
        self.detector, self.mesh = BlazeFaceDetector(models.detector), FaceMesh(models.landmarks)

    def landmarks(self, photo: NDArray[np.uint8]) -> FloatArray | None:
        """(468, 3) in the photo's pixels, or None where there is no face."""
        found = self.detector.detect(photo)
        if not found:
            return None
        region = region_of_detection(
            max(found, key=lambda f: (f.box[2] - f.box[0]) * (f.box[3] - f.box[1]))
        )
        for _ in range(3):  # each look starts from the landmarks of the one before
            points, score = self.mesh.landmarks(photo, [region])[0]
            region = region_of_landmarks(points)
        return points if score >= MIN_PRESENCE else None


@dataclass(frozen=True)
class FacePhoto:
    """A photo with a face: its file and its landmarks (468, 3) in the photo's pixels."""

    path: Path
    landmarks: FloatArray

    def read(self) -> NDArray[np.uint8]:
        """The photo (H, W, 3) uint8 RGB. Raises SourceError."""
        return read_image(self.path)

    def face(self) -> FloatArray:
        """The landmarks (468, 2) in crop units."""
        return align.transform_points(
            align.fit_similarity(self.landmarks[list(align.STABLE), :2], align.CANONICAL_STABLE),
            self.landmarks[:, :2],
        )


@dataclass(frozen=True)
class Person:
    """A neutral shot and, where there is one, the same person's smiling one. The photos are read
    when needed.
    """

    name: str
    neutral: FacePhoto
    smiling: FacePhoto | None = None

    def smile(self) -> FloatArray:
        """(468, 2) where a full smile takes the face, crop units: their own, or else the motion
        basis's.
        """
        return (
            basis_smile()[:, :2]
            if self.smiling is None
            else self.smiling.face() - self.neutral.face()
        )

    def avatar(self, pixels: int = PICTURE) -> Avatar:
        """The avatar, its picture `pixels` wide. Raises SourceError for a photo that cannot be read
        any more.
        """
        photo, own = self.neutral.read(), self.neutral.landmarks
        if self.smiling is None:
            return make_avatar(self.name, photo, own, pixels=pixels)
        return make_avatar(
            self.name, photo, own, self.smiling.read(), self.smiling.landmarks, pixels=pixels
        )

    def smiling_avatar(self, pixels: int = PICTURE) -> Avatar:
        """The avatar whose face at rest is that of the smiling photo. Raises SourceError."""
        shot = self.smiling or self.neutral
        return make_avatar(f"{self.name}, smiling", shot.read(), shot.landmarks, pixels=pixels)


def find_people(
    folder: Path, report: ShareCallback | None = None
) -> tuple[list[Person], list[str]]:
    """The people of all photos in natural order (2.jpg before 10.jpg), and one line for each photo
    left out.

    The folder holds photos; or `neutral/` and, under the same file names, `smiling/`: then a smile
    of the same person ends in the real one. report takes the share done. Raises UsageError where
    there is no photo at all.
    """
    neutral = folder / "neutral" if (folder / "neutral").is_dir() else folder
    if not neutral.is_dir():
        raise UsageError(f"expected a folder of portraits, but {folder} is none")
    photos = sorted(image_files(neutral), key=natural_key)
    if not photos:
        raise UsageError(f"expected photos (jpg, png, bmp, tif) in {neutral}, got none")
    finder, people, left_out = FaceFinder(), [], []
    for done, path in enumerate(photos, 1):
        try:
            people.append(find_person(path, finder, folder / "smiling" / path.name))
        except SourceError as error:
            left_out.append(str(error))
        if report is not None:
            report(done / len(photos))
    return people, left_out


def find_person(path: Path, finder: FaceFinder, smiling: Path) -> Person:
    """The person of one photo. Raises SourceError for a photo that cannot be read or holds no
    face.
    """
    points = finder.landmarks(read_image(path))
    if points is None:
        raise SourceError(f"expected a face in {path}, found none; use a frontal portrait")
    shot = FacePhoto(path, points)
    if not smiling.is_file():
        return Person(path.stem, shot)
    other = finder.landmarks(read_image(smiling))
    return Person(path.stem, shot, None if other is None else FacePhoto(smiling, other))


def read_avatars(
    folder: Path, *, pixels: int = PICTURE, smiling_every: int = 0
) -> tuple[list[Avatar], list[str]]:
    """Avatars of all people that `find_people` finds, and one line for each photo that was left
    out.

    Of every `smilers`-th person with a smiling photo there is a second one that smiles at rest,
    behind all the others.
    """
    people, left_out = find_people(folder)
    smiling = [p for p in people if p.smiling is not None][::smiling_every] if smiling_every else []
    return [
        *(p.avatar(pixels) for p in people),
        *(p.smiling_avatar(pixels) for p in smiling),
    ], left_out

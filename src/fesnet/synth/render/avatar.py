"""A portrait that can be moved: landmarks in three dimensions over a picture, and the dense map
between them.

An avatar lives in crop units (see `fesnet.faces.align`): its neutral face stands where an aligned
face stands. Its picture reaches MARGIN beyond the unit square on every side, so that a head may
turn without showing an edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.faces.align import CANONICAL_STABLE, STABLE, fit_similarity
from fesnet.synth.script.basis import motion_basis

OVAL_RIGHT = (
    10,
    338,
    297,
    332,
    284,
    251,
    389,
    356,
    454,
    323,
    361,
    288,
    397,
    365,
    379,
    378,
    400,
    377,
    152,
)
OVAL_LEFT = (148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
FACE_OVAL = (*OVAL_RIGHT, *OVAL_LEFT)
LIP_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)  # inner contour, image left to right
LIP_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
EYES = ((33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380))
RINGS = (
    (1.22, 0.15, 0.3),
    (1.55, 0.3, 0.0),
)  # hair and neck: distance, depth, share of the face's own motion
MARGIN = 0.25  # picture beyond the unit square on each side, crop units
PICTURE = 288  # usual pixels of the picture's side: 192 a crop unit, twice the default crop
LATTICE = 72  # points of the dense interpolation's side (over the picture): 48 a crop unit
SPAN = 1 + 2 * MARGIN
# lip gap (crop units) up to which a photo's mouth is shut; an open one keeps its own interior
SHUT_GAP = 0.025
GAZE_REACH = 0.028  # crop units an iris moves at gaze 1
OPEN_FROM, OPEN_FULL = (
    0.004,
    0.012,
)  # lip gap (crop units) at which the mouth's interior begins to show, and is full


@dataclass(frozen=True)
class Avatar:
    """One person's neutral photo, ready to be moved.

    picture (R, R, 3) uint8 RGB; points (V, 3) crop units, the first 468 are the face mesh; index,
    share (LATTICE**2, 3): which points carry each lattice point, and by how much; smile (468, 3)
    displacement to the same person's smiling photo, and smiling, its picture (both None where there
    is only one photo).
    """

    name: str
    picture: NDArray[np.uint8]
    points: FloatArray
    index: NDArray[np.int32]
    share: FloatArray
    smile: FloatArray | None = None
    smiling: NDArray[np.uint8] | None = None


def make_avatar(
    name: str,
    photo: NDArray[np.uint8],
    landmarks: FloatArray,
    smiling_photo: NDArray[np.uint8] | None = None,
    smiling_landmarks: FloatArray | None = None,
    *,
    pixels: int = PICTURE,
) -> Avatar:
    """An avatar from a photo (H, W, 3) uint8 RGB and its landmarks (468, 3) in the photo's
    pixels.
    """
    picture, face = align_photo(photo, landmarks, pixels)
    points = add_anchor_points(face)
    index, share = lattice_weights(points)
    smile = smiling = None
    if smiling_photo is not None and smiling_landmarks is not None:
        smiling, smiling_face = align_photo(smiling_photo, smiling_landmarks, pixels)
        smile = smiling_face - face
    return Avatar(name, picture, points, index, share, smile, smiling)


def align_photo(
    photo: NDArray[np.uint8], landmarks: FloatArray, side: int
) -> tuple[NDArray[np.uint8], FloatArray]:
    """The photo resampled so that its face stands in the crop, and its landmarks (468, 3) in crop
    units.
    """
    matrix = fit_similarity(landmarks[list(STABLE), :2], CANONICAL_STABLE)
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    face = np.concatenate(
        [landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2], landmarks[:, 2:] * scale], 1
    )
    face[:, 2] -= face[[33, 133, 362, 263], 2].mean()
    pixels = side / SPAN
    to_picture = matrix * pixels
    to_picture[:, 2] += MARGIN * pixels - 0.5
    shrink = 1 / (scale * pixels)
    soft = cv2.GaussianBlur(photo, (0, 0), 0.4 * shrink) if shrink > 1.3 else photo
    picture = cv2.warpAffine(
        soft, to_picture, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(picture, np.uint8), face.astype(np.float32)


def add_anchor_points(face: FloatArray) -> FloatArray:
    """The face mesh (468, 3) with two rings of hair and neck round it and eight points on the
    picture's rim.
    """
    oval = face[list(FACE_OVAL)]
    centre = oval.mean(0)
    rings = [centre + (oval - centre) * [s, s, 1] + [0, 0, depth] for s, depth, _ in RINGS]
    a, b = -MARGIN, 1 + MARGIN
    rim = [[x, y, 0.5] for x in (a, 0.5, b) for y in (a, 0.5, b) if (x, y) != (0.5, 0.5)]
    points = np.concatenate([face, *rings, np.array(rim)])
    inside = points.copy()
    inside[468:-8, :2] = np.clip(points[468:-8, :2], a + 0.02, b - 0.02)
    return inside.astype(np.float32)


def lattice_weights(points: FloatArray) -> tuple[NDArray[np.int32], FloatArray]:
    """Which three points carry each lattice point and with which share (Delaunay, barycentric)."""
    grid = (points[:, :2] + MARGIN) * ((LATTICE - 1) / SPAN)
    plane = cv2.Subdiv2D((-10, -10, LATTICE + 20, LATTICE + 20))
    ids: dict[int, int] = {}
    for i, (x, y) in enumerate(grid):
        ids.setdefault(plane.insert((float(x), float(y))), i)
    index = np.zeros((LATTICE * LATTICE, 3), np.int32)
    share = np.zeros((LATTICE * LATTICE, 3), np.float32)
    known = np.array([plane.getVertex(v)[0] for v in ids])
    order = np.array(list(ids.values()))
    for corners in np.asarray(plane.getTriangleList(), np.float32).reshape(-1, 3, 2):
        if np.abs(corners).max() > 2 * LATTICE:
            continue  # belongs to the subdivision's own outer points
        triple = order[[int(((known - c) ** 2).sum(1).argmin()) for c in corners]]
        fill_triangle(corners, triple, index, share)
    return index, share


def fill_triangle(
    corners: FloatArray, triple: NDArray[np.int64], index: NDArray[np.int32], share: FloatArray
) -> None:
    """Enter one triangle's lattice points into the interpolation tables."""
    x0, y0 = np.maximum(np.ceil(corners.min(0) - 1e-3).astype(int), 0)
    x1, y1 = np.minimum(np.floor(corners.max(0) + 1e-3).astype(int), LATTICE - 1)
    if x1 < x0 or y1 < y0:
        return
    ys, xs = np.mgrid[y0 : y1 + 1, x0 : x1 + 1]
    edges = np.stack([corners[1] - corners[0], corners[2] - corners[0]], 1)
    if abs(np.linalg.det(edges)) < 1e-9:
        return
    uv = (
        np.stack([xs.ravel() - corners[0, 0], ys.ravel() - corners[0, 1]], 1)
        @ np.linalg.inv(edges).T
    )
    bary = np.concatenate([1 - uv.sum(1, keepdims=True), uv], 1)
    inside = (bary >= -1e-4).all(1)
    at = (ys.ravel() * LATTICE + xs.ravel())[inside]
    index[at], share[at] = triple, bary[inside]


def head_rotation(angles: FloatArray) -> FloatArray:
    """(N, 3, 3) head rotations from yaw and pitch (N, 2), radians; roll is removed by the
    alignment.
    """
    cy, sy = np.cos(angles[:, 0]), np.sin(angles[:, 0])
    cp, sp = np.cos(angles[:, 1]), np.sin(angles[:, 1])
    zero, one = np.zeros_like(cy), np.ones_like(cy)
    yaw = np.stack([cy, zero, sy, zero, one, zero, -sy, zero, cy], 1).reshape(-1, 3, 3)
    pitch = np.stack([one, zero, zero, zero, cp, -sp, zero, sp, cp], 1).reshape(-1, 3, 3)
    return np.asarray(yaw @ pitch, np.float32)


def project_points(
    points: FloatArray, motion: FloatArray, angles: FloatArray, *, distance: float = 6.0
) -> FloatArray:
    """Where all points (N, V, 3) of N avatars go, as seen by the camera: (N, V, 2) crop units, not
    yet aligned.

    motion (N, 468, 3): displacement of the face mesh; angles (N, 2): yaw and pitch; distance of the
    camera in crop units (perspective; about 6 for an arm's length).
    """
    n = len(points)
    moved = points.copy()
    moved[:, :468] += motion
    at = 468
    for _, _, follows in RINGS:
        moved[:, at : at + len(FACE_OVAL)] += follows * motion[:, list(FACE_OVAL)]
        at += len(FACE_OVAL)
    pivot = np.array([0.5, 0.75, 0.45], np.float32)  # about the top of the neck
    head = (moved[:, :-8] - pivot) @ head_rotation(angles).transpose(0, 2, 1) + pivot
    seen = pivot[:2] + (head[..., :2] - pivot[:2]) * (distance / (distance + head[..., 2:]))
    flat = pivot[:2] + (points[:, :-8, :2] - pivot[:2]) * (
        distance / (distance + points[:, :-8, 2:])
    )
    rim = np.broadcast_to(points[:, -8:, :2], (n, 8, 2))
    return np.concatenate([points[:, :-8, :2] + seen - flat, rim], 1).astype(np.float32)


def align_points(seen: FloatArray, jitter: FloatArray) -> FloatArray:
    """The points (N, V, 2) as the face stage would align them, with `jitter` (N, 4) as its
    residue.
    """
    target = CANONICAL_STABLE.astype(np.float32)
    source = seen[:, list(STABLE)]
    a, b = source - source.mean(1, keepdims=True), target - target.mean(0)
    norm = (a**2).sum((1, 2))
    cos = (a * b).sum((1, 2)) / norm
    sin = (a[..., 0] * b[:, 1] - a[..., 1] * b[:, 0]).sum(1) / norm
    turn, grow = jitter[:, 2], np.exp(jitter[:, 3])
    c, s = (
        grow * (cos * np.cos(turn) - sin * np.sin(turn)),
        grow * (sin * np.cos(turn) + cos * np.sin(turn)),
    )
    matrix = np.stack([c, -s, s, c], 1).reshape(-1, 2, 2)
    centred = (seen - source.mean(1, keepdims=True)) @ matrix.transpose(0, 2, 1)
    return np.asarray(centred + target.mean(0) + jitter[:, None, :2], np.float32)


def face_motion(weights: FloatArray) -> FloatArray:
    """(N, 468, 3) displacement of the face mesh for motion weights (N, K)."""
    basis = motion_basis()
    return (weights @ basis.delta.reshape(len(basis.names), -1)).reshape(-1, 468, 3)

"""A real frame whose face is moved: along tracked landmarks, as the turned head shows it.

The displacement of the face mesh is given for a face from the front. It is turned and scaled as the
head is, laid on the landmarks, and spread smoothly over the pixels between them. A warp moves skin;
it cannot show what was hidden, such as the inside of a mouth that opens. All numbers are ours.
"""

from __future__ import annotations

import cv2
import numpy as np

from fesnet._types import FloatArray, Image
from fesnet.faces.landmark_features import fit_head
from fesnet.synth.render.avatar import FACE_OVAL

GRID = 48  # cells a side over the face and what is round it; a pixel's motion lies between theirs
REACH = 0.04  # of the face's width: over which a landmark's motion is spread
STILL = 0.02  # pixels: smaller motion is none
# Hair and neck: distance from the face's centre, share of the oval's own motion.
RINGS_ROUND = ((1.25, 0.25), (1.5, 0.0))
SHADE_LIMITS = (0.8, 1.15)  # how dark folds and how bright stretched skin may become


def head_displacement(landmarks: FloatArray, motion: FloatArray) -> FloatArray:
    """(N, 468, 2) pixels by which landmarks (N, 468, 3) move for a motion (N, 468, 3) in crop units
    of the upright face.
    """
    _, rotation, scale = fit_head(landmarks)
    turned = motion @ rotation.transpose(0, 2, 1) / scale[:, None, None]
    return np.asarray(turned[..., :2], np.float32)


def warp_face(
    image: Image, landmarks: FloatArray, displacement: FloatArray, shading: float = 0.0
) -> Image:
    """The frame (H, W, 3) uint8 whose landmarks (468, 2 or 3) have moved by `displacement`
    (468, 2) pixels; outside of the face and its surroundings it is as it was.

    shading: how much pressed skin darkens, 0..1.
    """
    if float(np.abs(displacement).max()) < STILL:
        return image
    anchors, values = anchor_points(landmarks[:, :2].astype(np.float32), displacement)
    height, width = image.shape[:2]
    (x0, y0), (x1, y1) = np.floor(anchors.min(0)), np.ceil(anchors.max(0))
    left, top = max(0, int(x0)), max(0, int(y0))
    right, bottom = min(width, int(x1)), min(height, int(y1))
    if right - left < 2 or bottom - top < 2:
        return image
    xs = left + (np.arange(GRID, dtype=np.float32) + 0.5) * (right - left) / GRID
    ys = top + (np.arange(GRID, dtype=np.float32) + 0.5) * (bottom - top) / GRID
    places = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    reach = REACH * float(np.ptp(landmarks[list(FACE_OVAL), 0]))
    field = interpolate_motion(anchors, values, places, reach).reshape(GRID, GRID, 2)
    size = (right - left, bottom - top)
    fine = cv2.resize(field, size, interpolation=cv2.INTER_CUBIC)
    columns, rows = np.meshgrid(
        np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32)
    )
    part = cv2.remap(
        image,
        columns - fine[..., 0],
        rows - fine[..., 1],
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if shading:
        shade = fold_shade(field, (size[0] / GRID, size[1] / GRID), shading)
        smooth = cv2.resize(shade, size, interpolation=cv2.INTER_LINEAR)[..., None]
        part = np.clip(np.rint(part * smooth), 0, 255)
    out = image.copy()
    out[top:bottom, left:right] = part
    return out


def anchor_points(points: FloatArray, displacement: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where landmarks (468, 2) and the rings round the face arrive, and how far they came (both
    (A, 2) pixels).
    """
    oval = points[list(FACE_OVAL)]
    centre = oval.mean(0)
    places, values = [points + displacement], [displacement]
    for distance, share in RINGS_ROUND:
        places.append(centre + (oval - centre) * distance)
        values.append(share * displacement[list(FACE_OVAL)])
    return np.concatenate(places).astype(np.float32), np.concatenate(values).astype(np.float32)


def interpolate_motion(
    anchors: FloatArray, values: FloatArray, places: FloatArray, reach: float
) -> FloatArray:
    """Values (A, 2) known at anchors, carried to places (P, 2): a mean with Gaussian weights of
    width `reach`, corrected once by what it misses at the anchors.
    """
    at_anchors = gaussian_weights(anchors, anchors, reach)
    corrected = values + (values - at_anchors @ values)
    return np.asarray(gaussian_weights(places, anchors, reach) @ corrected, np.float32)


def gaussian_weights(places: FloatArray, anchors: FloatArray, reach: float) -> FloatArray:
    """(P, A) the share of each anchor in the mean at each place; of the nearest where all are
    far.
    """
    squares = (places**2).sum(1)[:, None] + (anchors**2).sum(1) - 2 * places @ anchors.T
    squares -= squares.min(1, keepdims=True)
    weights = np.exp(-squares / (2 * reach * reach))
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def fold_shade(field: FloatArray, cell: tuple[float, float], shading: float) -> FloatArray:
    """(G, G) factor of brightness: darker where a field (G, G, 2) in pixels presses skin together.

    cell: pixels of a grid cell, across and down.
    """
    stretch = np.gradient(field[..., 0], cell[0], axis=1) + np.gradient(
        field[..., 1], cell[1], axis=0
    )
    soft = cv2.GaussianBlur(stretch.astype(np.float32), (0, 0), 1.0)
    return np.asarray(np.clip(1 + shading * soft, *SHADE_LIMITS), np.float32)

"""One frame of a moving avatar in colour, with numpy and OpenCV alone: for encoded videos and the
demo.

`fesnet.synth.render.avatar_renderer` does the same in batches with torch, for training. A test
checks that both agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.synth.render.avatar import (
    EYES,
    FACE_OVAL,
    GAZE_REACH,
    LATTICE,
    LIP_LOWER,
    LIP_UPPER,
    MARGIN,
    OPEN_FROM,
    OPEN_FULL,
    RINGS,
    SHUT_GAP,
    SPAN,
    Avatar,
    face_motion,
    project_points,
)
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.expressions import EXPRESSIONS

WHITE = np.array([1.02, 1.0, 0.92], np.float32)  # teeth: a little yellow, at the brightness of grey
GREY = np.array([0.299, 0.587, 0.114], np.float32)
# Of the iteration that inverts a displacement: whole ones settle where the face hardly stretches,
# shorter ones where it stretches so much that whole ones leap to and fro (an eye would be seen
# twice under a raised brow).
RELAXATION = tuple(np.float32(s) for s in (1, 0.6, 0.6, 0.6))
EDGE_STEEPNESS = 8.0  # steepness of the mouth's edge at which a sigmoid is 0 to the eye


@dataclass(frozen=True)
class Mouth:
    """How the inside of a mouth and the folds of a skin look: shares of the picture's mean
    brightness, crop units.
    """

    shading: float = 0.4
    dark: float = 0.1
    teeth: float = 0.7
    teeth_height: float = 0.02


@dataclass(frozen=True)
class Scene:
    """The still pictures that a renderer takes its pixels from.

    picture (H, W, 3) uint8 RGB and, where there is one, smiling, the same for the smiling photo;
    its left upper corner stands at (left, top) in crop units, `pixels` make one crop unit.
    """

    picture: NDArray[np.uint8]
    smiling: NDArray[np.uint8] | None
    left: float
    top: float
    pixels: float

    @classmethod
    def of(cls, avatar: Avatar) -> Scene:
        """The avatar's own picture and nothing round it."""
        return cls(avatar.picture, avatar.smiling, -MARGIN, -MARGIN, avatar.picture.shape[0] / SPAN)

    def place(self, where: FloatArray) -> FloatArray:
        """Crop units (..., 2) as OpenCV counts the picture's pixels."""
        return np.asarray(
            (where - np.array([self.left, self.top], np.float32)) * self.pixels - 0.5, np.float32
        )

    def skin(self) -> FloatArray:
        """(3,) mean colour 0..255 of the aligned crop."""
        x0, y0 = np.maximum(self.place(np.zeros(2, np.float32)).astype(int), 0)
        side = max(1, int(self.pixels))
        return np.asarray(self.picture[y0 : y0 + side, x0 : x0 + side].mean((0, 1)), np.float32)


class FrameRenderer:
    """Renders frames of one avatar. `span` (x0, y0, x1, y1) in crop units is what the frame
    shows.
    """

    def __init__(
        self,
        avatar: Avatar,
        width: int,
        height: int,
        span: tuple[float, float, float, float] = (-MARGIN, -MARGIN, 1 + MARGIN, 1 + MARGIN),
        mouth: Mouth | None = None,
        scene: Scene | None = None,
    ) -> None:
        self.avatar, self.mouth, self.scene = avatar, mouth or Mouth(), scene or Scene.of(avatar)
        x0, y0, x1, y1 = span
        self.xs = (np.arange(width, dtype=np.float32) + 0.5) / width * (x1 - x0) + x0
        self.ys = (np.arange(height, dtype=np.float32) + 0.5) / height * (y1 - y0) + y0
        self.iris = iris_field(avatar.points)
        self.skin = self.scene.skin()
        self.smile = basis_smile() if avatar.smile is None else avatar.smile
        own = np.zeros((len(avatar.points), 2), np.float32)
        own[:468] = self.smile[:, :2]
        self.smile_field = self.interpolate_lattice(own)
        # Hair and shoulders of a smiling photo stand elsewhere. Without a scene all is face, as in
        # the training crops.
        self.face = self.interpolate_lattice(ring_mask(avatar, 0.5 if scene else 1.0)[:, None])[
            ..., 0
        ]
        self.skin_mask = (
            None
            if scene is None
            else self.interpolate_lattice(ring_mask(avatar, 0.0)[:, None])[..., 0]
        )

    def project(
        self, weights: FloatArray, smile: float, pose: FloatArray, shift: FloatArray
    ) -> FloatArray:
        """Points (V, 2) before the camera for motion weights (K,), own smile, pose (3,), head shift
        (2,).
        """
        still = self.avatar.points
        motion = face_motion(weights[None]) + smile * self.smile
        points: FloatArray = project_points(still[None], motion, pose[None, :2])[0]
        head = 468 + len(FACE_OVAL) * len(RINGS)
        pivot = np.array([0.5, 0.75], np.float32)
        c, s = np.cos(pose[2]), np.sin(pose[2])
        roll = np.array([[c, -s], [s, c]], np.float32)
        points[:head] = (points[:head] - pivot) @ roll.T + pivot + shift
        return points

    def render(
        self,
        points: FloatArray,
        gaze: FloatArray,
        smile: float = 0.0,
        view: tuple[float, float] = (0.0, 0.0),
        zoom: float = 1.0,
    ) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB for points (V, 2) before the camera and gaze (2,).

        view: how far the camera looks to the right and down of `span`, crop units. zoom: how much
        larger the frame shows what is in the middle of the crop.
        """
        field = (
            self.interpolate_lattice(points - self.avatar.points[:, :2])
            + GAZE_REACH * gaze * self.iris[..., None]
        )
        xs, ys = self.xs, self.ys
        if zoom != 1:
            xs, ys = (
                np.float32(0.5) + (axis - np.float32(0.5)) / np.float32(zoom) for axis in (xs, ys)
            )
        xs, ys = xs + np.float32(view[0]), ys + np.float32(view[1])
        columns, rows = on_lattice(xs), on_lattice(ys)
        near = (xs[columns], ys[rows])
        whole = len(near[0]) == len(xs) and len(near[1]) == len(ys)
        image = np.empty((len(ys), len(xs), 3), np.uint8) if whole else self.render_still(xs, ys)
        if min(len(near[0]), len(near[1])) > 1:
            part = self.render_moving(field, near, smile)
            self.open_mouth(part, near, points)
            image[rows, columns] = np.clip(np.rint(part), 0, 255)
        return image

    def render_still(self, xs: FloatArray, ys: FloatArray) -> NDArray[np.uint8]:
        """The scene as it is at pixel centres xs (w,) and ys (h,): what lies beyond the avatar's
        picture.
        """
        first = self.scene.place(np.array([xs[0], ys[0]], np.float32))
        step = np.array([xs[1] - xs[0], ys[1] - ys[0]]) * self.scene.pixels
        matrix = np.array([[step[0], 0, first[0]], [0, step[1], first[1]]], np.float64)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (len(xs), len(ys))
        out = cv2.warpAffine(
            self.scene.picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(out, np.uint8)

    def render_moving(
        self, field: FloatArray, pixel_centres: tuple[FloatArray, FloatArray], smile: float
    ) -> FloatArray:
        """(h, w, 3) the picture moved by the lattice field (L, L, 2) at pixel centres xs (w,), ys
        (h,); 0..255.
        """
        size = (len(pixel_centres[0]), len(pixel_centres[1]))
        q = np.stack(np.meshgrid(half_grid(pixel_centres[0]), half_grid(pixel_centres[1])), -1)
        back = self.invert(field, q)
        coarse = q + back
        image = picture_value(self.scene.picture, self.sources(pixel_centres, back))
        if self.scene.smiling is not None and smile > 0.02:
            weight = np.float32(np.clip(smile, 0, 1) ** 0.8) * lattice_value(self.face, coarse)
            there = self.sources(pixel_centres, back + lattice_value(self.smile_field, coarse))
            smiling = picture_value(self.scene.smiling, there)
            image += upsample(weight, size)[..., None] * (smiling - image)
        shade = np.clip(
            1 + self.mouth.shading * lattice_value(self.creases(field), coarse), 0.6, 1.3
        )
        image *= upsample(shade, size)[..., None]
        return image

    def sources(
        self, pixel_centres: tuple[FloatArray, FloatArray], back: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Columns and rows (h, w) of the scene that show at pixel centres xs (w,), ys (h,), moved
        by `back`.
        """
        size, pixels = (len(pixel_centres[0]), len(pixel_centres[1])), np.float32(self.scene.pixels)
        x = upsample(back[..., 0] * pixels, size) + (
            (pixel_centres[0] - np.float32(self.scene.left)) * pixels - 0.5
        )
        y = (
            upsample(back[..., 1] * pixels, size)
            + ((pixel_centres[1] - np.float32(self.scene.top)) * pixels - 0.5)[:, None]
        )
        return x, y

    def creases(self, field: FloatArray) -> FloatArray:
        """(L, L) `folds`; in a scene on skin alone, and so soft that the mesh's triangles do not
        show.
        """
        if self.skin_mask is None:
            return skin_folds(field)
        return np.asarray(
            cv2.GaussianBlur(skin_folds(field), (0, 0), 1.0) * self.skin_mask, np.float32
        )

    def interpolate_lattice(self, displacement: FloatArray) -> FloatArray:
        """(L, L, C) displacement on the lattice from that of the points (V, C)."""
        carried = displacement[self.avatar.index] * self.avatar.share[..., None]
        return np.asarray(carried.sum(1).reshape(LATTICE, LATTICE, -1), np.float32)

    def invert(self, field: FloatArray, q: FloatArray) -> FloatArray:
        """(h, w, 2) by how much to go back from points q (h, w, 2) to where they come from
        (fixed-point iteration).
        """
        u = -lattice_value(field, q)
        for step in RELAXATION:
            u -= step * (u + lattice_value(field, q + u))
        return u

    def open_mouth(
        self, image: FloatArray, pixel_centres: tuple[FloatArray, FloatArray], points: FloatArray
    ) -> None:
        """Paint the mouth's dark interior and teeth where the lips have parted further than in the
        photo.
        """
        rest_gap = self.avatar.points[list(LIP_LOWER), 1] - self.avatar.points[list(LIP_UPPER), 1]
        if rest_gap.max() >= SHUT_GAP:
            return
        upper, lower = points[list(LIP_UPPER)], points[list(LIP_LOWER)]
        columns = slice(*np.searchsorted(pixel_centres[0], (upper[0, 0], upper[-1, 0])))
        xs = pixel_centres[0][columns]
        rest = np.maximum(np.interp(xs, upper[:, 0], rest_gap), 0)
        top = np.interp(xs, upper[:, 0], upper[:, 1]) + 0.3 * rest
        bottom = np.interp(xs, lower[:, 0], lower[:, 1]) - 0.3 * rest
        parted = np.clip((bottom - top - 0.4 * rest - OPEN_FROM) / (OPEN_FULL - OPEN_FROM), 0, 1)
        if not parted.any():
            return
        soft = 0.9 / (xs[1] - xs[0]) if len(xs) > 1 else 1.0
        rows = slice(
            *np.searchsorted(
                pixel_centres[1],
                (top.min() - EDGE_STEEPNESS / soft, bottom.max() + EDGE_STEEPNESS / soft),
            )
        )
        y = pixel_centres[1][rows, None]
        inside = (sigmoid((y - top) * soft) * sigmoid((bottom - y) * soft) * parted)[..., None]
        edge = top + np.minimum(self.mouth.teeth_height, 0.7 * (bottom - top))
        teeth = sigmoid((edge - y) * soft)[..., None]
        white = 1.3 * self.mouth.teeth * float(self.skin @ GREY) * WHITE
        colour = self.skin * self.mouth.dark * (1 - teeth) + white * teeth
        image[rows, columns] += inside * (colour - image[rows, columns])


def basis_smile() -> FloatArray:
    """(468, 3) a full smile of the motion basis, for people of whom there is no smiling photo."""
    return np.asarray(
        face_motion(motion_basis().weights(EXPRESSIONS["smile"])[None])[0], np.float32
    )


def ring_mask(avatar: Avatar, ring: float) -> FloatArray:
    """(V,) 1 on the face, `ring` on the first ring of hair and neck, 0 beyond, or 1 where ring is
    1.
    """
    mask = np.full(len(avatar.points), float(ring == 1), np.float32)
    mask[:468] = 1
    mask[468 : 468 + len(FACE_OVAL)] = ring
    return mask


def skin_folds(field: FloatArray) -> FloatArray:
    """(L, L) how much the skin of a lattice field is stretched (+) or pressed together (-)."""
    step = SPAN / (LATTICE - 1)
    stretch = np.zeros((LATTICE, LATTICE), np.float32)
    stretch[:, 1:-1] += field[:, 2:, 0] - field[:, :-2, 0]
    stretch[1:-1] += field[2:, :, 1] - field[:-2, :, 1]
    return np.asarray(np.clip(stretch / (2 * step), -0.5, 0.3), np.float32)


def on_lattice(pixel_centres: FloatArray) -> slice:
    """Which pixel centres (n,) lie on the avatar's picture."""
    return slice(*(int(i) for i in np.searchsorted(pixel_centres, (-MARGIN, 1 + MARGIN))))


def half_grid(pixel_centres: FloatArray) -> FloatArray:
    """Centres of a grid with half as many cells over the same pixels."""
    n = len(pixel_centres)
    cells = (n + 1) // 2
    at = (np.arange(cells) + 0.5) * (n / cells) - 0.5
    return np.asarray(
        pixel_centres[0] + at * (pixel_centres[-1] - pixel_centres[0]) / (n - 1), np.float32
    )


def upsample(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Values on a `halved` grid brought to the whole one, (width, height) of `size`."""
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR), np.float32)


def iris_field(points: FloatArray) -> FloatArray:
    """(L, L) how far each lattice point follows the gaze: a bump in each eye opening."""
    axis = np.linspace(-MARGIN, 1 + MARGIN, LATTICE)
    out = np.zeros((LATTICE, LATTICE))
    for eye in EYES:
        x, y = points[list(eye), :2].mean(0)
        out += np.exp(-0.5 * (((axis - x) / 0.035) ** 2 + ((axis[:, None] - y) / 0.016) ** 2))
    return out.astype(np.float32)


def lattice_value(field: FloatArray, where: FloatArray) -> FloatArray:
    """Bilinear values of a lattice field at points (h, w, 2) in crop units."""
    at = np.asarray((where + MARGIN) * ((LATTICE - 1) / SPAN), np.float32)
    return np.asarray(
        cv2.remap(field, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.float32,
    )


def picture_value(picture: NDArray[np.uint8], at: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Bilinear values 0..255 of a picture at columns and rows (h, w) of its pixels, as OpenCV
    counts them.
    """
    x, y = at
    return np.asarray(
        cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)

"""Pictures of what comes before a face: a hand, a hand that holds a cup, a phone or a pen.

Drawn with shading and texture, each on a transparent patch. All shapes and numbers are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray

DENSITY = 220  # pixels of a crop unit (the aligned face is about 0.75 of it wide)
SIDE = 3.2  # of a patch, crop units: the forearm reaches to its edge
NAIL = (1.12, 1.02, 1.02)  # times the colour of the skin
DEEP = 0.06  # crop units over which a round edge darkens


@dataclass(frozen=True)
class CoverPatch:
    """A patch: picture (S, S, 3) float32 0..255 RGB, alpha (S, S) 0..1, shadow (S, S) 0..1.

    Its middle is what is brought to a place of the face.
    """

    picture: FloatArray
    alpha: FloatArray
    shadow: FloatArray


class PatchPainter:
    """Lays shaded shapes over each other; coordinates in crop units from the patch's middle."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.side = rng, round(SIDE * DENSITY)
        self.picture = np.zeros((self.side, self.side, 3), np.float32)
        self.alpha = np.zeros((self.side, self.side), np.float32)

    def at(self, points: object) -> NDArray[np.int32]:
        where = np.asarray(points, np.float64).reshape(-1, 2) + SIDE / 2
        return np.rint(where * DENSITY).astype(np.int32)

    def mask(self) -> NDArray[np.uint8]:
        return np.zeros((self.side, self.side), np.uint8)

    def lay(
        self, mask: NDArray[np.uint8], colour: object, deep: float = DEEP, dark: float = 0.5
    ) -> None:
        """Put a shape on top, `dark` at its edge, its full colour `deep` crop units inside."""
        x, y, wide, high = cv2.boundingRect(mask)
        part = (slice(max(0, y - 4), y + high + 4), slice(max(0, x - 4), x + wide + 4))
        mask, picture, alpha = mask[part], self.picture[part], self.alpha[part]
        soft = cv2.GaussianBlur(mask, (0, 0), 1.0).astype(np.float32) / 255
        inside = cv2.distanceTransform(mask, cv2.DIST_L2, 5) / (deep * DENSITY)
        round_ = np.sqrt(np.clip(inside * (2 - np.minimum(inside, 1)), 0, 1))
        shade = (dark + (1 - dark) * round_)[..., None]
        paint = shade * np.asarray(colour, np.float32)
        picture += soft[..., None] * (paint - picture)
        np.maximum(alpha, soft, out=alpha)

    def limb(self, a: object, b: object, wide: float, colour: object, end: float = 0.0) -> None:
        """A capsule from a to b, `wide` at a and `end` at b (as wide, if 0)."""
        mask, ends = self.mask(), self.at([a, b])
        steps = 2 + int(np.hypot(*(ends[1] - ends[0])) / (0.1 * wide * DENSITY))
        for share in np.linspace(0, 1, steps):
            where = ends[0] + share * (ends[1] - ends[0])
            width = wide + share * ((end or wide) - wide)
            centre = (int(where[0]), int(where[1]))
            cv2.circle(mask, centre, round(0.5 * width * DENSITY), 255, -1, cv2.LINE_AA)
        self.lay(mask, colour, deep=0.45 * max(wide, end))

    def finish(self, grain: float) -> CoverPatch:
        """With the texture of a surface, and the shadow that it throws."""
        fine = self.rng.normal(0, grain, (self.side // 2, self.side // 2)).astype(np.float32)
        coarse = self.rng.normal(0, 2 * grain, (self.side // 24, self.side // 24))
        texture = 1 + sum(
            cv2.resize(layer.astype(np.float32), (self.side, self.side)) for layer in (fine, coarse)
        )
        lamp = 1 + 0.1 * self.rng.normal() * np.linspace(-1, 1, self.side, dtype=np.float32)
        picture = np.clip(self.picture * (texture * lamp)[..., None], 0, 255)
        shadow = 0.35 * cv2.GaussianBlur(self.alpha, (0, 0), 0.06 * DENSITY)
        return CoverPatch(picture.astype(np.float32), self.alpha, shadow)


def draw_patch(rng: np.random.Generator, name: str, skin: FloatArray) -> CoverPatch:
    """The patch of a `COVER_NUISANCES`; skin (3,): the colour of the person's face."""
    painter = PatchPainter(rng)
    tone = np.clip(skin * rng.uniform(0.75, 1.2) * (1 + rng.normal(0, 0.03, 3)), 0, 255)
    PAINT[name](painter, tone.astype(np.float32))
    return painter.finish(grain=0.02)


def paint_arm(painter: PatchPainter, wrist: tuple[float, float], skin: FloatArray) -> None:
    """A forearm that leaves the patch below, in a sleeve or bare."""
    rng = painter.rng
    far = (wrist[0] + rng.normal(0, 0.12), SIDE / 2 + 0.2)
    painter.limb(wrist, far, 0.3, skin, end=0.4)
    if rng.random() < 0.7:
        cuff = (wrist[0] + 0.25 * (far[0] - wrist[0]), wrist[1] + rng.uniform(0.15, 0.6))
        painter.limb(cuff, far, 0.42, rng.uniform(20, 220, 3), end=0.55)


def paint_fingers(
    painter: PatchPainter,
    bases: FloatArray,
    tips: FloatArray,
    wide: float,
    skin: FloatArray,
    *,
    nails: bool,
) -> None:
    for base, tip in zip(bases, tips, strict=True):
        painter.limb(base, tip, wide, skin, end=0.82 * wide)
        if nails:
            mask = painter.mask()
            along = (tip - base) / max(float(np.hypot(*(tip - base))), 1e-6)
            centre, angle = (
                painter.at(tip - 0.1 * wide * along)[0],
                np.degrees(np.arctan2(*along[::-1])),
            )
            axes = (round(0.42 * wide * DENSITY), round(0.3 * wide * DENSITY))
            place = (int(centre[0]), int(centre[1]))
            cv2.ellipse(mask, place, axes, float(angle), 0, 360, 255, -1, cv2.LINE_AA)
            painter.lay(mask, np.clip(skin * NAIL, 0, 255), deep=0.02, dark=0.8)


def paint_hand(painter: PatchPainter, skin: FloatArray) -> None:
    """A hand with its back to the camera, fingers up: spread, together or half bent."""
    rng = painter.rng
    wide, spread = rng.uniform(0.085, 0.11), rng.uniform(0.0, 0.35)
    length = np.array([0.85, 1.0, 0.95, 0.75]) * rng.uniform(0.25, 0.45)
    side = rng.choice([-1, 1])
    paint_arm(painter, (0.0, 0.45), skin)
    bases = np.stack(
        [side * np.linspace(-1.5, 1.5, 4) * wide, np.array([0.02, -0.02, -0.01, 0.04])], 1
    )
    lean = side * np.linspace(-1, 1, 4) * spread
    tips = bases + length[:, None] * np.stack([np.sin(lean), -np.cos(lean)], 1)
    thumb = np.array([[-side * 1.7 * wide, 0.28]])
    aside = rng.uniform(0.1, 1.0)
    end = thumb + 0.3 * np.array([[-side * np.sin(aside), -np.cos(aside)]])
    painter.limb(thumb[0], end[0], 1.2 * wide, skin)
    painter.limb((0.0, 0.12), (0.0, 0.4), 4.1 * wide, skin, end=3.4 * wide)
    paint_fingers(painter, bases, tips, wide, skin, nails=True)
    for base in bases:  # knuckles
        mask = painter.mask()
        place = painter.at(base + [0, 0.02])[0]
        axes = (round(0.35 * wide * DENSITY), round(0.12 * wide * DENSITY))
        cv2.ellipse(mask, (int(place[0]), int(place[1])), axes, 0, 180, 360, 255, 2, cv2.LINE_AA)
        painter.lay(mask, 0.8 * skin, deep=0.005, dark=1.0)


def paint_grip(painter: PatchPainter, half: float, side: int, skin: FloatArray) -> None:
    """Four fingers round something `half` wide to each side, from the left (-1) or right (1)."""
    rng, wide = painter.rng, painter.rng.uniform(0.085, 0.105)
    height = rng.uniform(-0.05, 0.1)
    ys = height + np.arange(4) * 1.02 * wide
    bases = np.stack([np.full(4, side * (half + 0.05)), ys], 1)
    reach = rng.uniform(0.5, 1.1) * np.array([0.9, 1.0, 0.95, 0.8])
    tips = np.stack([side * (half - reach * 1.6 * half), ys + rng.normal(0, 0.01, 4)], 1)
    paint_fingers(painter, bases, tips, wide, skin, nails=True)


def paint_cup(painter: PatchPainter, skin: FloatArray) -> None:
    """A mug or a paper cup with stripes or dots, held by a hand."""
    rng = painter.rng
    top, bottom, high = rng.uniform(0.2, 0.27), rng.uniform(0.15, 0.22), rng.uniform(0.4, 0.6)
    colour, second = rng.uniform(30, 240, 3), rng.uniform(30, 240, 3)
    up, down = -0.5 * high, 0.5 * high
    side = int(rng.choice([-1, 1]))
    paint_arm(painter, (side * (bottom + 0.06), 0.28), skin)
    if rng.random() < 0.6:  # its handle
        mask = painter.mask()
        place = painter.at([-side * (top + 0.03), 0.0])[0]
        axes = (round(0.12 * DENSITY), round(0.15 * DENSITY))
        cv2.ellipse(mask, (int(place[0]), int(place[1])), axes, 0, 0, 360, 255, 11, cv2.LINE_AA)
        painter.lay(mask, colour, deep=0.02)
    body = painter.mask()
    cv2.fillConvexPoly(
        body, painter.at([(-top, up), (top, up), (bottom, down), (-bottom, down)]), 255, cv2.LINE_AA
    )
    foot = painter.at([0, down])[0]
    round_foot = (round(bottom * DENSITY), round(0.25 * bottom * DENSITY))
    cv2.ellipse(body, (int(foot[0]), int(foot[1])), round_foot, 0, 0, 360, 255, -1, cv2.LINE_AA)
    painter.lay(body, colour, deep=0.5 * top, dark=0.35)
    decor = painter.mask()
    if rng.random() < 0.5:
        for y in np.arange(up + 0.12, down - 0.05, rng.uniform(0.08, 0.2)):
            cv2.line(decor, *map(tuple, painter.at([(-top, y), (top, y)]).tolist()), 255, 9)  # type: ignore[call-overload]
    else:
        for where in rng.uniform([-top, up + 0.1], [top, down], (14, 2)):
            place = painter.at(where)[0]
            cv2.circle(decor, (int(place[0]), int(place[1])), int(rng.integers(4, 14)), 255, -1)
    inside = np.asarray(cv2.bitwise_and(decor, body), np.uint8)
    painter.lay(inside, second, deep=0.002, dark=0.9)
    mouth, place = painter.mask(), painter.at([0, up])[0]
    axes = (round(top * DENSITY), round(0.22 * top * DENSITY))
    cv2.ellipse(mouth, (int(place[0]), int(place[1])), axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
    painter.lay(mouth, 0.6 * colour, deep=0.04, dark=1.5)
    paint_grip(painter, bottom, side, skin)


def paint_phone(painter: PatchPainter, skin: FloatArray) -> None:
    """The back of a phone, held from one side."""
    rng = painter.rng
    half, high = rng.uniform(0.17, 0.21), rng.uniform(0.36, 0.42)
    side = int(rng.choice([-1, 1]))
    paint_arm(painter, (side * 0.12, 0.5), skin)
    painter.limb((side * 0.08, 0.25), (side * 0.08, 0.5), 0.32, skin)
    body, r = painter.mask(), 0.04
    corners = [
        (-half + r, -high + r),
        (half - r, -high + r),
        (half - r, high - r),
        (-half + r, high - r),
    ]
    cv2.fillConvexPoly(body, painter.at(corners), 255, cv2.LINE_AA)
    cv2.polylines(body, [painter.at(corners)], True, 255, round(2 * r * DENSITY), cv2.LINE_AA)
    dark = rng.uniform(10, 60, 3) if rng.random() < 0.6 else rng.uniform(60, 240, 3)
    painter.lay(body, dark, deep=0.02, dark=0.5)
    x = rng.choice([-1, 1]) * (half - 0.07)
    for number in range(int(rng.integers(1, 4))):
        lens, place = painter.mask(), painter.at([x, -high + 0.08 + 0.09 * number])[0]
        cv2.circle(
            lens, (int(place[0]), int(place[1])), round(0.035 * DENSITY), 255, -1, cv2.LINE_AA
        )
        painter.lay(lens, (40, 42, 50), deep=0.02, dark=0.1)
    paint_grip(painter, half, side, skin)


def paint_pen(painter: PatchPainter, skin: FloatArray) -> None:
    """A pen or a spoon that a fist holds; its end is at the patch's middle."""
    rng = painter.rng
    wide, lean = rng.uniform(0.025, 0.05), rng.uniform(-0.4, 0.4)
    grip = np.array([0.35 * np.sin(lean), 0.45])
    paint_arm(painter, (float(grip[0]), float(grip[1]) + 0.25), skin)
    painter.limb(grip + [0, 0.05], grip + [0, 0.2], 0.32, skin)
    colour = rng.uniform(10, 230, 3)
    painter.limb((0.0, 0.0), grip, wide, colour)
    painter.limb((0.0, 0.0), 0.2 * grip, 1.1 * wide, np.clip(colour + 60, 0, 255))
    ys = grip[1] - 0.02 + np.arange(3) * 0.09
    bases = np.stack([np.full(3, grip[0] + 0.12), ys + 0.05], 1)
    tips = np.stack([np.full(3, grip[0] - 0.1), ys], 1)
    paint_fingers(painter, bases, tips, 0.09, skin, nails=True)


PAINT = {"hand": paint_hand, "cup": paint_cup, "phone": paint_phone, "pen": paint_pen}

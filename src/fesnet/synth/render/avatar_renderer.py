"""Aligned crops of moving avatars, made in batches by torch on the device that trains.

Geometry (numpy, a few points a frame) gives where the landmarks go; a dense displacement on a
lattice follows by interpolation, is inverted by fixed-point iteration, and the picture is sampled
once. Grey values in 0..1 throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fesnet._types import FloatArray
from fesnet.faces import face_mask
from fesnet.synth.render.avatar import (
    EYES,
    GAZE_REACH,
    LATTICE,
    LIP_LOWER,
    LIP_UPPER,
    MARGIN,
    OPEN_FROM,
    OPEN_FULL,
    SHUT_GAP,
    SPAN,
    Avatar,
    align_points,
    face_motion,
    project_points,
)
from fesnet.synth.script.curves import log_uniform, smooth_noise
from fesnet.synth.script.script import Script

GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class AvatarTracks:
    """B clips of T frames to render: which avatar (B,), and the tracks of `Script` as (B, T,
    ...).
    """

    avatar: np.ndarray
    weights: FloatArray
    smile: FloatArray
    pose: FloatArray
    gaze: FloatArray
    jitter: FloatArray

    @classmethod
    def of(cls, avatars: Sequence[int] | np.ndarray, scripts: Sequence[Script]) -> AvatarTracks:
        """From one script of equal length for each clip."""
        tracks = ("weights", "smile", "pose", "gaze", "jitter")
        return cls(
            np.asarray(avatars), *(np.stack([getattr(s, t) for s in scripts]) for t in tracks)
        )

    def __getitem__(self, part: slice) -> AvatarTracks:
        tracks = (self.avatar, self.weights, self.smile, self.pose, self.gaze, self.jitter)
        return AvatarTracks(*(t[part] for t in tracks))

    def __len__(self) -> int:
        return len(self.avatar)


class AvatarGeometry:
    """All avatars without their pictures: what is needed to draw what they do and where their
    points stand. Small, so that many processes can have one. P avatars: points (P, V, 3), has_smile
    (P,), smile (P, 468, 3)."""

    def __init__(self, avatars: Sequence[Avatar]) -> None:
        self.points = np.stack([p.points for p in avatars])
        self.has_smile = np.array([p.smile is not None for p in avatars])
        none = np.zeros((468, 3), np.float32)
        self.smile = np.stack([none if p.smile is None else p.smile for p in avatars])

    def __len__(self) -> int:
        return len(self.points)

    def masks(self, placed: FloatArray, frames: int, size: int, rng: np.random.Generator) -> Tensor:
        """(B * T, size, size) uint8: the face, as landmarks that err a little outline it (see
        `face_mask`); clips of T frames."""
        placed_points = placed[:, :468].reshape(-1, frames, 468, 2)
        b, t = placed_points.shape[:2]
        grown = 1 + rng.normal(0, 0.03, (b, 1, 1, 2))
        moved = rng.normal(0, 0.008, (b, 1, 1, 2)) + log_uniform(rng, 0.0003, 0.004) * rng.normal(
            0, 1, (b, t, 1, 2)
        )
        outline = (placed_points - 0.5) * grown + 0.5 + moved
        return torch.from_numpy(
            np.stack([face_mask(points, size) for points in outline.reshape(b * t, 468, 2)])
        )

    def locate_points(self, frames: AvatarTracks) -> FloatArray:
        """(B * T, V, 2) where every point stands in its aligned crop."""
        b, t = frames.smile.shape
        own = self.photo_smiles(frames)[..., None, None] * self.smile[frames.avatar][:, None]
        motion = face_motion(frames.weights.reshape(b * t, -1)) + own.reshape(b * t, 468, 3)
        still = np.repeat(self.points[frames.avatar], t, 0)
        placed_points = project_points(still, motion, frames.pose.reshape(b * t, 3)[:, :2])
        return align_points(placed_points, frames.jitter.reshape(b * t, 4))

    def photo_smiles(self, frames: AvatarTracks) -> FloatArray:
        """(B, T) share of the person's own smiling photo; 0 for those of whom there is none."""
        return np.where(self.has_smile[frames.avatar, None], frames.smile, 0.0).astype(np.float32)


class AvatarRenderer(AvatarGeometry):
    """All avatars on one device, ready to be rendered. P avatars, V points, L lattice points a
    side.
    """

    def __init__(self, avatars: Sequence[Avatar], device: str | torch.device = "cpu") -> None:
        super().__init__(avatars)
        self.device = torch.device(device)
        self.pictures = self.grey([p.picture for p in avatars])
        self.smiling = self.grey([p.picture if p.smiling is None else p.smiling for p in avatars])
        self.index = torch.as_tensor(
            np.stack([p.index for p in avatars]).astype(np.int64), device=self.device
        )
        self.share = torch.as_tensor(np.stack([p.share for p in avatars]), device=self.device)
        padded = torch.zeros(len(avatars), 1, self.points.shape[1], 2, device=self.device)
        padded[:, 0, :468] = torch.from_numpy(self.smile[..., :2]).to(self.device)
        self.smile_field = self.interpolate_lattice(
            torch.arange(len(avatars), device=self.device), padded
        )
        self.iris = self.iris_fields()

    def grey(self, pictures: Sequence[np.ndarray]) -> Tensor:
        stack = torch.as_tensor(np.stack(pictures), device=self.device).float() / 255
        return (stack * torch.tensor(GREY, device=self.device)).sum(-1)[:, None]

    def iris_fields(self) -> Tensor:
        """(P, 1, L, L) how far each lattice point follows the gaze: a bump in each eye opening."""
        axis = np.linspace(-MARGIN, 1 + MARGIN, LATTICE)
        bumps = np.zeros((len(self.points), LATTICE, LATTICE), np.float32)
        for eye in EYES:
            centre = self.points[:, list(eye), :2].mean(1)
            dx = (axis[None] - centre[:, :1]) / 0.035
            dy = (axis[None] - centre[:, 1:]) / 0.016
            bumps += np.exp(-0.5 * (dx[:, None, :] ** 2 + dy[:, :, None] ** 2)).astype(np.float32)
        return torch.as_tensor(bumps[:, None], device=self.device)

    def interpolate_lattice(self, who: Tensor, displacement: Tensor) -> Tensor:
        """(B * T, 2, L, L) displacement at every lattice point from that of the points (B, T, V,
        2).
        """
        b, t, v, _ = displacement.shape
        rows = displacement.transpose(1, 2).reshape(b * v, t * 2)
        index = self.index[who] + (torch.arange(b, device=self.device) * v)[:, None, None]
        share = self.share[who]
        out = rows[index[..., 0].reshape(-1)] * share[..., 0].reshape(-1, 1)
        for k in (1, 2):
            out.addcmul_(rows[index[..., k].reshape(-1)], share[..., k].reshape(-1, 1))
        return out.view(b, -1, t, 2).permute(0, 2, 3, 1).reshape(b * t, 2, LATTICE, LATTICE)

    def render(
        self,
        frames: AvatarTracks,
        size: int,
        appearance: ClipAppearance,
        placed: Tensor | None = None,
        margin: float = 0.0,
    ) -> Tensor:
        """(B, T, 1, size, size) crops in 0..1 before light and camera, reaching `margin` (crop
        units, up to MARGIN) beyond the crop; `look` has one row a clip. placed: as from `place`,
        where that is known already."""
        b, t = frames.smile.shape
        ids, points = frames.avatar, self.points[frames.avatar]
        who = torch.as_tensor(ids, device=self.device)
        smile = torch.as_tensor(self.photo_smiles(frames), device=self.device)
        placed_points = (
            torch.from_numpy(self.locate_points(frames)) if placed is None else placed
        ).to(self.device)
        rest = torch.as_tensor(points[:, None, :, :2], device=self.device)
        field = self.interpolate_lattice(who, placed_points.view(b, t, -1, 2) - rest)
        gaze = torch.as_tensor(frames.gaze, device=self.device)[..., None, None]
        field = field.view(b, t, 2, LATTICE, LATTICE) + GAZE_REACH * gaze * self.iris[who][:, None]
        field = field.flatten(0, 1)
        source = self.invert(field, size, margin)
        appearance = appearance.to(self.device)
        image = self.sample_photo(who, source, smile)
        image = image * (1 + appearance.rows("shading") * self.skin_folds(field, source)).clamp(
            0.6, 1.3
        )
        upper, lower = placed_points[:, list(LIP_UPPER)], placed_points[:, list(LIP_LOWER)]
        closed = np.repeat(points[:, list(LIP_LOWER), 1] - points[:, list(LIP_UPPER), 1], t, 0)
        image = open_mouth(
            image, upper, lower, torch.as_tensor(closed, device=self.device), appearance, margin
        )
        return image.view(b, t, 1, size, size)

    def sample_photo(self, who: Tensor, source: Tensor, smile: Tensor) -> Tensor:
        """The portrait at `source`, cross-dissolved to the person's own smiling photo where there
        is a smile: teeth, folds and cheeks are real there."""
        image = sample_maps(self.pictures[who], source)
        if float(smile.max()) <= 0.02:
            return image
        to = source + (2 / SPAN) * sample_maps(self.smile_field[who], source).permute(0, 2, 3, 1)
        weight = smile.reshape(-1, 1, 1, 1).clamp(0, 1).pow(0.8)
        return torch.lerp(image, sample_maps(self.smiling[who], to), weight)

    def invert(self, field: Tensor, size: int, margin: float) -> Tensor:
        """(N, size, size, 2) where in the picture each crop pixel comes from, in -1..1 over the
        picture.
        """
        field = field * (-2 / SPAN)
        q = self.grid(size // 2, margin)
        u = F.grid_sample(
            field, q.expand(len(field), -1, -1, -1), padding_mode="border", align_corners=True
        )
        for _ in range(2):
            at = q + u.permute(0, 2, 3, 1)
            u = F.grid_sample(field, at, padding_mode="border", align_corners=True)
        u = F.interpolate(u, size=(size, size), mode="bilinear", align_corners=False)
        return u.permute(0, 2, 3, 1).add_(self.grid(size, margin))

    def grid(self, size: int, margin: float) -> Tensor:
        """(1, size, size, 2) the crop's pixel centres, in -1..1 over the picture."""
        axis = (pixel_centres(size, margin, self.device) + MARGIN) * (2 / SPAN) - 1
        return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)[None]

    def skin_folds(self, field: Tensor, source: Tensor) -> Tensor:
        """(N, 1, size, size) how much the skin is stretched (+) or pressed together (-): where
        folds show.
        """
        half = source[:, ::2, ::2]
        step = SPAN / (LATTICE - 1)
        dx = F.pad(field[:, 0, :, 2:] - field[:, 0, :, :-2], (1, 1))
        dy = F.pad(field[:, 1, 2:] - field[:, 1, :-2], (0, 0, 1, 1))
        stretch = ((dx + dy) / (2 * step))[:, None].clamp(-0.5, 0.3)
        stretch = F.grid_sample(stretch, half, padding_mode="border", align_corners=True)
        return F.interpolate(stretch, size=source.shape[1:3], mode="bilinear", align_corners=False)


def pixel_centres(size: int, margin: float, device: torch.device) -> Tensor:
    """(size,) where the pixels of a crop stand that reaches `margin` beyond the unit square, in
    crop units.
    """
    return (torch.arange(size, device=device) + 0.5) * ((1 + 2 * margin) / size) - margin


def sample_maps(maps: Tensor, where: Tensor) -> Tensor:
    """Values of B maps (B, C, ., .) that serve T frames each: where (B * T, h, w, 2) -> (B * T, C,
    h, w).
    """
    b, (_, h, w, _) = len(maps), where.shape
    at = where.reshape(b, -1, w, 2)
    out = F.grid_sample(maps, at, padding_mode="border", align_corners=maps.shape[-1] == LATTICE)
    return out.view(b, out.shape[1], -1, h, w).transpose(1, 2).reshape(-1, out.shape[1], h, w)


@dataclass(frozen=True)
class ClipAppearance:
    """How folds and mouths look, one value a clip and frame, each (B, T): shading of folds;
    brightness of the mouth's interior, of teeth and of the tongue; height of teeth (crop units),
    and of the tongue (share of the opening)."""

    shading: Tensor
    mouth: Tensor
    teeth: Tensor
    teeth_height: Tensor
    tongue: Tensor
    tongue_height: Tensor

    def rows(self, name: str) -> Tensor:
        """The values of all frames: (B * T, 1, 1, 1)."""
        values: Tensor = getattr(self, name)
        return values.reshape(-1, 1, 1, 1)

    def __getitem__(self, part: slice) -> ClipAppearance:
        return ClipAppearance(*(values[part] for values in vars(self).values()))

    def to(self, device: torch.device) -> ClipAppearance:
        return ClipAppearance(*(values.to(device) for values in vars(self).values()))

    @classmethod
    def draw(cls, rng: np.random.Generator, clips: int, frames: int) -> ClipAppearance:
        """Folds stay as they are in a clip; what shows in an open mouth changes with every sound,
        and tells nothing.
        """
        still = np.repeat(rng.uniform(0.0, 0.8, (clips, 1)), frames, 1)
        ranges = (
            (0.02, 0.2, 0.05),
            (0.4, 0.95, 0.15),
            (0.0, 0.05, 0.012),
            (0.25, 0.7, 0.1),
            (-0.6, 0.5, 0.25),
        )
        moving = [np.stack([draw_drift(rng, frames, *r) for _ in range(clips)]) for r in ranges]
        return cls(*(torch.as_tensor(v).float() for v in (still, *moving)))


def draw_drift(
    rng: np.random.Generator, frames: int, low: float, high: float, spread: float
) -> FloatArray:
    """(frames,) about a value between low and high, changing by `spread` within a few frames; 0 or
    more.
    """
    lively = float(rng.choice([0.0, 0.5, 1.0, 2.0]))
    track = rng.uniform(low, high) + smooth_noise(rng, frames, rng.uniform(1.5, 8), spread * lively)
    return np.asarray(np.maximum(track, 0), np.float32)


def lip_height(lip: Tensor, columns: Tensor) -> Tensor:
    """(N, W) height of a lip contour (N, 11, 2) at the columns (W,), linear between its points."""
    x = lip[..., 0].contiguous()
    at = columns.expand(len(lip), -1).contiguous()
    right = torch.searchsorted(x, at).clamp(1, x.shape[1] - 1)
    x0, x1 = x.gather(1, right - 1), x.gather(1, right)
    y0, y1 = lip[..., 1].gather(1, right - 1), lip[..., 1].gather(1, right)
    return y0 + (y1 - y0) * ((at - x0) / (x1 - x0).clamp(min=1e-4)).clamp(0, 1)


def open_mouth(
    image: Tensor,
    upper: Tensor,
    lower: Tensor,
    closed: Tensor,
    appearance: ClipAppearance,
    margin: float,
) -> Tensor:
    """Paint the mouth's dark interior and teeth where the lips have parted further than in the
    photo, in place.
    """
    axis, size = (
        pixel_centres(image.shape[-1], margin, image.device),
        image.shape[-1] / (1 + 2 * margin),
    )
    lips = torch.cat([upper, lower], 1)
    (x0, y0), (x1, y1) = lips.amin((0, 1)).tolist(), lips.amax((0, 1)).tolist()
    # Beyond this frame nothing changes: an edge is softer than a grey level for 6 pixels.
    across, down = index_range(axis, x0, x1, 1 / size), index_range(axis, y0, y1, 8 / size)
    x, y = axis[across], axis[None, None, down, None]
    top = lip_height(upper, x)[:, None, None]
    rest = lip_height(torch.stack([upper[..., 0], closed], -1), x).clamp(min=0)[:, None, None]
    bottom = lip_height(lower, x)[:, None, None] - 0.3 * rest
    top = top + 0.3 * rest
    parted = ((bottom - top - 0.4 * rest - OPEN_FROM) / (OPEN_FULL - OPEN_FROM)).clamp(0, 1)
    parted = parted * (closed.amax(1) < SHUT_GAP)[:, None, None, None]
    soft = size * 0.9
    inside = torch.sigmoid((y - top) * soft) * torch.sigmoid((bottom - y) * soft) * parted
    inside = inside * ((x > upper[:, :1, 0]) & (x < upper[:, -1:, 0]))[:, None, None]
    edge = top + torch.minimum(appearance.rows("teeth_height"), 0.7 * (bottom - top))
    teeth = torch.sigmoid((edge - y) * soft)
    tongue = torch.sigmoid(
        (y - bottom + appearance.rows("tongue_height").clamp(max=0.8) * (bottom - top)) * soft
    )
    tongue = tongue * (appearance.rows("tongue_height") > 0)
    dark = appearance.rows("mouth") + tongue * (
        appearance.rows("tongue") - appearance.rows("mouth")
    )
    skin = image.mean((1, 2, 3), keepdim=True)
    colour = skin * (dark * (1 - teeth) + 1.3 * appearance.rows("teeth") * teeth)
    image[:, :, down, across] = torch.lerp(image[:, :, down, across], colour, inside)
    return image


def index_range(axis: Tensor, low: float, high: float, margin: float) -> slice:
    """Which of the rising places (S,) lie between low - margin and high + margin."""
    near = ((axis >= low - margin) & (axis <= high + margin)).nonzero()
    return slice(int(near[0]), int(near[-1]) + 1) if len(near) else slice(0, 0)

"""Clips that are planned and not yet rendered: numbers alone, so that many processes plan while
one device renders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fesnet.synth.render.avatar import MARGIN, SPAN
from fesnet.synth.render.avatar_renderer import (
    AvatarGeometry,
    AvatarRenderer,
    AvatarTracks,
    ClipAppearance,
)
from fesnet.synth.render.camera import simulate_camera
from fesnet.synth.render.hands import Hand
from fesnet.synth.render.landmark_errors import landmark_mirror_map
from fesnet.synth.render.torch_face_mesh import TorchFaceMesh, run_landmark_model

# pixels of the picture that the landmark model gets: 160 a crop unit, about a face of VGA video
WIDE = 240
WIDE_PIXEL_SCALE = WIDE / SPAN / 96  # times smaller than a pixel of the usual crop


@dataclass(frozen=True)
class RenderPlan:
    """B clips of T frames.

    placed (B * T, V, 2) where every point stands in its crop; masks (B * T, S, S) uint8, what of a
    crop is face, or None; camera (B,) the seed of each clip's light, lens and codec; flipped (B,)
    what is mirrored; order (B, T) in which frames are shown at last: spotting reflects short
    videos and scores windows backwards, too; use_landmark_model: whether the
    landmark model itself gives the landmark features.
    """

    frames: AvatarTracks
    placed: Tensor
    appearance: ClipAppearance
    masks: Tensor | None
    camera: NDArray[np.int64]
    flipped: NDArray[np.bool_]
    order: NDArray[np.int64]
    hands: tuple[Hand | None, ...]
    use_landmark_model: bool = False

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, part: slice) -> RenderPlan:
        t = self.frames.smile.shape[1]
        rows = slice(part.start * t, part.stop * t)
        return RenderPlan(
            self.frames[part],
            self.placed[rows],
            self.appearance[part],
            None if self.masks is None else self.masks[rows],
            self.camera[part],
            self.flipped[part],
            self.order[part],
            self.hands[part],
            self.use_landmark_model,
        )


def plan_render(
    geometry: AvatarGeometry,
    frames: AvatarTracks,
    size: int,
    rng: np.random.Generator,
    *,
    face_only: bool,
    flipped: NDArray[np.bool_],
) -> RenderPlan:
    """Everything of the clips but their pixels, from first frame to last and without hands."""
    clips, length = frames.smile.shape
    placed = geometry.locate_points(frames)
    masks = geometry.masks(placed, length, size, rng) if face_only else None
    return RenderPlan(
        frames,
        torch.from_numpy(placed),
        ClipAppearance.draw(rng, clips, length),
        masks,
        np.asarray(rng.integers(2**62, size=clips)),
        flipped,
        np.tile(np.arange(length), (clips, 1)),
        (None,) * clips,
    )


def render_crops(renderer: AvatarRenderer, plan: RenderPlan, size: int) -> Tensor:
    """Crops (B, T, 1, size, size) in 0..1 on the renderer's device."""
    crops = renderer.render(plan.frames, size, plan.appearance, plan.placed)
    return finish_crops(plan, [simulate_clip(plan, b, clip) for b, clip in enumerate(crops)])


def render_with_landmarks(
    renderer: AvatarRenderer, plan: RenderPlan, size: int, mesh: TorchFaceMesh
) -> tuple[Tensor, Tensor]:
    """As `render_crops`, and what the landmark model sees in the same clips, rendered wider and
    finer:
    shapes (B, T, SHAPE).
    """
    clips, landmarks = [], []
    for b in range(len(plan)):
        one = plan[b : b + 1]
        wide = simulate_clip(
            one,
            0,
            renderer.render(one.frames, WIDE, one.appearance, one.placed, MARGIN)[0],
            MARGIN,
            WIDE_PIXEL_SCALE,
        )
        placed = one.placed.to(wide.device)
        rng = np.random.default_rng([int(one.camera[0]), 1])
        landmarks.append(reorder_frames(one, 0, run_landmark_model(mesh, wide, placed, rng)))
        edge = round(WIDE * MARGIN / SPAN)
        inner = wide[..., edge : WIDE - edge, edge : WIDE - edge]
        clips.append(
            F.interpolate(
                inner, size=(size, size), mode="bilinear", antialias=True, align_corners=False
            )
        )
    seen, flipped = torch.stack(landmarks), torch.from_numpy(plan.flipped).to(landmarks[0].device)
    to, sign = landmark_mirror_map()
    other = seen[..., torch.from_numpy(to).to(seen.device)] * torch.from_numpy(sign).to(seen.device)
    return finish_crops(plan, clips), torch.where(flipped[:, None, None], other, seen)


def simulate_clip(
    plan: RenderPlan, b: int, clip: Tensor, margin: float = 0.0, pixel_scale: float = 1.0
) -> Tensor:
    """Clip b (T, 1, S, S), behind its hand, as its camera delivers it."""
    hand = plan.hands[b]
    covered = clip if hand is None else hand.cover(clip, margin)
    return simulate_camera(
        covered, plan.frames.pose[b], np.random.default_rng(plan.camera[b]), margin, pixel_scale
    )


def finish_crops(plan: RenderPlan, clips: list[Tensor]) -> Tensor:
    """Filmed clips (T, 1, S, S) with the face alone, in order, mirrored: (B, T, 1, S, S)."""
    crops = torch.stack(clips)
    if plan.masks is not None:
        crops = crops * (plan.masks.to(crops.device).view(crops.shape).float() / 255)
    return mirror_crops(
        torch.stack([reorder_frames(plan, b, clip) for b, clip in enumerate(crops)]), plan.flipped
    )


def reorder_frames(plan: RenderPlan, b: int, track: Tensor) -> Tensor:
    """A track (T, ...) of clip b in the order of its frames."""
    return track[torch.from_numpy(plan.order[b]).to(track.device)]


def mirror_crops(crops: Tensor, flipped: NDArray[np.bool_]) -> Tensor:
    """Those of the clips (B, T, 1, S, S) turned round that `flipped` (B,) names."""
    which = torch.as_tensor(flipped, device=crops.device).view(-1, 1, 1, 1, 1)
    return torch.where(which, crops.flip(-1), crops)

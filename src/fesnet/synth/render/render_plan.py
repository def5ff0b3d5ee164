"""Clips that are drawn and not yet painted: numbers alone, so that many processes draw while one
device paints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fesnet.synth.render.avatar import MARGIN, SPAN
from fesnet.synth.render.avatar_renderer import AvatarGeometry, AvatarRenderer, AvatarTracks, Look
from fesnet.synth.render.camera import simulate_camera
from fesnet.synth.render.hands import Hand
from fesnet.synth.render.landmark_errors import landmark_mirror_map
from fesnet.synth.render.torch_face_mesh import TorchFaceMesh, run_landmark_model

# pixels of the picture that the landmark model looks at: 160 a crop unit, about a face of VGA video
WIDE = 240
WIDE_PIXEL_SCALE = WIDE / SPAN / 96  # times smaller than a pixel of the usual crop


@dataclass(frozen=True)
class RenderPlan:
    """B clips of T frames.

    placed (B * T, V, 2) where every point stands in its crop; masks (B * T, S, S) uint8, what of a
    crop is face, or None; camera (B,) the seed of each clip's light, lens and codec; flipped (B,)
    what is mirrored; order (B, T) in which frames are shown at last: spotting runs to and fro where
    a video is short, and judges windows backwards, too; looked: whether the landmark model itself
    is to look at the clips.
    """

    frames: AvatarTracks
    placed: Tensor
    run_landmark_model: Look
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
            self.run_landmark_model[part],
            None if self.masks is None else self.masks[rows],
            self.camera[part],
            self.flipped[part],
            self.order[part],
            self.hands[part],
            self.use_landmark_model,
        )


def plan_render(
    cast: AvatarGeometry,
    frames: AvatarTracks,
    size: int,
    rng: np.random.Generator,
    *,
    face_only: bool,
    flipped: NDArray[np.bool_],
) -> RenderPlan:
    """Everything of the clips but their pixels, from first frame to last and without hands."""
    clips, length = frames.smile.shape
    placed = cast.place(frames)
    masks = cast.masks(placed, length, size, rng) if face_only else None
    return RenderPlan(
        frames,
        torch.from_numpy(placed),
        Look.draw(rng, clips, length),
        masks,
        np.asarray(rng.integers(2**62, size=clips)),
        flipped,
        np.tile(np.arange(length), (clips, 1)),
        (None,) * clips,
    )


def render_crops(stage: AvatarRenderer, shots: RenderPlan, size: int) -> Tensor:
    """Crops (B, T, 1, size, size) in 0..1 on the stage's device."""
    crops = stage.render(shots.frames, size, shots.run_landmark_model, shots.placed)
    return finish_crops(shots, [simulate_clip(shots, b, clip) for b, clip in enumerate(crops)])


def render_with_landmarks(
    stage: AvatarRenderer, shots: RenderPlan, size: int, mesh: TorchFaceMesh
) -> tuple[Tensor, Tensor]:
    """As `render_crops`, and what the landmark model sees in the same clips, painted wider and finer:
    shapes (B, T, SHAPE).
    """
    clips, landmarks = [], []
    for b in range(len(shots)):
        one = shots[b : b + 1]
        wide = simulate_clip(
            one,
            0,
            stage.render(one.frames, WIDE, one.run_landmark_model, one.placed, MARGIN)[0],
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
    seen, flipped = torch.stack(landmarks), torch.from_numpy(shots.flipped).to(landmarks[0].device)
    to, sign = landmark_mirror_map()
    other = seen[..., torch.from_numpy(to).to(seen.device)] * torch.from_numpy(sign).to(seen.device)
    return finish_crops(shots, clips), torch.where(flipped[:, None, None], other, seen)


def simulate_clip(
    shots: RenderPlan, b: int, clip: Tensor, margin: float = 0.0, pixel_scale: float = 1.0
) -> Tensor:
    """Clip b (T, 1, S, S), behind its hand, as its camera delivers it."""
    hand = shots.hands[b]
    covered = clip if hand is None else hand.cover(clip, margin)
    return simulate_camera(
        covered, shots.frames.pose[b], np.random.default_rng(shots.camera[b]), margin, pixel_scale
    )


def finish_crops(shots: RenderPlan, clips: list[Tensor]) -> Tensor:
    """Filmed clips (T, 1, S, S) with the face alone, in order, mirrored: (B, T, 1, S, S)."""
    crops = torch.stack(clips)
    if shots.masks is not None:
        crops = crops * (shots.masks.to(crops.device).view(crops.shape).float() / 255)
    return mirror_crops(
        torch.stack([reorder_frames(shots, b, clip) for b, clip in enumerate(crops)]), shots.flipped
    )


def reorder_frames(shots: RenderPlan, b: int, track: Tensor) -> Tensor:
    """A track (T, ...) of clip b in the order of its frames."""
    return track[torch.from_numpy(shots.order[b]).to(track.device)]


def mirror_crops(crops: Tensor, flipped: NDArray[np.bool_]) -> Tensor:
    """Those of the clips (B, T, 1, S, S) turned round that `flipped` (B,) names."""
    which = torch.as_tensor(flipped, device=crops.device).view(-1, 1, 1, 1, 1)
    return torch.where(which, crops.flip(-1), crops)

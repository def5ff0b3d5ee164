"""Clips that are drawn and not yet painted: numbers alone, so that many processes draw while one device paints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fesnet.clips import to_and_fro
from fesnet.synth.camera import film
from fesnet.synth.crops import Frames, Look, Stage
from fesnet.synth.hands import Hand


@dataclass(frozen=True)
class Shots:
    """B clips of T frames.

    placed (B * T, V, 2) where every point stands in its crop; masks (B * T, S, S) uint8, what of a crop is face, or
    None; camera (B,) the seed of each clip's light, lens and codec; flipped (B,) what is mirrored; last (B,) the frame
    behind which a clip runs to and fro, as spotting fills a window that a short video does not fill.
    """

    frames: Frames
    placed: Tensor
    look: Look
    masks: Tensor | None
    camera: NDArray[np.int64]
    flipped: NDArray[np.bool_]
    last: NDArray[np.int64]
    hands: tuple[Hand | None, ...]

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, part: slice) -> Shots:
        t = self.frames.smile.shape[1]
        rows = slice(part.start * t, part.stop * t)
        return Shots(
            self.frames[part],
            self.placed[rows],
            self.look[part],
            None if self.masks is None else self.masks[rows],
            self.camera[part],
            self.flipped[part],
            self.last[part],
            self.hands[part],
        )


def plan_shots(
    stage: Stage, frames: Frames, size: int, rng: np.random.Generator, *, face_only: bool, flipped: NDArray[np.bool_]
) -> Shots:
    """Everything of the clips but their pixels; nothing runs to and fro and there are no hands."""
    clips, length = frames.smile.shape
    placed = stage.place(frames)
    masks = stage.masks(placed, length, size, rng) if face_only else None
    return Shots(
        frames,
        torch.from_numpy(placed),
        Look.draw(rng, clips, length),
        masks,
        np.asarray(rng.integers(2**62, size=clips)),
        flipped,
        np.full(clips, length - 1),
        (None,) * clips,
    )


def shoot(stage: Stage, shots: Shots, size: int) -> Tensor:
    """Crops (B, T, 1, size, size) in 0..1 on the stage's device."""
    crops, clips = stage.render(shots.frames, size, shots.look, shots.placed), []
    masks = None if shots.masks is None else shots.masks.to(crops.device).view(crops.shape)
    for b, clip in enumerate(crops):
        hand = shots.hands[b]
        covered = clip if hand is None else hand.cover(clip)
        seen = film(covered, shots.frames.pose[b], np.random.default_rng(shots.camera[b]))
        seen = seen if masks is None else seen * (masks[b].float() / 255)
        at = to_and_fro(len(clip), int(shots.last[b]))
        clips.append(seen[torch.from_numpy(at).to(seen.device)])
    return mirrored(torch.stack(clips), shots.flipped)


def mirrored(crops: Tensor, flipped: NDArray[np.bool_]) -> Tensor:
    """Those of the clips (B, T, 1, S, S) turned round that `flipped` (B,) names."""
    which = torch.as_tensor(flipped, device=crops.device).view(-1, 1, 1, 1, 1)
    return torch.where(which, crops.flip(-1), crops)

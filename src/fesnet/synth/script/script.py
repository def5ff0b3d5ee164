"""What a synthetic face does, frame by frame, and its truth."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.intervals import Interval
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.expressions import EXPRESSIONS


@dataclass(frozen=True)
class Script:
    """One synthetic performance of T frames.

    weights (T, K) of `motion_basis()`, smile (T,) share of the portrait's own smiling photo, pose
    (T, 3) yaw, pitch, roll in radians, gaze (T, 2) in -1..1, jitter (T, 4) shift x, y (crop
    units), rotation (rad), log scale of the alignment residue, intensity (T,) of expressions (1 is
    a full macro), events on the script's own frames.
    """

    weights: FloatArray
    smile: FloatArray
    pose: FloatArray
    gaze: FloatArray
    jitter: FloatArray
    intensity: FloatArray
    events: tuple[Interval, ...] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.smile)

    def labels(self) -> NDArray[np.int64]:
        """(T,) 0 neutral, 1 macro, 2 micro (a micro inside a macro wins)."""
        out = np.zeros(len(self), np.int64)
        for kind, code in (("macro", 1), ("micro", 2)):
            for e in self.events:
                if e.kind == kind:
                    out[e.start : e.stop] = code
        return out


class ScriptTracks:
    """The tracks of a script that is being written, and the truth so far."""

    def __init__(self, rng: np.random.Generator, frames: int, config: SynthConfig) -> None:
        self.rng, self.frames, self.config = rng, frames, config
        self.basis = motion_basis()
        self.weights = np.zeros((frames, len(self.basis.names)), np.float32)
        self.smile = np.zeros(frames, np.float32)
        self.gaze = np.zeros((frames, 2), np.float32)
        self.intensity = np.zeros(frames, np.float32)
        self.silent = np.zeros(
            frames, np.float32
        )  # 1 where an expression of the mouth lets nobody speak
        self.events: list[Interval] = []


def replace_photo_smile(script: Script) -> Script:
    """The same for a person of whom there is no smiling photo: smiles are the motion basis's."""
    smile = motion_basis().weights(EXPRESSIONS["smile"])
    weights = script.weights + script.smile[:, None] * smile
    return replace(script, weights=weights, smile=np.zeros_like(script.smile))

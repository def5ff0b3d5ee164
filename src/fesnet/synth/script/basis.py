"""Facial motions as displacements of the 468 face-mesh vertices, in crop units.

The table `assets/motion_basis.npz` is made by `dev/make_motion_basis.py` from ICT-FaceKit's
expression shapes (MIT licence) and MediaPipe's canonical face mesh (Apache-2.0). Crop units: the
side of the aligned crop is 1, x goes right, y down, z away from the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from fesnet._types import FloatArray
from fesnet.errors import UsageError


@dataclass(frozen=True)
class MotionBasis:
    """Named unit motions of the face mesh.

    names: K motions (ICT-FaceKit's ARKit-like names, `_L` and `_R` are the subject's sides).
    delta: (K, 468, 3) displacement at weight 1, crop units.
    canonical: (468, 3) vertices of the canonical neutral face in the crop.
    """

    names: tuple[str, ...]
    delta: FloatArray
    canonical: FloatArray

    def weights(self, motions: dict[str, float]) -> FloatArray:
        """A weight vector (K,) from named motions; a name without side moves both sides.

        Raises UsageError for a name that the basis does not hold.
        """
        out = np.zeros(len(self.names), np.float32)
        for name, weight in motions.items():
            hits = [i for i, n in enumerate(self.names) if n == name or n[:-2] == name]
            if not hits:
                raise UsageError(f"expected a motion of the basis such as browDown_L, got {name!r}")
            out[hits] += weight
        return out

    def max_displacement(self) -> FloatArray:
        """(K,) how far each motion of weight 1 moves the vertex that it moves most, seen from the
        front, crop units.
        """
        far: FloatArray = np.linalg.norm(self.delta[..., :2], axis=-1).max(1)
        return far


@cache
def motion_basis() -> MotionBasis:
    """The bundled basis, read once."""
    with (files("fesnet") / "assets" / "motion_basis.npz").open("rb") as handle:
        table = np.load(handle, allow_pickle=False)
        names = tuple(str(n) for n in table["names"])
        return MotionBasis(names, table["delta"].astype(np.float32), table["canonical"])

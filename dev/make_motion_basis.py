"""Make `src/fesnet/assets/motion_basis.npz`: facial motions as displacements of the 468 face-mesh
vertices.

The expression shapes of ICT-FaceKit (MIT licence) are carried from its mesh to the vertices of
MediaPipe's canonical face mesh (Apache-2.0): the canonical mesh is warped onto the ICT neutral face
through 68 corresponding landmarks (thin-plate splines, with both mouths ajar so that upper and
lower lip cannot be confused), and each vertex then takes the displacement of the nearest ICT
surface vertices. Run once; the small result is committed.

usage: python dev/make_motion_basis.py ICT_PACKED.npz LANDMARKS68.json CANONICAL_FACE_MODEL.obj
OUT.npz Needs scipy, which the package itself does not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from fesnet.faces.align import EYE_CORNERS, EYE_DISTANCE, EYE_HEIGHT

FACE_VERTICES = 9409  # ICT-FaceKit: the first 9,409 vertices are the skin of the face
# The 68 Multi-PIE landmarks on the face mesh; None where the two meshes have no common point (sides
# of the jaw).
MESH68: list[int | None] = [
    None,
    None,
    None,
    None,
    None,
    136,
    149,
    148,
    152,
    377,
    378,
    365,
    None,
    None,
    None,
    None,
    None,
]
MESH68 += [70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 168, 197, 5, 4, 98, 97, 2, 326, 327]
MESH68 += [33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380]
MESH68 += [61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87]
LEFT_OUT = {"PupilDilate_L", "PupilDilate_R"}


def read_canonical(path: Path) -> np.ndarray:
    """Vertices (468, 3) in crop units: x right, y down, z away from the camera."""
    lines = path.read_text().splitlines()
    points = np.array(
        [[float(v) for v in line.split()[1:4]] for line in lines if line.startswith("v ")]
    )
    points = points * [1, -1, -1]
    corners = points[list(EYE_CORNERS), :2]
    scale = EYE_DISTANCE / np.linalg.norm(corners[2:].mean(0) - corners[:2].mean(0))
    points = points * scale
    points[:, :2] += [0.5, EYE_HEIGHT] - points[list(EYE_CORNERS), :2].mean(0)
    points[:, 2] -= points[list(EYE_CORNERS), 2].mean()
    return np.asarray(points)


def similarity_scale(
    source: np.ndarray, target: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale and the two centroids of the fit target ~ (source - a) * scale + b (both meshes face
    the same way).
    """
    a, b = source.mean(0), target.mean(0)
    scale = float(((source - a) * (target - b)).sum() / ((source - a) ** 2).sum())
    return scale, a, b


def main(ict: Path, landmarks: Path, canonical_obj: Path, out: Path) -> None:
    canonical = read_canonical(canonical_obj)
    packed = np.load(ict)
    names = [str(n) for n in packed["ex_names"]]
    deltas = packed["ex_delta"].astype(float) * [1, -1, -1]
    neutral = packed["neutral"].astype(float) * [1, -1, -1]
    verts68 = json.loads(landmarks.read_text())["idx_to_landmark_verts"]
    pairs = [(v, m) for v, m in zip(verts68, MESH68, strict=True) if m is not None]
    ict_index, mesh_index = np.array(pairs).T
    scale, a, b = similarity_scale(neutral[ict_index], canonical[mesh_index])
    neutral, deltas = (neutral - a) * scale + b, deltas * scale
    ajar = neutral + 0.25 * deltas[names.index("jawOpen")]
    warp = RBFInterpolator(
        canonical[mesh_index], ajar[ict_index], kernel="thin_plate_spline", smoothing=1e-4
    )
    skin = ajar[:FACE_VERTICES]
    distance, nearest = cKDTree(skin).query(warp(canonical), k=4)
    weight = 1.0 / (distance + 0.002)
    weight /= weight.sum(1, keepdims=True)
    kept = [i for i, n in enumerate(names) if n not in LEFT_OUT]
    moved = np.einsum("vk,evkc->evc", weight, deltas[kept][:, :FACE_VERTICES][:, nearest])
    print(f"{len(kept)} motions; distance to the surface: median {np.median(distance[:, 0]):.4f}")
    np.savez_compressed(
        out,
        names=np.array([names[i] for i in kept]),
        delta=moved.astype(np.float16),
        canonical=canonical.astype(np.float32),
    )


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))

"""The face models of this process, loaded once: that takes as long as 50 frames."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from fesnet.faces.detect import BlazeFaceDetector
from fesnet.faces.landmarks import FaceMesh
from fesnet.faces.models import ensure_models


def shared_models() -> tuple[BlazeFaceDetector, FaceMesh]:
    """MediaPipe's models for all trackers; they remember no frame, and several threads may use
    them. Downloaded the first time. Raises FaceModelError.
    """
    files = ensure_models()
    return load_models(files.detector, files.landmarks, tuple(sorted(files.sha256.items())))


@lru_cache(maxsize=1)
def load_models(
    detector: Path, landmarks: Path, _sums: tuple[tuple[str, str], ...]
) -> tuple[BlazeFaceDetector, FaceMesh]:
    """Files with other sums are loaded again."""
    return BlazeFaceDetector(detector), FaceMesh(landmarks)

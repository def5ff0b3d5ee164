"""Frames in, still and aligned face crops out; see `FaceTracker`."""

from fesnet.faces.align import CANONICAL_STABLE, STABLE, fit_similarity
from fesnet.faces.detect import BlazeFaceDetector, Detection, FaceDetector
from fesnet.faces.landmark_features import LANDMARK_FEATURE_COUNT, compute_landmark_features
from fesnet.faces.landmarks import FaceMesh
from fesnet.faces.mask import as_rgb, face_mask, only_face
from fesnet.faces.models import ModelFiles, ensure_models, import_models, model_files
from fesnet.faces.track import Face, FaceTracker, Tracker

__all__ = [
    "CANONICAL_STABLE",
    "LANDMARK_FEATURE_COUNT",
    "STABLE",
    "BlazeFaceDetector",
    "Detection",
    "Face",
    "FaceDetector",
    "FaceMesh",
    "FaceTracker",
    "ModelFiles",
    "Tracker",
    "as_rgb",
    "compute_landmark_features",
    "ensure_models",
    "face_mask",
    "fit_similarity",
    "import_models",
    "model_files",
    "only_face",
]

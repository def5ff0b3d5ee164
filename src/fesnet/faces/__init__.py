"""Frames in, still and aligned face crops out; see `FaceTracker`."""

from fesnet.faces.align import CANONICAL_STABLE, STABLE, fit_similarity
from fesnet.faces.detect import BlazeFaceDetector, Detection, FaceDetector
from fesnet.faces.landmarks import FaceMesh
from fesnet.faces.mask import face_mask, only_face
from fesnet.faces.models import ModelFiles, ensure_models, import_models, model_files
from fesnet.faces.shape import SHAPE, face_shape
from fesnet.faces.track import Face, FaceTracker, Tracker

__all__ = [
    "CANONICAL_STABLE",
    "SHAPE",
    "STABLE",
    "BlazeFaceDetector",
    "Detection",
    "Face",
    "FaceDetector",
    "FaceMesh",
    "FaceTracker",
    "ModelFiles",
    "Tracker",
    "ensure_models",
    "face_mask",
    "face_shape",
    "fit_similarity",
    "import_models",
    "model_files",
    "only_face",
]

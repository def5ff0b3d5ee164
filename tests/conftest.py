"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import fesnet
from fesnet.errors import FaceModelError
from fesnet.faces import ModelFiles, model_files
from fesnet.intervals import IntervalRules
from fesnet.model.checkpoint import save_weights
from small_network import make_network
from video_files import write_video

ASSETS = Path(fesnet.__file__).parent / "assets"


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder of a small, untrained network; its rules find something in almost anything."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    rules = IntervalRules(macro_threshold=0.2, micro_threshold=0.2).to_dict()
    save_weights(make_network(), folder, training={"data": "nothing"}, rules=rules)
    return folder


@pytest.fixture(scope="session")
def face_models() -> ModelFiles:
    """The face models, where this machine has them (`make test` fetches them)."""
    try:
        return model_files()
    except FaceModelError:
        pytest.skip("face models not in the cache: run `fesnet models import`")


@pytest.fixture(scope="session")
def face_frames() -> list[np.ndarray]:
    """40 frames (240, 320, 3) of the bundled portrait, swaying."""
    photo = cv2.imread(str(ASSETS / "portrait.jpg"))[:, :, ::-1]
    out = []
    for t in range(40):
        x, y = 150 - 6 * np.sin(t / 7), 40 + 2 * np.cos(t / 5)
        matrix = np.array([[1.4, 0, -1.4 * x + 80], [0, 1.4, -1.4 * y + 20]])
        out.append(cv2.warpAffine(photo, matrix, (320, 240), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return out


@pytest.fixture(scope="session")
def face_video(face_frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same frames as a lossless video at 25 Hz (40 ms: Matroska keeps that exactly)."""
    return write_video(tmp_path_factory.mktemp("video") / "face.mkv", face_frames, codec="ffv1", pixels="bgr0")

"""The face stage of a whole data set, done once: aligned crops on disk, which training and
evaluation read.

    data set -> face stage -> OUT/STAGE/ID.npz (`store`), OUT/SHA256SUMS (`sums`), tables (`run`)
    OUT/STAGE/ID.npz -> frames and faces as they were (`replay`) -> `SpotStream`, baselines

Nothing of a method is kept here, so that weights and methods may change without another look at the
videos.
"""

from __future__ import annotations

from fesnet.crops.replay import open_with_faces, replay_crops, select_stage
from fesnet.crops.run import PreparationResult, prepare_data, verify_data
from fesnet.crops.stage import STAGES

__all__ = [
    "STAGES",
    "PreparationResult",
    "open_with_faces",
    "prepare_data",
    "replay_crops",
    "select_stage",
    "verify_data",
]

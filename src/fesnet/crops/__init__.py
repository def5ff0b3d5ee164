"""The face stage of a whole data set, done once: aligned crops on disk, which training and
evaluation read.

    data set -> face stage -> OUT/STAGE/ID.npz (`store`), OUT/SHA256SUMS (`sums`), tables (`run`)
    OUT/STAGE/ID.npz -> frames and faces as they were (`replay`) -> `SpotStream`, baselines

Nothing of a method is kept here, so that weights and methods may change without another look at the
videos.
"""

from __future__ import annotations

from fesnet.crops.replay import at_stage, open_recording, replay
from fesnet.crops.run import Prepared, prepare_data, verify_data
from fesnet.crops.stage import STAGES

__all__ = [
    "STAGES",
    "Prepared",
    "at_stage",
    "open_recording",
    "prepare_data",
    "replay",
    "verify_data",
]

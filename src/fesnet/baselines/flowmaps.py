"""Small maps of optical flow and strain between a tick and a later one: the input of SOFTNet."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray, Image
from fesnet.baselines.base import RATE, SegmentReader, dense_flow, to_grey
from fesnet.baselines.flow import Flow, FlowSettings
from fesnet.faces import Face
from fesnet.faces.landmark_features import LIDS, canonical_face

SIDE = 42  # pixels of a map, as in the paper
LAGS_S = (
    0.5,
    0.2,
)  # s from a tick to the later one, macro and micro: about half of a usual expression
FULL = 0.02  # crop units of motion that become 127; a mouth corner moves about as far in a smile
EYES = 0.05  # crop units round the eyelids that are blacked out, as blinks are no expressions


class MapMaker(Flow):
    """The flow baseline's `extract_features`, with maps instead of regions. It scores nothing."""

    def reader(self) -> SegmentReader:
        return MapReader(self.settings)


class MapReader(SegmentReader):
    """(n, 2 * 3 * SIDE * SIDE) int8: for both lags u, v and strain, less the mean motion of the
    crop's middle.
    """

    def __init__(self, settings: FlowSettings) -> None:
        self.settings = settings
        self.crops: list[Image] = []

    def push(self, face: Face) -> None:
        self.crops.append(to_grey(face))

    def features(self) -> FloatArray:
        last = len(self.crops) - 1
        rows = [
            np.concatenate(
                [
                    flow_maps(image, self.crops[min(t + round(s * RATE), last)]).ravel()
                    for s in LAGS_S
                ]
            )
            for t, image in enumerate(self.crops)
        ]
        return np.stack(rows)  # as int8 they take a quarter of the room


def flow_maps(one: Image, other: Image) -> NDArray[np.int8]:
    """(3, SIDE, SIDE) u, v, strain between two grey crops; 127 is FULL."""
    motion = dense_flow(one, other)
    size = len(one)
    middle = slice(int(0.4 * size), int(0.6 * size))  # the nose: what moves there is the head
    motion = motion - motion[middle, middle].mean((0, 1))
    across, down = (np.gradient(motion[..., i]) for i in (0, 1))
    strain = np.sqrt(across[1] ** 2 + down[0] ** 2 + 0.5 * (across[0] + down[1]) ** 2) * 10
    stacked = np.dstack([motion, strain]).astype(np.float32)
    small = cv2.resize(stacked, (SIDE, SIDE), interpolation=cv2.INTER_AREA) * eye_mask()[..., None]
    return np.asarray(np.clip(np.rint(small.transpose(2, 0, 1) * (127 / FULL)), -127, 127), np.int8)


def eye_mask() -> NDArray[np.float32]:
    """(SIDE, SIDE) 0 round the eyes of an aligned crop, 1 elsewhere."""
    lids = canonical_face()[list(LIDS), :2]
    grid = (np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1) + 0.5) / SIDE
    near = np.linalg.norm(grid[:, :, None] - lids, axis=-1).min(-1)
    return np.asarray(near > EYES, np.float32)

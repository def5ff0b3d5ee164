"""Optical flow of facial regions with peak picking: the kind of method that won the spotting
challenges of 2021/22.

Re-implemented from the published idea (Y. He, "Research on micro-expression spotting method based
on optical flow features", ACM MM 2021; Y. Zhao et al., "Rethinking optical flow methods for
micro-expression spotting", ACM MM 2022): dense flow between a reference frame and each frame, mean
vector in regions round brows, nose and mouth, the nose's vector subtracted as head motion,
smoothed, peaks above p * (max - mean) + mean, the interval where the signal falls.

Our choices: DIS flow; the reference frame is renewed every 2 s and displacements are chained, so
that one flow a frame serves both kinds; a region has moved by its distance from its running median,
in multiples of what is usual for it in this video; what lasts is macro and the rest is micro,
instead of two runs with two window lengths.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fesnet._types import FloatArray, Image
from fesnet.baselines.base import RATE, Baseline, SegmentReader, dense_flow, to_grey
from fesnet.baselines.signals import KindSplit, scale_to_peak, split_kinds
from fesnet.faces import CANONICAL_STABLE, STABLE, Face, fit_similarity
from fesnet.postprocess import IntervalRules

# Landmarks whose mean is a region's centre. The eyelids are left out: a blink is no expression.
NOSE = (4, 5, 195, 197)
REGIONS: dict[str, tuple[int, ...]] = {
    "right inner brow": (55, 107),
    "left inner brow": (285, 336),
    "right middle brow": (52, 105),
    "left middle brow": (282, 334),
    "right outer brow": (46, 70),
    "left outer brow": (276, 300),
    "right nose wing": (129, 203),
    "left nose wing": (358, 423),
    "right mouth corner": (57, 61),
    "left mouth corner": (287, 291),
    "upper lip": (0, 13),
    "lower lip": (14, 17),
    "chin": (199, 200),
}


@dataclass(frozen=True)
class FlowSettings:
    """Numbers of the flow method; all are our choice. Crop units: 1 is the side of the aligned
    crop.
    """

    renew_s: float = (
        2.0  # s between reference frames: short enough for flow to find its way, long against drift
    )
    box: float = 0.09  # crop units; side of a region: about a brow's height to either side
    kinds: KindSplit = field(default_factory=KindSplit)
    least: float = (
        4.0  # times the usual; a video whose strongest moment is less above its mean has no event
    )


class Flow(Baseline[FlowSettings]):
    """See the module; arguments as of `Baseline`."""

    name = "flow"
    recommended = IntervalRules(exclusive=False)

    @staticmethod
    def defaults() -> FlowSettings:
        return FlowSettings()

    def reader(self) -> SegmentReader:
        return FlowReader(self.settings)

    def score(self, parts: list[FloatArray]) -> list[FloatArray]:
        moved = [part.reshape(len(part), -1, 2) for part in parts]
        signals = split_kinds(moved, self.settings.kinds)
        columns = [scale_to_peak([s[:, c] for s in signals], self.settings.least) for c in range(2)]
        return [np.stack(pair, 1) for pair in zip(*columns, strict=True)]


class FlowReader(SegmentReader):
    """Displacement of each region (D = 2 per region, crop units), chained over reference frames."""

    def __init__(self, settings: FlowSettings) -> None:
        self.settings = settings
        self.rows: list[FloatArray] = []
        self.crop: Image | None = None  # of the tick before
        self.reference: Image | None = None
        self.since = 0  # tick of the reference frame
        self.base: FloatArray = np.zeros((len(REGIONS), 2))  # where the regions were in it

    def push(self, face: Face) -> None:
        if face.crop is self.crop:
            self.rows.append(self.rows[-1])  # a tick without a frame of its own
            return
        self.crop, image = face.crop, to_grey(face)
        at = self.base if self.reference is None else self.base + self.moved(self.reference, image)
        if self.reference is None or len(self.rows) - self.since >= self.settings.renew_s * RATE:
            self.reference, self.base, self.since = image, at, len(self.rows)
            self.boxes = region_boxes(face, self.settings.box)
        self.rows.append(at)

    def moved(self, reference: Image, image: Image) -> FloatArray:
        """Mean flow of each region (regions, 2) since the reference frame, less that of the nose,
        crop units.
        """
        motion = dense_flow(reference, image)
        vectors = np.stack([motion[rows, columns].mean((0, 1)) for rows, columns in self.boxes])
        return np.asarray(vectors[1:] - vectors[0])

    def features(self) -> FloatArray:
        return np.asarray(self.rows, np.float32).reshape(len(self.rows), -1)


def region_boxes(face: Face, box: float) -> list[tuple[slice, slice]]:
    """Rows and columns of the crop that the nose and each region cover."""
    size = len(face.crop)
    points = face.landmarks[:, :2].astype(np.float64)
    to_crop = fit_similarity(points[list(STABLE)], CANONICAL_STABLE)
    side = max(2, round(box * size))
    out = []
    for group in (NOSE, *REGIONS.values()):
        centre = to_crop[:, :2] @ points[list(group)].mean(0) + to_crop[:, 2]
        left, top = np.clip(np.rint(centre * size - side / 2), 0, size - side).astype(int)
        out.append((slice(top, top + side), slice(left, left + side)))
    return out

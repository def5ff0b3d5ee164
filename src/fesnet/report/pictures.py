"""Pictures of each interval: the face at onset, apex and offset, and where it changed in
between.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fesnet._types import FloatArray, Image
from fesnet.errors import FesnetError
from fesnet.faces import BlazeFaceDetector, Face, FaceMesh, FaceTracker, ensure_models, only_face
from fesnet.result import SpottedInterval, Spotting
from fesnet.runtime import OnnxRuntime
from fesnet.video import open_source
from fesnet.weights import load_weights

SIDE = 160  # pixels of a thumbnail
MOST = 200  # intervals with pictures: the strongest ones; more would swell the page
QUALITY = 82  # of the JPEGs


@dataclass(frozen=True)
class Pictures:
    """JPEGs of one interval; heat: the apex with the change since the onset laid over it. None
    where no face was.
    """

    onset: bytes | None
    apex: bytes | None
    offset: bytes | None
    heat: bytes | None


@dataclass(frozen=True)
class Seen:
    """A face in one frame: thumbnail (SIDE, SIDE, 3), and attended features (P, C) of its crop."""

    picture: Image
    features: FloatArray


def take_pictures(spotting: Spotting, video: Path) -> dict[int, Pictures]:
    """Pictures by the interval's place in the result. Raises FesnetError where the video or weights
    cannot be read.

    Faces are found anew in the frames that are needed; of several people in a video nobody would
    know which is which, so only videos with one face get pictures.
    """
    if len(spotting.faces) > 1:
        raise FesnetError("pictures are taken of videos with one face only")
    order = sorted(range(len(spotting.intervals)), key=lambda k: -spotting.intervals[k].score)[
        :MOST
    ]
    chosen = [(k, spotting.intervals[k]) for k in sorted(order)]
    seen = look({f for _, i in chosen for f in frames_of(i)}, video, spotting)
    changes = [change(seen, i) for _, i in chosen]
    highest = max((float(c.max()) for c in changes if c is not None), default=1.0)
    return {k: compose(seen, i, c, highest) for (k, i), c in zip(chosen, changes, strict=True)}


def frames_of(interval: SpottedInterval) -> tuple[int, int, int]:
    return interval.onset_frame, interval.apex_frame, interval.offset_frame


def look(wanted: set[int], video: Path, spotting: Spotting) -> dict[int, Seen]:
    """The face in each wanted frame that has one."""
    weights = load_weights(None)
    runtime, size, models = OnnxRuntime(weights), weights.config.crop_size, ensure_models()
    detector, mesh = BlazeFaceDetector(models.detector), FaceMesh(models.landmarks)
    rate = float(len(spotting.frame_times) / max(spotting.frame_times[-1], 1e-3))
    out: dict[int, Seen] = {}
    with open_source(video, rate=rate if video.is_dir() else None) as source:
        for frame in source:
            if frame.index in wanted:
                tracker = FaceTracker(crop_size=2 * size, detector=detector, mesh=mesh)
                face = see(tracker.push(frame), runtime, size)
                if face is not None:
                    out[frame.index] = face
            if frame.index >= max(wanted, default=-1):
                break
    return out


def see(faces: list[Face], runtime: OnnxRuntime, size: int) -> Seen | None:
    """The largest face of a frame by itself; faces: what a new tracker found there."""
    if not faces:
        return None
    crop, mask = faces[0].crop, faces[0].mask
    small = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    shown = only_face(np.asarray(small, np.uint8)[None], half(mask, size)[None])
    return Seen(np.asarray(cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8),
                runtime.encode(shown)[0])  # fmt: skip


def half(mask: Image, size: int) -> Image:
    return np.asarray(cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def change(seen: dict[int, Seen], interval: SpottedInterval) -> FloatArray | None:
    """(12, 12) how far LSDM's features of each position lie from the onset's at the apex."""
    one, other = seen.get(interval.onset_frame), seen.get(interval.apex_frame)
    if one is None or other is None:
        return None
    far = np.linalg.norm(other.features - one.features, axis=-1)
    side = round(len(far) ** 0.5)
    return np.asarray(far.reshape(side, side))


def compose(
    seen: dict[int, Seen], interval: SpottedInterval, far: FloatArray | None, highest: float
) -> Pictures:
    pictures = [seen[f].picture if f in seen else None for f in frames_of(interval)]
    onset, apex, offset = (None if p is None else jpeg(p) for p in pictures)
    heat = (
        None
        if far is None
        else jpeg(laid_over(seen[interval.apex_frame].picture, far / max(highest, 1e-9)))
    )
    return Pictures(onset, apex, offset, heat)


def laid_over(picture: Image, share: FloatArray) -> Image:
    """A picture without colour under a map of shares (0..1): the stronger, the brighter and the
    denser.
    """
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(
        np.float32
    )
    wide = cv2.resize(share.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).clip(
        0, 1
    )
    colour = cv2.applyColorMap(np.rint(wide * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[
        ..., ::-1
    ]
    weight = (0.85 * wide**0.7)[..., None]
    return np.asarray(np.rint(grey * (1 - weight) + colour * weight), np.uint8)


def jpeg(picture: Image) -> bytes:
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return bytes(data)

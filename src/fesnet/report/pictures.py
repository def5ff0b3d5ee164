"""Pictures of each interval: the face at onset, apex and offset, and a heatmap of its change."""

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
from fesnet.timing import frame_rate
from fesnet.video import open_source
from fesnet.weights import load_weights

THUMBNAIL_SIZE = 160  # pixels of a thumbnail
MAX_INTERVALS = 200  # intervals with pictures: the strongest ones; more would swell the page
JPEG_QUALITY = 82  # of the JPEGs


@dataclass(frozen=True)
class IntervalPictures:
    """JPEGs of one interval, None where no face was found.

    heatmap: the apex under a map of the change of features since the onset.
    """

    onset: bytes | None
    apex: bytes | None
    offset: bytes | None
    heatmap: bytes | None


@dataclass(frozen=True)
class FaceSample:
    """A face in one frame: thumbnail (160, 160, 3), and attended features (P, C) of its crop."""

    picture: Image
    features: FloatArray


def take_pictures(spotting: Spotting, video: Path) -> dict[int, IntervalPictures]:
    """Pictures by the interval's place in the result. Raises FesnetError where the video or weights
    cannot be read.

    Faces are detected again in the needed frames. With several people it would be unknown who is
    who, so only videos with one face get pictures.
    """
    if len(spotting.faces) > 1:
        raise FesnetError("pictures are taken of videos with one face only")
    order = sorted(range(len(spotting.intervals)), key=lambda k: -spotting.intervals[k].score)[
        :MAX_INTERVALS
    ]
    chosen = [(k, spotting.intervals[k]) for k in sorted(order)]
    samples = extract_face_samples({f for _, i in chosen for f in key_frames(i)}, video, spotting)
    changes = [feature_change(samples, i) for _, i in chosen]
    highest = max((float(c.max()) for c in changes if c is not None), default=1.0)
    return {
        k: make_interval_pictures(samples, i, change, highest)
        for (k, i), change in zip(chosen, changes, strict=True)
    }


def key_frames(interval: SpottedInterval) -> tuple[int, int, int]:
    return interval.onset_frame, interval.apex_frame, interval.offset_frame


def extract_face_samples(
    wanted: set[int], video: Path, spotting: Spotting
) -> dict[int, FaceSample]:
    """The largest face of each wanted frame, by frame; frames without a face are left out."""
    weights = load_weights(None)
    runtime, size, models = OnnxRuntime(weights), weights.config.crop_size, ensure_models()
    detector, mesh = BlazeFaceDetector(models.detector), FaceMesh(models.landmarks)
    rate = frame_rate(spotting.frame_times, spotting.working_rate) or spotting.working_rate
    out: dict[int, FaceSample] = {}
    with open_source(video, rate=rate if video.is_dir() else None) as source:
        for frame in source:
            if frame.index in wanted:
                tracker = FaceTracker(crop_size=2 * size, detector=detector, mesh=mesh)
                face = encode_largest_face(tracker.push(frame), runtime, size)
                if face is not None:
                    out[frame.index] = face
            if frame.index >= max(wanted, default=-1):
                break
    return out


def encode_largest_face(faces: list[Face], runtime: OnnxRuntime, size: int) -> FaceSample | None:
    """The largest face of a frame by itself; faces: what a new tracker found there."""
    if not faces:
        return None
    crop, mask = faces[0].crop, faces[0].mask
    shown = only_face(resize_square(crop, size)[None], resize_square(mask, size)[None])
    thumbnail = resize_square(crop, THUMBNAIL_SIZE)
    return FaceSample(thumbnail, runtime.encode_attended(shown)[0])


def resize_square(image: Image, size: int) -> Image:
    """The image (or mask) scaled to (size, size)."""
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def feature_change(samples: dict[int, FaceSample], interval: SpottedInterval) -> FloatArray | None:
    """(12, 12) distances between LSDM's features at apex and onset, by position, or None."""
    one, other = samples.get(interval.onset_frame), samples.get(interval.apex_frame)
    if one is None or other is None:
        return None
    distances = np.linalg.norm(other.features - one.features, axis=-1)
    side = round(len(distances) ** 0.5)
    return np.asarray(distances.reshape(side, side))


def make_interval_pictures(
    samples: dict[int, FaceSample],
    interval: SpottedInterval,
    distances: FloatArray | None,
    highest: float,
) -> IntervalPictures:
    """The pictures of one interval. highest: distance that gets the brightest colour."""
    pictures = [samples[f].picture if f in samples else None for f in key_frames(interval)]
    onset, apex, offset = (None if p is None else encode_jpeg(p) for p in pictures)
    if distances is None:
        return IntervalPictures(onset, apex, offset, None)
    picture = samples[interval.apex_frame].picture
    heatmap = overlay_heatmap(picture, distances / max(highest, 1e-9))
    return IntervalPictures(onset, apex, offset, encode_jpeg(heatmap))


def overlay_heatmap(picture: Image, share: FloatArray) -> Image:
    """A grey picture under a heatmap of shares (side, side), 0..1; high ones cover it more."""
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(
        np.float32
    )
    size = (THUMBNAIL_SIZE, THUMBNAIL_SIZE)
    wide = cv2.resize(share.astype(np.float32), size, interpolation=cv2.INTER_CUBIC).clip(0, 1)
    colour = cv2.applyColorMap(np.rint(wide * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[
        ..., ::-1
    ]
    weight = (0.85 * wide**0.7)[..., None]
    return np.asarray(np.rint(grey * (1 - weight) + colour * weight), np.uint8)


def encode_jpeg(picture: Image) -> bytes:
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(data)

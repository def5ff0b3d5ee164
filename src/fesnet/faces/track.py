"""Follow one face or several through a video and hand out still, aligned crops.

    frame -> cut? -> landmarks of the followed faces (key frames; between them texture carries the
    pose) -> (detector: nobody followed, somebody lost, or once a second) -> stabilized pose -> crop

Everything is causal: `push` returns the faces of the frame just pushed, so a file and a camera see
the same.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray, Image
from fesnet.errors import UsageError
from fesnet.faces.align import Matrix, invert, pose_of, to_unit, transform_points, warp
from fesnet.faces.detect import (
    Box,
    Detection,
    FaceDetector,
    box_area,
    box_overlap,
)
from fesnet.faces.landmarks import (
    Region,
    extent_of,
    region_of_detection,
    region_of_landmarks,
)
from fesnet.faces.mask import face_mask
from fesnet.faces.shared import shared_models
from fesnet.faces.stabilize import PoseStabilizer, pose_difference
from fesnet.video import Frame
from fesnet.video.source import LumaPlane

DETECT_EVERY = 1.0  # s between detections while faces are followed
SEARCH_EVERY = 0.5  # s between searches for small faces while nobody is followed
PRESENT = 0.5  # presence score from which the landmarks of a followed face are believed
# presence score from which a new face is followed; faces score above 0.99, clouds up to 0.9
CERTAIN = 0.95
SAME_FACE = 0.3  # overlap of boxes from which two finds are the same face
MERGED = 0.5  # overlap from which two followed faces have become one
MAX_LOST = 2.0  # s for which a lost face can get its number back in the same place
CLEARLY_LARGER = 1.5  # ratio of areas at which another face becomes the largest one, if it lasts
NOT_SMALLER = (
    0.5  # share of a lost face's area from which another face may follow on it within REMEMBER
)
MIN_SIDE = 16.0  # source pixels of a region below which there is nothing to align
JUMP_SHIFT, JUMP_SCALE, JUMP_TURN = (
    0.25,
    0.25,
    0.4,
)  # in 1/30 s: of the region's side, log of scale, rad
CUT_LEVELS, CUT_RATIO = 12.0, 4.0  # grey levels, and multiple of the usual change between frames
CUT_MEMORY = 8  # frames that "usual" is taken from
# Regions that the first pose is the mean over: shift (of the side), scale, turn (rad).
START_REGIONS = (
    (0.0, 0.0, 1.0, 0.0),
    (0.02, 0.01, 1.05, 0.03),
    (-0.02, 0.01, 0.97, -0.03),
    (0.0, -0.02, 1.02, 0.0),
)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one frame.

    face: number of the person's face, kept as long as it is followed; segment: rises by one
    whenever the face was lost or the shot changed, so crops of different segments must not be
    compared; index, time: the frame's; crop (S, S, 3) uint8 RGB, or (S, S) luma from a tracker
    without colour, aligned (see `fesnet.faces.align`); box: x0, y0, x1, y1 of the landmarks, source
    pixels; landmarks (468, 3) float32 source pixels, z in the same scale; score: presence 0..1;
    mask (S, S) uint8: 255 where the crop shows the face, 0 elsewhere; run_landmarks: None where the
    landmarks are of this frame; else they were moved along from an earlier one, and this runs the
    model on this frame (it keeps the picture).
    """

    face: int
    segment: int
    index: int
    time: float
    crop: Image
    box: Box
    landmarks: NDArray[np.float32]
    score: float
    mask: Image
    run_landmarks: Callable[[], NDArray[np.float32]] | None = None


class Tracker(Protocol):
    """What hands out faces: `FaceTracker`, or faces that were kept earlier (`fesnet.crops`)."""

    def push(self, frame: Frame) -> list[Face]:
        """The faces of the next frame."""
        ...


class LandmarkModel(Protocol):
    """What the tracker needs of a landmark model (see `FaceMesh.landmarks`)."""

    def landmarks(
        self, image: Image, regions: list[Region]
    ) -> list[tuple[NDArray[np.float32], float]]:
        """Landmarks (468, 3) in source pixels and presence 0..1 for each region."""
        ...


@dataclass(eq=False)
class Followed:
    """A face being followed, or one just lost."""

    face: int
    segment: int
    landmarks: NDArray[np.float32]
    score: float
    stabilizer: PoseStabilizer
    time: float
    landmarks_time: float  # when the landmark model last ran, s
    broken: bool = (
        False  # lost by a jump or on an earlier frame: the old alignment must not be carried on
    )

    @property
    def region(self) -> Region:
        """Where the landmark model runs next."""
        return region_of_landmarks(self.landmarks)

    @property
    def box(self) -> Box:
        """Extent of its landmarks."""
        return box_of(self.landmarks)


class CutTest:
    """Tells a shot cut from motion by a tiny grey picture; changes of overall brightness do not
    count.
    """

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None
        self._usual: deque[float] = deque(maxlen=CUT_MEMORY)

    def push(self, grey: Image | LumaPlane) -> bool:
        """Whether this frame (H, W) begins a new shot."""
        step = max(1, min(grey.shape) // 64)
        tiny = cv2.resize(grey[::step, ::step], (32, 18), interpolation=cv2.INTER_AREA).astype(
            np.float32
        )
        before, self._last = self._last, tiny
        if before is None:
            return False
        change = tiny - before
        change -= np.add.reduce(change, None) / change.size
        level = float(np.add.reduce(np.abs(change), None) / change.size)
        usual = median(self._usual) if self._usual else 0.0
        self._usual.append(level)
        return level > CUT_LEVELS and level > CUT_RATIO * (usual + 1)


class FaceTracker:
    """Faces of a video, frame by frame.

    which: "largest" follows one face and always calls it 0; it stays with it until it is lost or
    another one has been clearly larger for a second. "all" follows up to max_faces, numbered in
    order of appearance. crop_size: side of the crops in pixels; colour: RGB crops, else luma.
    landmark_interval: s between runs of the landmark model while the head moves slowly and its
    texture gives the motion; 0 runs it in every frame. detector, mesh: other models;
    MediaPipe's by default, downloaded the first time. Raises UsageError, FaceModelError.
    """

    def __init__(
        self,
        *,
        which: Literal["largest", "all"] = "largest",
        crop_size: int = 96,
        max_faces: int = 8,
        colour: bool = True,
        landmark_interval: float = 0.0,
        detector: FaceDetector | None = None,
        mesh: LandmarkModel | None = None,
    ) -> None:
        if which not in ("largest", "all"):
            raise UsageError(f"expected which to be 'largest' or 'all', got {which!r}")
        if crop_size < 16 or max_faces < 1:
            raise UsageError(
                f"expected crop_size >= 16 and max_faces >= 1, got {crop_size} and {max_faces}"
            )
        self._crop_size, self._colour, self._landmark_interval = (
            crop_size,
            colour,
            landmark_interval,
        )
        self._max_faces = 1 if which == "largest" else max_faces
        self._single = which == "largest"
        self._detector: FaceDetector = detector or shared_models()[0]
        self._mesh: LandmarkModel = mesh or shared_models()[1]
        self._cuts = CutTest()
        self._followed: list[Followed] = []
        self._lost: list[Followed] = []
        self._segments: dict[int, int] = {}  # last segment of every face so far
        self._last_detection = self._last_search = -math.inf
        self._challenged: float | None = None  # since when another face has been clearly larger

    def push(self, frame: Frame) -> list[Face]:
        """The faces of the next frame, in order of their numbers; empty where there is none."""
        if self._cuts.push(frame.luma):
            self._followed.clear()
            self._lost.clear()
        missed = self._follow(frame)
        if missed or not self._followed or frame.time - self._last_detection >= DETECT_EVERY:
            self._detect(frame)
        self._lost = [
            replace(old, broken=True) for old in self._lost if frame.time - old.time <= MAX_LOST
        ]
        self._followed.sort(key=lambda one: one.face)
        return [self._face(one, frame) for one in self._followed]

    def _face(self, one: Followed, frame: Frame) -> Face:
        matrix, size = to_unit(one.stabilizer.pose), self._crop_size
        crop = warp(frame.image if self._colour else frame.luma, matrix, size)
        mask = face_mask(transform_points(matrix, one.landmarks[:, :2]), size)
        run_landmarks = (
            None
            if one.landmarks_time == frame.time
            else partial(self._run_landmarks, frame, one.region)
        )
        return Face(
            one.face,
            one.segment,
            frame.index,
            frame.time,
            crop,
            one.box,
            one.landmarks,
            one.score,
            mask,
            run_landmarks,
        )

    def _run_landmarks(self, frame: Frame, region: Region) -> NDArray[np.float32]:
        """The landmarks in a frame that had none of its own."""
        return self._mesh.landmarks(frame.image, [region])[0][0]

    def _follow(self, frame: Frame) -> bool:
        """Move every followed face on to this frame; whether one was lost."""
        before, self._followed = self._followed, []
        due = [one for one in before if not self._propagate(one, frame)]
        found = self._mesh.landmarks(frame.image, [one.region for one in due]) if due else []
        for one, (landmarks, score) in zip(due, found, strict=True):
            jumped = is_jump(one.region, region_of_landmarks(landmarks), frame.time - one.time)
            if score >= PRESENT and not jumped and self._is_free(landmarks, frame.image, MERGED):
                self._advance(one, frame, landmarks, score)
            else:
                one.broken = jumped
                self._lost.append(one)
        return len(self._followed) < len(before)

    def _propagate(self, one: Followed, frame: Frame) -> bool:
        """Move a face on by its texture alone, if the landmark model is not due; whether it did."""
        spacing = frame.time - one.time
        if frame.time + spacing / 2 >= one.landmarks_time + self._landmark_interval:
            return False
        before = one.stabilizer.pose
        if not one.stabilizer.propagate(frame.luma):
            return False
        one.landmarks, one.time = (
            move_landmarks(one.landmarks, before, one.stabilizer.pose),
            frame.time,
        )
        self._followed.append(one)
        return True

    def _advance(
        self, one: Followed, frame: Frame, landmarks: NDArray[np.float32], score: float
    ) -> None:
        """Carry a face on without a break."""
        one.stabilizer.update(frame.luma, pose_of(landmarks), frame.time)
        one.landmarks, one.score, one.time, one.landmarks_time = (
            landmarks,
            score,
            frame.time,
            frame.time,
        )
        self._followed.append(one)

    def _is_free(self, landmarks: FloatArray, image: Image, overlap: float) -> bool:
        """Whether landmarks lie on a place in the image where no face is followed yet."""
        return is_trackable(landmarks, image) and not self._taken(box_of(landmarks), overlap)

    def _taken(self, box: Box, overlap: float) -> bool:
        return any(box_overlap(box, one.box) > overlap for one in self._followed)

    def _detect(self, frame: Frame) -> None:
        """Search the frame for faces not followed yet; thoroughly, but not often, while there is
        none.
        """
        self._last_detection = frame.time
        found = self._detector.detect(frame.image, thorough=False)
        if self._single and self._followed:
            self._challenge(frame, found)
            return
        self._start_new(frame, found)
        if not self._followed and frame.time - self._last_search >= SEARCH_EVERY:
            self._last_search = frame.time
            self._start_new(frame, self._detector.detect(frame.image, thorough=True))

    def _start_new(self, frame: Frame, found: list[Detection]) -> None:
        """Begin to follow what was found, the largest first, as far as there is room."""
        for detection in sorted(found, key=lambda d: -box_area(d.box)):
            if len(self._followed) >= self._max_faces:
                return
            if not self._taken(detection.box, SAME_FACE) and (
                not self._single or self._replaces(detection)
            ):
                self._start(frame, detection)

    def _challenge(self, frame: Frame, found: list[Detection]) -> None:
        """Go over to a face that has been clearly larger than the followed one for a while."""
        current = self._followed[0]
        own = [box_area(d.box) for d in found if box_overlap(d.box, current.box) > SAME_FACE]
        size = max(own, default=box_area(current.box))
        new = [d for d in found if not self._taken(d.box, SAME_FACE)]
        rival = max(new, key=lambda d: box_area(d.box), default=None)
        if rival is None or box_area(rival.box) < CLEARLY_LARGER * size:
            self._challenged = None
        elif self._challenged is None:
            self._challenged = frame.time
        else:
            self._challenged = None
            self._followed.clear()
            if not self._start(frame, rival):
                self._followed.append(current)

    def _start(self, frame: Frame, detection: Detection) -> bool:
        """Begin to follow a detection, if its landmarks confirm that it is a face not followed
        yet.
        """
        region = region_of_detection(detection)
        for _ in range(2):  # the second time on a region as the landmarks themselves set it
            landmarks, score = self._mesh.landmarks(frame.image, [region])[0]
            if score < CERTAIN or not self._is_free(landmarks, frame.image, SAME_FACE):
                return False
            region = region_of_landmarks(landmarks)
        known = self._known(box_of(landmarks))
        if known and not known.broken:
            self._advance(known, frame, landmarks, score)
            return True
        face = 0 if self._single else known.face if known else len(self._segments)
        self._segments[face] = self._segments.get(face, -1) + 1
        stabilizer = PoseStabilizer(frame.luma, self._first_pose(frame.image, region), frame.time)
        self._followed.append(
            Followed(
                face, self._segments[face], landmarks, score, stabilizer, frame.time, frame.time
            )
        )
        return True

    def _first_pose(self, image: Image, region: Region) -> Matrix:
        """The mean pose over a few regions: one alone would be off by its jitter."""
        x, y, size, angle = region.x, region.y, region.size, region.angle
        views = [
            Region(x + dx * size, y + dy * size, size * s, angle + a)
            for dx, dy, s, a in START_REGIONS
        ]
        poses = [pose_of(landmarks) for landmarks, _ in self._mesh.landmarks(image, views)]
        return np.asarray(
            poses[0] + np.mean([pose_difference(pose, poses[0]) for pose in poses], 0), np.float64
        )

    def _replaces(self, detection: Detection) -> bool:
        """Whether a find may take the place of the face just lost: there, or not much smaller
        elsewhere.
        """
        return all(
            box_overlap(detection.box, old.box) > SAME_FACE
            or box_area(detection.box) > NOT_SMALLER * box_area(old.box)
            for old in self._lost
        )

    def _known(self, box: Box) -> Followed | None:
        """The face lost in this place, taken off the list of the lost."""
        near = [old for old in self._lost if box_overlap(old.box, box) > SAME_FACE]
        best = max(near, key=lambda old: old.time, default=None)
        if best:
            self._lost.remove(best)
        return best


def move_landmarks(
    landmarks: NDArray[np.float32], before: Matrix, after: Matrix
) -> NDArray[np.float32]:
    """Landmarks (468, 3) moved along with the pose (4,) of their face."""
    flat = transform_points(
        invert(to_unit(after)), transform_points(to_unit(before), landmarks[:, :2])
    )
    deep = landmarks[:, 2:] * math.exp(after[2] - before[2])
    return np.concatenate([flat, deep], 1).astype(np.float32)


def box_of(landmarks: FloatArray) -> Box:
    """Extent of landmarks (468, 3): x0, y0, x1, y1."""
    return extent_of(landmarks)


def is_trackable(landmarks: FloatArray, image: Image) -> bool:
    """Whether a face is large enough and its centre lies within the image."""
    region = region_of_landmarks(landmarks)
    height, width = image.shape[:2]
    return region.size >= MIN_SIDE and 0 <= region.x < width and 0 <= region.y < height


def is_jump(before: Region, after: Region, seconds: float) -> bool:
    """Whether a head cannot have moved so far in that time."""
    steps = max(1.0, 30 * seconds)
    shift = math.hypot(after.x - before.x, after.y - before.y) / before.size
    scale = abs(math.log(max(after.size, 1e-6) / before.size))
    turn = abs(math.remainder(after.angle - before.angle, 2 * math.pi))
    return shift > JUMP_SHIFT * steps or scale > JUMP_SCALE * steps or turn > JUMP_TURN * steps

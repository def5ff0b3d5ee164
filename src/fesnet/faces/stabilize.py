"""Keep an aligned face still: landmarks give its pose, its texture the motion since the last
frame.

Landmarks jitter from frame to frame by a few tenths of a crop pixel, as much as a weak expression
moves the skin. Optical flow on the least deformable part of the face (bridge and sides of the nose,
inner eye region, upper cheeks) is far more exact from one frame to the next, but drifts. So the
pose is carried on by the flow and drawn slowly to the landmarks: a complementary filter. It looks
at no later frame, has no lag against head motion, and needs no delay. Skin that moves by itself
(blinks, brows, cheeks in a smile) is outvoted by a robust fit.

Between runs of the landmark model (`FaceTracker(landmark_interval=...)`) the flow alone carries the
pose.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray, Image
from fesnet.faces.align import PIVOT, Matrix, to_unit, warp
from fesnet.video.source import LumaPlane

Complex = NDArray[np.complex128]

CENTRE = complex(*PIVOT)
VIEW = 112  # pixels of the grey view that the flow is measured on; independent of the crop's size
TAU = 0.7  # seconds in which the landmarks draw the pose to themselves
NEAR = 0.03  # crop units of disagreement up to which that slow draw holds ...
FAR = 0.12  # ... and from which on the landmarks win at once
OUTLIER_SCALE = 0.001  # crop units off the common motion at which a point counts a quarter
FIT_ITERATIONS = 3  # re-weighted fits
MIN_INLIERS, INLIER_DISTANCE = (
    0.25,
    0.003,
)  # share of points that must follow the common motion so closely, else no flow
MIN_INLIERS_ALONE, MAX_MOTION_ALONE = (
    0.4,
    0.04,
)  # the same share where the landmark model does not run, and the motion (crop units) up to which
LEVER = 0.25  # crop units from the pivot at which turning and scaling are compared with shifting
WINDOW, LEVELS = (11, 11), 1  # of the flow: pixels of the view, and halvings of it
STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 8, 0.01)


def point_grid(xs: tuple[float, float, int], ys: tuple[float, float, int]) -> NDArray[np.float32]:
    """Points (N, 2) on a rectangle, crop units."""
    x, y = np.meshgrid(np.linspace(*xs), np.linspace(*ys))
    return np.stack([x.ravel(), y.ravel()], 1).astype(np.float32)


POINTS = np.concatenate(
    [
        point_grid((0.38, 0.62, 7), (0.30, 0.52, 8)),  # nose and inner eye region
        point_grid((0.24, 0.34, 3), (0.44, 0.54, 3)),  # upper cheeks
        point_grid((0.66, 0.76, 3), (0.44, 0.54, 3)),
    ]
)


def complex_points(points: FloatArray) -> Complex:
    """Points (N, 2) as N numbers x + y i: similarities are then a product and a sum, and cost a
    tenth.
    """
    return np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0]


VIEW_POINTS = (POINTS * VIEW - 0.5)[:, None]  # as OpenCV counts them
COMPLEX_POINTS = complex_points(POINTS)


def middle_value(values: NDArray[np.float64]) -> float:
    """The median of (N,), N > 0; numpy's own takes ten times as long for so few."""
    ordered, half = np.sort(values), len(values) // 2
    if len(values) % 2:
        return float(ordered[half])
    return float((ordered[half - 1] + ordered[half]) / 2)


def common_motion(
    before: Image, after: Image, min_inliers: float = MIN_INLIERS
) -> Similarity | None:
    """The similarity, crop units, that most stable points follow between two grey views (VIEW,
    VIEW).

    agreed: share of points that must follow it. None where fewer do (blur, a hand before the face).
    """
    end, status, _ = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        VIEW_POINTS,
        VIEW_POINTS.copy(),
        winSize=WINDOW,
        maxLevel=LEVELS,
        criteria=STOP,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    kept, least = status[:, 0] > 0, min_inliers * len(POINTS)
    count = np.count_nonzero(kept)
    if count < least:
        return None
    a, b = COMPLEX_POINTS, complex_points((end[:, 0] + np.float32(0.5)) / VIEW)
    if count < len(a):
        a, b = a[kept], b[kept]
    motion_vectors = b - a
    motion = Similarity(
        1.0, complex(middle_value(motion_vectors.real), middle_value(motion_vectors.imag))
    )
    spread = 2 * OUTLIER_SCALE
    for _ in range(FIT_ITERATIONS):
        residual = b - motion(a)
        weight = (1 + (residual.real**2 + residual.imag**2) / spread**2) ** -2
        motion = fit_complex_similarity(a, b, weight)
        spread = OUTLIER_SCALE
    near = np.count_nonzero(np.abs(b - motion(a)) < INLIER_DISTANCE)
    return motion if near >= least else None


@dataclass(frozen=True, slots=True)
class Similarity:
    """Of the plane: z -> turn z + shift, both complex."""

    turn: complex
    shift: complex

    def __call__(self, points: Complex) -> Complex:
        return self.turn * points + self.shift

    def after(self, first: Similarity) -> Similarity:
        """This one after another one."""
        return Similarity(self.turn * first.turn, self.turn * first.shift + self.shift)

    def inverse(self) -> Similarity:
        return Similarity(1 / self.turn, -self.shift / self.turn)


def fit_complex_similarity(a: Complex, b: Complex, weight: NDArray[np.float64]) -> Similarity:
    """The similarity that carries a (N,) to b (N,) with the least squares, weighted (Umeyama
    1991).
    """
    normalized = weight / np.add.reduce(weight)
    from_, to = complex(normalized @ a), complex(normalized @ b)
    p = a - from_
    weighted = normalized * p.conj()
    turn = complex(weighted @ (b - to)) / complex(weighted @ p).real
    return Similarity(turn, to - turn * from_)


def pose_to_similarity(pose: FloatArray) -> Similarity:
    """From crop units to source pixels."""
    x, y, log_scale, angle = pose.tolist()
    turn = cmath.rect(math.exp(log_scale), angle)
    return Similarity(turn, complex(x, y) - turn * CENTRE)


def similarity_to_pose(unit_to_source: Similarity) -> Matrix:
    """The pose (4,) of a similarity from crop units to source pixels."""
    turn, centre = unit_to_source.turn, unit_to_source.turn * CENTRE + unit_to_source.shift
    return np.array([centre.real, centre.imag, math.log(abs(turn)), cmath.phase(turn)])


def pose_difference(pose: FloatArray, other: FloatArray) -> Matrix:
    """Change (4,) from `other` to `pose`, the angle by the short way round."""
    change = np.asarray(pose - other, np.float64)
    change[3] = math.remainder(change[3], 2 * math.pi)
    return change


def pose_distance(change: FloatArray, pose: FloatArray) -> float:
    """Size of a change of pose in crop units."""
    shift = math.hypot(change[0], change[1]) / math.exp(pose[2])
    return math.hypot(shift, LEVER * change[2], LEVER * change[3])


class PoseStabilizer:
    """The pose of one face over one unbroken run of frames. Images are grey (H, W) or RGB (H, W,
    3), uint8.
    """

    def __init__(self, image: Image | LumaPlane, landmark_pose: FloatArray, time: float) -> None:
        self.pose = np.asarray(landmark_pose, np.float64)
        self._landmark_pose = self.pose
        self._time = time
        self._view = self.pose  # the pose under which the grey view was taken
        self._grey = grey_view(image, self._view)

    def update(self, image: Image | LumaPlane, landmark_pose: FloatArray, time: float) -> Matrix:
        """The pose in the next frame.

        landmark_pose (4,): the pose that this frame's landmarks give; time in seconds.
        """
        view = self.pose + pose_difference(landmark_pose, self._landmark_pose)
        grey = grey_view(image, view)
        flow_pose = self._propagate(common_motion(self._grey, grey), view)
        residual = pose_difference(landmark_pose, flow_pose)
        slow = 1 - math.exp(-max(time - self._time, 0.0) / TAU)
        far = min(max((pose_distance(residual, flow_pose) - NEAR) / (FAR - NEAR), 0.0), 1.0)
        self.pose = flow_pose + max(slow, far) * residual
        self._landmark_pose, self._time, self._view, self._grey = (
            np.asarray(landmark_pose, np.float64),
            time,
            view,
            grey,
        )
        return self.pose

    def propagate(self, image: Image | LumaPlane) -> bool:
        """Move the pose on to the next frame by its texture alone; False, and nothing changes,
        where it has too little or the head moves fast."""
        grey = grey_view(image, self.pose)
        motion = common_motion(self._grey, grey, MIN_INLIERS_ALONE)
        if motion is None:
            return False
        before = self.pose
        flow_pose = self._propagate(motion, before)
        change = pose_difference(flow_pose, before)
        if pose_distance(change, before) > MAX_MOTION_ALONE:
            return False
        self.pose, self._landmark_pose = flow_pose, self._landmark_pose + change
        self._view, self._grey = before, grey
        return True

    def _propagate(self, motion: Similarity | None, view: Matrix) -> Matrix:
        """The last pose moved on by the flow; by the landmarks alone where there is no flow to
        believe.
        """
        if motion is None:
            return view
        # From the crop to the frame before, to the view of it, by the flow to the view of this
        # frame, to this frame.
        crop_to_view = pose_to_similarity(self._view).inverse().after(pose_to_similarity(self.pose))
        return similarity_to_pose(pose_to_similarity(view).after(motion).after(crop_to_view))


def grey_view(image: Image | LumaPlane, pose: FloatArray) -> Image:
    """The face in grey (VIEW, VIEW) under a pose."""
    view = warp(image, to_unit(pose), VIEW)
    return view if view.ndim == 2 else np.asarray(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), np.uint8)

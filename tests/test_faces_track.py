"""The tracker: decisions in a scripted world, steadiness on a moving portrait, finds on real
clips.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

import fesnet
from fesnet.errors import UsageError
from fesnet.faces import (
    BlazeFaceDetector,
    Detection,
    Face,
    FaceMesh,
    FaceTracker,
    ModelFiles,
)
from fesnet.faces.align import invert, pose_of, to_unit, transform_points
from fesnet.faces.detect import box_overlap, merge, search_squares
from fesnet.faces.landmarks import Region
from fesnet.faces.stabilize import PoseStabilizer
from fesnet.faces.track import CutTest, box_of
from fesnet.video import Frame

ASSETS = Path(fesnet.__file__).parent / "assets"
SHARED = Path(os.environ.get("FESNET_SHARED", Path(__file__).parents[2] / "shared"))
CLIPS = SHARED / "data" / "videos"
FPS = 30

Place = tuple[float, float, float]  # x, y of the face's pivot and pixels of one crop unit


# --- a scripted world: the models are replaced, so only the tracker's decisions are tested ---


@dataclass
class World:
    """Faces at known places; stands for both models. Those below `small` need a thorough search."""

    places: list[Place] = field(default_factory=list)
    small: float = 0.0
    failures: int = 0  # calls of the mesh that will see nothing
    searches: list[bool] = field(default_factory=list)

    def mesh_at(self, place: Place) -> np.ndarray:
        points = np.load(ASSETS / "motion_basis.npz")["canonical"].astype(np.float64)
        x, y, scale = place
        flat = transform_points(
            invert(to_unit(np.array([x, y, math.log(scale), 0.0]))), points[:, :2]
        )
        return np.column_stack([flat, points[:, 2] * scale]).astype(np.float32)

    def detect(self, image: np.ndarray, *, thorough: bool = True) -> list[Detection]:
        self.searches.append(thorough)
        found = []
        for place in self.places:
            if thorough or place[2] >= self.small:
                mesh = self.mesh_at(place)
                keypoints = mesh[[33, 263, 1, 13, 234, 454], :2].astype(np.float64)
                found.append(Detection(box_of(mesh), keypoints, 0.9))
        return found

    def landmarks(self, image: np.ndarray, regions: list[Region]) -> list[tuple[np.ndarray, float]]:
        found = []
        presence, self.failures = (0.0 if self.failures else 1.0), max(self.failures - 1, 0)
        for region in regions:
            near = [
                p
                for p in self.places
                if math.hypot(p[0] - region.x, p[1] - region.y) < region.size / 2
            ]
            best = min(
                near, key=lambda p: math.hypot(p[0] - region.x, p[1] - region.y), default=None
            )
            nothing = self.mesh_at((region.x, region.y, region.size / 2))
            found.append((self.mesh_at(best), presence) if best else (nothing, 0.0))
        return found


class Film:
    """Pushes frames of a scripted world into a tracker."""

    def __init__(self, world: World, **options: object) -> None:
        self.world = world
        self.tracker = FaceTracker(detector=world, mesh=world, **options)  # type: ignore[arg-type]
        self.index = 0
        self.image = shot(0)

    def push(self, *places: Place) -> list[Face]:
        self.world.places = list(places)
        self.index += 1
        return self.tracker.push(Frame(self.index, self.index / FPS, self.image))


def shot(seed: int) -> np.ndarray:
    """A picture unlike that of any other seed."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (6, 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)


def numbers(faces: Iterable[Face]) -> list[tuple[int, int]]:
    return [(face.face, face.segment) for face in faces]


def test_a_face_is_followed_and_lost_and_found_again() -> None:
    film = Film(World())
    for i in range(10):
        assert numbers(film.push((200 + 3 * i, 200, 150))) == [(0, 0)]
    assert film.push() == []
    assert film.push() == []
    (face,) = film.push((230, 200, 150))
    assert (face.face, face.segment, face.index, face.time) == (0, 1, 13, pytest.approx(13 / FPS))
    assert face.crop.shape == (96, 96, 3)
    assert face.landmarks.shape == (468, 3)
    np.testing.assert_allclose(face.box, box_of(face.landmarks))


def test_a_jump_begins_a_new_segment() -> None:
    film = Film(World())
    film.push((200, 200, 150))
    assert numbers(film.push((290, 200, 130))) == [(0, 1)]


def test_a_face_missed_for_an_instant_goes_on_unbroken() -> None:
    """Landmarks fail once, but the detector finds the face on the same frame."""
    film = Film(World())
    film.push((200, 200, 150))
    film.world.failures = 1
    assert numbers(film.push((205, 200, 150))) == [(0, 0)]
    film.world.failures = 3  # also when the frame is searched, quickly and thoroughly
    assert film.push((210, 200, 150)) == []
    assert numbers(film.push((210, 200, 150))) == [(0, 1)]


def test_a_shot_cut_begins_a_new_segment() -> None:
    film = Film(World())
    for _ in range(5):
        film.push((200, 200, 150))
    film.image = shot(1)
    assert numbers(film.push((210, 200, 150))) == [(0, 1)]
    assert numbers(film.push((210, 200, 150))) == [(0, 1)]


def test_cut_test_ignores_brightness_and_motion() -> None:
    test = CutTest()
    image = shot(2)
    assert not any(test.push(np.roll(image, 6 * i, 1)) for i in range(10))
    assert not test.push(
        np.clip(np.roll(image, 54, 1).astype(int) * 0.9 + 25, 0, 255).astype(np.uint8)
    )
    assert test.push(shot(3))
    assert not test.push(shot(3))


def test_all_faces_keep_their_numbers() -> None:
    film = Film(World(), which="all")
    assert numbers(film.push((150, 200, 120), (450, 200, 120))) == [(0, 0), (1, 0)]
    left = film.push((150, 200, 120), (450, 200, 120))[0].box[0] < 300
    for i in range(60):  # moving, and named in any order
        faces = film.push((450 - i, 200 + i, 120), (150 + i, 200 - i / 2, 120))
        assert numbers(faces) == [(0, 0), (1, 0)]
        assert (faces[0].box[0] < faces[1].box[0]) == left


def test_all_faces_find_newcomers_and_remember_the_lost() -> None:
    film = Film(World(), which="all")
    film.push((150, 200, 120))
    seen = [numbers(film.push((150, 200, 120), (450, 200, 120))) for _ in range(FPS + 2)]
    assert seen[0] == [(0, 0)]
    assert seen[-1] == [(0, 0), (1, 0)]
    assert numbers(film.push((450, 200, 120))) == [(1, 0)]
    seen = [numbers(film.push((150, 200, 120), (450, 200, 120))) for _ in range(FPS + 2)]
    assert seen[-1] == [(0, 1), (1, 0)]
    film.image = shot(5)  # nobody is recognised after a cut
    assert numbers(film.push((150, 200, 120))) == [(2, 0)]


def test_number_of_faces_is_bounded() -> None:
    film = Film(World(), which="all", max_faces=2)
    faces = film.push((100, 200, 80), (300, 200, 90), (500, 200, 100))
    assert [round(face.box[2] - face.box[0]) for face in faces] == sorted(
        (round(face.box[2] - face.box[0]) for face in faces), reverse=True
    )
    assert len(faces) == 2


def test_largest_sticks_until_another_is_clearly_larger_for_a_while() -> None:
    film = Film(World())
    here, slightly, clearly = (150, 240, 120), (450, 240, 135), (450, 240, 200)
    film.push(here)
    for _ in range(3 * FPS):
        (face,) = film.push(here, slightly)
        assert face.segment == 0 and face.box[0] < 300
    before = [film.push(here, clearly)[0] for _ in range(FPS)]
    assert all(face.segment == 0 for face in before)
    after = [film.push(here, clearly)[0] for _ in range(FPS + 2)]
    assert (after[-1].face, after[-1].segment) == (0, 1)
    assert after[-1].box[0] > 250


def test_a_bystander_does_not_step_in_at_once() -> None:
    film = Film(World())
    film.push((200, 240, 200))
    assert film.push((500, 100, 60)) == []
    seen = [film.push((500, 100, 60)) for _ in range(3 * FPS)]
    assert seen[FPS] == [] and numbers(seen[-1]) == [(0, 1)]


def test_searching_is_rationed() -> None:
    film = Film(World())
    for _ in range(2 * FPS):
        film.push()
    assert film.world.searches.count(True) == 4
    assert film.world.searches.count(False) == 2 * FPS
    film.world.searches.clear()
    film.push((200, 200, 150))
    for _ in range(2 * FPS):
        film.push((200, 200, 150))
    assert film.world.searches.count(True) == 0
    assert film.world.searches.count(False) <= 4


def test_small_faces_are_found_by_the_thorough_search() -> None:
    film = Film(World(small=100))
    seen = [bool(film.push((200, 200, 60))) for _ in range(FPS)]
    assert seen[-1]
    assert seen.index(True) <= FPS // 2


@pytest.mark.parametrize("options", [{"which": "both"}, {"crop_size": 4}, {"max_faces": 0}])
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"expected .*, got "):
        FaceTracker(detector=World(), mesh=World(), **options)  # type: ignore[arg-type]


def test_overlapping_detections_are_merged() -> None:
    points = np.zeros((6, 2))
    found = [
        Detection((0, 0, 10, 10), points, 0.9),
        Detection((1, 0, 11, 10), points + 1, 0.6),
        Detection((40, 0, 50, 10), points, 0.7),
    ]
    first, second = merge(found)
    assert first.score == 0.9 and second.score == 0.7
    assert first.box == pytest.approx((0.4, 0, 10.4, 10))
    assert box_overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert box_overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0


@pytest.mark.parametrize("size", [(1920, 1080), (640, 480), (480, 640), (500, 500), (3000, 200)])
def test_search_covers_the_frame(size: tuple[int, int]) -> None:
    width, height = size
    seen = np.zeros((height, width), int)
    for left, top, side in search_squares(width, height)[2:]:
        assert (
            left >= 0 and top >= 0 and left + side <= width + 1e-6 and top + side <= height + 1e-6
        )
        seen[round(top) : round(top + side), round(left) : round(left + side)] += 1
    assert seen.min() >= 2


# --- between looks of the landmark model ---


@dataclass
class Counting(World):
    """A world that counts how often landmarks are looked for."""

    looks: int = 0

    def landmarks(self, image: np.ndarray, regions: list[Region]) -> list[tuple[np.ndarray, float]]:
        self.looks += 1
        return super().landmarks(image, regions)


def glide(step: int) -> tuple[np.ndarray, Place]:
    """A textured face that moves by half a pixel a frame, and where it is."""
    rng = np.random.default_rng(2)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (480, 640)).astype(np.float32), (0, 0), 3)
    texture = np.clip((texture - 127) * 6 + 127, 0, 255).astype(np.uint8)
    moved = cv2.warpAffine(texture, np.array([[1, 0, step / 2], [0, 1, 0.0]]), (640, 480))
    return np.repeat(moved[..., None], 3, 2), (280 + step / 2, 220, 150)


def test_texture_carries_the_face_while_landmarks_rest() -> None:
    world = Counting()
    film = Film(world, landmark_interval=0.11, colour=False)
    faces = []
    for step in range(31):
        film.image, place = glide(step)
        before = world.looks
        (face,) = film.push(place)
        faces.append((face, world.looks - before, world.mesh_at(place)))
    looked = [i for i, (face, _, _) in enumerate(faces) if face.run_landmarks is None]
    assert looked == list(range(0, 31, 3))
    assert all(count == 0 for i, (_, count, _) in enumerate(faces) if i not in looked)
    assert {(face.face, face.segment) for face, _, _ in faces} == {(0, 0)}
    assert all(face.crop.shape == (96, 96) for face, _, _ in faces)
    for face, _, truth in faces:
        np.testing.assert_allclose(face.landmarks, truth, atol=0.5)


def test_a_frame_passed_over_can_be_looked_at_after_all() -> None:
    world = World()
    film = Film(world, landmark_interval=0.11)
    for step in range(3):
        film.image, place = glide(step)
        (face,) = film.push(place)
    assert face.run_landmarks is not None
    world.places = [(place[0] + 1, place[1], 151)]
    np.testing.assert_allclose(face.run_landmarks(), world.mesh_at(world.places[0]))


def test_without_texture_every_frame_is_looked_at() -> None:
    world = Counting()
    film = Film(world, landmark_interval=0.11)
    film.image = np.full((480, 640, 3), 90, np.uint8)
    faces = [film.push((200 + i, 200, 150))[0] for i in range(6)]
    assert [face.run_landmarks for face in faces] == [None] * 6


def test_a_jump_while_landmarks_rest_is_seen_on_its_frame() -> None:
    film = Film(World(), landmark_interval=0.5)
    for step in range(4):
        film.image, place = glide(step)
        film.push(place)
    film.image = shot(3)
    assert numbers(film.push((380, 300, 150))) == [(0, 1)]


# --- the texture holds the crop still where the landmarks tremble ---


def test_steady_follows_texture_and_averages_landmarks() -> None:
    rng = np.random.default_rng(4)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (480, 640, 3)).astype(np.float32), (0, 0), 3)
    texture = np.clip((texture - 127) * 6 + 127, 0, 255).astype(np.uint8)
    truth = np.array([320.0, 240.0, math.log(200), 0.0])
    stabilizer = PoseStabilizer(texture, truth, 0.0)
    errors = []
    for i in range(1, 90):
        x, y, angle = 20 * math.sin(i / 12), 9 * math.sin(i / 7), 0.1 * math.sin(i / 9)
        turn = cv2.getRotationMatrix2D((319.5, 239.5), -math.degrees(angle), 1.0)
        turn[:, 2] += [x, y]
        image = cv2.warpAffine(texture, turn, (640, 480), borderMode=cv2.BORDER_REFLECT)
        pose = truth + np.array([x, y, 0, angle])
        found = stabilizer.update(
            image, pose + rng.normal(0, 1, 4) * [1.0, 1.0, 0.01, 0.01], i / FPS
        )
        errors.append(found - pose)
    assert (
        np.abs(np.array(errors)).max(0)[:2].max() < 1.0
    )  # pixels; the landmarks' error has a deviation of 1.0
    assert np.diff(errors, axis=0).std(0)[:2].max() < 0.1
    assert np.abs(np.array(errors)).max(0)[2:].max() < 0.01


def test_steady_falls_back_on_landmarks() -> None:
    """Without texture, and after a disagreement too large to be tremble."""
    blank = np.full((200, 200, 3), 90, np.uint8)
    pose = np.array([100.0, 100.0, math.log(100), 0.0])
    stabilizer = PoseStabilizer(blank, pose, 0.0)
    for i in range(1, 20):
        found = stabilizer.update(blank, pose + np.array([i, 0, 0, 0]), i / FPS)
        np.testing.assert_allclose(found, pose + np.array([i, 0, 0, 0]), atol=2.0)
    far = pose + np.array([60, 0, 0, 0])
    np.testing.assert_allclose(stabilizer.update(blank, far, 1.0), far, atol=2.0)


# --- the real models ---


@pytest.fixture
def tracker(face_models: ModelFiles) -> Callable[..., FaceTracker]:
    """A tracker on the cached models."""

    def make(**options: object) -> FaceTracker:
        parts = {
            "detector": BlazeFaceDetector(face_models.detector),
            "mesh": FaceMesh(face_models.landmarks),
        }
        return FaceTracker(**parts, **options)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """The bundled portrait (512, 512, 3)."""
    return cv2.cvtColor(cv2.imread(str(ASSETS / "portrait.jpg")), cv2.COLOR_BGR2RGB)


def moved(portrait: np.ndarray, x: float, y: float, scale: float, angle: float) -> np.ndarray:
    """The portrait turned and scaled round its face, which stands at (x, y) of a frame (480, 640,
    3).
    """
    matrix = cv2.getRotationMatrix2D((224, 120), -math.degrees(angle), scale)
    matrix[:, 2] += [x - 224, y - 120]
    return cv2.warpAffine(
        portrait, matrix, (640, 480), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def drift(face: Face, first: Face) -> np.ndarray:
    """How far the picture has moved since the first crop, in crop pixels (median flow, nose and
    eyes).
    """
    grey = [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in (first.crop, face.crop)]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(grey[0], grey[1], None)
    return np.median(flow[28:52, 28:68].reshape(-1, 2), 0)


def test_crop_of_a_moving_portrait_keeps_still(
    tracker: Callable[..., FaceTracker], portrait: np.ndarray
) -> None:
    follow = tracker()
    noise = np.random.default_rng(0)
    faces: list[Face] = []
    for i in range(60):
        t = i / FPS
        scale, angle = 1.5 + 0.08 * math.sin(2 * t), 0.12 * math.sin(3 * t)
        image = moved(
            portrait, 320 + 25 * math.sin(4 * t), 220 + 10 * math.sin(5 * t), scale, angle
        )
        grainy = np.clip(image + noise.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
        faces += follow.push(Frame(i, t, grainy))
    assert numbers(faces) == [(0, 0)] * 60
    motion = np.array([drift(face, faces[0]) for face in faces])
    assert np.abs(motion).max() < 0.4  # crop pixels over two seconds of head motion
    assert np.abs(np.diff(motion, axis=0)).mean() < 0.05  # from frame to frame
    eyes = pose_of(faces[-1].landmarks)
    corners = transform_points(to_unit(eyes), faces[-1].landmarks[[33, 263], :2].astype(np.float64))
    np.testing.assert_allclose(corners, [[0.29, 0.36], [0.71, 0.36]], atol=0.03)


def test_two_portraits_side_by_side(
    tracker: Callable[..., FaceTracker], portrait: np.ndarray
) -> None:
    follow = tracker(which="all")
    for i in range(40):
        frame = np.concatenate([np.roll(portrait, i, 1), np.roll(portrait[:, ::-1], -i, 1)], 1)
        faces = follow.push(Frame(i, i / FPS, frame))
        assert numbers(faces) == [(0, 0), (1, 0)]
        if i == 0:
            sides = [face.box[0] < 512 for face in faces]
            assert sorted(sides) == [False, True]
        assert [face.box[0] < 512 for face in faces] == sides


def test_face_leaves_and_returns(tracker: Callable[..., FaceTracker], portrait: np.ndarray) -> None:
    follow = tracker()
    empty = np.full_like(portrait, 128)
    seen = [
        numbers(follow.push(Frame(i, i / FPS, f)))
        for i, f in enumerate([portrait] * 5 + [empty] * 5 + [portrait] * 5)
    ]
    assert seen == [[(0, 0)]] * 5 + [[]] * 5 + [[(0, 1)]] * 5


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_a_small_face_in_a_large_frame(
    tracker: Callable[..., FaceTracker], portrait: np.ndarray, width: int, height: int
) -> None:
    frame = np.full((height, width, 3), 120, np.uint8)
    small = cv2.resize(portrait, (384, 384), interpolation=cv2.INTER_AREA)
    frame[100:484, width - 500 : width - 116] = small
    (face,) = tracker().push(Frame(0, 0.0, frame))
    expected = [width - 500 + 0.75 * 225, 100 + 0.75 * 111]
    np.testing.assert_allclose(pose_of(face.landmarks)[:2], expected, atol=3)


def test_a_face_that_fills_the_frame(
    tracker: Callable[..., FaceTracker], portrait: np.ndarray
) -> None:
    close = cv2.resize(portrait[55:200, 150:300], (600, 580), interpolation=cv2.INTER_CUBIC)
    assert len(tracker().push(Frame(0, 0.0, close))) == 1


# --- real clips, where this machine has them ---


def clip(name: str) -> Iterable[Frame]:
    path = CLIPS / name
    if not path.exists():
        pytest.skip(f"no real clips in {CLIPS}")
    video = cv2.VideoCapture(str(path))
    rate = video.get(cv2.CAP_PROP_FPS)
    index = 0
    while True:
        more, image = video.read()
        if not more:
            return
        yield Frame(index, index / rate, np.ascontiguousarray(image[:, :, ::-1]))
        index += 1


def faces_of(follow: FaceTracker, name: str, step: int = 1) -> tuple[int, list[Face]]:
    pushed, faces = 0, []
    for frame in clip(name):
        if frame.index % step == 0:
            pushed += 1
            faces += follow.push(frame)
    return pushed, faces


def test_clip_without_a_face(tracker: Callable[..., FaceTracker]) -> None:
    assert faces_of(tracker(), "no_face.mp4", 2)[1] == []


def test_clip_of_a_still_face(tracker: Callable[..., FaceTracker]) -> None:
    pushed, faces = faces_of(tracker(), "still_face.mp4", 3)
    assert len(faces) == pushed > 90
    assert {face.segment for face in faces} == {0}
    motion = np.array([drift(face, faces[0]) for face in faces])
    assert np.abs(np.diff(motion, axis=0)).mean() < 0.03


def test_clip_in_which_the_face_goes(tracker: Callable[..., FaceTracker]) -> None:
    pushed, faces = faces_of(tracker(), "face_then_no_face.mov", 2)
    assert 0.2 * pushed < len(faces) < 0.7 * pushed
    assert faces[0].index == 0 and {face.segment for face in faces} == {0}

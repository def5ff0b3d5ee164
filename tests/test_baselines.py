"""The comparators on small scripted sequences: what moved is found where it moved, and what all
moved is not.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest

from fesnet.baselines import METHODS, make_baseline
from fesnet.baselines.base import CROP, Baseline
from fesnet.baselines.flow import REGIONS, Flow, FlowReader, FlowSettings, region_boxes
from fesnet.baselines.landmarks import EYES, Landmarks, align_to_canonical
from fesnet.baselines.mdmd import Mdmd, halve_lag, main_direction
from fesnet.baselines.signals import keep_lasting, scale_to_peak, usual_place
from fesnet.errors import SourceError, UsageError
from fesnet.faces import Face
from fesnet.postprocess import IntervalRules
from fesnet.result import Spotting
from fesnet.synth.script.basis import motion_basis
from fesnet.video import Frame

FPS = 30
MESH = motion_basis().canonical.astype(np.float64)
MOUTH = (57, 61, 62, 78, 287, 291, 292, 308)
BROWS = (55, 65, 66, 107, 52, 53, 63, 105, 285, 295, 296, 336, 282, 283, 293, 334)
UPPER_LIDS = [point for eye in EYES for point in eye[0]]


class Scripted:
    """A tracker that shows the crops and landmarks that it is given; None: no face."""

    def __init__(
        self, faces: list[tuple[np.ndarray, np.ndarray] | None], segments: list[int]
    ) -> None:
        self.faces, self.segments = faces, segments

    def push(self, frame: Frame) -> list[Face]:
        shown = self.faces[frame.index]
        if shown is None:
            return []
        crop, landmarks = shown
        return [face_with(crop, frame.index, landmarks, self.segments[frame.index], frame.time)]


def face_with(
    crop: np.ndarray,
    index: int,
    landmarks: np.ndarray | None = None,
    segment: int = 0,
    time: float | None = None,
) -> Face:
    """What a tracker would hand out."""
    shown = STILL if landmarks is None else landmarks
    seconds = index / FPS if time is None else time
    return Face(
        0,
        segment,
        index,
        seconds,
        crop,
        (0.0, 0.0, 9.0, 9.0),
        shown,
        1.0,
        np.full((CROP, CROP), 255, np.uint8),
    )


def texture() -> np.ndarray:
    """(CROP, CROP, 3) uint8 with detail everywhere, as skin has it for flow."""
    rng = np.random.default_rng(5)
    coarse = cv2.resize(
        rng.uniform(60, 200, (24, 24)).astype(np.float32),
        (CROP, CROP),
        interpolation=cv2.INTER_CUBIC,
    )
    return np.repeat(np.clip(coarse, 0, 255)[..., None], 3, 2).astype(np.uint8)


TEXTURE = texture()


@cache
def crop_moved(mouth: float, everything: float = 0.0) -> np.ndarray:
    """The texture, its lower right part (a mouth corner) shifted upward by `mouth` pixels, all by
    `everything`.
    """
    y, x = np.mgrid[0:CROP, 0:CROP].astype(np.float32)
    near = np.exp(-(((x - 0.617 * CROP) / 14) ** 2 + ((y - 0.69 * CROP) / 14) ** 2))
    moved = cv2.remap(
        TEXTURE, x + everything, y + mouth * near, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    noise = np.random.default_rng(int(1000 * (mouth + 7 * everything)) % 997).normal(
        0, 0.7, moved.shape
    )
    return np.clip(moved + noise, 0, 255).astype(np.uint8)


def mesh_moved(points: tuple[int, ...] | list[int], by: float, turn: float = 0.0) -> np.ndarray:
    """The canonical face 200 pixels wide, some points lowered by `by` crop units, the head turned
    (rad).
    """
    mesh = MESH.copy()
    mesh[list(points), 1] += by
    cosine, sine = np.cos(turn), np.sin(turn)
    spin = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    tremble = np.random.default_rng(int(1e6 * (abs(by) + abs(turn)))).normal(0, 2e-4, mesh.shape)
    return ((mesh + tremble - 0.5) @ spin.T * 200 + [300, 250, 0]).astype(np.float32)


STILL = mesh_moved(MOUTH, 0.0)


def pulse(count: int, start: int, stop: int) -> np.ndarray:
    """(count,) 0, with a smooth rise and fall to 1 between start and stop."""
    out = np.zeros(count)
    out[start:stop] = np.sin(np.pi * (np.arange(stop - start) + 0.5) / (stop - start)) ** 0.5
    return out


def spot(
    name: str,
    crops: list[np.ndarray],
    meshes: list[np.ndarray],
    lost: range = range(0),
    cut: int = 10**6,
) -> Spotting:
    faces = [None if i in lost else pair for i, pair in enumerate(zip(crops, meshes, strict=True))]
    segments = [int(i >= cut) for i in range(len(faces))]
    method = METHODS[name](tracker=lambda: Scripted(faces, segments))
    return method.spot(np.zeros((len(faces), 8, 8, 3), np.uint8), rate=FPS)


def still(count: int) -> list[np.ndarray]:
    return [crop_moved(0.0)] * count


# --- one question for all three: is a movement found where it is, and only there? ---

COUNT, START = 250, 120  # eight seconds; the movement begins in the middle


@cache
def moved(name: str, length: int) -> Spotting:
    strength = pulse(COUNT, START, START + length)
    crops = [crop_moved(3 * float(s)) for s in strength]
    return spot(name, crops, [mesh_moved(MOUTH, -0.03 * float(s)) for s in strength])


@pytest.mark.parametrize("name", METHODS)
def test_a_brief_movement_is_a_micro_expression(name: str) -> None:
    found = moved(name, 12).intervals
    if name == "mdmd":  # its two lags are two spotters: a clear brief movement may rise above both
        found = tuple(i for i in found if i.kind == "micro")
    assert [i.kind for i in found] == ["micro"]
    assert abs(found[0].onset_frame - START) <= 4
    assert abs(found[0].offset_frame - (START + 11)) <= 4
    assert START <= found[0].apex_frame < START + 12


@pytest.mark.parametrize("name", ["flow", "landmarks"])
def test_a_lasting_movement_is_a_macro_expression(name: str) -> None:
    found = moved(name, 60).intervals
    assert [i.kind for i in found] == ["macro"]
    assert abs(found[0].onset_frame - START) <= 6
    assert abs(found[0].offset_frame - (START + 59)) <= 6


def test_mdmd_finds_a_macro_expression_no_longer_than_its_reach() -> None:
    found = [i for i in moved("mdmd", 36).intervals if i.kind == "macro"]
    assert len(found) == 1
    assert found[0].onset_frame < START + 18 < found[0].offset_frame


@pytest.mark.parametrize("name", METHODS)
def test_a_still_face_shows_nothing(name: str) -> None:
    found = spot(
        name,
        [crop_moved(0.0, 1e-6 * i) for i in range(COUNT)],
        [mesh_moved((), 1e-6 * i) for i in range(COUNT)],
    )
    assert found.intervals == ()
    assert np.isfinite(found.faces[0].scores).all()


@pytest.mark.parametrize("name", ["flow", "landmarks"])
def test_what_moves_all_of_the_face_is_the_head(name: str) -> None:
    strength = [float(s) for s in pulse(COUNT, START, START + 60)]
    crops = [crop_moved(0.0, 2 * s) for s in strength]
    found = spot(name, crops, [mesh_moved((), 0.0, 0.3 * s) + np.float32(9 * s) for s in strength])
    assert found.intervals == ()


# --- ticks, gaps, cuts ---


@pytest.mark.parametrize("name", METHODS)
def test_a_gap_breaks_intervals(name: str) -> None:
    strength = pulse(COUNT, START, START + 60)
    meshes = [mesh_moved(MOUTH, -0.03 * float(s)) for s in strength]
    found = spot(name, [crop_moved(3 * float(s)) for s in strength], meshes, lost=range(145, 155))
    (gap,) = found.gaps
    assert (gap.start_frame, gap.stop_frame) == (145, 154)
    assert all(i.offset_frame < 145 or i.onset_frame > 154 for i in found.intervals)


@pytest.mark.parametrize("name", METHODS)
def test_a_cut_leaves_one_tick_unknown_and_nothing_looks_across(name: str) -> None:
    first, second = [crop_moved(0.0)] * 60, [np.ascontiguousarray(crop_moved(0.0)[:, ::-1])] * 60
    found = spot(name, first + second, [STILL] * 60 + [mesh_moved(MOUTH, 0.08)] * 60, cut=60)
    assert np.flatnonzero(np.isnan(found.faces[0].scores[:, 0])).tolist() == [60]
    assert found.intervals == ()


def test_slow_videos_fill_every_tick() -> None:
    faces = [(crop_moved(0.0), STILL)] * 30
    method = Landmarks(tracker=lambda: Scripted(list(faces), [0] * 30))
    found = method.spot(np.zeros((30, 8, 8, 3), np.uint8), rate=12)
    assert len(found.faces[0].scores) == int(29 / 12 * 30) + 1
    assert np.isfinite(found.faces[0].scores).all()


def test_no_face_and_no_frames() -> None:
    found = spot("landmarks", still(20), [STILL] * 20, lost=range(20))
    assert (found.faces, found.intervals) == ((), ())
    assert found.gaps[0].reason == "no face in the video"


# --- each method's own ---


def test_a_blink_is_no_movement_of_landmarks() -> None:
    closing = pulse(COUNT, START, START + 8)
    meshes = []
    for i, s in enumerate(closing):
        mesh = mesh_moved(UPPER_LIDS, 0.032 * float(s), 1e-6 * i)
        mesh[list(BROWS), 1] += np.float32(3 * s)  # the brows of a mesh follow the lids
        meshes.append(mesh)
    assert spot("landmarks", still(COUNT), meshes).intervals == ()
    only_brows = [mesh_moved(BROWS, 0.015 * float(s), 1e-6 * i) for i, s in enumerate(closing)]
    assert spot("landmarks", still(COUNT), only_brows).intervals != ()


def test_landmarks_are_turned_to_the_front() -> None:
    for turn in (-0.5, 0.0, 0.4):
        np.testing.assert_allclose(
            align_to_canonical(mesh_moved((), 0.0, turn).astype(np.float64)), MESH, atol=2e-3
        )


def test_flow_is_chained_over_reference_frames() -> None:
    reader = FlowReader(FlowSettings(renew_s=0.2))
    for i in range(25):
        reader.push(face_with(crop_moved(0.2 * i), i))
    up = (
        -reader.features().reshape(25, -1, 2)[:, list(REGIONS).index("left mouth corner"), 1] * CROP
    )
    assert reader.since > 0
    y, x = np.mgrid[0:CROP, 0:CROP]
    near = np.exp(-(((x - 0.617 * CROP) / 14) ** 2 + ((y - 0.69 * CROP) / 14) ** 2))
    nose, *regions = (
        near[box].mean() for box in region_boxes(face_with(crop_moved(0.0), 0), reader.settings.box)
    )
    true = regions[list(REGIONS).index("left mouth corner")] - nose
    np.testing.assert_allclose(up[-1], 4.8 * true, rtol=0.2)
    assert np.corrcoef(up, np.arange(25))[0, 1] > 0.99


def test_main_direction_is_that_of_most_vectors() -> None:
    vectors = np.array(
        [[[1.0, 0.1], [2.0, -0.1], [0.0, 3.0]], [[-1.0, 0.0], [0.0, -1.0], [0.1, -1.0]]]
    )
    assert main_direction(vectors, 4).tolist() == [[True, True, False], [False, True, True]]


@pytest.mark.parametrize(("ticks", "k"), [(240, 39), (233, 20), (119, 10), (5, 1), (1, 1)])
def test_k_is_halved_in_short_segments(ticks: int, k: int) -> None:
    assert halve_lag(39, ticks) == k


def test_short_segments_have_scores() -> None:
    for count in (1, 2, 5):
        for name in METHODS:
            assert np.isfinite(spot(name, still(count), [STILL] * count).faces[0].scores).all()


# --- filters ---


def test_lasting_cuts_off_what_is_brief() -> None:
    track = np.zeros((90, 1))
    track[10:16], track[30:60] = 1, 1
    kept = keep_lasting(track, 0.4)[:, 0]
    assert np.flatnonzero(kept).tolist() == list(range(30, 60))


def test_running_median_ignores_what_is_brief() -> None:
    track = np.linspace(0, 1, 300)
    bumped = track.copy()
    bumped[100:120] += 5
    np.testing.assert_allclose(usual_place(bumped, 4.0), usual_place(track, 4.0), atol=0.08)


def test_relative_scores_are_the_thresholds_of_the_field() -> None:
    signals = [np.array([0.0, 0.0, 1.0]), np.array([0.0, 5.0])]
    scores = np.concatenate(scale_to_peak(signals, 0.1))
    mean, top, p = 1.2, 5.0, 0.6
    assert ((scores >= p) == (np.concatenate(signals) >= p * (top - mean) + mean)).all()
    assert np.concatenate(scale_to_peak([np.array([0.0, 0.01])], 1.0)).max() < 0.01
    assert scale_to_peak([], 1.0) == []


# --- calls ---


@pytest.mark.parametrize("name", METHODS)
def test_results_name_their_method_and_can_be_rethresholded(name: str) -> None:
    found = moved(name, 12)
    assert found.provenance["method"] == name
    assert found.provenance["settings"]
    assert found.rules == METHODS[name].recommended
    assert (
        found.rethreshold(IntervalRules(micro_threshold=1.0, macro_threshold=1.0, exclusive=False))
        is not None
    )
    assert '"method"' in found.to_json()


@pytest.mark.parametrize(
    ("name", "kind"), [("flow", Flow), ("landmarks", Landmarks), ("mdmd", Mdmd)]
)
def test_baselines_are_made_by_name(name: str, kind: type[Baseline]) -> None:  # type: ignore[type-arg]
    rules = IntervalRules(macro_threshold=0.9, exclusive=False)
    made = make_baseline(name, rules=rules, faces="all")
    assert isinstance(made, kind)
    assert (made.rules, made.faces) == (rules, "all")


def test_wrong_calls_are_told() -> None:
    with pytest.raises(
        UsageError, match="expected one of the baselines flow, landmarks, mdmd, got 'tea leaves'"
    ):
        make_baseline("tea leaves")
    with pytest.raises((UsageError, SourceError)):
        make_baseline("flow").spot("no such file.mp4")

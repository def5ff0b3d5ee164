"""Avatars and the two renderers."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fesnet.errors import UsageError
from fesnet.faces.align import CANONICAL_STABLE, STABLE
from fesnet.synth.render.avatar import (
    LATTICE,
    LIP_LOWER,
    LIP_UPPER,
    MARGIN,
    Avatar,
    align_points,
    make_avatar,
    project_points,
)
from fesnet.synth.render.avatar_renderer import AvatarRenderer, AvatarTracks, ClipAppearance
from fesnet.synth.render.batches import (
    TARGETS,
    clip_batch,
    pair_batch,
    target_mirror_map,
    target_scale,
)
from fesnet.synth.render.frame_renderer import FrameRenderer, Mouth
from fesnet.synth.render.hands import Hand, draw_hand
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.expressions import EXPRESSIONS
from fesnet.synth.script.script import Script, replace_photo_smile
from fesnet.synth.videos.demo_video import (
    DEMO_EVENTS,
    RATE,
    demo_script,
    encode_script,
    write_truth,
)
from fesnet.video import open_source


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    """A drawn face on the canonical mesh: no photo, no face model, all landmarks known exactly."""
    rng = np.random.default_rng(0)
    photo = np.full((400, 400, 3), 150, np.uint8)
    coarse = rng.integers(0, 90, (50, 50, 1), np.uint8)
    photo += np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    points = motion_basis().canonical * 260 + [70, 70, 0]
    points[list(LIP_LOWER), 1] = (
        points[list(LIP_UPPER), 1] + 0.5
    )  # the canonical mesh's mouth stands ajar
    smiling = np.roll(photo, 5, 0)
    return make_avatar(
        "drawn", photo, points.astype(np.float32), smiling, (points + [0, 4, 0]).astype(np.float32)
    )


def still_tracks(frames: int) -> dict[str, np.ndarray]:
    k = len(motion_basis().names)
    landmarks = {
        "weights": (frames, k),
        "smile": (frames,),
        "pose": (frames, 3),
        "gaze": (frames, 2),
        "jitter": (frames, 4),
    }
    return {name: np.zeros(shape, np.float32) for name, shape in landmarks.items()}


def render(avatar: Avatar, tracks: dict[str, np.ndarray], size: int = 96) -> torch.Tensor:
    renderer = AvatarRenderer([avatar])
    frames = len(tracks["smile"])
    look = ClipAppearance(*(torch.full((1, frames), v) for v in (0.4, 0.1, 0.7, 0.02, 0.5, 0.0)))
    return renderer.render(
        AvatarTracks(np.array([0]), *(t[None] for t in tracks.values())), size, look
    )[0, :, 0]


def test_basis_stands_where_the_face_stage_aligns() -> None:
    assert np.abs(motion_basis().canonical[list(STABLE), :2] - CANONICAL_STABLE).max() < 1e-5


def test_basis_refuses_unknown_motion() -> None:
    with pytest.raises(UsageError, match="expected a motion of the basis"):
        motion_basis().weights({"earWiggle": 1.0})


def test_every_expression_moves_the_face() -> None:
    basis = motion_basis()
    for name, motions in EXPRESSIONS.items():
        moved = np.tensordot(basis.weights(motions), basis.delta, 1)
        assert np.linalg.norm(moved[:, :2], axis=1).max() * 96 > 1.0, name


def test_neutral_avatar_is_its_picture(avatar: Avatar) -> None:
    crop = render(avatar, still_tracks(1))[0].numpy()
    side = avatar.picture.shape[0]
    edge = round(side * MARGIN / (1 + 2 * MARGIN))
    grey = (
        avatar.picture[edge : side - edge, edge : side - edge].astype(float)
        @ [0.299, 0.587, 0.114]
        / 255
    )
    expected = grey.reshape(96, 2, 96, 2).mean((1, 3))
    assert np.abs(crop - expected).mean() < 0.02


def test_interpolation_is_exact_for_a_plane(avatar: Avatar) -> None:
    values = avatar.points[:, :2] @ np.array([0.3, -0.2]) + 0.1
    carried = (values[avatar.index] * avatar.share).sum(1)
    axis = np.linspace(-MARGIN, 1 + MARGIN, LATTICE)
    x, y = np.meshgrid(axis, axis)
    plane = (0.3 * x - 0.2 * y + 0.1).ravel()
    covered = avatar.share.sum(1) > 0.5
    assert covered.mean() > 0.9
    assert np.abs(carried - plane)[covered].max() < 1e-3


def test_batch_and_single_frame_renderers_agree(avatar: Avatar) -> None:
    tracks = still_tracks(4)
    tracks["weights"][1] = motion_basis().weights(EXPRESSIONS["surprise"])
    tracks["weights"][2] = motion_basis().weights({"browDown": 1.0, "eyeBlink": 0.8})
    tracks["gaze"][2] = (0.7, -0.3)
    tracks["smile"][3] = 0.6
    batch = render(avatar, tracks).numpy()
    renderer = FrameRenderer(avatar, 96, 96, (0, 0, 1, 1), Mouth())
    zero = np.zeros((1, 4), np.float32)
    for t in range(4):
        shift = np.zeros(2, np.float32)
        seen = renderer.project(
            tracks["weights"][t], float(tracks["smile"][t]), tracks["pose"][t], shift
        )
        placed = align_points(seen[None], zero)[0]
        single = renderer.render(placed, tracks["gaze"][t], float(tracks["smile"][t])) @ np.array(
            [0.299, 0.587, 0.114]
        )
        assert np.abs(single / 255 - batch[t]).mean() < 0.004, t
        assert np.abs(batch[t] - batch[0]).mean() > 0.002 or t == 0


def test_alignment_undoes_roll_and_scale_and_keeps_tremble(avatar: Avatar) -> None:
    seen = avatar.points[None, :, :2]
    turned = (seen * 1.3) @ np.array([[0.9, -0.435], [0.435, 0.9]], np.float32) + [0.1, -0.2]
    zero = np.zeros((1, 4), np.float32)
    assert (
        np.abs(align_points(turned.astype(np.float32), zero) - align_points(seen, zero)).max()
        < 1e-4
    )
    moved = align_points(seen, np.array([[0.01, -0.02, 0, 0]], np.float32)) - align_points(
        seen, zero
    )
    assert moved[0].mean(0) == pytest.approx([0.01, -0.02], abs=1e-5)


def test_head_turn_moves_the_nose_more_than_the_rim(avatar: Avatar) -> None:
    none = np.zeros((1, 468, 3), np.float32)
    turned = project_points(avatar.points[None], none, np.array([[0.2, 0.0]], np.float32))[0]
    shift = np.linalg.norm(turned - avatar.points[:, :2], axis=1)
    assert shift[1] > 0.02
    assert shift[-8:].max() == 0


def test_open_jaw_darkens_the_mouth(avatar: Avatar) -> None:
    tracks = still_tracks(2)
    tracks["weights"][1] = motion_basis().weights({"jawOpen": 0.5})
    shut, wide = render(avatar, tracks).numpy()
    x, y = (avatar.points[14, :2] * 96).astype(int)
    assert (
        wide[y + 3 : y + 6, x - 2 : x + 3].mean() < 0.4 * shut[y + 3 : y + 6, x - 2 : x + 3].mean()
    )


def test_mirror_map_is_its_own_inverse() -> None:
    to, sign = target_mirror_map()
    assert np.array_equal(to[to], np.arange(TARGETS))
    names = motion_basis().names
    assert names[to[names.index("browDown_L")]] == "browDown_R"
    assert names[to[names.index("mouthLeft")]] == "mouthRight"
    assert sign[len(names) + 1] == -1
    assert target_scale().shape == (TARGETS,)


def test_batches_are_deterministic_and_in_range(avatar: Avatar) -> None:
    renderer, who = AvatarRenderer([avatar]), np.array([0, 0])
    one, two = (pair_batch(renderer, who, 5, 3, 48) for _ in range(2))
    assert torch.equal(one.crops, two.crops)
    assert one.crops.shape == (2, 3, 1, 48, 48)
    assert one.targets.shape == (2, 3, TARGETS)
    clips = clip_batch(renderer, who, 6, 40, 48, SynthConfig())
    assert clips.crops.shape == (2, 40, 1, 48, 48)
    assert clips.crops.min() >= 0
    assert clips.crops.max() <= 1
    assert set(clips.labels.unique().tolist()) <= {-1, 0, 1, 2}


def test_many_pairs_move_by_less_than_a_pixel(avatar: Avatar) -> None:
    """A unit of the targets is 4 pixels of a 96 px crop; LSDM must see micro-expressions, which
    move about one.
    """
    batch = pair_batch(AvatarRenderer([avatar]), np.zeros(60, np.int64), 7, 2, 16)
    faces = batch.targets[:, 1, :-4] - batch.targets[:, 0, :-4]  # without pose and gaze
    largest = 4 * faces.abs().amax(-1)
    assert 0.2 < ((largest > 0.1) & (largest < 1)).float().mean() < 0.7
    assert (largest > 3).float().mean() > 0.1


def test_demo_video_plays_and_has_its_truth(avatar: Avatar, tmp_path: Path) -> None:
    script = demo_script()
    assert [(e.kind, e.start / RATE) for e in script.events] == [
        (k, s) for k, _, s, _, _ in DEMO_EVENTS
    ]
    short = type(script)(
        *(
            t[:12]
            for t in (
                script.weights,
                script.smile,
                script.pose,
                script.gaze,
                script.jitter,
                script.intensity,
            )
        )
    )
    path = tmp_path / "demo.mp4"
    encode_script(avatar, short, path, size=96)
    with open_source(path) as source:
        frames = list(source)
    assert len(frames) == 12
    assert frames[0].image.shape == (96, 96, 3)
    write_truth(tmp_path / "truth.csv", "demo.mp4", script.events)
    with (tmp_path / "truth.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [int(r["onset_frame"]) for r in rows] == [e.start for e in script.events]
    assert rows[0]["video"] == "demo.mp4"


def test_what_shows_in_a_mouth_changes_while_the_face_is_still(avatar: Avatar) -> None:
    """A jaw held open: teeth and tongue move behind the lips, and nothing else does."""
    frames = 40
    tracks = still_tracks(frames)
    tracks["weights"] += motion_basis().weights({"jawOpen": 0.6}).astype(np.float32)
    renderer = AvatarRenderer([avatar])
    look = replace(
        ClipAppearance.draw(np.random.default_rng(2), 1, frames), shading=torch.zeros(1, frames)
    )
    shown = renderer.render(
        AvatarTracks(np.array([0]), *(t[None] for t in tracks.values())), 96, look
    )[0, :, 0]
    change = shown.std(0)
    assert change[66:80, 40:56].max() > 0.01
    assert change[:55].max() < 1e-4


def test_the_same_draw_gives_the_same_mouth() -> None:
    one, two = (ClipAppearance.draw(np.random.default_rng(5), 2, 30) for _ in range(2))
    assert torch.equal(one.tongue_height, two.tongue_height)
    assert one.teeth.shape == (2, 30)
    assert (one.teeth_height >= 0).all()


def test_a_smile_without_a_photo_is_the_basis_s() -> None:
    smiling = Script(
        **{**still_tracks(5), "smile": np.linspace(0, 1, 5, dtype="f4")}, intensity=np.zeros(5)
    )
    script = replace_photo_smile(smiling)
    assert script.smile.max() == 0
    np.testing.assert_allclose(script.weights[-1], motion_basis().weights(EXPRESSIONS["smile"]))
    assert script.weights[0].max() == 0


def test_a_hand_covers_what_it_lies_on_and_misleads_landmarks_there_only() -> None:
    far, near = [0.5, 1.9], [0.5, 0.8]
    hand = Hand(np.array([far, near]), np.array([0.4, 0.2]), 0.0, 0.5, 0.08)
    crops = torch.full((2, 1, 96, 96), 0.6)
    covered = hand.cover(crops)
    torch.testing.assert_close(covered[0], crops[0], atol=1e-4, rtol=0)
    assert covered[1, 0, 77, 48] < 0.4
    torch.testing.assert_close(covered[1, 0, :40], crops[1, 0, :40], atol=1e-3, rtol=0)
    landmarks = np.zeros((1, 2, 10), np.float32)
    misled = hand.disturb_landmarks(landmarks, np.random.default_rng(0))
    assert np.abs(misled[0, 0]).max() == 0
    assert np.abs(misled[0, 1]).max() > 0.02


def test_hands_come_and_go() -> None:
    hands = [draw_hand(np.random.default_rng(i), 600, 30.0) for i in range(10)]
    away = [np.linalg.norm(h.centre - 0.5, axis=1) for h in hands]
    assert all(a.max() > 1 for a in away)
    assert all(a.min() < 0.9 for a in away)

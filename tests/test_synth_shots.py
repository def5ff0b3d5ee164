"""Clips that are planned here and painted there, and the landmark model that looks at them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest
import torch
from tests.test_training import make_avatars

from fesnet.faces.landmark_features import canonical_face, compute_landmark_features
from fesnet.faces.models import ModelFiles
from fesnet.synth.render import batches
from fesnet.synth.render.avatar_renderer import AvatarRenderer
from fesnet.synth.render.batches import clip_batch, draw_frame_order, plan_clips, render_clips
from fesnet.synth.render.render_plan import WIDE, render_crops
from fesnet.synth.render.torch_face_mesh import (
    TorchFaceMesh,
    interpolate_skipped_frames_torch,
    landmark_features_torch,
    run_landmark_model,
)
from fesnet.synth.script.config import SynthConfig


@pytest.fixture(scope="module")
def renderer() -> AvatarRenderer:
    return AvatarRenderer(make_avatars())


def test_a_part_of_the_clips_is_painted_as_in_the_whole(renderer: AvatarRenderer) -> None:
    """So several processes may paint their shares of one batch."""
    plan = plan_clips(
        renderer, np.array([0, 1, 0]), 3, 20, 32, SynthConfig(), face_only=True, hands=1.0
    )
    whole = render_crops(renderer, plan.crops, 32)
    assert torch.equal(render_crops(renderer, plan[slice(1, 3)].crops, 32), whole[1:])
    assert torch.equal(plan[slice(1, 3)].labels, plan.labels[1:])


def test_hands_come_before_the_face(renderer: AvatarRenderer) -> None:
    plan = plan_clips(renderer, np.array([0]), 3, 240, 16, SynthConfig(), hands=1.0)
    bare = replace(plan.crops, hands=(None,))
    assert (
        render_crops(renderer, plan.crops, 16) - render_crops(renderer, bare, 16)
    ).abs().max() > 0.05


def test_clips_run_to_and_fro_and_backwards() -> None:
    order, known = draw_frame_order(np.random.default_rng(0), 400, 24)
    back = order[:, 0] > order[:, -1]
    assert 0.15 < back.mean() < 0.45
    assert 0.15 < (~known).any(1).mean() < 0.35
    for frames, counts in zip(order, known, strict=True):
        assert len(set(frames[counts])) == counts.sum()  # no frame counts twice
        assert (np.abs(np.diff(frames)) == 1).all()


def test_everything_of_a_clip_is_in_one_order(
    renderer: AvatarRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crops, shapes, labels and intensity of a clip that runs backwards are those of the one that
    runs forwards.
    """
    monkeypatch.setattr(batches, "REFLECTED_SHARE", 0.0)
    made = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(batches, "REVERSED_SHARE", share)
        made.append(clip_batch(renderer, np.array([0, 1]), 6, 40, 32, SynthConfig(quiet_share=0)))
    forth, back = made
    assert torch.equal(back.crops, forth.crops.flip(1))
    assert torch.equal(back.landmarks, forth.landmarks.flip(1))
    assert torch.equal(back.labels, forth.labels.flip(1))
    assert torch.equal(back.intensity, forth.intensity.flip(1))


def test_the_mesh_on_torch_is_the_mesh_on_onnxruntime(face_models: ModelFiles) -> None:
    images = torch.rand(3, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    found = TorchFaceMesh(face_models.landmarks, "cpu")(images)
    session = ort.InferenceSession(str(face_models.landmarks))
    expected = (
        session.run(["landmarks"], {"image": images.permute(0, 2, 3, 1).numpy()})[0].reshape(
            3, 468, 3
        )
        / 192
    )
    assert np.abs(found.numpy() - expected).max() < 1e-5


def test_shapes_on_torch_are_shapes_on_numpy() -> None:
    rng = np.random.default_rng(2)
    faces = (
        (canonical_face() + rng.normal(0, 0.01, (5, 468, 3)))
        @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
        * 300
    )
    faces = faces.astype(np.float32)
    assert (
        np.abs(
            landmark_features_torch(torch.from_numpy(faces)).numpy()
            - compute_landmark_features(faces)
        ).max()
        < 1e-3
    )


class Pasted:
    """A landmark model that finds the canonical face wherever it looks."""

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(canonical_face()).expand(len(images), -1, -1) * 0.5 + 0.25


def test_the_landmark_model_sees_the_face_where_it_stands() -> None:
    """A square that lies turned and shifted over the face comes back to the face's own place:
    shapes stay.
    """
    placed = torch.from_numpy(canonical_face()[None, :, :2].repeat(6, 0).copy())
    turn = torch.tensor([[0.98, -0.199], [0.199, 0.98]])
    wide = torch.rand(6, 1, WIDE, WIDE)
    straight = run_landmark_model(Pasted(), wide, placed, np.random.default_rng(0))  # type: ignore[arg-type]
    turned = run_landmark_model(Pasted(), wide, placed @ turn.T + 0.1, np.random.default_rng(0))  # type: ignore[arg-type]
    assert straight.shape == (6, 128)
    assert (straight[:, :-4] - turned[:, :-4]).abs().max() < 1e-3
    assert float((turned[0, -2] - straight[0, -2]).abs() / 4) == pytest.approx(
        0.2, abs=0.01
    )  # the roll


def test_looks_rest_where_little_moves() -> None:
    rng = np.random.default_rng(0)  # whose first draw lets looks rest
    still = 0.001 * torch.rand(10, 128)
    kept = interpolate_skipped_frames_torch(still, rng)
    assert torch.equal(kept[3], still[3])
    assert torch.allclose(kept[4], torch.lerp(still[3], still[6], 1 / 3))
    moving = torch.rand(10, 128)
    assert torch.equal(interpolate_skipped_frames_torch(moving, np.random.default_rng(0)), moving)


def test_clips_that_are_looked_at(
    renderer: AvatarRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "landmark_model", lambda device: Pasted())
    plan = plan_clips(renderer, np.array([0, 1]), 3, 12, 32, SynthConfig(), face_only=True)
    use_landmark_model = render_clips(
        renderer, replace(plan, crops=replace(plan.crops, use_landmark_model=True)), 32
    )
    drawn = render_clips(renderer, plan, 32)
    assert use_landmark_model.crops.shape == drawn.crops.shape
    assert use_landmark_model.landmarks.shape == drawn.landmarks.shape
    assert not torch.equal(use_landmark_model.landmarks, drawn.landmarks)
    apart = (use_landmark_model.crops.mean((0, 1, 2)) - drawn.crops.mean((0, 1, 2))).abs()
    assert apart.mean() < 0.1  # the same people in the same light, about

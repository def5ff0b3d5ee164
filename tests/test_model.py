"""Shapes, switches and presets of the network, and the loss terms."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fesnet.config import PRESETS, FesNetConfig
from fesnet.errors import UsageError
from fesnet.model.losses import LossConfig, clip_losses, frame_loss, smooth_loss
from fesnet.model.network import FesNet, add_median_difference
from small_network import SHAPED, TINY, make_network, moving_crops

LOSS = LossConfig()


@pytest.fixture(scope="module")
def window() -> torch.Tensor:
    """One window of crops, (1, T, H, W, 3)."""
    return torch.from_numpy(moving_crops(TINY.window))[None]


@torch.inference_mode()
def logits_of(config: FesNetConfig, window: torch.Tensor) -> torch.Tensor:
    return make_network(config)(window)[0]


def test_shapes(window: torch.Tensor) -> None:
    network = make_network()
    pair = torch.cat([window, window.flip(1)])
    with torch.inference_mode():
        attended = network.encode(pair[0])
        logits, intensity = network(pair)
    assert attended.shape == (TINY.window, 12 * 12, 4 * TINY.width)
    assert logits.shape == (1 + TINY.stages, 2, TINY.window, 3)
    assert intensity.shape == (2, TINY.window)
    assert (intensity >= 0).all()


def test_windows_of_other_lengths_work(window: torch.Tensor) -> None:
    with torch.inference_mode():
        assert make_network()(window[:, :5])[0].shape == (1 + TINY.stages, 1, 5, 3)


def test_clips_of_a_batch_do_not_mix(window: torch.Tensor) -> None:
    network = make_network()
    with torch.inference_mode():
        both = network(torch.cat([window, window.flip(1)]))[0]
        alone = network(window)[0]
    torch.testing.assert_close(both[:, :1], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("switch", ["attention", "discrepancy", "multi_scale", "concat_reference"])
def test_each_switch_changes_the_output(switch: str, window: torch.Tensor) -> None:
    changed = replace(TINY, **{switch: not getattr(TINY, switch)})
    assert (logits_of(changed, window) - logits_of(TINY, window)).abs().max() > 1e-3


def test_without_cascade_one_stage_follows_the_proposal(window: torch.Tensor) -> None:
    assert len(logits_of(replace(TINY, cascade=False), window)) == 2
    assert len(logits_of(replace(TINY, stages=4), window)) == 5


def test_each_stage_refines_the_one_before(window: torch.Tensor) -> None:
    """A stage whose answer is erased changes what follows it and nothing before it."""
    network = make_network()
    with torch.inference_mode():
        before = network(window)[0]
        network.mtam.stages[0].leave.weight.zero_()
        after = network(window)[0]
    change = (after - before).abs().amax((1, 2, 3))
    assert change[0] == 0
    assert (change[1:] > 1e-4).all()


def test_without_attention_there_are_no_attention_parameters() -> None:
    assert any("attention" in name for name in make_network().state_dict())
    assert not any(
        "attention" in name for name in make_network(replace(TINY, attention=False)).state_dict()
    )


def test_without_multi_scale_one_kernel_is_left() -> None:
    blocks = make_network(replace(TINY, multi_scale=False)).mtam.stages[0].blocks
    assert [len(block.branches) for block in blocks] == [1]
    assert [len(block.branches) for block in make_network().mtam.stages[0].blocks] == [
        len(TINY.branches)
    ]


def test_neutral_reference_has_the_same_tensors_and_another_answer(window: torch.Tensor) -> None:
    first, neutral = make_network(), make_network(replace(TINY, reference="neutral"))
    assert first.state_dict().keys() == neutral.state_dict().keys()
    with torch.inference_mode():
        assert (first(window)[0] - neutral(window)[0]).abs().max() > 1e-4


def test_discrepancy_of_a_still_face_is_the_same_in_every_frame(window: torch.Tensor) -> None:
    """Against a reference equal to the frame nothing has changed, whatever the face looks like."""
    network = make_network(replace(TINY, concat_reference=False))
    with torch.inference_mode():
        attended = network.encode(window[0])[:, None]
        vectors = network.lsdm.frame_features(attended, attended)
    torch.testing.assert_close(vectors, vectors[:1].expand_as(vectors), atol=1e-6, rtol=0)


def test_brightness_and_contrast_hardly_matter(window: torch.Tensor) -> None:
    grey = window[0, :2].float().mean(-1)[:, None] / 255
    network = make_network()
    with torch.inference_mode():
        plain, darker = network.encode_grey(grey), network.encode_grey(0.8 * grey + 0.05)
        other = network.encode_grey(grey.flip(3))
    assert (plain - darker).abs().mean() < 0.2 * (plain - other).abs().mean()


def test_motions_need_a_motion_head(window: torch.Tensor) -> None:
    with torch.inference_mode():
        attended = make_network().encode(window[0])[None]
        with pytest.raises(ValueError, match="expected a config with motions > 0"):
            make_network().lsdm.predict_motion(attended, attended[:, :1])
        headed = make_network(replace(TINY, motions=7))
        assert headed.lsdm.predict_motion(attended, attended[:, :1]).shape == (1, TINY.window, 7)


def test_relative_changes_do_not_depend_on_how_much_a_face_moves() -> None:
    noise = torch.randn(2, 40, 5, generator=torch.Generator().manual_seed(3))
    noise[:, 20:24] += 6
    calm, lively = (
        add_median_difference(noise, normalize_motion=True),
        add_median_difference(4 * noise + 7, normalize_motion=True),
    )
    assert calm.shape == (2, 40, 15)
    torch.testing.assert_close(calm[..., :10], add_median_difference(noise))
    torch.testing.assert_close(lively[..., 5:10], 4 * calm[..., 5:10], atol=1e-4, rtol=0)
    torch.testing.assert_close(lively[..., 10:], calm[..., 10:], atol=1e-3, rtol=0)


def test_a_window_without_any_change_has_no_relative_change() -> None:
    still = torch.ones(1, 9, 4)
    assert not add_median_difference(still, normalize_motion=True)[..., 4:].any()
    still[:, :, 0] += torch.tensor([0, 0, 0, 0, 1.0, 0, 0, 0, 0])
    hardly = still + torch.tensor([0, 1e-6, 0, 0])[None, None] * torch.arange(9)[None, :, None]
    relative = add_median_difference(hardly, normalize_motion=True)[0, :, 8:]
    assert relative[:, 1].abs().max() < 0.01 * relative[:, 0].abs().max()


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_build_and_stay_small(name: str) -> None:
    network = FesNet(PRESETS[name])
    assert sum(4 * p.numel() for p in network.state_dict().values()) < 8e6


def test_the_paper_preset_has_every_mechanism_and_no_extension() -> None:
    paper = PRESETS["paper"]
    assert paper.attention and paper.discrepancy and paper.cascade and paper.multi_scale
    assert paper.reference == "first"
    assert not (
        paper.concat_reference or paper.intensity or paper.motions or paper.landmark_feature_count
    )
    assert not (
        paper.add_median_difference
        or paper.normalize_motion
        or paper.face_only
        or any(paper.ensemble_weights)
    )


@torch.inference_mode()
def test_in_a_consensus_pixels_alone_and_shapes_alone_have_their_say(window: torch.Tensor) -> None:
    torch.manual_seed(1)
    shapes = torch.randn(1, TINY.window, SHAPED.landmark_feature_count)
    network, say = make_network(SHAPED), make_network(replace(SHAPED, ensemble_weights=(0.5, 0.1)))
    attended = network.append_landmarks(network.encode(window[0])[None], shapes)
    features = network.lsdm.frame_features(attended, attended[:, :1])
    parts = [network.score(f) for f in (features, *network.lsdm.mask_modality(features))]
    logits, intensity = say.decode(attended)
    expected = sum(
        w * part[0].log_softmax(-1) for w, part in zip((0.4, 0.5, 0.1), parts, strict=True)
    )
    torch.testing.assert_close(logits.softmax(-1), expected.softmax(-1))
    torch.testing.assert_close(intensity, parts[0][1])
    torch.testing.assert_close(network.decode(attended)[0], parts[0][0])


@torch.inference_mode()
def test_what_is_alone_sees_nothing_of_the_other(window: torch.Tensor) -> None:
    network = make_network(SHAPED)
    attended = network.encode(window[0])[None]
    shapes = torch.randn(
        2, 1, TINY.window, SHAPED.landmark_feature_count, generator=torch.Generator().manual_seed(2)
    )
    both = [
        network.lsdm.frame_features(z, z[:, :1])
        for z in (network.append_landmarks(attended, s) for s in shapes)
    ]
    (pixels_a, shapes_a), (pixels_b, shapes_b) = map(network.lsdm.mask_modality, both)
    torch.testing.assert_close(pixels_a, pixels_b)
    assert not torch.equal(shapes_a, shapes_b)
    still = network.append_landmarks(attended[:, :1].expand_as(attended), shapes[0])
    alone = network.lsdm.mask_modality(network.lsdm.frame_features(still, still[:, :1]))[1]
    torch.testing.assert_close(alone, shapes_a)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"ensemble_weights": (0.5, 0.5), "landmark_feature_count": 128},
            r"expected two ensemble_weights.*below 1, got \(0.5, 0.5\)",
        ),
        (
            {"ensemble_weights": (-0.1, 0.5), "landmark_feature_count": 128},
            r"expected two ensemble_weights, 0 or more",
        ),
        (
            {"ensemble_weights": (0.5,), "landmark_feature_count": 128},
            r"expected tuple\[float, float\] for ensemble_weights, got \(0\.5,\)",
        ),
        (
            {"ensemble_weights": (0.5, 0.0)},
            "expected landmark features, and kinds that exclude each other, for ensemble_weights",
        ),
        (
            {"ensemble_weights": (0.5, 0.1), "landmark_feature_count": 128, "independent": True},
            "expected landmark features, and kinds that exclude each other",
        ),
    ],
)
def test_a_consensus_wants_two_that_can_agree(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(TINY, **changes)


# --- loss ---


def test_smooth_loss_is_zero_for_constant_scores_and_grows_with_steps() -> None:
    labels = torch.zeros(2, 9, dtype=torch.long)
    constant = torch.randn(2, 1, 3, generator=torch.Generator().manual_seed(0)).expand(2, 9, 3)
    assert smooth_loss(constant, labels, LOSS) == 0
    steps = torch.zeros(2, 9, 3)
    steps[:, 4:, 1] = 1.0
    small = smooth_loss(steps, labels, LOSS)
    assert 0 < small < smooth_loss(2 * steps, labels, LOSS)


def test_smooth_loss_takes_large_steps_as_edges() -> None:
    labels = torch.zeros(1, 9, dtype=torch.long)
    steps = torch.zeros(1, 9, 3)
    steps[:, 4:, 1] = 1.0
    at_limit, beyond = (smooth_loss(s * steps, labels, LOSS) for s in (100.0, 200.0))
    torch.testing.assert_close(at_limit, beyond)


def test_unknown_frames_do_not_count() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, strength = (
        torch.randn(3, 2, 9, 3, generator=generator),
        torch.rand(2, 9, generator=generator),
    )
    labels = torch.randint(0, 3, (2, 9), generator=generator)
    labels[:, 4] = -1
    truth = torch.zeros(2, 9)
    changed, changed_strength = logits.clone(), strength.clone()
    changed[:, :, 4] += 5.0
    changed_strength[:, 4] += 5.0
    expected = clip_losses(logits, strength, labels, truth, LOSS)
    found = clip_losses(changed, changed_strength, labels, truth, LOSS)
    assert expected.keys() == {"frame0", "frame1", "frame2", "smooth", "intensity", "total"}
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
    nothing = frame_loss(logits[0], torch.full((2, 9), -1), LOSS)
    assert nothing == 0


def test_the_proposal_is_not_smoothed() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = (
        torch.randn(3, 2, 9, 3, generator=generator),
        torch.ones(2, 9, dtype=torch.long),
    )
    rough = logits.clone()
    rough[0] *= 3
    one, other = (
        clip_losses(x, torch.ones(2, 9), labels, torch.ones(2, 9), LOSS) for x in (logits, rough)
    )
    assert one["smooth"] == other["smooth"]
    assert one["frame0"] != other["frame0"]


def test_total_is_the_weighted_sum_of_its_terms() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = (
        torch.randn(3, 2, 9, 3, generator=generator),
        torch.ones(2, 9, dtype=torch.long),
    )
    terms = clip_losses(logits, torch.ones(2, 9), labels, torch.zeros(2, 9), LOSS)
    frames = (terms["frame0"] + terms["frame1"] + terms["frame2"]) / 3
    torch.testing.assert_close(
        terms["total"], frames + LOSS.smooth * terms["smooth"] + LOSS.intensity * terms["intensity"]
    )


def test_a_rare_class_counts_more() -> None:
    """The same mistake costs more on a frame of the rarer class."""
    labels = torch.tensor([[0, 0, 0, 2]])
    right = torch.nn.functional.one_hot(labels, 3).float() * 4
    miss_neutral, miss_micro = right.clone(), right.clone()
    miss_neutral[0, 0], miss_micro[0, 3] = torch.tensor([0, 0, 4.0]), torch.tensor([4.0, 0, 0])
    assert frame_loss(miss_micro, labels, LOSS) > 2 * frame_loss(miss_neutral, labels, LOSS)

"""Training: it learns, it resumes exactly, and it refuses what it must."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from fesnet.config import PRESETS
from fesnet.errors import CheckpointError, UsageError, WorkerError
from fesnet.faces import LANDMARK_FEATURE_COUNT
from fesnet.faces.landmark_features import BROWS
from fesnet.model.checkpoint import save_weights
from fesnet.model.losses import LossConfig, clip_losses, pair_loss
from fesnet.model.network import FesNet
from fesnet.synth.render import batches
from fesnet.synth.render.avatar import Avatar, make_avatar
from fesnet.synth.render.avatar_renderer import AvatarRenderer
from fesnet.synth.render.batches import TARGETS, clip_batch, expressive_targets
from fesnet.synth.render.landmark_errors import mirror_landmark_features, simulate_landmark_features
from fesnet.synth.render.render_plan import RenderPlan, render_crops
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.writer import write_script
from fesnet.training import TrainConfig, Trainer, read_config, shards, train_from_portraits
from fesnet.training.config import RENAMED, fit_to_model, stable_repr
from fesnet.training.distributed import SINGLE_PROCESS
from fesnet.training.from_portraits import data_of_footage, without_footage
from fesnet.training.samples import SyntheticBatches, draw_people, loaded_batches
from fesnet.training.shards import Shard, ShardMaker, make_shards
from fesnet.training.trainer import STATE
from fesnet.training.video_windows import make_training_footage, video_shards
from fesnet.training.window_set import WindowBatch, WindowSet, augment_time_amplitude
from fesnet.weights import load_weights
from fesnet.windows import reflect_indices

TINY = replace(
    PRESETS["default"],
    crop_size=32,
    width=8,
    heads=2,
    features=16,
    hidden=16,
    window=24,
    stride=8,
    stages=2,
    blocks=1,
)
QUICK = TrainConfig(
    pair_steps=2,
    pair_groups=2,
    pair_frames=2,
    shards=2,
    head_steps=3,
    windows=3,
    video_hours=0,
    clip_steps=2,
    clips=2,
    workers=0,
    warmup=1,
    save_every=2,
    bf16=False,
)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SCRIPTS": 2, "SECONDS": 2, "LEAD": 0.2, "STARTS": 2}.items():
        monkeypatch.setattr(shards, name, value)


@pytest.fixture(scope="module")
def avatars() -> list[Avatar]:
    return make_avatars()


def make_avatars() -> list[Avatar]:
    """Two people with noise for faces."""
    rng = np.random.default_rng(1)
    points = (motion_basis().canonical * 130 + [35, 35, 0]).astype(np.float32)
    photos = [
        np.kron(rng.integers(40, 220, (25, 25, 1), np.uint8), np.ones((8, 8, 3), np.uint8))
        for _ in range(2)
    ]
    return [make_avatar(f"p{i}", photo, points) for i, photo in enumerate(photos)]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def trainer(avatars: list[Avatar], folder: Path, config: TrainConfig = QUICK) -> Trainer:
    torch.manual_seed(0)
    return Trainer(FesNet(TINY), avatars, config, folder)


@pytest.mark.parametrize(("ends", "saved"), [(3, 2), (5, 4), (7, 6)])
def test_interrupted_and_resumed_equals_uninterrupted(
    avatars: list[Avatar], tmp_path: Path, ends: int, saved: int
) -> None:
    """Whether it ends among pairs, windows or clips; a run saves every second step."""
    whole = trainer(avatars, tmp_path / "whole")
    list(whole.run())
    first = trainer(avatars, tmp_path / "parts")
    list(islice(first.run(), ends))  # the process ends here
    second = trainer(avatars, tmp_path / "parts")
    assert second.resume()
    assert second.step == saved
    assert len(list(second.run())) == QUICK.steps - saved
    for (name, a), b in zip(
        whole.network.state_dict().items(), second.network.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("use_model", [0.0, 1.0])
def test_a_device_that_paints_ends_as_workers_that_paint(
    avatars: list[Avatar], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use_model: float
) -> None:
    """With a GPU, batches hold plans, and the trainer paints: the same pixels, the same weights."""
    monkeypatch.setattr(
        batches,
        "landmark_model",
        lambda device: lambda images: images.new_zeros(len(images), 468, 3),
    )
    monkeypatch.setattr("fesnet.synth.render.render_plan.WIDE", 48)
    config = replace(QUICK, head_steps=0, landmark_model_share=use_model)
    here = trainer(avatars, tmp_path / "here", config)
    list(here.run())
    monkeypatch.setattr(TrainConfig, "gpu", True)
    there = trainer(avatars, tmp_path / "there", config)
    list(there.run())
    assert "renderer" in vars(there.pairs.source)
    for (name, a), b in zip(
        here.network.state_dict().items(), there.network.state_dict().values(), strict=True
    ):
        assert torch.allclose(a, b, atol=1e-5), name


def test_a_frozen_lsdm_keeps_its_weights(avatars: list[Avatar], tmp_path: Path) -> None:
    made = trainer(avatars, tmp_path, replace(QUICK, pair_steps=0, head_steps=0, lsdm_lr=0.0))
    before = {name: value.clone() for name, value in made.network.state_dict().items()}
    list(made.run())
    seeing = ("lsdm.stem", "lsdm.backbone", "lsdm.attention", "lsdm.local", "lsdm.pool")
    for name, value in made.network.state_dict().items():
        if name.startswith(seeing):
            assert torch.equal(value, before[name]), name
    assert not torch.equal(
        made.network.state_dict()["lsdm.proposal.weight"], before["lsdm.proposal.weight"]
    )


def test_another_config_does_not_go_on_from_a_state(avatars: list[Avatar], tmp_path: Path) -> None:
    first = trainer(avatars, tmp_path)
    list(islice(first.run(), 3))
    assert trainer(avatars, tmp_path, replace(QUICK, save_every=1)).resume()
    with pytest.raises(UsageError, match="got another head_lr, seed; remove"):
        trainer(avatars, tmp_path, replace(QUICK, seed=5, head_lr=1e-3)).resume()


def test_windows_of_another_training_are_not_taken(avatars: list[Avatar], tmp_path: Path) -> None:
    """They may lie there from a run that was killed before its first state."""
    torch.manual_seed(0)
    network, other = FesNet(TINY), FesNet(TINY)
    make_shards(network, avatars, QUICK, tmp_path)
    make_shards(
        network, avatars, replace(QUICK, shards=3, head_lr=1e-3), tmp_path
    )  # more of the same
    for net, config in (
        (other, QUICK),
        (network, replace(QUICK, seed=1)),
        (network, replace(QUICK, hands=0.5)),
    ):
        with pytest.raises(UsageError, match="got those of another; remove the folder"):
            make_shards(net, avatars, config, tmp_path)


def test_damaged_state_is_refused(avatars: list[Avatar], tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="expected a training state"):
        trainer(avatars, tmp_path).resume()


def test_one_clip_can_be_learnt_by_heart(avatars: list[Avatar]) -> None:
    """Proof that gradients flow through every part: one clip's labels are reproduced frame by
    frame.
    """
    torch.manual_seed(0)
    config = SynthConfig(quiet_share=0.0, macro_per_minute=40, micro_per_minute=0, speech_share=0.0)
    renderer = AvatarRenderer(avatars)
    batch = next(
        b
        for b in (clip_batch(renderer, np.array([0]), seed, 24, 32, config) for seed in range(50))
        if 6 < (b.labels == 1).sum() < 18 and (b.labels >= 0).all()
    )
    network = FesNet(replace(TINY, dropout=0.0)).train()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(150):
        stages, strength = network.decode(
            network.append_landmarks(network.encode_grey(batch.crops[0])[None], batch.landmarks)
        )
        loss = clip_losses(stages, strength, batch.labels, batch.intensity, LossConfig(smooth=0.0))[
            "total"
        ]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right = (stages[-1, 0].argmax(-1) == batch.labels[0]).float().mean()
        if right > 0.95:
            break
    assert right > 0.95


def test_everybody_is_drawn_equally_often() -> None:
    counts = np.bincount(draw_people(np.random.default_rng(0), 5, 12), minlength=5)
    assert counts.max() - counts.min() <= 1


def test_processes_that_draw_for_a_gpu_get_no_pictures(avatars: list[Avatar]) -> None:
    """And draw what the same step holds where it is painted at once."""
    config = replace(QUICK, pair_steps=1, head_steps=0)
    here = SyntheticBatches(avatars, config, TINY, range(2))
    there = SyntheticBatches(avatars, replace(config, device="cuda"), TINY, range(2))
    assert len(pickle.dumps(there)) < avatars[0].picture.nbytes < len(pickle.dumps(here))
    renderer = AvatarRenderer(avatars)
    for index in range(2):  # pairs, then clips
        plan, painted = there[index], here[index]
        assert isinstance(plan.crops, RenderPlan) and isinstance(painted.crops, Tensor)
        assert torch.equal(render_crops(renderer, plan.crops, TINY.crop_size), painted.crops)


def test_config_file(tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_text("seed = 3\n[loss]\nsmooth = 0.2\n[synth]\nspeech_share = 0.5\n")
    config = read_config(file, {"pair_steps": 7, "clip_steps": None})
    assert (config.seed, config.pair_steps, config.loss.smooth, config.synth.speech_share) == (
        3,
        7,
        0.2,
        0.5,
    )
    assert (
        config.synth.speech_pause == TrainConfig().synth.speech_pause
    )  # what the file does not name stays as it is
    file.write_text("sed = 3\n")
    with pytest.raises(UsageError, match="expected settings of TrainConfig"):
        read_config(file, {})
    with pytest.raises(UsageError, match="expected pair_steps of 0 or more, got -1"):
        read_config(None, {"pair_steps": -1})


def test_names_of_earlier_files_are_read(tmp_path: Path) -> None:
    """Settings as version 0.1 named them."""
    file = tmp_path / "train.toml"
    old = {"smilers": 4, "blind": 0.1, "swapped": 0.2, "altered": 0.3, "films": 0.5}
    old |= {"film_share": 0.6, "looked": 0.7, "average": 0.8}
    assert set(old) == set(RENAMED)
    lines = [f"{name} = {value}" for name, value in old.items()]
    file.write_text("\n".join([*lines, "[synth]", "tremble_scale = 0.5"]))
    config = read_config(file, {})
    assert {name: getattr(config, RENAMED[name]) for name in old} == old
    assert config.synth.jitter_scale == 0.5


def test_states_and_shards_of_earlier_versions_are_taken_up(
    avatars: list[Avatar], tmp_path: Path
) -> None:
    """A state with the names of version 0.1; its shards hold `shapes`."""
    first = trainer(avatars, tmp_path)
    list(islice(first.run(), 5))
    state = tmp_path / STATE
    with safe_open(state, "pt") as opened:
        meta = opened.metadata()
    old_name = {new: old for old, new in RENAMED.items()}
    config = {old_name.get(k, k): v for k, v in json.loads(meta["config"]).items()}
    config["synth"]["tremble_scale"] = config["synth"].pop("jitter_scale")
    save_file(load_file(state), state, metadata={**meta, "config": json.dumps(config)})
    again = trainer(avatars, tmp_path)
    assert again.resume()
    assert again.step == 4
    with np.load(tmp_path / "shards" / "00000.npz") as shard:
        assert "shapes" in shard.files
    # As version 0.1 computed it: from the `repr` of its settings.
    assert "tremble_scale=1.0" in stable_repr(SynthConfig())
    assert "relative=True, consensus=(0.6, 0.2)" in stable_repr(PRESETS["default"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[synth]\nrate = 0", r"expected settings of TrainConfig in .*expected a rate above 0"),
        ("loss = 3", "expected settings of TrainConfig"),
        ("pair_groups = 'x'", "expected int for pair_groups, got 'x'"),
        ("bf16 = 'no'", "expected bool for bf16, got 'no'"),
        ("seed = true", "expected int for seed, got True"),
        ("head_lr = nan", "expected float for head_lr, got nan"),
        (
            "[loss]\nclass_weights = [1.0, 2.0]",
            r"expected tuple\[float, float, float\] for class_weights, got",
        ),
        ("[synth]\nspeech_share = 'x'", "expected float for speech_share, got 'x'"),
        ("warmup = 0", "expected warmup of 1 or more, got 0"),
        ("clips = 0", "expected clips of 1 or more, got 0"),
        ("pair_frames = 1", "expected pair_frames of 2 or more, got 1"),
        ("clip_lr = -1", "expected clip_lr of 0 or more, got -1"),
        ("video_window_share = 1.5", "expected video_window_share from 0 to 1, got 1.5"),
    ],
)
def test_settings_that_cannot_be(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "train.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_config(tmp_path / "train.toml", {})


def test_wrong_calls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected preset"):
        list(train_from_portraits(tmp_path, tmp_path / "w", "huge", None, {}))
    with pytest.raises(UsageError, match="expected a new folder"):
        list(train_from_portraits(tmp_path, tmp_path, "default", None, {}))
    with pytest.raises(UsageError, match="at least one portrait"):
        Trainer(FesNet(TINY), [], QUICK, tmp_path)


def test_motion_targets_match_the_preset() -> None:
    assert PRESETS["default"].motions == TARGETS


def test_a_small_error_counts_more_where_little_moves() -> None:
    faint, wide = torch.tensor([[0.1, 0.0, 0.0]]), torch.tensor([[2.0, 0.0, 0.0]])
    expressive = torch.tensor([True, True, False])
    assert pair_loss(faint, faint, expressive) == 0
    missed = torch.tensor([[0.05, 0.05, 0.0]])
    assert pair_loss(faint + missed, faint, expressive) > 5 * pair_loss(
        wide + missed, wide, expressive
    )


def test_a_turning_head_does_not_drown_a_faint_expression() -> None:
    expressive = torch.tensor([True, False])
    still, turning = torch.tensor([[0.1, 0.0]]), torch.tensor([[0.1, 3.0]])
    missed = torch.tensor([[0.1, 0.0]])
    assert torch.isclose(
        pair_loss(still - missed, still, expressive),
        pair_loss(turning - missed, turning, expressive),
    )


def test_expressive_targets_leave_out_eyes_and_head() -> None:
    expressive = expressive_targets()
    assert len(expressive) == TARGETS
    names = [*motion_basis().names, "smile", "yaw", "pitch", "gaze", "gaze"]
    left_out = {n for n, e in zip(names, expressive.tolist(), strict=True) if not e}
    assert {"yaw", "pitch", "gaze", "eyeBlink_L", "eyeLookDown_R"} <= left_out
    assert not left_out & {"mouthSmile_L", "browInnerUp", "eyeSquint_L", "smile"}


def test_the_paper_preset_learns_from_clips_alone() -> None:
    config = fit_to_model(TrainConfig(pair_steps=5, head_steps=7), PRESETS["paper"])
    assert (config.pair_steps, config.head_steps, config.clip_steps) == (0, 0, 7)
    assert config.lsdm_lr == 1.0
    clips = TrainConfig(pair_steps=0, head_steps=0, clip_steps=3)
    for preset in PRESETS.values():  # only where something is trained already is LSDM spared
        assert fit_to_model(clips, preset).lsdm_lr == 1.0
        assert fit_to_model(clips, preset, fresh=False).lsdm_lr == TrainConfig().lsdm_lr
    with pytest.raises(UsageError, match="motion head"):
        Trainer(FesNet(PRESETS["paper"]), [None], QUICK, Path())  # type: ignore[list-item]


# --- windows of a frozen LSDM ---


def test_shards_are_made_once_and_follow_from_seed_and_index(
    avatars: list[Avatar], tmp_path: Path
) -> None:
    network = FesNet(TINY).eval()
    first = make_shards(network, avatars, QUICK, tmp_path)
    (tmp_path / "00001.npz").unlink()
    kept = (tmp_path / "00000.npz").stat().st_mtime_ns
    again = make_shards(network, avatars, QUICK, tmp_path)
    assert (tmp_path / "00000.npz").stat().st_mtime_ns == kept
    for a, b in zip(first, again, strict=True):
        for name in Shard.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (first[0].pixels != first[1].pixels).any()


def test_windows_hold_what_the_whole_network_would_see(avatars: list[Avatar]) -> None:
    """Features, shapes and labels of a window belong to the same frames of the same performance."""
    network = FesNet(TINY).eval()
    maker = ShardMaker(network, avatars, SynthConfig(), seed=3)
    made = [maker.make(i) for i in range(3)]
    held = WindowSet(made)
    n = shards.SCRIPTS * shards.STARTS
    assert len(held) == 3 * n
    batch = held.batch(torch.arange(3 * n), torch.ones(3 * n, dtype=torch.long))
    for k in range(3 * n):
        shard, at = made[k // n], k % n
        frames = shard.start[at] + reflect_indices(TINY.window, int(shard.last[at]))
        np.testing.assert_array_equal(
            batch.landmarks[k].numpy(), shard.landmarks[shard.script[at], 1, frames].astype("f4")
        )
        assert (batch.labels[k, shard.last[at] + 1 :] == -1).all()
        known = batch.labels[k, : shard.last[at] + 1]
        assert (known >= 0).all() or (
            known == -1
        ).all()  # an expression from edge to edge does not count


@pytest.fixture
def films(face_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder such as `fesnet synth` makes, with one video of 1.6 s; chunks of a second."""
    monkeypatch.setattr("fesnet.training.video_windows.SECONDS", 1)
    monkeypatch.setattr("fesnet.training.video_windows.STARTS", 8)
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(face_video.read_bytes())
    columns = "subject,video,kind,onset_frame,apex_frame,offset_frame,amplitude,pixels"
    rows = f"{columns}\np,a.mp4,macro,11,13,15,1,2\n"
    (folder / "a.truth.csv").write_text(rows)
    return folder


def test_films_are_windows_of_whole_videos(films: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = FesNet(TINY).eval()
    (shard,) = video_shards(network, films, tmp_path / "shards")
    assert shard.pixels.shape == (8, TINY.window, TINY.features)
    assert shard.landmarks.shape == (1, 2, 30, LANDMARK_FEATURE_COUNT)
    held = np.zeros(30, int)
    held[12:18] = 1  # frames 10 to 14 at 25 Hz, on ticks of 30 Hz
    for labels, start in zip(shard.labels, shard.start, strict=True):
        assert labels.tolist() == held[start : start + TINY.window].tolist()
    (again,) = video_shards(network, films, tmp_path / "others")
    assert np.array_equal(shard.pixels, again.pixels)
    assert np.abs(shard.pixels.astype(np.float32)).max() > 0


def test_films_are_mixed_in(films: Path, avatars: list[Avatar], tmp_path: Path) -> None:
    config = replace(QUICK, pair_steps=0, video_window_share=0.34)
    given = Trainer(FesNet(TINY), avatars, config, tmp_path / "one", films)
    batch = next(given.windows.batches(range(config.head_steps)))
    assert isinstance(batch, WindowBatch)
    assert (batch.intensity < 0).all(1).tolist() == [False, False, True]  # films do not know it
    assert given.windows.train_step(batch, 0)["total"] > 0


def test_blind_windows_lack_pixels_and_swapped_ones_have_others(avatars: list[Avatar]) -> None:
    held = WindowSet([ShardMaker(FesNet(TINY).eval(), avatars, SynthConfig(), seed=3).make(0)])
    usual = held.sample(np.random.default_rng(0), 200, 0.0)
    batch = held.sample(np.random.default_rng(0), 200, 0.3, 0.2)
    none = (batch.pixels == 0).all(2).all(1)
    other = (batch.pixels != usual.pixels).any(2).any(1) & ~none
    assert 30 < none.sum() < 90
    assert 15 < other.sum() < 65
    still = (batch.landmarks == batch.landmarks[:, :1]).all(2).all(1)
    assert 30 < still.sum() < 90
    assert not (still & (none | other)).any()
    torch.testing.assert_close(batch.landmarks[~still], usual.landmarks[~still])
    torch.testing.assert_close(batch.labels, usual.labels)


def test_altered_windows_begin_alike_and_run_at_another_speed() -> None:
    """A feature that counts frames tells the speed; labels, strength and shapes go along with
    it.
    """
    ramp = torch.arange(40.0)

    def batch() -> WindowBatch:
        track = ramp[None, :, None].repeat(50, 1, 2)
        labels = (ramp >= 20).long().repeat(50, 1)
        return WindowBatch(
            track.clone(), track.clone(), labels, torch.where(ramp >= 20, ramp, -1.0).repeat(50, 1)
        )

    one, usual = batch(), batch()
    augment_time_amplitude(np.random.default_rng(0), one, 0.5)
    changed = (one.pixels != usual.pixels).flatten(1).any(1)
    assert 15 < changed.sum() < 35
    torch.testing.assert_close(one.pixels, one.landmarks)
    assert (one.pixels[:, 0] == 0).all()
    for b in torch.nonzero(changed).flatten().tolist():
        count = one.labels[b] >= 0
        start = int((one.labels[b] == 1).nonzero()[0])
        assert 20 / 1.21 - 1 <= start <= 20 * 1.21 + 1
        seen = one.pixels[b, count, 0]
        assert (seen.diff() > 0).all()
        assert 0.6 < float(seen[1]) < 1.7
        assert (one.intensity[b, count][one.labels[b, count] == 0] == -1).all()
        assert not count[-1] or float(one.pixels[b, -1, 0]) < 39 * 1.36
    unchanged = ~changed
    torch.testing.assert_close(one.labels[unchanged], usual.labels[unchanged])


def test_what_is_kept_is_an_average_of_the_weights(avatars: list[Avatar], tmp_path: Path) -> None:
    config = replace(QUICK, pair_steps=0, clip_steps=0, head_steps=3)
    last = {}
    for average in (0.0, 0.9):
        trained = trainer(avatars, tmp_path / str(average), replace(config, ema=average))
        seen = []
        for _ in trained.run():
            seen.append(trained.network.mtam.state_dict()["intensity.weight"].clone())
        last[average] = trained.network.mtam.state_dict()["intensity.weight"]
    torch.testing.assert_close(last[0.0], seen[-1])
    torch.testing.assert_close(
        last[0.9], (seen[0] + seen[1] + seen[2]) / 3
    )  # so early it is the plain mean
    with pytest.raises(UsageError, match="expected ema of 0 or more and below 1"):
        TrainConfig(ema=1.0)


def test_training_goes_on_from_other_weights(
    avatars: list[Avatar], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no step at all the weights come out as they went in, and name where they come from."""
    torch.manual_seed(0)
    save_weights(
        FesNet(TINY), tmp_path / "first", training={"data": "none"}, rules={"macro_threshold": 0.3}
    )
    asked = []

    def people(folder: Path, smiling_every: int) -> tuple[list[Avatar], list[str]]:
        asked.append(smiling_every)
        return avatars, []

    monkeypatch.setattr("fesnet.training.from_portraits.read_avatars", people)
    none = {"pair_steps": 0, "head_steps": 0, "clip_steps": 0}
    list(
        train_from_portraits(
            tmp_path, tmp_path / "then", "default", None, none, start=tmp_path / "first"
        )
    )
    first, then = (load_weights(tmp_path / n) for n in ("first", "then"))
    assert then.training["start"] == {"sha256": first.sha256, "training": {"data": "none"}}
    assert then.rules == first.rules
    assert then.config == TINY
    for (name, a), b in zip(
        load_file(first.tensors).items(), load_file(then.tensors).values(), strict=True
    ):
        assert torch.equal(a, b), name
    assert asked == [3]
    with pytest.raises(UsageError, match="expected a weights folder"):
        list(
            train_from_portraits(
                tmp_path, tmp_path / "w", "default", None, none, start=tmp_path / "nothing"
            )
        )


def test_shapes_follow_the_performance(avatars: list[Avatar]) -> None:
    """What the landmark model sees moves when the face does, and mirrors with it."""
    rng = np.random.default_rng(0)
    lively = write_script(
        rng,
        60,
        SynthConfig(quiet_share=0.0, macro_per_minute=60, macro_amplitude=(0.8, 1.2)),
        lead=30,
    )
    still = replace(lively, weights=0 * lively.weights, smile=0 * lively.smile)
    points = avatars[0].points[:468]
    moving, resting = (
        simulate_landmark_features(s, points, None, np.random.default_rng(1))
        for s in (lively, still)
    )
    assert moving.shape == (60, LANDMARK_FEATURE_COUNT)
    assert moving.std(0).max() > 2 * resting.std(0).max()
    np.testing.assert_allclose(mirror_landmark_features(mirror_landmark_features(moving)), moving)
    assert np.abs(mirror_landmark_features(moving) - moving).max() > 0.1


def test_in_a_blink_brows_and_head_seem_to_move(avatars: list[Avatar]) -> None:
    """How far the shape of a face whose lids alone move is from the same with open eyes, beside its
    jitter.
    """
    open_eyes = write_script(
        np.random.default_rng(0), 90, SynthConfig(quiet_share=1.0, speech_share=0.0)
    )
    open_eyes = replace(open_eyes, weights=0 * open_eyes.weights, pose=0 * open_eyes.pose)
    lids = np.array([name.startswith("eyeBlink") for name in motion_basis().names])
    weights = open_eyes.weights.copy()
    weights[40:50, lids] = 1
    blink, points = replace(open_eyes, weights=weights), avatars[0].points[:468]
    brows, turn = slice(0, 2 * len(BROWS)), slice(-4, -1)
    seen, other = (
        np.stack(
            [
                simulate_landmark_features(s, points, None, np.random.default_rng(k))
                for k in range(20)
            ]
        )
        for s in (blink, open_eyes)
    )
    for part in (brows, turn):
        moved = np.abs(seen - other)[..., part]
        assert np.median(moved[:, 42:48].max((1, 2))) > 0.03
        assert np.median(moved[:, :38].max((1, 2))) < 0.01


# --- real footage ---


def test_footage_has_a_share_of_its_own(films: Path, avatars: list[Avatar], tmp_path: Path) -> None:
    config = replace(QUICK, pair_steps=0, windows=10, video_window_share=0.3, footage_share=0.2)

    def unknown(videos: Path | None, footage: Path | None) -> list[bool]:
        """Which windows of a step come from videos: their strength is not known."""
        torch.manual_seed(0)
        trainer = Trainer(
            FesNet(TINY), avatars, config, tmp_path / "state", videos, footage=footage
        )
        batch = next(trainer.windows.batches(range(config.head_steps)))
        assert isinstance(batch, WindowBatch)
        return (batch.intensity < 0).all(1).tolist()

    assert unknown(None, None) == [False] * 10
    assert unknown(None, films) == [False] * 8 + [True] * 2
    assert unknown(films, films) == [False] * 5 + [True] * 5
    assert {p.name for p in (tmp_path / "state").iterdir()} == {
        "shards",
        "film-shards",
        "footage-shards",
    }


def test_footage_that_cannot_be_learned_from(films: Path, tmp_path: Path) -> None:
    def prepare(config: TrainConfig, footage: Path | None, masks: Path | None = None) -> Any:
        return make_training_footage(footage, masks, tmp_path / "out", config, SINGLE_PROCESS)

    assert prepare(replace(QUICK, head_steps=0), None) is None
    for config in (replace(QUICK, head_steps=0), replace(QUICK, footage_share=0.0)):
        with pytest.raises(UsageError, match="expected head_steps and a footage_share above 0"):
            prepare(config, films)
    with pytest.raises(UsageError, match=r"of up to 1 together, got 1.1"):
        prepare(replace(QUICK, video_window_share=0.9), films)
    (films / "synth.json").write_text("{}")  # of portraits
    with pytest.raises(UsageError, match="expected videos by `fesnet synth --footage`"):
        prepare(QUICK, films)
    (films / "synth.json").write_text('{"footage": {"a.mpg": "00", "b.mpg": "11"}}')
    assert prepare(QUICK, films) == films
    assert data_of_footage(films).endswith("real footage (2 clips)")
    with pytest.raises(UsageError, match="no masks beside them"):
        prepare(QUICK, films, tmp_path / "masks.csv")


def test_a_state_from_before_footage_resumes(avatars: list[Avatar], tmp_path: Path) -> None:
    config = without_footage(replace(QUICK, head_steps=0, clip_steps=0))
    list(Trainer(FesNet(TINY), avatars, config, tmp_path).run())
    path = tmp_path / STATE
    with safe_open(path, "pt") as opened:
        meta = opened.metadata()
    values = json.loads(meta["config"])
    for name in ("footage_hours", "footage_share"):
        del values[name]
    save_file(load_file(path), path, metadata={**meta, "config": json.dumps(values)})
    assert Trainer(FesNet(TINY), avatars, config, tmp_path).resume()
    with_footage = replace(config, footage_share=0.2)
    with pytest.raises(UsageError, match="got another footage_share"):
        Trainer(FesNet(TINY), avatars, with_footage, tmp_path).resume()


def test_a_helper_of_a_training_that_dies_is_told() -> None:
    def loader(error: Exception) -> Iterator[Any]:
        yield 1
        raise error

    lost = RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")
    with pytest.raises(WorkerError, match="too little memory is the usual reason"):
        list(loaded_batches(loader(lost)))
    with pytest.raises(RuntimeError, match="other"):
        list(loaded_batches(loader(RuntimeError("another one, or other"))))

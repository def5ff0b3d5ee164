"""Training: it learns, it resumes exactly, and it refuses what it must."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from fesnet.errors import CheckpointError, UsageError
from fesnet.losses import LossConfig, clip_losses
from fesnet.model.network import FesNet
from fesnet.synth.basis import motion_basis
from fesnet.synth.batches import TARGETS, clip_batch
from fesnet.synth.crops import Stage
from fesnet.synth.motion import SynthConfig
from fesnet.synth.puppet import Puppet, make_puppet
from fesnet.training import STATE, TrainConfig, Trainer, draw, read_config, train_from_portraits
from fesnet.weights import PRESETS

TINY = replace(
    PRESETS["default"], crop_size=32, width=4, heads=2, features=16, hidden=16, window=24, stride=8, stages=2, blocks=1
)
QUICK = TrainConfig(
    pair_steps=2, pair_groups=2, pair_frames=2, clip_steps=3, clips=2, workers=0, warmup=1, save_every=2, bf16=False
)


@pytest.fixture(scope="module")
def puppets() -> list[Puppet]:
    rng = np.random.default_rng(1)
    points = (motion_basis().canonical * 130 + [35, 35, 0]).astype(np.float32)
    photos = [np.kron(rng.integers(40, 220, (25, 25, 1), np.uint8), np.ones((8, 8, 3), np.uint8)) for _ in range(2)]
    return [make_puppet(f"p{i}", photo, points) for i, photo in enumerate(photos)]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def trainer(puppets: list[Puppet], folder: Path, config: TrainConfig = QUICK) -> Trainer:
    torch.manual_seed(0)
    return Trainer(FesNet(TINY), puppets, config, folder)


def test_interrupted_and_resumed_equals_uninterrupted(puppets: list[Puppet], tmp_path: Path) -> None:
    whole = trainer(puppets, tmp_path / "whole")
    list(whole.run())
    first = trainer(puppets, tmp_path / "parts")
    list(islice(first.run(), 4))  # the process ends here; the last saved state is that of step 2
    second = trainer(puppets, tmp_path / "parts")
    assert second.resume()
    assert second.step == 2
    assert len(list(second.run())) == 3
    for (name, a), b in zip(whole.network.state_dict().items(), second.network.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_damaged_state_is_refused(puppets: list[Puppet], tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="expected a training state"):
        trainer(puppets, tmp_path).resume()


def test_one_clip_can_be_learnt_by_heart(puppets: list[Puppet]) -> None:
    """Proof that gradients flow through every part: one clip's labels are reproduced frame by frame."""
    torch.manual_seed(0)
    config = SynthConfig(quiet_share=0.0, macro_per_minute=40, micro_per_minute=0, speech_share=0.0)
    stage = Stage(puppets)
    batch = next(
        b
        for b in (clip_batch(stage, np.array([0]), seed, 24, 32, config) for seed in range(50))
        if 6 < (b.labels == 1).sum() < 18 and (b.labels >= 0).all()
    )
    network = FesNet(replace(TINY, dropout=0.0)).train()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(150):
        stages, strength = network.decode(network.encode_grey(batch.crops[0])[None])
        loss = clip_losses(stages, strength, batch.labels, batch.intensity, LossConfig(smooth=0.0))["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = stages[-1, 0].argmax(-1)
    assert (found == batch.labels[0]).float().mean() > 0.95


def test_everybody_is_drawn_equally_often() -> None:
    counts = np.bincount(draw(np.random.default_rng(0), 5, 12), minlength=5)
    assert counts.max() - counts.min() <= 1


def test_config_file(tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_text("seed = 3\n[loss]\nsmooth = 0.2\n[synth]\nspeech_share = 0.5\n")
    config = read_config(file, {"pair_steps": 7, "clip_steps": None})
    assert (config.seed, config.pair_steps, config.loss.smooth, config.synth.speech_share) == (3, 7, 0.2, 0.5)
    file.write_text("sed = 3\n")
    with pytest.raises(UsageError, match="expected settings of TrainConfig"):
        read_config(file, {})
    with pytest.raises(UsageError, match="numbers of steps"):
        read_config(None, {"pair_steps": -1})


def test_wrong_calls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected preset"):
        list(train_from_portraits(tmp_path, tmp_path / "w", "huge", None, {}))
    with pytest.raises(UsageError, match="expected a new folder"):
        list(train_from_portraits(tmp_path, tmp_path, "default", None, {}))
    with pytest.raises(UsageError, match="at least one portrait"):
        Trainer(FesNet(TINY), [], QUICK, tmp_path)


def test_motion_targets_match_the_preset() -> None:
    assert PRESETS["default"].motions == TARGETS

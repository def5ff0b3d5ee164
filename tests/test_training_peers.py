"""Several processes train exactly as one does."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.multiprocessing import spawn
from torch.nn.functional import dropout

from fesnet.errors import UsageError
from fesnet.model.network import FesNet
from fesnet.training import TrainConfig, Trainer, shards
from fesnet.training.distributed import (
    SINGLE_PROCESS,
    Processes,
    init_processes,
    synchronize_layers,
)
from fesnet.training.trainer import STATE
from lean_torch import lean_torch
from test_training import QUICK, TINY, make_avatars

# Uneven shares; dropout on, batch normalisation in LSDM and in MTAM. Phase by phase: LSDM looks at
# shards in bfloat16, which makes a thousandth of a rounding error that pairs leave in it.
MODEL = replace(TINY, dropout=0.2)
EVERY = replace(
    QUICK, pair_steps=3, pair_groups=3, head_steps=3, windows=5, clip_steps=2, clips=3, shards=3
)
PHASES = {
    "pairs": replace(EVERY, head_steps=0, clip_steps=0),
    "rest": replace(EVERY, pair_steps=0),
    "bf16": replace(EVERY, pair_steps=2, head_steps=2, clip_steps=1, shards=2, bf16=True),
}


def train_all(rank: int, count: int, folder: Path) -> None:
    """One process of a run of each config; what torchrun would set is set here."""
    for name, value in {"SCRIPTS": 2, "SECONDS": 2, "LEAD": 0.2, "STARTS": 2}.items():
        setattr(shards, name, value)
    torch.set_num_threads(1)
    if count > 1:
        os.environ.update(WORLD_SIZE=str(count), RANK=str(rank), MASTER_ADDR="127.0.0.1")
    processes, _ = init_processes("cpu")
    with lean_torch():
        for phase, config in PHASES.items():
            train_phase(config, folder / phase, processes)
            processes.barrier()
    if count > 1:
        torch.distributed.destroy_process_group()


def train_phase(config: TrainConfig, folder: Path, processes: Processes) -> None:
    torch.manual_seed(0)
    trainer = Trainer(FesNet(MODEL), make_avatars(), config, folder, processes=processes)
    terms = list(trainer.run())
    if processes.is_main:
        (folder / "terms.json").write_text(
            json.dumps([t.get("pair", t.get("total")) for t in terms])
        )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `one` and `two`: everything trained by one process and by two."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch, socket.socket() as free:
        for name in ("SCRIPTS", "SECONDS", "LEAD", "STARTS"):
            patch.setattr(shards, name, getattr(shards, name))  # put back afterwards
        train_all(0, 1, folder / "one")
        free.bind(("127.0.0.1", 0))
        patch.setenv("MASTER_PORT", str(free.getsockname()[1]))
        free.close()
        spawn(train_all, (2, folder / "two"), nprocs=2)
    return folder


@pytest.mark.parametrize(
    ("phase", "loss", "weights"),
    [("pairs", 2e-5, 3e-4), ("rest", 2e-5, 3e-4), ("bf16", 0.02, 0.15)],
)
def test_two_processes_end_as_one_does(
    trained: Path, phase: str, loss: float, weights: float
) -> None:
    one, two = (
        json.loads((trained / n / phase / "terms.json").read_text()) for n in ("one", "two")
    )
    assert len(one) == PHASES[phase].steps
    np.testing.assert_allclose(two, one, rtol=loss)
    one, two = (load_file(trained / n / phase / STATE) for n in ("one", "two"))
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(
            two[name], one[name], rtol=weights, atol=weights, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_shares_are_all_of_a_batch_and_nobody_gets_nothing() -> None:
    parts = [Processes(r, 3).batch_slice(7) for r in range(3)]
    assert [i for p in parts for i in range(7)[p]] == list(range(7))
    with pytest.raises(UsageError, match="expected batches of 3 or more for 3 processes, got 2"):
        Processes(0, 3).batch_slice(2)


def test_alone_nothing_changes() -> None:
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
    synchronize_layers(network, SINGLE_PROCESS)
    assert "forward" not in vars(network[0])
    x = torch.ones(3)
    assert SINGLE_PROCESS.gather(x, 3) is x
    assert SINGLE_PROCESS.batch_slice(5) == slice(0, 5)


def test_clips_alone_are_refused_for_several(tmp_path: Path) -> None:
    config = replace(EVERY, pair_steps=0, head_steps=0)
    with pytest.raises(
        UsageError, match="expected pair or head steps before clip steps for several processes"
    ):
        Trainer(FesNet(MODEL), make_avatars(), config, tmp_path, processes=Processes(0, 2))


def test_a_mask_of_ones_is_the_mask_that_one_process_draws() -> None:
    x = torch.randn(5, 3, 4)
    torch.manual_seed(1)
    direct = dropout(x, 0.3)
    torch.manual_seed(1)
    torch.testing.assert_close(x * dropout(torch.ones(5, 3, 4), 0.3), direct)

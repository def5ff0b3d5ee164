"""A shallow network of three streams over optical flow maps: the baseline after SOFTNet.

Re-implemented from the published idea (G.-B. Liong et al., "Shallow optical flow three-stream CNN
for macro- and micro-expression spotting from long videos", ICIP 2021): u, v and strain between a
frame and a later one go each through one convolution, are joined, and one number says how much of
an expression begins there; it is trained on the overlap of the frame's window with the truth, one
network for each kind; its smoothed course has peaks where expressions are.

Our choices: DIS flow; fixed lags (the paper takes half the mean length of all labels, test subjects
included); frames are drawn half from windows that meet an expression; threshold and length are
chosen on training subjects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fesnet.baselines.base import RATE
from fesnet.baselines.flowmaps import LAGS_S, SIDE
from fesnet.baselines.signals import scale_to_peak

Maps = NDArray[np.int8]  # (T, 2 * 3 * SIDE * SIDE)
STEPS, BATCH = 500, 64
LEAST = 0.05  # a video whose strongest moment is less above its mean has no event


class Softnet(nn.Module):
    """(B, 3, SIDE, SIDE) -> (B,), how much of its window is an expression."""

    def __init__(self) -> None:
        super().__init__()
        self.streams = nn.ModuleList(nn.Conv2d(1, filters, 5, padding=2) for filters in (3, 5, 8))
        self.wide = nn.Linear(16 * (SIDE // 6) ** 2, 400)
        self.leave = nn.Linear(400, 1)

    def forward(self, maps: Tensor) -> Tensor:
        streams = [
            F.max_pool2d(F.relu(s(maps[:, i : i + 1])), 3) for i, s in enumerate(self.streams)
        ]
        joined = F.max_pool2d(torch.cat(streams, 1), 2).flatten(1)
        out: Tensor = self.leave(F.relu(self.wide(joined)))[:, 0]
        return out


def window_overlap(held: NDArray[np.int8], lag: int) -> NDArray[np.float32]:
    """(T,) share of the window from each tick to `lag` ticks later that is in an expression, from
    (T,) 0 or 1.
    """
    path = np.concatenate([[0], np.cumsum(held == 1)])
    row = np.arange(len(held))
    stop = np.minimum(row + lag, len(held))
    return np.asarray((path[stop] - path[row]) / lag, np.float32)


def map_tensor(maps: Maps, rows: NDArray[np.int64], kind: int) -> Tensor:
    """Maps of one lag, (N, 3, SIDE, SIDE) in -1..1."""
    size = 3 * SIDE * SIDE
    chosen = np.asarray(maps[rows, kind * size : (kind + 1) * size], np.float32) / 127
    return torch.from_numpy(chosen.reshape(-1, 3, SIDE, SIDE))


def train_softnet(
    train_set: Sequence[tuple[Maps, NDArray[np.int8]]], kind: int, seed: int, steps: int
) -> Softnet:
    """One kind's network from maps and held (T, 2) of the training videos."""
    torch.manual_seed(seed)
    rng, lag = np.random.default_rng([seed, kind]), round(LAGS_S[kind] * RATE)
    targets = [window_overlap(held[:, kind], lag) for _, held in train_set]
    every = np.array([(v, t) for v, target in enumerate(targets) for t in range(len(target))])
    marked = np.flatnonzero(np.concatenate(targets) > 0)
    network = Softnet().train()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.01)
    for _ in range(steps):
        chosen = rng.integers(len(every), size=BATCH)
        if len(marked):
            chosen[: BATCH // 2] = rng.choice(marked, BATCH // 2)
        places = every[chosen]
        maps = torch.cat([map_tensor(train_set[v][0], np.array([t]), kind) for v, t in places])
        truth = torch.tensor([float(targets[v][t]) for v, t in places])
        optimizer.zero_grad(set_to_none=True)
        F.mse_loss(network(maps), truth).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return network.eval()


@torch.inference_mode()
def score_maps(network: Softnet, maps: Maps, kind: int) -> NDArray[np.float32]:
    """(T,) in 0..1: smoothed over the lag, laid on the window's middle, relative to the video's
    mean and maximum.
    """
    rows = np.arange(len(maps))
    found = np.concatenate(
        [
            network(map_tensor(maps, rows[i : i + 512], kind)).numpy()
            for i in range(0, len(rows), 512)
        ]
    )
    lag = round(LAGS_S[kind] * RATE)
    wide = np.pad(found, (lag, lag), mode="edge")
    smooth = np.convolve(wide, np.ones(lag) / lag, "full")[
        lag : lag + len(found)
    ]  # each tick is in `lag` windows
    return np.asarray(scale_to_peak([smooth], LEAST)[0], np.float32)


def fit_and_score_softnet(
    train_set: Sequence[tuple[Maps, NDArray[np.int8]]],
    test_inputs: Sequence[Maps],
    seed: int,
    steps: int | None,
) -> tuple[list[NDArray[np.float32]], str]:
    """Scores (1, T, 2) of the test videos, and a fingerprint of the weights."""
    torch.set_num_threads(1)
    networks = [train_softnet(train_set, kind, seed, steps or STEPS) for kind in range(2)]
    digest = hashlib.sha256()
    for network in networks:
        for values in network.state_dict().values():
            digest.update(values.numpy().tobytes())
    return [
        np.stack([score_maps(n, maps, k) for k, n in enumerate(networks)], 1)[None]
        for maps in test_inputs
    ], digest.hexdigest()

"""What each part of the network is worth: one table, by short trainings that differ in one thing.

usage: python experiments/ablate.py PORTRAITS FOLDER --part cascade|LSDM [--weights WEIGHTS]
       [--steps 1000] [--pair-steps 300] [--seeds 2] [--rows NAME,NAME]

Cascade rows: proposals and MTAM are trained from scratch on windows of TRAIN people as the frozen
LSDM of WEIGHTS (default: the bundled ones) sees them, and measured on windows of VALIDATION people.
FOLDER/train and FOLDER/validation hold the windows and are made where they are missing (hours on
two cores). LSDM rows: pairs of frames from the start, measured on VALIDATION people.
FOLDER/cascade.json and FOLDER/LSDM.json keep what is done; a second call goes on. All is synthetic.

loss   of the last stage on validation windows, per frame F1     of intervals by kind at IoU 0.5;
thresholds from one half of the validation performances, F1 from the other share  of the motion's
squared error between two frames that LSDM leaves unexplained (0: none, 1: all)
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fesnet._io import atomic_write_text
from fesnet.config import PRESETS, FesNetConfig
from fesnet.intervals import KINDS, Interval, true_runs
from fesnet.metrics import Counts, count, overall
from fesnet.model.checkpoint import load_network
from fesnet.model.losses import LossConfig, clip_losses, frame_loss, pair_loss
from fesnet.model.network import FesNet
from fesnet.postprocess import IntervalRules, find_intervals
from fesnet.synth.render.avatar import Avatar
from fesnet.synth.render.avatar_renderer import AvatarRenderer
from fesnet.synth.render.batches import PairBatch, expressive_targets, plan_pairs
from fesnet.synth.render.portraits import read_avatars
from fesnet.synth.render.render_plan import render_crops
from fesnet.training import TrainConfig, Trainer
from fesnet.training.samples import draw_people
from fesnet.training.shards import Shard, write_shards
from fesnet.training.window_set import WindowSet
from fesnet.weights import load_weights

TRAIN, VALIDATION = slice(0, -16), slice(-16, -8)
SHARDS, VALIDATION_SHARDS = 400, 40
RATE = 30.0
GRID = [round(x, 2) for x in np.arange(0.2, 0.86, 0.1)]


@dataclass(frozen=True)
class Row:
    """One thing changed. model, loss: fields of the configs; frames: of each window; sigmoid:
    independent kinds; colour: red, green and blue of each crop instead of its luma."""

    name: str
    model: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)
    frames: int | None = None
    without: str = ""
    sigmoid: bool = False
    colour: bool = False


CASCADE = (
    Row("default"),
    Row("changes not in units of their mean size", {"normalize_motion": False}),
    Row(
        "changes from the first frame alone, not from the median",
        {"add_median_difference": False, "normalize_motion": False},
    ),
    Row("window of 192 frames (6.4 s)", frames=192),
    Row("window of 128 frames (4.3 s)", frames=128),
    Row("window of 64 frames (2.1 s)", frames=64),
    Row("pixels alone", {"landmark_feature_count": 0}),
    Row("shapes alone", without="pixels"),
    Row("one temporal scale", {"multi_scale": False}),
    Row("one stage (no cascade)", {"cascade": False}),
    Row("two stages", {"stages": 2}),
    Row("five stages", {"stages": 5}),
    Row("no smooth loss", loss={"smooth": 0.0}),
    Row("no intensity", loss={"intensity": 0.0}),
    Row("focal loss", loss={"focal": 1.0}),
    Row("sigmoid heads", sigmoid=True),
    Row("twice the hidden channels", {"hidden": 128}),
)
LSDM = (
    Row("default"),
    Row("no attention", {"attention": False}),
    Row("no discrepancy (frame and reference side by side)", {"discrepancy": False}),
    Row("discrepancy alone, as the paper", {"concat_reference": False}),
    Row("neither: the frame alone", {"discrepancy": False, "concat_reference": False}),
    Row("whole crop instead of the face alone", {"face_only": False}),
    Row("crops of 64 pixels", {"crop_size": 64}),
    Row("crops of 128 pixels", {"crop_size": 128}),
    Row("half the width", {"width": 8}),
    Row("in colour", colour=True),
)


# -- cascade


def windows_of(
    folder: Path, count: int, network: FesNet, avatars: list[Avatar], seed: int
) -> WindowSet:
    """Windows in a folder, made first where there are none."""
    files = sorted(folder.glob("*.npz"))
    if not files:
        folder.mkdir(parents=True, exist_ok=True)
        config = TrainConfig(seed=seed)
        write_shards(network.config, network.state_dict(), avatars, config, folder, range(count))
        files = sorted(folder.glob("*.npz"))
    return WindowSet([Shard.load(file) for file in files])


def look(network: FesNet, batch: Any, row: Row) -> tuple[Tensor, Tensor]:
    """Logits of all stages and intensity for a batch of windows."""
    frames = row.frames or batch.labels.shape[1]
    pixels = batch.pixels[:, :frames]
    features = torch.zeros_like(pixels) if row.without == "pixels" else pixels
    if network.config.landmark_feature_count:
        shapes = batch.landmarks[:, :frames]
        features = torch.cat([features, network.lsdm.encode_landmarks(shapes - shapes[:, :1])], -1)
    return network.score(features)


def sigmoid_loss(stages: Tensor, labels: Tensor) -> Tensor:
    """Binary cross entropy of each kind by itself, class-weighted as the default loss; mean over
    stages.
    """
    known = labels >= 0
    truth = torch.stack([labels == 1, labels == 2], -1).float()[known]
    weight = torch.tensor(LossConfig().class_weights)[labels[known]][:, None].expand_as(truth)
    losses = [
        torch.nn.functional.binary_cross_entropy_with_logits(logits[..., 1:][known], truth, weight)
        for logits in stages
    ]
    return torch.stack(losses).mean()


def train_cascade(row: Row, network: FesNet, held: WindowSet, steps: int, seed: int) -> FesNet:
    config = TrainConfig(
        seed=seed, pair_steps=0, head_steps=steps, loss=replace(LossConfig(), **row.loss)
    )
    trainer = Trainer(network, [None], config, Path())  # type: ignore[list-item]  # no portrait is rendered here
    network.train()
    for step in range(steps):
        torch.manual_seed(seed * 1_000_003 + step)
        lies = (
            (config.modality_dropout, config.modality_shuffle)
            if network.config.landmark_feature_count and not row.without
            else (0.0, 0.0)
        )
        batch = held.sample(np.random.default_rng([seed, step]), config.windows, *lies)
        trainer.updater.set_learning_rate(config.head_lr, step, steps, 0.0)
        stages, strength = look(network, batch, row)
        labels, truth = (x[:, : stages.shape[2]] for x in (batch.labels, batch.intensity))
        if row.sigmoid:
            trainer.updater.update(sigmoid_loss(stages, labels))
        else:
            trainer.updater.update(
                clip_losses(stages, strength, labels, truth, config.loss)["total"]
            )
    return network.eval()


@torch.inference_mode()
def scores_of(network: FesNet, held: WindowSet, row: Row) -> tuple[np.ndarray, np.ndarray, float]:
    """Scores (N, T, 2), labels (N, T) and the last stage's loss."""
    scores, labels, losses = [], [], []
    for first in range(0, len(held), 64):
        which = torch.arange(first, min(first + 64, len(held)))
        batch = held.batch(which, which % 2)
        stages, _ = look(network, batch, row)
        truth = batch.labels[:, : stages.shape[2]]
        last = stages[-1]
        scores.append((last.sigmoid() if row.sigmoid else last.softmax(-1))[..., 1:].numpy())
        labels.append(truth.numpy())
        losses.append(float(frame_loss(last, truth, LossConfig())))
    return np.concatenate(scores), np.concatenate(labels), float(np.mean(losses))


def intervals_of(labels: np.ndarray) -> list[Interval]:
    return [
        Interval(a, b, kind)
        for code, kind in enumerate(KINDS, 1)
        for a, b in true_runs(labels == code)
    ]


def measure(scores: np.ndarray, labels: np.ndarray, rules: IntervalRules) -> dict[str, Counts]:
    """Counts over windows; those without a labelled frame are left out."""
    out = []
    for score, label in zip(scores, labels, strict=True):
        n = int((label >= 0).sum())
        if n:
            found = find_intervals(score[:n], np.arange(n) / RATE, rules)
            held = [
                Interval(round(i.onset_s * RATE), round(i.offset_s * RATE) + 1, i.kind)
                for i in found
            ]
            out.append(count(intervals_of(label[:n]), held))
    return overall(out)


def best_rules(scores: np.ndarray, labels: np.ndarray, exclusive: bool) -> IntervalRules:
    def value(rules: IntervalRules) -> float:
        found = measure(scores, labels, rules)
        return found["macro"].f1 + found["micro"].f1

    grid = itertools.product(GRID, GRID)
    made = (
        IntervalRules(macro_threshold=a, micro_threshold=b, exclusive=exclusive) for a, b in grid
    )
    return max(made, key=value)


def cascade_row(
    row: Row, base: FesNet, train: WindowSet, validation: WindowSet, steps: int, seed: int
) -> dict[str, float]:
    torch.manual_seed(seed)
    config = replace(
        base.config, **{"ensemble_weights": (0.0, 0.0), **row.model}
    )  # what is trained here is evaluated without the ensemble
    network = FesNet(config)
    kept = {
        n: p for n, p in base.state_dict().items() if n.startswith("lsdm") and "proposal" not in n
    }
    own = network.state_dict()
    network.load_state_dict(
        {n: kept[n] if n in kept and kept[n].shape == own[n].shape else own[n] for n in own}
    )
    network = train_cascade(row, network, train, steps, seed)
    scores, labels, loss = scores_of(network, validation, row)
    chosen = validation.script.numpy() % 2 == 0
    rules = best_rules(scores[chosen][::2], labels[chosen][::2], not row.sigmoid)
    found = measure(scores[~chosen], labels[~chosen], rules)
    return {"loss": loss, "macro F1": found["macro"].f1, "micro F1": found["micro"].f1}


# -- LSDM


class OneColour(AvatarRenderer):
    """A stage whose pictures show one of red, green and blue alone."""

    def __init__(self, avatars: list[Avatar], channel: int) -> None:
        self.channel = channel
        super().__init__(avatars)

    def grey(self, pictures: Sequence[np.ndarray]) -> Tensor:
        return torch.as_tensor(np.stack(pictures)[..., self.channel]).float()[:, None] / 255


class Pairs:
    """Groups of frames of some people, in luma or in colour (under one light, with the same noise
    in all channels).
    """

    def __init__(self, avatars: list[Avatar], model: FesNetConfig, colour: bool) -> None:
        self.model = model
        self.stages = (
            [OneColour(avatars, c) for c in range(3)] if colour else [AvatarRenderer(avatars)]
        )

    def batch(self, who: np.ndarray, seed: int) -> PairBatch[Tensor]:
        """Crops (G, 4, channels, size, size) of people (G,), and targets."""
        size = self.model.crop_size
        plan = plan_pairs(self.stages[0], who, seed, 4, size, face_only=self.model.face_only)
        return PairBatch(
            torch.cat([render_crops(s, plan.crops, size) for s in self.stages], 2), plan.targets
        )


def lsdm_row(row: Row, avatars: list[Avatar], steps: int, seed: int) -> dict[str, float]:
    torch.manual_seed(seed)
    model: FesNetConfig = replace(
        PRESETS["default"], **{"ensemble_weights": (0.0, 0.0), **row.model}
    )
    network = FesNet(model)
    if row.colour:
        network.lsdm.stem[0] = torch.nn.Conv2d(3, model.width, 5, 2, 2, bias=False)
    config = TrainConfig(
        seed=seed, pair_steps=steps, head_steps=0, pair_groups=32, save_every=10**9
    )
    trainer = Trainer(network, avatars[TRAIN], config, Path())
    pairs = Pairs(avatars[TRAIN], model, row.colour)
    for step in range(steps):
        rng = np.random.default_rng([seed, step])
        batch = pairs.batch(
            draw_people(rng, len(avatars[TRAIN]), config.pair_groups), int(rng.integers(2**62))
        )
        torch.manual_seed(seed * 1_000_003 + step)
        trainer.pairs.train_step(batch, step)
        trainer.step += 1
    network.eval()
    pairs, left, whole = Pairs(avatars[VALIDATION], model, row.colour), 0.0, 0.0
    first, second = zip(*itertools.permutations(range(4), 2), strict=True)
    for k in range(8):
        held = pairs.batch(np.arange(8).repeat(4), 1000 + k)
        with torch.inference_mode():
            z = network.encode_grey(held.crops.flatten(0, 1)).unflatten(0, (32, 4))  # type: ignore[no-untyped-call]
            found = network.lsdm.predict_motion(
                z[:, second].flatten(0, 1)[:, None], z[:, first].flatten(0, 1)[:, None]
            )[:, 0]
        truth = (held.targets[:, second] - held.targets[:, first]).flatten(0, 1)
        left += pair_loss(found, truth, expressive_targets()).item()
        whole += pair_loss(torch.zeros_like(truth), truth, expressive_targets()).item()
    return {"share": left / whole}


# -- table


def lines(table: dict[str, dict[str, float]], part: str, rows: tuple[Row, ...]) -> Iterator[str]:
    """Markdown: mean over seeds, and the spread between them where there are several."""
    columns = ("loss", "macro F1", "micro F1") if part == "cascade" else ("share",)
    yield f"| {part} | " + " | ".join(columns) + " |"
    yield "|---|" + "---|" * len(columns)
    for row in rows:
        runs_of_row = [v for k, v in table.items() if k.split("/")[:2] == [part, row.name]]
        if runs_of_row:
            values = np.array([[r[c] for c in columns] for r in runs_of_row])
            spread = [f" ± {s / 2:.3f}" if len(values) > 1 else "" for s in np.ptp(values, 0)]
            cells = (f"{m:.3f}{s}" for m, s in zip(values.mean(0), spread, strict=True))
            yield f"| {row.name} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("portraits", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--pair-steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", help="names of rows, divided by commas; default: all")
    parser.add_argument("--part", choices=("cascade", "LSDM"), required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    avatars, _ = read_avatars(given.portraits)
    file = given.folder / f"{given.part}.json"
    table = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    rows = CASCADE if given.part == "cascade" else LSDM
    wanted = [row for row in rows if given.rows is None or row.name in given.rows.split(",")]
    if given.part == "cascade":
        base = load_network(load_weights(given.weights)).eval()
        train = windows_of(given.folder / "train", SHARDS, base, avatars[TRAIN], 0)
        validation = windows_of(
            given.folder / "validation", VALIDATION_SHARDS, base, avatars[VALIDATION], 1000
        )
    for seed, row in itertools.product(range(given.seeds), wanted):
        key = f"{given.part}/{row.name}/{seed}"
        if key not in table:
            if given.part == "cascade":
                table[key] = cascade_row(row, base, train, validation, given.steps, seed)
            else:
                table[key] = lsdm_row(row, avatars, given.pair_steps, seed)
            print(key, table[key], flush=True)
            atomic_write_text(file, json.dumps(table, indent=1) + "\n")
    print("\n".join(lines(table, given.part, rows)))


if __name__ == "__main__":
    main()

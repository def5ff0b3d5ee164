"""Fine-tuning on a lab's own videos: what counts, what is learned, and when nothing is written."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from fesnet.errors import TruthError, UsageError
from fesnet.evaluation import fine_tuning
from fesnet.evaluation.fine_tuning import (
    FineTuneEstimate,
    FineTuneOptions,
    Lab,
    fine_tune_on_videos,
    fold_groups,
)
from fesnet.faces import Face
from fesnet.interval_check import install_check, load_check
from fesnet.intervals import Interval
from fesnet.kept_features import KeptFace, KeptFeatures, keep_features, spot_again
from fesnet.metrics import count, overall
from fesnet.model.checkpoint import export_weights, save_weights
from fesnet.result import SourceInfo
from fesnet.spotter import Spotter
from fesnet.stream import SpotStream
from fesnet.training.config import TrainConfig
from fesnet.training.lab_features import (
    MAX_WINDOWS,
    FrameDecoder,
    ProjectingEncoder,
    lab_shard,
    window_every,
    window_rows,
)
from fesnet.training.lab_videos import (
    LabVideo,
    fine_tune,
    lab_config,
    load_start,
    read_lab,
    save_tuned,
)
from fesnet.training.shards import Shard
from fesnet.video import Frame
from fesnet.weights import Weights, bundled_weights, load_weights
from fesnet.windows import MIN_WINDOW
from small_network import SHAPED, face_of, make_network, moving_crops

INFO = SourceInfo("clip", None, None, 96, 96, "30", None, None)

HEAD = "participant,video,kind,onset_s,onset_frame,apex_frame,offset_frame,by,checked\n"


def make_lab(folder: Path, rows: list[str], names: tuple[str, ...] = ("a", "b", "c")) -> Path:
    for name in names:
        (folder / f"{name}.mp4").touch()
    table = folder / "expressions.csv"
    table.write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return table


def make_shard(seed: int, marked: bool) -> Shard:
    """Windows in which the second half is a macro-expression, and looks like one if `marked`."""
    rng = np.random.default_rng(seed)
    count, steps = 6, SHAPED.window
    labels = np.zeros((count, steps), np.int8)
    labels[:, steps // 2 :] = 1
    pixels = rng.normal(0, 0.1, (count, steps, SHAPED.features))
    pixels[..., :4] += 2 * labels[..., None] * marked
    size = SHAPED.landmark_feature_count
    return Shard(
        pixels=pixels.astype(np.float16),
        labels=labels,
        strength=np.full((count, steps), -1, np.float16),
        landmarks=np.zeros((1, 2, 2 * steps, size), np.float16),
        script=np.zeros(count, np.int64),
        start=np.arange(count),
        last=np.full(count, steps - 1),
    )


def test_only_videos_that_a_person_looked_at_as_a_whole_count(tmp_path: Path) -> None:
    table = make_lab(
        tmp_path,
        [
            "P1,a,macro,0,3,4,9,machine,True",
            "P1,a,micro,1,20,21,25,anna,False",
            "P2,b,macro,0,3,4,9,anna,True",
            "P2,b,macro,1,30,34,39,machine,False",
        ],
    )
    videos, left = read_lab(tmp_path, table)
    truth = (Interval(3, 10, "macro"), Interval(20, 26, "micro"))
    assert videos == [LabVideo(tmp_path / "a.mp4", "P1", truth)]
    assert left == [
        "left out: 1 video, as not all of it is checked",
        f"left out: 1 video without an expression in {table}",
    ]


def test_a_table_of_other_videos_is_refused(tmp_path: Path) -> None:
    table = make_lab(tmp_path, ["P1,elsewhere,macro,0,3,4,9,anna,True"])
    with pytest.raises(TruthError, match=r"one video named elsewhere .*line 2"):
        read_lab(tmp_path, table)


def test_a_table_may_name_the_folder_itself(tmp_path: Path) -> None:
    """As where the manifest lies beside the folder: videos/a.mp4."""
    folder = tmp_path / "videos"
    folder.mkdir()
    table = make_lab(folder, ["P1,videos/a,macro,0,3,4,9,anna,True"])
    videos, _ = read_lab(folder, table)
    assert [v.path.name for v in videos] == ["a.mp4"]
    table = make_lab(folder, ["P1,other/a,macro,0,3,4,9,anna,True"])
    with pytest.raises(TruthError, match="one video named other/a"):
        read_lab(folder, table)


def test_phases_that_need_portraits_are_refused() -> None:
    assert lab_config(None, {"head_steps": None}).head_steps == 100
    assert lab_config(None, {"head_steps": 7}).head_steps == 7
    with pytest.raises(UsageError, match="pair_steps 5"):
        lab_config(None, {"pair_steps": 5})


def test_fine_tuning_learns_and_is_the_same_again() -> None:
    network = make_network(SHAPED)
    config = lab_config(None, {"head_steps": 12})
    config = replace(config, windows=4, head_lr=1e-2, ema=0.5, warmup=2)
    backbone = {k: v.clone() for k, v in network.lsdm.backbone.state_dict().items()}
    shards = [make_shard(k, marked=True) for k in range(3)]
    tuned = fine_tune(network, shards, config)
    short = replace(config, head_steps=2)
    pair = (fine_tune(network, shards, short), fine_tune(network, shards, short))
    for one, other in zip(*(n.parameters() for n in pair), strict=True):
        assert torch.equal(one, other)
    for name, value in tuned.lsdm.backbone.state_dict().items():
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(value, backbone[name]), name
    assert contrast(tuned, make_shard(9, marked=True)) > contrast(network, shards[0]) + 0.2


def contrast(network: torch.nn.Module, shard: Shard) -> float:
    """How much more macro the second half of the windows is, as the network sees it."""
    with torch.inference_mode():
        pixels = torch.from_numpy(shard.pixels.astype(np.float32))
        size = SHAPED.landmark_feature_count
        still = torch.zeros((*pixels.shape[:2], size))
        encoded = network.lsdm.encode_landmarks(still)  # type: ignore[operator,union-attr]
        stages, _ = network.score(torch.cat([pixels, encoded], -1))  # type: ignore[operator]
        macro = stages[-1].softmax(-1)[..., 1]
        half = macro.shape[1] // 2
        return float(macro[:, half:].mean() - macro[:, :half].mean())


def test_every_participant_is_left_out_once() -> None:
    people = [f"P{k}" for k in range(13)]
    groups = fold_groups(people)
    assert len(groups) == 5
    assert sorted(p for group in groups for p in group) == sorted(people)
    assert fold_groups(people[:3]) == [["P0"], ["P1"], ["P2"]]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FineTuneOptions]:
    """Three participants with seven expressions each, and a start; videos are not really read."""
    rows = [
        f"P{p},{name},macro,{k},{20 * k},{20 * k + 4},{20 * k + 9},anna,True"
        for p, name in enumerate("abc")
        for k in range(7)
    ]
    (tmp_path / "lab").mkdir()
    table = make_lab(tmp_path / "lab", rows)
    save_weights(make_network(SHAPED), tmp_path / "start", training={}, rules={})

    def read_nothing(
        start: Weights, videos: list[LabVideo], config: TrainConfig, folder: Path
    ) -> Generator[str, None, Lab]:
        yield "read"
        shards = [make_shard(k, marked=True) for k in range(len(videos))]
        return Lab(videos, [], shards, load_start(start), start, config)

    monkeypatch.setattr(fine_tuning, "prepare_lab", read_nothing)
    start = str(tmp_path / "start")
    yield FineTuneOptions(tmp_path / "lab", table, tmp_path / "new", start, None, {"head_steps": 2})


@pytest.mark.parametrize("better", [True, False])
def test_weights_are_written_only_where_strangers_profit(
    lab: FineTuneOptions, monkeypatch: pytest.MonkeyPatch, *, better: bool
) -> None:
    def spot(lab: Lab, number: int, network: object) -> Any:
        truth = lab.videos[number].truth
        whole = truth if (network is not lab.network) == better else truth[:3]
        found = [
            SimpleNamespace(onset_frame=i.start, offset_frame=i.stop - 1, kind=i.kind)
            for i in whole
        ]
        return SimpleNamespace(intervals=found, known_seconds=60.0)

    monkeypatch.setattr(Lab, "spot", spot)
    monkeypatch.setattr(fine_tuning, "MAX_FOLDS", 2)
    lines = list(fine_tune_on_videos(lab))
    told = [line for line in lines if line.startswith("left out ")]
    assert told == ["left out 1 of 2: P0, P2", "left out 2 of 2: P1"]
    assert lab.out.exists() == better
    assert ("nothing is written" in lines[-1]) != better
    assert sorted(p.name for p in lab.out.parent.iterdir() if p.name.startswith(".")) == []
    if better:
        made = load_weights(lab.out)
        assert made.training["left_out_participants"]["f1"]["after"]["macro"] == 1.0
        assert made.training["data"] == "own videos: 3 videos of 3 participants"
        assert made.training["start"]["sha256"] == load_weights(lab.start).sha256


def test_tuned_weights_keep_the_interval_check(tmp_path: Path) -> None:
    """The thresholds of their rules are of its probabilities. Both are as the start has them."""
    save_weights(make_network(SHAPED), tmp_path / "start", training={}, rules={})
    bundled = load_check(bundled_weights())
    assert bundled
    install_check(tmp_path / "start", bundled, {"macro": 0.6, "micro": 0.66})
    start = load_weights(tmp_path / "start")
    save_tuned(make_network(SHAPED), start, tmp_path / "new", {})
    export_weights(tmp_path / "new", tmp_path / "again")
    for name in ("new", "again"):
        spotter = Spotter(tmp_path / name)  # refuses a check whose sha256 is not in the config
        assert spotter.check == bundled
        assert spotter.rules.micro_threshold == 0.66


def test_kept_features_are_spotted_as_the_video_is(tmp_path: Path) -> None:
    """Also where a face goes and comes back. Features are kept in 16 bits."""
    save_weights(make_network(SHAPED), tmp_path / "start", training={}, rules={})
    bundled = load_check(bundled_weights())
    assert bundled
    install_check(tmp_path / "start", bundled, {"macro": 0.1, "micro": 0.1})
    spotter = Spotter(tmp_path / "start")
    config, rules = spotter.weights.config, spotter.rules
    crops = moving_crops(240)
    frames: Any = [Frame(i, i / 30, crop) for i, crop in enumerate(crops)]
    tracker = ScriptedTracker()
    stream = SpotStream(tracker, spotter.runtime, config, rules, spotter.check)
    for frame in frames:
        stream.push(frame)
    expected, candidates = stream.finish()[0], stream.candidates()
    encoder = ProjectingEncoder(spotter.weights, load_start(spotter.weights))
    kept = keep_features(frames, INFO, ScriptedTracker(), encoder, config, tmp_path / "features")
    assert [b - a for a, b in kept.faces[0].segments()] == [100, 110]
    decoder = FrameDecoder(load_start(spotter.weights))
    again = spot_again(kept, decoder, config, rules, spotter.check)
    np.testing.assert_array_equal(np.isnan(again.faces[0].scores), np.isnan(expected.scores))
    np.testing.assert_allclose(again.faces[0].scores, expected.scores, atol=2e-3)
    assert candidates and again.candidates
    assert [c.kind for c in again.candidates] == [c.kind for c in candidates]
    onsets = [[c.onset_frame for c in every] for every in (again.candidates, candidates)]
    np.testing.assert_allclose(*onsets, atol=1)  # 16 bits can move an edge to the next frame


class ScriptedTracker:
    """A face on every frame but thirty."""

    def push(self, frame: Frame) -> list[Face]:
        """The face of a frame, by its number."""
        if 100 <= frame.index < 130:
            return []
        return [face_of(frame.image, frame.index, frame.time, int(frame.index >= 130))]


def test_windows_of_a_lab_are_those_of_spotting() -> None:
    assert window_rows(MIN_WINDOW - 1, 320, 30) == []
    whole = window_rows(400, 320, 30)
    assert len(whole) == 8  # four starts, the last one as late as can be, in both directions
    assert [(int(at[0]), int(at[-1])) for at, _ in whole[:2]] == [(0, 319), (319, 0)]
    assert max(int(at.max()) for at, _ in whole) == 399
    short = window_rows(100, 320, 30)
    assert [last for _, last in short] == [99, 99]
    assert short[0][0][:101].tolist() == [*range(100), 98]  # reflected
    assert short[1][0][:101].tolist() == [*range(99, -1, -1), 1]
    assert window_every(600) == 1.0
    assert 2 * 36_000 / window_every(36_000) == MAX_WINDOWS  # ten hours


def test_windows_of_kept_features_are_labelled_where_the_truth_lies(tmp_path: Path) -> None:
    network = make_network(SHAPED)
    rows = 2 * ((network.lsdm.side + 1) // 2) ** 2 + SHAPED.landmark_feature_count // 32
    values = np.random.default_rng(0).normal(0, 1, (200, rows, 32)).astype(np.float16)
    steps = np.r_[0:100, 130:230]
    first = np.isin(steps, [0, 130])
    kept = KeptFeatures(INFO, {0: KeptFace(steps, first, values)}, np.arange(230) / 30)
    shard = lab_shard(network, kept, [Interval(10, 20, "macro"), Interval(140, 144, "micro")], 1.0)
    window = SHAPED.window
    assert shard.labels.shape == (len(shard.start), window)
    assert set(np.unique(shard.labels)) == {0, 1, 2}
    forwards, backwards = shard.labels[0], shard.labels[1]
    assert forwards.tolist() == [0] * 10 + [1] * 6
    assert backwards.tolist() == forwards[::-1].tolist()
    np.testing.assert_array_equal(shard.landmarks[0, 0], shard.landmarks[1, 0, ::-1])
    assert not np.allclose(shard.pixels[0], shard.pixels[1][::-1])  # against another first frame


def test_too_little_is_refused_before_any_work(tmp_path: Path, lab: FineTuneOptions) -> None:
    make_lab(tmp_path / "lab", ["P1,a,macro,0,3,4,9,anna,True"])
    with pytest.raises(UsageError, match="got 1 participant and 1 expression"):
        list(fine_tune_on_videos(lab))


def test_the_estimate_pays_for_false_alarms() -> None:
    truth = [Interval(0, 10, "macro"), Interval(20, 24, "micro")]
    right = overall([count(truth, truth)])
    noisy = overall(
        [count(truth, [*truth, *(Interval(k, k + 5, "macro") for k in range(50, 90, 9))])]
    )
    assert FineTuneEstimate(noisy, right, 1.0).helps
    assert not FineTuneEstimate(right, noisy, 1.0).helps

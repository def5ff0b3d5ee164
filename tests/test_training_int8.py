"""Weights in 8-bit integers: what is written, what it is checked against, and how it runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from fesnet.errors import CheckpointError, UsageError
from fesnet.faces import ModelFiles
from fesnet.model.checkpoint import load_network, save_weights
from fesnet.runtime import OnnxRuntime
from fesnet.spotter import Spotter
from fesnet.synth.basis import motion_basis
from fesnet.synth.puppet import Puppet, make_puppet
from fesnet.training import int8
from fesnet.training.int8 import export_int8, write_int8
from fesnet.weights import CONFIG, DECODE, ENCODE, Weights, load_weights
from small_network import SHAPED, make_network, moving_crops


@pytest.fixture(scope="module")
def puppets() -> list[Puppet]:
    """Two people with noise for faces."""
    rng = np.random.default_rng(1)
    points = (motion_basis().canonical * 130 + [35, 35, 0]).astype(np.float32)
    photos = [np.kron(rng.integers(40, 220, (25, 25, 1), np.uint8), np.ones((8, 8, 3), np.uint8)) for _ in range(2)]
    return [make_puppet(f"p{i}", photo, points) for i, photo in enumerate(photos)]


@pytest.fixture(scope="module")
def floats(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    folder = tmp_path_factory.mktemp("weights") / "float"
    save_weights(make_network(SHAPED), folder, training={"data": "nothing"}, rules={})
    return load_weights(folder)


@pytest.fixture(scope="module")
def small(floats: Weights, puppets: list[Puppet], tmp_path_factory: pytest.TempPathFactory) -> Weights:
    folder = tmp_path_factory.mktemp("int8") / "new"
    apart = write_int8(floats, puppets, folder)
    assert 0 < apart <= int8.TOLERANCE
    return load_weights(folder)


def test_convolutions_hold_integers_with_a_scale_for_each_channel(small: Weights) -> None:
    for path in (small.encode, small.decode):
        graph = onnx.load(str(path)).graph
        stored = {w.name: w for w in graph.initializer}
        made_by = {name: node for node in graph.node for name in node.output}
        for conv in (node for node in graph.node if node.op_type == "Conv"):
            weight = made_by[conv.input[1]]
            assert weight.op_type == "DequantizeLinear"
            assert stored[weight.input[0]].data_type == onnx.TensorProto.INT8
            assert list(stored[weight.input[1]].dims) == [stored[weight.input[0]].dims[0]]


def test_it_runs_as_any_weights_and_stays_near_the_float_ones(small: Weights, floats: Weights) -> None:
    assert Spotter(small.folder).weights.config == floats.config
    crops = moving_crops(SHAPED.window)
    one, other = OnnxRuntime(floats), OnnxRuntime(small)
    seen = one.encode(crops)
    assert 0 < np.abs(other.encode(crops) - seen).mean() < 0.1 * np.abs(seen).mean()
    window = np.concatenate([seen, np.zeros((len(seen), 128 // seen.shape[-1], seen.shape[-1]), np.float32)], 1)
    assert 0 < np.abs(other.decode(window)[0] - one.decode(window)[0]).max() < 0.1


def test_it_says_what_it_is_and_brings_no_tensors(small: Weights, floats: Weights) -> None:
    assert small.training == {"data": "nothing", "int8": "ranges from synthetic clips of 2 people"}
    assert small.sha256 != floats.sha256
    assert {p.name for p in small.folder.iterdir()} == {CONFIG, ENCODE, DECODE}
    assert sorted(json.loads((small.folder / CONFIG).read_text())["sha256"]) == [DECODE, ENCODE]
    with pytest.raises(CheckpointError, match="only the ONNX graphs are there"):
        load_network(small)


def test_scores_too_far_off_leave_nothing(
    floats: Weights, puppets: list[Puppet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "TOLERANCE", 1e-9)
    with pytest.raises(CheckpointError, match="expected scores in int8 within 1e-09 of the float ones"):
        write_int8(floats, puppets, tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_wrong_folders(floats: Weights, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a new folder for the weights"):
        export_int8(floats.folder, tmp_path, tmp_path)
    with pytest.raises(UsageError, match="expected a folder of portraits"):
        export_int8(floats.folder, tmp_path / "none", tmp_path / "new")


def test_portraits_without_a_face(floats: Weights, face_models: ModelFiles, tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "grey.png"), np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(UsageError, match="expected portraits with a face"):
        export_int8(floats.folder, tmp_path, tmp_path / "new")

"""Weights folders: what is read, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from fesnet._io import file_sha256
from fesnet.config import PRESETS, STORED_KEYS, FesNetConfig
from fesnet.errors import CheckpointError, UsageError
from fesnet.model.checkpoint import load_network, save_weights
from fesnet.weights import CONFIG, DECODE, ENCODE, TENSORS, bundled_weights, load_weights
from small_network import TINY, make_network


@pytest.fixture
def copy(tiny_weights: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(tiny_weights, tmp_path / "copy"))


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    values = json.loads((folder / CONFIG).read_text())
    change(values)
    (folder / CONFIG).write_text(json.dumps(values))


def test_a_folder_is_read_whole(tiny_weights: Path) -> None:
    weights = load_weights(tiny_weights)
    assert weights.config == TINY
    assert weights.name == "tiny"
    assert weights.training == {"data": "nothing"}
    assert weights.rules["macro_threshold"] == 0.2
    assert weights.sha256 == file_sha256(tiny_weights / CONFIG)
    assert {p.name for p in tiny_weights.iterdir()} == {CONFIG, ENCODE, DECODE, TENSORS}


def test_bundled_weights_load_and_are_the_default() -> None:
    weights = load_weights()
    assert weights.folder == bundled_weights()
    assert weights.encode.is_file() and weights.decode.is_file() and weights.tensors.is_file()
    assert "synthetic" in weights.training["data"]
    assert sum(p.stat().st_size for p in weights.folder.iterdir()) < 16e6


def test_networks_come_back_as_they_were_saved(tiny_weights: Path) -> None:
    expected, found = (
        make_network().state_dict(),
        load_network(load_weights(tiny_weights)).state_dict(),
    )
    assert expected.keys() == found.keys()
    assert all(bool((expected[name] == found[name]).all()) for name in expected)


@pytest.mark.parametrize("name", [ENCODE, DECODE, TENSORS])
def test_changed_and_missing_files_are_refused(name: str, copy: Path) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(
        CheckpointError,
        match=rf"expected .*{name} as it was written, but its contents have changed",
    ):
        load_weights(copy)
    (copy / name).unlink()
    with pytest.raises(
        CheckpointError, match=rf"expected {name} beside {CONFIG} in .*, but it is missing"
    ):
        load_weights(copy)


def test_weights_to_run_only_need_no_tensors(copy: Path) -> None:
    (copy / TENSORS).unlink()
    edit(copy, lambda values: values["sha256"].pop(TENSORS))
    weights = load_weights(copy)
    with pytest.raises(
        CheckpointError, match="the file is missing; only the ONNX graphs are there"
    ):
        load_network(weights)


def test_unknown_config_keys_are_refused(copy: Path) -> None:
    edit(copy, lambda values: values["model"].update(wings=2))
    with pytest.raises(
        CheckpointError, match="expected only config keys that this version knows, got wings"
    ):
        load_weights(copy)


@pytest.mark.parametrize(
    "values",
    [
        {"crop_size": "big"},
        {"crop_size": 97},
        {"heads": 0},
        {"branches": []},
        {"branches": [3]},
        {"branches": 3},
        {"stride": 0},
        {"reference": "last"},
        {"window": 320.5},
        {"window": True},
        {"attention": "no"},
        {"working_rate": 0},
        {"working_rate": float("nan")},
        {"working_rate": 10**400},
        {"dropout": 1},
        {"branches": [[3, 1.5]]},
        {"branches": [[4, 1]]},
        {"branches": [[3, 0]]},
        {"consensus": ["0.1", 0]},
        {"consensus": [0.5, 10**400]},
        {"motions": -1},
    ],
)
def test_configs_that_do_not_fit_are_damaged_weights(values: dict[str, Any], copy: Path) -> None:
    edit(copy, lambda old: old["model"].update(values))
    with pytest.raises(CheckpointError, match="expected a network config"):
        load_weights(copy)


@pytest.mark.parametrize("name", [ENCODE, DECODE, TENSORS])
def test_every_file_must_have_its_sum(name: str, copy: Path) -> None:
    edit(copy, lambda values: values["sha256"].pop(name))
    with pytest.raises(
        CheckpointError, match=rf"expected the sha256 of {name} in .*config\.json, got none"
    ):
        load_weights(copy)


def test_other_schema_is_refused(copy: Path) -> None:
    edit(copy, lambda values: values.update(schema="fesnet-weights/99"))
    with pytest.raises(
        CheckpointError,
        match=r"expected weights of schema fesnet-weights/2 in .*'fesnet-weights/99'",
    ):
        load_weights(copy)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{]",
        "[]",
        "{}",
        "7",
        '{"schema": "fesnet-weights/2"}',
        '{"schema": "fesnet-weights/2", "model": [1], "sha256": {}}',
        '{"schema": "fesnet-weights/2", "model": {}, "sha256": []}',
        '{"schema": "fesnet-weights/2", "model": {}, "sha256": {}, "rules": []}',
        '{"schema": "fesnet-weights/2", "model": {}, "sha256": {}, "training": "much"}',
        "[" * 100_000,
    ],
)
def test_damaged_config_is_refused(text: str, copy: Path) -> None:
    (copy / CONFIG).write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json is damaged"):
        load_weights(copy)


def test_no_folder_of_weights(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(
            UsageError, match=r"expected a weights folder with config\.json in it, but .* is none"
        ):
            load_weights(path)


def test_tensors_of_another_network_are_refused(copy: Path, tmp_path: Path) -> None:
    other = FesNetConfig.from_dict({**TINY.to_dict(), "hidden": 32})
    save_weights(make_network(other), tmp_path / "other", training={}, rules={})
    shutil.copy(tmp_path / "other" / TENSORS, copy / TENSORS)
    edit(copy, lambda values: values["sha256"].update({TENSORS: file_sha256(copy / TENSORS)}))
    with pytest.raises(
        CheckpointError, match=r"expected the tensors of this config in .*, got others"
    ):
        load_network(load_weights(copy))
    (copy / TENSORS).write_bytes(b"pickle")
    edit(copy, lambda values: values["sha256"].update({TENSORS: file_sha256(copy / TENSORS)}))
    with pytest.raises(CheckpointError, match="but it is damaged"):
        load_network(load_weights(copy))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(
        UsageError, match=r"expected to write .*new, got 'Not a directory'; name another folder"
    ):
        save_weights(make_network(), tmp_path / "file" / "inner" / "new", training={}, rules={})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_saving_never_overwrites(tiny_weights: Path) -> None:
    before = file_sha256(tiny_weights / CONFIG)
    with pytest.raises(UsageError, match=r"expected a new folder for the weights, but .* exists"):
        save_weights(make_network(), tiny_weights, training={}, rules={})
    assert file_sha256(tiny_weights / CONFIG) == before


def test_stored_configs_keep_their_keys() -> None:
    raw = json.loads((bundled_weights() / CONFIG).read_text(encoding="utf-8"))["model"]
    config = FesNetConfig.from_dict(raw)
    assert set(STORED_KEYS.values()) <= set(raw)
    assert config.inference_window_scale == raw["reach"] == 2
    assert config.ensemble_weights == tuple(raw["consensus"]) == (0.6, 0.2)
    assert config.landmark_feature_count == raw["shape"] == 128
    assert list(config.to_dict()) == list(raw)
    assert json.loads(json.dumps(config.to_dict())) == raw
    assert FesNetConfig.from_dict(asdict(config)) == config  # today's names load, too


def test_a_config_names_each_field_once() -> None:
    with pytest.raises(CheckpointError, match="got reach;"):
        FesNetConfig.from_dict({"reach": 2, "inference_window_scale": 2})


@pytest.mark.parametrize("name", list(PRESETS))
def test_configs_survive_json(name: str) -> None:
    stored = json.loads(json.dumps(PRESETS[name].to_dict()))
    assert FesNetConfig.from_dict(stored) == PRESETS[name]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reference": "last"}, "expected reference 'first' or 'neutral', got 'last'"),
        ({"crop_size": 90}, "expected a crop size divisible by 8, got 90"),
        ({"hidden": 30}, "expected hidden to divide by the number of branches"),
        ({"normalize_motion": True}, "expected add_median_difference with normalize_motion"),
        ({"stride": 200}, "expected a stride of 1 to 128 frames"),
        ({"window": 320.5}, "expected int for window, got 320.5"),
        ({"working_rate": 0}, "expected a working rate above 0 and up to 1000 Hz, got 0"),
    ],
)
def test_impossible_configs_are_told(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FesNetConfig(**values)

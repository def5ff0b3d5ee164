"""The two runtimes: they agree, and damaged graphs are told."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from torch import Tensor, from_numpy, inference_mode
from torch.nn import Module

from fesnet._io import file_sha256
from fesnet.doctor import providers
from fesnet.errors import CheckpointError, MissingExtraError, UsageError
from fesnet.interval_check import load_check
from fesnet.model.export import write_graph
from fesnet.model.network import FesNet
from fesnet.postprocess import IntervalRules, find_intervals
from fesnet.runtime import OnnxRuntime, TorchRuntime, chosen_providers, make_runtime, softmax
from fesnet.weights import CHECK, CONFIG, DECODE, ENCODE, Weights, load_weights
from small_network import TINY, line_scores, make_network, moving_crops


@pytest.fixture(scope="module")
def weights(tiny_weights: Path) -> Weights:
    return load_weights(tiny_weights)


def test_runtimes_agree_on_features_and_probabilities(weights: Weights) -> None:
    onnx, torch = OnnxRuntime(weights), TorchRuntime(weights)
    crops = moving_crops(TINY.window)
    features = onnx.encode(crops)
    assert features.shape == (TINY.window, 2 * 36, 4 * TINY.width), "shares of frame and reference"
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, torch.encode(crops), atol=1e-3)
    (p, strength), (torch_p, torch_strength) = onnx.decode(features), torch.decode(features)
    assert p.shape == (TINY.window, 3)
    assert strength.shape == (TINY.window,)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(p, torch_p, atol=1e-3)
    np.testing.assert_allclose(strength, torch_strength, atol=1e-3)


def test_runtimes_agree_on_logits_of_all_stages(weights: Weights) -> None:
    onnx, torch = OnnxRuntime(weights), TorchRuntime(weights)
    features = onnx.encode(moving_crops(TINY.window, seed=1))[None]
    logits = onnx.decoder.run(["logits"], {"projected": features})[0]
    assert logits.shape == (1 + TINY.stages, 1, TINY.window, 3)
    attended = onnx.encode_attended(moving_crops(TINY.window, seed=1))[None]
    expected = torch.network.decode(torch.torch.from_numpy(attended))[0].detach().numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-3)


def write_first_schema(network: FesNet, folder: Path) -> Path:
    """Graphs and config as versions before projected features wrote them."""

    class Graph(Module):
        def __init__(self, run: Callable[[Tensor], Any]) -> None:
            super().__init__()
            self.network, self.run = network, run

        def forward(self, given: Tensor) -> Any:
            return self.run(given)

    crops = from_numpy(moving_crops(TINY.window))
    with inference_mode():
        attended = network.encode(crops)
    encode, decode = Graph(network.encode).eval(), Graph(network.decode).eval()
    shapes = {"crops": {0: "N"}, "attended": {0: "N"}}
    write_graph(encode, (crops,), folder / ENCODE, ["crops"], ["attended"], shapes)
    shapes = {"attended": {0: "B", 1: "T"}, "logits": {1: "B", 2: "T"}, "intensity": {1: "T"}}
    given, outputs = (attended.clone()[None],), ["logits", "intensity"]
    write_graph(decode, given, folder / DECODE, ["attended"], outputs, shapes)
    values = json.loads((folder / CONFIG).read_text()) | {"schema": "fesnet-weights/1"}
    values["sha256"] |= {name: file_sha256(folder / name) for name in (ENCODE, DECODE)}
    (folder / CONFIG).write_text(json.dumps(values))
    return folder


def test_weights_of_the_first_schema_give_the_same_scores(
    weights: Weights, tiny_weights: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_weights, tmp_path / "old"))
    old = load_weights(write_first_schema(make_network(), folder))
    assert weights.projected
    assert not old.projected
    crops = moving_crops(90)
    expected = line_scores(OnnxRuntime(weights), crops)
    for name in ("onnx", "torch"):
        found = line_scores(make_runtime(name, old), crops)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)


def test_runtimes_agree_exactly_on_intervals(weights: Weights) -> None:
    crops = moving_crops(90)
    tracks = [line_scores(make_runtime(name, weights), crops) for name in ("onnx", "torch")]
    high = np.quantile(tracks[0].scores, 0.6, axis=0)
    # between the scores' lows and highs, so that there is something to disagree on
    rules = IntervalRules(
        macro_threshold=float(high[0]),
        micro_threshold=float(high[1]),
        macro_release=0.999,
        micro_release=0.999,
        exclusive=False,
    )
    one, other = (find_intervals(t.scores, t.times, rules, t.intensity) for t in tracks)
    assert one
    assert [(i.onset_s, i.offset_s, i.kind) for i in one] == [
        (i.onset_s, i.offset_s, i.kind) for i in other
    ]


def test_any_number_of_crops_at_once(weights: Weights) -> None:
    runtime, crops = OnnxRuntime(weights), moving_crops(20)
    singly = np.concatenate([runtime.encode(crop[None]) for crop in crops])
    np.testing.assert_allclose(runtime.encode(crops), singly, atol=1e-4)


@pytest.mark.parametrize("name", [ENCODE, DECODE])
def test_a_corrupt_graph_is_refused(name: str, tiny_weights: Path, tmp_path: Path) -> None:
    """Even if the config names the sum of the damaged file."""
    folder = Path(shutil.copytree(tiny_weights, tmp_path / "copy"))
    (folder / name).write_bytes((folder / name).read_bytes()[:1000])
    values = json.loads((folder / CONFIG).read_text())
    values["sha256"][name] = file_sha256(folder / name)
    (folder / CONFIG).write_text(json.dumps(values))
    with pytest.raises(
        CheckpointError,
        match=rf"expected an ONNX graph in .*{name}, but onnxruntime cannot read it",
    ):
        OnnxRuntime(load_weights(folder))


def test_a_graph_for_one_length_of_window_is_refused(tiny_weights: Path, tmp_path: Path) -> None:
    """As versions before windows of any length wrote it."""
    folder = Path(shutil.copytree(tiny_weights, tmp_path / "copy"))
    graph = onnx.load(folder / DECODE)
    graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value = TINY.window
    onnx.save(graph, folder / DECODE)
    values = json.loads((folder / CONFIG).read_text())
    values["sha256"][DECODE] = file_sha256(folder / DECODE)
    (folder / CONFIG).write_text(json.dumps(values))
    with pytest.raises(
        CheckpointError,
        match=rf"windows of any length in .*{DECODE}, got one for {TINY.window} ticks",
    ):
        OnnxRuntime(load_weights(folder))


@pytest.mark.parametrize("ticks", [1, 15, TINY.window, 100])
def test_runtimes_agree_on_windows_of_any_length(ticks: int, weights: Weights) -> None:
    features = OnnxRuntime(weights).encode(moving_crops(ticks))
    one, other = (make_runtime(name, weights).decode(features) for name in ("onnx", "torch"))
    for here, there in zip(one, other, strict=True):
        assert len(here) == ticks
        np.testing.assert_allclose(here, there, atol=1e-4)


def test_unknown_runtime(weights: Weights) -> None:
    with pytest.raises(UsageError, match="expected runtime 'onnx' or 'torch', got 'abacus'"):
        make_runtime("abacus", weights)


def test_without_torch_the_extra_is_named(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"run pip install .*torch.* \(extra train\)"):
        make_runtime("torch", weights)


def test_accelerators_come_before_the_cpu_unless_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FESNET_CPU", raising=False)
    there = [
        "DmlExecutionProvider",
        "CUDAExecutionProvider",
        "AzureExecutionProvider",
        "CPUExecutionProvider",
    ]
    monkeypatch.setattr("fesnet.runtime.ort.get_available_providers", lambda: there)
    assert chosen_providers() == [
        "CUDAExecutionProvider",
        "DmlExecutionProvider",
        "CPUExecutionProvider",
    ]
    assert "then CPUExecutionProvider" in providers().found
    monkeypatch.setenv("FESNET_CPU", "1")
    assert chosen_providers() == ["CPUExecutionProvider"]


def test_softmax_of_large_logits() -> None:
    np.testing.assert_allclose(
        softmax(np.array([[1000.0, 0.0, 1000.0]])), [[0.5, 0, 0.5]], atol=1e-6
    )


@pytest.mark.parametrize(
    ("said", "kind"),
    [("Non-zero status code of Gather", CheckpointError), ("bad allocation", MemoryError)],
)
def test_a_graph_that_ends_in_an_error_is_told(
    said: str, kind: type[Exception], tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read whole, but what it computes cannot be: damaged weights, or too little memory."""

    class Broken:
        def run(self, *_: object) -> None:
            raise RuntimeError(said)

    runtime = OnnxRuntime(load_weights(tiny_weights))
    monkeypatch.setattr(runtime, "encoder", Broken())
    with pytest.raises(kind, match=said):
        runtime.encode(np.zeros((1, 8, 8, 3), np.uint8))


@pytest.mark.parametrize("name", [CHECK, CONFIG])
def test_settings_of_weights_that_take_gigabytes_are_refused(
    name: str, tiny_weights: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_weights, tmp_path / "w")
    with (tmp_path / "w" / name).open("ab") as handle:
        handle.truncate(3_000_000)
    with pytest.raises(CheckpointError, match="more than 2 MB"):
        if name == CHECK:
            load_check(tmp_path / "w")
        else:
            load_weights(tmp_path / "w")

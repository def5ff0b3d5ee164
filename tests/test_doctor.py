"""The findings of `fesnet doctor`."""

from __future__ import annotations

import importlib.metadata as metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import av
import cv2
import numpy as np
import onnx
import onnxruntime
import openpyxl
import pytest
import rich.table
import torch
import typer

import fesnet
from fesnet import dependencies, doctor
from fesnet.cli import main
from fesnet.faces import ModelFiles
from fesnet.faces.models import FOLDER


def one(what: str) -> doctor.Finding:
    (found,) = (f for f in doctor.examine() if f.what == what)
    return found


def only(*names: str) -> object:
    """A stand-in for `metadata.version` that knows these distributions alone."""

    def version(name: str) -> str:
        if name not in names:
            raise metadata.PackageNotFoundError(name)
        return "1.2.3"

    return version


def test_it_tells_what_a_bug_report_needs() -> None:
    findings = doctor.examine()
    names = [f.what for f in findings]
    assert len(names) == len(set(names))
    assert {
        "fesnet",
        "python",
        "numpy",
        "cv2",
        "face models",
        "weights",
        "threads",
        "torch",
    } <= set(names)
    assert one("fesnet").found == fesnet.__version__
    assert sys.executable in one("python").found
    assert all(f.found and "\n" not in f.found for f in findings)


def test_face_models_are_named(face_models: ModelFiles) -> None:
    found = one("face models")
    assert found.good
    assert face_models.version in found.found


def test_face_models_that_were_never_fetched_are_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FESNET_CACHE", str(tmp_path / "new"))
    found = doctor.face_models()
    assert (found.good, found.mark) == (True, "-- ")
    assert found.found.startswith("not fetched yet; `fesnet spot` does it the first time (36 MB)")
    (tmp_path / "new" / FOLDER).mkdir(parents=True)
    found = doctor.face_models()
    assert (found.good, found.mark) == (False, "BAD"), "damaged ones are bad"
    assert "fesnet models import" in found.found


def test_what_is_missing_is_told_by_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fesnet.doctor.metadata.version", only("torch", "fastapi"))
    notes = {f.what: f for f in doctor.missing_extras()}
    assert list(notes) == [f"extra {name}" for name in doctor.NEEDED_FOR]
    assert all(f.good and f.mark == "-- " for f in notes.values())
    assert notes["extra review"].found.startswith("uvicorn not installed, for fesnet review; run ")
    project = tomllib.loads(
        (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]["optional-dependencies"]
    brought = {
        extra: sorted(re.match(r"[\w.-]+", line).group() for line in lines)  # type: ignore[union-attr]
        for extra, lines in project.items()
        if extra != "dev"
    }
    assert brought == {name: sorted(names) for name, (_, names) in doctor.NEEDED_FOR.items()}


def test_a_full_disk_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GB free in this folder" in doctor.disk().found
    monkeypatch.setattr("fesnet.doctor.LITTLE_SPACE", 1e18)
    assert doctor.disk().mark == "BAD"


def test_bundled_weights_are_good() -> None:
    found = one("weights")
    assert found.good
    assert "synthetic" in found.found


def test_damaged_weights_are_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fesnet.weights.bundled_weights", lambda: tmp_path)
    found = one("weights")
    assert not found.good
    assert "expected a weights folder" in found.found


@pytest.mark.parametrize(
    ("there", "good", "text"),
    [
        (("opencv-python-headless",), True, "one distribution (opencv-python-headless)"),
        (
            ("opencv-python-headless", "opencv-python"),
            False,
            "2 distributions (opencv-python-headless, opencv-python)",
        ),
        ((), False, "0 distributions"),
    ],
)
def test_exactly_one_opencv(
    there: tuple[str, ...], good: bool, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fesnet.doctor.metadata.version", only(*there))
    found = doctor.one_cv2()
    assert (found.good, text in found.found) == (good, True)


def test_a_missing_part_is_bad_but_missing_torch_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fesnet.doctor.metadata.version", only())
    assert not one("av").good
    assert "not installed" in one("av").found
    assert doctor.torch_and_gpu().good
    said = doctor.torch_and_gpu()
    assert said.note and "only training needs it: run pip install " in said.found


def test_telemetry_is_off_before_onnxruntime_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert one("telemetry") == doctor.Finding("telemetry", "off")
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    assert not one("telemetry").good
    code = "import os, fesnet; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "1"


def test_onnxruntime_imported_first_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import onnxruntime; from fesnet.doctor import telemetry; print(telemetry().found)"
    clean = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean
    )
    assert told.stdout.strip() == "may be on; onnxruntime was imported before fesnet"
    assert "UserWarning: onnxruntime was imported before fesnet" in told.stderr


def printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[str]]:
    """Exit code and lines of `fesnet doctor`."""
    monkeypatch.setattr(sys, "argv", ["fesnet", "doctor"])
    with pytest.raises(SystemExit) as end:
        main()
    assert isinstance(end.value.code, int)
    return end.value.code, capsys.readouterr().out.splitlines()


def broken(*_: object, **__: object) -> None:
    raise TypeError("this version\nis broken")


BREAKS = {
    "numpy": (np, "arange", "a sum"),
    "opencv-python-headless": (cv2, "resize", "resizing a picture"),
    "av": (av, "open", "encoding and decoding three frames"),
    "onnxruntime": (onnxruntime, "InferenceSession", "running a small graph"),
    "rich": (rich.table.Table, "add_row", "drawing a table"),
    "typer": (typer.Typer, "command", "reading a command line"),
    "torch": (torch.nn, "Conv2d", "a step of training"),
    "openpyxl": (openpyxl, "Workbook", "writing and reading a table"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_dependency_is_named(
    name: str,
    face_models: ModelFiles,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Installed, imported, and useless: one line says which, its version, and what to do."""
    home, attribute, action = BREAKS[name]
    monkeypatch.setattr(home, attribute, broken)
    if name == "typer":  # the program itself is made with it
        found = one("typer")
        code, lines = int(not found.good), [f"BAD {found.what} {found.found}"]
    else:
        code, lines = printed(monkeypatch, capsys)
    assert code == 1
    bad, *others = (line for line in lines if line.startswith("BAD"))
    assert bad.split()[1] == name
    assert not others or name == "numpy"  # others are built on it
    said = f"{metadata.version(name)}: {action} failed (TypeError: this version is broken); run pip"
    assert said in bad
    assert re.search(rf"--force-reinstall '{name}[<>]", bad)


def test_a_broken_onnx_stops_onnxruntime_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(onnx.helper, "make_model", broken)
    code, lines = printed(monkeypatch, capsys)
    assert code == 1
    assert {line.split()[1] for line in lines if line.startswith("BAD")} >= {"onnx", "onnxruntime"}


def test_arguments_that_a_new_pyav_does_not_know(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As PyAV 19 dropped one that spotting gave it: spotting and `doctor` open a video alike."""
    monkeypatch.setattr("fesnet.video.containers.LENIENT_METADATA", {"no_such_argument": "replace"})
    code, lines = printed(monkeypatch, capsys)
    assert code == 1
    assert any(line.startswith("BAD av ") and "no_such_argument" in line for line in lines)


def test_what_gives_wrong_results_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "resize", lambda image, *_, **__: image)
    assert "resizing a picture failed (ValueError: expected" in one("opencv-python-headless").found


def test_a_package_that_cannot_be_imported_is_one_line() -> None:
    """No traceback, and the other findings are still there. (Without extras: they take long.)"""
    code = """
import sys
sys.modules["cv2"] = sys.modules["torch"] = None
sys.argv = ["fesnet", "doctor"]
from fesnet import doctor
doctor.EXTRAS = ()
from fesnet.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    for name in ("opencv-python-headless", "torch"):
        assert any(
            line.startswith(f"BAD {name}") and "ModuleNotFoundError" in line for line in lines
        )
    assert any(line.startswith("ok  onnxruntime ") for line in lines)
    assert any(line.startswith("ok  telemetry") for line in lines)


def test_every_dependency_is_tried() -> None:
    """Of the package and of its extras; what is for development alone is not."""
    project = tomllib.loads(
        (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(line for extra in extras if extra != "dev" for line in extras[extra]),
    ]
    names = {re.match(r"[\w.-]+", line).group() for line in wanted}  # type: ignore[union-attr]
    tried = {d.name for d in (*dependencies.BASE, *dependencies.EXTRAS, dependencies.TORCH)}
    assert tried == names
    assert all(d.fault() is None for d in (*dependencies.BASE, *dependencies.EXTRAS) if d.version())

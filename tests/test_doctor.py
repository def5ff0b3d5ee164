"""The findings of `fesnet doctor`."""

from __future__ import annotations

import importlib.metadata as metadata
import subprocess
import sys
from pathlib import Path

import pytest

import fesnet
from fesnet import doctor
from fesnet.faces import ModelFiles


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


def test_missing_face_models_are_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FESNET_CACHE", str(tmp_path))
    found = one("face models")
    assert not found.good
    assert "fesnet models import" in found.found


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
    assert not doctor.installed("av").good
    assert "not installed" in doctor.installed("av").found
    assert doctor.torch_and_gpu().good
    assert "run pip install '.[train]' in the repository's folder" in doctor.torch_and_gpu().found


def test_telemetry_is_off_before_onnxruntime_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert one("telemetry") == doctor.Finding("telemetry", "off")
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    assert not one("telemetry").good
    code = "import os, fesnet; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "1"

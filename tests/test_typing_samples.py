"""The sample of the whole interface runs; `make lint` has mypy check it and the mistakes."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path

import pytest

import fesnet
from fesnet.faces import ModelFiles

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "tests" / "typing_samples"


def test_the_whole_interface_in_use(
    face_video: Path, tiny_weights: Path, face_models: ModelFiles, tmp_path: Path
) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="needs the extra plots")
    matplotlib.use("Agg")
    sample = SAMPLES / "whole_api.py"
    done = runpy.run_path(str(sample))["use_everything"](face_video, tiny_weights, tmp_path)
    matplotlib.pyplot.close("all")
    assert "r.eaf, r.vtt" in done
    assert any(line.startswith(("now ", "at the end ")) for line in done)
    text = sample.read_text(encoding="utf-8")
    assert [name for name in fesnet.__all__ if f"fesnet.{name}" not in text] == []
    methods = [name for name in vars(fesnet.Spotting.__mro__[1]) if not name.startswith("_")]
    assert [name for name in methods if f".{name}(" not in text] == []


def test_mypy_checks_the_samples() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    settings = project["tool"]["mypy"]
    assert settings["strict"] and "tests/typing_samples" in settings["files"]
    assert (SAMPLES / "mistakes.py").read_text(encoding="utf-8").count("# type: ignore[") >= 5


def test_the_reference_names_the_whole_interface() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    missing = [n for n in fesnet.__all__ if f"fesnet.{n}" not in page and n != "__version__"]
    assert missing == []

"""The tool that runs fesnet on every Python of a machine: what it looks for, and what it lets
pass.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fesnet.batch import write_results
from review_server import made_spotting

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "check_pythons", ROOT / "dev" / "check_pythons.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_pythons"] = module
    spec.loader.exec_module(module)
    return module


def checks(tool: ModuleType, folder: Path, **change: object) -> tuple[object, object]:
    """Two environments with a result each; change: what the second one has instead."""
    found = made_spotting()
    both = []
    for name in ("first", "second"):
        check = tool.Check(name, sys.executable, folder / name)
        (folder / name / "spot").mkdir(parents=True)
        write_results(found, check.result)
        both.append(check)
    path = both[1].result
    told = json.loads(path.read_text(encoding="utf-8")) | change
    path.write_text(json.dumps(told), encoding="utf-8")
    told = json.loads(both[0].result.read_text(encoding="utf-8"))
    both[0].result.write_text(json.dumps(told), encoding="utf-8")
    return both[0], both[1]


def test_the_lowest_packages_are_those_of_the_project(tool: ModuleType) -> None:
    lines = tool.project()["dependencies"]
    lowest = tool.lowest_packages(lines)
    assert len(lowest) == len(lines)
    assert "av==17" in lowest
    assert tool.lowest_packages(["opencv-python-headless>=4.10.0.84,<5"]) == [
        "opencv-python-headless==4.10.0.84"
    ]
    with pytest.raises(AssertionError, match="expected a lower bound"):
        tool.lowest_packages(["numpy"])


def test_a_python_that_is_missing_is_told(
    tool: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    here = sys.version_info[1]
    monkeypatch.setattr(tool, "candidates", lambda minor: iter([sys.executable]))
    found = tool.find_checks(tmp_path)
    assert [c.name.split(",")[0].startswith(f"Python 3.{here}.") for c in found] == [True, True]
    assert found[0].lowest == []
    assert found[1].lowest
    missing = [minor for minor in range(11, tool.NEWEST + 1) if minor != here]
    assert capsys.readouterr().out.splitlines() == [
        f"3.{minor}: not on this machine" for minor in missing
    ]


def test_what_does_not_run_is_no_python(tool: ModuleType, tmp_path: Path) -> None:
    assert tool.version_of(sys.executable) == sys.version_info[:3]
    assert tool.version_of(str(tmp_path / "python3.12")) == ()


def test_equal_results_pass_whatever_release_made_them(tool: ModuleType, tmp_path: Path) -> None:
    first, second = checks(tool, tmp_path, provenance={"trained_on": "nothing"})
    assert tool.same_result(second, first) == "equal byte for byte"
    for check, release in ((first, "1.32.0"), (second, "1.20.0")):
        told = json.loads(check.result.read_text(encoding="utf-8"))  # type: ignore[attr-defined]
        told["provenance"]["runtime"] = f"onnxruntime {release}"
        check.result.write_text(json.dumps(told), encoding="utf-8")  # type: ignore[attr-defined]
    assert tool.same_result(second, first) == "equal byte for byte"


def test_other_results_fail(tool: ModuleType, tmp_path: Path) -> None:
    first, second = checks(tool, tmp_path, intervals=[])
    with pytest.raises(tool.FailedError, match="its result differs from that of first"):
        tool.same_result(second, first)


@pytest.mark.parametrize(("moved", "passes"), [(1 / 65535, True), (0.01, False)])
def test_scores_may_be_rounded_otherwise_by_another_release(
    moved: float, passes: bool, tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = checks(tool, tmp_path)
    for check, release, scores in ((first, "1.32.0", "a"), (second, "1.20.0", "b")):
        told = json.loads(check.result.read_text(encoding="utf-8"))  # type: ignore[attr-defined]
        told["provenance"]["runtime"] = f"onnxruntime {release}"
        told["faces"][0]["scores"] = scores
        check.result.write_text(json.dumps(told), encoding="utf-8")  # type: ignore[attr-defined]
    monkeypatch.setattr(tool.Check, "difference", lambda *_: moved)
    if passes:
        assert tool.same_result(second, first).startswith(
            "equal but for scores, by 1.5e-05 at most"
        )
    else:
        with pytest.raises(tool.FailedError, match="its scores differ"):
            tool.same_result(second, first)


def test_a_command_that_fails_is_one_line(tool: ModuleType, tmp_path: Path) -> None:
    code = "print('ok  numpy'); print('BAD av  19: useless'); raise SystemExit(1)"
    with pytest.raises(tool.FailedError, match=r"ended with 1: BAD av  19: useless$"):
        tool.run([sys.executable, "-c", code], tmp_path)
    check = tool.Check("x", sys.executable, tmp_path)
    tool.attempt(check, "spot", tmp_path / "no.mp4")
    assert (
        check.failure
        == f"fesnet spot {tmp_path / 'no.mp4'} cannot be run: No such file or directory"
    )
    assert not tool.show(check, check)

"""Who may import whom, and where torch may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fesnet

ROOT = Path(fesnet.__file__).parent
BASE = {"errors", "_version", "_files", "_words"}
# Module -> what it may import of fesnet, besides BASE and its own package.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "_version": set(),
    "_files": set(),
    "_words": set(),
    "intervals": set(),
    "result": {"intervals"},
    "proposals": {"intervals"},
    "interval_features": {"faces", "proposals"},
    "interval_check": {"intervals", "interval_features", "proposals"},
    "video": set(),
    "faces": {"video"},
    "clips": {"faces"},
    "weights": set(),
    "runtime": {"weights", "model"},
    "model": {"weights"},
    "losses": set(),
    "stream": {
        *("intervals", "result", "video", "faces", "clips", "runtime", "weights"),
        *("interval_check", "interval_features"),
    },
    "spotter": {"interval_check", "intervals", "result", "video", "faces", "runtime", "weights", "stream"},
    "exports": {"intervals", "result"},
    "web": set(),
    "report": {"intervals", "result", "video", "web", "faces", "runtime", "weights"},
    "overlay": {"intervals", "result", "video", "faces", "clips"},
    "synth": {"intervals", "video", "faces", "clips", "engine"},
    "training": {"intervals", "synth", "model", "losses", "weights", "video", "faces", "clips", "stream", "metrics"},
    "metrics": {"intervals"},
    "benchmark": {
        "intervals",
        "datasets",
        "metrics",
        "training",
        "weights",
        "baselines",
        "spotter",
        "stream",
        "clips",
        "faces",
        "video",
        "runtime",
        "prepared",
        "result",
        "engine",
    },
    "prepared": {"video", "faces", "clips", "stream", "weights", "baselines", "datasets", "engine"},
    "live": {"result", "spotter", "video"},
    "datasets": {"intervals", "video"},
    "baselines": {"intervals", "result", "video", "faces", "clips", "spotter", "synth", "training", "losses"},
    "engine": set(),
    "batch": {"intervals", "result", "exports", "spotter", "video", "weights", "engine"},
    "demo": {"batch", "intervals", "report", "result", "spotter", "synth", "video"},
    "doctor": {"faces", "runtime", "weights"},
    "profile": {"faces", "result", "runtime", "spotter", "stream", "video"},
    "review": {"batch", "exports", "faces", "intervals", "metrics", "result", "spotter", "video", "weights"},
    "cli": {"*"},
    "__main__": {"cli"},
    "__init__": {"intervals", "result", "spotter"},
}
TORCH = {"model", "losses", "training"}
TORCH_FILES = {
    *("baselines/softnet.py", "baselines/auwgcn.py"),
    *("synth/crops.py", "synth/camera.py", "synth/hands.py", "synth/batches.py", "synth/mesh.py", "synth/shots.py"),
}
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    """The module or package that a file belongs to."""
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else path.stem


def imports(path: Path) -> list[tuple[str, bool]]:
    """(module, at the top of the file) for every import of a file that is not for type checkers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    typing_only = {n for i in ast.walk(tree) if isinstance(i, ast.If) and "TYPE_CHECKING" in ast.dump(i.test)
                   for n in ast.walk(i)}  # fmt: skip
    found = []
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [(a.name, node not in inner) for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path.name} has a relative import"
            found.append((node.module, node not in inner))
            if node.module == "fesnet":
                found += [(f"fesnet.{a.name}", node not in inner) for a in node.names if a.name != "__version__"]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_table(path: Path) -> None:
    here = room(path)
    assert here in ALLOWED, f"{here} is new: give it a row in the table"
    allowed = ALLOWED[here] | BASE | {here}
    for name, _ in imports(path):
        if name.startswith("fesnet."):
            target = name.split(".")[1]
            assert target in allowed or "*" in allowed, f"{path.name} may not import fesnet.{target}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_torch_stays_where_it_belongs(path: Path) -> None:
    free = room(path) in TORCH or path.relative_to(ROOT).as_posix() in TORCH_FILES
    lazily = room(path) in {"runtime", "doctor"}
    for name, top in imports(path):
        if name.split(".")[0] in {"torch", "safetensors"}:
            assert free or (lazily and not top), f"{path.name} imports {name}"


HEAVY = ["torch", "numpy", "cv2", "av", "onnxruntime", "rich.table"]
LIGHT = {
    "fesnet": HEAVY,
    "fesnet.cli": HEAVY,
    "fesnet.metrics": ["torch", "cv2", "av", "onnxruntime"],
    **{f"fesnet.{name}": ["torch"] for name in ("spotter", "batch", "demo", "report", "exports", "doctor")},
    "fesnet.engine": [*HEAVY, "ray"],
}


@pytest.mark.parametrize("module", list(LIGHT))
def test_import_does_not_load_what_is_heavy(module: str) -> None:
    code = f"import sys, {module}; sys.exit(', '.join(m for m in {LIGHT[module]} if m in sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_public_surface() -> None:
    assert sorted(fesnet.__all__) == ["Interval", "IntervalRules", "Spotter", "Spotting", "__version__", "spot"]
    for name in fesnet.__all__:
        assert getattr(fesnet, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fesnet.nothing

"""Who may import whom, and where torch may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fesnet

ROOT = Path(fesnet.__file__).parent
BASE = {
    *("errors", "_version", "_io", "_messages", "_types", "_validation"),
    *("_guard", "_locks", "_names", "_partial", "_tables"),
}
# Module -> what it may import of fesnet, besides BASE and its own package.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "_version": set(),
    "_io": set(),
    "_types": set(),
    "_validation": set(),
    "_messages": set(),
    "_guard": set(),
    "_locks": set(),
    "_names": set(),
    "_partial": set(),
    "_tables": set(),
    "intervals": set(),
    "frame_numbers": {"intervals"},
    "looked_at": {"intervals"},
    "apexes": {"intervals"},
    "score_runs": {"intervals"},
    "score_segments": {"intervals", "score_runs"},
    "postprocess": {"apexes", "intervals", "score_runs", "score_segments"},
    "proposals": {"intervals", "postprocess", "score_segments"},
    "interval_features": {"faces", "proposals"},
    "latency": {"config", "interval_features"},
    "faceless": {"video"},
    "interval_check": {"apexes", "interval_features", "intervals", "proposals", "weights"},
    "result_json": {"intervals"},
    "timing": set(),
    "facial_units": set(),
    "observations": {"facial_units", "result_json"},
    "observation_text": {"facial_units", "observations"},
    "step_record": set(),
    "unit_motion": {"faces", "facial_units", "interval_features"},
    "flags": {
        *("faces", "facial_units", "interval_features", "observations", "step_record"),
        *("unit_motion", "voice"),
    },
    "voice": {"video"},
    "observe": {
        *("faces", "facial_units", "flags", "interval_features", "observations", "step_record"),
        *("unit_motion", "voice"),
    },
    "result": {
        *("intervals", "observations", "postprocess", "result_json", "result_methods"),
        *("score_segments", "timing"),
    },
    "result_methods": {"exports", "interval_algebra", "plotting", "result_tables", "result_view"},
    "interval_algebra": {"exports", "intervals", "result"},
    "result_tables": {"exports", "intervals", "result"},
    "result_view": {"exports", "intervals", "result"},
    "plotting": {"exports", "intervals", "result", "result_view"},
    "progress": set(),
    "video": set(),
    "faces": {"video"},
    "windows": {"faces"},
    "config": set(),
    "weights": {"config"},
    "runtime": {"weights", "model"},
    "model": {"config", "weights"},
    "landmarks_between": {"faces"},
    "face_pipeline": {
        *("config", "faces", "interval_check", "interval_features", "landmarks_between"),
        *("latency", "postprocess", "result", "runtime", "step_record", "windows"),
    },
    "stream": {
        *("config", "face_pipeline", "faceless", "faces", "interval_check", "latency"),
        *(
            "observations",
            "observe",
            "postprocess",
            "result",
            "runtime",
            "step_record",
            "video",
            "voice",
        ),
        "windows",
    },
    "overlap": {"stream", "video", "windows"},
    "kept_features": {
        *("config", "face_pipeline", "faces", "interval_check", "postprocess", "result"),
        *("step_record", "stream", "video"),
    },
    "extraction": {"config", "faces", "postprocess", "stream", "video"},
    "spotter": {
        *("interval_check", "result", "video", "faces", "runtime", "weights", "stream"),
        *("latency", "overlap", "postprocess", "progress", "step_record", "timing", "voice"),
    },
    "exports": {
        *("facial_units", "intervals", "observation_text", "observations", "result"),
        *("result_json", "spreadsheet", "timing"),
    },
    "report": {
        *("observation_text", "observations"),
        "intervals",
        "result",
        "timing",
        "video",
        "faces",
        "windows",
        "runtime",
        "weights",
    },
    "synth": {"intervals", "video", "faces", "windows", "jobs"},
    "training": {
        "extraction",
        "jobs",
        "kept_features",
        "runtime",
        "intervals",
        "synth",
        "model",
        "config",
        "weights",
        "video",
        "faces",
        "windows",
        "stream",
        "metrics",
        "postprocess",
    },
    "metrics": {"frame_numbers", "intervals", "looked_at"},
    "evaluation": {
        "figures",
        "frame_numbers",
        "extraction",
        "interval_check",
        "intervals",
        "kept_features",
        "model",
        "datasets",
        "metrics",
        "training",
        "config",
        "weights",
        "baselines",
        "spotter",
        "stream",
        "windows",
        "faces",
        "video",
        "runtime",
        "crops",
        "result",
        "jobs",
        "postprocess",
        "score_runs",
        "score_segments",
        "synth",
    },
    "crops": {"video", "faces", "windows", "stream", "weights", "baselines", "datasets", "jobs"},
    "figures": {"intervals", "metrics"},
    "live": {"result", "spotter", "stream", "video"},
    "live_preview": {"video"},
    "datasets": {"frame_numbers", "intervals", "video"},
    "baselines": {
        "result",
        "video",
        "faces",
        "windows",
        "spotter",
        "synth",
        "training",
        "model",
        "postprocess",
    },
    "jobs": set(),
    "spreadsheet": {"datasets"},
    "batch": {
        "spreadsheet",
        "timing",
        "intervals",
        "result",
        "exports",
        "spotter",
        "video",
        "weights",
        "jobs",
        *("observation_text", "postprocess", "runtime"),
    },
    "demo": {
        *("batch", "exports", "interval_algebra", "intervals", "report", "result", "spotter"),
        *("synth", "video"),
    },
    "dependencies": {"video"},
    "doctor": {"dependencies", "faces", "runtime", "weights", "ONNXRUNTIME_CAME_FIRST"},
    "profile": {"faces", "result", "runtime", "spotter", "stream", "video"},
    "review": {
        "looked_at",
        "batch",
        "exports",
        "faces",
        "intervals",
        "metrics",
        "report",
        "result",
        "spotter",
        "video",
        "postprocess",
        *("stream", "timing", "weights", "windows"),
    },
    "study": {
        *("batch", "exports", "intervals", "postprocess", "report", "result", "review"),
        *("evaluation", "looked_at", "metrics", "observation_text", "observations"),
        "spreadsheet",
    },
    "cli": {"*"},
    "__main__": {"cli"},
    "__init__": {"intervals", "result", "spotter", "postprocess"},
}
# What a result can do is work of rooms above it: they are imported when a method is called (ADR
# 0083), so that no import runs both ways when modules load.
CALLED = {"result_methods"}
TORCH = {"model", "training"}
TORCH_FILES = {
    *("baselines/softnet.py", "baselines/auwgcn.py"),
    *(
        f"synth/render/{n}.py"
        for n in ("avatar_renderer", "camera", "hands", "batches", "torch_face_mesh", "render_plan")
    ),
}
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    """The module or package that a file belongs to."""
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else path.stem


def imports(path: Path) -> list[tuple[str, bool]]:
    """(module, at the top of the file) for every import of a file that is not for type checkers
    alone.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    guards = [i for i in ast.walk(tree) if isinstance(i, ast.If)]
    typing_only = {n for i in guards if "TYPE_CHECKING" in ast.dump(i.test) for n in ast.walk(i)}
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
                found += [
                    (f"fesnet.{a.name}", node not in inner)
                    for a in node.names
                    if a.name != "__version__"
                ]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_table(path: Path) -> None:
    here = room(path)
    assert here in ALLOWED, f"{here} is new: give it a row in the table"
    allowed = ALLOWED[here] | BASE | {here}
    for name, _ in imports(path):
        if name.startswith("fesnet."):
            target = name.split(".")[1]
            assert target in allowed or "*" in allowed, (
                f"{path.name} may not import fesnet.{target}"
            )


def test_methods_of_a_result_import_when_they_are_called() -> None:
    for name in CALLED:
        tops = [module for module, top in imports(ROOT / f"{name}.py") if top]
        assert not [module for module in tops if module.startswith("fesnet.")]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_torch_stays_where_it_belongs(path: Path) -> None:
    free = room(path) in TORCH or path.relative_to(ROOT).as_posix() in TORCH_FILES
    lazily = room(path) in {"runtime", "doctor", "dependencies"}
    for name, top in imports(path):
        if name.split(".")[0] in {"torch", "safetensors"}:
            assert free or (lazily and not top), f"{path.name} imports {name}"


HEAVY = ["torch", "numpy", "cv2", "av", "onnxruntime", "rich.table"]
LIGHT = {
    "fesnet": HEAVY,
    "fesnet.cli": HEAVY,
    "fesnet.metrics": ["torch", "cv2", "av", "onnxruntime"],
    **{
        f"fesnet.{name}": ["torch"]
        for name in ("spotter", "batch", "demo", "report", "exports", "doctor")
    },
    "fesnet.jobs": [*HEAVY, "ray"],
    "fesnet.result": ["torch", "cv2", "av", "onnxruntime", "pandas", "matplotlib", "rich"],
}


@pytest.mark.parametrize("module", list(LIGHT))
def test_import_does_not_load_what_is_heavy(module: str) -> None:
    loaded = f"', '.join(m for m in {LIGHT[module]} if m in sys.modules)"
    code = f"import sys, {module}; sys.exit({loaded} or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_public_surface() -> None:
    assert dir(fesnet) == sorted(fesnet.__all__)
    assert fesnet.__all__ == [
        *("FesnetError", "Frame", "Gap", "Interval", "IntervalRules", "SpotStream"),
        *("SpottedInterval", "Spotter", "Spotting", "TimeSpan", "__version__", "open_source"),
        "spot",
    ]
    for name in fesnet.__all__:
        assert getattr(fesnet, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fesnet.nothing

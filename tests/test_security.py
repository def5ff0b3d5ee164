"""What docs/security.md promises of the whole package, read off its source: no network, nothing
unpickled, no shell.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fesnet
from fesnet.errors import FesnetError
from fesnet.exports.elan_reader import read_elan

ROOT = Path(fesnet.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
NETWORK = {
    "socket",
    "ssl",
    "urllib.request",
    "http.client",
    "ftplib",
    "smtplib",
    "requests",
    "httpx",
    "aiohttp",
}
UNPICKLING = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}
# What may read files from strangers, as docs/security.md lists it; other parsers need a line there.
PARSERS = {
    *("json", "csv", "tomllib", "xml", "zipfile", "av", "cv2", "openpyxl", "xlrd"),
    *("safetensors", "onnx", "onnxruntime", "numpy"),
}
OTHER_PARSERS = {
    *("yaml", "lxml", "bs4", "PIL", "imageio", "skimage", "h5py", "scipy.io", "tarfile"),
    *("plistlib", "configparser", "pandas.read_csv", "pympi", "tgt", "moviepy"),
    *("textgrid", "sqlite3", "html.parser", "mat73", "netCDF4", "decord", "torchvision"),
}
# The file that runs other programs: pip, for the face models.
RUNS_PROGRAMS = {"faces/models.py"}
# The files that open a socket, on this machine alone: the review app's
# (tests/test_review_server.py), and the preview's of `live` (tests/test_live_preview.py).
OPENS_SOCKETS = {"review/server.py"}
SERVES = {"live_preview.py"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names)


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_source(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = path.relative_to(ROOT).as_posix()
    modules = set(imported(tree))
    allowed = {"socket", "socket.socket"} if name in OPENS_SOCKETS else set()
    assert not modules & (NETWORK - allowed), f"{name} can reach the network"
    assert name in SERVES or not any(m.startswith("http.server") for m in modules)
    assert not modules & UNPICKLING, f"{name} can unpickle"
    assert not modules & OTHER_PARSERS, f"{name} has a parser that docs/security.md does not list"
    if "subprocess" in modules:
        assert name in RUNS_PROGRAMS, f"{name} runs other programs"
    for function, call in calls(tree):
        assert function not in {"eval", "exec", "os.system", "torch.load", "tempfile.mktemp"}, (
            f"{name}: {function}"
        )
        words = {k.arg: ast.unparse(k.value) for k in call.keywords}
        if function == "np.load":
            assert words.get("allow_pickle") == "False", f"{name}: np.load may unpickle"
        assert words.get("shell", "False") == "False", f"{name}: {function} goes through a shell"


def test_the_parsers_of_the_documents_are_the_ones_in_use() -> None:
    used = {
        name.partition(".")[0]
        for path in FILES
        for name in imported(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert used >= PARSERS - {"xlrd", "openpyxl"}  # these two by name, where they are needed


def test_every_session_is_opened_with_telemetry_off() -> None:
    """In each function that opens one, a call before it; the environment variable is watched in
    tests/test_doctor.py and tests/test_no_network.py."""
    found = 0
    for path in FILES:
        functions = [
            n
            for n in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(n, ast.FunctionDef)
        ]
        for function in functions:
            names = [(call.lineno, name) for name, call in calls(function)]
            opened = [line for line, name in names if name.endswith("InferenceSession")]
            off = [line for line, name in names if name == "ort.disable_telemetry_events"]
            found += len(opened)
            assert all(off and min(off) < line for line in opened), f"{path.name}: {function.name}"
    assert found >= 3


def test_annotations_that_swell_are_refused(tmp_path: Path) -> None:
    """Entities that expand to gigabytes: one line, at once."""
    levels = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 12))
    bomb = tmp_path / "bomb.eaf"
    bomb.write_text(
        '<?xml version="1.0"?><!DOCTYPE A [<!ENTITY e0 '
        f'"ha">{levels}]><ANNOTATION_DOCUMENT>&e11;</ANNOTATION_DOCUMENT>'
    )
    with pytest.raises(FesnetError, match=r"bomb\.eaf"):
        read_elan(bomb)


def test_annotations_do_not_open_other_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("macro")
    file = tmp_path / "reads.eaf"
    file.write_text(
        f'<?xml version="1.0"?><!DOCTYPE A [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]>'
        "<ANNOTATION_DOCUMENT>&x;</ANNOTATION_DOCUMENT>"
    )
    with pytest.raises(FesnetError, match=r"reads\.eaf"):
        read_elan(file)

"""Does fesnet run on every Python of this machine, with the newest and the lowest packages?

    make pythons        # or: python dev/check_pythons.py

For each Python that pyproject.toml allows and this machine has (on the path, or of pyenv) an
environment is made, and fesnet is installed as a user would: with the newest of everything. The
lowest Python gets a second one with the lowest packages that pyproject.toml allows. In each:
`fesnet models import`, `fesnet doctor`, `fesnet demo`, and `fesnet spot` of one and the same clip.

The results must be equal byte for byte, but for the release of onnxruntime in them. Another
release may round otherwise: then scores may differ by `ROUNDING`, and all else is still equal. A
Python that is missing is told and fails nothing. One line for each; exit code 1 where one failed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NEWEST = 14  # the newest 3.x that is looked for
CLIP_SECONDS = "6"  # of the first demo's video
TIMEOUT = 900.0  # s, for one command
ROUNDING = 2 / 65535  # results keep scores in 65536 steps
PACKED = ("pyproject.toml", "README.md", "LICENSE", "NOTICE.md", "src")
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
RUNTIME = re.compile(r'"runtime": ?"onnxruntime [^",]+"')
# Run in an environment: the largest difference of scores in two results.
DIFFERENCE = """
import sys
import numpy as np
from fesnet.result import Spotting
a, b = (Spotting.from_json(path) for path in sys.argv[1:])
pairs = [(x.scores, y.scores) for x, y in zip(a.faces, b.faces, strict=True)]
assert all((np.isnan(x) == np.isnan(y)).all() for x, y in pairs)
print(max((float(np.nanmax(abs(x - y), initial=0)) for x, y in pairs), default=0.0))
"""


class FailedError(Exception):
    """What a check ended with, in one line."""


@dataclass
class Check:
    """One environment. lowest: the requirements that pin it; none: the newest packages."""

    name: str
    python: str
    folder: Path
    lowest: list[str] = field(default_factory=list)
    seconds: float = 0.0
    failure: str = ""

    def run(self, program: str, *words: object) -> str:
        """What a program of the environment prints. Raises FailedError."""
        return run([self.folder / "env" / SCRIPTS / program, *words], self.folder)

    def install(self, wheel: Path) -> None:
        run([self.python, "-m", "venv", self.folder / "env"], self.folder)
        # Compiled when imported: most of what comes along never is.
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
        self.run("python", *pip, wheel, *self.lowest)
        self.run("fesnet", "models", "import")
        self.run("fesnet", "doctor")
        self.run("fesnet", "demo", "--out", self.folder / "demo")

    def spot(self, clip: Path) -> None:
        out = self.folder / "spot"
        self.run("fesnet", "spot", clip, "--seconds", CLIP_SECONDS, "--out", out)

    @property
    def clip(self) -> Path:
        return self.folder / "demo" / "demo.mp4"

    @property
    def result(self) -> Path:
        return self.folder / "spot" / "demo.json"

    def difference(self, other: Check) -> float:
        """The largest difference of scores in both results."""
        return float(self.run("python", "-c", DIFFERENCE, self.result, other.result))


def run(command: list[object], folder: Path) -> str:
    """What a command prints. Raises FailedError with the line that tells most."""
    words = [str(word) for word in command]
    called = " ".join([Path(words[0]).name, *words[1:3]])
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=clean,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise FailedError(f"{called} took more than {TIMEOUT:g} s") from None
    except OSError as error:
        raise FailedError(f"{called} cannot be run: {error.strerror}") from None
    if done.returncode:
        lines = [n for n in (done.stdout + done.stderr).splitlines() if n.strip()] or ["no word"]
        bad = next((line for line in lines if line.startswith("BAD")), lines[-1])
        raise FailedError(f"{called} ended with {done.returncode}: {bad}")
    return done.stdout


def project() -> dict[str, object]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert isinstance(table, dict)
    return table


def lowest_python(text: str) -> int:
    """11 of ">=3.11"."""
    found = re.fullmatch(r">=3\.(\d+)", text)
    assert found, f"expected requires-python = '>=3.N', got {text!r}"
    return int(found[1])


def lowest_packages(lines: list[str]) -> list[str]:
    """Each requirement at its lower bound: av==17 of av>=17. Bounds must be releases that exist."""
    pinned = []
    for line in lines:
        found = re.match(r"([\w.-]+)\s*>=\s*([\w.]+)", line)
        assert found, f"expected a lower bound in pyproject.toml, got {line!r}"
        pinned.append(f"{found[1]}=={found[2]}")
    return pinned


def candidates(minor: int) -> Iterator[str]:
    """Where a Python 3.`minor` may be, or any."""
    yield sys.executable
    on_path = shutil.which(f"python3.{minor}")
    if on_path:
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/3.{minor}.*/bin/python")))


def version_of(python: str) -> tuple[int, ...]:
    """(3, 12, 1); nothing for what does not run, as pyenv's stand-ins do not always."""
    code = "import sys, venv, ensurepip; print(*sys.version_info[:3])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(int(n) for n in done.stdout.split()) if done.returncode == 0 else ()


def find_python(minor: int) -> tuple[str, str] | None:
    """(version, path) of the newest Python 3.`minor` here."""
    found = [(version_of(python), python) for python in dict.fromkeys(candidates(minor))]
    mine = [(version, python) for version, python in found if version[:2] == (3, minor)]
    if not mine:
        return None
    version, python = max(mine)
    return ".".join(map(str, version)), python


def build_wheel(python: str, folder: Path) -> Path:
    """Of a copy, as building leaves files in the source."""
    source = folder / "source"
    source.mkdir()
    for name in PACKED:
        if (ROOT / name).is_dir():
            left = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, source / name, ignore=left)
        else:
            shutil.copy(ROOT / name, source / name)
    pip = ("-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps")
    run([python, *pip, "--wheel-dir", folder, source], folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def attempt(check: Check, step: str, given: Path) -> None:
    """One step of a check that has not failed yet; tells a failure at once."""
    if check.failure:
        return
    started = time.monotonic()
    try:
        getattr(check, step)(given)
    except FailedError as error:
        check.failure = str(error)
    check.seconds += time.monotonic() - started


def without_rounding(text: str) -> dict[str, Any]:
    """A result without what the last bits of another onnxruntime may change: tracks, what is
    measured on them, and the scores of intervals."""
    values: dict[str, Any] = json.loads(text)
    for name in ("faces", "candidates", "context", "blinks", "observations"):
        values.pop(name, None)
    for interval in values["intervals"]:
        del interval["score"]
    return values


def same_result(check: Check, first: Check) -> str:
    """How a result compares with the first one, in words. Raises FailedError."""
    texts = [c.result.read_text(encoding="utf-8") for c in (check, first)]
    if RUNTIME.sub("", texts[0]) == RUNTIME.sub("", texts[1]):
        return "equal byte for byte"
    if RUNTIME.findall(texts[0]) == RUNTIME.findall(texts[1]):
        raise FailedError(f"its result differs from that of {first.name}")
    bare = [without_rounding(RUNTIME.sub('"runtime": ""', text)) for text in texts]
    if bare[0] != bare[1]:
        raise FailedError(f"its result differs from that of {first.name} in more than scores")
    worst = check.difference(first)
    if not worst <= ROUNDING:
        raise FailedError(f"its scores differ from those of {first.name} by {worst:.1e}")
    return f"equal but for scores, by {worst:.1e} at most (another onnxruntime)"


def show(check: Check, first: Check) -> bool:
    """Print the check's line; whether all was well."""
    try:
        if check.failure:
            raise FailedError(check.failure)
        same = "the first result" if check is first else same_result(check, first)
    except FailedError as error:
        print(f"{check.name}: FAILED: {error}", flush=True)
        return False
    done = f"install, doctor, demo and spot in {check.seconds:.0f} s"
    print(f"{check.name}: {done}; {same}", flush=True)
    return True


def find_checks(folder: Path) -> list[Check]:
    """Of all Pythons that are here; the missing ones are told."""
    table, checks = project(), []
    oldest = lowest_python(str(table["requires-python"]))
    for minor in range(oldest, NEWEST + 1):
        found = find_python(minor)
        if found is None:
            print(f"3.{minor}: not on this machine", flush=True)
        else:
            checks.append(Check(f"Python {found[0]}", found[1], folder / f"3.{minor}"))
    if checks:
        requirements = table["dependencies"]
        assert isinstance(requirements, list)
        name, pinned = f"{checks[0].name}, lowest packages", lowest_packages(requirements)
        checks.append(Check(name, checks[0].python, folder / "lowest", pinned))
    return checks


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="fesnet-pythons-") as name:
        folder = Path(name)
        checks = find_checks(folder)
        if not checks:
            print("expected one Python at least that fesnet runs on, got none")
            return 1
        try:
            wheel = build_wheel(checks[0].python, folder)
        except FailedError as error:
            print(f"FAILED: {error}")
            return 1
        for check in checks:
            check.folder.mkdir()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda check: attempt(check, "install", wheel), checks))
            whole = [check for check in checks if not check.failure]
            list(pool.map(lambda check: attempt(check, "spot", whole[0].clip), whole))
        first = next((check for check in checks if not check.failure), checks[0])
        return int(not all([show(check, first) for check in checks]))


if __name__ == "__main__":
    sys.exit(main())

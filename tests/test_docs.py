"""The documentation builds without a warning, and what its tutorials tell people to type works as it stands."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of each block of a page, in its order."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder with a command `fesnet` that runs this package, as an installation would put on the path."""
    command = tmp_path / "bin" / "fesnet"
    command.parent.mkdir()
    # Guarded as installed commands are: worker processes import this file.
    program = "from fesnet.cli import main\nif __name__ == '__main__':\n    main()\n"
    command.write_text(f"#!{sys.executable}\n{program}", encoding="utf-8")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def run(line: str | list[str], place: Path) -> None:
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        line, shell=isinstance(line, str), cwd=place, env=os.environ | {"PATH": path}, capture_output=True, text=True,
        check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def follow(page: Path, place: Path) -> int:
    """Do what a page says: console blocks are typed, Python blocks run, TOML blocks saved as the page names them."""
    typed = 0
    text = page.read_text(encoding="utf-8")
    for name, toml in re.findall(r"`(\w+\.toml)`.*?^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        (place / name).write_text(toml, encoding="utf-8")
    consoles = [b for language, b in blocks(page) if language == "console"]
    for line in (line for b in consoles for line in b.splitlines()):
        assert line.startswith("$ "), f"{page.name}: {line!r} is no command"
        run(line[2:], place)
        typed += 1
    for program in (b for language, b in blocks(page) if language == "python"):
        run([sys.executable, "-c", program], place)
        typed += 1
    return typed


def test_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="needs the extra dev")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(DOCS), str(tmp_path / "site")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "how-it-works.svg" in page
    assert not re.search(r'(src|href)="https?://[^"]+\.(js|css)"', page), "the page loads something from elsewhere"


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        assert name == "index" or f"\n{name}\n" in index, f"{name} is not in docs/index.md"


@pytest.mark.parametrize("name", ["psychologist", "researcher", "engineer"])
def test_tutorial(name: str, place: Path) -> None:
    portraits = place / "PORTRAITS"
    portraits.mkdir()
    portrait = (files("fesnet") / "assets" / "portrait.jpg").read_bytes()
    (portraits / "one.jpg").write_bytes(portrait)
    (portraits / "two.jpg").write_bytes(portrait)
    assert follow(DOCS / "tutorials" / f"{name}.md", place) >= 2

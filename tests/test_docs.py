"""The documentation builds without a warning, and what its tutorials tell people to type works as
it stands.
"""

from __future__ import annotations

import os
import pkgutil
import re
import runpy
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from fesnet.faces import ModelFiles
from fesnet.postprocess import IntervalRules
from fesnet.result import Spotting
from fesnet.spotter import Spotter
from fesnet.weights import load_weights

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DEMO = "fesnet demo --out demo"
# What an installation would put on the path, with the first 8 s of the demo in small, and short,
# small synthetic videos (of an option given twice the last one counts). Guarded as installed
# commands are: worker processes import this file.
PROGRAM = f"""#!{sys.executable}
if __name__ == "__main__":
    import sys
    if sys.argv[1] == "demo":
        from fesnet.synth.videos import demo_video as demo
        demo.DEMO_SECONDS, demo.DEMO_EVENTS = 8, demo.DEMO_EVENTS[:2]
        demo.encode_script.__kwdefaults__["size"] = 320
    if sys.argv[1] == "synth":
        sys.argv += ["--hours", "0.002", "--seconds", "4", "--size", "320x240"]
    from fesnet.cli import main
    main()
"""


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of each block of a page, in its order."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def make_place(folder: Path) -> Path:
    """An empty folder with a command `fesnet` that runs this package, and `python`."""
    for name, text in (
        ("fesnet", PROGRAM),
        ("python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'),
    ):
        command = folder / "bin" / name
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(text, encoding="utf-8")
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return make_place(tmp_path)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, face_models: ModelFiles) -> Path:
    """What the tutorials' first line makes, made once."""
    folder = make_place(tmp_path_factory.mktemp("demo"))
    assert "2 of 2 events found with the right kind" in run(DEMO, folder).replace("\n", " ")
    return folder / "demo"


def run(line: str | list[str], place: Path) -> str:
    """What a command prints."""
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        line, shell=isinstance(line, str), cwd=place, env=os.environ | {"PATH": path},
        capture_output=True, text=True, check=False, timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def follow(page: Path, place: Path, demo: Path) -> list[str]:
    """Do what a page says, in its order: shell blocks are typed, Python blocks run, TOML blocks
    saved beforehand, as the page names them. Returns what each command and each program printed; a
    program must print something. The line that makes the demo has been typed: `demo` is copied."""
    printed = []
    text = page.read_text(encoding="utf-8")
    for name, toml in re.findall(
        r"`(\w+\.toml)`.*?^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    ):
        (place / name).write_text(toml, encoding="utf-8")
    for language, block in blocks(page):
        assert language != "console", f"{page.name}: what is copied must hold no prompts"
        for line in block.splitlines() if language == "sh" else ():
            if line == DEMO:
                shutil.copytree(demo, place / "demo")
                continue
            printed.append(run(line, place))
        if language == "python":
            printed.append(run([sys.executable, "-c", block], place))
            assert printed[-1], f"{page.name}: prints nothing\n{block}"
    return printed


def build(folder: Path, *options: object) -> None:
    """Build HTML; what was read is kept in the folder for the next time."""
    command = ["sphinx", "-q", "-b", "html", "-d", folder / "read", *options]
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="needs the extra dev")
    # All pages by a plain theme: ours draws its list of all pages anew on each, which says nothing.
    build(tmp_path, "-W", "--keep-going", "-D", "html_theme=basic", DOCS, tmp_path / "all")
    build(tmp_path, DOCS, tmp_path / "site", DOCS / "index.md")
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "how-it-works.svg" in page
    assert not re.search(r'(src|href)="https?://[^"]+\.(js|css)"', page), (
        "the page loads something from elsewhere"
    )


def test_every_page_is_in_the_table_of_contents() -> None:
    for page in DOCS.rglob("*.md"):
        folder = page.parent if (page.parent / "index.md").exists() else DOCS
        if page == folder / "index.md":
            folder = folder.parent
        name = page.relative_to(folder).with_suffix("").as_posix()
        index = folder / "index.md"
        assert not index.exists() or f"\n{name}\n" in index.read_text(encoding="utf-8"), (
            f"{name} is not in {index}"
        )


def test_files_and_modules_that_documents_name_exist() -> None:
    for page in (*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        text = page.read_text(encoding="utf-8")
        for path in re.findall(r"\b((?:src|fesnet|tests|dev|perf|experiments)/[\w/]+\.\w+)", text):
            place = ROOT / "src" / path if path.startswith("fesnet/") else ROOT / path
            assert place.exists(), f"{page.name} names {path}"
        for path in re.findall(
            r"`((?!fesnet/|tests/|dev/|perf/|experiments/|examples/|docs/|src/)[\w/]+/\w+\.py)`",
            text,
        ):
            assert (ROOT / "src" / "fesnet" / path).exists(), f"{page.name} names {path}"
        for file, test in re.findall(r"`(tests/\w+\.py)::(\w+)`", text):
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"no test {test}"
        for name in re.findall(r"`(fesnet(?:\.\w+)+)`", text):
            assert name == "fesnet.toml" or resolves(name), f"{page.name} names {name}"


def test_paragraphs_and_sentences_are_short() -> None:
    readability = runpy.run_path(str(ROOT / "dev" / "check_readability.py"))
    check = readability["check_document"]
    assert [line for page in readability["documents"]() for line in check(page)] == []


def resolves(name: str) -> bool:
    """Whether a dotted name is a module of fesnet, or something in one."""
    try:
        pkgutil.resolve_name(name)
    except (AttributeError, ImportError):
        return False
    return True


@pytest.mark.parametrize("name", ["psychologist", "researcher", "engineer"])
def test_tutorial(name: str, place: Path, demo: Path) -> None:
    portraits = place / "PORTRAITS"
    portraits.mkdir()
    portrait = (files("fesnet") / "assets" / "portrait.jpg").read_bytes()
    (portraits / "one.jpg").write_bytes(portrait)
    (portraits / "two.jpg").write_bytes(portrait)
    (place / "two_graphs.py").write_bytes((ROOT / "examples" / "two_graphs.py").read_bytes())
    printed = follow(DOCS / "tutorials" / f"{name}.md", place, demo)
    assert len(printed) >= 2
    if name == "engineer":
        assert all(follow(DOCS / "python.md", place, demo))
        assert any("certain at the end: SpottedInterval(" in text for text in printed)
        whole = Spotting.from_json(place / "demo" / "demo.json").faces[0].scores
        alone = np.loadtxt(place / "scores.txt")[:, 1:]
        assert np.abs(alone - whole).mean() < 0.005, (
            "the two graphs by themselves are far from fesnet"
        )


def rows_of(page: Path) -> dict[str, list[str]]:
    """The cells behind the name in each row of a page's tables that begins with a name in
    backticks.
    """
    rows = [
        line.strip("|").split("|")
        for line in page.read_text(encoding="utf-8").splitlines()
        if line[:3] == "| `"
    ]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in rows}


def test_every_rule_is_documented_with_the_values_that_it_has(place: Path) -> None:
    page = DOCS / "rules.md"
    rows = rows_of(page)
    assert list(rows) == list(IntervalRules().to_dict())
    for at, rules in ((-2, IntervalRules()), (-1, IntervalRules.from_dict(load_weights().rules))):
        given = dict.fromkeys(rows, "the threshold") | rules.to_dict()
        assert {name: cells[at] for name, cells in rows.items()} == {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in given.items()
        }
    (program,) = (b for language, b in blocks(page) if language == "python")
    assert run([sys.executable, "-c", program], place).split() == ["0.3", "0.0"]
    (toml,) = (b for language, b in blocks(page) if language == "toml")
    assert Spotter(rules=tomllib.loads(toml)).rules.merge_gap_s == 0.1

"""The Dockerfile, the conda environment and the install page: what can be checked without running
them. No builder of images is asked for.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from fesnet.cli.lazy import COMMANDS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, lines joined, comments gone."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_image_copies_what_is_there_and_lets_it_through() -> None:
    passed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [
        name
        for word, arguments in instructions()
        if word == "COPY" and "--from" not in arguments
        for name in arguments.split()[:-1]
    ]
    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE.md", "src"} <= {
        name.removeprefix("./") for name in copied
    }
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name.removeprefix('./')}" in passed
    for name in (PROJECT["readme"], *PROJECT["license-files"]):
        assert name in copied, "the wheel is made of it"


def test_the_image_needs_no_network_and_no_rights_afterwards() -> None:
    words = instructions()
    runs = " ".join(arguments for word, arguments in words if word == "RUN")
    assert "fesnet models import" in runs, "the face models are inside"
    last = words[max(n for n, (word, _) in enumerate(words) if word == "FROM") :]
    assert not [arguments for word, arguments in last if word == "RUN"]
    assert ("USER", "1000") in last
    assert ("ENTRYPOINT", '["fesnet"]') in last
    build = next(a for word, a in words if word == "ENV" and a.startswith("FESNET_CACHE="))
    final = next(a for word, a in last if word == "ENV")
    assert shlex.split(build)[0] in shlex.split(final), "found where they were put"
    tag = re.fullmatch(r"python:3\.(\d+)-slim( AS build)?", words[0][1])
    assert tag and int(tag[1]) >= 11
    for requirement in PROJECT["optional-dependencies"]["review"]:
        assert f"'{requirement}'" in runs


def test_the_conda_environment_names_what_the_project_has() -> None:
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    extras = re.search(r"- \.\[([\w,]+)\]", text)
    assert extras and set(extras[1].split(",")) <= set(PROJECT["optional-dependencies"])
    assert "opencv" not in text.lower()


def test_the_install_page_names_every_extra_and_only_real_commands() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert rows == set(PROJECT["optional-dependencies"]) - {"dev"}
    called = set(
        re.findall(r"\bfesnet (\w[\w-]*)", "\n".join(re.findall(r"```\w+\n(.*?)```", page, re.S)))
    )
    assert called - set(COMMANDS) <= {"fesnet", "spot"}
    assert {"doctor", "demo", "models"} <= called


@pytest.mark.parametrize("name", ["README.md", "docs/quickstart.md", "docs/install.md"])
def test_what_is_copied_holds_no_prompt(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for block in re.findall(r"^```(?:sh|powershell)\n(.*?)^```$", text, re.M | re.S):
        assert not [line for line in block.splitlines() if line.startswith(("$ ", "> "))]

"""One result of a folder that cannot be read or written concerns itself alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fesnet.errors import FesnetError, UsageError
from fesnet.exports import outdated_files
from fesnet.study import find_results
from fesnet.study.pages import export_results, write_pages
from fesnet.study.results import error_of_one
from fesnet.study.rules import change_rules
from fesnet.study.summarize import SummaryOptions, summarize
from made_study import scored_result

GOOD = ("a", "b/c", "z")
EVENTS = [("macro", 1.0, 2.0, 0.9), ("micro", 3.0, 3.3, 0.4)]
Outcome = dict[str, bool]  # by name: whether it was done


def summary_of(folder: Path) -> Outcome:
    done = summarize(folder, SummaryOptions(), lambda _: None)
    return {v.name: True for v in done.videos} | {name: False for name, _ in done.failed}


def exports_of(folder: Path) -> Outcome:
    return {
        name: error is None and len(paths) == 2
        for name, paths, error in export_results(folder, ["eaf", "textgrid"], None, 2022)
    }


def pages_of(folder: Path) -> Outcome:
    names = {r.version.with_suffix(".html"): r.name for r in find_results(folder)}
    pages = write_pages(folder, None, 0)
    return {names[page]: not isinstance(lack, FesnetError) for page, lack in pages}


def rules_of(folder: Path) -> Outcome:
    changes = change_rules(
        find_results(folder), None, lambda old: replace(old, micro_threshold=0.3), "anna"
    )
    return {c.name: c.error is None and c.after == (1, 1) for c in changes}


WORKS: dict[str, Callable[[Path], Outcome]] = {
    "summary": summary_of,
    "export": exports_of,
    "report": pages_of,
    "rethreshold": rules_of,
}
LONG = "n" * 250  # with .json, just as long as file systems take; with more, too long


IN_THE_WAY: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a person's file": lambda path: path.write_text("mine"),
    "a pipe": os.mkfifo,
}


def damage(folder: Path, trouble: str) -> str:
    """Make one result of the folder such; its name."""
    name = LONG if trouble == "long name" else "m"
    result = folder / f"{name}.json"
    scored_result(EVENTS, 5.0).to_json(result)
    if trouble == "cut off":
        result.write_bytes(result.read_bytes()[:900])
    elif trouble == "damaged review":
        (folder / "m.review.json").write_text("{")
    elif trouble in IN_THE_WAY:
        for ending in (".eaf", ".html", ".csv"):
            IN_THE_WAY[trouble](folder / f"m{ending}")
    return name


TROUBLES = ["long name", "cut off", "damaged review", *IN_THE_WAY]
UNHARMED = {  # what each work can do all the same
    "long name": {"summary", "rethreshold"},
    "a folder": {"summary"},
    "a person's file": {"summary"},
    "a pipe": {"summary"},
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("work", WORKS)
def test_the_others_are_done(work: str, trouble: str, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in GOOD:
        scored_result(EVENTS, 5.0).to_json(tmp_path / f"{name}.json")
    bad = damage(tmp_path, trouble)
    outcome = WORKS[work](tmp_path)
    assert {name: outcome[name] for name in GOOD} == dict.fromkeys(GOOD, True)
    if (work, trouble) == ("report", "long name"):  # .html is as long as .json
        assert outcome[bad]
    else:
        assert outcome[bad] == (work in UNHARMED.get(trouble, ()))
    if trouble == "a person's file":
        own = [tmp_path / f"m{ending}" for ending in (".eaf", ".html", ".csv")]
        assert {path.read_text() for path in own} == {"mine"}


def test_what_concerns_all_stops_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No space left"):
        error_of_one(tmp_path / "a", OSError(28, "No space left on device"))
    with pytest.raises(UsageError, match="wrong"):
        error_of_one(tmp_path / "a", UsageError("wrong"))


def test_names_that_just_fit_have_neighbours_that_do_not(tmp_path: Path) -> None:
    path = tmp_path / f"{LONG}.json"
    scored_result(EVENTS, 5.0).to_json(path)
    (result,) = find_results(tmp_path)
    assert not result.reviewed and result.version == path and outdated_files(path) == []

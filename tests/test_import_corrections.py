"""Corrections made in ELAN, Praat, BORIS or a table become corrections of the result."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from fesnet.cli import app
from fesnet.errors import ResultError, TruthError, UsageError
from fesnet.exports import ENDINGS, WRITERS, export, write_results
from fesnet.exports.csv import IntervalRow
from fesnet.result import Spotting
from fesnet.review.edits import EditRequest, apply_edit
from fesnet.review.merge import MachineResult, merge_intervals
from fesnet.review.review_file import read_review, save_review
from fesnet.study import find_results
from fesnet.study.corrections import correct, import_corrections, import_folder
from made_results import made_result
from review_server import made_spotting

Found = list[tuple[int, str, int, int]]
MACHINE: Found = [(0, "macro", 10, 40), (0, "macro", 60, 90), (0, "micro", 100, 110)]
# the first moved, the second a micro, the third gone, one new
PERSON: Found = [(0, "macro", 12, 47), (0, "micro", 60, 90), (0, "macro", 150, 190)]


def result_of(found: Found, **more: Any) -> Spotting:
    rows = [(f, k, a, (a + b) // 2, b) for f, k, a, b in found]
    return made_result(rows, 200, **more)


def spans(spotting: Spotting) -> Found:
    return sorted((i.face, i.kind, i.onset_frame, i.offset_frame) for i in spotting.intervals)


def save_as_person(found: Found, path: Path, form: str) -> None:
    """What another program writes once a person has corrected there."""
    WRITERS[form](result_of(found), path)
    os.utime(path, ns=(path.stat().st_mtime_ns + 10**9,) * 2)


def make_folder(folder: Path, form: str) -> Path:
    """a.json with its export, which a person has corrected; b.json with one as it was."""
    for name in ("a", "b"):
        write_results(result_of(MACHINE), folder / f"{name}.json")
        export(result_of(MACHINE), [form], folder, name)
    save_as_person(PERSON, folder / f"a{ENDINGS[form]}", form)
    return folder


@pytest.mark.parametrize("form", ["eaf", "textgrid", "boris", "csv"])
def test_a_folder_takes_what_a_person_changed(form: str, tmp_path: Path) -> None:
    make_folder(tmp_path, form)
    before = (tmp_path / "a.json").read_bytes()
    first, second = import_folder(tmp_path, "anna")
    assert first.error is None and second.error is None
    assert first.text == "0 as they were, 2 moved or of another kind, 1 added, 1 deleted"
    assert second.file is None
    a, b = find_results(tmp_path)
    assert spans(a.read()) == sorted(PERSON)
    assert spans(b.read()) == sorted(MACHINE)
    assert not b.reviewed
    assert (tmp_path / "a.json").read_bytes() == before
    assert {i.by for i in read_review(a.review).intervals} == {"anna"}
    kept = a.review.read_bytes()
    again, _ = import_folder(tmp_path, "anna")
    assert again.text == "3 as they were, 0 moved or of another kind, 0 added, 0 deleted"
    assert a.review.read_bytes() == kept


def test_each_edit_can_be_undone(tmp_path: Path) -> None:
    make_folder(tmp_path, "eaf")
    list(import_folder(tmp_path, "anna"))
    machine = MachineResult.read(tmp_path / "a.json")
    review = read_review(tmp_path / "a.review.json")
    while review.undo_stacks()[0]:
        review = apply_edit(machine, review, EditRequest(review.revision, "ben", "undo"))
    rows = merge_intervals(machine, review)
    told = [(r["face"], r["kind"], r["onset_frame"], r["offset_frame"]) for r in rows]
    assert told == sorted(MACHINE, key=lambda i: i[2])


def test_corrections_made_since_are_kept(tmp_path: Path) -> None:
    """A file of ELAN that is older than what was corrected in fesnet is not taken over it."""
    make_folder(tmp_path, "eaf")
    machine = MachineResult.read(tmp_path / "a.json")
    key = merge_intervals(machine, machine.new_review("a.json"))[0]["id"]
    edit = EditRequest(0, "ben", "note", id=key, note="seen twice")
    review = apply_edit(machine, machine.new_review("a.json"), edit)
    path = tmp_path / "a.review.json"
    save_review(review, merge_intervals(machine, review), path)
    os.utime(path, ns=((tmp_path / "a.eaf").stat().st_mtime_ns + 10**9,) * 2)
    kept = path.read_bytes()
    first, _ = import_folder(tmp_path, "anna")
    assert str(first.error).startswith("expected a.eaf to be newer than a.review.json, but")
    assert path.read_bytes() == kept
    forced = import_corrections(tmp_path / "a.eaf", "anna", force=True)
    assert (forced.moved, forced.added, forced.deleted) == (2, 1, 1)
    assert {i.note for i in read_review(path).intervals} == {"seen twice", ""}


def test_two_corrected_files_of_one_result_are_named_and_the_others_taken(tmp_path: Path) -> None:
    make_folder(tmp_path, "eaf")
    save_as_person(MACHINE[:1], tmp_path / "a.TextGrid", "textgrid")
    save_as_person(MACHINE[:1], tmp_path / "b.eaf", "eaf")
    told = CliRunner().invoke(app, ["import", str(tmp_path), "--review", "--who", "anna"])
    assert told.exit_code == 1
    assert "expected one corrected file of a, got a.TextGrid and a.eaf; name" in told.output
    assert "b.review.json, from b.eaf: 1 as they were" in told.output.replace("\n", "")
    a, b = find_results(tmp_path)
    assert not a.reviewed
    assert spans(b.read()) == MACHINE[:1]


def test_done_says_that_the_whole_video_was_seen(tmp_path: Path) -> None:
    write_results(made_spotting(), tmp_path / "a.json")
    export(made_spotting(), ["eaf"], tmp_path, "a")
    taken = import_corrections(tmp_path / "a.eaf", "anna", done=True)
    assert (taken.same, taken.moved) == (2, 0)
    review = read_review(tmp_path / "a.review.json")
    assert review.done
    assert all(i.checked for i in review.intervals)
    kept = (tmp_path / "a.review.json").read_bytes()
    import_corrections(tmp_path / "a.eaf", "anna", done=True)
    assert (tmp_path / "a.review.json").read_bytes() == kept


def test_the_export_of_corrections_comes_back_too(tmp_path: Path) -> None:
    """NAME.review.eaf belongs to NAME.json."""
    make_folder(tmp_path, "eaf")
    list(import_folder(tmp_path, "anna"))
    a = find_results(tmp_path)[0]
    (tmp_path / "a.eaf").unlink()
    export(a.read(), ["eaf"], tmp_path, "a.review")
    save_as_person(PERSON[:2], tmp_path / "a.review.eaf", "eaf")
    os.utime(tmp_path / "a.review.eaf", ns=(a.review.stat().st_mtime_ns + 10**9,) * 2)
    first, _ = import_folder(tmp_path, "ben")
    assert first.error is None
    assert (first.same, first.deleted) == (2, 1)
    assert spans(a.read()) == sorted(PERSON[:2])
    out = tmp_path / "truth.csv"
    told = CliRunner().invoke(app, ["import", str(tmp_path / "a.review.eaf"), "--out", str(out)])
    assert told.exit_code == 0, told.output


def test_what_cannot_be_taken_is_one_line_and_changes_nothing(tmp_path: Path) -> None:
    make_folder(tmp_path, "eaf")
    for arguments, line in (
        (["a.eaf"], "expected --out FILE.csv for a table, or --review"),
        (["a.eaf", "--review", "--out", "t.csv"], "expected --out FILE.csv for a table, or"),
        (["gone.eaf", "--review"], "gone.eaf does not exist"),
        (["a.eaf", "--review", "--who", " "], "expected your name"),
        (["a.eaf", "--review", "--video", "a.eaf"], "expected the result that"),
    ):
        places = [str(tmp_path / x) if "." in x and " " not in x else x for x in arguments]
        told = CliRunner().invoke(app, ["import", *places])
        assert isinstance(told.exception, UsageError)
        assert line in str(told.exception)
    (tmp_path / "c.eaf").write_bytes((tmp_path / "a.eaf").read_bytes())
    with pytest.raises(UsageError, match=r"but .*c\.json is none; name it by --video"):
        import_corrections(tmp_path / "c.eaf", "anna")
    other_face = [(3, "macro", 12, 47)]
    save_as_person(other_face, tmp_path / "a.eaf", "eaf")
    with pytest.raises(TruthError, match=r"a\.eaf: expected one of the faces 0, got 3"):
        import_corrections(tmp_path / "a.eaf", "anna")
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(ResultError):
        import_corrections(tmp_path / "b.eaf", "anna")
    assert not list(tmp_path.glob("*.review.json"))


SPANS = st.lists(
    st.tuples(
        st.just(0),
        st.sampled_from(["macro", "micro"]),
        st.integers(0, 40),
        st.integers(0, 40),
    ).map(lambda s: (s[0], s[1], min(s[2:]), max(s[2:]))),
    max_size=8,
    unique=True,
)


@given(machine=SPANS, person=SPANS, later=SPANS)
@settings(max_examples=150, deadline=None)
def test_any_intervals_become_any_others(machine: Found, person: Found, later: Found) -> None:
    spotting = replace(result_of(machine), faces=())
    times = spotting.frame_times
    held = MachineResult(spotting, "0" * 64)
    review = held.new_review("a.json")
    for wanted in (person, later):
        rows = [
            IntervalRow(f, float(times[a]), float(times[b]), k, a, b, None, None)  # type: ignore[arg-type]
            for f, k, a, b in wanted
        ]
        review, _ = correct(held, review, rows, "anna")
        present = merge_intervals(held, review)
        got = [(r["face"], r["kind"], r["onset_frame"], r["offset_frame"]) for r in present]
        assert sorted(got) == sorted(wanted)
        assert correct(held, review, rows, "anna")[0] is review

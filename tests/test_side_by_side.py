"""Several programs on one folder at once: nothing of one is lost or taken away by another."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from fesnet import _guard
from fesnet._guard import RECORD, recorded_sha256, replacing, tidy_records
from fesnet._io import atomic_open, atomic_write_text, create_partial, remove_partial_files
from fesnet._locks import CHANGE_LOCK, lock_change, try_lock
from fesnet._partial import MARK, to_digits
from fesnet.batch import columns
from fesnet.batch.columns import merge_study_columns
from fesnet.postprocess import IntervalRules
from fesnet.review.edits import EditRequest, apply_edit
from fesnet.review.merge import MachineResult, merge_intervals
from fesnet.review.review_file import Review, read_review, save_review
from fesnet.study import rules
from fesnet.study.results import find_results
from fesnet.study.rules import RulesChange, change_rules
from review_server import made_spotting


def edit(folder: Path, who: str) -> None:
    """A person adds an expression in the review of m.json."""
    machine, path = MachineResult.read(folder / "m.json"), folder / "m.review.json"
    review = read_review(path) if path.exists() else machine.new_review("m.json")
    times: dict[str, Any] = {"kind": "micro", "onset_s": 0.1, "offset_s": 0.3}
    review = apply_edit(machine, review, EditRequest(review.revision, who, "add", **times))
    save_review(review, merge_intervals(machine, review), path)


def rethreshold(folder: Path, out: Path | None, threshold: float, **options: bool) -> RulesChange:
    def change(old: IntervalRules) -> IntervalRules:
        return old.changed({"macro_threshold": threshold})

    (only,) = change_rules(find_results(folder), out, change, "rules", **options)
    return only


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """One result and its review."""
    (tmp_path / "study").mkdir()
    made_spotting().to_json(tmp_path / "study" / "m.json")
    edit(tmp_path / "study", "anna")
    return tmp_path / "study"


def is_locked(folder: Path) -> bool:
    with (folder / CHANGE_LOCK).open("ab") as handle:
        return try_lock(handle) is False


@pytest.mark.parametrize("elsewhere", [False, True])
def test_other_rules_hold_the_lock_that_edits_take(
    elsewhere: bool, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an edit between the reading and the writing of a review is lost."""
    out = tmp_path / "other" if elsewhere else None
    held = []

    def read_and_look(path: Path) -> Review:
        held.append(is_locked(out or study))
        return read_review(path)

    monkeypatch.setattr(rules, "read_review", read_and_look)
    assert rethreshold(study, out, 0.3).error is None
    assert held == [True]
    assert not is_locked(out or study)


def test_other_rules_do_not_replace_a_review_that_people_went_on_with(
    study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "other"
    assert [rethreshold(study, out, t).error for t in (0.3, 0.35)] == [None, None]
    edit(out, "ben")
    before = (out / "m.review.json").read_bytes(), (out / "m.json").read_bytes()
    error = rethreshold(study, out, 0.4).error
    assert "m.review.json, but a file stands there" in str(error)
    assert ((out / "m.review.json").read_bytes(), (out / "m.json").read_bytes()) == before
    edit(study, "cleo")
    assert rethreshold(study, None, 0.4).error is None  # the study's own goes on
    assert [e.who for e in read_review(study / "m.review.json").entries][-2:] == ["cleo", "rules"]
    assert rethreshold(study, out, 0.4, force=True).error is None
    assert "ben" not in (out / "m.review.json").read_text()


def test_study_csv_is_changed_under_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, real = [], columns.read_study_columns

    def read_and_look(folder: Path) -> columns.Columns:
        held.append(is_locked(folder))
        return real(folder)

    monkeypatch.setattr(columns, "read_study_columns", read_and_look)
    merge_study_columns(tmp_path, {"a": {"group": "one"}})
    merge_study_columns(tmp_path, {"b": {"group": "two"}})
    assert held == [True, True]
    assert set(merge_study_columns(tmp_path, {})) == {"a", "b"}


def test_a_part_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    """A batch that clears up does not spoil an export, or an edit, of a program beside it."""
    with atomic_open(tmp_path / "a.review.json") as handle:
        remove_partial_files(tmp_path)
        handle.write(b"whole")
    assert (tmp_path / "a.review.json").read_bytes() == b"whole"
    code = "import sys; from fesnet._io import *; create_partial(Path(sys.argv[1])); input()"
    writer = [sys.executable, "-c", code, str(tmp_path / "b.json")]
    with subprocess.Popen(writer, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        while not list(tmp_path.glob(".b.json.*.part")):
            assert process.poll() is None
        remove_partial_files(tmp_path)
        assert len(list(tmp_path.glob("*.part"))) == 1
        process.kill()
    remove_partial_files(tmp_path)
    assert not list(tmp_path.glob(".*.part"))


def test_parts_of_earlier_processes_of_the_same_number_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers come again, in containers at once."""
    monkeypatch.setattr("fesnet._partial.OWN", set())  # other tests may have had this token
    (tmp_path / f".a.json.{MARK}{to_digits(os.getpid())}zz.part").touch()
    idle = tmp_path / f".b.json.{MARK}{to_digits(os.getppid())}zz.part"
    young = tmp_path / f".c.json.{MARK}{to_digits(os.getppid())}zz.part"
    for path in (idle, young):
        path.touch()
    os.utime(idle, (0, 0))
    mine = create_partial(tmp_path / "d.json")
    remove_partial_files(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([young, mine])


def write(path: Path, text: str) -> None:
    with replacing(path):
        atomic_write_text(path, text)


def test_what_is_recorded_while_a_batch_tidies_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("one", "two"):
        write(tmp_path / "a.eaf", text)

    @contextmanager
    def slow(path: Path) -> Iterator[IO[bytes]]:
        with atomic_open(path) as handle:
            yield handle
            monkeypatch.setattr(_guard, "atomic_open", atomic_open)
            write(tmp_path / "b.eaf", "of an export beside it")

    monkeypatch.setattr(_guard, "atomic_open", slow)
    tidy_records(tmp_path)
    write(tmp_path / "b.eaf", "again")  # refused if it were not known as ours
    assert len(recorded_sha256(tmp_path / "b.eaf")) == 2
    assert len(recorded_sha256(tmp_path / "a.eaf")) == 1


def test_a_record_that_is_replaced_in_that_moment_gets_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.eaf", "one")
    real = _guard.open_to_append

    def replace_and_open(path: Path) -> IO[bytes]:
        handle = real(path)
        if path.name == RECORD:
            monkeypatch.setattr(_guard, "open_to_append", real)
            shutil.copy(path, tmp_path / "copy")
            (tmp_path / "copy").replace(path)
        return handle

    monkeypatch.setattr(_guard, "open_to_append", replace_and_open)
    write(tmp_path / "b.eaf", "one")
    write(tmp_path / "b.eaf", "two")
    assert len(recorded_sha256(tmp_path / "b.eaf")) == 2


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock_change(tmp_path / CHANGE_LOCK):
        raise ZeroDivisionError
    assert not is_locked(tmp_path)

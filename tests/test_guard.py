"""What fesnet did not write, or what was changed since, is never replaced unless asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fesnet._guard import (
    RECORD,
    check_replaceable,
    free_path,
    guarding,
    recorded_sha256,
    replacing,
    tidy_records,
)
from fesnet._io import atomic_write_text, file_sha256
from fesnet.batch.ledger import LEDGER, BatchLedger
from fesnet.batch.summary import SUMMARY, find_tables, write_summary
from fesnet.cli import app
from fesnet.errors import TargetError, UsageError
from fesnet.evaluation.benchmark import BenchmarkOptions, make_output_folder
from fesnet.exports import ENDINGS, export, export_paths, free_export_name, write_results
from fesnet.study.summarize import SummaryOptions, summarize
from made_results import made_result

MINE = "my own work"
FOUND = [(0, "macro", 10, 15, 30), (0, "micro", 50, 53, 58)]


def write(path: Path, text: str, **options: Any) -> None:
    with replacing(path, **options):
        atomic_write_text(path, text)


def test_own_files_are_replaced_and_those_of_people_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text in ("one", "two", "one"):
        write(path, text)
    path.write_text(MINE)
    with pytest.raises(TargetError, match=r"a\.txt, but a file stands there .* or add --force"):
        write(path, "three")
    assert path.read_text() == MINE
    path.write_text("two")  # as fesnet once wrote it
    write(path, "three")
    path.write_text(MINE)
    write(path, "four", force=True)
    write(path, "five")
    assert path.read_text() == "five"


@pytest.mark.parametrize("form", ENDINGS)
def test_no_export_replaces_a_persons_file(form: str, tmp_path: Path) -> None:
    result = made_result(FOUND)
    for path in export_paths(form, tmp_path, "a"):
        path.write_text(MINE)
        with pytest.raises(TargetError, match="--force"):
            export(result, [form], tmp_path, "a")
        assert path.read_text() == MINE
        path.unlink()
    for _ in range(2):
        (*_, last) = export(result, [form], tmp_path, "a")
    last.write_bytes(last.read_bytes() + b"\n")
    with pytest.raises(TargetError, match="--force"):
        export(result, [form], tmp_path, "a")
    assert export(result, [form], tmp_path, "a", force=True)
    assert free_export_name(form, tmp_path, "a") == "a"
    last.write_text(MINE)
    assert free_export_name(form, tmp_path, "a") == "a-2"


def test_a_table_of_an_older_version_is_ours(tmp_path: Path) -> None:
    """It had no columns `moved` and `flags`, and there was no record of own files."""
    write_results(made_result(FOUND), tmp_path / "a.json")
    table = tmp_path / "a.csv"
    old = table.read_text().replace(",moved,flags", "").replace(",,\n", "\n")
    (tmp_path / RECORD).unlink()
    table.write_text(old.replace("macro", "micro"))
    with pytest.raises(TargetError, match="--force"):
        write_results(made_result(FOUND[:1]), tmp_path / "a.json")
    table.write_text(old)
    write_results(made_result(FOUND[:1]), tmp_path / "a.json")
    assert "moved" in table.read_text()


def test_an_export_in_the_way_does_not_keep_the_others_back(tmp_path: Path) -> None:
    (tmp_path / "a.eaf").write_text(MINE)
    with pytest.raises(TargetError, match=r"a\.eaf"):
        export(made_result(FOUND), ["eaf", "vtt"], tmp_path, "a")
    assert (tmp_path / "a.vtt").is_file()
    assert (tmp_path / "a.eaf").read_text() == MINE


@pytest.mark.parametrize("name", ["a.json", "a.csv"])
def test_a_result_is_written_whole_or_not_at_all(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(MINE)
    with pytest.raises(TargetError, match=name):
        write_results(made_result(FOUND), tmp_path / "a.json")
    assert [p.name for p in tmp_path.iterdir()] == [name]
    write_results(made_result(FOUND), tmp_path / "a.json", force=True)
    write_results(made_result(FOUND[:1]), tmp_path / "a.json")


def test_results_that_were_copied_or_are_older_are_known(tmp_path: Path) -> None:
    """Without the record: a result by its schema, its table by what the result gives."""
    write_results(made_result(FOUND), tmp_path / "a.json")
    (tmp_path / RECORD).unlink()
    write_results(made_result(FOUND[:1]), tmp_path / "a.json")
    (tmp_path / RECORD).unlink()
    with (tmp_path / "a.csv").open("a") as table:
        table.write("a.mp4,0,macro,1,2,3\n")
    with pytest.raises(TargetError, match=r"a\.csv"):
        write_results(made_result(FOUND), tmp_path / "a.json")


def test_links_pipes_and_folders_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text(MINE)
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    (tmp_path / "nowhere").symlink_to(tmp_path / "nothing")
    (tmp_path / "itself").symlink_to("itself")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "nowhere", "itself", "pipe", "folder"):
        with pytest.raises(TargetError):
            check_replaceable(tmp_path / name)
    with pytest.raises(TargetError, match="got a folder"):
        check_replaceable(tmp_path / "folder", force=True)
    (tmp_path / "empty").touch()
    check_replaceable(tmp_path / "empty")


def test_a_kill_at_any_moment_leaves_no_file_that_looks_like_a_persons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    write(path, "one")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    real = os.replace

    def replace_and_die(part: Path, final: Path) -> None:
        real(part, final)
        killed()

    for number, call in enumerate((killed, replace_and_die)):
        with monkeypatch.context() as patch:
            patch.setattr("fesnet._io.os.replace", call)
            with pytest.raises(KeyboardInterrupt):
                write(path, f"two {number}")
        write(path, "three")


def test_names_of_any_letters_are_recorded(tmp_path: Path) -> None:
    names = ["a\nb", "a\\nb", "  a", "\u53d7" * 80, os.fsdecode(b"M\xfcller")]
    for text in ("one", "two"):
        for name in names:
            write(tmp_path / name, f"{name!r} {text}")
    for name in names:
        assert recorded_sha256(tmp_path / name)[-1] == file_sha256(tmp_path / name)
        assert len(recorded_sha256(tmp_path / name)) == 2
    tidy_records(tmp_path)
    first = (tmp_path / RECORD).read_bytes()
    assert len(first.splitlines()) == len(names)
    (tmp_path / RECORD).unlink()
    for name in reversed(names):
        (tmp_path / name).unlink()
        write(tmp_path / name, f"{name!r} two")
    tidy_records(tmp_path)
    assert (tmp_path / RECORD).read_bytes() == first


def test_a_summary_of_a_person_stays(tmp_path: Path) -> None:
    (tmp_path / SUMMARY).write_text(MINE)
    path, *_ = write_summary(tmp_path, [{"video": "a.mp4", "result": "a", "status": "done"}])
    assert path.name == "summary-2.csv"
    path, *_ = write_summary(tmp_path, [])
    assert path.name == "summary-2.csv"
    assert (tmp_path / SUMMARY).read_text() == MINE


def test_a_summary_of_an_older_batch_is_known_until_a_person_changes_it(tmp_path: Path) -> None:
    (tmp_path / SUMMARY).write_text("video,subject\n")
    os.utime(tmp_path / SUMMARY, (1e9, 1e9))
    with BatchLedger(tmp_path) as ledger:
        ledger.append_event("start")
    assert find_tables(tmp_path)[SUMMARY].name == SUMMARY
    os.utime(tmp_path / SUMMARY, (4e9, 4e9))
    assert find_tables(tmp_path)[SUMMARY].name == "summary-2.csv"


def test_a_ledger_of_a_person_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text("runs of this week\n")
    with pytest.raises(UsageError, match="expected the list of a batch"):
        BatchLedger(tmp_path)
    assert (tmp_path / LEDGER).read_text() == "runs of this week\n"


def test_free_path_counts_on(tmp_path: Path) -> None:
    for name in ("a.csv", "a-2.csv"):
        (tmp_path / name).write_text(MINE)
    assert free_path(tmp_path / "a.csv").name == "a-3.csv"


def test_every_file_of_a_command_is_checked_when_it_would_take_its_name(tmp_path: Path) -> None:
    for force, text in ((False, MINE), (True, "ours")):
        (tmp_path / "later.txt").write_text(MINE)
        try:
            with guarding(tmp_path / "first.txt", force=force):
                atomic_write_text(tmp_path / "other.txt", "ours")
                atomic_write_text(tmp_path / "later.txt", "ours")
        except TargetError as error:
            assert not force and "later.txt" in str(error)
        assert (tmp_path / "later.txt").read_text() == text
    assert sorted(p.name for p in tmp_path.iterdir()) == [RECORD, "later.txt", "other.txt"]
    (tmp_path / "other.txt").write_text(MINE)
    with pytest.raises(TargetError, match=r"other\.txt"), guarding(tmp_path / "other.txt"):
        atomic_write_text(tmp_path / "first.txt", "nothing is begun")
    assert not (tmp_path / "first.txt").exists()


@pytest.mark.parametrize(
    "name", ["expressions.csv", "participants.csv", "raster.svg", "index.html"]
)
def test_a_summary_replaces_no_file_of_a_person(name: str, tmp_path: Path) -> None:
    write_results(made_result(FOUND), tmp_path / "a.json")
    (tmp_path / name).write_text(MINE)
    with pytest.raises(TargetError, match=name):
        summarize(tmp_path, SummaryOptions(), lambda line: None)
    assert (tmp_path / name).read_text() == MINE
    assert not (tmp_path / SUMMARY).exists()
    summarize(tmp_path, SummaryOptions(force=True), lambda line: None)
    summarize(tmp_path, SummaryOptions(), lambda line: None)
    assert (tmp_path / name).read_text() != MINE


@pytest.mark.parametrize("name", ["table.csv", "index.html", "config.json"])
def test_a_benchmark_replaces_no_table_of_a_person(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(MINE)
    with pytest.raises(TargetError, match=name):
        make_output_folder(tmp_path, BenchmarkOptions())
    make_output_folder(tmp_path, BenchmarkOptions(force=True))
    (tmp_path / "work").mkdir()  # of an older version, which kept no record
    make_output_folder(tmp_path, BenchmarkOptions())


@pytest.mark.parametrize("command", ["stability", "robustness"])
def test_an_evaluation_replaces_no_table_of_a_person(command: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / f"{command}.md").write_text(MINE)
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / "a.mp4").write_bytes(b"no video")
    call = CliRunner().invoke(app, ["evaluate", command, str(clips), str(out)])
    assert isinstance(call.exception, TargetError)
    assert f"{command}.md" in str(call.exception) and "--force" in str(call.exception)
    assert (out / f"{command}.md").read_text() == MINE

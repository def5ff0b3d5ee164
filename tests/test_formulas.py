"""No cell of a table that fesnet writes is a formula, whatever a name or a note says."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from fesnet._io import write_table
from fesnet._names import from_cell, is_number, to_cell
from fesnet.batch.summary import write_summary
from fesnet.datasets.folder import load_folder
from fesnet.datasets.prepared import write_tables
from fesnet.datasets.recording import DataSet, EventLabel, Recording
from fesnet.evaluation.challenge_files import write_submission
from fesnet.exports import export, write_results
from fesnet.exports.megc import write_megc
from fesnet.figures.paper_tables import write_paper_table
from fesnet.intervals import Interval, IntervalMark
from fesnet.study.markers import Marker, save_markers
from made_results import made_result

FORMULA_NAME = "=1+1"


def write_every_table(folder: Path) -> None:
    """All tables of text that fesnet writes and that can hold a name or a word of a person."""
    result = made_result([(0, "micro", 13, 30, 69)], name=f"{FORMULA_NAME}.mp4")
    mark = IntervalMark(FORMULA_NAME, "2026-01-01", True, "=note()")
    marked = replace(result, marks={i: mark for i in result.intervals})
    write_results(result, folder / "r" / "a.json")
    export(marked, ["csv", "bids", "blinks", "frames", "megc"], folder, "export")
    write_megc(result, folder / "megc.csv", 2024)
    row = {"video": FORMULA_NAME, "subject": FORMULA_NAME, "status": "failed", "reason": "=x"}
    write_summary(folder / "r", [{**row, "result": FORMULA_NAME}])
    save_markers([Marker(FORMULA_NAME, "", 0.0, 1.0, "=label")], folder)
    write_paper_table(["=head"], [["=cell"], ["-"], ["-1.5"]], folder, "paper")
    write_table(folder / "table.csv", [["=head"], ["@cell", -1.5, "-1,5"]])
    write_submission(folder / "r" / "a.json", 2025, folder / "answers.csv")
    label = EventLabel("=happy", "+12")
    event = Interval(1, 5, "macro")
    recording = Recording(FORMULA_NAME, "+S1", folder, "video", (event,), 9, labels=(label,))
    write_tables(DataSet("folder", folder, (recording,), (), ()), folder)


def test_no_cell_of_any_table_is_a_formula(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    write_every_table(tmp_path)
    files = sorted([*tmp_path.rglob("*.csv"), *tmp_path.rglob("*.tsv")])
    assert len(files) >= 12
    guarded = set()
    for file in files:
        with file.open(newline="", encoding="utf-8-sig") as handle:
            for row in csv.reader(handle, delimiter="\t" if file.suffix == ".tsv" else ","):
                for cell in row:
                    dangerous = cell[:1] in "=+-@\t\r" and len(cell) > 1
                    assert not dangerous or is_number(cell), f"{file.name}: {cell!r}"
                    if cell.startswith("'"):
                        guarded.add(file.name)
    assert len(guarded) >= 9, guarded  # the words did get there


def test_a_guarded_name_is_read_as_it_was(tmp_path: Path) -> None:
    label = EventLabel("=happy", "+12")
    clip = tmp_path / "=clip.mp4"
    clip.touch()
    recording = Recording(
        "=clip", "+S1", clip, "video", (Interval(1, 5, "macro"),), 9, labels=(label,)
    )
    write_tables(DataSet("folder", tmp_path, (recording,), (), ()), tmp_path)
    (again,) = load_folder(tmp_path).recordings
    assert (again.id, again.subject, again.source) == ("=clip", "+S1", clip)
    assert (again.truth, again.labels) == (recording.truth, recording.labels)


@pytest.mark.parametrize(
    "before", ["", " ", "\xa0", "\u3000", "\u200b", "\u2009 ", "\u2060", "\u200d\u180e"]
)
@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-a", "@SUM(1)", "\uff1d1+1", "\uff0b1"])
def test_blanks_before_a_formula_hide_none(before: str, text: str) -> None:
    cell = to_cell(before + text)
    assert cell == f"'{before}{text}"
    assert from_cell(cell) == before + text


@pytest.mark.parametrize("text", ["", " ", "-", "=", "anna", "a=1", "'", "it's", "5-6"])
def test_plain_texts_stay(text: str) -> None:
    assert to_cell(text) == from_cell(text) == text

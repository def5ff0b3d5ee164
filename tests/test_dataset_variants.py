"""Official workbooks under other names and in other shapes; truth without frames; part C, 4DME."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner

from fesnet.cli import app
from fesnet.datasets import load_dataset
from fesnet.datasets.check import describe_dataset
from fesnet.errors import TargetError, TruthError, UsageError
from fesnet.intervals import Interval

EVENTS: list[list[object]] = [
    [1, "anger1_1", 10, 14, 20, "4", "negative", "macro-expression", "anger"],
    [2, "Happy1_1", 30, 60, 50, "12", "positive", "Micro-expression", "happy"],
]
SUBJECTS: list[list[object]] = [[1, "s15", 1], [2, "s16", 2]]
CODES: list[list[object]] = [["0401", "anger1"], ["0502", "happy1"], ["0508", "happy5"]]


def book(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    made.save(path)
    return path


def fill(folder: Path, count: int, name: str = "img_{}.jpg") -> None:
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        (folder / name.format(number)).touch()


@pytest.mark.parametrize(
    ("name", "sheets"),
    [
        ("CAS(ME)^2code_final(Updated).xlsx",
         {"CASFEcode_final": EVENTS, "naming rule1": SUBJECTS, "naming rule2": CODES}),
        ("cas(me)^2CODE_final.xlsx",
         {"casfecode_final": EVENTS, "Naming Rule1": SUBJECTS, "naming rule2": CODES}),
        ("code_final.xlsx", {"Sheet1": EVENTS, "Sheet2": SUBJECTS, "Sheet3": CODES}),
        ("CASME_sq_gt.xlsx", {"Sheet1": EVENTS, "Sheet3": SUBJECTS, "Sheet2": CODES}),
        ("code_final_bare.xlsx", {"Sheet1": EVENTS}),
    ],
)  # fmt: skip
def test_casme2_under_any_name(
    name: str, sheets: dict[str, list[list[object]]], tmp_path: Path
) -> None:
    book(tmp_path / name, sheets)
    data = load_dataset("casme2", tmp_path)
    assert data.recordings == () and "s15_0401" in data.missing
    truth = {r.id: r.truth for r in data.frameless}
    assert truth["s15_0401"] == (Interval(9, 20, "macro", 13),)
    assert truth["s16_0502"] == (Interval(29, 50, "micro"),)
    assert truth["s15_0508"] == ()  # no row names it, but it counts
    assert ("no naming rules: 1" in "\n".join(describe_dataset(data))) == (len(sheets) == 1)
    label = next(r for r in data.frameless if r.id == "s15_0401").labels[0]
    assert (label.emotion, label.action_units) == ("negative", "4")


def test_a_table_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    table = book(tmp_path / "mine.xlsx", {"a": EVENTS, "b": SUBJECTS, "c": CODES})
    assert len(load_dataset("casme2", tmp_path / "root", table=table).frameless) == 3
    with pytest.raises(UsageError, match=r"spreadsheet with the annotations, but .*no\.xlsx"):
        load_dataset("casme2", tmp_path / "root", table=tmp_path / "no.xlsx")
    with pytest.raises(TruthError, match=r"got no spreadsheet beside nothing; .* --table"):
        load_dataset("samm", tmp_path / "root")
    with pytest.raises(TruthError, match=r"expected the annotations SAMM_.*, got mine\.xlsx; "):
        load_dataset("samm", tmp_path)
    with pytest.raises(TruthError, match=r"macro-expression .* in column 8, .* got a: x, y"):
        load_dataset("casme2", tmp_path, table=book(tmp_path / "b.xlsx", {"a": [["x", "y"]]}))


def test_samm_in_one_sheet_with_rows_of_hashes(tmp_path: Path) -> None:
    head: list[object] = ["subject", "FILENAME", "Onset", "Apex", "Offset", "type", "Action Units"]
    rows: list[list[object]] = [
        head,
        [6, "006_1_1", 10, "####", 20, "Macro", "4"],
        ["###", "###", "###", "###", "###", "###", "###"],
        [7, "007_3_1", "###", 15, 20, "Micro - 1/2", "12"],
        [None, None, None, None, None, None, "a remark"],
    ]
    book(tmp_path / "samm_longvideos_V2.xlsx", {"Sheet1": rows})
    data = load_dataset("samm", tmp_path)
    assert {r.id: r.truth for r in data.frameless} == {
        "006_1": (Interval(9, 20, "macro"),), "007_3": (),
    }  # fmt: skip
    said = "\n".join(describe_dataset(data))
    assert "onset unknown: 1, row left out" in said and "row without a file name: 1" in said


def test_raw_and_cropped_frames_side_by_side_are_told(tmp_path: Path) -> None:
    book(tmp_path / "code_final.xlsx", {"Sheet1": EVENTS, "b": SUBJECTS, "c": CODES})
    fill(tmp_path / "cropped" / "s15" / "15_0401girlcrashing", 30)
    fill(tmp_path / "rawpic" / "s15" / "15_0401girlcrashing", 31, "img{}.jpg")
    data = load_dataset("casme2", tmp_path)
    assert [(r.id, r.frames) for r in data.recordings] == [("s15_0401", 30)]
    said = "\n".join(describe_dataset(data))
    assert "frames in more than one folder: 1, first used (s15_0401: cropped/s15/" in said


def test_apex_20_also_moves_offsets_before_the_apex(tmp_path: Path) -> None:
    book(tmp_path / "code_final.xlsx", {"Sheet1": EVENTS, "b": SUBJECTS, "c": CODES})
    data = load_dataset("casme2", tmp_path, "apex+20")
    truth = {r.id: r.truth for r in data.frameless}
    assert truth["s16_0502"] == (Interval(29, 80, "micro", 59),)


def test_micro_inside_macro_counts_events(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        [1, "anger1_1", 10, 14, 60, "4", "", "macro-expression"],
        [1, "anger1_1", 15, 14, 50, "4", "", "macro-expression"],
        [1, "anger1_1", 20, 22, 30, "4", "", "micro-expression"],
    ]
    book(tmp_path / "code_final.xlsx", {"Sheet1": rows})
    said = "\n".join(describe_dataset(load_dataset("casme2", tmp_path)))
    assert "micro inside macro: 1, kept" in said and "two macro overlap: 1, kept" in said


def test_truth_reaches_score_without_frames(tmp_path: Path) -> None:
    book(tmp_path / "r" / "code_final.xlsx", {"Sheet1": EVENTS, "b": SUBJECTS, "c": CODES})
    found = tmp_path / "found.csv"
    found.write_text("vid,onset,offset,type\ns15_0401,10,20,mae\ns15_0508,5,9,me\n")
    out = tmp_path / "t" / "truth.csv"
    call = ["data", "truth", "casme2", str(tmp_path / "r"), "--out", str(out)]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    assert f"wrote {out} (2 events) and {out.parent / 'videos.csv'} (3 videos)" in done.stdout
    assert out.read_text().splitlines()[:2] == [
        "subject,video,kind,onset_frame,apex_frame,offset_frame,emotion,action_units",
        "s15,s15_0401,macro,10,14,20,negative,4",
    ]
    by_file = CliRunner().invoke(app, ["score", str(out), str(found)])
    by_name = CliRunner().invoke(app, ["score", f"casme2:{tmp_path / 'r'}", str(found)])
    assert by_file.stdout == by_name.stdout and "3 videos" in by_file.stdout
    assert "overall │  1 │  1 │  1" in by_file.stdout.replace("┃", "│")
    wrong = CliRunner().invoke(app, ["score", str(out), str(found), "--offset", "drop"])
    assert isinstance(wrong.exception, UsageError)
    before = out.read_bytes()
    assert CliRunner().invoke(app, call).exit_code == 0  # over its own files
    (out.parent / "videos.csv").write_text("mine")
    assert isinstance(CliRunner().invoke(app, [*call, "--offset", "drop"]).exception, TargetError)
    assert (out.read_bytes(), (out.parent / "videos.csv").read_text()) == (before, "mine")


def test_part_c(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["Subject", "Onset", "Offset", "diff", "Exp_type", "risk"],
        ["01", 12, 20, 8, 1, 0],
        ["01", 30, 60, 30, 2, 0],
    ]
    book(tmp_path / "CAS(ME)3_part_C.xlsx", {"Sheet1": rows})
    folder = tmp_path / "part_C" / "01" / "a" / "color"
    folder.mkdir(parents=True)
    for number in range(10, 80):
        (folder / f"{number}.jpg").touch()
    data = load_dataset("casme3c", tmp_path)
    assert [(r.id, r.truth) for r in data.recordings] == [
        ("01", (Interval(2, 11, "micro"), Interval(20, 51, "macro")))
    ]
    assert "Exp_type 2: 1, taken for a macro" in "\n".join(describe_dataset(data))


def test_fourdme(tmp_path: Path) -> None:
    head: list[object] = ["Filename", "Onset", "Apex", "Offset", "Emotion", "AU"]
    rows: list[list[object]] = [head, ["S08_002_01", 1826, 1830, 1840, "positive", "12"]]
    name = "Micro and Macro-expression labels.xlsx"
    book(tmp_path / name, {"Micro-expression": rows, "notes": [["x"]]})
    folder = tmp_path / "S08" / "S08_002_01"
    folder.mkdir(parents=True)
    for number in range(1823, 1850):
        (folder / f"Frame_{number:09d}.jpg").touch()
    (recording,) = load_dataset("4dme", tmp_path).recordings
    assert recording.truth == (Interval(3, 18, "micro", 7),) and recording.rate == 60
    book(tmp_path / name, {"a": [["Video ID", "start", "end"]]})
    with pytest.raises(TruthError, match=r"columns Onset, .* got a: Video ID, start, end; write"):
        load_dataset("4dme", tmp_path)

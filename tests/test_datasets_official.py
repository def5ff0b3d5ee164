"""Readers on look-alikes in the official layouts, with every issue planted; not a row of the real
tables.
"""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
import xlwt

from fesnet.cli import main
from fesnet.datasets import load_dataset
from fesnet.datasets.check import describe_dataset
from fesnet.datasets.sheets import find_file
from fesnet.errors import TruthError, UsageError
from fesnet.intervals import Interval


def frames(folder: Path, count: int, name: str = "img_{}.jpg") -> None:
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        (folder / name.format(number)).write_bytes(b"")


def book(path: Path, sheets: dict[str, list[list[object]]]) -> None:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    made.save(path)


def casme2(root: Path, extra: list[list[object]] | None = None) -> Path:
    """Two subjects, three videos, one of them without an event."""
    rows = [
        [1, "anger1_1", 10, 14, 20, "4", "negative", "macro-expression", "anger"],
        [
            1,
            "anger1_2",
            18,
            22,
            0,
            "4",
            "negative",
            "macro-expression",
            "anger",
        ],  # offset 0; overlaps the first
        [1, "anger1_3", 40, 0, 50, "4", "negative", "micro-expression", "anger"],  # apex 0
        [
            2,
            "happy1_1",
            30,
            60,
            50,
            "12",
            "positive",
            "macro-expression",
            "happyiness",
        ],  # offset before apex
        *(extra or []),
    ]
    numbers = [["number", "folder", "subject"], [1, "s15", 1], [2, "s16", 2]]
    codes = [["0401", "anger1"], ["0502", "happy1"], ["0101", "disgust1"]]
    names = {"CASFEcode_final": rows, "naming rule1": numbers, "naming rule2": codes}
    book(root / "CAS(ME)^2code_final(Updated).xlsx", names)
    frames(root / "cropped" / "s15" / "15_0401girlcrashing", 60)
    frames(root / "cropped" / "s15" / "15_0101disgustingteeth", 5)
    frames(root / "cropped" / "s16" / "16_0502funnyerrors", 90, "img{}.jpg")
    return root


def test_casme2(tmp_path: Path) -> None:
    data = load_dataset("casme2", casme2(tmp_path))
    assert data.subjects == ("s15", "s16")
    videos = {r.id: r for r in data.recordings}
    assert videos["s15_0101"].truth == ()  # counts, though nothing happens in it
    assert videos["s15_0401"].truth == (
        Interval(9, 20, "macro", 13), Interval(17, 22, "macro", 21), Interval(39, 50, "micro"),
    )  # fmt: skip
    assert videos["s16_0502"].truth == (Interval(29, 50, "macro"),)
    assert (videos["s15_0401"].frames, videos["s15_0401"].rate, videos["s15_0401"].media) == (
        60,
        30.0,
        "frames",
    )
    said = "\n".join(describe_dataset(data))
    for part in ("offset 0: 1, apex", "apex unknown: 1", "offset before apex: 1", "two macro "
                                                                                  "overlap: 1",
                 "without an event: 1 (s15_0101)", "subjects 2 instead of 22"):  # fmt: skip
        assert part in said, part


@pytest.mark.parametrize(
    ("offset", "stop"),
    [("apex", 22), ("mirror", 26), ("apex+20", 42), ("unmatchable", 18), ("drop", None)],
)
def test_offset_0_is_a_named_choice(tmp_path: Path, offset: str, stop: int | None) -> None:
    data = load_dataset("casme2", casme2(tmp_path), offset)
    second = [i for r in data.recordings if r.id == "s15_0401" for i in r.truth if i.start == 17]
    assert [i.stop for i in second] == ([] if stop is None else [stop])
    assert data.options == {"offset": offset}


def test_wrong_rows_are_named(tmp_path: Path) -> None:
    casme2(tmp_path, [[1, "anger1_4", "soon", 5, 6, "", "", "macro-expression"]])
    with pytest.raises(
        TruthError, match=r"expected a frame number for onset in .* row 5, got 'soon'"
    ):
        load_dataset("casme2", tmp_path)
    with pytest.raises(UsageError, match="expected an offset convention out of apex, mirror"):
        load_dataset("casme2", tmp_path, "apex+5")
    with pytest.raises(UsageError, match="expected a data set out of casme2, samm"):
        load_dataset("casme9", tmp_path)
    with pytest.raises(TruthError, match="expected the annotations SAMM_LongVideos"):
        load_dataset("samm", tmp_path)


def test_unknown_names_and_kinds(tmp_path: Path) -> None:
    casme2(tmp_path, [[1, "sadness9_1", 4, 5, 6, "", "", "macro-expression"]])
    with pytest.raises(
        TruthError,
        match=r"subject and a video of the naming rules in .* row 5, got 1 and sadness9_1",
    ):
        load_dataset("casme2", tmp_path)
    (tmp_path / "other").mkdir()
    casme2(tmp_path / "other", [[1, "anger1_9", 4, 5, 6, "", "", "expression"]])
    with pytest.raises(TruthError, match=r"expected macro or micro in .* row 5, got 'expression'"):
        load_dataset("casme2", tmp_path / "other")


def samm(root: Path) -> Path:
    head = [
        "Subject",
        "Filename",
        "Inducement Code",
        "Onset",
        "Apex",
        "Offset",
        "Duration",
        "Type",
        "Action Units",
    ]
    rows = [
        ["006", "006_1_1", 1, 566.4, 600, 700, 1, "Macro", "4"],  # fractional onset
        ["006", "006_1_2", 1, 580, -1, 640, 1, "Micro - 1/2", "4"],  # apex -1, inside the macro
        ["007", "007_3_1", 1, 10, 20, 900, 1, "Macro", "4"],  # longer than the video
        ["008", "008_1_1", 1, 10, 20, 30, 1, "Macro", "4"],  # no frames
    ]
    book(
        root / "SAMM_LongVideos_V3_Release.xlsx",
        {"FACS_Movement_Only": [["about"]] * 9 + [head, *rows]},
    )
    frames(root / "006_1", 800, "006_1_{:04d}.jpg")
    frames(root / "007_3", 100, "007_3_{:04d}.jpg")
    return root


def test_samm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_dataset("samm", samm(tmp_path))
    videos = {r.id: r for r in data.recordings}
    assert videos["006_1"].truth == (Interval(565, 700, "macro", 599), Interval(579, 640, "micro"))
    assert videos["006_1"].rate == 200
    assert data.missing == ("008_1",)
    monkeypatch.setattr("sys.argv", ["fesnet", "data", "check", "samm", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    said = capsys.readouterr().out
    for part in ("fractional onset: 1, rounded", "apex unknown: 1", "micro inside macro: 1",
                 "event after the last frame: 1",
                 "MISSING: 1 videos have no frames (008_1"):  # fmt: skip
        assert part in said, part


def test_a_typo_in_a_column(tmp_path: Path) -> None:
    book(
        tmp_path / "SAMM_LongVideos_V1_Release.xlsx",
        {"FACS_Movement_Only": [["Subject", "Filname", "Onset"]]},
    )
    with pytest.raises(
        TruthError,
        match=r"expected a sheet FACS_.* Subject, Filename, .* got FACS.*: Subject, Filname",
    ):
        load_dataset("samm", tmp_path)
    book(tmp_path / "SAMM_LongVideos_V2_Release.xlsx", {"Sheet1": []})
    with pytest.raises(
        TruthError, match=r"expected a sheet FACS_Movement_Only with .*V2.*, got Sheet1: empty"
    ):
        load_dataset("samm", tmp_path)
    (tmp_path / "SAMM_LongVideos_V3_Release.xlsx").write_text("no spreadsheet")
    with pytest.raises(TruthError, match=r"expected a spreadsheet in .*V3"):
        load_dataset("samm", tmp_path)


def test_casme3(tmp_path: Path) -> None:
    made = xlwt.Workbook()
    sheet = made.add_sheet("AU+Emotion")
    head = [
        "Subject",
        "Filename",
        "Onset",
        "Apex",
        "Offset",
        "AU",
        "Expression type",
        "Objective class",
    ]
    rows = [
        ["spNO.1", "a", "5", "8", "12", "4", "Micro-expression", "1"],
        ["spNO.3", "J", "3", "20", "40", "4", "Macro-expression", "2"],
    ]
    for n, row in enumerate([head, *rows]):
        for k, cell in enumerate(row):
            sheet.write(n, k, cell)
    made.save(str(tmp_path / "CAS(ME)3_part_A_v2.xls"))
    frames(tmp_path / "spNO.1" / "a" / "color", 30, "{}.jpg")
    frames(tmp_path / "spNO.3" / "J" / "color", 60, "{}.jpg")
    frames(tmp_path / "spNO.3" / "b" / "color", 60, "{}.jpg")
    data = load_dataset("casme3", tmp_path)
    assert {r.id: r.truth for r in data.recordings} == {
        "spNO.1_a": (Interval(4, 12, "micro", 7),), "spNO.3_b": (),
        "spNO.3_j": (Interval(2, 40, "macro", 19),),
    }  # fmt: skip
    assert "name in upper case: 1" in "\n".join(describe_dataset(data))


def test_the_newest_annotations_are_read(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for name in ("old/SAMM_V2.xlsx", "SAMM_V10.xlsx", "SAMM_V9.xlsx", "~$SAMM_V11.xlsx"):
        (tmp_path / name).touch()
    assert find_file(tmp_path, ("SAMM_*.xlsx",)).name == "SAMM_V10.xlsx"

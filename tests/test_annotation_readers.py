"""Files of Praat, BORIS and spreadsheets read back: what was written, and what others write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from typer.testing import CliRunner

from fesnet.batch import import_truth
from fesnet.cli import app
from fesnet.errors import TruthError, UsageError
from fesnet.exports import export
from fesnet.exports.annotations import read_annotations
from fesnet.metrics.interval_tables import read_intervals
from fesnet.result import Spotting
from made_results import made_result, made_results

ENDINGS = {"eaf": ".eaf", "textgrid": ".TextGrid", "boris": ".boris", "csv": ".csv"}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readers")


def back(spotting: Spotting, form: str, folder: Path) -> list[tuple[Any, ...]]:
    """Face, kind and frames after a round trip through a format."""
    export(spotting, [form], folder, "a")
    spotting.to_json(folder / "result.json")
    out = folder / "truth.csv"
    import_truth(folder / f"a{ENDINGS[form]}", out, folder / "result.json", None, lambda *_: None)
    rows = read_intervals(out)
    return sorted((r.interval.kind, r.interval.start, r.interval.stop - 1) for r in rows)


@pytest.mark.parametrize("form", list(ENDINGS))
@given(spotting=made_results())
@settings(max_examples=25, deadline=None)
def test_round_trips_give_the_same_frames(
    form: str, spotting: Spotting, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    wanted = sorted((i.kind, i.onset_frame, i.offset_frame) for i in spotting.intervals)
    assert back(spotting, form, folder) == wanted


@pytest.mark.parametrize("form", ["textgrid", "boris"])
def test_apexes_come_back(form: str, tmp_path: Path) -> None:
    result = made_result([(0, "macro", 10, 20, 40), (1, "micro", 12, 15, 18)])
    export(result, [form], tmp_path, "a")
    read = read_annotations(tmp_path / f"a{ENDINGS[form]}")
    assert [(m.face, m.kind, round((m.apex_s or 0) * 30)) for m in read.found] == [
        (0, "macro", 20),
        (1, "micro", 15),
    ]
    assert read.ignored == {}


SHORT = '''File type = "ooTextFile"
Object class = "TextGrid"

0
10
<exists>
2
"IntervalTier"
"rater ""B"""
0
10
4
0
1
""
1
2.5
"Micro-expression"
2.5
4
"blink"
4
10
""
"TextTier"
"clicks"
0
10
1
3
"x"
'''


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_praats_short_form_and_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.TextGrid").write_text(SHORT, encoding=encoding)
    read = read_annotations(tmp_path / "a.TextGrid")
    assert [(m.kind, m.start_s, m.stop_s) for m in read.found] == [("micro", 1.0, 2.5)]
    assert read.ignored == {'rater "B"': 1, "clicks": 1}


def project(events: list[list[Any]], observations: int = 1) -> str:
    codes = {"Macro": "State event", "ME": "State event", "gaze": "State event"}
    codes["macro apex"] = "Point event"
    behaviours = {str(n): {"code": c, "type": t} for n, (c, t) in enumerate(codes.items())}
    found = {f"o{n}": {"file": {"1": ["a.mp4"]}, "events": events} for n in range(observations)}
    return json.dumps({"behaviors_conf": behaviours, "observations": found})


def test_boris_states_are_paired_and_the_rest_is_counted(tmp_path: Path) -> None:
    events = [
        [1.0, "anna", "Macro", "", ""],
        [1.5, "anna", "ME", "", ""],
        [1.2, "anna", "macro apex", "", ""],
        [1.8, "anna", "ME", "", ""],
        [3.0, "anna", "Macro", "", ""],
        [4.0, "anna", "gaze", "", ""],
        [5.0, "anna", "gaze", "", ""],
        [6.0, "anna", "Macro", "", ""],
        [9.0, "ben", "macro apex", "", ""],
    ]  # fmt: skip
    (tmp_path / "a.boris").write_text(project(events), encoding="utf-8")
    (tmp_path / "a.mp4").touch()
    read = read_annotations(tmp_path / "a.boris")
    assert [(m.kind, m.start_s, m.stop_s, m.apex_s) for m in read.found] == [
        ("macro", 1.0, 3.0, 1.2),
        ("micro", 1.5, 1.8, None),
    ]
    assert read.ignored == {"gaze": 2, "Macro (without an end)": 1, "macro apex": 1}
    assert read.video == tmp_path / "a.mp4"
    (tmp_path / "a.boris").write_text(project(events, 2), encoding="utf-8")
    with pytest.raises(TruthError, match="it has 2 observations"):
        read_annotations(tmp_path / "a.boris")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"time offset": 2.5}, "has a time offset"),
        ({"media_info": {"offset": {"1": 0.0, "2": 1.5}}}, "has a time offset"),
        ({"file": {"1": ["a.mp4", "b.mp4"]}}, "joins 2 videos"),
        ({"time offset": "much"}, "expected a BORIS project"),
    ],
)
def test_boris_times_of_another_clock_are_refused(
    more: dict[str, Any], words: str, tmp_path: Path
) -> None:
    values = json.loads(project([[1.0, "", "Macro", "", ""], [2.0, "", "Macro", "", ""]]))
    values["observations"]["o0"].update(more)
    (tmp_path / "a.boris").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(TruthError, match=words):
        read_annotations(tmp_path / "a.boris")


def test_tables_of_others(tmp_path: Path) -> None:
    text = "Behavior;Start (s);Stop (s)\nmacro-expression;1,5;3\nsmile;1;2\nME;4;4,2\n"
    (tmp_path / "a.csv").write_text("\ufeff" + text, encoding="utf-8")
    read = read_annotations(tmp_path / "a.csv")
    assert [(m.kind, m.start_s, m.stop_s) for m in read.found] == [
        ("macro", 1.5, 3.0),
        ("micro", 4.0, 4.2),
    ]
    assert read.ignored == {"smile": 1} and not read.last_frames


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "kind,start\nmacro,1\n", "expected a column offset_s or stop"),
        ("a.csv", "kind,start,stop\nmacro,1,x\n", "expected seconds for stop in .* line 2"),
        ("a.csv", "kind,start,stop\nmacro,3,1\n", "end after they start"),
        ("a.csv", "video,kind,start,stop\na,macro,1,2\nb,macro,1,2\n", "one video in"),
        ("a.TextGrid", "nothing", "expected a Praat TextGrid in .*, but"),
        ("a.TextGrid", SHORT[:120], "expected a Praat TextGrid in .*, but"),
        ("a.TextGrid", SHORT.replace("Micro-expression", "x"), "called macro or micro"),
        ("a.boris", "{}", "expected a BORIS project in .*, but"),
        ("a.boris", "[]", "expected a BORIS project in .*, but"),
    ],
)
def test_damaged_files_are_told_in_one_line(
    name: str, text: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(TruthError, match=words) as told:
        read_annotations(tmp_path / name)
    assert "\n" not in str(told.value)


def test_import_tells_what_it_left_out(tmp_path: Path) -> None:
    made_result([]).to_json(tmp_path / "a.json")
    text = "kind,start,stop\nmacro,1,2\nyawn,1,2\n"
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    arguments = ["import", str(tmp_path / "a.csv"), "--out", str(tmp_path / "t.csv")]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "left out: 1 of 'yawn', neither macro nor micro" in done.output
    assert len(read_intervals(tmp_path / "t.csv")) == 1
    with pytest.raises(UsageError, match="another file for --out"):
        import_truth(tmp_path / "a.csv", tmp_path / "a.csv", None, None, lambda *_: None)
    with pytest.raises(UsageError, match="expected a file ending in"):
        read_annotations(tmp_path / "a.txt")

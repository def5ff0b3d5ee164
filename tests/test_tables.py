"""Tables as people and spreadsheets save them; names as systems and spreadsheets change them."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from fesnet._names import closest_names, comparison_keys, find_path, from_cell, printable, to_cell
from fesnet._tables import read_loose_table
from fesnet.batch import read_manifest
from fesnet.batch.summary import SUMMARY, write_summary
from fesnet.datasets.folder import load_folder
from fesnet.errors import TruthError
from fesnet.exports import export, write_results
from fesnet.metrics import agree
from fesnet.metrics.interval_tables import read_intervals
from fesnet.metrics.video_ids import VideoId, VideoIndex, find_video, resolve_videos, same_name
from made_results import made_result

TRUTH = "subject,video,kind,onset_frame,apex_frame,offset_frame\ns1,a,macro,14,31,70\n"
BLANK = ",,,,,\n"
SAVED = {
    "plain": TRUTH.encode(),
    "semicolons": TRUTH.replace(",", ";").encode(),
    "tabs": TRUTH.replace(",", "\t").encode(),
    "bars": TRUTH.replace(",", "|").encode(),
    "sep": b"sep=,\n" + TRUTH.encode(),
    "sep of a spreadsheet": b'"sep=;"\r\n' + TRUTH.replace(",", ";").replace("\n", "\r\n").encode(),
    "mark": b"\xef\xbb\xbf" + TRUTH.encode(),
    "UTF-16": TRUTH.replace(",", "\t").encode("utf-16"),
    "blank rows": (TRUTH + BLANK * 3 + "\n\n").encode(),
    "blank rows before": ("\n" + BLANK + TRUTH).encode(),
    "blank columns": TRUTH.replace("\n", ",,\n").encode(),
    "decimal commas": TRUTH.replace(",", ";").replace("14", "14,0").replace("70", "70,2").encode(),
    "old line ends": TRUTH.replace("\n", "\r").encode(),
    "capitals": TRUTH.replace("subject,video,kind", "Subject,VIDEO,Kind").encode(),
    "all quoted": TRUTH.replace(",", '","').replace("\n", '"\n"').join('""')[:-1].encode(),
    "UTF-16 the other way round": b"\xfe\xff" + TRUTH.encode("utf-16-be"),
    "UTF-16 without a mark": TRUTH.encode("utf-16-le"),
    "UTF-16 the other way round, without a mark": TRUTH.encode("utf-16-be"),
    "UTF-32": TRUTH.encode("utf-32"),
    "mark and sep": b"\xef\xbb\xbfSEP = ;\r\n" + TRUTH.replace(",", ";").encode(),
    "sep of a tab": b"sep=\t\n" + TRUTH.replace(",", "\t").encode(),
    "sep that was not renewed": b"sep=;\n" + TRUTH.encode(),
    "separators at the ends": TRUTH.replace(",", ";").replace("\n", ";\n").encode(),
    "end of an old system": (TRUTH + "\x1a").encode(),
    "zeros at the end": (TRUTH + "\0\0\0").encode(),
    "a note in a comma's place": TRUTH.replace("70", "70,looks tired").encode(),
    "blanks around cells": TRUTH.replace(",", " , ").encode(),
}


@pytest.mark.parametrize("name", SAVED)
def test_truth_is_read_however_it_was_saved(name: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(SAVED[name])
    (record,) = read_intervals(tmp_path / "t.csv")
    assert (record.subject, record.video) == ("s1", "a")
    assert (record.interval.start, record.interval.stop) == (13, 70)


def test_all_tables_are_read_so(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "a.mp4").touch()
    text = "sep=;\nvideo;subject;seconds;macro_threshold\nv/a.mp4;s1;2,5;0,4\n;;;\n"
    (tmp_path / "m.csv").write_text(text)
    (video,) = read_manifest(tmp_path / "m.csv")
    assert video.overrides == {"seconds": 2.5, "macro_threshold": 0.4}
    (tmp_path / "videos.csv").write_text("subject;video;fps\ns1;v/a;29,97\n;;\n")
    (tmp_path / "truth.csv").write_bytes(SAVED["semicolons"].replace(b";a;", b";v/a;"))
    data = load_folder(tmp_path)
    assert data.recordings[0].rate == 29.97
    assert len(data.recordings[0].truth) == 1


def test_what_is_ambiguous_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(TRUTH.replace(",14,", ',"14,5",'))
    with pytest.raises(TruthError, match=r"line 2, got '14,5'"):
        read_intervals(path)
    path.write_text(TRUTH.replace(",", ":"))
    with pytest.raises(TruthError, match=r"expected a column video in .*, got subject:video"):
        read_intervals(path)
    path.write_bytes(TRUTH.replace("a,", "\xe9,").encode("latin-1"))
    with pytest.raises(TruthError, match="save it in UTF-8"):
        read_intervals(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TRUTH.replace("14,31,70", "14,0,31,0,70,0"), "line 2, got 9 instead of 6"),
        (TRUTH.splitlines()[0] + "\ns1;a;macro;14;31;70\n", "line 2, got 1 instead of 6"),
        (TRUTH.replace("s1", '"s1'), "line 2, got 1 instead of 6"),
        (TRUTH.replace("apex_frame", "onset_frame"), "its column onset_frame stands there 2 times"),
        (TRUTH.replace("apex_frame", "Onset_Frame"), "its column onset_frame stands there 2 times"),
        (TRUTH.replace(",70", ",1 070"), r"offset_frame in .* line 2, got '1 070'"),
        (TRUTH.replace(",", ";").replace("70", "1.070,0"), r"line 2, got '1\.070,0'"),
        (TRUTH + "Total,,,,,1\n", "the name of a video in .* line 3"),
        ("Study of mine,,,,,\n" + TRUTH, "a column video in .*, got Study of mine"),
        (TRUTH.replace("macro", "makro"), "kind macro or micro in .* line 2, got 'makro'"),
        ("PK\x03\x04 not a table", "a column video"),
    ],
)
def test_what_is_no_table_of_one_meaning_is_one_line(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(TruthError, match=words) as caught:
        read_intervals(tmp_path / "t.csv")
    assert "UTF-8" not in str(caught.value)  # which is not what is wrong here


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("end", ["", "\0\0", "\x1a", ";;;\n;;;\n"])
def test_manifests_are_read_however_they_were_saved(
    encoding: str, end: str, tmp_path: Path
) -> None:
    (tmp_path / "a.mp4").touch()
    text = "Video;Subject;FPS;group\r\na.mp4;007;29,97;left, lower\r\n" + end
    (tmp_path / "m.csv").write_bytes(text.encode(encoding))
    (video,) = read_manifest(tmp_path / "m.csv")
    assert (video.subject, video.overrides) == ("007", {"rate": 29.97})
    assert video.columns == {"group": "left, lower"}


def test_a_sheet_may_begin_in_any_cell(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in ([], [None, "video", "subject", "fps"], [], [None, "a.mp4", 7.0, 29.97], [None] * 4):
        book.active.append(row)
    book.save(tmp_path / "m.xlsx")
    (tmp_path / "a.mp4").touch()
    (video,) = read_manifest(tmp_path / "m.xlsx")
    assert (video.key, video.subject, video.overrides) == ("a.mp4", "7", {"rate": 29.97})


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sep=;\nvideo;kind\n\na;x\n")
    assert [n for n, _ in read_loose_table(tmp_path / "t.csv", ("video", "kind"))] == [4]


# --- names ---


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("s1\\a", "s1/a", 0),
        ("./a", "a", 0),
        (" a ", "a", 0),
        ("'=a", "=a", 0),
        ("a\nb", "a\\x0ab", 0),
        ("cafe\u0301", "caf\u00e9", 1),
        ("S1/A", "s1/a", 1),
        ("STRASSE", "stra\u00dfe", 1),
        ("s01/a", "s1/a", 2),
        ("007", "7", 2),
        ("S007/Cafe\u0301", "s7\\caf\u00c9", 2),
        ("take\u00a001", "take 1", 2),
        ("\uff21\uff10\uff11", "a1", 2),
        ("a  b", "a b", 2),
    ],
)
def test_names_that_are_one(one: str, other: str, level: int) -> None:
    for k in range(3):
        assert (comparison_keys(one)[k] == comparison_keys(other)[k]) == (k >= level)


@pytest.mark.parametrize(("one", "other"), [("s10", "s1"), ("a0", "a"), ("0", ""), ("a-1", "a1")])
def test_names_that_are_not(one: str, other: str) -> None:
    assert comparison_keys(one)[2] != comparison_keys(other)[2]


def test_a_name_written_just_so_comes_first() -> None:
    assert closest_names("s1", ["S1", "s01", "s1"]) == ["s1"]
    assert closest_names("s1", ["S1", "s01"]) == ["S1"]
    assert closest_names("s001", ["s01", "S1"]) == ["s01", "S1"]
    assert closest_names("x", ["s1"]) == []


def test_rows_find_their_video_by_one_comparison() -> None:
    videos = [VideoId("01", "S1/Cafe\u0301"), VideoId("02", "S2/b")]
    found = resolve_videos([("1", "s01\\caf\u00e9"), ("2", "B")], list(videos), Path("t.csv"))
    assert list(found.values()) == videos
    with pytest.raises(TruthError, match="which may be"):
        find_video("", "A01", VideoIndex([VideoId("", "a1"), VideoId("", "A1")]))


def test_names_that_differ_in_case_alone_stay_two_where_both_are_there() -> None:
    videos = [VideoId("", "a"), VideoId("", "A")]
    assert list(resolve_videos([("", "A"), ("", "a")], videos, None).values()) == videos[::-1]
    added: list[VideoId] = []
    assert len(set(resolve_videos([("", "A"), ("", "a")], added, None).values())) == 2


def test_a_manifest_of_another_system_finds_its_videos(tmp_path: Path) -> None:
    (tmp_path / "S01").mkdir()
    video = tmp_path / "S01" / "Cafe\u0301 1.MP4"
    video.touch()
    (tmp_path / "m.csv").write_text("video,subject\ns01\\caf\u00e9 01.mp4,1\n", encoding="utf-8")
    (found,) = read_manifest(tmp_path / "m.csv")
    assert Path(found.source) == video
    (tmp_path / "S01" / "caf\u00e9 1.mp4").touch()  # now two fit
    assert not find_path(tmp_path, "s01/CAF\u00c9 01.mp4").exists()


def test_a_data_set_of_another_system_finds_its_videos(tmp_path: Path) -> None:
    (tmp_path / "S01").mkdir()
    (tmp_path / "S01" / "A.mp4").touch()
    (tmp_path / "videos.csv").write_text("subject,video\n1,s1\\a\n")
    (tmp_path / "truth.csv").write_text(TRUTH.replace("s1,a", "01,S1/A"))
    data = load_folder(tmp_path)
    assert (data.missing, len(data.recordings[0].truth)) == ((), 1)


def test_results_of_subject_folders_are_scored_by_their_paths(tmp_path: Path) -> None:
    """As a batch lays them out, with its summary beside them."""
    for subject in ("s1", "s2"):
        (tmp_path / "r" / subject).mkdir(parents=True)
        result = made_result([(0, "macro", 13, 30, 69)], name="a.mp4")
        write_results(result, tmp_path / "r" / subject / "a.json")
        export(result, ["labelstudio", "activitynet"], tmp_path / "r" / subject, "a")
    write_summary(tmp_path / "r", [{"video": "s1/a.mp4", "result": "s1/a", "status": "done"}])
    (tmp_path / "t.csv").write_text(
        TRUTH.replace("s1,a", "s1,S01\\A.mp4") + "s2,s2/a,macro,1,2,3\n"
    )
    counts = agree(tmp_path / "t.csv", tmp_path / "r").evaluate_as("official").counts["macro"]
    assert (counts.tp, counts.fp, counts.fn) == (1, 1, 1)
    for file in (tmp_path / "r").rglob("a.json"):
        file.unlink()
    assert {r.video for r in read_intervals(tmp_path / "r")} == {"s1/a", "s2/a"}


# --- shown and stored ---


@pytest.mark.parametrize("name", ["=cmd|'C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\uff1d1"])
def test_no_cell_is_a_formula(name: str, tmp_path: Path) -> None:
    assert to_cell(name)[0] == "'"
    assert from_cell(to_cell(name)) == name
    result = made_result([(0, "macro", 13, 30, 69)], name=f"{name}.mp4")
    write_results(result, tmp_path / "a.json")
    both = [read_intervals(tmp_path / file) for file in ("a.json", "a.csv")]
    assert both[0][0].video == both[1][0].video == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", "a\\x0ab"),
        ("a\rb", "a\\x0db"),
        ("\x1b]0;PWNED\x07", "\\x1b]0;PWNED\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202e4pm", "\\u202e4pm"),
        ("a\u2028b", "a\\u2028b"),
        (os.fsdecode(b"M\xfcller"), "M\\xfcller"),
        ("\ud800", "\\ud800"),
        ("\u53d7\u8bd5\u8005 \U0001f600 e\u0301", "\u53d7\u8bd5\u8005 \U0001f600 e\u0301"),
    ],
)
def test_names_split_no_line_and_no_row(name: str, shown: str, tmp_path: Path) -> None:
    assert printable(name) == shown
    write_results(made_result([(0, "macro", 1, 2, 3)], name=name), tmp_path / "a.json")
    text = (tmp_path / "a.csv").read_bytes().decode("utf-8")
    assert len(text.splitlines()) == 2
    assert next(csv.DictReader(text.splitlines()))["video"] == shown
    path, *_ = write_summary(tmp_path, [{"video": name, "result": name, "status": "done"}])
    assert path.name == SUMMARY
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    if len(name) > 1:
        both = [read_intervals(tmp_path / file)[0].video for file in ("a.json", "a.csv")]
        assert both[0] == both[1]


def test_names_are_compared_with_few_others() -> None:
    """As `find_video` was before it had an index: each name against each."""
    rng = np.random.default_rng(3)
    parts = ["a", "A", "01", "1", "cafe\u0301", "caf\u00e9", "x/a", "y/a", "x/01", "y/1"]
    videos = [VideoId(s, v) for s in ("", "1", "01") for v in rng.permutation(parts)[:6].tolist()]
    index = VideoIndex(videos)
    for name in (*parts, "z/x/a", "none", "/"):
        for level in range(3):
            assert index.named(name, level) == [
                v for v in videos if same_name(v.video, name, level)
            ]

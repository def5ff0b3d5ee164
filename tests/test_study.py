"""A study: a folder of results with participants, corrections, tables, statistics and its page."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import fesnet.study.statistics
from fesnet.batch.columns import merge_study_columns, read_study_columns
from fesnet.cli import app
from fesnet.errors import TargetError, TruthError, UsageError
from fesnet.metrics import agree
from fesnet.result import Spotting
from fesnet.review.edits import EditRequest, apply_edit
from fesnet.review.merge import MachineResult, merge_intervals
from fesnet.review.review_file import read_review, save_review
from fesnet.spreadsheet import read_text_table, write_text_table
from fesnet.study import find_results
from fesnet.study.figures import draw_raster
from fesnet.study.markers import read_markers
from fesnet.study.statistics import compare_groups
from fesnet.study.summarize import SummaryOptions, summarize
from fesnet.study.tables import expression_rows, marker_rows, participant_rows
from fesnet.study.videos import read_video
from made_study import make_study, scored_result


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "results", people=4)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fesnet.study.statistics, "RESAMPLES", 499)


def fesnet_(*arguments: object) -> str:
    """What a command prints; it must succeed."""
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as handle:
        return list(csv.DictReader(handle))


def correct(result: Path, *requests: dict[str, Any], who: str = "anna") -> None:
    """A review of a result with these edits."""
    machine = MachineResult.read(result)
    review = machine.new_review(result.name)
    for request in requests:
        review = apply_edit(machine, review, EditRequest(review.revision, who, **request))
    target = result.with_name(f"{result.stem}.review.json")
    save_review(review, merge_intervals(machine, review), target)


def first_id(result: Path) -> str:
    machine = MachineResult.read(result)
    return str(merge_intervals(machine, machine.new_review("x"))[0]["id"])


def test_results_of_subfolders_with_equal_names(study: Path) -> None:
    found = find_results(study)
    assert [r.name for r in found] == [
        *(f"calm/p{n}" for n in range(1, 5)),
        *(f"stress/p{n}" for n in range(1, 5)),
    ]
    assert (found[0].participant, found[4].columns["condition"]) == ("P1", "stress")
    (study / ".hidden").mkdir()
    (study / ".hidden" / "x.json").write_bytes(found[0].path.read_bytes())
    (study / "other.json").write_text("{}", encoding="utf-8")
    assert len(find_results(study)) == 8
    (study.parent / "none").mkdir()
    with pytest.raises(UsageError, match="found none; name their folder"):
        find_results(study.parent / "none")


def test_tables_hold_the_columns_of_the_manifest_and_the_corrections(study: Path) -> None:
    result = study / "calm" / "p1.json"
    key = first_id(result)
    correct(
        result,
        {"what": "note", "id": key, "note": "a smile; clear"},
        {"what": "check", "id": key},
        {"what": "add", "kind": "micro", "onset_s": 30.0, "offset_s": 30.3},
    )
    done = summarize(study, SummaryOptions(), print)
    rows = table(study / "expressions.csv")
    assert list(rows[0])[:4] == ["participant", "condition", "video", "result"]
    own = [r for r in rows if r["result"] == "calm/p1"]
    assert len(own) == 4 and {r["version"] for r in own} == {"corrected"}
    assert (own[0]["by"], own[0]["checked"], own[0]["note"]) == ("anna", "1", "a smile; clear")
    assert [r["by"] for r in own[1:3]] == ["machine", "machine"]
    added = own[3]
    assert (added["kind"], added["by"], added["duration_s"]) == ("micro", "anna", "0.3")
    summary = {r["result"]: r for r in table(study / "summary.csv")}
    assert summary["calm/p1"]["version"] == "corrected"
    assert (summary["calm/p1"]["reviewed_by"], summary["calm/p1"]["checked"]) == ("anna", "1")
    assert summary["calm/p1"]["micro_count"] == "1"
    assert summary["calm/p2"]["version"] == "machine"
    assert summary["calm/p2"]["macro_latency_s"] == "2.0"
    people = table(study / "participants.csv")
    assert [p["participant"] for p in people] == ["P1", "P2", "P3", "P4"]
    assert (people[0]["videos"], people[0]["reviewed"]) == ("2", "1")
    assert people[0]["version"] == "corrected and machine"
    assert people[0]["condition"] == "", "it differs between the videos"
    assert float(people[0]["macro_per_minute"]) == pytest.approx((3 + 6) / 2, abs=0.01)
    assert done.videos[0].summary["micro_count"] == 1


def test_parquet_and_spss_hold_the_same(study: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra study")
    pyreadstat = pytest.importorskip("pyreadstat", reason="needs the extra study")
    pytest.importorskip("pandas", reason="needs the extra study")
    merge_study_columns(study, {"calm/p1": {"age group": "20-29"}})
    lines: list[str] = []
    summarize(study, SummaryOptions(spss=True), lines.append)
    rows = table(study / "expressions.csv")
    stored = pq.read_table(study / "expressions.parquet").to_pylist()
    assert [r["onset_s"] for r in stored] == [float(r["onset_s"]) for r in rows]
    assert {type(r["onset_frame"]) for r in stored} == {int}
    frame, meta = pyreadstat.read_sav(str(study / "expressions.sav"))
    assert list(frame["onset_s"]) == [r["onset_s"] for r in stored]
    assert list(frame["kind"]) == [r["kind"] for r in rows]
    labels = meta.column_names_to_labels
    assert labels["onset_s"] == "Onset, s on the video's clock"
    assert labels["age_group"] == "age group"
    assert meta.variable_value_labels["checked"] == {0.0: "no", 1.0: "yes"}
    assert any("'age group' is called age_group" in line for line in lines)
    videos, meta = pyreadstat.read_sav(str(study / "summary.sav"))
    given = table(study / "summary.csv")
    assert list(videos["video"]) == [r["video"] for r in given]
    assert list(videos["macro_count"]) == [float(r["macro_count"]) for r in given]
    known = ["" if count != count else f"{count:.0f}" for count in videos["checked"]]
    assert known == [r["checked"] for r in given]
    told = meta.column_names_to_labels
    assert told["checked"] == "Expressions that a person checked", "here it is a number"
    assert "checked" not in meta.variable_value_labels
    same = {column for column, label in told.items() if label == column}
    assert same == {"condition"}, "each column but those of the manifest has a label"


def test_decimal_comma(study: Path) -> None:
    summarize(study, SummaryOptions(decimal_comma=True), print)
    text = (study / "expressions.csv").read_text(encoding="utf-8")
    assert text.startswith("\ufeffparticipant;condition;") and ";2,0;" in text
    read = read_text_table(study / "expressions.csv")
    assert read.number(read.rows[0].cells["onset_s"]) == 2.0
    spotted = Spotting.from_json(study / "calm" / "p1.json")
    assert len(read.rows) > len(spotted.intervals)


def test_rates_are_of_known_face_and_latency_from_the_start(tmp_path: Path) -> None:
    result = scored_result([("macro", 10, 12, 0.9)], seconds=60, unknown=30)
    result.to_json(tmp_path / "a.json")
    (video,) = map(read_video, find_results(tmp_path))
    assert video.known_seconds == pytest.approx(30, abs=0.05)
    assert video.known_within((20, 40)) == pytest.approx(10, abs=0.05)
    (row,) = participant_rows([video], [])
    assert row["macro_per_minute"] == pytest.approx(2, abs=0.01)
    assert (row["macro_latency_s"], row["micro_latency_s"], row["micro_count"]) == (10.0, None, 0)
    assert row["participant"] == "a", "each video stands for itself"


# --- other rules ---


def test_other_rules_over_a_folder(study: Path, tmp_path: Path) -> None:
    """Over the old results or elsewhere; no video is there, so no network can run."""
    before = {r.name: r.path.read_bytes() for r in find_results(study)}
    out = tmp_path / "keen"
    printed = fesnet_("rethreshold", study, "--micro-threshold", "0.3", "--out", out)
    assert "8 results: 40 macro, 0 micro before, 40 macro, 8 micro now" in printed
    assert {r.name: r.path.read_bytes() for r in find_results(study)} == before
    for result in find_results(out):
        old = Spotting.from_json(study / f"{result.name}.json")
        wanted = old.rethreshold({"micro_threshold": 0.3})
        assert result.read().intervals == wanted.intervals
    assert read_study_columns(out) == read_study_columns(study)
    fesnet_("rethreshold", study, "--micro-threshold", "0.3")
    assert (study / "calm" / "p1.json").read_bytes() == (out / "calm" / "p1.json").read_bytes()
    assert len(table(study / "calm" / "p1.csv")) == 4


def test_other_rules_keep_what_people_corrected(study: Path) -> None:
    result = study / "calm" / "p1.json"
    correct(result, {"what": "delete", "id": first_id(result)})
    fesnet_("rethreshold", study, "--micro-threshold", "0.3")
    review = read_review(study / "calm" / "p1.review.json")
    assert [e.what for e in review.entries] == ["delete", "rules"]
    assert review.rules["micro_threshold"] == 0.3
    read = find_results(study)[0].read()
    assert [i.kind for i in read.intervals].count("macro") == 2
    assert [i.kind for i in read.intervals].count("micro") == 1
    fesnet_("rethreshold", study, "--micro-threshold", "0.3")
    again = read_review(study / "calm" / "p1.review.json")
    assert len(again.entries) == 2, "equal rules are no edit"


# --- groups ---


def test_paired_groups_are_compared_by_their_differences(study: Path) -> None:
    printed = fesnet_("summary", study, "--by", "condition")
    rows = {(r["measure"], r["group"]): r for r in table(study / "statistics.csv")}
    calm, stress = (rows["macro_per_minute", g] for g in ("calm", "stress"))
    assert float(calm["mean"]) == pytest.approx(3.5, abs=0.01)
    assert float(stress["mean"]) == pytest.approx(6.5, abs=0.01)
    assert float(calm["low_95"]) < 3.5 < float(calm["high_95"])
    change = rows["macro_per_minute", "stress - calm"]
    assert (change["test"], change["n"], change["left_out"]) == ("paired", "4", "0")
    assert float(change["low_95"]) == float(change["mean"]) == pytest.approx(3.0, abs=0.01)
    assert "stress - calm" in printed and "8 videos of 4 participants, 0 reviewed" in printed
    assert len(table(study / "participants.csv")) == 8
    assert (study / "rates.svg").read_text(encoding="utf-8").count("<circle") == 16


def unit(participant: str, group: str, rate: float) -> dict[str, Any]:
    names = [f"{k}_{m}" for k in ("macro", "micro") for m in ("per_minute", "mean_s", "latency_s")]
    return (
        {"participant": participant, "group": group}
        | dict.fromkeys(names)
        | {"macro_per_minute": rate}
    )


def test_groups_of_different_people_are_compared_as_such() -> None:
    rng = np.random.default_rng(1)
    rows = [unit(f"a{n}", "a", 2 + rng.normal()) for n in range(12)]
    rows += [unit(f"b{n}", "b", 5 + rng.normal()) for n in range(12)]
    found = {(s.measure, s.group): s for s in compare_groups(rows, "group")}
    change = found["macro_per_minute", "b - a"]
    assert (change.test, change.n) == ("independent", 24)
    assert change.low_95 is not None and change.high_95 is not None and change.p is not None
    assert 2 < change.low_95 < change.high_95 < 4.2 and change.p < 0.01
    assert found["micro_per_minute", "a"].mean is None
    assert compare_groups(rows, "group") == compare_groups(list(reversed(rows)), "group")


def test_people_in_one_group_alone_are_left_out_and_counted() -> None:
    rows = [unit(f"p{n}", g, n + (g == "b") * (1 + n % 2)) for n in range(4) for g in "ab"]
    rows.append(unit("p9", "a", 50))
    found = {(s.measure, s.group): s for s in compare_groups(rows, "group")}
    change = found["macro_per_minute", "b - a"]
    assert (change.test, change.n, change.left_out, change.mean) == ("paired", 4, 1, 1.5)
    few = compare_groups(rows[:4], "group")
    assert {s.low_95 for s in few} == {None} and {s.p for s in few} == {None}


def test_unknown_column_for_groups(study: Path) -> None:
    with pytest.raises(UsageError, match="expected one of condition, marker for --by, got 'sex'"):
        summarize(study, SummaryOptions(by="sex"), print)


# --- markers ---


def test_markers_divide_videos(study: Path, tmp_path: Path) -> None:
    file = tmp_path / "m.csv"
    rows = "P1;calm/p1;film;0:10;0:30\nP2;;film;10,5;70\nP9;;film;1;2\n"
    file.write_text("Participant;video;label;start;end\n" + rows, encoding="utf-8")
    lines: list[str] = []
    summarize(study, SummaryOptions(markers=file), lines.append)
    found = table(study / "by_marker.csv")
    assert [(r["video"], r["label"]) for r in found] == [
        ("calm/p1.mp4", "film"),
        ("calm/p2.mp4", "film"),
        ("stress/p2.mp4", "film"),
    ]
    first = found[0]  # onsets at 2, 8 and 14 s
    assert (first["macro_count"], first["macro_latency_s"]) == ("1", "4.0")
    assert float(first["macro_per_minute"]) == pytest.approx(3, abs=0.01)
    assert float(found[1]["known_s"]) == pytest.approx(49.5, abs=0.05), "to the video's end"
    assert any("marker film of P9 at 1 s" in line for line in lines)
    videos = [read_video(r) for r in find_results(study)]
    inside = [r["marker"] for r in expression_rows(videos, read_markers(study / "markers.csv"))]
    assert inside[:3] == ["", "", "film"]
    fesnet_("summary", study, "--by", "marker")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("participant,label,start\nP,a,1\n", "expected columns participant, label, start and end"),
        ("participant,label,start,end\nP,a,1,x\n", "seconds or h:mm:ss for end in .* line 2"),
        ("participant,label,start,end\nP,a,3,2\n", "an end after its start in .* line 2"),
        ("participant,label,start,end\n,a,1,2\n", "a participant and a label"),
    ],
)
def test_damaged_markers(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(text, encoding="utf-8")
    with pytest.raises(TruthError, match=words):
        read_markers(tmp_path / "m.csv")


def test_markers_are_drawn_in_the_report(study: Path) -> None:
    text = "participant,label,start,end\nP1,film <1>,10,20\n"
    (study / "markers.csv").write_text(text, encoding="utf-8")
    fesnet_("report", study, "--link")
    page = (study / "calm" / "p1.html").read_text(encoding="utf-8")
    assert '"markers":[{"label":"film \\u003c1>","start_s":10.0,"end_s":20.0}]' in page
    assert "film &lt;1&gt; 10.00-20.00 s" in page
    assert '"markers":[]' in (study / "calm" / "p2.html").read_text(encoding="utf-8")


# --- folders as a whole ---


def test_a_manifest_can_follow(tmp_path: Path) -> None:
    for name in ("s1/a", "s2/a", "s2/b"):
        (tmp_path / "r" / name).parent.mkdir(parents=True, exist_ok=True)
        scored_result([], name=f"{name[-1]}.mp4").to_json(tmp_path / "r" / f"{name}.json")
    manifest = tmp_path / "m.csv"
    manifest.write_text("video\tsubject\tgroup\ns1/a.mp4\t1\tx\nb.mp4\t2\ty\nc.mp4\t3\tz\n")
    lines: list[str] = []
    summarize(tmp_path / "r", SummaryOptions(manifest=manifest), lines.append)
    assert read_study_columns(tmp_path / "r") == {
        "s1/a": {"participant": "1", "group": "x"},
        "s2/b": {"participant": "2", "group": "y"},
    }
    assert any(line.startswith("c.mp4: no result in") for line in lines)


def test_reports_and_exports_of_a_folder(study: Path, tmp_path: Path) -> None:
    result = study / "calm" / "p1.json"
    correct(result, {"what": "note", "id": first_id(result), "note": "a smile"})
    printed = fesnet_("export", study, "--to", "eaf,boris", "--out", tmp_path / "eaf")
    assert printed.count("wrote ") == 16
    names = sorted(p.relative_to(tmp_path / "eaf").as_posix() for p in tmp_path.rglob("*.eaf"))
    assert names[:2] == ["calm/p1.review.eaf", "calm/p2.eaf"]
    assert "a smile" in (tmp_path / "eaf" / "calm" / "p1.review.eaf").read_text(encoding="utf-8")
    assert "a smile" in (tmp_path / "eaf" / "calm" / "p1.review.boris").read_text(encoding="utf-8")
    (tmp_path / "empty").mkdir()
    done = CliRunner().invoke(app, ["export", str(tmp_path / "empty"), "--to", "eaf"])
    assert isinstance(done.exception, UsageError) and "got neither in" in str(done.exception)


def test_score_of_folders_with_equal_names(study: Path, tmp_path: Path) -> None:
    fesnet_("rethreshold", study, "--micro-threshold", "0.3", "--out", tmp_path / "keen")
    values = json.loads(fesnet_("score", study, tmp_path / "keen", "--json"))
    counts = values["protocols"]["official"]
    assert (counts["macro"]["tp"], counts["macro"]["fn"], counts["micro"]["fp"]) == (40, 0, 8)
    assert values["videos"] == 8
    result = study / "calm" / "p1.json"
    correct(result, {"what": "delete", "id": first_id(result)})
    values = json.loads(fesnet_("score", study, study, "--reviewed", "--json"))
    counts = values["protocols"]["official"]
    # The deleted one alone was looked at.
    assert (values["videos"], counts["macro"]["tp"], counts["macro"]["fp"]) == (1, 0, 1)


def test_damaged_results_are_named_and_left_out(study: Path) -> None:
    bad = study / "calm" / "p1.json"
    bad.write_text(bad.read_text(encoding="utf-8")[:1000], encoding="utf-8")
    done = CliRunner().invoke(app, ["summary", str(study)])
    assert done.exit_code == 1 and "calm/p1: expected a result" in done.output
    status = {r["result"]: r["status"] for r in table(study / "summary.csv")}
    assert (status["calm/p1"], status["calm/p2"]) == ("damaged", "done")


def test_a_video_that_counts_twice_is_told(study: Path) -> None:
    """As where a copy of the videos was spotted into the same folder."""
    assert "are of one video" not in fesnet_("summary", study)
    copy = (study / "calm" / "p1.json").read_text(encoding="utf-8")
    (study / "calm" / "p1-2.json").write_text(copy, encoding="utf-8")
    told = " ".join(fesnet_("summary", study).split())
    assert "calm/p1 and calm/p1-2 are of one video, which counts 2 times" in told
    assert "are of one video" in (study / "index.html").read_text(encoding="utf-8")


def test_index_page_and_its_drawings(study: Path) -> None:
    result = study / "stress" / "p2.json"
    correct(result, {"what": "check", "id": first_id(result)})
    merge_study_columns(study, {"calm/p1": {"remark": "<b>late</b>"}})
    fesnet_("export", study, "--to", "vtt")
    fesnet_("summary", study, "--by", "condition")
    page = (study / "index.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page and "<b>late</b>" not in page
    assert "anna, 1 of 7 checked" in page
    assert 'href="stress/p2.review.vtt"' in page and 'href="calm/p1.vtt"' in page
    assert 'href="expressions.csv"' in page and "stress - calm" in page
    videos = [read_video(r) for r in find_results(study)]
    drawing = draw_raster(videos, "condition")
    assert drawing.count('class="macro" d="M') == 8
    whole = sum(len(v.expressions) for v in videos)
    assert drawing.count("z") >= whole and draw_raster(videos, "condition") == drawing


def test_corrected_marks_travel(study: Path) -> None:
    result = study / "calm" / "p1.json"
    correct(result, {"what": "check", "id": first_id(result)})
    read = find_results(study)[0].read()
    mark = read.marks[read.intervals[0]]
    assert (mark.by, mark.checked) == ("anna", True) and mark.text.startswith("checked by anna 20")
    assert "marks" not in json.loads(read.to_json()) and asdict(read.intervals[0])
    assert marker_rows([read_video(find_results(study)[0])], []) == []


# --- names as systems and spreadsheets change them ---

SPELLINGS = {
    "decomposed": "S007/Cafe\u0301 01",
    "separators of another system": "S007\\Caf\u00e9 01.mp4",
    "of another place": "C:\\data\\S007\\Caf\u00e9 01.mp4",
    "case": "s007/caf\u00c9 01.MP4",
    "zeros that a spreadsheet dropped": "S7/Caf\u00e9 1",
    "a blank that does not break": "S007/Caf\u00e9\u00a001",
    "wide digits": "S007/Caf\u00e9 \uff10\uff11",
    "twice the separator": "S007//Caf\u00e9 01",
    "blanks around": " S007/Caf\u00e9 01.mp4 ",
}


@pytest.fixture
def spelt(tmp_path: Path) -> Path:
    """A study of a name that has many spellings, and of another video."""
    for name in ("S007/Caf\u00e9 01", "s8/b"):
        path = tmp_path / "r" / f"{name}.json"
        path.parent.mkdir(parents=True)
        scored_result([("macro", 1.0, 2.0, 0.9)], 5.0, f"{path.stem}.mp4").to_json(path)
    return tmp_path / "r"


@pytest.mark.parametrize("how", SPELLINGS)
def test_a_manifest_may_spell_a_video_otherwise(how: str, spelt: Path) -> None:
    write_text_table(spelt / "m.csv", [["video", "group"], [SPELLINGS[how], "x"], ["s8/b", "y"]])
    log: list[str] = []
    done = summarize(spelt, SummaryOptions(manifest=spelt / "m.csv"), log.append)
    assert [v.cell("group") for v in done.videos] == ["x", "y"]
    assert not any("left out" in line for line in log)


@pytest.mark.parametrize("how", SPELLINGS)
def test_a_truth_may_spell_a_video_otherwise(how: str, spelt: Path) -> None:
    rows = [["video", "kind", "onset_frame", "offset_frame"], [SPELLINGS[how], "macro", 31, 60]]
    write_text_table(spelt / "t.csv", rows)
    agreement = agree(spelt / "t.csv", spelt)
    assert agreement.missing == [] and len(agreement.strays) == 1  # s8/b, without truth


@pytest.mark.parametrize(
    ("participant", "video"),
    [
        ("p07", ""),
        ("P7", "Cafe\u0301 01"),
        (" P07 ", "S007\\Caf\u00e9 1"),
        ("\uff3007", "CAF\u00c9 01"),
    ],
)
def test_markers_and_study_csv_may_spell_them_otherwise(
    participant: str, video: str, spelt: Path
) -> None:
    write_text_table(spelt / "study.csv", [["result", "participant"], ["s7/cafe\u0301 1", "P07"]])
    columns = ["participant", "video", "label", "start", "end"]
    write_text_table(spelt / "k.csv", [columns, [participant, video, "film", 0, 3]])
    log: list[str] = []
    summarize(spelt, SummaryOptions(markers=spelt / "k.csv"), log.append)
    (row,) = table(spelt / "by_marker.csv")
    assert (row["participant"], row["label"]) == ("P07", "film")
    assert not any("no such video" in line for line in log)


def test_two_names_that_differ_in_zeros_keep_their_rows(tmp_path: Path) -> None:
    for name in ("a1", "a01"):
        scored_result([], 5.0).to_json(tmp_path / f"{name}.json")
    write_text_table(tmp_path / "study.csv", [["result", "group"], ["a01", "x"], ["A001", "y"]])
    found = {r.name: r.columns.get("group") for r in find_results(tmp_path)}
    assert found == {"a01": "x", "a1": "y"}


OWN_MARKERS = "participant;label;start;end;comment\nP1;film;0;9;mine\n"


def test_markers_of_a_person_stay_as_they_are(study: Path, tmp_path: Path) -> None:
    own, other = study / "markers.csv", tmp_path / "new.csv"
    own.write_text(OWN_MARKERS)
    other.write_text(OWN_MARKERS.replace("film", "talk"))
    summarize(study, SummaryOptions(markers=own), lambda _: None)
    assert own.read_text() == OWN_MARKERS  # with its comments
    assert {row["label"] for row in table(study / "by_marker.csv")} == {"film"}
    with pytest.raises(TargetError, match=r"markers\.csv"):
        summarize(study, SummaryOptions(markers=other), lambda _: None)
    assert own.read_text() == OWN_MARKERS
    summarize(study, SummaryOptions(markers=other, force=True), lambda _: None)
    assert [m.label for m in read_markers(own)] == ["talk"]
    other.write_text(OWN_MARKERS)
    summarize(study, SummaryOptions(markers=other), lambda _: None)  # what we wrote, we may replace
    assert [m.label for m in read_markers(own)] == ["film"]

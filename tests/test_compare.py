"""Script rules of published methods, official files with odd frames, paired tests, counts of
events, figures and tables of a paper, files for challenges.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fesnet.cli import app
from fesnet.errors import TargetError, TruthError, UsageError
from fesnet.evaluation.challenge_files import answer_question
from fesnet.figures.bibliography import REFERENCES, bibtex
from fesnet.figures.paper_tables import latex_escape, latex_table
from fesnet.intervals import Interval
from fesnet.metrics import (
    PROTOCOLS,
    Counts,
    VideoResult,
    agree,
    compare_methods,
    count_hit_truths,
    counting_errors,
    evaluate,
)
from fesnet.metrics.compare import holm
from fesnet.metrics.interval_tables import IntervalRecord, read_intervals
from fesnet.metrics.video_ids import VideoId, VideoIndex, find_video
from made_results import made_result


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# --- rules ---


def test_a_find_serves_all_truths_that_it_reaches() -> None:
    """Two overlapping truths and one find: one to one finds one, the scripts find both."""
    truth = (Interval(0, 20, "macro"), Interval(2, 22, "macro"), Interval(50, 60, "micro"))
    found = (Interval(1, 21, "macro"), Interval(50, 61, "macro"))
    assert count_hit_truths(truth, found) == {"macro": Counts(2, 0, 0), "micro": Counts(0, 0, 1)}
    untyped = count_hit_truths(truth, found, typed=False)
    assert untyped == {"macro": Counts(2, 0, 0), "micro": Counts(1, -1, 0)}
    videos = [VideoResult("s", "v", truth, found), VideoResult("s", "w", (), found[:1])]
    by_rule = {name: evaluate(videos, PROTOCOLS[name]).counts["overall"] for name in PROTOCOLS}
    assert by_rule["official"] == Counts(1, 2, 2)
    assert by_rule["mdmd-script"] == Counts(2, 1, 1)
    assert by_rule["lgsnet"] == Counts(2, 1, 1) and by_rule["lgsnet-script"] == Counts(3, 0, 0)


def test_published_counts_give_the_published_f1() -> None:
    """Of MDMD as its authors list them: hit truths, finds less those, truths less those."""
    mae, me = Counts(109, 1414, 191), Counts(21, 5014, 36)
    assert [round(c.f1, 4) for c in (mae, me, mae + me)] == [0.1196, 0.0082, 0.0376]
    mae, me = Counts(22, 334, 321), Counts(29, 1407, 130)
    assert [round(c.f1, 4) for c in (mae, me, mae + me)] == [0.0629, 0.0364, 0.0445]


# --- official files ---

SAMPLE = "subject,video,onset,offset,emotion"


def test_the_sample_of_the_strs_script(tmp_path: Path) -> None:
    """As its authors show it: STRS 0.2. One onset is 0."""
    found = write(
        tmp_path / "found.csv", SAMPLE, "1,EP02_01f,10,70,happiness", "1,EP03_02,100,170,others",
        "1,EP04_02,0,70,others", "2,EP01_11f,20,90,happiness", "2,EP02_04f,70,140,happiness",
    )  # fmt: skip
    truth = write(
        tmp_path / "truth.csv", SAMPLE, "1,EP02_01f,45,85,happiness", "1,EP03_02,130,160,others",
        "1,EP04_02,20,75,others", "2,EP01_11f,45,95,repression", "2,EP02_04f,30,140,repression",
    )  # fmt: skip
    agreement = agree(truth, found)
    values = agreement.to_dict(["official"])
    assert values["strs"]["script"]["strs"] == pytest.approx(0.2)
    assert agreement.notes == (
        "found.csv: 1 intervals begin before frame 1 (first: EP04_02, frame 0); they count with "
        "these frames",
    )


def test_frames_before_the_first_count(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.csv", SAMPLE, "1,v,-5,14,sad", "1,w,1,10,sad")
    found = write(tmp_path / "f.csv", SAMPLE, "1,v,-4,5,sad", "1,w,-9,10,sad")
    agreement = agree(truth, found)
    v, w = agreement.videos
    assert v.truth[0].iou(v.found[0]) == 10 / 20 and w.truth[0].iou(w.found[0]) == 10 / 20
    assert read_intervals(truth)[0].early == 6
    with pytest.raises(TruthError, match=r"expected frames from 0 on in .*, got -1"):
        read_intervals(write(tmp_path / "r.csv", "video,kind,onset_s,onset_frame,offset_frame",
                             "v,macro,0,-1,5"))  # fmt: skip


def test_zeros_before_numbers(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.csv", SAMPLE, "017,017_1,1,10,sad", "018,018_1,1,10,sad")
    found = write(tmp_path / "f.csv", SAMPLE, "17,017_1,1,10,sad", "18,18_1,1,10,sad", "17,x,1,2,a")
    agreement = agree(truth, found)
    assert agreement.evaluate_as("official").counts["overall"] == Counts(2, 1, 0)
    assert set(agreement.evaluate_as("official").by_subject) == {"017", "018"}
    twins = [VideoId("1", "a_1"), VideoId("01", "a_1")]
    assert (
        find_video("1", "a_1", VideoIndex(twins)) == twins[0]
    )  # names that differ in zeros stay two
    with pytest.raises(TruthError, match="which may be"):
        find_video("001", "a_1", VideoIndex(twins))


def test_results_are_placed_by_numbers_of_files(tmp_path: Path) -> None:
    """videos.csv says how files are numbered: tables count by them, results from 0."""
    truth = write(
        tmp_path / "truth.csv", "subject,video,kind,onset_frame,offset_frame", "s,v,macro,18,57"
    )
    write(tmp_path / "videos.csv", "subject,video,frames,numbers", "s,v,100,8-107")
    result = tmp_path / "v.json"
    made_result([(0, "macro", 10, 20, 49)], 100, name="v").to_json(result)
    table = write(tmp_path / "f.csv", "vid,onset,offset,type", "v,18,57,mae")
    for found in (result, table):
        (video,) = agree(truth, found).videos
        assert video.truth == (Interval(10, 50, "macro"),)
        assert video.found[0].iou(video.truth[0]) == 1
    write(tmp_path / "videos.csv", "subject,video,frames,numbers", "s,v,100,8-")
    with pytest.raises(TruthError, match=r"frame numbers such as 8-507, got '8-' in .* line 2"):
        agree(truth, table)


def test_a_log_of_2020(tmp_path: Path) -> None:
    """What it lists, and what its own frames give: a pair below IoU 0.5, one that was missed."""
    log = write(
        tmp_path / "log.txt", "1", "006_1   101 160  99  158  TP", "006_1\t300\t340\t330\t390\tTP",
        "006_2, 50, 60, -, -, FN", "006_2  -  -  51 60 FP", "006_1  -  -  0  9  FP",
    )  # fmt: skip
    agreement = agree(log, log, rate=30.0)
    assert agreement.evaluate_as("official").counts["overall"] == Counts(2, 2, 1)
    assert agreement.notes[-1] == "log.txt lists TP 2, FP 2, FN 1: F1 0.5714"
    with pytest.raises(UsageError, match="expected --fps with a log"):
        agree(log, log)
    wrong = {
        "v 1 2 3 TP": "two true and two found", "v 1 2 - - X": "TP/FP/FN",
        "v - - - - FP": "got neither", "v 9 2 - - FN": "two frames",
    }  # fmt: skip
    for line, words in wrong.items():
        with pytest.raises(TruthError, match=words):
            agree(write(tmp_path / "b.txt", line), log, rate=30.0)


# --- comparisons ---


def all_exchanges(one: list[Counts], other: list[Counts]) -> float:
    """Two-sided p by trying every exchange."""

    def difference(swap: tuple[int, ...]) -> float:
        a = [(o, t)[s] for o, t, s in zip(one, other, swap, strict=True)]
        b = [(t, o)[s] for o, t, s in zip(one, other, swap, strict=True)]
        return sum(a, Counts()).f1 - sum(b, Counts()).f1

    every = [difference(swap) for swap in product((0, 1), repeat=len(one))]
    # As scipy: twice the smaller tail.
    low, high = (np.mean([d <= every[0] + 1e-12 for d in every]),
                 np.mean([d >= every[0] - 1e-12 for d in every]))  # fmt: skip
    return float(min(1, 2 * min(low, high)))


def test_the_permutation_test_equals_every_exchange() -> None:
    rng = np.random.default_rng(3)
    sides = [[Counts(*map(int, rng.integers(0, high, 3))) for _ in range(8)] for high in (9, 6)]
    methods = {n: {str(k): c for k, c in enumerate(s)} for n, s in zip("ab", sides, strict=True)}
    (c,) = compare_methods(methods, draws=2000)
    assert c.exact and c.p == pytest.approx(all_exchanges(*sides))
    assert c.difference == pytest.approx(sum(sides[0], Counts()).f1 - sum(sides[1], Counts()).f1)
    assert c.low < c.difference < c.high
    assert compare_methods(methods, draws=2000) == [c]


def test_equal_methods_do_not_differ_and_better_ones_do() -> None:
    weak = {str(k): Counts(1, 5, 5) for k in range(12)}
    strong = {str(k): Counts(5, 1 + k % 2, 1) for k in range(12)}
    same, better, again = compare_methods({"a": weak, "b": dict(weak), "c": strong}, draws=4096)
    assert (same.difference, same.p, same.low, same.high) == (0, 1, 0, 0)
    assert better.p == pytest.approx(2 / 2**12) and better.high < 0
    assert better.p_holm == again.p_holm == pytest.approx(3 * better.p)
    with pytest.raises(UsageError, match="expected the same subjects for a and c, got 12 and 1"):
        compare_methods({"a": weak, "c": {"0": Counts(1, 1, 1)}})
    with pytest.raises(UsageError, match="expected 2 subjects or more"):
        compare_methods({"a": {"s": Counts(1, 1, 1)}, "b": {"s": Counts(1, 1, 1)}})


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.5]) == [1.0, 1.0] and holm([]) == []


def test_counting_errors() -> None:
    macro, micro = Interval(0, 20, "macro"), Interval(30, 40, "micro")
    errors = counting_errors([([macro, micro], [macro]), ([], [macro, macro])])
    assert (errors["macro"].mae, errors["macro"].rmse) == (1.0, pytest.approx(2**0.5))
    assert (errors["micro"].mae, errors["micro"].bias) == (0.5, -0.5)
    assert (errors["overall"].mae, errors["overall"].bias) == (1.5, 0.5)


# --- the command, figures, tables ---


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Truth of three subjects, and finds of two methods with scores."""
    head = "subject,video,kind,onset_frame,offset_frame,score"
    truth, one, other, videos = [head], [head], [head], ["subject,video,frames,seconds"]
    for s in range(3):
        for v in range(2):
            name = f"s{s},v{s}{v}"
            videos.append(f"{name},900,30")
            for n, kind in enumerate(("macro", "micro", "macro")):
                a = 50 + 250 * n
                b = a + (40 if kind == "macro" else 10)
                truth.append(f"{name},{kind},{a},{b},1")
                one.append(f"{name},{kind},{a + 1},{b},0.{9 - n}")
                other.append(f"{name},{kind},{a + 5 * s},{b + 8 * s},0.5")
            one.append(f"{name},macro,{600 + s},660,0.3")
    for name, lines in (("truth", truth), ("one", one), ("other", other), ("videos", videos)):
        write(tmp_path / f"{name}.csv", *lines)
    return tmp_path


def test_score_against_another_method(tables: Path) -> None:
    call = ["score", *(str(tables / f"{n}.csv") for n in ("truth", "one"))]
    done = CliRunner().invoke(app, [*call, "--against", str(tables / "other.csv")])
    assert done.exit_code == 0, done.output
    line = next(x for x in done.stdout.splitlines() if x.startswith("overall F1, official: "))
    assert "one.csv 0.8571 less " in line and "(3 subjects, every exchange of subjects)" in line
    told = CliRunner().invoke(app, [*call, "--against", str(tables / "other.csv"), "--json"])
    (compared,) = json.loads(told.stdout)["comparisons"]
    assert compared["subjects"] == 3 and compared["difference"] > 0
    every = CliRunner().invoke(app, [*call, "--protocol", "all"]).stdout
    assert every.count("overall F1 ") == 2  # one row of one table, and the line over IoU
    assert all(name in every for name in PROTOCOLS)


def test_figures_and_tables_of_a_paper(tables: Path) -> None:
    call = ["score", *(str(tables / f"{n}.csv") for n in ("truth", "one")), "--plots"]
    assert CliRunner().invoke(app, [*call, str(tables / "figs")]).exit_code == 0
    made = {p.name: p.read_bytes() for p in (tables / "figs").glob("[!.]*")}
    names = ("precision-recall", "froc", "f1-over-iou", "subjects", "timelines", "reliability")
    assert set(made) == {
        *(f"{name}.{kind}" for name in names for kind in ("svg", "pdf")),
        *("table.tex", "table.md", "table.csv", "references.bib"),
    }
    assert b"false alarms a minute" in made["froc.svg"] and made["froc.pdf"].startswith(b"%PDF")
    (row,) = (r for r in csv.DictReader(made["table.csv"].decode().splitlines()) if
              r["kind"] == "overall")  # fmt: skip
    assert (row["TP"], row["FP"], row["F1"]) == ("18", "6", "0.8571")
    assert b"official & overall & 18 & 6 & 0" in made["table.tex"]
    assert CliRunner().invoke(app, [*call, str(tables / "again")]).exit_code == 0
    assert {p.name: p.read_bytes() for p in (tables / "again").glob("[!.]*")} == made


def test_latex_takes_every_text(tmp_path: Path) -> None:
    odd = r"50 % of {a_b} & c# $x^2$ ~ \end"
    table = latex_table(["name", odd], [["a", "0.5"], [odd, ""]])
    assert table.splitlines()[1] == r"\begin{tabular}{lr}"
    assert latex_escape("a\nb") == "a b" and r"50 \% of \{a\_b\} \& c\#" in table
    ends = latex_table(["a", "b", "c", "d"], [["0.1-0.25", "-0.5", "-0.1--0.02", "-"]])
    assert r"0.1--0.25 & $-$0.5 & $-$0.1--$-$0.02 & - \\" in ends
    if shutil.which("pdflatex") is None:
        pytest.skip("no LaTeX on this machine")
    pages = r"\documentclass{article}\usepackage{booktabs}\begin{document}"
    write(tmp_path / "p.tex", pages, table, r"\end{document}")
    done = subprocess.run(["pdflatex", "-halt-on-error", "p.tex"], cwd=tmp_path, check=False,
                          capture_output=True)  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()[-500:]


def test_references_are_whole() -> None:
    text = bibtex(["fesnet", "mdmd", "official", "no such"])
    assert text.count("@") == 2 and "10.31577/cai_2024_2_458" in text
    for entry in REFERENCES.values():
        assert {"author", "title", "year"} <= dict(entry.fields).keys()
        assert entry.to_bibtex().count("{") == entry.to_bibtex().count("}")


# --- challenges ---


def test_one_submission_from_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    made_result([(0, "macro", 10, 20, 49)], 100, name="017_1.mp4").to_json(folder / "a.json")
    made_result([(0, "micro", 3, 5, 9)], 100, name="018_1.mp4").to_json(folder / "b.json")
    call = ["challenge", str(folder), "--out", str(tmp_path / "pred.csv")]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "pred.csv").read_text().splitlines() == [
        "vid,onset,offset,type", "017_1,11,50,mae", "018_1,4,10,me",
    ]  # fmt: skip
    names = write(tmp_path / "names.csv", "subject,video,numbers", "17,17_1,", "18,18_1,8-107")
    done = CliRunner().invoke(app, [*call, "--year", "2025", "--videos", str(names)])
    assert "emotions are empty" in done.stdout
    assert (tmp_path / "pred.csv").read_text().splitlines() == [
        "subject,video,onset,offset,emotion", "18,18_1,11,17,",
    ]  # fmt: skip
    for options in (["--year", "2026"], ["--year", "2021"]):
        assert isinstance(CliRunner().invoke(app, [*call, *options]).exception, UsageError)
    (tmp_path / "pred.csv").write_text("mine")
    assert isinstance(CliRunner().invoke(app, call).exception, TargetError)
    assert (tmp_path / "pred.csv").read_text() == "mine"
    assert CliRunner().invoke(app, [*call, "--force"]).exit_code == 0


def test_answers_of_2026(tmp_path: Path) -> None:
    found = write(
        tmp_path / "found.csv", "video,kind,onset_frame,offset_frame,action_units",
        "1_001_2,macro,50,90,12+6", "1_001_2,micro,10,20,4",
    )  # fmt: skip
    asked = {
        "How many expression events appear in this video?": 2,
        "How many micro-expression events appear in this video?": 1,
        "How many macro-expression events appear in this video?": 1,
        "What is the expression type of the 1-th expression event in this video?":
            "micro-expression",
        "What is the expression type of the 5-th expression event in this video?":
            "macro-expression",
        "What distinct action units appear in this video?":
            "brow lowerer, cheek raiser, lip corner puller",
        "Why?": "",
    }  # fmt: skip
    rows = [{"video_id": f"q{n}", "video": "1_001_2", "question": q, "answer": ""}
            for n, q in enumerate(asked)]  # fmt: skip
    questions = write(tmp_path / "q.jsonl", *map(json.dumps, rows))
    call = ["challenge", str(found), "--year", "2026", "--questions", str(questions)]
    done = CliRunner().invoke(app, [*call, "--out", str(tmp_path / "a.jsonl")])
    assert done.exit_code == 0 and "7 answers, 1 of them empty" in done.stdout
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert {line["question"]: line["answer"] for line in lines} == asked
    assert [line["video_id"] for line in lines] == [f"q{n}" for n in range(7)]
    broken = CliRunner().invoke(app, [*call[:-1], str(found), "--out", str(tmp_path / "b.jsonl")])
    assert isinstance(broken.exception, TruthError) and not (tmp_path / "b.jsonl").exists()
    event = IntervalRecord("", "v", Interval(0, 5, "micro"))
    assert answer_question("What distinct action units appear in this video?", [event]) == ""

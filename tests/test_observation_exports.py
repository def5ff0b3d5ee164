"""What moved and what else happened in files for other programs, and that it is read as no
expression."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from fesnet.exports import ENDINGS, WRITERS, export
from fesnet.exports.annotations import read_annotations
from fesnet.facial_units import OUTPUTS, MovedUnit
from fesnet.intervals import IntervalMark
from fesnet.metrics.interval_tables import visible_files
from fesnet.observation_text import (
    FLAG_MEANINGS,
    FLAG_WORDS,
    SUMMARY_FIELDS,
    motion_texts,
    moved_line,
    summarize_flags,
)
from fesnet.observations import FLAGS
from fesnet.result import Spotting
from made_results import observed_result


def moved(unit: str, side: str, strength: float) -> MovedUnit:
    return MovedUnit(unit, f"unit {unit}", side, strength)  # type: ignore[arg-type]


def test_units_of_one_motion_and_side_share_a_text() -> None:
    both = [moved("2", "both", 0.7), moved("1", "both", 0.62)]
    assert motion_texts(both) == ["brow raised (AU 1+2) both, .70"]
    apart = [moved("2", "left", 0.7), moved("1", "both", 0.62)]
    assert motion_texts(apart) == ["unit 2 (AU 2) left, .70", "unit 1 (AU 1) both, .62"]
    jaw = [moved("26", "both", 1.0), moved("25", "both", 0.4), moved("46", "right", 0.5)]
    assert motion_texts(jaw) == ["mouth opened (AU 25+26) 1.00", "unit 46 (AU 46) right, .50"]


def test_every_flag_has_words_and_a_meaning() -> None:
    assert set(FLAG_WORDS) == set(FLAG_MEANINGS) == set(FLAGS)


@pytest.mark.parametrize(
    "form", [f for f in ENDINGS if f not in ("megc", "csv", "blinks", "frames", "frames-parquet")]
)
def test_formats_say_what_moved_and_what_else_happened(form: str, tmp_path: Path) -> None:
    result = observed_result(blink=True)
    paths = export(result, [form], tmp_path, "face")
    line = moved_line(result.context(result.intervals[0]))
    assert line == "lip corner pulled up (AU 12) left, .88"
    text = paths[0].read_text(encoding="utf-8")
    # Detection tools take numbers apart, not words.
    assert (line if form != "activitynet" else '"unit": "12"') in text
    assert "blink" in text or form in ("vtt", "srt")


@pytest.mark.parametrize("form", ["eaf", "textgrid", "boris"])
@pytest.mark.parametrize("marked", [False, True])
def test_only_expressions_are_read_back(form: str, marked: bool, tmp_path: Path) -> None:
    result = observed_result(blink=True)
    if marked:
        mark = IntervalMark("ann", "2026-01-01", True, "a note")
        result = replace(result, marks=dict.fromkeys(result.intervals, mark))
    (path,) = export(result, [form], tmp_path, "face")
    found = read_annotations(path).found
    assert [(m.kind, round(m.start_s, 3)) for m in found] == [("macro", 2.0)]


@pytest.mark.parametrize("form", sorted(set(WRITERS) - {"json", "megc", "frames-parquet"}))
def test_results_without_observations_say_nothing_of_them(form: str, tmp_path: Path) -> None:
    result = replace(observed_result(), observations=())
    path = tmp_path / f"face{ENDINGS[form]}"
    WRITERS[form](result, path)
    text = path.read_text(encoding="utf-8")
    assert form in ("csv", "frames", "blinks") or not ("moved" in text or "blink" in text)


def test_blinks_have_a_table_of_their_own(tmp_path: Path) -> None:
    result = observed_result(blink=True)
    (path,) = export(result, ["blinks"], tmp_path, "face")
    with path.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [(r["kind"], r["face"]) for r in rows] == [("blink", "0")]
    assert float(rows[0]["duration_s"]) == pytest.approx(result.blinks[0].stop_s - 80 / 30, abs=0.1)
    frames = (int(rows[0]["start_frame"]), int(rows[0]["stop_frame"]))
    assert frames == (round(result.blinks[0].start_s * 30), round(result.blinks[0].stop_s * 30) - 1)


def test_tables_beside_a_result_are_no_truth(tmp_path: Path) -> None:
    export(observed_result(blink=True), ["blinks", "frames", "csv"], tmp_path, "face")
    assert [f.name for f in visible_files(tmp_path)] == ["face.csv"]


def test_counts_are_those_of_flags_and_blinks() -> None:
    result = observed_result(blink=True)
    contexts = [result.context(i) for i in result.intervals]
    known = 100 / 30
    values = summarize_flags(contexts, result.observations, result.blinks, 30.0, known)
    assert list(values) == list(SUMMARY_FIELDS)
    assert values["with_blink"] == 1 and values["with_speaking"] == 0
    assert values["blink_count"] == 1
    assert values["blinks_per_minute"] == pytest.approx(60 / known, abs=0.01)
    assert values["blink_mean_s"] == pytest.approx(
        result.blinks[0].stop_s - result.blinks[0].start_s, abs=1e-3
    )
    assert set(summarize_flags(contexts, (), (), 30.0, known).values()) == {None}


def test_activitynet_has_strengths_as_numbers(tmp_path: Path) -> None:
    (path,) = export(observed_result(), ["activitynet"], tmp_path, "face")
    (found,) = json.loads(path.read_text())["results"]["face"]
    assert found["moved"][0]["strength"] > 0.8 and found["flags"] == ["edge_of_face_time"]


def test_the_helper_moves_what_it_says() -> None:
    result: Spotting = observed_result()
    assert result.observations[0].strengths[75, OUTPUTS.index("12L")] > 0.8

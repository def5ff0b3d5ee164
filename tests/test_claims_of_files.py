"""Files that claim what cannot be: one line each, or the right value; nothing hangs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fesnet.errors import FesnetError, ResultError, TruthError
from fesnet.exports.annotations import read_annotations
from fesnet.exports.textgrid_reader import read_textgrid
from fesnet.result import Spotting
from review_server import made_spotting

GRID = """File type = "ooTextFile"
Object class = "TextGrid"
0 5 <exists> {tiers}
"IntervalTier" "macro" 0 5 {count} {start} {stop} "macro"
"""
BORIS = {
    "observations": {"a": {"events": [[0.1, "", "macro"], [0.5, "", "macro"]]}},
    "behaviors_conf": {"0": {"code": "macro", "type": "State event"}},
}
ELAN = """<ANNOTATION_DOCUMENT><HEADER>{media}</HEADER><TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="{start}"/><TIME_SLOT TIME_SLOT_ID="t2" TIME_VALUE="2"/>
</TIME_ORDER><TIER TIER_ID="macro" LINGUISTIC_TYPE_REF="x"><ANNOTATION><ALIGNABLE_ANNOTATION
ANNOTATION_ID="a1" TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2"><ANNOTATION_VALUE>macro
</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"""


def damaged(change: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(made_spotting().to_json())
    for name, fields in change.items():
        first = values[name][0] if values[name] else {}
        values[name] = [{**first, **fields}] if isinstance(fields, dict) else fields
    return values


GAP = {"face": 0, "start_s": 3.0, "stop_s": 1.0, "start_frame": 1, "stop_frame": 5, "reason": "x"}


@pytest.mark.parametrize(
    "change",
    [
        {"intervals": {"onset_s": 3.0, "apex_s": 2.0, "offset_s": 1.0}},
        {"intervals": {"apex_s": 99.0}},
        {"gaps": GAP},
        {"faces": {"face": -1}},
        {"faces": {"face": 10**30}},
        {"intervals": "none"},
        {"gaps": None},
        {"faces": [{"face": 0, "ticks": 120}] * 2},
    ],
)
def test_a_result_that_contradicts_itself(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(damaged(change)))
    with pytest.raises(ResultError, match="but it is damaged") as caught:
        Spotting.from_json(path)
    assert len(str(caught.value).splitlines()) == 1


def test_two_tracks_of_one_face(tmp_path: Path) -> None:
    values = damaged({})
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**values, "faces": values["faces"] * 2}))
    with pytest.raises(ResultError, match="not their own"):
        Spotting.from_json(path)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "true", "null", "-1"])
@pytest.mark.parametrize("name", ["onset_s", "onset_frame", "face"])
def test_numbers_that_are_none(tmp_path: Path, value: str, name: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(damaged({"intervals": {name: "@"}})).replace('"@"', value))
    with pytest.raises(ResultError, match="but it is damaged"):
        Spotting.from_json(path)


def test_a_line_is_never_longer_than_people_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**damaged({}), "schema": "x" * 1_000_000}))
    with pytest.raises(ResultError) as caught:
        Spotting.from_json(path)
    line = str(caught.value)
    assert len(line) < 2000
    assert line.startswith("expected a result of schema fesnet/1")
    assert str(FesnetError("a" * 2000)) == "a" * 2000


@pytest.mark.parametrize(
    "tiers, count, start, stop",
    [
        ("1", "1000000000", "0", "5"),
        ("1000000000", "1", "0", "5"),
        ("1", "-1", "0", "5"),
        ("1", "9" * 5000, "0", "5"),
        ("1", "1e9", "0", "5"),
        ("1", "1", "0", "1e999"),
        ("1", "1", "5", "1"),
        ("1", "1", "nan", "1"),
    ],
)
def test_claims_of_a_grid(tmp_path: Path, tiers: str, count: str, start: str, stop: str) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(GRID.format(tiers=tiers, count=count, start=start, stop=stop))
    with pytest.raises(TruthError):
        read_annotations(path)


@pytest.mark.parametrize("time", ["NaN", "Infinity", "1e308", "1" + "0" * 400, "null", '"x"', "[]"])
def test_times_of_a_boris_project(tmp_path: Path, time: str) -> None:
    path = tmp_path / "a.boris"
    path.write_text(json.dumps(BORIS).replace("0.5", time))
    with pytest.raises(TruthError):
        read_annotations(path)


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "/dev/zero", "\udc80"])
def test_a_linked_video_that_no_disk_could_hold_is_none(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.boris"
    first = {**BORIS["observations"]["a"], "file": {"1": [name]}}
    path.write_text(json.dumps({**BORIS, "observations": {"a": first}}))
    found = read_annotations(path)
    assert (len(found.found), found.video) == (1, None)
    media = name.replace("\0", "%00").replace("\udc80", "%80")
    path = tmp_path / "a.eaf"
    media = f'<MEDIA_DESCRIPTOR MEDIA_URL="file:///{media}"/>'
    path.write_text(ELAN.format(media=media, start="1"))
    found = read_annotations(path)
    assert (len(found.found), found.video) == (1, None)


@pytest.mark.parametrize("start", ["9" * 400, "9" * 5000, "nan", "1e5", "", "-9", "3"])
def test_time_slots_of_elan(tmp_path: Path, start: str) -> None:
    path = tmp_path / "a.eaf"
    path.write_text(ELAN.format(media="", start=start))
    with pytest.raises(TruthError):
        read_annotations(path)


@pytest.mark.parametrize("cell", ["1_0", "nan", "inf", "1e308", "-1", "0x10", "9" * 5000, ""])
def test_times_of_a_table(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"kind,onset_s,offset_s\nmacro,0,{cell}\n")
    with pytest.raises(TruthError):
        read_annotations(path)


def test_points_belong_to_the_tier_they_are_named_after(tmp_path: Path) -> None:
    tier = '"IntervalTier" "{}" 0 9 1 {} {} "macro"\n'
    point = '"TextTier" "{}" 0 9 1 4 "0.5"\n'
    text = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n0 9 <exists> 3\n'
        + tier.format("face 0 macro", 3, 5)
        + tier.format("face 0 macro 2", 1, 9)
        + point.format("face 0 macro 2 apex")
    )
    path = tmp_path / "a.TextGrid"
    path.write_text(text)
    assert [(m.start_s, m.apex_s) for m in read_textgrid(path).found] == [(1.0, 4.0), (3.0, None)]

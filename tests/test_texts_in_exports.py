"""What a person types into a note, or what a file is called, in every format we write."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from fesnet.exports import ENDINGS, export
from fesnet.exports.annotations import read_annotations
from fesnet.intervals import IntervalMark
from made_results import observed_result

TEXTS = {
    "bidi": "\u202egpj",
    "line": "a\u2028b\u2029c\x85d",
    "escape": "\x1b[31mred\x07",
    "cue": "x --> y\n\n00:00:00.000 --> 00:01:00.000\nFAKE",
    "quotes": "\"quote\" 'x' \"\"",
    "markup": "<script>alert(1)</script>]]>&amp;<!--",
    "bytes": "a\udcff\ud800",
    "nul": "a\x00b\x0bc",
    "none": "\ufffe\uffff\ufeff",
    "rows": "a\r\nb,c\t\"d;e",
}  # fmt: skip
RAW = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize("name", TEXTS)
def test_every_export_holds_any_text(name: str, tmp_path: Path) -> None:
    text = TEXTS[name]
    made = observed_result()
    mark = IntervalMark(text, "2026-01-01", True, text)
    about = replace(made.source, name=f"{text}.mp4", path=f"/x/{text}.mp4")
    said = replace(made, marks={i: mark for i in made.intervals}, source=about)
    forms = [form for form in ENDINGS if form != "frames-parquet"]
    paths = {path.name: path for path in export(said, forms, tmp_path, "a")}
    for path in paths.values():
        written = path.read_bytes().decode("utf-8")
        assert path.suffix in (".eaf", ".json") or not RAW.search(written), path.name
        if path.suffix == ".json" or path.suffix == ".boris":
            json.loads(written)
    for ending in (".eaf", ".TextGrid", ".boris"):
        (again,) = read_annotations(paths[f"a{ending}"]).found
        assert again.apex_s == pytest.approx(made.intervals[0].apex_s, abs=1e-3)
    for ending in (".vtt", ".srt"):
        assert paths[f"a{ending}"].read_text().count(" --> ") == 1
    with paths["a.csv"].open(newline="", encoding="utf-8") as handle:
        assert len(list(csv.reader(handle))) == 2
    for value in ET.parse(paths["a.eaf"]).getroot().iter("ANNOTATION_VALUE"):
        assert "\x1b" not in (value.text or "")

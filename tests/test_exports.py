"""What other programs read of a result: every format is read back, by their own readers where there
are any.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pympi
import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st
from praatio import textgrid

from fesnet.errors import ResultError, UsageError
from fesnet.exports import ENDINGS, WRITERS, export, parse_formats
from fesnet.exports.elan_reader import read_elan, snap_to_frames
from fesnet.exports.megc import write_megc
from fesnet.postprocess import IntervalRules
from fesnet.result import FaceTrack, SourceInfo, SpottedInterval, Spotting, assemble
from made_results import ends, made_result, made_results

RATE = 30.0
COLUMNS = (
    "video,face,kind,onset_s,apex_s,offset_s,onset_frame,apex_frame,offset_frame,duration_s,score"
    ",moved,flags"
)
# A micro inside a macro, a second macro across the first, a single frame at the very end, another
# face.
OVERLAPS = [
    (0, "macro", 10, 20, 50),
    (0, "micro", 20, 25, 30),
    (0, "macro", 40, 40, 60),
    (0, "macro", 61, 70, 70),
    (0, "micro", 99, 99, 99),
    (2, "micro", 20, 20, 21),
]
Folder = pytest.TempPathFactory


def written(spotting: Spotting, form: str, folder: Path, name: str = "r") -> Path:
    path, *beside = export(spotting, [form], folder, name)
    assert all(p.is_file() for p in (path, *beside))
    return path


def spans(spotting: Spotting, digits: int) -> Counter[tuple[int, str, float, float]]:
    """(face, kind, onset s, end s) of every interval, rounded to as many digits as the format
    has.
    """
    stops, unit = ends(spotting), 10**digits
    return Counter(
        (
            i.face,
            str(i.kind),
            round(i.onset_s * unit) / unit,
            round(stops[i.offset_frame] * unit) / unit,
        )
        for i in spotting.intervals
    )


# -- csv
# ------------------------------------------------------------------------------------------------


def result(scores: np.ndarray, name: str = "face.mp4") -> Spotting:
    """A result of two faces with the same scores."""
    times = np.arange(len(scores)) / RATE
    tracks = tuple(FaceTrack(n, times, scores, np.zeros(len(scores))) for n in range(2))
    source = SourceInfo(name, None, None, 640, 480, "30", len(scores), float(times[-1]))
    return assemble(source, tracks, times, RATE, IntervalRules(), warnings=(), provenance={})


def rows_of(found: Spotting, path: Path) -> list[dict[str, str]]:
    WRITERS["csv"](found, path)
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def interval_of(row: dict[str, str]) -> SpottedInterval:
    seconds = (float(row[c]) for c in ("onset_s", "apex_s", "offset_s"))
    frames = (int(row[c]) for c in ("onset_frame", "apex_frame", "offset_frame"))
    return SpottedInterval(int(row["face"]), *seconds, row["kind"], *frames, float(row["score"]))  # type: ignore[arg-type]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_csv_holds_the_intervals_exactly(tmp_path_factory: Folder, seed: int) -> None:
    walk = np.cumsum(np.random.default_rng(seed).normal(0, 0.1, (200, 2)), 0)
    found = result(np.abs(np.sin(walk)) / 2)
    rows = rows_of(found, tmp_path_factory.mktemp("csv") / "r.csv")
    assert tuple(interval_of(row) for row in rows) == found.intervals


@pytest.mark.parametrize("name", ["a, b.mp4", 'say "hi".mp4', "línea.mp4", "=1+1.mp4"])
def test_awkward_names_survive(name: str, tmp_path: Path) -> None:
    scores = np.zeros((100, 2))
    scores[20:60, 0] = 0.9
    rows = rows_of(result(scores, name), tmp_path / "r.csv")
    shown = f"'{name}" if name[0] == "=" else name  # no spreadsheet takes it for a formula
    assert [row["video"] for row in rows] == [shown, shown]
    assert float(rows[0]["duration_s"]) == pytest.approx(39 / RATE, abs=2e-6)


def test_without_intervals_the_header_stays(tmp_path: Path) -> None:
    assert rows_of(result(np.zeros((50, 2))), tmp_path / "r.csv") == []
    assert (tmp_path / "r.csv").read_bytes() == COLUMNS.encode() + b"\n"


# -- ELAN
# ------------------------------------------------------------------------------------------------

ORDER = [
    "HEADER",
    "TIME_ORDER",
    "TIER",
    "LINGUISTIC_TYPE",
    "LANGUAGE",
    "CONSTRAINT",
    "CONTROLLED_VOCABULARY",
]
ATTRIBUTES = {  # what EAF 3.0 asks for and allows, of the elements that we write
    "ANNOTATION_DOCUMENT": ("AUTHOR DATE VERSION", "FORMAT"),
    "HEADER": ("", "MEDIA_FILE TIME_UNITS"),
    "MEDIA_DESCRIPTOR": ("MEDIA_URL MIME_TYPE", "RELATIVE_MEDIA_URL TIME_ORIGIN EXTRACTED_FROM"),
    "PROPERTY": ("", "NAME"),
    "TIME_ORDER": ("", ""),
    "TIME_SLOT": ("TIME_SLOT_ID", "TIME_VALUE"),
    "TIER": (
        "TIER_ID LINGUISTIC_TYPE_REF",
        "PARTICIPANT ANNOTATOR DEFAULT_LOCALE PARENT_REF EXT_REF LANG_REF",
    ),
    "ANNOTATION": ("", ""),
    "ALIGNABLE_ANNOTATION": (
        "ANNOTATION_ID TIME_SLOT_REF1 TIME_SLOT_REF2",
        "SVG_REF EXT_REF LANG_REF CVE_REF",
    ),
    "REF_ANNOTATION": (
        "ANNOTATION_ID ANNOTATION_REF",
        "PREVIOUS_ANNOTATION EXT_REF LANG_REF CVE_REF",
    ),
    "ANNOTATION_VALUE": ("", ""),
    "LINGUISTIC_TYPE": (
        "LINGUISTIC_TYPE_ID",
        "TIME_ALIGNABLE CONSTRAINTS GRAPHIC_REFERENCES CONTROLLED_VOCABULARY_REF EXT_REF "
        "LEXICON_REF",
    ),
    "LANGUAGE": ("LANG_ID", "LANG_DEF LANG_LABEL"),
    "CONSTRAINT": ("STEREOTYPE", "DESCRIPTION"),
    "CONTROLLED_VOCABULARY": ("CV_ID", "EXT_REF"),
    "DESCRIPTION": ("LANG_REF", ""),
    "CV_ENTRY_ML": ("CVE_ID", "EXT_REF"),
    "CVE_VALUE": ("LANG_REF", "DESCRIPTION"),
}


def check_document(path: Path) -> None:
    """What the schema of EAF 3.0 and ELAN ask of a document."""
    root = pympi.Elan.etree.parse(str(path)).getroot()
    tags = [element.tag for element in root]
    assert tags == sorted(tags, key=ORDER.index)
    for element in root.iter():
        needed, allowed = (set(names.split()) for names in ATTRIBUTES[element.tag])
        own = {name for name in element.attrib if not name.startswith("{")}
        assert needed <= own <= needed | allowed, element.tag
    for names in (
        ("TIME_SLOT_ID", "ANNOTATION_ID", "CVE_ID"),
        ("TIER_ID",),
        ("LINGUISTIC_TYPE_ID",),
    ):
        ids = [e.attrib[n] for e in root.iter() for n in names if n in e.attrib]
        assert len(ids) == len(set(ids))
        assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", i) for i in ids) or names == ("TIER_ID",)
    slots = {s.attrib["TIME_SLOT_ID"]: int(s.attrib["TIME_VALUE"]) for s in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    assert int(root.findtext("HEADER/PROPERTY") or -1) == len(list(root.iter("ANNOTATION")))
    kinds = {k.attrib["LINGUISTIC_TYPE_ID"]: k for k in root.iter("LINGUISTIC_TYPE")}
    books = {b.attrib["CV_ID"] for b in root.iter("CONTROLLED_VOCABULARY")}
    rules = {c.attrib["STEREOTYPE"] for c in root.iter("CONSTRAINT")}
    assert {k.get("CONTROLLED_VOCABULARY_REF") for k in kinds.values()} <= {None, *books}
    assert {k.get("CONSTRAINTS") for k in kinds.values()} <= {None, *rules}
    used: list[str] = []
    places: dict[str, list[tuple[int, int]]] = {}
    for tier in root.iter("TIER"):
        kind, parent = kinds[tier.attrib["LINGUISTIC_TYPE_REF"]], tier.get("PARENT_REF")
        assert (parent is None) == (kind.get("CONSTRAINTS") is None)
        assert parent is None or parent in places, "parents stand before their children"
        timed = list(tier.iter("ALIGNABLE_ANNOTATION"))
        assert not timed or kind.attrib["TIME_ALIGNABLE"] == "true"
        pairs = [(a.attrib["TIME_SLOT_REF1"], a.attrib["TIME_SLOT_REF2"]) for a in timed]
        used += [slot for pair in pairs for slot in pair]
        mine = sorted((slots[a], slots[b]) for a, b in pairs)
        order = list(slots)
        assert all(order.index(a) < order.index(b) and slots[a] < slots[b] for a, b in pairs)
        assert all(a[1] <= b[0] for a, b in pairwise(mine)), "annotations of a tier overlap"
        here = sorted((order.index(a), order.index(b)) for a, b in pairs)
        if parent is not None and timed:  # in time, and among slots of one time, too
            assert all(
                any(a < start and stop < b for a, b in places[parent]) for start, stop in here
            )
        places[tier.attrib["TIER_ID"]] = here
    assert sorted(used) == sorted(slots), "every slot belongs to one annotation"


def elan_spans(path: Path) -> Counter[tuple[int, str, float, float]]:
    """As `spans`, read by pympi."""
    document = pympi.Elan.Eaf(str(path))
    out: Counter[tuple[int, str, float, float]] = Counter()
    for tier in document.get_tier_names():
        named = re.fullmatch(r"face (\d+) (macro|micro)(?: \d+)?", tier)
        if named:
            for start, stop, value in document.get_annotation_data_for_tier(tier):
                assert value == named[2]
                out[int(named[1]), value, start / 1000, stop / 1000] += 1
    return out


@given(made_results())
@settings(max_examples=40, deadline=None)
def test_elan_round_trip(tmp_path_factory: Folder, spotting: Spotting) -> None:
    path = written(spotting, "eaf", tmp_path_factory.mktemp("eaf"))
    check_document(path)
    assert elan_spans(path) == spans(spotting, 3)
    # Our own reader finds the very frames again.
    back = snap_to_frames(read_elan(path).found, spotting.frame_times)
    assert sorted(
        (r.face, r.kind, r.onset_frame, r.apex_frame or 0, r.offset_frame) for r in back
    ) == sorted(
        (i.face, i.kind, i.onset_frame, i.apex_frame, i.offset_frame) for i in spotting.intervals
    )


def test_elan_tiers_apexes_and_scores(tmp_path: Path) -> None:
    path = written(made_result(OVERLAPS, gaps=[(0, 80, 89, "no face")]), "eaf", tmp_path)
    check_document(path)
    document = pympi.Elan.Eaf(str(path))
    lanes = ["face 0 macro", "face 0 macro 2", "face 0 micro", "face 2 macro", "face 2 micro"]
    assert list(document.get_tier_names()) == [
        *(f"{lane}{part}" for lane in lanes for part in ("", " apex", " score")),
        "face 0 unknown",
    ]
    # 20/30 s to the frame after 30; the apex is frame 25 alone; the frame after the last is 1/30 s
    # after it.
    assert document.get_annotation_data_for_tier("face 0 micro") == [
        (667, 1033, "micro"),
        (3300, 3333, "micro"),
    ]
    assert document.get_annotation_data_for_tier("face 0 micro apex") == [
        (833, 867, "apex"),
        (3300, 3333, "apex"),
    ]
    assert document.get_annotation_data_for_tier("face 0 macro 2") == [(1333, 2033, "macro")]
    assert [row[2] for row in document.get_ref_annotation_data_for_tier("face 0 macro score")] == [
        "0.5000",
        "0.5300",
    ]
    assert document.get_annotation_data_for_tier("face 0 unknown") == [(2667, 3000, "no face")]
    assert document.get_parameters_for_tier("face 0 micro apex")["PARENT_REF"] == "face 0 micro"
    (_, entries, _) = document.controlled_vocabularies["expression"]
    assert [values[0][0] for values, _ in entries.values()] == ["macro", "micro"]


@pytest.mark.parametrize(
    "name", ["a b.mp4", "línea ☺.mov", "R&D <1> \"x\" 'y' 100%20.mpg", "a#b?c.webm"]
)
def test_elan_links_the_video_as_elan_reads_it(name: str, tmp_path: Path) -> None:
    video, folder = tmp_path / "in" / name, tmp_path / "out"
    folder.mkdir()
    spotting = made_result(OVERLAPS, name=name, path=str(video))
    for where, relative in ((folder, f"../in/{name}"), (tmp_path, f"./in/{name}")):
        path = written(spotting, "eaf", where)
        check_document(path)
        (media,) = pympi.Elan.Eaf(str(path)).media_descriptors
        # Letter by letter: ELAN does not undo %20.
        assert media["MEDIA_URL"] == f"file://{video.resolve().as_posix()}"
        assert media["RELATIVE_MEDIA_URL"] == relative
    assert media["MIME_TYPE"].startswith("video/")
    video.parent.mkdir()
    video.touch()
    assert read_elan(path).video == tmp_path / "in" / name


def test_elan_links_no_folder_camera_or_stream(tmp_path: Path) -> None:
    for source in ({"path": None}, {"path": str(tmp_path)}):
        path = written(made_result(OVERLAPS, **source), "eaf", tmp_path)
        assert pympi.Elan.Eaf(str(path)).media_descriptors == []


def test_elan_keeps_what_xml_forbids_out(tmp_path: Path) -> None:
    gaps = [(0, 1, 2, 'a <b> & "c" \x00\x1b\ud800')]
    path = written(made_result([], gaps=gaps, path=str(tmp_path / "\x07.mp4")), "eaf", tmp_path)
    document = pympi.Elan.Eaf(str(path))
    assert document.get_annotation_data_for_tier("face 0 unknown")[0][2] == 'a <b> & "c" %00%1B%3F'
    assert document.media_descriptors[0]["RELATIVE_MEDIA_URL"] == "./%07.mp4"


# -- Praat
# ------------------------------------------------------------------------------------------------


def grid_spans(path: Path) -> Counter[tuple[int, str, float, float]]:
    """As `spans`, read by praatio."""
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")
    out: Counter[tuple[int, str, float, float]] = Counter()
    for tier in grid.tiers:
        named = re.fullmatch(r"face (\d+) (macro|micro)(?: \d+)?", tier.name)
        if named:
            out.update(
                (int(named[1]), e.label, round(e.start, 6), round(e.end, 6)) for e in tier.entries
            )
    return out


@given(made_results())
@settings(max_examples=40, deadline=None)
def test_textgrid_round_trip(tmp_path_factory: Folder, spotting: Spotting) -> None:
    path = written(spotting, "textgrid", tmp_path_factory.mktemp("grid"))
    assert grid_spans(path) == spans(spotting, 6)
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")
    apexes = [round(e.time, 6) for t in grid.tiers if t.name.endswith("apex") for e in t.entries]
    assert sorted(apexes) == sorted(i.apex_s for i in spotting.intervals)
    for tier in grid.tiers:
        if isinstance(
            tier, textgrid.IntervalTier
        ):  # without a hole, from the first frame to the end of the last
            assert tier.entries[0].start == 0
            assert tier.entries[-1].end == ends(spotting)[-1]
            assert all(a.end == b.start for a, b in pairwise(tier.entries))


def test_textgrid_tiers(tmp_path: Path) -> None:
    path = written(made_result(OVERLAPS, gaps=[(0, 80, 89, 'no "face"')]), "textgrid", tmp_path)
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")
    assert grid.tierNames[:5] == (
        "face 0 macro",
        "face 0 macro apex",
        "face 0 macro 2",
        "face 0 macro 2 apex",
        "face 0 micro",
    )
    assert [tuple(p) for p in grid.getTier("face 0 micro apex").entries] == [
        (0.833333, "0.5100"),
        (3.3, "0.5400"),
    ]
    assert [tuple(e) for e in grid.getTier("face 0 unknown").entries] == [
        (2.666667, 3.0, 'no "face"')
    ]
    assert 'text = "no ""face"""' in path.read_text()  # Praat doubles quotes; praatio does not mind


def test_overlapping_macro_and_micro_survive_elan_and_praat(tmp_path: Path) -> None:
    spotting = made_result(OVERLAPS)
    assert elan_spans(written(spotting, "eaf", tmp_path)) == spans(spotting, 3)
    assert grid_spans(written(spotting, "textgrid", tmp_path)) == spans(spotting, 6)


# -- subtitles
# ------------------------------------------------------------------------------------------------


@given(made_results())
@settings(max_examples=25, deadline=None)
def test_subtitles_round_trip(tmp_path_factory: Folder, spotting: Spotting) -> None:
    folder = tmp_path_factory.mktemp("cues")
    for form, read in (("vtt", webvtt.read), ("srt", webvtt.from_srt)):
        path = written(spotting, form, folder)
        if form == "srt" and not spotting.intervals:
            assert path.read_text() == ""  # the reader takes no file without a cue
            continue
        captions = list(read(str(path)))
        found: Counter[tuple[int, str, float, float]] = Counter()
        for caption in captions:
            said = re.fullmatch(
                r"face (\d+): (macro|micro), score [\d.]+, apex at ([\d.]+) s", caption.text
            )
            assert said
            start, stop = (round(seconds(t), 3) for t in (caption.start, caption.end))
            assert start - 0.0011 <= float(said[3]) <= stop
            found[int(said[1]), said[2], start, stop] += 1
        assert found == spans(spotting, 3)
        assert [c.start for c in captions] == sorted(c.start for c in captions)


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.replace(",", ".").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def test_long_videos_have_hours(tmp_path: Path) -> None:
    times = np.array([0.0, 3 * 3600 + 61.5, 3 * 3600 + 61.75])
    path = written(made_result([(0, "micro", 1, 1, 1)], times), "vtt", tmp_path)
    assert "03:01:01.500 --> 03:01:01.750" in path.read_text()


# -- BORIS
# ------------------------------------------------------------------------------------------------


def boris_spans(project: dict[str, Any]) -> Counter[tuple[int, str, float, float]]:
    """As `spans`, paired as BORIS does: in the order of the rows, for each subject and
    behaviour.
    """
    (observation,) = project["observations"].values()
    states = {b["code"] for b in project["behaviors_conf"].values() if b["type"] == "State event"}
    subjects = {s["name"] for s in project["subjects_conf"].values()}
    out: Counter[tuple[int, str, float, float]] = Counter()
    running: dict[tuple[str, str], float] = {}
    for time, subject, code, _, comment, *_ in observation["events"]:
        assert subject in subjects
        if code not in states:
            assert code in {"macro apex", "micro apex"}
        elif (subject, code) in running:
            assert comment == ""
            out[int(subject.split()[1]), code, running.pop((subject, code)), time] += 1
        else:
            assert comment.startswith("score ")
            running[subject, code] = time
    assert not running, "an event without its pair"
    return out


@given(made_results())
@settings(max_examples=40, deadline=None)
def test_boris_round_trip(tmp_path_factory: Folder, spotting: Spotting) -> None:
    path = written(spotting, "boris", tmp_path_factory.mktemp("boris"))
    project = json.loads(path.read_bytes().decode("ascii"))
    assert boris_spans(project) == spans(spotting, 3)
    (observation,) = project["observations"].values()
    times = [row[0] for row in observation["events"]]
    assert times == sorted(times)


def test_boris_projects_hold_what_boris_asks_for(tmp_path: Path) -> None:
    video = tmp_path / "línea.mp4"
    for path, kind in ((str(video), "MEDIA"), (None, "LIVE"), (str(tmp_path), "LIVE")):
        project = json.loads(
            written(
                made_result(OVERLAPS, path=path, name="línea.mp4"), "boris", tmp_path
            ).read_text()
        )
        assert project["project_format_version"] == "7.0"
        seen = project["observations"]["línea.mp4"]
        assert seen["type"] == kind
        assert {len(row) for row in seen["events"]} == {6 if kind == "MEDIA" else 5}
        if kind == "MEDIA":
            name = str(video.resolve())
            assert seen["file"] == {"1": [name], **{str(n): [] for n in range(2, 9)}}
            assert seen["media_info"]["length"] == {name: 3.333}
            assert seen["media_info"]["fps"] == {name: 30.0}
            assert seen["events"][0] == [0.333, "face 0", "macro", "", "score 0.5000", 10]
        assert len({b["key"] for b in project["behaviors_conf"].values()}) == 4


# -- Label Studio
# ------------------------------------------------------------------------------------------------


@given(made_results(constant=True))
@settings(max_examples=25, deadline=None)
def test_labelstudio_round_trip(tmp_path_factory: Folder, spotting: Spotting) -> None:
    (task,) = json.loads(
        written(spotting, "labelstudio", tmp_path_factory.mktemp("ls")).read_text()
    )
    (prediction,) = task["predictions"]
    found: Counter[tuple[str, int, int, float]] = Counter()
    for region in prediction["result"]:
        assert (region["type"], region["from_name"], region["to_name"]) == (
            "timelinelabels",
            "expression",
            "video",
        )
        (span,), (label,) = region["value"]["ranges"], region["value"]["timelinelabels"]
        found[label, span["start"] - 1, span["end"] - 1, region["score"]] += 1
    assert found == Counter(
        (str(i.kind), i.onset_frame, i.offset_frame, i.score) for i in spotting.intervals
    )
    assert len({region["id"] for region in prediction["result"]}) == len(prediction["result"])
    assert task["data"]["fps"] == 25


def test_labelstudio_gets_the_exact_rate_and_an_address(tmp_path: Path) -> None:
    times = np.round(np.arange(20_000) * 1001 / 30000, 3)  # as Matroska rounds
    for told in ("30000/1001", None, "15", "nonsense", "1/0"):
        path = written(made_result([], times, rate=told, name="a b&c.mp4"), "labelstudio", tmp_path)
        (task,) = json.loads(path.read_text())
        assert task["data"]["fps"] == pytest.approx(30000 / 1001, rel=2e-6)
        assert task["data"]["video"] == "/data/local-files/?d=a%20b%26c.mp4"


@pytest.mark.parametrize("hole", [1, 50, 98])
def test_labelstudio_refuses_a_variable_rate(hole: int, tmp_path: Path) -> None:
    times = np.delete(np.arange(101) / 30, hole)  # one frame was dropped
    with pytest.raises(
        ResultError,
        match=r"constant frame rate for Label Studio, got frames 33\.3 to 66\.7 ms apart in "
        r"face\.mp4; .*conv",
    ):
        written(made_result([], times), "labelstudio", tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ResultError, match=r"got a single frame in face\.mp4"):
        written(made_result([], 1, rate=None), "labelstudio", tmp_path)


# -- ActivityNet, BIDS, MEGC
# -------------------------------------------------------------------------------------------


@given(made_results())
@settings(max_examples=25, deadline=None)
def test_activitynet_round_trip(tmp_path_factory: Folder, spotting: Spotting) -> None:
    values = json.loads(
        written(spotting, "activitynet", tmp_path_factory.mktemp("anet")).read_text()
    )
    assert set(values) == {"version", "results", "external_data"}
    found = Counter((f["face"], f["label"], *f["segment"]) for f in values["results"]["face"])
    assert found == spans(spotting, 6)


@given(made_results())
@settings(max_examples=25, deadline=None)
def test_bids_round_trip(tmp_path_factory: Folder, spotting: Spotting) -> None:
    path = written(spotting, "bids", tmp_path_factory.mktemp("bids"))
    assert path.name == "r_events.tsv"
    rows = list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))
    found = Counter(
        (
            int(r["face"]),
            r["trial_type"],
            float(r["onset"]),
            round(float(r["onset"]) + float(r["duration"]), 6),
        )
        for r in rows
    )
    assert found == spans(spotting, 6)
    assert [float(r["onset"]) for r in rows] == sorted(float(r["onset"]) for r in rows)


def test_bids_says_what_its_columns_mean_and_where_the_face_is_unknown(tmp_path: Path) -> None:
    path = written(
        made_result([(0, "micro", 3, 6, 8)], gaps=[(0, 0, 2, "no face")]), "bids", tmp_path
    )
    lines = path.read_text().splitlines()
    assert lines == [
        "onset\tduration\ttrial_type\tface\tapex\tscore",
        "0.000000\t0.100000\tunknown\t0\tn/a\tn/a",
        "0.100000\t0.200000\tmicro\t0\t0.200000\t0.5000",
    ]
    sidecar = json.loads((tmp_path / "r_events.json").read_text())
    assert list(sidecar) == lines[0].split("\t")
    assert set(sidecar["trial_type"]["Levels"]) == {"macro", "micro", "unknown"}


@pytest.mark.parametrize(
    ("year", "lines"),
    [
        (2022, ["vid,pred_onset,pred_offset,type", "006_1,11,51,mae", "006_1,21,31,me"]),
        (2023, ["vid,onset,offset,type", "006_1,11,51,mae", "006_1,21,31,me"]),
        (2024, ["subject,video,onset,offset,emotion", "006,006_1,21,31,"]),
        (2025, ["subject,video,onset,offset,emotion", "006,006_1,21,31,"]),
    ],
)
def test_megc_by_year(year: int, lines: list[str], tmp_path: Path) -> None:
    (path,) = export(made_result(OVERLAPS[:2], name="006_1.mp4"), ["megc"], tmp_path, "r", year)
    assert path.read_text().splitlines() == lines
    with pytest.raises(
        UsageError, match="expected one of the years 2022, 2023, 2024, 2025 for megc, got 2021"
    ):
        write_megc(made_result([]), path, 2021)


def test_megc_and_activitynet_keep_the_dots_of_names(tmp_path: Path) -> None:
    """Only the ending of a video file goes: image folders may be called s1.day1 and s1.day2."""
    for name, wanted in (
        ("s1.day1", "s1.day1"),
        ("s1.day1.MP4", "s1.day1"),
        ("a.mp4", "a"),
        (".mp4", ".mp4"),
    ):
        spotting = made_result(OVERLAPS[:1], name=name)
        (line,) = written(spotting, "megc", tmp_path).read_text().splitlines()[1:]
        assert line.split(",")[0] == wanted
        assert list(
            json.loads(written(spotting, "activitynet", tmp_path).read_text())["results"]
        ) == [wanted]


@pytest.mark.parametrize("year", [2023, 2025])
def test_a_carriage_return_does_not_end_a_row_of_megc(year: int, tmp_path: Path) -> None:
    (path,) = export(made_result(OVERLAPS[:2], name="a\rb.mp4"), ["megc"], tmp_path, "r", year)
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {row.get("vid", row.get("video")) for row in rows} == {"a\\x0db"}


# -- all of them
# ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", list(WRITERS))
def test_every_writer_writes_whole_or_not_at_all(form: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match=r"expected to write .*; name a writable folder"):
        WRITERS[form](result(np.zeros((50, 2))), tmp_path / "file" / f"r.{form}")
    with pytest.raises(UsageError, match=r"expected to write"):
        WRITERS[form](result(np.zeros((50, 2))), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("form", list(WRITERS))
def test_equal_results_give_equal_bytes(form: str, tmp_path: Path) -> None:
    scores = np.zeros((100, 2))
    scores[20:60, 0] = 0.9
    for name in ("a", "b"):
        WRITERS[form](result(scores), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("form", list(ENDINGS))
@pytest.mark.parametrize("name", ["a\nb.mp4", " ", "=1,2\t3.mp4", 'a "quoted" <&> ☺.mp4'])
def test_odd_names_and_an_empty_result(form: str, name: str, tmp_path: Path) -> None:
    """Nothing found, a single frame, no face, and a name that breaks lines and columns."""
    path = written(
        made_result([], 1, name=name, path=name, gaps=[(0, 0, 0, "no face in the video")]),
        form,
        tmp_path,
    )
    if form == "frames-parquet":
        assert pytest.importorskip("pyarrow.parquet").read_table(path).num_rows == 0
        return
    text = path.read_text(encoding="utf-8")
    if form == "eaf":
        check_document(path)
        assert elan_spans(path) == Counter()
        assert read_elan(path).found == ()
    elif form == "textgrid":
        assert grid_spans(path) == Counter()
    elif form == "srt":
        assert text == ""
    elif form == "vtt":
        assert list(webvtt.read(str(path))) == []
    elif path.suffix in {".json", ".boris"}:
        assert json.loads(text)
    else:
        assert len(text.splitlines()) == (2 if form == "bids" else 1)


def test_frames_of_one_time_are_kept_apart_in_lanes(tmp_path: Path) -> None:
    times = np.array([0.0, 0.1, 0.1, 0.2])  # a camera may give one time twice
    spotting = made_result([(0, "macro", 0, 0, 1), (0, "macro", 2, 2, 3)], times)
    path = written(spotting, "eaf", tmp_path)
    check_document(path)
    assert sorted(elan_spans(path)) == [(0, "macro", 0.0, 0.2), (0, "macro", 0.1, 0.3)]
    assert sorted(grid_spans(written(spotting, "textgrid", tmp_path))) == sorted(elan_spans(path))


def test_names_that_no_text_can_hold(tmp_path: Path) -> None:
    path = written(made_result([], name="\udcff.mp4"), "activitynet", tmp_path)
    assert "\udcff" in path.read_text(encoding="utf-8").encode().decode(
        "unicode_escape"
    )  # escaped, not lost


def test_formats_are_read_from_a_list() -> None:
    assert parse_formats("eaf, VTT,,eaf") == ["eaf", "vtt"]
    for names, got in (
        ("eaf,elan,word", "elan, word"),
        ("", "''"),
        (" , ", "' , '"),
        ("json", "json"),
    ):
        with pytest.raises(
            UsageError,
            match=rf"expected formats out of eaf, .*, csv, divided by commas, got {got}$",
        ):
            parse_formats(names)
    with pytest.raises(UsageError, match="years 2022, 2023, 2024, 2025 for megc, got 1999"):
        parse_formats("megc", 1999)


def test_a_format_that_refuses_does_not_keep_the_others_back(tmp_path: Path) -> None:
    spotting = made_result([], np.array([0.0, 0.1, 0.7]))
    with pytest.raises(ResultError, match="Label Studio"):
        export(spotting, ["labelstudio", "vtt", "bids"], tmp_path, "a.b")
    assert sorted(p.name for p in tmp_path.glob("[!.]*")) == [
        "a.b.vtt",
        "a.b_events.json",
        "a.b_events.tsv",
    ]

"""ELAN files as truth: ours after correction, and those of people who never saw ours; and both ways
by command line.
"""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import numpy as np
import pympi
import pytest

from fesnet.batch import SpotJob, import_truth, spot_sources
from fesnet.cli import EXPORT_FORMATS, main
from fesnet.errors import ResultError, TruthError, UsageError
from fesnet.exports import ENDINGS, export
from fesnet.exports.elan_reader import (
    AnnotatedInterval,
    ApexMark,
    TierInfo,
    attach_apexes,
    name_kind,
    read_elan,
    snap_to_frames,
    value_kind,
)
from fesnet.result import Spotting
from fesnet.spotter import Spotter
from made_results import made_result

TIMES = np.arange(100) / 25
Fesnet = Callable[..., tuple[int, str, str]]


def elan_file(
    path: Path,
    tiers: dict[str, list[tuple[int, int, str]]],
    vocabulary: dict[str, str] | None = None,
) -> Path:
    """An .eaf as pympi writes it: tiers with (start ms, stop ms, value); vocabulary: descriptions
    by value.
    """
    document = pympi.Elan.Eaf(author="a person")
    document.remove_tier("default")
    if vocabulary is not None:
        document.add_language("und")
        document.add_controlled_vocabulary("book")
        for n, (value, description) in enumerate(vocabulary.items()):
            document.add_cv_entry("book", f"c{n}", [(value, "und", description)])
        document.add_linguistic_type("chosen")
        document.linguistic_types["chosen"]["CONTROLLED_VOCABULARY_REF"] = "book"
    for name, marks in tiers.items():
        document.add_tier(name, ling="default-lt" if vocabulary is None else "chosen")
        for mark in marks:
            document.add_annotation(name, *mark)
    document.to_file(str(path))
    return path


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("macro", "macro"),
        (" Micro ", "micro"),
        ("micro-expression", "micro"),
        ("Macroexpression", "macro"),
        ("Micro - 1/2", "micro"),
        ("MaE", "macro"),
        ("me", "micro"),
        ("", None),
        (None, None),
        ("micro?", None),
        ("a macro perhaps", None),
        ("microphone", None),
    ],
)
def test_values_that_name_a_kind(text: str | None, kind: str | None) -> None:
    assert value_kind(text) == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("face 0 macro 2", "macro"),
        ("Micro-Expressions (A.)", "micro"),
        ("rater1_micro", "micro"),
        ("ME", "micro"),
        ("macro and micro", None),
        ("microphone", None),
        ("home", None),
        (None, None),
    ],
)
def test_names_that_speak_of_a_kind(text: str | None, kind: str | None) -> None:
    assert name_kind(text) == kind


def test_values_decide_and_what_says_nothing_is_counted(tmp_path: Path) -> None:
    tiers = {
        "face": [(0, 400, "Micro"), (1000, 2000, "MaE"), (2000, 2100, "blink")],
        "notes": [(0, 50, "a micro?")],
    }
    read = read_elan(elan_file(tmp_path / "a.eaf", tiers))
    assert read.found == (
        AnnotatedInterval(0, 0.0, 0.4, "micro"),
        AnnotatedInterval(0, 1.0, 2.0, "macro"),
    )
    assert read.ignored == {"face": 1, "notes": 1}
    assert read.video is None


def test_the_vocabulary_decides_where_the_value_says_nothing(tmp_path: Path) -> None:
    book = {"P": "micro-expression", "G": "a macro-expression", "N": "neutral"}
    tiers = {"macro": [(0, 400, "P"), (500, 900, "G"), (900, 950, "other")], "x": [(0, 40, "N")]}
    read = read_elan(elan_file(tmp_path / "a.eaf", tiers, book))
    assert [(m.start_s, m.kind) for m in read.found] == [
        (0.0, "micro"),
        (0.5, "macro"),
        (0.9, "macro"),
    ]
    assert read.ignored == {"x": 1}


def test_the_name_of_a_tier_decides_last(tmp_path: Path) -> None:
    tiers = {"Micro face 3": [(0, 400, "smile"), (500, 600, "macro")], "MaE": [(0, 1000, "")]}
    read = read_elan(elan_file(tmp_path / "a.eaf", tiers))
    assert read.found == (
        AnnotatedInterval(0, 0.0, 1.0, "macro"),
        AnnotatedInterval(3, 0.0, 0.4, "micro"),
        AnnotatedInterval(3, 0.5, 0.6, "macro"),
    )


def test_the_name_of_a_child_tier_says_nothing(tmp_path: Path) -> None:
    path = elan_file(
        tmp_path / "a.eaf", {"macro": [(0, 1000, "smile")], "macro parts": [(0, 500, "rise")]}
    )
    path.write_text(
        path.read_text().replace(
            'TIER_ID="macro parts"', 'TIER_ID="macro parts" PARENT_REF="macro"'
        )
    )
    read = read_elan(path)
    assert (read.found, read.ignored) == (
        (AnnotatedInterval(0, 0.0, 1.0, "macro"),),
        {"macro parts": 1},
    )


def test_apexes_go_to_the_expression_around_them(tmp_path: Path) -> None:
    tiers = {
        "all": [(0, 2000, "macro"), (2200, 2300, "macro")],
        "fine": [(400, 800, "micro")],
        "apex": [(500, 540, ""), (2100, 2140, "")],
        "macro apex": [(600, 640, "")],
    }
    read = read_elan(elan_file(tmp_path / "a.eaf", tiers))
    assert [(m.kind, m.apex_s) for m in read.found] == [
        ("macro", 0.6),
        ("micro", 0.5),
        ("macro", None),
    ]
    assert read.ignored == {}


def test_corrections_by_hand_are_read(tmp_path: Path) -> None:
    """As ELAN leaves a file of ours: an expression of another kind, one more, one moved, one
    gone.
    """
    spotting = made_result(
        [(0, "macro", 10, 20, 50), (0, "micro", 60, 61, 62), (1, "macro", 0, 0, 9)]
    )
    (path,) = export(spotting, ["eaf"], tmp_path, "r")
    text = (
        path.read_text()
        .replace(">micro</ANNOTATION_VALUE>", ">macro</ANNOTATION_VALUE>")
        .replace("cve_micro", "cve_macro")
    )
    text = text.replace('TIME_VALUE="1700"', 'TIME_VALUE="1500"')
    path.write_text(text)
    document = pympi.Elan.Eaf(str(path))
    document.add_annotation("face 1 micro", 1000, 1200, "micro")
    document.remove_annotation("face 1 macro", 100)
    document.to_file(str(path))
    rows = snap_to_frames(read_elan(path).found, spotting.frame_times)
    assert [(r.face, r.kind, r.onset_frame, r.apex_frame, r.offset_frame) for r in rows] == [
        (0, "macro", 10, 20, 44),
        (0, "macro", 60, 61, 62),
        (1, "micro", 30, None, 35),
    ]


def test_times_between_frames_go_to_the_nearest_border() -> None:
    found = (
        AnnotatedInterval(0, 0.419, 0.581, "macro", 0.47),
        AnnotatedInterval(0, 0.5, 0.501, "micro", 3.0),
        AnnotatedInterval(0, 0.0, 4.4, "macro"),
    )
    rows = snap_to_frames(found, TIMES)
    assert [(r.onset_frame, r.apex_frame, r.offset_frame) for r in rows] == [
        (10, 12, 14),
        (12, 12, 12),
        (0, None, 99),
    ]
    assert (rows[0].onset_s, rows[0].apex_s, rows[0].offset_s) == (0.4, 0.48, 0.56)


@pytest.mark.parametrize(("start", "stop"), [(4.0, 4.1), (3.0, 4.6)])
def test_annotations_outside_of_the_video(start: float, stop: float) -> None:
    with pytest.raises(
        TruthError,
        match=rf"within the video's 4\.00 s, got one from {start:.2f} to {stop:.2f} s; name",
    ):
        snap_to_frames((AnnotatedInterval(0, start, stop, "macro"),), TIMES)


def test_a_shifted_video_shifts_the_times(tmp_path: Path) -> None:
    path = elan_file(tmp_path / "a.eaf", {"x": [(0, 400, "micro")]})
    media = (
        '<MEDIA_DESCRIPTOR MEDIA_URL="file:///x.mp4" MIME_TYPE="video/mp4" TIME_ORIGIN="1500" />'
    )
    header = path.read_text().partition("<HEADER")[2].partition(">")[0]
    empty = f"<HEADER{header}>"
    path.write_text(path.read_text().replace(empty, empty + media))
    assert read_elan(path).found == (AnnotatedInterval(0, 1.5, 1.9, "micro"),)


def test_files_that_are_no_truth(tmp_path: Path) -> None:
    path = tmp_path / "a.eaf"
    for text, reason in (
        ("", "no element found"),
        ("{}", "not well-formed"),
        ("<a/>", "it is a <a>"),
        ("<ANNOTATION_DOCUMENT><TIER/></ANNOTATION_DOCUMENT>", "'TIER_ID' is missing"),
        (
            '<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="frames"/></ANNOTATION_DOCUMENT>',
            "its times are in frames",
        ),
        ('<?xml version="1.0" encoding="martian"?><a/>', "unknown encoding: martian"),
    ):
        path.write_text(text)
        with pytest.raises(TruthError, match=rf"expected an ELAN file in .*a\.eaf, but {reason}"):
            read_elan(path)
    elan_file(path, {"speech": [(0, 10, "hello")]})
    with pytest.raises(
        TruthError,
        match=r"called macro or micro in .*, got none in its tiers \('speech'\); call the",
    ):
        read_elan(path)


def test_an_expression_that_ends_before_it_starts_is_named(tmp_path: Path) -> None:
    path = elan_file(
        tmp_path / "a.eaf", {"x": [(400, 900, "micro")], "speech": [(0, 100, "hello")]}
    )
    text = path.read_text()
    path.write_text(text.replace('TIME_VALUE="900"', 'TIME_VALUE="300"'))
    with pytest.raises(
        TruthError, match=r"but 'micro' of tier 'x' ends at 0\.300 s, before 0\.400 s, its"
    ):
        read_elan(path)
    path.write_text(
        text.replace('TIME_VALUE="0"', 'TIME_VALUE="800"')
    )  # what does not count does not matter
    assert read_elan(path).found == (AnnotatedInterval(0, 0.4, 0.9, "micro"),)


# -- import_truth --


def quiet(name: str, share: float | None) -> None:
    """No progress is shown."""


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_truth_on_the_frames_of_a_result(tmp_path: Path) -> None:
    spotting = made_result([(0, "macro", 10, 20, 50), (0, "micro", 20, 25, 30)], name="línea.mp4")
    export(spotting, ["eaf", "csv"], tmp_path, "r")
    with pytest.raises(
        UsageError, match=r"expected the video that .*r\.eaf annotates, got none beside it; name it"
    ):
        import_truth(tmp_path / "r.eaf", tmp_path / "t.csv", None, None, quiet)
    spotting.to_json(tmp_path / "r.json")
    read = import_truth(tmp_path / "r.eaf", tmp_path / "t.csv", None, None, quiet)
    assert len(read.found) == 2
    truth, found = table(tmp_path / "t.csv"), table(tmp_path / "r.csv")
    assert [row.pop("score") for row in truth] == ["1.0000", "1.0000"]
    assert truth == [{k: v for k, v in row.items() if k != "score"} for row in found]


def test_truth_on_the_frames_of_a_video(face_video: Path, tmp_path: Path) -> None:
    path = elan_file(tmp_path / "a.eaf", {"x": [(400, 800, "micro")]})
    import_truth(path, tmp_path / "t.csv", face_video, None, quiet)
    (row,) = table(tmp_path / "t.csv")
    assert (row["video"], row["onset_frame"], row["apex_frame"], row["offset_frame"]) == (
        "face.mkv",
        "10",
        "",
        "19",
    )
    assert (row["onset_s"], row["apex_s"], row["offset_s"]) == ("0.400000", "", "0.760000")
    # The linked one does as well, also where the file moved together with it.
    shutil.copy(face_video, tmp_path)
    document = pympi.Elan.Eaf(str(path))
    document.add_linked_file("file:///gone/face.mkv", mimetype="video/*", relpath="./face.mkv")
    document.to_file(str(path))
    import_truth(path, tmp_path / "u.csv", None, None, quiet)
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "u.csv").read_bytes()


def test_the_video_must_have_the_frames_of_the_result(face_video: Path, tmp_path: Path) -> None:
    path = elan_file(tmp_path / "a.eaf", {"x": [(400, 800, "micro")]})
    made_result([], np.arange(40) / 25).to_json(tmp_path / "a.json")
    import_truth(path, tmp_path / "t.csv", face_video, None, quiet)  # 40 frames, too
    made_result([], np.arange(38) / 25).to_json(tmp_path / "a.json")
    with pytest.raises(
        UsageError,
        match=r"expected the video of a\.json \(38 frames\), got .*face\.mkv of 40; name the",
    ):
        import_truth(path, tmp_path / "u.csv", face_video, None, quiet)
    assert not (tmp_path / "u.csv").exists()
    cut = made_result([], np.arange(38) / 25)  # spotting was told to stop early
    replace(cut, source=replace(cut.source, frame_count=40)).to_json(tmp_path / "a.json")
    import_truth(path, tmp_path / "u.csv", face_video, None, quiet)


# -- the command line


@pytest.fixture
def fesnet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fesnet:
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fesnet", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0), *capsys.readouterr()

    return call


def test_export_and_import_by_command_line(fesnet: Fesnet, tmp_path: Path) -> None:
    spotting = made_result([(0, "macro", 10, 20, 50)], gaps=[(0, 60, 70, "no face")])
    spotting.to_json(tmp_path / "r.json")
    code, out, _ = fesnet("export", tmp_path / "r.json", "--to", "eaf,megc", "--year", "2022")
    assert (code, out) == (0, f"wrote {tmp_path / 'r.eaf'}\nwrote {tmp_path / 'r.megc.csv'}\n")
    assert (tmp_path / "r.megc.csv").read_text().startswith("vid,pred_onset")
    code, out, _ = fesnet("import", tmp_path / "r.eaf", "--out", tmp_path / "t.csv")
    assert code == 0
    assert out.splitlines() == [
        "left out: 1 of tier 'face 0 unknown', neither macro nor micro",
        f"wrote {tmp_path / 't.csv'}, expressions: 1",
    ]
    code, out, _ = fesnet(
        "export", tmp_path / "r.json", "--to", "vtt", "--out", tmp_path / "new" / "folder"
    )
    assert out == f"wrote {tmp_path / 'new' / 'folder' / 'r.vtt'}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["export", "r.json", "--to", "word"], 2, "expected formats out of eaf, textgrid, "),
        (["export", "r.json", "--to", "megc", "--year", "1999"], 2, "expected one of the years"),
        (["export", ".", "--to", "word"], 2, "expected formats out of eaf, textgrid, "),
        (
            ["export", "gone.json", "--to", "eaf"],
            2,
            "expected a result of `fesnet spot --out`, but gone.json does not",
        ),
        (
            ["export", "x.review.json", "--to", "eaf"],
            2,
            "expected a review of `fesnet review`, but x.review.json does",
        ),
        (
            ["report", "gone.json"],
            2,
            "expected a result of `fesnet spot --out`, but gone.json does not exist",
        ),
        (
            ["import", "gone.eaf", "--out", "t.csv"],
            2,
            "expected an annotation file, but gone.eaf does not exist",
        ),
        (["import", "r.json", "--out", "t.csv"], 2, "expected a file ending in .eaf, .textgrid, "),
        (
            ["import", "r.json", "--out", "t.txt"],
            2,
            "expected a .csv file for the truth, got t.txt",
        ),
        (["spot", ".", "--export", "eaf"], 2, "expected --out with --export, got none"),
        (["spot", ".", "--out", "o", "--export", "elan"], 2, "expected formats out of"),
    ],
)
def test_wrong_calls(
    arguments: list[str],
    code: int,
    message: str,
    fesnet: Fesnet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    made_result([]).to_json(Path("r.json"))
    got, out, err = fesnet(*arguments)
    assert (got, out) == (code, "")
    assert err.startswith(f"fesnet: {message}")
    assert err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_the_help_names_every_format() -> None:
    assert EXPORT_FORMATS.split(", ") == list(ENDINGS)


class Fixed:
    """A spotter that finds the same in every video."""

    def __init__(self, found: Spotting) -> None:
        self.found = found

    def spot(self, *_: Any, **__: Any) -> Spotting:
        return self.found


def test_spotting_writes_the_formats_beside_the_results(face_video: Path, tmp_path: Path) -> None:
    for times, refused in ((50, 0), (np.array([0.0, 0.1, 0.7]), 1)):
        spotter = cast(Spotter, Fixed(made_result([(0, "micro", 0, 1, 2)], times)))
        out = tmp_path / str(refused)
        out.mkdir()
        results = spot_sources(
            [str(face_video)], SpotJob(spotter, out, formats=("labelstudio", "eaf")), quiet
        )
        # The result is there, also where a format cannot hold it.
        assert isinstance(results[0].outcome, Spotting)
        errors = [r.outcome for r in results[1:]]
        assert all(isinstance(e, ResultError) and "Label Studio" in str(e) for e in errors)
        assert len(results) == 1 + refused
        expected = {"face.json", "face.csv", "face.eaf"} | (
            {"face.labelstudio.json"} if not refused else set()
        )
        assert {p.name for p in out.glob("[!.]*")} == expected


def document(path: Path, media: str, slots: dict[str, int | None], tiers: str) -> Path:
    """A bare ELAN file. tiers: XML; media: MEDIA_DESCRIPTOR elements."""
    order = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="{k}"' + ("" if v is None else f' TIME_VALUE="{v}"') + "/>"
        for k, v in slots.items()
    )
    types = "".join(
        f'<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="{name}" CONSTRAINTS="{name}"/>'
        for name in ("Time_Subdivision", "Symbolic_Subdivision", "Symbolic_Association")
    )
    path.write_text(
        f'<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds">{media}</HEADER>'
        f'<TIME_ORDER>{order}</TIME_ORDER>{tiers}<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="t"/>{types}'
        "</ANNOTATION_DOCUMENT>"
    )
    return path


def tier_xml(name: str, *inner: str, kind: str = "t", parent: str = "") -> str:
    inside = "".join(f"<ANNOTATION>{a}</ANNOTATION>" for a in inner)
    of = f' PARENT_REF="{parent}"' if parent else ""
    return f'<TIER TIER_ID="{name}" LINGUISTIC_TYPE_REF="{kind}"{of}>{inside}</TIER>'


def timed_xml(ident: str, first: str, last: str, value: str) -> str:
    return (
        f'<ALIGNABLE_ANNOTATION ANNOTATION_ID="{ident}" TIME_SLOT_REF1="{first}" '
        f'TIME_SLOT_REF2="{last}"><ANNOTATION_VALUE>{value}</ANNOTATION_VALUE>'
        "</ALIGNABLE_ANNOTATION>"
    )


def child_xml(ident: str, of: str, value: str, after: str = "") -> str:
    previous = f' PREVIOUS_ANNOTATION="{after}"' if after else ""
    return (
        f'<REF_ANNOTATION ANNOTATION_ID="{ident}" ANNOTATION_REF="{of}"{previous}>'
        f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></REF_ANNOTATION>"
    )


SOUND = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///a.wav" MIME_TYPE="audio/x-wav" TIME_ORIGIN="{}"/>'
FILM = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///{}.mp4" MIME_TYPE="video/mp4" TIME_ORIGIN="{}"/>'


@pytest.mark.parametrize(
    ("media", "start"),
    [
        ("", 0.12),
        (FILM.format("a", 400), 0.52),
        (SOUND.format(0) + FILM.format("a", 400), 0.52),
        (SOUND.format(400) + FILM.format("a", 0), 0.12),
        (FILM.format("a", 400) + SOUND.format(0), 0.52),
        (FILM.format("side", 0) + FILM.format("a", 400), 0.52),
    ],
)
def test_the_offset_is_that_of_the_video(tmp_path: Path, media: str, start: float) -> None:
    marks = tier_xml("e", timed_xml("a1", "x", "y", "macro"))
    path = document(tmp_path / "a.eaf", media, {"x": 120, "y": 2400}, marks)
    (found,) = read_elan(path, tmp_path / "a.mp4").found
    assert found.start_s == pytest.approx(start)


@pytest.mark.parametrize(
    ("linked", "named"),
    [
        ("Cafe\u0301 01", "Caf\u00e9 01.mp4"),
        ("A", "a.mp4"),
        ("a%2001", "a 01.mp4"),
        ("dir\\a", "a.mp4"),
        ("take_01", "take_1.json"),
    ],
)
def test_the_video_is_known_however_it_is_spelt(tmp_path: Path, linked: str, named: str) -> None:
    media = FILM.format("side", 0) + FILM.format(linked, 400) + SOUND.format(70)
    marks = tier_xml("e", timed_xml("a1", "x", "y", "macro"))
    path = document(tmp_path / "x.eaf", media, {"x": 120, "y": 2400}, marks)
    (found,) = read_elan(path, tmp_path / named).found
    assert found.start_s == pytest.approx(0.52)


def test_videos_that_differ_in_case_alone_keep_their_offsets(tmp_path: Path) -> None:
    media = FILM.format("A", 0) + FILM.format("a", 400)
    marks = tier_xml("e", timed_xml("a1", "x", "y", "macro"))
    path = document(tmp_path / "x.eaf", media, {"x": 120, "y": 2400}, marks)
    for name, start in (("A.mp4", 0.12), ("a.mp4", 0.52)):
        assert read_elan(path, tmp_path / name).found[0].start_s == pytest.approx(start)


@pytest.mark.parametrize("result", ["x.json", "front-2.json"])
@pytest.mark.parametrize("name_it", [True, False])
def test_the_offset_is_that_of_the_result_s_video(
    tmp_path: Path, result: str, name_it: bool
) -> None:
    """Also where another linked video lies beside, and the result has another name."""
    media = FILM.format("side", 0) + FILM.format("front", 400)
    marks = tier_xml("e", timed_xml("a1", "x", "y", "macro"))
    (tmp_path / "side.mp4").touch()
    file = document(tmp_path / "x.eaf", media, {"x": 120, "y": 2400}, marks)
    if not name_it and result != "x.json":
        pytest.skip("only FILE.json is taken unasked")
    made_result([], name="front.mp4").to_json(tmp_path / result)
    named = tmp_path / result if name_it else None
    import_truth(file, tmp_path / "t.csv", named, None, lambda *_: None)
    (row,) = csv.DictReader((tmp_path / "t.csv").read_text().splitlines())
    assert float(row["onset_s"]) == pytest.approx(0.52, abs=0.02)


def test_videos_of_different_offsets_need_a_name(tmp_path: Path) -> None:
    media = FILM.format("side", 0) + FILM.format("front", 400)
    marks = tier_xml("e", timed_xml("a1", "x", "y", "macro"))
    path = document(tmp_path / "a.eaf", media, {"x": 120, "y": 2400}, marks)
    with pytest.raises(TruthError, match="begin at different times: name the one that counts"):
        read_elan(path)


def test_kinds_on_child_tiers(tmp_path: Path) -> None:
    units = tier_xml(
        "AU",
        timed_xml("a1", "x", "y", "AU12"),
        timed_xml("a2", "p", "q", "micro"),
        timed_xml("a3", "q", "r", "AU4"),
    )
    kinds = tier_xml(
        "type", child_xml("r1", "a1", "macro"), child_xml("r2", "a2", "macro"),
        kind="Symbolic_Association", parent="AU",
    )  # fmt: skip
    slots = {"x": 500, "y": 2000, "p": 2100, "q": 2400, "r": 2900}
    read = read_elan(document(tmp_path / "a.eaf", "", slots, units + kinds))
    assert [(f.kind, f.start_s, f.stop_s) for f in read.found] == [
        ("macro", 0.5, 2.0), ("micro", 2.1, 2.4)
    ]  # fmt: skip
    # a2 says itself what it is; a3 is of no kind
    assert read.ignored == {"type": 1, "AU": 1}


def test_borders_without_a_time_lie_evenly_between_others(tmp_path: Path) -> None:
    parts = tier_xml(
        "phases",
        timed_xml("a1", "x", "u", "macro"),
        timed_xml("a2", "u", "v", "micro"),
        timed_xml("a3", "v", "y", "macro"),
        timed_xml("a4", "lost", "gone", "macro"),
        kind="Time_Subdivision",
    )
    slots = {"x": 1000, "u": None, "v": None, "y": 4000, "lost": None, "gone": None}
    read = read_elan(document(tmp_path / "a.eaf", "", slots, parts))
    assert [(f.kind, f.start_s, f.stop_s) for f in read.found] == [
        ("macro", 1.0, 2.0), ("micro", 2.0, 3.0), ("macro", 3.0, 4.0)
    ]  # fmt: skip
    assert read.ignored == {"phases": 1}


def test_parts_of_a_symbolic_subdivision_share_their_parents_time(tmp_path: Path) -> None:
    whole = tier_xml("e", timed_xml("a1", "x", "y", "smile"))
    parts = tier_xml(
        "parts", child_xml("r2", "a1", "micro", after="r1"), child_xml("r1", "a1", "macro"),
        kind="Symbolic_Subdivision", parent="e",
    )  # fmt: skip
    read = read_elan(document(tmp_path / "a.eaf", "", {"x": 1000, "y": 3000}, whole + parts))
    assert [(f.kind, f.start_s, f.stop_s) for f in read.found] == [
        ("macro", 1.0, 2.0), ("micro", 2.0, 3.0)
    ]  # fmt: skip


def test_apexes_go_to_the_shortest_expression_around_them_and_soon() -> None:
    tier = TierInfo("macro apex", None, 0, "macro", {}, ElementTree.Element("TIER"))
    rng = np.random.default_rng(7)
    starts, lengths = rng.uniform(0, 900, 20_000), rng.uniform(0.5, 4, 20_000)
    found: list[tuple[str, AnnotatedInterval]] = [
        ("macro", AnnotatedInterval(0, float(a), float(a + b), "macro"))
        for a, b in zip(starts, lengths, strict=True)
    ]
    marks = [ApexMark(float(t), tier) for t in rng.uniform(0, 900, 200)]
    before = list(found)
    attach_apexes(marks, found)
    for mark in marks:
        fits = [
            (m.stop_s - m.start_s, k)
            for k, (_, m) in enumerate(before)
            if m.start_s <= mark.time_s < m.stop_s
        ]
        if fits:
            assert found[min(fits)[1]][1].apex_s is not None

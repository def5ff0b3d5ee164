"""Folders, patterns and manifests: what they mean, what results are called, and what is refused."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from fesnet.batch import BatchVideo, find_videos, is_batch, read_manifest
from fesnet.batch.sources import OPTIONS
from fesnet.cli.batch import reject_single_options
from fesnet.errors import UsageError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def numbered(folder: str, count: int = 10) -> list[str]:
    """Names of frames of a video."""
    return [f"{folder}/img{n}.jpg" for n in range(1, count + 1)]


def told(entries: list[BatchVideo]) -> dict[str, str]:
    return {e.key: e.name for e in entries}


def test_folders_are_searched_to_the_bottom(tmp_path: Path) -> None:
    root = touch(
        tmp_path / "v",
        "s1/a.mp4", "s1/a.MOV", "s1/notes.txt", "s1/thumb.jpg", "s2/x/b.avi", "s2/.hidden.mp4",
        ".trash/c.mp4", *numbered("frames"), "out/old.mp4", "summary.mp4",
    )  # fmt: skip
    assert told(find_videos([str(root)], root / "out")) == {
        "frames": "frames",
        "s1/a.MOV": "s1/a.MOV",
        "s1/a.mp4": "s1/a.mp4",
        "s2/x/b.avi": "s2/x/b",
        "summary.mp4": "summary.mp4",  # summary.csv is the batch's own
    }


def test_same_names_in_several_folders_keep_apart(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.mp4", "b/x.mp4", "b/X.mp4")
    names = [
        e.name for e in find_videos([str(tmp_path / "a"), str(tmp_path / "b")], tmp_path / "out")
    ]
    assert len({n.lower() for n in names}) == 3
    again = find_videos([str(tmp_path / "a"), str(tmp_path / "a" / "x.mp4")], tmp_path / "out")
    assert len(again) == 1, "the same video twice"


def test_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "s1/a.mp4", "s1/a.txt", "s2/b.mp4", "s[3]/c.mp4")
    monkeypatch.chdir(tmp_path)
    assert sorted(told(find_videos(["s?/*"], tmp_path / "out"))) == ["a.mp4", "b.mp4"]
    assert sorted(told(find_videos(["**/*.mp4"], tmp_path / "out"))) == ["a.mp4", "b.mp4", "c.mp4"]
    assert told(find_videos(["s[3]"], tmp_path / "out")) == {
        "c.mp4": "c"
    }  # it is there as it is written
    with pytest.raises(
        UsageError, match=r"expected videos or folders of images in s9/\*, found none"
    ):
        find_videos(["s9/*"], tmp_path / "out")


def test_links_are_followed_and_circles_left(tmp_path: Path) -> None:
    touch(tmp_path, "v/a.mp4", "share/b.mp4")
    (tmp_path / "v" / "linked").symlink_to(tmp_path / "share")
    (tmp_path / "v" / "circle").symlink_to(tmp_path / "v")
    assert told(find_videos([str(tmp_path / "v")], tmp_path / "out")) == {
        "a.mp4": "a",
        "linked/b.mp4": "linked/b",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folders_that_cannot_be_read_are_not_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "v/a.mp4", "v/closed/b.mp4")
    (tmp_path / "v" / "closed").chmod(0)
    with pytest.raises(UsageError, match=r"expected to read the folder .*closed"):
        find_videos([str(tmp_path / "v")], tmp_path / "out")


def test_what_cannot_be_in_a_batch(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="got camera 0; use `fesnet live`"):
        find_videos(["0"], tmp_path)
    with pytest.raises(UsageError, match="nothing does not exist"):
        find_videos(["nothing"], tmp_path)
    with pytest.raises(UsageError, match="found none"):
        find_videos([str(touch(tmp_path / "texts", "a.txt"))], tmp_path)


def test_videos_are_not_looked_for_where_results_go(tmp_path: Path) -> None:
    touch(tmp_path, "study/a.mp4")
    (tmp_path / "link").symlink_to(tmp_path / "study")
    for folder in ("study", "link", "study/../study"):
        with pytest.raises(
            UsageError,
            match=r"expected another folder for --out than that of the videos, got .*study",
        ):
            find_videos([str(tmp_path / folder)], tmp_path / "study")
    assert len(find_videos([str(tmp_path / "study")], tmp_path / "study" / "out")) == 1


def test_which_calls_are_a_batch(tmp_path: Path) -> None:
    touch(tmp_path, "v/a.mp4", "images/1.png")
    assert is_batch([str(tmp_path / "v")])
    assert is_batch([str(tmp_path / "v" / "*.mp4")])
    assert not is_batch(
        [str(tmp_path / "images"), str(tmp_path / "v" / "a.mp4"), "0", "rtsp://host/a?x"]
    )


def test_manifest(tmp_path: Path) -> None:
    file = tmp_path / "videos.csv"
    file.write_text(
        "video,subject,fps,faces,micro_threshold\ns1/a.mp4,P1,,,\nb,P2,200,all,0.4\n/x/c.mp4,,,,\n"
    )
    entries = {e.key: e for e in read_manifest(file)}
    assert list(entries) == ["b", "c.mp4", "s1/a.mp4"]
    assert entries["s1/a.mp4"] == BatchVideo(
        str(tmp_path / "s1" / "a.mp4"), "s1/a.mp4", "s1/a", "P1", {}
    )
    assert entries["b"].overrides == {"rate": 200.0, "faces": "all", "micro_threshold": 0.4}
    assert entries["c.mp4"].source == "/x/c.mp4"


@pytest.mark.parametrize(("comma", "mark"), [(",", ""), (";", "\ufeff"), ("\t", "")])
def test_manifests_of_spreadsheet_programs(tmp_path: Path, comma: str, mark: str) -> None:
    """Any separator, with a byte-order mark or not; what is no option travels along."""
    rows = [
        ("Video", "Participant", "condition", "age group", "micro_threshold"),
        ("a.mp4", "007", "calm, at rest", "ältere", "0.4" if comma == "," else "0,4"),
        ("b.mp4", "007", "stress", "", ""),
    ]
    text = io.StringIO()
    csv.writer(text, delimiter=comma).writerows(rows)
    (tmp_path / "m.csv").write_text(mark + text.getvalue(), encoding="utf-8")
    first, second = read_manifest(tmp_path / "m.csv")
    assert first.columns == {"condition": "calm, at rest", "age group": "ältere"}
    assert (first.subject, first.overrides) == ("007", {"micro_threshold": 0.4})
    assert (second.columns["condition"], second.overrides) == ("stress", {})


def test_manifest_of_a_spreadsheet(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="needs the extra study")
    book = openpyxl.Workbook()
    for row in (("video", "subject", "fps", "group", None), ("a", 7, 25, "x"), (), ("b", 8, 2.5)):
        book.active.append(row)
    book.save(tmp_path / "m.xlsx")
    first, second = read_manifest(tmp_path / "m.xlsx")
    assert (first.subject, first.overrides, first.columns) == ("7", {"rate": 25.0}, {"group": "x"})
    assert (second.overrides, second.columns) == ({"rate": 2.5}, {"group": ""})
    (tmp_path / "n.xlsx").write_bytes(b"no")
    with pytest.raises(UsageError, match="expected a spreadsheet in"):
        read_manifest(tmp_path / "n.xlsx")


def test_pictures_that_are_no_frames_are_passed_over_and_told(tmp_path: Path) -> None:
    days = [
        f"shots/shot 2024-01-{d:02d} {h}.{h + d}.png" for d in (1, 5, 9) for h in (8, 9, 12, 15)
    ]
    root = touch(
        tmp_path / "study", "a.mp4", "sub/b.mp4", *days, *numbered("few", 3), *numbered("frames"),
        *(f"assets/{name}.png" for name in ("logo", "icon", *"abcdefghi")),
    )  # fmt: skip
    lines: list[str] = []
    assert list(told(find_videos([str(root)], root / "out", lines.append))) == [
        "a.mp4",
        "frames",
        "sub/b.mp4",
    ]
    assert [line.partition(",")[0] for line in lines] == [
        "passed over: assets",
        "passed over: few",
        "passed over: shots",
    ]
    for number, size in enumerate((20, 20, 20, 20, 20, 30, 30, 30, 30, 30), 1):
        cv2.imwrite(str(root / "frames" / f"img{number}.jpg"), np.zeros((size, 16), np.uint8))
    find_videos([str(root)], root / "out", lines.append)
    assert lines[5] == "passed over: frames, images of different sizes"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("video,micro_treshold\na.mp4,2\n", "a column micro_threshold .*, got 'micro_treshold'"),
        ("video,onset_s\na.mp4,2\n", "another name for the column 'onset_s'"),
        ("video,\na.mp4,2\n", "a name for each column"),
        ("video,subject,Participant\na.mp4,1,2\n", "each column once"),
        ("video;fps\na.mp4;fast\n", "expected a number for fps in .* line 2, got 'fast'"),
        ("subject\nP1\n", "expected a column video"),
        ("video,video\na,b\n", "each column once"),
        ("", "expected a column video"),
        ("video\n", "expected at least one video"),
        ("video\n\n", "expected at least one video"),
        ("video,fps\na.mp4\n", "expected as many cells as columns in .* line 2"),
        ("video\na.mp4,2\n", "expected as many cells as columns in .* line 2"),
        ("video,fps\na.mp4,1\nb.mp4,fast\n", "expected a number for fps in .* line 3, got 'fast'"),
        ("video\na.mp4\na.mp4\n", "expected each video once in .*, got a.mp4 in lines 2 and 3"),
        ('video\n"a.mp4\n', "expected a manifest"),
        ("video\n,\n", "cells"),
        ("video,subject\n,P1\n", "expected the path of a video in .* line 2, got ''"),
        ("video\n0\n", "expected the path of a video"),
        ("video\n.\n", "expected the path of a video"),
    ],
)
def test_damaged_manifests_are_told_in_one_line(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "m.csv"
    file.write_text(text)
    with pytest.raises(UsageError, match=words) as told:
        read_manifest(file)
    assert "\n" not in str(told.value)


def test_manifests_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_manifest(tmp_path / "m.csv")
    (tmp_path / "m.csv").write_bytes(b"video\n\xff\xfe\n")
    with pytest.raises(UsageError, match="expected a manifest"):
        read_manifest(tmp_path / "m.csv")
    assert "fps" in OPTIONS


def test_options_for_single_videos_are_refused_in_a_batch() -> None:
    reject_single_options(report=False, overlay=None)
    with pytest.raises(UsageError, match="expected --overlay with single videos, got a batch"):
        reject_single_options(report=False, overlay="boxes")


def test_addresses_are_told_apart_without_their_secrets() -> None:
    one, other = (
        BatchVideo(f"rtsp://me:{word}@host/live?{word}", "live") for word in ("secret", "hidden")
    )
    assert one.path != other.path
    assert one.path.startswith("rtsp://host/live#")
    assert "secret" not in one.path

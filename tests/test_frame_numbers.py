"""Frames by the numbers of their files: the algebra, the readers, and a look-alike of
CAS(ME)^3 whose files begin at 8, from its folders to the tables of a benchmark.
"""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import xlwt
from hypothesis import given, settings
from hypothesis import strategies as st

from fesnet.crops import prepare_data
from fesnet.datasets import load_dataset
from fesnet.datasets.check import describe_dataset
from fesnet.datasets.frame_folders import folder_numbers
from fesnet.errors import TruthError
from fesnet.evaluation.benchmark import BenchmarkOptions, run_benchmark
from fesnet.evaluation.method_results import MethodResult
from fesnet.evaluation.prepare import Preparation
from fesnet.evaluation.report import write_found
from fesnet.evaluation.shipped import run_shipped
from fesnet.faces import ModelFiles
from fesnet.frame_numbers import FrameNumbers
from fesnet.intervals import Interval
from fesnet.jobs import SerialExecutor
from fesnet.metrics import VideoResult, agree

HEAD = ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Expression type", "emotion")


def old_book(path: Path, sheet: str, rows: list[tuple[str, ...]]) -> None:
    made = xlwt.Workbook()
    page = made.add_sheet(sheet)
    for n, row in enumerate(rows):
        for k, cell in enumerate(row):
            page.write(n, k, cell)
    made.save(str(path))


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(0, 70), st.integers(1, 20))
@settings(max_examples=150, deadline=None)
def test_the_algebra_equals_a_list_of_numbers(files: set[int], onset: int, length: int) -> None:
    numbers = FrameNumbers.from_numbers(sorted(files))
    assert [numbers.number_at(k) for k in range(len(files))] == sorted(files)
    assert FrameNumbers.from_text(str(numbers)) == numbers and len(numbers) == len(files)
    inside = [k for k, f in enumerate(sorted(files)) if onset + 1 <= f <= onset + length]
    placed = numbers.to_frames(Interval(onset, onset + length, "micro"))
    if inside and onset + length <= max(files):
        assert (placed.start, placed.stop) == (inside[0], inside[-1] + 1)
        back = numbers.to_numbers(placed)
        assert (back.start + 1, back.stop) == (sorted(files)[inside[0]], sorted(files)[inside[-1]])
    assert placed.length >= 1


def test_beyond_the_last_file_counting_goes_on() -> None:
    numbers = FrameNumbers(((8, 10), (13, 14)))
    assert numbers.to_frames(Interval(12, 20, "macro", 13)) == Interval(3, 11, "macro", 4)
    assert numbers.to_frames(Interval(10, 12, "macro")) == Interval(3, 4, "macro")  # in the hole
    for text in ("", "8-", "9-8", "5 4", "1-3 3-9"):
        with pytest.raises(TruthError, match="expected"):
            FrameNumbers.from_text(text)


def test_folders_tell_their_numbers(tmp_path: Path) -> None:
    for name in ("8.jpg", "9.jpg", "10.jpg", "13.jpg", "._8.jpg", "Thumbs.db"):
        (tmp_path / name).touch()
    assert folder_numbers(tmp_path) == (4, FrameNumbers(((8, 10), (13, 13))))
    (tmp_path / "8.png").touch()  # the same number twice: frames are counted
    assert folder_numbers(tmp_path) == (5, None)
    (tmp_path / "cover.jpg").touch()
    assert folder_numbers(tmp_path) == (6, None)


def casme3(root: Path, picture: bytes = b"") -> Path:
    """Files begin at 8, have a hole, or begin at 1; macOS left its own files behind."""
    rows = [
        HEAD,
        ("spNO.1", "a", "10", "12", "14", "4+7", "Micro-expression", "Disgust"),
        ("spNO.2", "b", "3", "5", "9", "12", "Macro-expression", "Happy"),
        ("spNO.3", "c", "2", "4", "6", "1", "micro-expression", "Surprise"),
    ]
    old_book(root / "CAS(ME)3_part_A_v2.xls", "AU+Emotion", rows)
    files = {"spNO.1/a": range(8, 22), "spNO.2/b": [*range(1, 5), *range(7, 15)],
             "spNO.3/c": range(1, 13)}  # fmt: skip
    for video, numbers in files.items():
        folder = root / video / "color"
        folder.mkdir(parents=True)
        for number in numbers:
            (folder / f"{number}.jpg").write_bytes(picture)
            (folder / f"._{number}.jpg").write_bytes(b"resource fork")
    return root


PLACED = {
    "spNO.1_a": (Interval(2, 7, "micro", 4),),
    "spNO.2_b": (Interval(2, 7, "macro", 4),),  # 5 and 6 are missing: the apex is the next frame
    "spNO.3_c": (Interval(1, 6, "micro", 3),),
}


def test_annotated_numbers_are_those_of_the_files(tmp_path: Path) -> None:
    data = load_dataset("casme3", casme3(tmp_path))
    assert {r.id: r.truth for r in data.recordings} == PLACED
    assert {r.id: r.frames for r in data.recordings} == {
        "spNO.1_a": 14, "spNO.2_b": 12, "spNO.3_c": 12,
    }  # fmt: skip
    said = "\n".join(describe_dataset(data))
    assert "frames do not begin at file 1: 1, annotations are file numbers (spNO.1_a at 8)" in said
    assert "holes in the numbers of files: 1, annotations are file numbers" in said
    assert data.recordings[0].labels[0].emotion == "Disgust"


def test_a_folder_of_frames_goes_by_numbers_too(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for number in range(5, 30):
        (tmp_path / "a" / f"img_{number:03d}.png").touch()
    (tmp_path / "videos.csv").write_text("subject,video,fps\ns,a,30\n")
    (tmp_path / "truth.csv").write_text(
        "subject,video,kind,onset_frame,apex_frame,offset_frame,emotion\ns,a,micro,6,8,10,sad\n"
    )
    (recording,) = load_dataset("folder", tmp_path).recordings
    assert recording.truth == (Interval(1, 6, "micro", 3),)
    assert recording.numbered_truth() == (Interval(5, 10, "micro", 7),)
    assert recording.labels[0].emotion == "sad"


def test_from_folders_to_a_benchmark(
    face_frames: list[np.ndarray], face_models: ModelFiles, tmp_path: Path
) -> None:
    """Prepared crops, truth, finds and submissions agree on what frame 10 is."""
    picture = cv2.imencode(".jpg", face_frames[0][:, :, ::-1])[1].tobytes()
    data = load_dataset("casme3", casme3(tmp_path, picture))
    out = tmp_path / "crops"
    done = prepare_data(data, out, ("spotting",), SerialExecutor(), lambda line: None)
    assert (done.made, done.failed) == (3, ())
    prepared = load_dataset("prepared", out)
    assert {r.id: r.truth for r in prepared.recordings} == PLACED
    truth = list(csv.DictReader((out / "truth.csv").read_text().splitlines()))
    assert [(t["video"], t["onset_frame"], t["offset_frame"]) for t in truth] == [
        ("spNO.1_a", "10", "14"), ("spNO.2_b", "3", "9"), ("spNO.3_c", "2", "6"),
    ]  # fmt: skip
    how = Preparation(tmp_path / "work" / "inputs", lambda recording: (np.zeros((1, 1)), 1.0))
    dataset, result = run_shipped([prepared], how, lambda *_: None)
    assert {v.clip.id: v.truth for v in dataset.videos} == PLACED
    options = BenchmarkOptions(("fesnet-shipped",), "crossfit", ("official",))
    (row,) = run_benchmark([prepared], options, tmp_path / "bench")
    assert sum(c.fn + c.tp for c in row.evaluations["official"].counts.values()) == 6
    perfect = tuple(VideoResult(v.subject, v.video, v.truth, v.truth, 1.0) for v in result.videos)
    check_found(result, perfect, {v.clip.id: v.numbers for v in dataset.videos}, out, tmp_path)


def check_found(
    result: MethodResult,
    perfect: tuple[VideoResult, ...],
    numbers: dict[str, FrameNumbers | None],
    truth: Path,
    out: Path,
) -> None:
    """A perfect spotter's tables are in numbers of files, and score 1."""
    for name in ("found", "megc"):
        (out / name).mkdir()
    made = MethodResult("perfect", (0,), "crossfit", "kinds", perfect, perfect, {}, {}, {}, {})
    write_found(made, numbers, out)
    (found,) = (out / "found").iterdir()
    assert agree(truth / "truth.csv", found).evaluate_as("official").counts["overall"].f1 == 1
    (handed,) = (out / "megc").glob("*.2023.csv")
    assert "spNO.1_a,10,14,me" in handed.read_text()
    assert result.videos[0].truth == perfect[0].truth

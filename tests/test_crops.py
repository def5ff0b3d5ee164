"""Data sets whose crops are kept once: what lies there, what a second call does, and what reads
it.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import openpyxl
import pytest
from typer.testing import CliRunner

from fesnet.cli import app
from fesnet.crops import PreparationResult, open_with_faces, prepare_data, verify_data
from fesnet.crops import work as work_module
from fesnet.crops.checksums import CHECKSUMS, read_checksums
from fesnet.crops.run import check_request
from fesnet.crops.store import load_crops
from fesnet.datasets import DataSet, Recording, load_dataset
from fesnet.errors import SourceError, UsageError
from fesnet.evaluation import feature_cache
from fesnet.evaluation.benchmark import BenchmarkOptions, run_benchmark
from fesnet.evaluation.feature_cache import extract_all
from fesnet.faces import ModelFiles
from fesnet.jobs import SerialExecutor, make_executor
from fesnet.spotter import Spotter
from fesnet.stream import SpotStream

CODES = {"s15": "15_0401girlcrashing", "s16": "16_0401girlcrashing", "s19": "19_0401girlcrashing"}
LONG = 40  # frames; of the others only the first ones
COUNTS = {"s15": LONG, "s16": 14, "s19": 12}
Prepare = Callable[..., PreparationResult]


def casme2(root: Path, pictures: list[np.ndarray]) -> Path:
    """CAS(ME)^2 in small: three subjects with a video each, in the layout of the official files."""
    made = openpyxl.Workbook()
    sheets = {
        "CASFEcode_final": [
            [1, "anger1_1", 3, 6, 12, "4", "negative", "macro-expression"],
            [1, "anger1_2", 20, 24, 0, "4", "negative", "micro-expression"],
            [2, "anger1_1", 2, 5, 9, "4", "negative", "macro-expression"],
        ],
        "naming rule1": [[n, subject, n] for n, subject in enumerate(CODES, 1)],
        "naming rule2": [["0401", "anger1"]],
    }
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    made.save(root / "CAS(ME)^2code_final.xlsx")
    for subject, folder in CODES.items():
        place = root / subject / folder
        place.mkdir(parents=True)
        for n, picture in enumerate(pictures[: COUNTS[subject]], 1):
            cv2.imwrite(str(place / f"img_{n}.jpg"), picture[:, :, ::-1])
    return root


@pytest.fixture(scope="session")
def official(face_frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return casme2(tmp_path_factory.mktemp("official"), face_frames)


@pytest.fixture
def root(face_frames: list[np.ndarray], tmp_path: Path) -> Path:
    """One of its own, to be damaged."""
    (tmp_path / "official").mkdir()
    return casme2(tmp_path / "official", face_frames)


@pytest.fixture(scope="session")
def prepared(
    official: Path, face_models: ModelFiles, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Both stages, made in one process; not to be written to."""
    out = tmp_path_factory.mktemp("prepared")
    done = run(load_dataset("casme2", official), out, "spotting", "baselines")
    assert (done.made, done.kept, done.failed) == (6, 0, ())
    return out


def run(data: DataSet, out: Path, *stages: str, **options: Any) -> PreparationResult:
    return prepare_data(
        data, out, stages or ("spotting",), SerialExecutor(), lambda line: None, **options
    )


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that went through the face stage, as it happens."""
    seen: list[str] = []
    real = work_module.collect_crops

    def counted(source: Any, stage: Any) -> Any:
        seen.append(source.name)
        return real(source, stage)

    monkeypatch.setattr(work_module, "collect_crops", counted)
    return seen


# --- what is kept ---


def test_what_lies_in_a_file(prepared: Path) -> None:
    kept = load_crops(prepared / "spotting" / "s15_0401.npz")
    assert kept.frame_times == pytest.approx(np.arange(LONG) / 30)
    assert kept.frames.tolist() == list(range(LONG)) and kept.unknown.tolist() == []
    assert kept.crops.shape == kept.masks.shape == (LONG, 96, 96) and kept.crops.dtype == np.uint8
    assert kept.landmarks.shape == (LONG, 468, 3) and 0 < kept.keyed.sum() < LONG
    assert load_crops(prepared / "baselines" / "s15_0401.npz").crops.shape == (LONG, 128, 128)
    about = json.loads((prepared / "prepared.json").read_text())
    assert about["stages"] == ["spotting", "baselines"] and about["options"] == {"offset": "apex"}
    assert about["files"]["spotting/s19_0401.npz"] == {
        "frames": 12,
        "with_face": 12,
        "unknown": [],
        "warnings": [],
    }


def test_sums_are_those_of_sha256sum(prepared: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "-c", CHECKSUMS],
        cwd=prepared,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stdout.count(": OK") == 6


def test_the_truth_comes_back(prepared: Path, official: Path) -> None:
    was, is_now = load_dataset("casme2", official), load_dataset("prepared", prepared)
    for one, other in zip(was.recordings, is_now.recordings, strict=True):
        assert (one.id, one.subject, one.truth, one.frames) == (
            other.id,
            other.subject,
            other.truth,
            other.frames,
        )
    assert is_now.options == {"data set": "casme2", "offset": "apex"}
    with pytest.raises(
        UsageError,
        match=r"prepared with \(apex\), got mirror; run `fesnet data prepare` with --offset",
    ):
        load_dataset("prepared", prepared, "mirror")
    assert load_dataset("prepared", prepared, "apex").options["offset"] == "apex"


def test_frames_without_a_face_are_unknown(
    face_frames: list[np.ndarray], face_models: ModelFiles, tmp_path: Path
) -> None:
    """A face, then a wall, then the face, at 60 Hz: every other frame is looked at."""
    wall = np.full_like(face_frames[0], 90)
    pictures = [*face_frames[:12], *[wall] * 8, *face_frames[:12], *[wall] * 4]
    for n, picture in enumerate(pictures):
        (tmp_path / "v").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "v" / f"{n + 1}.png"), picture[:, :, ::-1])
    data = DataSet("folder", tmp_path, (Recording("v", "s", tmp_path / "v", "frames", rate=60.0),))
    assert run(data, tmp_path / "out").failed == ()
    kept = load_crops(tmp_path / "out" / "spotting" / "v.npz")
    assert len(kept.frame_times) == len(pictures) and set(np.diff(kept.frames[1:5])) == {2}
    (first, back), (last, end) = kept.unknown.tolist()
    assert first in (12, 13) and back in (20, 21, 22) and last in (32, 33) and end == len(pictures)
    assert kept.segments[0] != kept.segments[-1]


# --- whoever reads it sees what they would have seen in the videos ---


def test_spotting_replayed_is_spotting(prepared: Path, official: Path) -> None:
    """Through the bundled network, score by score."""
    recording, spotter = load_dataset("casme2", official).recordings[0], Spotter()
    alone = spotter.spot(recording.source, rate=recording.rate)
    source, tracker = open_with_faces(load_dataset("prepared", prepared).recordings[0], "spotting")
    stream = SpotStream(tracker, spotter.runtime, spotter.weights.config, spotter.rules)
    for frame in source:
        stream.push(frame)
    (face,) = stream.finish()
    np.testing.assert_array_equal(face.as_stored().scores, alone.faces[0].scores)


@pytest.mark.parametrize("name", ["lsdm", "pretrained", "regions", "maps", "landmarks", "mdmd"])
def test_every_method_sees_the_same(
    name: str, prepared: Path, official: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    both = [
        load_dataset("casme2", official).recordings[2:],
        load_dataset("prepared", prepared).recordings[2:],
    ]
    one, other = (
        extract_all(name, r, tmp_path / str(n), SerialExecutor(), lambda *_: None)[0]
        for n, r in enumerate(both)
    )
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.frame_times, other.frame_times)


def test_what_other_weights_saw_is_not_taken(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings, seen = load_dataset("prepared", prepared).recordings[2:], []
    monkeypatch.setattr(
        feature_cache, "store_features", lambda item, name: (seen.append(name), item[1].touch())
    )
    monkeypatch.setattr(feature_cache, "read_features", lambda path: None)
    for sha, names in (
        ("a", ["lsdm", "regions"]),
        ("a", []),
        ("b", ["lsdm"]),
    ):  # regions are seen by no network
        monkeypatch.setattr(
            feature_cache, "load_weights", lambda sha=sha: SimpleNamespace(sha256=sha)
        )
        for name in ("lsdm", "regions"):
            extract_all(name, recordings, tmp_path, SerialExecutor(), lambda *_: None)
        assert list(dict.fromkeys(seen)) == names
        seen.clear()


def test_a_benchmark_needs_no_video(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(
        "fesnet.faces.track.FaceTracker.push", lambda *_: pytest.fail("a face was looked for")
    )
    data = [load_dataset("prepared", prepared)]
    line = run_benchmark(
        data, BenchmarkOptions(("fesnet-pretrained", "flow"), "crossfit"), tmp_path / "out"
    )[0]
    assert {v.subject for v in line.result.videos} == set(CODES)
    assert sum(len(v.truth) for v in line.result.videos) == 3


def test_a_stage_that_was_not_prepared(
    official: Path, face_models: ModelFiles, tmp_path: Path
) -> None:
    run(load_dataset("casme2", official), tmp_path / "out")
    data = load_dataset("prepared", tmp_path / "out")
    with pytest.raises(
        UsageError,
        match=r"expected s15_0401 prepared for the face stage baselines, .*spotting,baselines",
    ):
        extract_all(
            "flow", data.recordings, tmp_path / "watched", SerialExecutor(), lambda *_: None
        )
    with pytest.raises(UsageError, match="prepared for the face stage baselines"):
        run_benchmark([data], BenchmarkOptions(("flow",), "crossfit"), tmp_path / "bo")
    assert not (tmp_path / "watched").exists() and not (tmp_path / "bo").exists()
    monkey = replace(data.recordings[0], source=tmp_path / "out" / "spotting" / "s15_0401.npz")
    monkey.source.write_bytes(b"PK rubbish")
    with pytest.raises(
        SourceError,
        match=r"expected prepared crops in .*s15_0401.npz, but it is damaged; run `fesnet",
    ):
        feature_cache.lsdm_features(monkey)


# --- second calls ---


def test_again_nothing_is_done_and_damage_is_repaired(
    root: Path, face_models: ModelFiles, tmp_path: Path, looked: list[str]
) -> None:
    data, out = load_dataset("casme2", root), tmp_path / "out"
    run(data, out)
    before, times = tree(out), {p: p.stat().st_mtime_ns for p in (out / "spotting").iterdir()}
    again = run(data, out)
    assert (again.made, again.kept, again.failed, len(looked)) == (0, 3, (), 3)
    assert (
        tree(out) == before
        and {p: p.stat().st_mtime_ns for p in (out / "spotting").iterdir()} == times
    )

    broken = out / "spotting" / "s16_0401.npz"
    with broken.open("r+b") as handle:
        handle.seek(2000)
        handle.write(b"\0damage\0")
    (out / "spotting" / "s19_0401.npz").unlink()
    verified = verify_data(data, out, ("spotting",), SerialExecutor(), lambda line: None)
    assert verified.kept == 1 and [(k, v.split(";")[0]) for k, v in verified.failed] == [
        ("spotting/s16_0401", "damaged"), ("spotting/s19_0401", "missing"),
    ]  # fmt: skip
    assert len(looked) == 3 and not (out / "spotting" / "s19_0401.npz").exists(), (
        "verifying makes nothing"
    )
    repaired = run(data, out)
    assert (repaired.made, repaired.kept, looked[3:]) == (2, 1, [CODES["s16"], CODES["s19"]])
    assert tree(out) == before


def test_changed_frames_and_a_second_stage(
    root: Path, face_models: ModelFiles, tmp_path: Path, looked: list[str]
) -> None:
    out = tmp_path / "out"
    run(load_dataset("casme2", root), out)
    (root / "s16" / CODES["s16"] / "img_14.jpg").unlink()
    done = run(load_dataset("casme2", root), out)
    assert (done.made, done.kept, looked[3:]) == (1, 2, [CODES["s16"]])
    run(load_dataset("casme2", root), out, "baselines")
    assert load_dataset("prepared", out).missing == ()
    assert len(read_checksums(out)) == 6 and run(load_dataset("casme2", root), out).kept == 3
    mirrored = load_dataset("casme2", root, "mirror")
    assert run(mirrored, out).made == 0, "another convention for the truth changes no crop"
    assert (
        load_dataset("prepared", out, "mirror").recordings[0].truth == mirrored.recordings[0].truth
    )
    assert load_dataset("prepared", out).options["offset"] == "mirror"
    with pytest.raises(
        UsageError, match=r"prepared with \(mirror\), got apex; run `fesnet data prepare` with"
    ):
        load_dataset("prepared", out, "apex")


def test_two_workers_make_the_same_bytes(prepared: Path, official: Path, tmp_path: Path) -> None:
    with make_executor(2) as executor:
        prepare_data(
            load_dataset("casme2", official),
            tmp_path / "out",
            ("spotting", "baselines"),
            executor,
            print,
        )
    assert tree(tmp_path / "out") == tree(prepared)


def test_killed_at_any_point_it_ends_as_if_it_had_not_been(
    prepared: Path, official: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    call = [sys.executable, "-m", "fesnet", "data", "prepare", "casme2", str(official), str(out)]
    call += ["--stage", "spotting,baselines", "--jobs", "1"]
    for _ in range(5):  # on a busy machine it may be over before it is killed
        shutil.rmtree(out, ignore_errors=True)
        with subprocess.Popen(call, stdout=subprocess.DEVNULL) as running:
            while not list(out.glob("spotting/*.npz")) and running.poll() is None:
                time.sleep(0.005)
            running.send_signal(signal.SIGKILL)
        if running.returncode == -signal.SIGKILL:
            break
    assert running.returncode == -signal.SIGKILL, "it was over before it could be killed"
    assert not (out / "prepared.json").exists()
    with pytest.raises(
        UsageError, match=r"expected prepared.json in .*run `fesnet data prepare` to its end"
    ):
        load_dataset("prepared", out)
    with (out / CHECKSUMS).open("a") as handle:
        handle.write("0123456789abcdef")  # what a power cut leaves of a line
    (out / "spotting" / ".s16_0401.npz.k3x_9abc.part").write_bytes(b"half")
    (out / "baselines" / "s16_0401.npz").write_bytes(b"a file without a sum")
    done = run(load_dataset("casme2", official), out, "spotting", "baselines")
    assert done.made + done.kept == 6 and tree(out) == tree(prepared)


# --- what goes wrong is told ---


def test_failures_are_recorded_and_counted(
    root: Path, face_models: ModelFiles, tmp_path: Path
) -> None:
    """No face, an image that is cut off, and a video without frames: each has its line. A number
    that is missing is told; the truth is placed by numbers.
    """
    book = openpyxl.load_workbook(root / "CAS(ME)^2code_final.xlsx")
    book["naming rule1"].append([4, "s20", 4])
    book["CASFEcode_final"].append([4, "anger1_1", 2, 5, 9, "4", "negative", "macro-expression"])
    book.save(root / "CAS(ME)^2code_final.xlsx")
    places = {s: root / s / folder for s, folder in CODES.items()}
    (places["s15"] / "img_7.jpg").unlink()
    cut = places["s16"] / "img_3.jpg"
    cut.write_bytes(cut.read_bytes()[:500])
    for image in places["s19"].iterdir():
        cv2.imwrite(str(image), np.full((240, 320, 3), 90, np.uint8))
    out = tmp_path / "out"
    call = ["data", "prepare", "casme2", str(root), str(out), "--jobs", "0"]
    for _ in range(2):
        done = CliRunner().invoke(app, call)
        assert done.exit_code == 1, done.output
        lines = dict(
            line.removeprefix("fesnet: ").split(": ", 1)
            for line in done.stderr.splitlines()
            if line.startswith("fesnet: ")
        )
        assert lines["s20_0401"] == "its frames or its video are missing"
        assert "holes in the numbers of files: 1, annotations are file numbers" in done.stderr
        assert "img_3.jpg: it is damaged, cut off" in lines["spotting/s16_0401"]
        assert lines["spotting/s19_0401"].startswith("no face in any of its 12 frames")
    assert "0 made, 2 done before, 3 failed" in done.stdout
    assert set(json.loads((out / "prepared.json").read_text())["failed"]) == set(lines)
    run(load_dataset("casme2", root), out, "baselines")
    assert {"spotting/s16_0401", "baselines/s16_0401"} < set(
        json.loads((out / "prepared.json").read_text())["failed"]
    )
    assert load_crops(out / "spotting" / "s19_0401.npz").unknown.tolist() == [[0, 12]]
    assert load_dataset("prepared", out).missing == ("s16_0401", "s20_0401"), (
        "a benchmark must not leave them out"
    )


def test_the_command(official: Path, face_models: ModelFiles, tmp_path: Path) -> None:
    call = ["data", "prepare", "casme2", str(official), str(tmp_path / "out"), "--jobs", "0"]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0 and "3 made, 0 done before, 0 failed" in done.stdout
    assert "[1/3] spotting/s15_0401: 40 faces in 40 frames; " in done.stdout
    done = CliRunner().invoke(app, [*call, "--verify", "--stage", " spotting"])
    assert done.exit_code == 0 and "0 made, 3 done before, 0 failed" in done.stdout
    done = CliRunner().invoke(app, ["data", "check", "prepared", str(tmp_path / "out")])
    assert done.exit_code == 0 and "subjects 3, videos 3, macro 2, micro 1" in done.stdout


def test_wrong_calls(official: Path, prepared: Path, tmp_path: Path) -> None:
    data = load_dataset("casme2", official)
    with pytest.raises(
        UsageError, match="expected a face stage out of spotting, baselines, got 'spoting'"
    ):
        check_request(data, tmp_path, ("spoting",))
    with pytest.raises(UsageError, match="each once, got spotting, spotting"):
        check_request(data, tmp_path, ("spotting", "spotting"))
    with pytest.raises(
        UsageError, match=r"expected a folder for samm, but .* holds casme2; name another"
    ):
        check_request(replace(data, name="samm"), prepared, ("spotting",))
    with pytest.raises(
        UsageError, match=r"expected videos or frames to prepare, got prepared \(s15_0401\)"
    ):
        check_request(load_dataset("prepared", prepared), tmp_path, ("spotting",))
    with pytest.raises(
        UsageError, match=r"expected recordings with frames or videos in .* got none"
    ):
        check_request(replace(data, recordings=()), tmp_path, ("spotting",))
    with pytest.raises(UsageError, match=r"expected prepared.json in .*run `fesnet data prepare`"):
        verify_data(data, tmp_path, ("spotting",), SerialExecutor(), lambda line: None)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "spotting").write_text("in the way")
    with pytest.raises(UsageError, match=r"expected to make .*spotting, got 'File exists'"):
        run(data, tmp_path / "out")


@pytest.mark.parametrize("name", ["truth.csv", "videos.csv"])
def test_tables_of_a_person_are_not_replaced(official: Path, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"holds another {name}"):
        run(load_dataset("casme2", official), tmp_path)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {name: "mine"}

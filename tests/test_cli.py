"""The command line: what it prints and writes, and that every wrong input ends in one clear
line.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import fesnet
from fesnet.cli import main
from fesnet.faces import ModelFiles
from fesnet.result import Spotting
from fesnet.weights import CONFIG, ENCODE
from made_results import made_result
from video_files import cut, pictures, write_sound, write_video


class Done(NamedTuple):
    """What a run left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `fesnet` with these arguments; also sees what C libraries print."""

    def call(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["fesnet", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        code = stop.value.code
        out, err = capfd.readouterr()
        return Done(code if isinstance(code, int) else int(code is not None), out, err)

    return call


@pytest.fixture
def spot(run: Run, tiny_weights: Path, face_models: ModelFiles, tmp_path: Path) -> Run:
    """Runs `fesnet spot` with the tiny weights and the output folder `tmp_path/out`."""

    def call(*arguments: str | Path) -> Done:
        return run("spot", *arguments, "--weights", tiny_weights, "--out", tmp_path / "out")

    return call


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("[!.]*"))


def refused(done: Done, code: int, *words: str) -> None:
    """One line on stderr, with these words, and the right exit code."""
    assert done.code == code, done
    assert "Traceback" not in done.err
    (line,) = done.err.splitlines()
    assert line.startswith("fesnet: ")
    for word in words:
        assert word in line


# --- wrong input ---


def test_missing_file(run: Run, tmp_path: Path) -> None:
    done = run("spot", tmp_path / "nothing.mp4", "--out", tmp_path / "out")
    refused(done, 2, "nothing.mp4 does not exist")
    assert left(tmp_path) == []


@pytest.mark.parametrize("more", [(), ("--jobs", "1")])
def test_standard_input_is_no_video(more: tuple[str, ...], spot: Run, tmp_path: Path) -> None:
    refused(
        spot("-", *more),
        2,
        "expected the name of a video, got '-'",
        "save it to a file and name that",
    )


def test_folder_without_images(spot: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(spot(tmp_path / "empty", "--fps", "25"), 2, "empty")
    assert left(tmp_path / "out") == []


def test_folder_without_a_rate(spot: Run, face_frames: list[np.ndarray], tmp_path: Path) -> None:
    import cv2

    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "img1.png"), face_frames[0])
    refused(spot(tmp_path / "images"), 2, "--fps")


def test_nothing_is_done_where_one_source_cannot_be(
    spot: Run, face_video: Path, face_frames: list[np.ndarray], tmp_path: Path
) -> None:
    import cv2

    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "img1.png"), face_frames[0])
    refused(spot(face_video, tmp_path / "images"), 2, "--fps")
    refused(
        spot(face_video, "--overlay", tmp_path / "images"),
        2,
        "expected a file to write, got the folder",
    )
    refused(
        spot(face_video, "--overlay", tmp_path / "seen.avi"),
        2,
        "expected a file ending .mp4 or .m4v or .mov",
    )
    mp4 = shutil.copy(face_video, tmp_path / "face.mp4")
    (tmp_path / "link.mp4").symlink_to(mp4)
    refused(
        spot(mp4, "--overlay", tmp_path / "link.mp4"),
        2,
        "expected another file than the video for the overlay",
    )
    assert left(tmp_path / "out") == []


def test_a_batch_of_nothing(spot: Run, tmp_path: Path) -> None:
    refused(spot("--jobs", "2"), 2, "expected videos for a batch, got none")
    assert left(tmp_path / "out") == []


def test_live_refuses_a_time_of_nothing(
    run: Run, face_models: ModelFiles, face_video: Path
) -> None:
    refused(run("live", face_video, "--seconds", "-1"), 2, "above 0 s")


def test_a_password_is_never_printed(spot: Run, tmp_path: Path) -> None:
    done = spot("http://anna:secret@127.0.0.1:9/x.mp4?key=secret")
    refused(done, 1, "http://127.0.0.1:9/x.mp4")
    assert "whole video" not in done.err
    assert "secret" not in done.err + done.out


def bad_text(path: Path) -> Path:
    path.write_text("no video\n" * 50)
    return path


def bad_sound(path: Path) -> Path:
    return write_sound(path)


def bad_empty(path: Path) -> Path:
    path.touch()
    return path


def bad_head(path: Path) -> Path:
    """A file of which only the first bytes were copied."""
    return cut(write_video(path, pictures(20)), 0.05)


@pytest.mark.parametrize("make", [bad_text, bad_sound, bad_empty, bad_head])
def test_what_is_no_video(make: Callable[[Path], Path], spot: Run, tmp_path: Path) -> None:
    refused(spot(make(tmp_path / "bad.mp4")), 1, "bad.mp4")
    assert left(tmp_path / "out") == []


def test_output_folder_that_cannot_be_made(run: Run, face_video: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = run("spot", face_video, "--out", tmp_path / "file" / "out")
    refused(done, 2, "expected an output folder that can be written", "name another")
    assert left(tmp_path) == ["file"]


def test_camera_that_does_not_exist(spot: Run, tmp_path: Path) -> None:
    refused(spot("73", "--seconds", "1"), 1, "camera 73", "try another number")
    assert left(tmp_path / "out") == []


def test_corrupt_weights(
    run: Run, face_models: ModelFiles, face_video: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_weights, tmp_path / "w"))
    (folder / ENCODE).write_bytes((folder / ENCODE).read_bytes()[:-9])
    refused(run("spot", face_video, "--weights", folder), 1, ENCODE, "its contents have changed")


def test_weights_with_unknown_keys(
    run: Run, face_models: ModelFiles, face_video: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_weights, tmp_path / "w"))
    values = json.loads((folder / CONFIG).read_text())
    values["model"]["wings"] = 2
    (folder / CONFIG).write_text(json.dumps(values))
    refused(run("spot", face_video, "--weights", folder), 1, "got wings")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--macro-threshold", "1.5", "expected macro_threshold above 0 and up to 1, got 1.5"),
        ("--runtime", "abacus", "expected one of onnx, torch, got 'abacus'"),
        ("--faces", "some", "expected one of largest, all, got 'some'"),
        ("--fps", "0", "expected a rate above 0 frames a second"),
        ("--seconds", "0", "expected a time above 0 s to stop after, got 0.0"),
        ("--rules", "missing.toml", "expected a TOML file with interval rules"),
    ],
)
def test_bad_options(
    option: str, value: str, words: str, spot: Run, face_video: Path, tmp_path: Path
) -> None:
    refused(spot(face_video, option, value), 2, words)
    assert left(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("micro_treshold = 0.4", "got micro_treshold"),
        ("micro_threshold = ", "TOML"),
        ("valley = 'deep'", "'deep'"),
    ],
)
def test_bad_rules_file(text: str, words: str, spot: Run, face_video: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(text)
    refused(spot(face_video, "--rules", tmp_path / "rules.toml"), 2, words)


def test_one_bad_video_does_not_stop_the_others(
    spot: Run, face_video: Path, tmp_path: Path
) -> None:
    done = spot(bad_text(tmp_path / "bad.mp4"), face_video)
    refused(done, 1, "bad.mp4")
    assert left(tmp_path / "out") == ["face.csv", "face.json"]
    assert "face.mkv" in done.out


# --- odd but good input ---


def test_videos_of_one_name_have_a_page_each(spot: Run, face_video: Path, tmp_path: Path) -> None:
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
        shutil.copy(face_video, tmp_path / part)
    names = [tmp_path / part / face_video.name for part in ("a", "b")]
    assert spot(*names, "--report").code == 0
    assert {n for n in left(tmp_path / "out") if n.endswith("html")} == {
        "face.mkv-1.html",
        "face.mkv-2.html",
    }


def test_truncated_video_is_used_with_a_warning(
    spot: Run, face_frames: list[np.ndarray], tmp_path: Path
) -> None:
    options = {"movflags": "frag_keyframe+empty_moov", "g": "5"}
    path = cut(write_video(tmp_path / "cut.mp4", face_frames, **options), 0.7)
    done = spot(path)
    assert (done.code, done.err) == (0, ""), done
    found = Spotting.from_json(tmp_path / "out" / "cut.json")
    assert 0 < len(found.frame_times) < 40
    assert "warning: cut.mp4" in done.out


def test_three_frames(spot: Run, face_frames: list[np.ndarray], tmp_path: Path) -> None:
    done = spot(write_video(tmp_path / "short.mp4", face_frames[:3]))
    assert (done.code, done.err) == (0, ""), done
    assert len(Spotting.from_json(tmp_path / "out" / "short.json").frame_times) == 3


def test_names_are_printed_as_they_are(spot: Run, face_video: Path, tmp_path: Path) -> None:
    """Square brackets are markup to the library that draws the table."""
    odd = shutil.copy(face_video, tmp_path / "take [b] [red].mkv")
    done = spot(odd)
    assert (done.code, done.err) == (0, ""), done
    assert "take [b] [red].mkv" in done.out
    assert "take [b] [red].json" in left(tmp_path / "out")


def test_video_without_a_face(spot: Run, tmp_path: Path) -> None:
    done = spot(write_video(tmp_path / "ramps.mp4", pictures(20)))
    assert (done.code, done.err) == (0, ""), done
    assert "ramps.mp4: no expression found" in done.out
    assert "unknown 0.00-0.76 s (face 0: no face in the video)" in done.out
    assert left(tmp_path / "out") == ["ramps.csv", "ramps.json"]


# --- good input ---


def test_spot_prints_and_writes_what_it_found(spot: Run, face_video: Path, tmp_path: Path) -> None:
    done = spot(face_video)
    assert (done.code, done.err) == (0, ""), done
    found = Spotting.from_json(tmp_path / "out" / "face.json")
    assert found.intervals
    with (tmp_path / "out" / "face.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [int(r["onset_frame"]) for r in rows] == [i.onset_frame for i in found.intervals]
    for i in found.intervals:
        assert f"{i.onset_frame}-{i.offset_frame}" in done.out
    assert f"results in {tmp_path / 'out'}" in done.out


def test_spot_by_torch_finds_the_same(spot: Run, face_video: Path, tmp_path: Path) -> None:
    texts = []
    for runtime in ("onnx", "torch"):
        assert spot(face_video, "--runtime", runtime).code == 0
        texts.append((tmp_path / "out" / "face.csv").read_text().splitlines())
    columns = [[line.split(",")[:10] for line in text] for text in texts]  # all but the score
    assert columns[0] == columns[1]


def test_seconds_stop_early(spot: Run, face_video: Path, tmp_path: Path) -> None:
    assert spot(face_video, "--seconds", "0.5").code == 0
    assert len(Spotting.from_json(tmp_path / "out" / "face.json").frame_times) == 13


def test_bundled_weights_are_the_default(
    run: Run, face_models: ModelFiles, face_video: Path, tmp_path: Path
) -> None:
    done = run("spot", face_video, "--out", tmp_path / "out")
    assert (done.code, done.err) == (0, ""), done
    facts = Spotting.from_json(tmp_path / "out" / "face.json").provenance
    assert "synthetic" in facts["trained_on"]
    assert facts["weights"] == "bundled"


def test_rethreshold(spot: Run, run: Run, face_video: Path, tmp_path: Path) -> None:
    spot(face_video)
    old = Spotting.from_json(tmp_path / "out" / "face.json")
    done = run(
        "rethreshold",
        tmp_path / "out" / "face.json",
        "--out",
        tmp_path / "new.json",
        "--macro-threshold",
        "1",
    )
    assert (done.code, done.err) == (0, ""), done
    new = Spotting.from_json(tmp_path / "new.json")
    assert new.rules.macro_threshold == 1.0
    assert new.intervals == old.rethreshold(new.rules).intervals
    assert left(tmp_path) == ["new.csv", "new.json", "out"]
    assert Spotting.from_json(tmp_path / "out" / "face.json").intervals == old.intervals
    assert f"wrote {tmp_path / 'new.json'} and new.csv\n" in done.out


def test_rethreshold_makes_the_folder_and_names_what_is_old_now(run: Run, tmp_path: Path) -> None:
    made_result([(0, "macro", 10, 20, 50)]).to_json(tmp_path / "r.json")
    done = run("rethreshold", tmp_path / "r.json", "--out", tmp_path / "x" / "y" / "strict.json")
    assert (done.code, done.err) == (0, ""), done
    assert left(tmp_path / "x" / "y") == ["strict.csv", "strict.json"]
    for name in ("r.html", "r.eaf", "r.labelstudio.json", "other.eaf"):
        (tmp_path / name).touch()
    done = run("rethreshold", tmp_path / "r.json")
    assert (done.code, done.err.count("\n")) == (0, 1)
    path = tmp_path / "r.json"
    assert (
        "these still show the old intervals: r.html, r.eaf, r.labelstudio.json; "
        f"run fesnet report {path}; fesnet export {path} --to eaf,labelstudio" in done.err
    )
    assert run("export", path, "--to", "eaf,labelstudio").code == 0, "works as it is printed"


def test_a_result_names_its_video_from_whatever_folder(
    spot: Run, run: Run, face_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(face_video, tmp_path / "real.mkv")
    (tmp_path / "face.mkv").symlink_to(tmp_path / "real.mkv")
    monkeypatch.chdir(tmp_path)
    assert spot("face.mkv").code == 0
    result = tmp_path / "out" / "real.json"
    assert Spotting.from_json(result).source.path == str(tmp_path / "face.mkv")  # the link stays
    monkeypatch.chdir(tmp_path / "out")
    done = run("report", result)
    assert done.code == 0
    assert (
        "no video" not in done.err and "--convert" in done.err
    )  # found, but in no browser's format


def test_report_says_on_stderr_what_it_lacks(run: Run, tmp_path: Path) -> None:
    made_result([(0, "macro", 10, 20, 50)], path=str(tmp_path / "gone.mp4")).to_json(
        tmp_path / "r.json"
    )
    done = run("report", tmp_path / "r.json")
    assert (done.code, done.out) == (0, f"wrote {tmp_path / 'r.html'}\n")
    refused(
        Done(1, "", done.err),
        1,
        "r.html: no video, no pictures: the video is not where the result says",
    )


def test_rethreshold_refuses(spot: Run, run: Run, face_video: Path, tmp_path: Path) -> None:
    refused(
        run("rethreshold", bad_text(tmp_path / "r.json")),
        1,
        "expected a result of `fesnet spot --out`",
    )
    refused(run("rethreshold", tmp_path / "nothing.json"), 2, "nothing.json does not exist")
    spot(face_video)
    result = tmp_path / "out" / "face.json"
    before = result.read_bytes()
    refused(run("rethreshold", result, "--micro-threshold", "7"), 2, "micro_threshold")
    refused(run("rethreshold", result, "--out", tmp_path / "new.csv"), 2, "new.csv")
    assert result.read_bytes() == before
    assert left(tmp_path) == ["out", "r.json"]


def test_models_import_refuses_what_is_no_wheel(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FESNET_CACHE", str(tmp_path / "cache"))
    refused(run("models", "import", bad_text(tmp_path / "mediapipe.whl")), 1, "mediapipe.whl")
    refused(run("models", "import", tmp_path / "gone.whl"), 2, "gone.whl does not exist")


def test_train_refuses_a_folder_without_portraits(
    run: Run, face_models: ModelFiles, tmp_path: Path
) -> None:
    (tmp_path / "portraits").mkdir()
    done = run("train", tmp_path / "portraits", "--out", tmp_path / "weights")
    assert done.code in (1, 2)
    refused(done, done.code, "portraits")
    assert left(tmp_path) == ["portraits"]


def test_doctor_prints_a_line_for_each_finding(run: Run) -> None:
    done = run("doctor")
    lines = done.out.splitlines()
    assert all(line[:4] in ("ok  ", "BAD ") for line in lines)
    assert done.code == int(any(line.startswith("BAD") for line in lines))
    assert any("face models" in line for line in lines)


def test_version_and_no_arguments(run: Run) -> None:
    assert run("--version").out == f"fesnet {fesnet.__version__}\n"
    shown = run()
    assert "rethreshold" in shown.out + shown.err
    wrong = run("sing")
    assert wrong.code == 2
    assert wrong.err == "fesnet: no such command 'sing'; see fesnet --help\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "fesnet", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    refused(
        Done(done.returncode, "", done.stderr),
        1,
        "expected to write the output, got 'No space left on device'",
    )


def test_a_closed_pipe_behind_standard_output_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "fesnet", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from fesnet.cli import main; sys.argv = ['fesnet', '--help']\n"
        "try: main()\nexcept SystemExit as stop: assert not stop.code\n"
        "sys.exit(', '.join(m for m in ('torch', 'numpy', 'cv2', 'av', 'onnxruntime') if m in "
        "sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for command in ("spot", "rethreshold", "demo", "train", "models", "doctor"):
        assert command in done.stdout


def test_weights_are_exported_again_and_checked(
    run: Run, tiny_weights: Path, tmp_path: Path
) -> None:
    done = run("export", tiny_weights, "--to", "onnx", "--out", tmp_path / "new")
    assert (done.code, done.err) == (0, "")
    assert "equal to torch" in done.out
    assert json.loads((tmp_path / "new" / CONFIG).read_text())["model"]["crop_size"] == 96
    assert (tmp_path / "new" / ENCODE).stat().st_size > 1000
    again = run("export", tiny_weights, "--to", "onnx", "--out", tmp_path / "new")
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "expected a new folder for the weights" in again.err
    assert (
        "expected --to onnx for a weights folder" in run("export", tiny_weights, "--to", "eaf").err
    )
    assert "expected --out with a weights folder" in run("export", tiny_weights, "--to", "onnx").err
    below = tmp_path / "new" / CONFIG / "deeper"  # a file is no folder
    refused(
        run("export", tiny_weights, "--to", "onnx", "--out", below),
        2,
        "expected to write",
        "name another folder",
    )

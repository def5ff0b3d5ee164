"""Whole batches: what is written, what is kept on a second start, and that nothing is lost or mixed
up.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

from fesnet.batch import (
    BatchResult,
    BatchVideo,
    SpotSettings,
    find_videos,
    read_manifest,
    run_batch,
)
from fesnet.batch import progress as progress_module
from fesnet.batch import work as work_module
from fesnet.batch.ledger import LEDGER, BatchLedger, VideoRecord
from fesnet.batch.progress import progress_file, progress_place, tell_progress
from fesnet.batch.run import BatchRun, PlannedVideo, find_free_name
from fesnet.batch.summary import SUMMARY, summary_row, write_summary
from fesnet.errors import UsageError
from fesnet.faces import ModelFiles
from fesnet.intervals import KINDS
from fesnet.jobs import SerialExecutor, make_executor
from fesnet.postprocess import IntervalRules
from fesnet.result import FaceTrack, SourceInfo, Spotting, assemble
from fesnet.spotter import Spotter
from review_server import wait_for
from video_files import pictures, write_video

FRAMES = 10
OLD = 1_000_000_000.0  # a time of change long ago, which can be trusted


@pytest.fixture(scope="session")
def short(face_frames: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of the face video: these tests are about files."""
    return write_video(
        tmp_path_factory.mktemp("short") / "face.mkv",
        face_frames[:FRAMES],
        codec="ffv1",
        pixels="bgr0",
    )


@pytest.fixture
def videos(short: Path, face_models: ModelFiles, tmp_path: Path) -> Path:
    """Two subjects with a video of one name, and different contents."""
    root = tmp_path / "videos"
    data = short.read_bytes()
    for n, name in enumerate(("s1/face.mkv", "s2/face.mkv")):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(data + bytes(n))
        os.utime(root / name, (OLD, OLD))
    return root


@pytest.fixture
def settings(tiny_weights: Path) -> SpotSettings:
    return SpotSettings(str(tiny_weights), rules=Spotter(tiny_weights).rules)


@pytest.fixture
def run(tmp_path: Path, settings: SpotSettings) -> Callable[..., BatchResult]:
    """Runs a batch of folders into tmp_path/out, in this process."""

    def call(*folders: Path, settings: SpotSettings = settings, **options: Any) -> BatchResult:
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        entries = find_videos([str(f) for f in folders], out)
        return run_batch(entries, out, settings, SerialExecutor(), lambda line: None, **options)

    return call


@pytest.fixture
def spotted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that went through the network, as it happens."""
    done: list[str] = []
    real = work_module.spot_content

    def counted(source: str, *given: Any) -> Spotting:
        done.append(source)
        return real(source, *given)

    monkeypatch.setattr(work_module, "spot_content", counted)
    return done


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name != LEDGER
    }


def test_a_video_takes_processors_that_no_other_video_needs(
    videos: Path, run: Callable[..., BatchResult], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And its results are those of one processor, byte by byte."""
    overlapped: list[bool] = []
    real = Spotter.spot

    def noted(self: Spotter, *given: Any, **options: Any) -> Spotting:
        overlapped.append(options["overlap"])
        return real(self, *given, **options)

    monkeypatch.setattr(Spotter, "spot", noted)
    run(videos, workers=2)
    alone = tree(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    run(videos, workers=3)
    assert overlapped == [False, False, True, True]
    assert tree(tmp_path / "out") == alone


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / SUMMARY).open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_results_are_those_of_single_calls(
    run: Callable[..., BatchResult], videos: Path, tiny_weights: Path
) -> None:
    batch = run(videos)
    assert (batch.done, batch.kept, batch.failed) == (2, 0, ())
    for name in ("s1/face", "s2/face"):
        alone = Spotter(tiny_weights).spot(videos / f"{name}.mkv")
        out = batch.tables[0].parent
        assert (out / f"{name}.json").read_text(encoding="utf-8") == alone.to_json()
        assert (out / f"{name}.csv").is_file()


def test_summary_has_a_row_for_each_video(
    run: Callable[..., BatchResult], videos: Path, tmp_path: Path
) -> None:
    (videos / "bad.mp4").write_text("no video")
    run(videos)
    rows = {r["video"]: r for r in table(tmp_path / "out")}
    assert {v: r["status"] for v, r in rows.items()} == {
        "bad.mp4": "failed",
        "s1/face.mkv": "done",
        "s2/face.mkv": "done",
    }
    found = Spotting.from_json(tmp_path / "out" / "s1" / "face.json")
    row = rows["s1/face.mkv"]
    assert (row["frames"], row["duration_s"], row["sha256"]) == (
        str(FRAMES),
        "0.4",
        found.source.sha256,
    )
    for kind in ("macro", "micro"):
        of_kind = [i for i in found.intervals if i.kind == kind]
        assert int(row[f"{kind}_count"]) == len(of_kind)
        assert float(row[f"{kind}_total_s"]) == pytest.approx(
            sum(i.offset_s - i.onset_s for i in of_kind)
        )
    assert rows["bad.mp4"]["macro_count"] == ""


def test_what_is_unknown_is_not_taken_for_neutral(
    videos: Path, tmp_path: Path, settings: SpotSettings
) -> None:
    """A video that shows no face, and one whose images are numbered with a jump."""
    shutil.rmtree(videos)
    videos.mkdir()
    write_video(videos / "ramps.mp4", pictures(20))
    (videos / "jump").mkdir()
    for number in (*range(1, 10), 14):
        cv2.imwrite(str(videos / "jump" / f"img{number}.png"), pictures(1)[0])
    said: list[str] = []
    (tmp_path / "out").mkdir()
    entries = find_videos([str(videos)], tmp_path / "out")
    run_batch(
        entries, tmp_path / "out", replace(settings, rate=25.0), SerialExecutor(), said.append
    )
    jump, ramps = table(tmp_path / "out")
    faceless = "no face was found; its pictures have 64 x 48 pixels: take a larger copy"
    assert (ramps["duration_s"], ramps["unknown_s"], ramps["faces"], ramps["warnings"]) == (
        "0.8",
        "0.8",
        "0",
        f"ramps.mp4: {faceless}",
    )
    assert {
        ramps[f"{kind}_{what}"] for kind in KINDS for what in ("count", "per_minute", "total_s")
    } == {""}
    assert jump["warnings"].startswith("jump: image numbers jump from ")
    assert said[0].startswith("2 videos, 2 to do")
    assert said[1].startswith("[1/2] jump: no face; ") and said[1].endswith("s left")
    jumps, no_face = jump["warnings"].split("; jump: ")
    assert no_face == faceless
    assert said[2:] == [
        f"  warning: {jumps}",
        f"  warning: jump: {faceless}",
        "[2/2] ramps.mp4: no face",
        f"  warning: ramps.mp4: {faceless}",
    ]


def test_rates_are_of_the_time_in_which_a_face_was_known() -> None:
    """12 s with a second without a face, and two macros; to the end of the last frame."""
    times = np.arange(360) / 30
    scores = np.full((360, 2), 0.05)
    scores[60:120, 0], scores[150:200, 0], scores[270:300] = 0.8, 0.8, np.nan
    track = FaceTrack(0, times, scores, np.zeros(360))
    source = SourceInfo("a.mp4", None, None, 64, 48, "30", None, None)
    row = summary_row(
        assemble(
            source, (track,), times, 30.0, IntervalRules(), warnings=("a", "b; c"), provenance={}
        )
    )
    assert (row["duration_s"], row["unknown_s"], row["warnings"]) == (12.0, 1.0, "a; b; c")
    assert (row["macro_count"], row["macro_per_minute"]) == (2, round(120 / 11, 4))
    assert (row["micro_count"], row["micro_per_minute"], row["micro_mean_s"]) == (0, 0.0, None)


def test_summary_as_parquet(run: Callable[..., BatchResult], videos: Path, tmp_path: Path) -> None:
    pq = pytest.importorskip(
        "pyarrow.parquet", reason="pyarrow is not installed: pip install '.[cluster]'"
    )
    run(videos)
    rows = pq.read_table(tmp_path / "out" / "summary.parquet").to_pylist()
    assert [r["video"] for r in rows] == ["s1/face.mkv", "s2/face.mkv"]
    assert (rows[0]["frames"], rows[0]["warnings"]) == (FRAMES, "")
    write_summary(tmp_path, [{"video": "old", "warnings": 2}])  # as 0.1 wrote it into the log
    assert pq.read_table(tmp_path / "summary.parquet").to_pylist()[0]["warnings"] == "2"


# --- second starts ---


def test_finished_videos_are_kept(
    run: Callable[..., BatchResult], videos: Path, tmp_path: Path, spotted: list[str]
) -> None:
    run(videos)
    before = tree(tmp_path / "out")
    batch = run(videos)
    assert (batch.done, batch.kept, len(spotted)) == (0, 2, 2)
    assert tree(tmp_path / "out") == before


def test_a_new_time_of_change_is_not_a_new_video(
    run: Callable[..., BatchResult], videos: Path, spotted: list[str]
) -> None:
    run(videos)
    os.utime(videos / "s1" / "face.mkv")
    assert run(videos).kept == 2
    assert len(spotted) == 2


def test_new_content_under_the_old_size_and_time_of_change_is_seen_where_these_were_too_fresh(
    run: Callable[..., BatchResult], videos: Path, spotted: list[str]
) -> None:
    path = videos / "s1" / "face.mkv"
    os.utime(path)
    run(videos)
    facts = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert run(videos).done + len(spotted) == 1 + 3


def test_changed_content_and_changed_settings_are_done_again(
    run: Callable[..., BatchResult],
    videos: Path,
    tmp_path: Path,
    settings: SpotSettings,
    spotted: list[str],
) -> None:
    run(videos)
    with (videos / "s1" / "face.mkv").open("ab") as handle:
        handle.write(b"x")
    assert (run(videos).done, len(spotted)) == (1, 3)
    other = replace(settings, faces="all")
    assert (run(videos, settings=other).done, len(spotted)) == (2, 5)
    assert len(table(tmp_path / "out")) == 2


def test_other_rules_and_formats_use_the_stored_scores(
    run: Callable[..., BatchResult],
    videos: Path,
    tmp_path: Path,
    settings: SpotSettings,
    spotted: list[str],
) -> None:
    """No video is read again, and the results are those of spotting with these rules."""
    rules = replace(settings.rules, macro_threshold=0.9, micro_threshold=0.15)
    other = replace(settings, rules=rules, formats=("vtt",))
    out = tmp_path / "anew"
    out.mkdir()
    entries = find_videos([str(videos)], out)
    run_batch(entries, out, other, SerialExecutor(), lambda line: None)
    run(videos)
    assert len(spotted) == 4
    assert (run(videos, settings=other).done, len(spotted)) == (2, 4)
    assert tree(tmp_path / "out") == tree(out)
    assert (run(videos, settings=other).kept, len(spotted)) == (2, 4)
    with (videos / "s1" / "face.mkv").open("ab") as handle:
        handle.write(b"x")
    assert (run(videos, settings=settings).done, len(spotted)) == (2, 5)


def test_columns_of_a_manifest_reach_the_summary_and_stay(
    videos: Path, tmp_path: Path, settings: SpotSettings
) -> None:
    file, out = videos / "videos.csv", tmp_path / "out"
    out.mkdir()
    for line, wanted in (("s1/face.mkv;P1;calm", ["calm"]), ("s2/face.mkv;P2;x", ["calm", "x"])):
        file.write_text(f"video;participant;condition\n{line}\n", encoding="utf-8-sig")
        run_batch(read_manifest(file), out, settings, SerialExecutor(), lambda line: None)
        assert [r["condition"] for r in table(out)] == wanted
    assert [r["participant"] for r in table(out)] == ["P1", "P2"]
    assert (out / "study.csv").read_text(encoding="utf-8").splitlines() == [
        "result,participant,condition",
        "s1/face,P1,calm",
        "s2/face,P2,x",
    ]


def test_progress_within_videos(tmp_path: Path) -> None:
    """A worker's share reaches the line of the run, with the time left; nothing stays behind."""
    plans = [
        PlannedVideo(BatchVideo(f"/v/{name}.mp4", f"{name}.mp4"), SpotSettings(), "", size=100)
        for name in "ab"
    ]
    with BatchLedger(tmp_path) as ledger:
        run = BatchRun(plans, ledger, print)
        assert run.describe_progress(tmp_path) == ""
        run.started -= 30
        place = progress_place(tmp_path, plans[0].video.path)
        lines: list[str] = []
        with tell_progress(tmp_path, lambda: run.describe_progress(tmp_path), lines.append, 0.01):
            with progress_file(str(place), None) as write:
                assert write is not None
                frame, source = SimpleNamespace(time=5.0), SimpleNamespace(duration=10.0)
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(progress_module, "WRITE_S", 3600.0)
                    write(frame, source)  # type: ignore[arg-type]
                    assert not place.exists(), "too soon"
                    patch.setattr(progress_module, "WRITE_S", 0.0)
                    write(frame, source)  # type: ignore[arg-type]
                wait_for(lambda: lines)
            assert not place.exists()
        assert lines[0] == "  a.mp4 50%; 2 min left"  # a quarter in 30 s
    assert not (tmp_path / ".progress").exists()


def test_removed_results_are_made_again_and_corrected_ones_are_kept(
    run: Callable[..., BatchResult],
    videos: Path,
    tmp_path: Path,
    settings: SpotSettings,
    spotted: list[str],
) -> None:
    run(videos)
    first, second = tmp_path / "out" / "s1" / "face.json", tmp_path / "out" / "s2" / "face.json"
    first.unlink()
    changed = Spotting.from_json(second).rethreshold(
        replace(settings.rules, macro_threshold=1.0, micro_threshold=1.0)
    )
    changed.to_json(second)
    text = second.read_bytes()
    assert run(videos).done == 1
    assert second.read_bytes() == text
    assert table(tmp_path / "out")[1]["macro_count"] == "0", "the summary tells what the file says"


def test_failed_videos_wait_for_retry_failed(
    run: Callable[..., BatchResult], videos: Path, spotted: list[str]
) -> None:
    (videos / "bad.mp4").write_text("no video")
    reasons = run(videos).failed
    assert [key for key, _ in reasons] == ["bad.mp4"]
    assert "cannot open bad.mp4" in reasons[0][1]
    assert run(videos).failed == reasons
    assert len(spotted) == 3
    assert run(videos, retry_failed=True).failed == reasons
    assert len(spotted) == 4
    shutil.copy(videos / "s1" / "face.mkv", videos / "bad.mp4")  # repaired: no option needed
    assert run(videos).failed == ()


def test_a_share_at_another_place_is_recognised(
    run: Callable[..., BatchResult], videos: Path, tmp_path: Path, spotted: list[str]
) -> None:
    run(videos)
    shutil.move(videos, tmp_path / "elsewhere")
    batch = run(tmp_path / "elsewhere")
    assert (batch.kept, len(spotted)) == (2, 2)
    assert run(tmp_path / "elsewhere").kept == 2
    assert len(table(tmp_path / "out")) == 2


def test_another_video_of_the_same_name_never_takes_the_place_of_results(
    run: Callable[..., BatchResult], videos: Path, tmp_path: Path
) -> None:
    """A stick for each participant, all at the same place or one after the other, all with
    face.mkv.
    """
    run(videos / "s1")
    before = tree(tmp_path / "out")
    run(videos / "s2")  # while the first is still there
    shutil.move(videos / "s1", tmp_path / "gone")
    third = tmp_path / "third"
    third.mkdir()
    (third / "face.mkv").write_bytes((tmp_path / "gone" / "face.mkv").read_bytes() + b"xyz")
    (tmp_path / "gone" / "face.mkv").unlink()
    run(third)  # while the first is away
    after = tree(tmp_path / "out")
    assert {k: after[k] for k in before if k.startswith("face")} == {
        k: v for k, v in before.items() if k.startswith("face")
    }
    assert sorted(k for k in after if k.endswith(".json")) == [
        "face-2.json",
        "face-3.json",
        "face.json",
    ]
    assert len({r["sha256"] for r in table(tmp_path / "out")}) == 3


def test_a_cut_log_loses_one_video_at_most(
    run: Callable[..., BatchResult], videos: Path, tmp_path: Path
) -> None:
    run(videos)
    log = tmp_path / "out" / LEDGER
    before = tree(tmp_path / "out")
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-2]) + lines[-2][:40])
    batch = run(videos)
    assert (batch.done, batch.kept) == (1, 1)
    assert tree(tmp_path / "out") == before
    assert [json.loads(x)["event"] for x in log.read_bytes().splitlines()[-3:]] == [
        "start",
        "done",
        "end",
    ]


@pytest.mark.parametrize(
    "line", ["[]", "7", '{"event": "done"}', '{"event": "done", "name": 3}', "\x00\xff", '{"a":']
)
def test_damaged_lines_of_the_log_are_passed_over(line: str, tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text(line, encoding="latin-1")
    with BatchLedger(tmp_path) as ledger:
        assert ledger.records == {}
        ledger.record(VideoRecord("a", "a.mp4", "/a.mp4", "d"))
    with BatchLedger(tmp_path) as ledger:
        assert list(ledger.records) == ["a"]


def test_a_ledger_of_version_0_1_is_read(tmp_path: Path) -> None:
    line = (
        '{"event": "done", "time": "2025-01-01T00:00:00+00:00", "name": "s1/face", "key": '
        '"s1/face.mkv", "path": "/v/s1/face.mkv", "digest": "d", "sha256": "s", "stamp": "1:2", '
        '"written": "3:4", "subject": "P1", "row": {"frames": 10}, "reason": "", "tries": 1, '
        '"seconds": 0.5}'
    )
    start = '{"event": "start", "time": "2025-01-01T00:00:00+00:00", "engine": "this process"}'
    (tmp_path / LEDGER).write_text(f"{start}\n{line}\n")
    with BatchLedger(tmp_path) as ledger:
        assert ledger.records == {
            "s1/face": VideoRecord(
                "s1/face", "s1/face.mkv", "/v/s1/face.mkv", "d", "s", "1:2", "3:4", "P1",
                row={"frames": 10},
            )
        }  # fmt: skip


def test_two_runs_do_not_share_a_folder(
    run: Callable[..., BatchResult], videos: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    with (
        BatchLedger(tmp_path / "out"),
        pytest.raises(UsageError, match=r"expected no other run in .*out"),
    ):
        run(videos)
    assert run(videos).done == 2


def test_parts_that_a_kill_left_are_removed(
    run: Callable[..., BatchResult], videos: Path, tmp_path: Path
) -> None:
    (tmp_path / "out" / "s1").mkdir(parents=True)
    for name in (".face.json.k3x_9abc.part", ".firefox-download.part"):
        (tmp_path / "out" / "s1" / name).touch()
    run(videos)
    parts = [name for name in tree(tmp_path / "out") if name.endswith(".part")]
    assert parts == ["s1/.firefox-download.part"]  # somebody else's


def test_a_part_of_a_worker_that_was_killed_on_the_way_is_removed(
    run: Callable[..., BatchResult], videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / "out" / ".face.json.k3x_9abc.part"
    real = work_module.spot_content
    monkeypatch.setattr(work_module, "spot_content", lambda *given: (part.touch(), real(*given))[1])
    run(videos)
    assert not part.exists()


def test_names_that_are_taken_get_a_number() -> None:
    assert find_free_name("a/x", {"a/y"}) == "a/x"
    assert find_free_name("a/X", {"a/x", "a/x-2"}) == "a/X-3"


# --- manifests, image folders ---


def test_a_manifest_sets_options_and_subjects(
    videos: Path, tmp_path: Path, settings: SpotSettings
) -> None:
    file = videos / "videos.csv"
    file.write_text("video,subject,macro_threshold\ns1/face.mkv,P1,0.9\ns2/face.mkv,P2,\n")
    out = tmp_path / "out"
    out.mkdir()
    run_batch(read_manifest(file), out, settings, SerialExecutor(), lambda line: None)
    thresholds = [
        Spotting.from_json(out / s / "face.json").rules.macro_threshold for s in ("s1", "s2")
    ]
    assert thresholds == [0.9, settings.rules.macro_threshold]
    assert [r["participant"] for r in table(out)] == ["P1", "P2"]
    file.write_text("video,macro_threshold\ns1/face.mkv,7\n")
    with pytest.raises(UsageError, match=r"up to 1, got 7.0 \(in the manifest, for s1/face"):
        run_batch(read_manifest(file), out, settings, SerialExecutor(), lambda line: None)


def test_videos_that_are_not_there_fail_alone(
    videos: Path, tmp_path: Path, settings: SpotSettings
) -> None:
    file = videos / "videos.csv"
    file.write_text("video\ns1/face.mkv\nlost.mp4\n")
    (tmp_path / "out").mkdir()
    batch = run_batch(
        read_manifest(file), tmp_path / "out", settings, SerialExecutor(), lambda line: None
    )
    assert batch.done == 1
    ((key, reason),) = batch.failed
    assert (key, "is its share still there?" in reason) == ("lost.mp4", True)


def test_image_folders(
    run: Callable[..., BatchResult],
    face_frames: list[Any],
    tmp_path: Path,
    settings: SpotSettings,
    face_models: ModelFiles,
) -> None:
    import cv2

    folder = tmp_path / "v" / "s1"
    folder.mkdir(parents=True)
    for n, frame in enumerate(face_frames[:8]):
        cv2.imwrite(str(folder / f"img{n}.png"), frame[:, :, ::-1])
        os.utime(folder / f"img{n}.png", (OLD, OLD))
    assert "--fps" in run(tmp_path / "v").failed[0][1]
    timed = replace(settings, rate=25.0)
    assert run(tmp_path / "v", settings=timed).done == 1
    assert len(Spotting.from_json(tmp_path / "out" / "s1.json").frame_times) == 8
    assert run(tmp_path / "v", settings=timed).kept == 1
    (folder / "img7.png").unlink()
    assert run(tmp_path / "v", settings=timed).done == 1


# --- executors ---


def kill_a_ray_worker() -> bool:
    """Kill one process of Ray that is at work on a video; whether there was one."""
    for process in psutil.Process().children(recursive=True):  # no other cluster's
        with suppress(psutil.Error):  # it has ended meanwhile
            if "ray::run_in_worker" in " ".join(process.cmdline()):
                process.kill()
                return True
    return False


def test_a_worker_of_ray_that_is_killed_changes_nothing(
    short: Path, face_models: ModelFiles, tmp_path: Path, settings: SpotSettings, ray_executor: Any
) -> None:
    root = tmp_path / "videos"
    root.mkdir()
    for n in range(8):
        (root / f"v{n}.mkv").write_bytes(short.read_bytes() + bytes(n))
    killed = []

    def say(line: str) -> None:
        if line.startswith("[") and not any(killed):
            killed.append(kill_a_ray_worker())

    with make_executor(2) as pool:
        for name, executor in {"pool": pool, "ray": ray_executor}.items():
            out = tmp_path / name
            out.mkdir()
            tell = say if name == "ray" else (lambda line: None)
            batch = run_batch(find_videos([str(root)], out), out, settings, executor, tell)
            assert (batch.done, batch.failed) == (8, ())
    assert any(killed), "there was nothing to kill"
    done = [json.loads(line) for line in (tmp_path / "ray" / LEDGER).read_text().splitlines()]
    tries = [event["tries"] for event in done if event["event"] == "done"]
    assert len(tries) == 8, "each video stands once in the log"
    assert max(tries) == 2, "one was done again"
    assert tree(tmp_path / "ray") == tree(tmp_path / "pool")


def test_local_pool_and_ray_write_the_same(
    videos: Path, tmp_path: Path, settings: SpotSettings, ray_executor: Any
) -> None:
    seen = []
    with make_executor(2) as pool:
        for name, executor in {"pool": pool, "ray": ray_executor, "here": SerialExecutor()}.items():
            out = tmp_path / name
            out.mkdir()
            run_batch(find_videos([str(videos)], out), out, settings, executor, lambda line: None)
            seen.append(tree(out))
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) >= 5


# --- one item never stops the others ---


def test_a_name_that_is_too_long_concerns_its_video_alone(
    run: Callable[..., BatchResult], videos: Path, tmp_path: Path, spotted: list[str]
) -> None:
    shutil.copy(videos / "s1" / "face.mkv", videos / ("b" * 251 + ".mkv"))
    shutil.copy(videos / "s1" / "face.mkv", videos / ("c" * 240 + ".mkv"))
    for todo in (3, 0):
        spotted.clear()
        batch = run(videos)
        (key, reason) = batch.failed[0]
        assert key.startswith("bbb")
        assert "File name too long" in reason
        assert len(spotted) == todo  # it is refused before any work
        rows = {r["video"][0]: r["status"] for r in table(tmp_path / "out")}
        assert rows == {"b": "failed", "c": "done", "s": "done"}


@pytest.mark.parametrize("name", [os.fsdecode(b"M\xfcller.mkv"), "a\nb.mkv", "=1+1.mkv"])
def test_odd_names_are_done_and_stand_in_the_summary(
    name: str, run: Callable[..., BatchResult], videos: Path, tmp_path: Path
) -> None:
    (videos / "s1" / "face.mkv").rename(videos / name)
    batch = run(videos)
    assert (batch.done, batch.failed) == (2, ())
    text = (tmp_path / "out" / SUMMARY).read_text(encoding="utf-8")
    assert len(text.splitlines()) == 3
    assert not any(line.startswith("=") for line in text.splitlines())
    assert run(videos).kept == 2


def test_a_refused_export_leaves_the_row_and_is_told_each_time(
    run: Callable[..., BatchResult],
    videos: Path,
    tmp_path: Path,
    settings: SpotSettings,
    spotted: list[str],
) -> None:
    (tmp_path / "out" / "s1").mkdir(parents=True)
    eaf = tmp_path / "out" / "s1" / "face.eaf"
    eaf.write_text("corrected by hand")
    changed = replace(settings, formats=("eaf", "vtt"))
    for done in (2, 0):
        batch = run(videos, settings=changed)
        assert (batch.done, batch.failed) == (done, ())
        ((key, reason),) = batch.refused
        assert key == "s1/face.mkv"
        assert "face.eaf" in reason
        row = next(r for r in table(tmp_path / "out") if r["video"] == key)
        assert (row["status"], row["frames"]) == ("done", str(FRAMES))
        assert "face.eaf" in row["reason"]
    assert (eaf.parent / "face.vtt").is_file()
    assert eaf.read_text() == "corrected by hand"
    spotted.clear()
    assert run(videos, settings=changed, force=True).refused == ()
    assert "corrected" not in eaf.read_text(encoding="utf-8")
    assert spotted == []  # the result was current


@pytest.mark.parametrize("name", ["s1/face.json", "s1/face.csv"])
def test_a_persons_file_stops_its_video_alone(
    name: str, run: Callable[..., BatchResult], videos: Path, tmp_path: Path
) -> None:
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    for _ in range(2):
        batch = run(videos)
        assert [key for key, _ in batch.failed] == ["s1/face.mkv"]
        assert path.read_text() == "mine"
    path.unlink()
    assert run(videos).done == 1  # without --retry-failed: nothing was wrong with the video

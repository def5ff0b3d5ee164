"""Many sources: what they are called, what is checked before work begins, and rules from several
places.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fesnet._io import make_writable_folder
from fesnet.batch import SpotJob, check_sources, override_rules, result_names
from fesnet.errors import UsageError
from fesnet.postprocess import IntervalRules
from fesnet.spotter import Spotter


def test_sources_are_told_apart(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.touch()
    assert check_sources([str(video), "0", "rtsp://host/live", str(tmp_path)]) == [
        str(video),
        0,
        "rtsp://host/live",
        str(tmp_path),
    ]
    with pytest.raises(
        UsageError, match=r"expected a video file or an image folder, but .*b\.mp4 does not exist"
    ):
        check_sources([str(video), str(tmp_path / "b.mp4")])


def test_a_file_named_like_a_camera_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("7").touch()
    assert check_sources(["7", "8"]) == ["7", 8]


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["a/x.mp4", "b/y.mov"], ["x", "y"]),
        (["a/x.mp4", "b/x.mov"], ["x.mp4", "x.mov"]),
        (["a/x.mp4", "b/x.mp4", "y.mp4"], ["x.mp4-1", "x.mp4-2", "y"]),
        ([0, 1], ["camera0", "camera1"]),
        (["a/take.1.mp4"], ["take.1"]),
        (["rtsp://me:secret@10.0.0.7:554/live/one.sdp?token=1"], ["one"]),
        (["rtsp://me:secret@10.0.0.7:554"], ["10.0.0.7"]),
        (["http://me:secret@[::1]/"], ["--1"]),
    ],
)
def test_result_names(sources: list[str | int], names: list[str]) -> None:
    assert result_names(sources) == names


def test_folders_keep_their_whole_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "s01.first"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert result_names([str(folder)]) == ["s01.first"]
    assert result_names(["."]) == ["s01.first"]


def test_output_folders_are_made_and_tried(tmp_path: Path) -> None:
    assert make_writable_folder(tmp_path / "a" / "b").is_dir()
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(
        UsageError, match=r"expected an output folder that can be written, got .*file"
    ):
        make_writable_folder(tmp_path / "file")


def test_single_options_win_over_the_file_and_the_file_over_the_weights(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("macro_threshold = 0.3\nvalley = 0.4\nexclusive = false\n")
    old = IntervalRules(macro_threshold=0.2, micro_threshold=0.25)
    new = override_rules(
        old, tmp_path / "r.toml", {"macro_threshold": 0.6, "micro_threshold": None}
    )
    assert new == IntervalRules(
        macro_threshold=0.6,
        micro_threshold=0.25,
        valley=0.4,
        exclusive=False,
        macro_reference=0.2,  # where scores are cut stays
    )
    assert override_rules(old, None, {"macro_threshold": None}) == old


def test_rules_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "r.toml", tmp_path / "nothing.toml", tmp_path):
        with pytest.raises(UsageError, match="expected a TOML file with interval rules"):
            override_rules(IntervalRules(), path, {})


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_jobs_need_time(seconds: float, tiny_weights: Path) -> None:
    with pytest.raises(UsageError, match="expected a time above 0 s to stop after"):
        SpotJob(Spotter(tiny_weights), seconds=seconds)

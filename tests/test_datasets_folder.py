"""Plain folders of features or videos with two tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fesnet.datasets import load_dataset, load_features
from fesnet.errors import SourceError, TruthError, UsageError
from fesnet.intervals import Interval

HEAD = "subject,video,kind,onset_frame,apex_frame,offset_frame\n"


def folder(
    root: Path, truth: str = "s1,a,macro,3,5,9\ns1,a,micro,11,,14\n", videos: str = "s1,a\ns2,b\n"
) -> Path:
    (root / "videos.csv").write_text("subject,video\n" + videos, encoding="utf-8")
    (root / "truth.csv").write_text(HEAD + truth, encoding="utf-8")
    for name in ("a", "b"):
        np.savez(root / f"{name}.npz", features=np.ones((20, 3, 2), np.float32), fps=30.0)
    return root


def test_truth_is_counted_from_0_and_half_open(tmp_path: Path) -> None:
    data = load_dataset("folder", folder(tmp_path))
    a, b = data.recordings
    assert a.truth == (Interval(2, 9, "macro", apex=4), Interval(10, 14, "micro"))
    assert (b.id, b.subject, b.truth, b.media) == ("b", "s2", (), "features")
    features, rate = load_features(a)
    assert features.shape == (20, 6) and features.dtype == np.float32 and rate == 30


def test_equal_names_of_two_subjects_are_two_videos(tmp_path: Path) -> None:
    folder(tmp_path, videos="s1,a\ns2,a\n", truth="s2,a,macro,3,5,9\n")
    assert [(r.id, len(r.truth)) for r in load_dataset("folder", tmp_path).recordings] == [
        ("s1_a", 0),
        ("s2_a", 1),
    ]


def test_folders_of_frames_have_a_rate_of_their_own(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "c").mkdir()
    (tmp_path / "videos.csv").write_text("subject,video,fps\ns1,a,\ns2,b,\ns3,c,59.94\n")
    assert {r.id: (r.media, r.rate) for r in load_dataset("folder", tmp_path).recordings} == {
        "a": ("features", None), "b": ("features", None), "c": ("frames", 59.94),
    }  # fmt: skip
    for wrong in ("fast", "0", "nan"):
        (tmp_path / "videos.csv").write_text(f"subject,video,fps\ns1,a,{wrong}\n")
        with pytest.raises(
            TruthError, match=f"expected fps above 0 in .*videos.csv line 2, got '{wrong}'"
        ):
            load_dataset("folder", tmp_path)


def test_a_missing_video_is_named(tmp_path: Path) -> None:
    folder(tmp_path, videos="s1,a\ns2,b\ns3,c\n")
    data = load_dataset("folder", tmp_path)
    assert data.missing == ("c",) and len(data.recordings) == 2


def test_an_unknown_offset_becomes_the_apex(tmp_path: Path) -> None:
    folder(tmp_path, truth="s1,a,macro,3,5,0\n")
    assert load_dataset("folder", tmp_path).recordings[0].truth == (
        Interval(2, 5, "macro", apex=4),
    )


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ("s1,a,makro,3,5,9\n", "expected kind macro or micro in .* line 2, got 'makro'"),
        (
            "s1,a,macro,9,,3\n",
            "expected 1 <= onset_frame <= offset_frame in .* line 2, got 9 and 3",
        ),
        ("s1,a,macro,x,,3\n", "expected a frame number for onset_frame in .* line 2, got 'x'"),
        ("s1,z,macro,1,,3\n", r"expected the videos of videos.csv in .* line 2, got z of s1"),
    ],
)
def test_damaged_truth(tmp_path: Path, truth: str, message: str) -> None:
    with pytest.raises(TruthError, match=message):
        load_dataset("folder", folder(tmp_path, truth=truth))


def test_a_typo_in_a_column(tmp_path: Path) -> None:
    path = folder(tmp_path) / "truth.csv"
    path.write_text(path.read_text().replace("onset_frame", "onset_frme"))
    with pytest.raises(
        TruthError, match=r"expected a column onset_frame in .*truth.csv, got subject, video, kind"
    ):
        load_dataset("folder", tmp_path)


@pytest.mark.parametrize("name", ["videos.csv", "truth.csv"])
def test_a_table_of_another_encoding(tmp_path: Path, name: str) -> None:
    folder(tmp_path, truth="Müller,a,macro,3,5,9\n", videos="Müller,a\n")
    text = (tmp_path / name).read_text(encoding="utf-8")
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(
        TruthError, match=rf"expected a table in UTF-8 in .*{name}, got .*; save it in UTF-8"
    ):
        load_dataset("folder", tmp_path)


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected videos.csv in"):
        load_dataset("folder", tmp_path)
    with pytest.raises(
        UsageError, match=r"expected the folder of a data set, but .* does not exist"
    ):
        load_dataset("folder", tmp_path / "nowhere")


def test_files_that_hold_no_features(tmp_path: Path) -> None:
    recording = load_dataset("folder", folder(tmp_path)).recordings[0]
    np.savez(recording.source, flow=np.ones((3, 2)), fps=30.0)
    with pytest.raises(SourceError, match=r"expected an array features in .*a.npz, got flow, fps"):
        load_features(recording)
    np.savez(recording.source, features=np.ones((3, 2)))
    with pytest.raises(
        SourceError, match=r"expected fps above 0 beside the features in .*a.npz, got None"
    ):
        load_features(recording)
    recording.source.write_bytes(b"no zip")
    with pytest.raises(SourceError, match=r"expected features in .*a.npz, but it cannot be read"):
        load_features(recording)

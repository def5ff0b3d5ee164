"""Expressions rendered onto real footage: the warp, what is added, the clips used, the set."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fesnet.cli import app
from fesnet.errors import SourceError, UsageError
from fesnet.faces import ModelFiles
from fesnet.faces.landmark_features import canonical_face
from fesnet.synth.render.avatar import face_motion
from fesnet.synth.render.face_warp import head_displacement, warp_face
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.expressions import EXPRESSIONS, SPEECH_LIKE
from fesnet.synth.script.footage_script import (
    HIDDEN_MOTIONS,
    warpable_repertoire,
    write_footage_script,
)
from fesnet.synth.script.plan import VideoPlan
from fesnet.synth.videos.footage import make_footage_videos, to_and_fro
from fesnet.synth.videos.footage_tracks import FootageTrack, read_masks, track_clip
from fesnet.video import open_source
from video_files import write_video

CROP = 200.0  # pixels of a crop unit of the drawn faces
SMALL = VideoPlan(
    hours=3 / 3600,
    seconds=1.5,
    width=160,
    height=120,
    macro_per_minute=30,
    micro_per_minute=30,
    quiet_share=0,
    seed=4,
)


def drawn_face(yaw: float = 0.0) -> np.ndarray:
    """Landmarks (468, 3) of the canonical face, turned, in pixels of a 300 x 300 picture."""
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    points = (canonical_face() - [0.5, 0.5, 0]) @ turn.T
    return (points * CROP + [150, 150, 0]).astype(np.float32)


def drawn_track(frames: int = 60, *, speaks: bool = False) -> FootageTrack:
    """A still face at 25 Hz; of a speaker the lower lip goes up and down by 4 pixels."""
    marks = np.repeat(drawn_face()[None], frames, 0)
    if speaks:
        marks[:, 14, 1] += 4 * np.sin(np.arange(frames))
    return FootageTrack(np.arange(frames) / 25, np.zeros(frames, np.int32), marks)


# --- the warp ---


def test_a_motion_turns_and_grows_with_the_head() -> None:
    motion = np.zeros((3, 468, 3), np.float32)
    motion[0, :, 0] = motion[1, :, 0] = 0.1  # to the right, seen from the front
    motion[2, :, 2] = 0.1  # away from the camera
    yaw = 0.5
    heads = np.stack([drawn_face(), drawn_face(yaw), drawn_face(yaw)])
    moved = head_displacement(heads, motion)
    np.testing.assert_allclose(moved[0, :, 0], 0.1 * CROP, rtol=1e-3)
    np.testing.assert_allclose(moved[1, :, 0], 0.1 * CROP * np.cos(yaw), rtol=1e-3)
    np.testing.assert_allclose(moved[2, :, 0], 0.1 * CROP * np.sin(yaw), rtol=1e-3)
    np.testing.assert_allclose(moved[..., 1], 0, atol=1e-3)


@pytest.mark.parametrize(("name", "landmark"), [("brow raise", 105), ("lip corners down", 61)])
def test_pixels_at_a_landmark_go_where_the_landmark_goes(name: str, landmark: int) -> None:
    face = drawn_face()
    image = np.full((300, 300, 3), 90, np.uint8)
    x, y = face[landmark, :2]
    ys, xs = np.mgrid[:300, :300] + 0.5
    dot = 150 * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 8)
    image += dot[..., None].astype(np.uint8)
    weights = motion_basis().weights(EXPRESSIONS[name])[None]
    moved = head_displacement(face[None], face_motion(weights))[0]
    after = warp_face(image, face, moved)[..., 0].astype(float) - 90
    seen = np.array([(xs * after).sum(), (ys * after).sum()]) / after.sum() - [x, y]
    assert np.linalg.norm(moved[landmark]) > 3
    assert np.linalg.norm(seen - moved[landmark]) < 0.25 * np.linalg.norm(moved[landmark])


def test_nothing_happens_far_from_the_face_or_without_motion() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (300, 300, 3), np.uint8)
    face = drawn_face()
    assert warp_face(image, face, np.zeros((468, 2), np.float32)) is image
    weights = motion_basis().weights(EXPRESSIONS["smile"])[None]
    after = warp_face(image, face, head_displacement(face[None], face_motion(weights))[0], 0.3)
    changed = np.flatnonzero((after != image).any((1, 2)))
    assert changed.min() > 10 and (after != image).any()
    edge = np.s_[:, [0, 1, 2, -3, -2, -1]]
    np.testing.assert_array_equal(after[edge], image[edge])


# --- what is added ---


def test_only_what_a_warp_can_show_is_added() -> None:
    quiet, speaking = warpable_repertoire(False), warpable_repertoire(True)
    assert {"smile", "brow raise", "frown", "lip press"} <= set(quiet[0])
    for names, shares in (quiet, speaking):
        assert sum(shares) == pytest.approx(1)
        assert not {"jaw drop", "funnel", "bared teeth", "left wink", "surprise"} & set(names)
    assert not SPEECH_LIKE & set(speaking[0])
    times = np.arange(1500) / 25
    config = SynthConfig(macro_per_minute=12, micro_per_minute=12, quiet_share=0)
    script = write_footage_script(np.random.default_rng(1), times, config, speaks=True)
    hidden = [n.startswith(HIDDEN_MOTIONS) for n in motion_basis().names]
    swallowed = 0.021  # of the jaw, in a swallow
    assert script.script.weights[:, hidden].max() < swallowed
    assert {e.interval.kind for e in script.events} == {"macro", "micro"}
    assert not script.script.smile.any() and not script.script.gaze.any()
    for event in script.events:
        part = script.script.weights[event.interval.start : event.interval.stop]
        assert np.abs(part).max() > 0.02


def test_a_short_stretch_runs_to_and_fro() -> None:
    assert to_and_fro(8, 4) == (0, 1, 2, 3, 2, 1, 0, 1)
    assert to_and_fro(3, 9, 4) == (4, 5, 6)
    assert to_and_fro(3, 1) == (0, 0, 0)


# --- the clips ---


def test_stretches_end_at_cuts_lost_faces_and_masks() -> None:
    track = drawn_track(200)
    track.segments[60:] = 1  # a cut
    track.segments[120:130] = -1  # no face
    track.segments[130:] = 2
    spans = [(s.start, s.stop) for s in track.stretches()]
    assert spans == [(0, 60), (60, 120), (130, 200)]
    masked = [(s.start, s.stop) for s in track.stretches([(0.0, 1.0), (6.0, 6.1)])]
    assert masked == [(26, 60), (60, 120), (153, 200)]  # what is left of a second or more
    assert track.stretches([(float("-inf"), float("inf"))]) == []
    far = FootageTrack(track.times, track.segments, track.landmarks / 10)
    assert far.stretches() == []


def test_a_mouth_that_moves_is_one_that_speaks() -> None:
    assert [s.speaks for s in drawn_track().stretches()] == [False]
    assert [s.speaks for s in drawn_track(speaks=True).stretches()] == [True]


def test_masks_name_clips_and_times(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    for name in ("ann/a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"")
    table = tmp_path / "masks.csv"
    table.write_text("video,onset_s,offset_s\na.mp4,1.5,2\nann/a.mp4,4,\nb.mp4,,\n")
    assert read_masks(table, tmp_path) == {
        tmp_path / "ann/a.mp4": ((1.5, 2.0), (4.0, float("inf"))),
        tmp_path / "b.mp4": ((float("-inf"), float("inf")),),
    }
    for text, words in (
        ("video,onset_s,offset_s\nc.mp4,1,2\n", r"expected a clip of .* line 2, got 'c.mp4'"),
        ("video,onset_s,offset_s\nb.mp4,one,2\n", "expected seconds in .* line 2"),
        ("video,from\nb.mp4,1\n", "expected the columns video, onset_s, offset_s"),
    ):
        table.write_text(text)
        with pytest.raises(UsageError, match=words):
            read_masks(table, tmp_path)


# --- the set ---


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two clips of 1.6 s of coarse noise in folders of two people, followed without a model."""
    rng = np.random.default_rng(5)
    noise = np.kron(rng.integers(60, 200, (30, 40, 3), np.uint8), np.ones((10, 10, 1), np.uint8))
    for name in ("ann/a.mkv", "bob/b.mkv"):
        (tmp_path / "clips" / name).parent.mkdir(parents=True)
        frames = [np.roll(noise, k, 1)[:300] for k in range(40)]
        write_video(tmp_path / "clips" / name, frames, codec="ffv1", pixels="bgr0")
    monkeypatch.setattr(
        "fesnet.synth.videos.footage_tracks.track_clip", lambda clip: drawn_track(40)
    )
    return tmp_path / "clips"


def make(clips: Path, out: Path, plan: VideoPlan = SMALL, masks: Path | None = None) -> object:
    return make_footage_videos(clips, out, plan, lambda what, share: None, masks=masks)


def files(out: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(out.iterdir()) if p.is_file()}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_a_set_of_footage_has_videos_and_truth(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(clips, out)
    made = rows(out / "videos.csv")
    assert [(r["subject"], r["video"]) for r in made] == [
        ("ann", "ann__a_001.mp4"),
        ("bob", "bob__b_001.mp4"),
    ]
    events = rows(out / "truth.csv")
    assert {e["kind"] for e in events} == {"macro", "micro"}
    for row in made:
        with open_source(out / row["video"]) as source:
            images = [frame.image for frame in source]
        assert len(images) == int(row["frames"])
        assert images[0].shape[0] <= 120 and images[0].shape[1] <= 160
        own = [e for e in events if e["video"] == row["video"]]
        assert all(1 <= int(e["onset_frame"]) <= int(e["offset_frame"]) for e in own)
        assert all(int(e["offset_frame"]) <= len(images) for e in own)
    settings = json.loads((out / "synth.json").read_text())
    assert sorted(settings["footage"]) == ["ann/a.mkv", "bob/b.mkv"]


def test_equal_calls_give_equal_bytes_and_go_on(clips: Path, tmp_path: Path) -> None:
    make(clips, tmp_path / "one")
    wanted = files(tmp_path / "one")
    (tmp_path / "one" / "ann__a_001.mp4").unlink()
    outcome = make(clips, tmp_path / "one")
    assert outcome.made == ("ann__a_001",) and outcome.kept == ("bob__b_001",)  # type: ignore[attr-defined]
    assert files(tmp_path / "one") == wanted
    make(clips, tmp_path / "one", replace(SMALL, hours=4.5 / 3600))
    more = files(tmp_path / "one")
    assert more["ann__a_002.mp4"] != more["ann__a_001.mp4"] == wanted["ann__a_001.mp4"]
    assert more["truth.csv"].startswith(wanted["truth.csv"])


def test_other_masks_want_another_folder_and_masked_clips_stay_out(
    clips: Path, tmp_path: Path
) -> None:
    masks = tmp_path / "masks.csv"
    masks.write_text("video,onset_s,offset_s\na.mkv,,\n")
    few = replace(SMALL, hours=1.5 / 3600)
    outcome = make(clips, tmp_path / "out", few, masks=masks)
    assert outcome.made == ("bob__b_001",) and outcome.left_out == ()  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="expected the same masks as in"):
        make(clips, tmp_path / "out", few)


def test_clips_without_a_face_leave_nothing_behind(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = drawn_track(40)
    empty.segments[:] = -1
    monkeypatch.setattr("fesnet.synth.videos.footage_tracks.track_clip", lambda clip: empty)
    with pytest.raises(SourceError, match="expected a face for a second or longer in a clip"):
        make(clips, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_clip_is_followed_once(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(SMALL, hours=1.5 / 3600)
    make(clips, tmp_path / "out", few)
    monkeypatch.setattr(
        "fesnet.synth.videos.footage_tracks.track_clip", lambda clip: pytest.fail("followed again")
    )
    make(clips, tmp_path / "out", few)


def test_a_real_clip_shows_what_was_added(
    face_video: Path, face_models: ModelFiles, tmp_path: Path
) -> None:
    """The landmark model finds the raised brows of a frame that was warped."""
    track = track_clip(face_video)
    (stretch,) = track.stretches()
    assert len(stretch) > 35 and not stretch.speaks
    weights = motion_basis().weights(EXPRESSIONS["brow raise"])[None]
    k = stretch.start + 20
    moved = head_displacement(track.landmarks[k : k + 1], face_motion(weights))[0]
    with open_source(face_video) as source:
        images = [f.image for f in source]
    images[k:] = [warp_face(image, track.landmarks[k], moved) for image in images[k : k + 1] * 3]
    raised = write_video(tmp_path / "up.mkv", images[: k + 3], codec="ffv1", pixels="bgr0")
    after = track_clip(raised)
    brows = [105, 334]
    rise = (after.landmarks[k + 1] - track.landmarks[k])[brows, 1].mean()
    assert rise < 0.5 * moved[brows, 1].mean() < 0


# --- calls ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--footage", "clips", "photos", "out"], "expected OUT alone with --footage, got 2"),
        (["out"], "expected PORTRAITS OUT, got 1 folders"),
        (["photos", "out", "--masks", "m.csv"], "expected --footage with --masks"),
        (["--footage", "clips", "out", "--speech", "0.5"], "expected no --speech with --footage"),
    ],
)
def test_wrong_calls(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["synth", *arguments])
    assert isinstance(done.exception, UsageError) and words in str(done.exception)

"""Nuisances of synthetic videos: what is drawn, what moves, what is labelled, what is recorded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fesnet.cli import app
from fesnet.errors import UsageError
from fesnet.synth.render.cover_shapes import draw_patch
from fesnet.synth.render.covers import Cover, draw_cover, lay_cover
from fesnet.synth.render.frame_camera import CameraSettings
from fesnet.synth.render.frame_renderer import FrameRenderer
from fesnet.synth.render.picture_nuisances import PictureNuisances
from fesnet.synth.render.portraits import Person
from fesnet.synth.render.scene import draw_framing, photo_bottom
from fesnet.synth.render.view_path import ViewPath, roll_frame, roll_matrix
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.expressions import EXPRESSIONS, POSED_MOUTHS, posed_repertoire, repertoire
from fesnet.synth.script.face_nuisances import LID_LIMIT
from fesnet.synth.script.nuisances import (
    COVER_NUISANCES,
    MOUTH_NUISANCES,
    NUISANCE_NAMES,
    POSED_MOUTH,
    draw_nuisances,
    place_episodes,
    speaks_with,
)
from fesnet.synth.script.plan import VideoPlan
from fesnet.synth.script.video_script import VideoScript, write_video_script
from fesnet.synth.script.writer import write_script
from fesnet.synth.videos import videos
from fesnet.synth.videos.encoder import FrameView, person_scene
from fesnet.synth.videos.nuisance_videos import NUISANCE_COLUMNS
from fesnet.synth.videos.videos import make_videos, sample_script
from fesnet.training.config import TrainConfig, stable_repr
from fesnet.training.video_windows import training_video_plan
from fesnet.video import open_source
from test_synth_videos import SMALL, draw_person, files, silent, table

QUIET = SynthConfig(
    quiet_share=1.0, speech_share=0.0, blinks_per_minute=0, gaze_per_minute=0, jitter_scale=0.0
)
TIMES = np.arange(600) / 30.0
SKIN = np.array([200.0, 160.0, 140.0], np.float32)


def script_with(*names: str, seed: int = 1, config: SynthConfig = QUIET) -> VideoScript:
    return write_video_script(np.random.default_rng(seed), TIMES, config, nuisances=names)


def column(script: VideoScript, motion: str) -> np.ndarray:
    return script.script.weights[:, motion_basis().names.index(motion)]


def inside(script: VideoScript, name: str) -> np.ndarray:
    """Whether each frame lies in an episode."""
    spans = [(e.onset_s, e.offset_s) for e in script.episodes if e.name == name]
    return np.array([any(a - 0.05 <= t <= b + 0.05 for a, b in spans) for t in script.times])


# --- what is drawn ---


def test_two_to_four_nuisances_that_go_together() -> None:
    rng, seen = np.random.default_rng(0), set()
    for _ in range(300):
        names = draw_nuisances(rng, 1.0)
        assert 2 <= len(set(names)) == len(names) <= 4
        assert len(MOUTH_NUISANCES & set(names)) <= 1
        seen |= set(names)
    assert seen == set(NUISANCE_NAMES)
    assert draw_nuisances(rng, 0.0) == ()
    assert draw_nuisances(rng, 1.0, ("cup",)) == ("cup",)
    some = sum(bool(draw_nuisances(rng, 0.3)) for _ in range(500))
    assert 100 < some < 200


def test_who_speaks() -> None:
    assert speaks_with(("speech beat",), speaks=False)
    assert not speaks_with((POSED_MOUTH, "hand"), speaks=True)
    assert speaks_with(("hand",), speaks=True)


def test_episodes_leave_expressions_alone() -> None:
    busy = [(5.0, 7.0), (11.0, 12.0)]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for onset, length in place_episodes(rng, 20.0, lambda: 3.0, 1.0, busy, 0.0):
            assert all(onset + length <= a or b <= onset for a, b in busy)


# --- the face ---


@pytest.mark.parametrize("name", ["eye closure", "drowsy lids", "strong blink", "chewing"])
def test_the_face_moves_in_its_episodes_and_it_is_no_expression(name: str) -> None:
    script = script_with(name)
    moves, during = np.abs(script.script.weights).max(1) > 1e-6, inside(script, name)
    assert during.any()
    assert not (moves & ~during).any()
    assert moves[during].mean() > 0.5
    assert script.events == ()
    assert script.script.intensity.max() == 0
    lids = column(script, "eyeBlink_L")
    assert lids.max() <= LID_LIMIT + 1e-6
    assert np.array_equal(script.script.weights, script_with(name).script.weights)


def test_eyes_close_for_half_a_second_to_ten_and_lids_droop_to_a_half() -> None:
    seconds = []
    for seed in range(12):
        script = script_with("eye closure", seed=seed)
        shut = column(script, "eyeBlink_L") > 0.75
        for e in script.episodes:
            seconds.append(e.offset_s - e.onset_s)
            if e.onset_s > 0.1 and e.offset_s < 19.8:
                part = shut[round(e.onset_s * 30) : round(e.offset_s * 30)]
                assert part.sum() / 30 > 0.2 * (e.offset_s - e.onset_s)
    assert min(seconds) < 1.5 < 6 < max(seconds) < 10.1
    half = column(script_with("drowsy lids", seed=4), "eyeBlink_L")
    assert 0.15 < np.median(half[half > 0.1]) < 0.75


def test_strong_blinks_take_brows_and_cheeks_along_in_every_strength() -> None:
    reach = [column(script_with("strong blink", seed=s), "browDown_L").max() for s in range(15)]
    assert min(reach) < 0.1 < 0.3 < max(reach)


def test_heads_nod_and_beat_only_when_they_speak() -> None:
    still = replace(QUIET, head_scale=0.0)
    nods = script_with("head nod", config=still)
    moves = np.abs(np.diff(nods.script.pose, axis=0)).max(1) > 1e-4
    assert moves.any()
    assert not (moves & ~inside(nods, "head nod")[1:]).any()
    beats = script_with("speech beat", config=still, seed=2)
    assert np.ptp(beats.script.pose, axis=0).max() > 0.02
    assert column(beats, "jawOpen").max() > 0 or column(beats, "mouthLowerDown_L").max() > 0
    assert script_with("hand", config=still).script.pose.std(0).max() < 1e-6


def test_posed_mouths_are_expressions_in_chains_of_who_does_not_speak() -> None:
    lengths, most = [], 0
    for seed in range(12):
        config = replace(QUIET, speech_share=1.0)
        script = script_with(POSED_MOUTH, seed=seed, config=config)
        assert {e.interval.kind for e in script.events} <= {"macro"}
        lengths += [e.interval.length / 30 for e in script.events]
        most = max(most, len(script.events))
        quiet = script.script.intensity < 1e-6
        assert np.abs(script.script.weights[quiet]).max() < 0.2  # they swallow, nobody speaks
        posed = [e for e in script.episodes if e.name == POSED_MOUTH]
        spans = {(round(e.onset_s * 30), round(e.offset_s * 30)) for e in posed}
        events = {(e.interval.start, e.interval.stop - 1) for e in script.events}
        assert spans <= events
    assert most >= 8  # in twenty seconds
    assert 0.6 < np.median(lengths) < 2.5
    assert max(lengths) > 3
    names, shares = posed_repertoire()
    assert sum(shares) == pytest.approx(1)
    assert not set(POSED_MOUTHS) & set(repertoire(speaks=False)[0])
    assert set(names) <= set(EXPRESSIONS) | set(POSED_MOUTHS)


def test_training_crops_may_have_those_of_the_face() -> None:
    config = replace(QUIET, nuisance_share=1.0)
    moved = write_script(np.random.default_rng(3), 600, config)
    assert np.abs(moved.weights).max() > 0.1
    share = replace(TrainConfig().synth, nuisance_share=0.5)
    assert training_video_plan(TrainConfig(synth=share)).nuisance_share == 0.5
    assert "nuisance_share=0.5" in stable_repr(share)
    assert "nuisance" not in stable_repr(TrainConfig().synth)  # shards of before stay valid


# --- the picture ---


@pytest.mark.parametrize("name", COVER_NUISANCES)
def test_something_comes_before_the_face(name: str) -> None:
    patch = draw_patch(np.random.default_rng(2), name, SKIN)
    middle = patch.alpha.shape[0] // 2
    assert patch.alpha[middle - 40 : middle + 40, middle - 40 : middle + 40].max() > 0.9
    assert patch.alpha[:20].max() == 0  # it is held from below
    assert patch.picture[patch.alpha > 0.9].std() > 5  # shading and texture
    image = np.full((120, 160, 3), 128, np.uint8)
    still = np.full((1, 2), 0.5, np.float32)
    cover = Cover(name, 2, still, np.zeros(1, np.float32), 1.0, np.array([True]))
    to_frame = np.array([[60.0, 0, 50], [0, 60, 20]])
    covered = lay_cover(image, cover, patch, 0, to_frame)
    assert np.abs(covered[40:60, 70:90].astype(int) - 128).max() > 10  # where its middle is
    assert (covered[:10, :20] == 128).all()
    assert lay_cover(image, replace(cover, shown=np.array([False])), patch, 0, to_frame) is image


def test_covers_come_and_go_between_expressions() -> None:
    busy = [(4.0, 5.0), (9.0, 12.0)]
    for seed in range(10):
        cover, episodes = draw_cover(np.random.default_rng(seed), "cup", TIMES, busy)
        hidden = [cover.shown[(a <= TIMES) & (b > TIMES)].mean() for a, b in busy]
        assert max(hidden) <= 0.4
        for e in episodes:
            first, last = round(e.onset_s * 30), round(e.offset_s * 30)
            assert cover.shown[first : last + 1].all()
            if e.offset_s < 19.5:
                far = np.hypot(*(cover.centre[[first, last]] - 0.5).T)
                near = np.hypot(*(cover.centre[first : last + 1] - 0.5).T).min()
                assert far.min() > 1.0 > 0.6 > near


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory) -> Person:
    return draw_person(tmp_path_factory.mktemp("people"), "ann", 1, smiles=False)


def frame_view(ann: Person, path: ViewPath) -> tuple[FrameView, np.ndarray]:
    """Frames of 96 x 80 of a still face, and its points."""
    photo = ann.neutral.read()
    bottom = photo_bottom(photo, ann.neutral.landmarks)
    framing = draw_framing(np.random.default_rng(0), 96, 80, bottom)
    scene = person_scene(ann, photo, framing, 0.8)
    renderer = FrameRenderer(ann.avatar(96), 96, 80, framing.span, scene=scene)
    rest = np.zeros(len(motion_basis().names), np.float32)
    points = renderer.project(rest, 0.0, np.zeros(3, np.float32), np.zeros(2, np.float32))
    return FrameView(renderer, framing, PictureNuisances(path, (), 1.0, 0.0, ())), points


def test_who_leans_in_is_larger_and_who_leaves_is_gone(ann: Person) -> None:
    path = ViewPath.still(4)
    path.zoom[1], path.leave[2], path.roll[3] = 1.5, (1.1, 0.0), 0.4
    view, points = frame_view(ann, path)
    none = np.zeros(2, np.float32)
    images, eyes = zip(*(view.render(t, points, none, 0.0, none) for t in range(4)), strict=True)
    plain = view.renderer.render(points, none)
    assert np.array_equal(images[0], plain)
    assert {image.shape for image in images} == {(80, 96, 3)}
    assert (eyes[1] - 0.5) == pytest.approx(1.5 * (eyes[0] - 0.5), abs=1e-4)
    assert eyes[2][0] - 0.3 > view.framing.span[2]  # to the right of the picture
    assert eyes[3][0] > eyes[0][0] + 0.1  # to the right shoulder of the picture
    assert images[2].std() < 0.6 * plain.std()  # the face is noise, the wall is blurred


def test_a_frame_is_turned_round_the_neck() -> None:
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (120, 150, 3), np.uint8)
    same = roll_frame(wide, roll_matrix(0.0, np.array([50.0, 70.0])), (100, 80))
    assert np.array_equal(same, wide[20:100, 25:125])
    turn = roll_matrix(0.5, np.array([50.0, 70.0]))
    assert turn @ [50, 70, 1] == pytest.approx([50, 70])
    assert (turn @ [50, 0, 1])[0] > 50  # clockwise: the crown goes to the right


def test_low_light_leaves_less_light_and_more_noise() -> None:
    bright = CameraSettings.draw(np.random.default_rng(1), TIMES)
    lights = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        nuisances = PictureNuisances.draw(rng, ("low light",), TIMES)
        dark = nuisances.dim(bright)
        lights.append(dark.exposure.mean() / bright.exposure.mean())
        assert dark.grain >= bright.grain
        assert [e.name for e in nuisances.episodes] == ["low light"]
    assert 0.09 < min(lights) < 0.3 < max(lights) < 0.7
    assert PictureNuisances.draw(np.random.default_rng(0), ("cup",), TIMES).dim(bright) is bright


# --- videos ---


@pytest.fixture
def drawn(ann: Person, monkeypatch: pytest.MonkeyPatch) -> Person:
    monkeypatch.setattr(videos, "find_people", lambda folder, report: ([ann], []))
    return ann


def make(out: Path, names: Sequence[str], **changes: object) -> list[dict[str, str]]:
    plan = replace(SMALL, hours=1 / 3600, seconds=1.0)
    plan = replace(plan, nuisance_share=1.0, nuisance_names=tuple(names))
    make_videos(Path("portraits"), out, replace(plan, **changes), silent)  # type: ignore[arg-type]
    return table(out / "nuisances.csv")


def test_a_table_says_which_video_has_which_nuisance_when(drawn: Person, tmp_path: Path) -> None:
    names = ("hand", "head roll", "low light", "head nod")
    rows = make(tmp_path / "a", names, seed=3)
    assert list(rows[0]) == list(NUISANCE_COLUMNS)
    assert {row["nuisance"] for row in rows} <= set(names)
    assert {row["video"] for row in rows} == {"ann_001.mp4"}
    for row in rows:
        first, last = int(row["onset_frame"]), int(row["offset_frame"])
        assert 1 <= first <= last <= 30
        assert float(row["onset_s"]) == pytest.approx((first - 1) / 30, abs=1e-5)
    before = files(tmp_path / "a")
    (tmp_path / "a" / "nuisances.csv").unlink()
    (tmp_path / "a" / "ann_001.mp4").unlink()
    make(tmp_path / "a", names, seed=3)
    assert files(tmp_path / "a") == before
    settings = json.loads(before["synth.json"])["settings"]
    assert (settings["nuisance_share"], settings["nuisance_names"]) == (1.0, list(names))
    with pytest.raises(UsageError, match=r"expected nuisance_share 1\.0 as in .*, got None"):
        plan = replace(SMALL, hours=1 / 3600, seconds=1.0, seed=3)
        make_videos(Path("portraits"), tmp_path / "a", plan, silent)


def test_without_the_option_nothing_is_new(drawn: Person, tmp_path: Path) -> None:
    plan = replace(SMALL, hours=1 / 3600, seconds=1.0)
    make_videos(Path("portraits"), tmp_path, plan, silent)
    assert "nuisances.csv" not in files(tmp_path)
    settings = json.loads((tmp_path / "synth.json").read_text())["settings"]
    assert not [name for name in settings if "nuisance" in name]
    with pytest.raises(UsageError, match=r"expected nuisance_share None as in .*, got 1\.0"):
        make(tmp_path, ("hand",))


def test_television_is_small_and_a_low_rate_is_low(drawn: Person, tmp_path: Path) -> None:
    rows = make(tmp_path, ("television", "low rate"), width=320, height=240)
    assert [row["nuisance"] for row in rows] == ["low rate", "television"]
    (video,) = table(tmp_path / "videos.csv")
    assert 15 <= float(video["fps"]) <= 20
    with open_source(tmp_path / "ann_001.mp4") as source:
        frames = list(source)
    assert frames[0].image.shape == (192, 256, 3)
    assert len(frames) == int(video["frames"]) == round(float(video["fps"]))
    assert frames[-1].time == pytest.approx((len(frames) - 1) / float(video["fps"]), abs=1e-3)


def test_what_a_face_does_does_not_hang_on_the_picture(drawn: Person) -> None:
    plan = replace(SMALL, nuisance_share=1.0, nuisance_names=("hand", "lean"))
    with_hand, _ = sample_script(videos.VideoJob(0, "ann", drawn, "ann_001", 11, plan))
    usual, _ = sample_script(videos.VideoJob(0, "ann", drawn, "ann_001", 11, SMALL))
    assert np.array_equal(with_hand.script.weights, usual.script.weights)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"nuisance_share": 1.5}, "expected a share of videos with nuisances from 0 to 1, got 1.5"),
        ({"nuisance_names": ("cat",)}, "expected nuisances out of eye closure, .*, got 'cat'"),
        ({"nuisance_names": ()}, "expected at least one nuisance, got none"),
    ],
)
def test_plans_out_of_range(values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        VideoPlan(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["photos", "out", "--nuisance", "cup"], "expected --nuisances with --nuisance"),
        (["photos", "out", "--nuisances", "1", "--nuisance", "cat"], "got 'cat'"),
        (["--footage", "clips", "out", "--nuisances", "1"], "expected no --nuisances with"),
    ],
)
def test_wrong_calls(options: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["synth", *options])
    assert isinstance(done.exception, UsageError) and words in str(done.exception)

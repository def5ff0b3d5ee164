"""Long labelled videos from portraits: the set, its truth, one performance, one scene, one look."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import fesnet
from fesnet.cli import main
from fesnet.errors import SourceError, UsageError
from fesnet.faces import ModelFiles
from fesnet.faces.align import CANONICAL_STABLE, STABLE
from fesnet.intervals import Interval
from fesnet.jobs import Executor, ProcessPool
from fesnet.metrics import count, overall
from fesnet.synth.render import portraits
from fesnet.synth.render.avatar import LIP_LOWER, LIP_UPPER
from fesnet.synth.render.frame_camera import CameraSettings, FrameCamera
from fesnet.synth.render.frame_renderer import FrameRenderer, half_grid, lattice_value
from fesnet.synth.render.portraits import FacePhoto, Person, find_people, read_avatars
from fesnet.synth.render.scene import (
    Framing,
    draw_framing,
    make_scene,
    photo_bottom,
    photo_rim_above,
)
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.expressions import EXPRESSIONS
from fesnet.synth.script.plan import VideoPlan, video_seed
from fesnet.synth.script.video_script import Event, EventRecorder, sample_track, write_video_script
from fesnet.synth.script.writer import ScriptWriter
from fesnet.synth.videos import videos
from fesnet.synth.videos.demo_video import write_truth
from fesnet.synth.videos.encoder import person_scene
from fesnet.synth.videos.videos import (
    TRUTH_COLUMNS,
    VIDEO_COLUMNS,
    make_videos,
    sample_script,
    subject_names,
)
from fesnet.video import open_source

PORTRAIT = Path(fesnet.__file__).parent / "assets" / "portrait.jpg"
BUSY = SynthConfig(macro_per_minute=20, micro_per_minute=20, quiet_share=0.0, jitter_scale=0.0)
# Two videos of a second and a half with something in most of them; the seed is one for which both
# kinds occur.
SMALL = VideoPlan(
    hours=3 / 3600,
    seconds=1.5,
    width=96,
    height=80,
    macro_per_minute=30,
    micro_per_minute=30,
    quiet_share=0,
    seed=11,
)


def draw_person(folder: Path, name: str, seed: int, *, smiles: bool) -> Person:
    """A person whose photo is drawn: canonical landmarks, known exactly, on coarse noise."""
    rng = np.random.default_rng(seed)
    photo = np.kron(rng.integers(90, 220, (40, 40, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    points = motion_basis().canonical * 200 + [60, 60, 0]
    points[list(LIP_LOWER), 1] = points[list(LIP_UPPER), 1] + 0.5
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{name}.png"), photo)
    cv2.imwrite(str(folder / f"{name}-smiling.png"), np.roll(photo, 5, 0))
    shot = FacePhoto(folder / f"{name}.png", points.astype(np.float32))
    other = points.copy()
    other[61:292:230, :2] += [[-6, -4], [6, -4]]  # the corners of the mouth
    return Person(
        name,
        shot,
        FacePhoto(folder / f"{name}-smiling.png", other.astype(np.float32)) if smiles else None,
    )


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[Person]:
    folder = tmp_path_factory.mktemp("people")
    return [draw_person(folder, "ann", 1, smiles=True), draw_person(folder, "bob", 2, smiles=False)]


@pytest.fixture
def drawn(people: list[Person], monkeypatch: pytest.MonkeyPatch) -> list[Person]:
    """`make_videos` finds these people, whatever the folder holds: no face model is needed."""
    monkeypatch.setattr(videos, "find_people", lambda folder, report: (people, []))
    return people


def silent(what: str, share: float) -> None:
    assert what
    assert 0 <= share <= 1


def make(out: Path, plan: VideoPlan = SMALL) -> videos.SynthesisResult:
    return make_videos(Path("portraits"), out, plan, silent)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def files(out: Path) -> dict[str, bytes]:
    """All but what a worker that was killed while it wrote has left behind."""
    return {p.name: p.read_bytes() for p in sorted(out.iterdir()) if not p.name.startswith(".")}


def frames_of(row: dict[str, str], more: int) -> list[int]:
    return [int(row[f"{name}_frame"]) + more for name in ("onset", "apex", "offset")]


# --- the set ---


def test_a_set_has_videos_truth_and_settings(drawn: list[Person], tmp_path: Path) -> None:
    outcome = make(tmp_path / "out")
    assert outcome.made == ("ann_001", "bob_001")
    names = ["ann_001.mp4", "ann_001.truth.csv", "bob_001.mp4", "bob_001.truth.csv"]
    assert sorted(files(tmp_path / "out")) == [*names, "synth.json", "truth.csv", "videos.csv"]
    rows = table(tmp_path / "out" / "videos.csv")
    assert list(rows[0]) == list(VIDEO_COLUMNS)
    assert [(r["subject"], r["video"], r["fps"], r["frames"]) for r in rows] == [
        ("ann", "ann_001.mp4", "30", "45"),
        ("bob", "bob_001.mp4", "30", "45"),
    ]
    for row in rows:
        with open_source(tmp_path / "out" / row["video"]) as source:
            frames = list(source)
        assert len(frames) == int(row["frames"])
        assert frames[0].image.shape == (80, 96, 3)
        assert np.abs(frames[40].image.astype(int) - frames[0].image).mean() > 0.5
    facts = json.loads((tmp_path / "out" / "synth.json").read_text())
    assert facts["settings"]["seed"] == SMALL.seed
    assert len(facts["portraits"]) == 3  # two photos of ann, one of bob
    assert str(outcome).startswith(f"2 videos in {tmp_path / 'out'}, with ")


def test_truth_is_one_based_and_lies_inside(drawn: list[Person], tmp_path: Path) -> None:
    outcome = make(tmp_path)
    rows = table(tmp_path / "truth.csv")
    assert list(rows[0]) == list(TRUTH_COLUMNS)
    assert {r["kind"] for r in rows} == {"macro", "micro"}
    assert outcome.events == {k: sum(r["kind"] == k for r in rows) for k in ("macro", "micro")}
    for row in rows:
        onset, apex, offset = (int(row[f"{n}_frame"]) for n in ("onset", "apex", "offset"))
        assert 1 <= onset <= apex <= offset <= 45
        assert 0 < float(row["amplitude"]) < 2
        assert 0.1 < float(row["pixels"]) < 20
    for name in (
        "ann_001",
        "bob_001",
    ):  # the same beside each video, in the columns and counting of `fesnet spot`
        own = [frames_of(row, 1) for row in table(tmp_path / f"{name}.truth.csv")]
        all_of_it = [frames_of(row, 0) for row in rows if row["video"] == f"{name}.mp4"]
        assert own == all_of_it


def test_the_metric_reads_the_truth(drawn: list[Person], tmp_path: Path) -> None:
    make(tmp_path)
    counts = []
    for video in table(tmp_path / "videos.csv"):
        rows = [r for r in table(tmp_path / "truth.csv") if r["video"] == video["video"]]
        truth = [
            Interval.from_inclusive(
                int(r["onset_frame"]), int(r["offset_frame"]), r["kind"], apex=int(r["apex_frame"])
            )  # type: ignore[arg-type]
            for r in rows
        ]
        assert all(t.stop <= int(video["frames"]) for t in truth)
        counts.append(count(truth, truth))
    assert overall(counts)["overall"].f1 == 1


def test_more_videos_leave_the_first_ones_as_they_are(drawn: list[Person], tmp_path: Path) -> None:
    make(tmp_path / "two")
    make(tmp_path / "three", replace(SMALL, hours=4.5 / 3600))
    two, three = files(tmp_path / "two"), files(tmp_path / "three")
    same = [n for n in two if n.startswith(("ann", "bob"))]
    assert [n for n in same if two[n] != three[n]] == []
    assert "ann_002.mp4" in three
    assert three["truth.csv"].startswith(two["truth.csv"])
    assert three["ann_002.mp4"] != three["ann_001.mp4"]


def test_another_seed_makes_another_set(drawn: list[Person], tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b", replace(SMALL, seed=4))
    a, b = files(tmp_path / "a"), files(tmp_path / "b")
    assert a["ann_001.mp4"] != b["ann_001.mp4"]
    assert a["truth.csv"] != b["truth.csv"]
    assert len({video_seed(s, n) for s in range(20) for n in range(20)}) == 400


def test_a_second_start_makes_only_what_is_missing(drawn: list[Person], tmp_path: Path) -> None:
    make(tmp_path)
    before = files(tmp_path)
    (tmp_path / "ann_001.mp4").unlink()
    (tmp_path / "truth.csv").unlink()
    (tmp_path / ".ann_001.mp4.123.part").write_bytes(b"of a run that was killed")
    kept = (tmp_path / "bob_001.mp4").stat().st_mtime_ns
    outcome = make(tmp_path)
    assert (outcome.made, outcome.kept) == (("ann_001",), ("bob_001",))
    assert files(tmp_path) == before  # and it does not matter which is made first
    assert (tmp_path / "bob_001.mp4").stat().st_mtime_ns == kept
    assert "(1 were there already)" in str(outcome)


def test_a_break_leaves_whole_files_alone(drawn: list[Person], tmp_path: Path) -> None:
    def stop(what: str, share: float) -> None:
        assert what == "looking for faces" or share == 0.5
        if what == "filming":  # the first video is done
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_videos(Path("portraits"), tmp_path, SMALL, stop)
    left = files(tmp_path)
    assert "ann_001.mp4" in left
    assert not [n for n in left if n.endswith(".part") or n == "bob_001.mp4"]
    assert [r["video"] for r in table(tmp_path / "videos.csv")] == ["ann_001.mp4"]


def test_every_engine_makes_the_same(
    drawn: list[Person], tmp_path: Path, ray_executor: Executor
) -> None:
    """A worker of the pool is killed in the middle, too: its video is made again."""
    four = replace(SMALL, hours=6 / 3600)
    make(tmp_path / "here", four)
    killed: list[int] = []
    with ProcessPool(2) as pool:

        def kill(what: str, share: float) -> None:
            if what == "filming" and not killed:
                killed.extend(w.process.pid or 0 for w in pool.workers if w.work)
                os.kill(killed[-1], signal.SIGKILL)

        make_videos(Path("portraits"), tmp_path / "pool", four, kill, pool)
    make_videos(Path("portraits"), tmp_path / "ray", four, silent, ray_executor)
    assert killed, "there was nothing to kill"
    wanted = files(tmp_path / "here")
    assert len(wanted) == 11
    assert files(tmp_path / "pool") == wanted
    assert files(tmp_path / "ray") == wanted


def test_videos_play_from_the_start(drawn: list[Person], tmp_path: Path) -> None:
    """The index (moov) stands before the pictures (mdat), so a browser need not fetch the whole
    file first.
    """
    make(tmp_path, replace(SMALL, hours=1.5 / 3600))
    data = (tmp_path / "ann_001.mp4").read_bytes()
    boxes, at = [], 0
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        boxes.append(name.decode())
        at += size
    assert boxes.index("moov") < boxes.index("mdat")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 5}, "expected seed 11 as in .*synth.json, got 5; name another folder"),
        ({"seconds": 2.0}, "expected seconds 1.5 as in"),
        ({"rates": (25.0,)}, "expected rates .30.0. as in .*, got .25.0."),
    ],
)
def test_other_settings_want_another_folder(
    change: dict[str, object], words: str, drawn: list[Person], tmp_path: Path
) -> None:
    make(tmp_path, replace(SMALL, hours=1.5 / 3600))
    before = files(tmp_path)
    with pytest.raises(UsageError, match=words):
        make(tmp_path, replace(SMALL, **change))  # type: ignore[arg-type]
    assert files(tmp_path) == before


def test_other_portraits_want_another_folder(drawn: list[Person], tmp_path: Path) -> None:
    make(tmp_path, replace(SMALL, hours=1.5 / 3600))
    drawn[1:] = [draw_person(tmp_path / "more", "cid", 9, smiles=False)]
    try:
        with pytest.raises(UsageError, match="expected the same portraits as in"):
            make(tmp_path)
    finally:
        drawn[1:] = [draw_person(drawn[0].neutral.path.parent, "bob", 2, smiles=False)]


def test_folders_with_something_else_are_refused(drawn: list[Person], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"expected a new or empty folder, but .* holds mine\.txt"):
        make(tmp_path)
    assert list(files(tmp_path)) == ["mine.txt"]
    (tmp_path / "synth.json").write_text("{")
    with pytest.raises(UsageError, match="but it is damaged"):
        make(tmp_path)
    with pytest.raises(
        UsageError, match=r"expected an output folder that can be written, got .*mine\.txt"
    ):
        make(tmp_path / "mine.txt")
    with pytest.raises(UsageError, match="expected an output folder that can be written"):
        make(tmp_path / "mine.txt" / "out")


def test_no_usable_face_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        videos,
        "find_people",
        lambda folder, report: ([], ["expected a face in tree.jpg, found none"]),
    )
    with pytest.raises(
        SourceError, match="expected a frontal face in a photo of portraits, found none in 1"
    ):
        make(tmp_path / "deep" / "out")
    assert not (tmp_path / "deep").exists()


def test_people_have_names_of_their_own(people: list[Person]) -> None:
    shots = [
        replace(people[0].neutral, path=Path(n))
        for n in ("a.jpg", "A.png", "b.jpg", "bad\udcff.jpg")
    ]
    assert subject_names([Person(s.path.stem, s) for s in shots]) == ["a.jpg", "A.png", "b", "bad?"]


# --- what is asked for ---


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hours": -1.0}, "expected hours above 0 and up to 1000, got -1.0"),
        ({"hours": float("nan")}, "expected hours above 0"),
        ({"seconds": 0.0}, "expected a length from 1 to 3600 seconds, got 0.0"),
        ({"seed": -1}, "expected a seed of 0 or more, got -1"),
        ({"width": 8}, "expected a picture of 64 to 4096 pixels a side, got 8x480"),
        ({"rates": (30.0, 0.0)}, "expected rates from 10 to 240 frames a second, got .30.0, 0.0."),
        ({"rates": ()}, "expected at least one rate"),
        ({"dropped": 0.9}, "expected a share of dropped frames from 0 to 0.5, got 0.9"),
        ({"crf": (30, 18)}, "expected crf from 0 to 51, the lower first, got 30-18"),
        ({"micro_per_minute": 99.0}, "expected 0 to 30 micro-expressions a minute, got 99.0"),
        ({"speech_share": 2.0}, "expected a share of speech from 0 to 1, got 2.0"),
        (
            {"macro_amplitude": (0.5, 3.0)},
            "expected macro strengths of 0.01 to 2 full expressions, .* got .0.5, 3.0.",
        ),
        (
            {"micro_amplitude": (0.5, 0.2)},
            "expected micro strengths of 0.01 to 2 full expressions, the lower first",
        ),
    ],
)
def test_plans_out_of_range(values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        VideoPlan(**values)  # type: ignore[arg-type]


def test_plans_from_texts() -> None:
    plan = VideoPlan.from_options(
        "320x240", "18-30", [25.0, 60.0], {"hours": 0.5, "seconds": 100.0}
    )
    assert (plan.width, plan.height, plan.crf, plan.rates, plan.count) == (
        320,
        240,
        (18, 30),
        (25.0, 60.0),
        18,
    )
    assert VideoPlan.from_options("320x240", "23", [25.0], {}).crf == (23, 23)
    assert VideoPlan(hours=0.01).count == 1
    with pytest.raises(UsageError, match="expected a size such as 640x480, got 'big'"):
        VideoPlan.from_options("big", "23", [25.0], {})
    with pytest.raises(
        UsageError, match="expected a crf such as 18, or a range such as 18-30, got 'good'"
    ):
        VideoPlan.from_options("64x64", "good", [25.0], {})
    strong = VideoPlan.from_options(
        "64x64", "23", [25.0], {"macro_amplitude": "0.5-1", "micro_amplitude": ".4"}
    )
    assert (strong.macro_amplitude, strong.micro_amplitude) == ((0.5, 1.0), (0.4, 0.4))
    with pytest.raises(
        UsageError,
        match=r"expected a micro strength such as 0.3, or a range such as 0.3-0.9, got 'a'",
    ):
        VideoPlan.from_options("64x64", "23", [25.0], {"micro_amplitude": "a"})


def test_expressions_are_as_strong_as_asked() -> None:
    plan = VideoPlan(
        macro_per_minute=20,
        micro_per_minute=20,
        macro_amplitude=(1, 1.1),
        micro_amplitude=(0.4, 0.5),
    )
    events = [
        e
        for s in range(10)
        for e in write_video_script(
            np.random.default_rng(s), np.arange(600) / 30, plan.script
        ).events
    ]
    whole = {
        kind: [e.amplitude for e in events if e.interval.kind == kind]
        for kind in ("macro", "micro")
    }
    assert 0.9 < np.median(whole["macro"]) < 1.3
    assert 0.35 < np.median(whole["micro"]) <= 0.5


def test_without_expressions_there_is_no_truth() -> None:
    script = VideoPlan(macro_per_minute=0, micro_per_minute=0).script
    assert all(
        not write_video_script(np.random.default_rng(s), np.arange(90) / 30, script).events
        for s in range(5)
    )


# --- one performance ---


def test_what_happens_does_not_depend_on_the_frame_rate() -> None:
    plays = {
        r: write_video_script(np.random.default_rng(2), np.arange(round(8 * r)) / r, BUSY)
        for r in (25.0, 30.0, 60.0, 200.0)
    }
    assert len(plays[30.0].events) >= 3
    for rate, play in plays.items():
        for own, usual in zip(play.events, plays[30.0].events, strict=True):
            a, b = own.interval, usual.interval
            assert a.kind == b.kind
            assert a.start / rate == pytest.approx(b.start / 30, abs=0.5 / 30 + 0.5 / rate)
            assert (a.stop - 1) / rate == pytest.approx(
                (b.stop - 1) / 30, abs=0.5 / 30 + 1 / rate
            )  # cut at the end
        at = round(4 * rate)
        assert play.script.weights[at] == pytest.approx(plays[30.0].script.weights[120], abs=1e-5)


def test_dropped_frames_move_the_truth_with_them(people: list[Person]) -> None:
    plan = replace(SMALL, seconds=20, dropped=0.3)
    whole, _ = sample_script(
        videos.VideoJob(0, "ann", people[0], "ann_001", 11, replace(plan, dropped=0.0))
    )
    gappy, recording = sample_script(videos.VideoJob(0, "ann", people[0], "ann_001", 11, plan))
    assert 350 < len(gappy) < 490
    assert len(whole) == 600
    assert gappy.times[-1] == whole.times[-1]
    for a, b in zip(gappy.events, whole.events, strict=True):
        assert gappy.times[a.interval.start] == pytest.approx(
            whole.times[b.interval.start], abs=0.2
        )
        assert gappy.times[a.interval.start] >= whole.times[b.interval.start] - 1e-9
    assert recording.fps == 30


def test_dropped_frames_leave_gaps_in_the_file(drawn: list[Person], tmp_path: Path) -> None:
    make(tmp_path, replace(SMALL, hours=1.5 / 3600, dropped=0.4))
    with open_source(tmp_path / "ann_001.mp4") as source:
        times = np.array([f.time for f in source])
    steps = np.rint(np.diff(times) * 30).astype(int)
    assert set(steps) > {1}
    assert steps.sum() == 44
    row = table(tmp_path / "videos.csv")[0]
    assert (int(row["frames"]), row["seconds"]) == (len(times), "1.5")


def test_events_are_recorded_by_themselves() -> None:
    """What an event adds is known although speech, blinks and other events move the same face."""
    config = replace(BUSY, speech_share=1.0)
    recorder = EventRecorder(np.random.default_rng(8), 900, config)
    recorder.write_expressions()
    alone = ScriptWriter(np.random.default_rng(8), 900, config)
    alone.write_expressions()
    assert [e.interval for e in recorder.recorded] == alone.events
    single = [
        e
        for e in recorder.recorded
        if not any(e.interval.overlap(o.interval) for o in recorder.recorded if o is not e)
    ]
    assert len(single) > 5
    for event in single:
        top = event.interval.start + int(event.curve.argmax())
        assert event.amplitude == pytest.approx(alone.intensity[top], abs=0.1)
        assert event.weights == pytest.approx(alone.weights[top], abs=0.1)


def test_pixels_are_those_of_the_crop() -> None:
    frown = motion_basis().weights({"browDown": 1.0})
    event = Event(Interval(0, 3, "macro"), np.array([0.2, 0.5, 0.2], np.float32), 0.5 * frown, 0.0)
    moved = np.tensordot(0.5 * frown, motion_basis().delta, 1)[:, :2]
    smile = np.zeros((468, 2), np.float32)
    assert event.pixels(smile) == pytest.approx(96 * np.hypot(*moved.T).max())
    smile[61] = [0.03, 0.04]
    assert replace(event, weights=0 * frown, smile=0.5).pixels(smile) == pytest.approx(96 * 0.025)


def test_videos_may_open_and_end_inside_an_event_but_do_not_always() -> None:
    plays = [
        write_video_script(np.random.default_rng(s), np.arange(300) / 30, BUSY) for s in range(60)
    ]
    opened = [any(e.interval.start == 0 for e in p.events) for p in plays]
    assert 0.05 < np.mean(opened) < 0.7
    assert any(e.interval.stop == 300 for p in plays for e in p.events)
    assert all(e.interval.stop <= 300 for p in plays for e in p.events)


def test_sampling_is_exact_on_whole_frames_and_smooth_between() -> None:
    track = np.sin(np.arange(40) / 5).astype(np.float32)
    assert sample_track(track, np.arange(1.0, 35)) == pytest.approx(track[1:35], abs=1e-6)
    assert sample_track(track, np.array([10.5])) == pytest.approx(np.sin([10.5 / 5]), abs=1e-3)
    assert sample_track(track[:, None].repeat(3, 1), np.array([2.25])).shape == (1, 3)


def test_truth_has_the_times_of_the_frames(tmp_path: Path) -> None:
    times = np.array([0, 0.1, 0.15, 0.4, 0.5])
    write_truth(tmp_path / "t.csv", "v.mp4", [Interval(1, 4, "micro", apex=2)], times)
    row = table(tmp_path / "t.csv")[0]
    assert [
        float(row[n]) for n in ("onset_s", "apex_s", "offset_s", "duration_s")
    ] == pytest.approx([0.1, 0.15, 0.4, 0.3])


# --- one scene, one look ---


@pytest.fixture(scope="module")
def framing() -> Framing:
    return Framing(160, 120, 70.0, 45.0, 20.0)


def test_scene_and_moving_part_have_no_seam(people: list[Person], framing: Framing) -> None:
    scene = person_scene(people[0], people[0].neutral.read(), framing)
    avatar = people[0].avatar(96)
    renderer = FrameRenderer(avatar, 160, 120, framing.span, scene=scene)
    neutral = renderer.render(avatar.points[:, :2], np.zeros(2, np.float32))
    assert np.abs(neutral.astype(int) - renderer.render_still(renderer.xs, renderer.ys)).max() <= 3
    shaken = renderer.render(avatar.points[:, :2], np.zeros(2, np.float32), view=(3 / 70, -2 / 70))
    assert np.abs(shaken[2:, :-3].astype(int) - neutral[:-2, 3:]).mean() < 1


def test_the_face_stands_where_the_framing_says(people: list[Person], framing: Framing) -> None:
    scene = make_scene(framing, people[0].neutral.read(), people[0].neutral.landmarks)
    photo, landmarks = people[0].neutral.read(), people[0].neutral.landmarks
    nose = scene.place(CANONICAL_STABLE[STABLE.index(197)].astype(np.float32))
    x, y = landmarks[197, :2]
    patch = cv2.getRectSubPix(photo, (9, 9), (float(x) - 0.5, float(y) - 0.5)).mean((0, 1))
    side = int(9 * 70 * 1.25 / 200)
    there = cv2.getRectSubPix(scene.picture, (side, side), (float(nose[0]), float(nose[1]))).mean(
        (0, 1)
    )
    assert there == pytest.approx(patch, abs=12)


def test_beyond_the_photo_nothing_is_sharp(people: list[Person]) -> None:
    wide = Framing(320, 200, 50.0, 135.0, 70.0)
    scene = make_scene(wide, people[0].neutral.read(), people[0].neutral.landmarks)
    far = scene.picture[:, : int(1.2 * scene.pixels)].astype(float)
    near = scene.picture[
        int(1.8 * scene.pixels) : int(2.2 * scene.pixels),
        int(3 * scene.pixels) : int(3.4 * scene.pixels),
    ]
    assert (
        np.abs(np.diff(far, axis=1)).mean()
        < 0.2 * np.abs(np.diff(near.astype(float), axis=1)).mean()
    )
    ramp = photo_rim_above(
        np.concatenate([np.zeros((50, 30, 3), np.uint8), np.full((50, 30, 3), 200, np.uint8)], 1)
    )
    assert ramp.shape == (1, 60, 3)
    assert ramp[0, [0, -1], 0].tolist() == [0, 200]


def test_framings_keep_the_face_inside(people: list[Person]) -> None:
    shot = people[0].neutral
    assert photo_bottom(shot.read(), shot.landmarks) == pytest.approx(1.3, abs=0.01)
    for seed in range(50):
        for width, height in ((640, 480), (480, 640), (64, 64), (1920, 1080)):
            f = draw_framing(np.random.default_rng(seed), width, height, 1.1)
            x0, y0, x1, y1 = f.span
            assert x0 < 0.15
            assert x1 > 0.85
            assert y0 < 0.05
            assert y1 > 0.95


def test_a_raised_brow_does_not_show_the_eye_twice(people: list[Person]) -> None:
    """Where a picture comes from must be where it goes to, also where the face is stretched
    most.
    """
    avatar = people[0].avatar(96)
    renderer = FrameRenderer(avatar, 200, 200, (0, 0, 1, 1))
    weights = motion_basis().weights({n: 1.1 * w for n, w in EXPRESSIONS["brow raise"].items()})
    zero = np.zeros(3, np.float32)
    field = renderer.interpolate_lattice(
        renderer.project(weights, 0.0, zero, zero[:2]) - avatar.points[:, :2]
    )
    q = np.stack(np.meshgrid(half_grid(renderer.xs), half_grid(renderer.ys)), -1)
    back = renderer.invert(field, q)
    error = np.linalg.norm(back + lattice_value(field, q + back), axis=-1)
    assert error.max() < 0.01


def test_people_without_a_smiling_photo_smile_too(people: list[Person]) -> None:
    zero = np.zeros(3, np.float32)
    none = np.zeros(len(motion_basis().names), np.float32)
    for person in people:
        renderer = FrameRenderer(person.avatar(96), 96, 80)
        corner = (
            renderer.project(none, 1.0, zero, zero[:2])[61]
            - renderer.project(none, 0.0, zero, zero[:2])[61]
        )
        assert np.linalg.norm(corner) * 96 > 1
        assert person.smile()[61] == pytest.approx(corner, abs=0.01)


def test_looks_differ_and_stay_in_range() -> None:
    times = np.arange(60) / 30
    xs, ys = (
        np.linspace(-0.5, 1.5, 80, dtype=np.float32),
        np.linspace(-0.3, 1.2, 60, dtype=np.float32),
    )
    grey = np.full((60, 80, 3), 120, np.uint8)
    levels = []
    for seed in range(40):
        look = CameraSettings.draw(np.random.default_rng(seed), times)
        assert look.exposure.shape == (60,)
        assert np.abs(look.view).max() <= 0.14
        developer = FrameCamera(look, xs, ys, np.random.default_rng(seed))
        first, second = (
            developer.simulate(
                look.apply_tone_curve(grey), t, np.zeros(3, np.float32), np.array([0.5, 0.36])
            )
            for t in (0, 59)
        )
        assert first.shape == grey.shape
        assert first.dtype == np.uint8
        assert not np.array_equal(first, second)
        levels.append(first.mean())
    assert np.std(levels) > 8
    assert 40 < np.mean(levels) < 160


# --- with the face models, as a user calls it ---


Call = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs `fesnet synth`: exit code, what it printed, and the lines on stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, list[str]]:
        monkeypatch.setattr(sys, "argv", ["fesnet", "synth", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err.splitlines()

    return run


SHORT = ("--hours", "0.0003", "--seconds", "1", "--size", "96x80")


def test_a_photo_without_a_face_is_named_and_the_rest_is_made(
    call: Call, face_models: ModelFiles, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(PORTRAIT, photos / "10.jpg")
    shutil.copy(PORTRAIT, photos / "9.jpg")
    ramp = np.tile(np.arange(200, dtype=np.uint8)[:, None, None], (1, 300, 3))
    cv2.imwrite(str(photos / "hills.png"), ramp)
    found, left_out = find_people(photos)
    assert [p.name for p in found] == ["9", "10"]
    assert "hills.png" in left_out[0]
    code, printed, (line,) = call(photos, tmp_path / "out", *SHORT)
    assert code == 1
    assert line.startswith("fesnet: expected a face in ")
    assert "hills.png" in line
    assert "2 videos in" in printed
    assert {"9_001.mp4", "10_001.mp4"} <= set(files(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "synth.json").read_text())["left_out"] == left_out


def test_wrong_calls_end_in_one_line(call: Call, face_models: ModelFiles, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "hills.png"), np.zeros((90, 90, 3), np.uint8))
    (tmp_path / "file").write_text("mine")
    out = tmp_path / "out"
    for arguments, code, words in (
        ((photos, out, "--hours", "-1"), 2, "expected hours above 0"),
        ((photos, tmp_path / "file", *SHORT), 2, "expected an output folder that can be written"),
        ((tmp_path / "nothing", out, *SHORT), 2, "expected a folder of portraits"),
        ((photos, out, *SHORT), 1, "expected a frontal face in a photo of"),
    ):
        got, _, (line,) = call(*arguments)
        assert got == code
        assert line.startswith("fesnet: ")
        assert words in line
        assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "photos"]


def test_some_people_appear_a_second_time_and_smile_at_rest(
    people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ann has a smiling photo, Bob has none."""
    monkeypatch.setattr(portraits, "find_people", lambda folder: ([*people, people[0]], []))
    avatars, left_out = read_avatars(Path(), pixels=96, smiling_every=2)
    assert [p.name for p in avatars] == ["ann", "bob", "ann", "ann, smiling"]
    assert left_out == []
    assert avatars[-1].smile is None
    wider = np.ptp(avatars[-1].points[[61, 291], 0]) - np.ptp(avatars[0].points[[61, 291], 0])
    assert wider > 0.03
    assert [p.name for p in read_avatars(Path(), pixels=96)[0]] == ["ann", "bob", "ann"]

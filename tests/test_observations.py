"""What moved and what else happened: from steps' features to JSON, and to an interval's context."""

from __future__ import annotations

import csv
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fesnet import observe as module
from fesnet.exports.frames import FRAME_COLUMNS, write_frames_csv, write_frames_parquet
from fesnet.faces.landmark_features import LANDMARK_FEATURE_COUNT
from fesnet.facial_units import OUTPUTS, UNITS, what_moved
from fesnet.flags import find_closures, find_speech, lowest_before, moved_range, reversals
from fesnet.interval_features import column
from fesnet.observations import FLAGS, FaceObservations, blinks_of, context_of, runs
from fesnet.observe import neutral_levels, observe
from fesnet.result import Spotting
from fesnet.step_record import StepRecorder
from fesnet.unit_motion import motion_strengths
from made_results import bump, motions_of, observed_result, record_of, seen_of

RATE = 30.0


@pytest.mark.parametrize(
    ("motion", "unit", "side"),
    [
        ("mouthSmile", "12", "both"),
        ("mouthSmile_L", "12", "left"),
        ("browDown", "4", "both"),
        ("noseSneer_R", "9", "right"),
        ("eyeBlink_L", "46", "left"),
        ("jawRight", "30", "right"),
    ],
)
def test_a_played_motion_is_named_with_its_side(motion: str, unit: str, side: str) -> None:
    seen = seen_of(motions_of(150, **{motion: bump(150, 60, 100)}))
    context = context_of(seen, 60 / RATE, 99 / RATE, RATE)
    assert [(m.unit, m.side) for m in context.moved[:1]] == [(unit, side)]
    assert context.moved[0].strength > 0.6
    assert context_of(seen, 10 / RATE, 40 / RATE, RATE).moved == ()


def test_a_stronger_motion_has_a_higher_strength() -> None:
    found = [
        context_of(
            seen_of(motions_of(150, browInnerUp=share * bump(150, 60, 100))), 2.0, 3.3, RATE
        ).moved[0]
        for share in (0.2, 0.4, 0.6)
    ]
    strengths = [m.strength for m in found]
    assert {m.unit for m in found} == {"1"} and strengths == sorted(set(strengths))


def test_what_lasts_beyond_an_interval_did_not_move_in_it() -> None:
    smile = np.clip((np.arange(300) - 30) / 10, 0, 1)
    strengths = np.clip(motion_strengths(motions_of(300, mouthSmile=smile)), 0, 1)
    nothing = np.zeros(300, bool)
    assert what_moved(strengths, 150, 200, nothing) == ()
    assert [m.unit for m in what_moved(strengths, 25, 60, nothing)] == ["12"]


def test_both_eyes_closed_are_a_blink_or_a_closure_and_no_motion() -> None:
    eyes = bump(300, 60, 68) + np.where((np.arange(300) >= 150) & (np.arange(300) < 200), 1.0, 0)
    seen = seen_of(motions_of(300, eyeBlink=eyes * 1.2))
    found = [(b.kind, b.start_s) for b in blinks_of(seen, RATE)]
    assert [kind for kind, _ in found] == ["blink", "eyes_closed"]
    assert found[0][1] == pytest.approx(2.0, abs=0.15)
    assert found[1][1] == pytest.approx(5.0, abs=0.1)
    context = context_of(seen, 50 / RATE, 80 / RATE, RATE)
    assert context.moved == () and context.flags == ("blink",)


def test_lids_that_sink_slowly_are_no_closure_and_fast_ones_are() -> None:
    """Half closed eyes: by a blink, and by a head that tilts."""

    def half_closed(over: int) -> list[str]:
        ramp = np.concatenate([np.linspace(0, 1, over), np.linspace(1, 0, over)])
        eyes = np.zeros(300)
        eyes[150 - over : 150 + over] = 0.7 * ramp
        return [b.kind for b in blinks_of(seen_of(motions_of(300, eyeBlink=eyes)), RATE)]

    assert half_closed(3) == ["blink"]
    assert half_closed(14) == []


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=40), st.integers(1, 9))
def test_lowest_before_is_the_lowest(values: list[float], steps: int) -> None:
    found = lowest_before(np.array(values), steps)
    assert found.tolist() == [
        min(values[max(0, t - steps + 1) : t + 1]) for t in range(len(values))
    ]


def test_lips_that_go_on_moving_speak_and_a_single_opening_does_not() -> None:
    landmarks = np.zeros((300, LANDMARK_FEATURE_COUNT))
    lower = [column(p, 1) for p in (14, 17, 84, 314, 178, 402)]
    landmarks[:, lower] = bump(300, 100, 160)[:, None] * 2
    assert not find_speech(landmarks, RATE).any()
    landmarks[:, lower] = (np.sin(np.arange(300) / RATE * 2 * np.pi * 3)[:, None] + 1) * 0.8
    assert find_speech(landmarks, RATE)[60:240].all()


def test_reversals_are_peaks_and_troughs() -> None:
    values = np.array([0, 0.5, 1.0, 0.5, 0.0, 0.05, -0.02, 0.5, np.nan, 0.0])
    assert np.flatnonzero(reversals(values)).tolist() == [2, 6]


def test_range_looks_both_ways_and_passes_over_the_unknown() -> None:
    track = np.array([[0.0], [np.nan], [2.0], [2.0], [2.0], [5.0]])
    assert moved_range(track, 1.0, 2.0).tolist() == [2.0, 2.0, 2.0, 3.0, 3.0, 3.0]


def test_runs_join_what_is_near() -> None:
    steps = np.array([0, 1, 1, 0, 1, 0, 0, 0, 1], bool)
    assert runs(steps) == [(1, 3), (4, 5), (8, 9)]
    assert runs(steps, 1) == [(1, 5), (8, 9)]


def test_the_neutral_face_follows_slow_drift_but_no_expression(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drift = np.linspace(0, 1, 900)
    track = np.tile((drift + 3 * bump(900, 400, 520))[:, None], (1, LANDMARK_FEATURE_COUNT))
    size = 2 * len(OUTPUTS) + 2
    monkeypatch.setattr(module, "raw_strengths", lambda part: part.landmark_features[:, :size])
    activity = np.where((np.arange(900) >= 400) & (np.arange(900) < 520), 1.0, 0.0)
    scores = np.stack([activity, 0 * activity], 1)
    record = record_of(motions_of(900), track)
    neutral = neutral_levels(record, scores, RATE).at(0, 900)
    assert np.abs(neutral[:, 0] - drift).max() < 0.35
    never = neutral_levels(record, np.ones((900, 2)), RATE).at(0, 900)
    assert never[:, 0] == pytest.approx(np.median(track[:, 0]), abs=0.01)


def test_blocks_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    steps = 1500
    motions = motions_of(steps, mouthSmile=bump(steps, 300, 380), eyeBlink=bump(steps, 700, 712))
    landmarks = np.cumsum(rng.normal(0, 0.05, (steps, LANDMARK_FEATURE_COUNT)), 0)
    record = record_of(motions, landmarks)
    landmarks[900:960], motions[900:960], record.segment[900:960] = np.nan, np.nan, -1
    scores = np.abs(rng.normal(0, 0.1, (steps, 2)))
    whole = observe(0, record, scores, RATE)
    assert whole.flags.any() and np.nanmax(whole.strengths) > 0
    monkeypatch.setattr(module, "BLOCK_STEPS", 177)
    parts = observe(0, record, scores, RATE)
    for name in ("strengths", "flags", "pose"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_a_long_time_without_a_face_takes_no_memory_for_its_steps() -> None:
    """Only what is said of each step is there for all of them; a wild time stamp makes millions."""
    recorder, steps = StepRecorder(LANDMARK_FEATURE_COUNT, None), 400_000
    rows = np.zeros((1 + LANDMARK_FEATURE_COUNT // 4, 4), np.float32)
    for step in (*range(30), *range(steps - 30, steps)):
        recorder.push(step, rows, first=step in (0, steps - 30))
    tracemalloc.start()
    seen = observe(0, recorder.kept(steps), np.full((steps, 2), np.nan), RATE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen.known.sum() == 60
    assert peak < 500 * steps, "the landmark features alone would be 1,000 bytes a step"


def test_unknown_steps_stay_unknown_and_have_no_flags() -> None:
    motions = motions_of(200, mouthSmile=bump(200, 40, 80))
    record = record_of(motions)
    gap = slice(100, 140)
    for values in (record.landmark_features, motions):
        values[gap] = np.nan
    record.segment[gap], record.segment[140:] = -1, 1
    seen = observe(0, record, np.zeros((200, 2)), RATE)
    assert np.isnan(seen.strengths[gap]).all() and not seen.flags[gap].any()
    assert seen.flag("edge_of_face_time")[[0, 99, 140, 199]].all()
    assert not seen.flag("edge_of_face_time")[50]


def test_json_gives_back_what_was_observed_also_with_outputs_it_does_not_know() -> None:
    seen = seen_of(motions_of(150, mouthSmile=bump(150, 60, 100), eyeBlink=bump(150, 10, 18)))
    seen.strengths[:5] = np.nan
    back = FaceObservations.from_dict(seen.to_dict())
    np.testing.assert_array_equal(back.strengths, seen.strengths)
    np.testing.assert_array_equal(back.flags, seen.flags)
    np.testing.assert_allclose(back.pose, seen.pose, atol=1e-9)
    values = seen.to_dict()
    values["outputs"] = ["99" if name == "12L" else name for name in values["outputs"]]
    fewer = FaceObservations.from_dict(values)
    assert (fewer.strengths[5:, OUTPUTS.index("12L")] == 0).all()
    np.testing.assert_array_equal(fewer.flags, seen.flags)


def test_a_recorder_gives_the_head_whole_segments_and_interpolates_between() -> None:
    calls = []

    def head(attended: np.ndarray, reference: np.ndarray) -> np.ndarray:
        calls.append(reference[0, 0])
        return attended[:, 0, :2] - reference[0, :2]

    recorder = StepRecorder(8, head)
    for step in [*range(3, 30), *range(40, 60)]:
        features = np.full((3, 4), step / 10, np.float32)  # one position, two rows of landmarks
        recorder.push(step, features, first=step in (3, 40))
    record = recorder.record(60)
    assert record.motions is not None
    assert calls[0] == np.float32(0.3) and calls[-1] == np.float32(4.0)
    np.testing.assert_allclose(record.motions[5:28, 0], np.arange(2, 25) / 10, atol=2e-3)
    np.testing.assert_allclose(record.motions[40:58, 1], np.arange(18) / 10, atol=2e-3)
    assert np.isnan(record.motions[30:40]).all() and (record.segment[30:40] == -1).all()
    np.testing.assert_allclose(record.landmark_features[10], 1.0, atol=1e-3)


def test_a_result_keeps_context_through_json(tmp_path: Path) -> None:
    result = observed_result()
    result.to_json(tmp_path / "r.json")
    back = Spotting.from_json(tmp_path / "r.json")
    context = back.context(back.intervals[0])
    assert context == result.context(result.intervals[0])
    assert context is not None and context.moved[0].side == "left"
    assert "AU 12" in context.moved_text


def test_a_row_for_each_frame_and_the_unknown_is_empty(tmp_path: Path) -> None:
    result = observed_result()
    result.faces[0].scores[20:25] = np.nan
    write_frames_csv(result, tmp_path / "f.csv")
    with (tmp_path / "f.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert tuple(rows[0]) == FRAME_COLUMNS
    assert len(rows) == len(result.frame_times) * len(result.faces)
    assert "nan" not in (tmp_path / "f.csv").read_text().lower()
    assert rows[22]["macro"] == rows[22]["AU12_left"] == rows[22]["blink"] == ""
    assert float(rows[75]["AU12_left"]) > 0.8 > float(rows[75]["AU12_right"])
    assert float(rows[75]["macro"]) == pytest.approx(result.faces[0].scores[75, 0], abs=1e-4)


def test_the_parquet_table_says_the_same(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install '.[frames]'")
    result = observed_result()
    result.faces[0].scores[20:25] = np.nan
    write_frames_parquet(result, tmp_path / "f.parquet")
    table = parquet.read_table(tmp_path / "f.parquet")
    assert tuple(table.column_names) == FRAME_COLUMNS
    assert table["macro"].null_count == 5 and table["blink"].null_count == 5
    assert table["AU12_left"][75].as_py() > 0.8


def test_every_output_has_a_unit_and_every_flag_a_bit() -> None:
    assert len(OUTPUTS) == sum(2 if unit.has_sides else 1 for unit in UNITS) == len(set(OUTPUTS))
    assert len(FLAGS) <= 16


def test_what_lasts_a_single_step_is_no_blink() -> None:
    eyes = np.zeros(150)
    eyes[60] = eyes[100:103] = 1.5
    record = record_of(motions_of(150, eyeBlink=eyes))
    strengths = motion_strengths(record.motions)
    blink, long = find_closures(record, strengths, np.zeros((150, 2)), RATE)
    assert not blink[55:65].any() and blink[100:103].all() and not long.any()

"""Spotting as a whole: equal by every way in, equal to the naive way, and never silent about what
it cannot see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from fesnet.config import FesNetConfig
from fesnet.errors import CheckpointError, SourceError, UsageError
from fesnet.face_pipeline import FacePipeline
from fesnet.faces import Face, ModelFiles, compute_landmark_features
from fesnet.latency import ENCODE_BATCH, LOW_LATENCY, Latency
from fesnet.model.checkpoint import save_weights
from fesnet.postprocess import IntervalRules
from fesnet.runtime import OnnxRuntime, softmax
from fesnet.spotter import Spotter
from fesnet.stream import SpotStream
from fesnet.video import Frame, Source, open_source
from fesnet.weights import load_weights
from fesnet.windows import reflect_indices
from small_network import (
    SHAPED,
    TINY,
    face_of,
    half_mask,
    line_scores,
    make_network,
    moving_crops,
    moving_landmarks,
)
from video_files import cut, pictures, write_video

RATE = Fraction(25)


# --- one face's line: windows from cached features ---


def evenly(rows: np.ndarray, count: int) -> np.ndarray:
    """Rows (N, K) at `count` even places from the first to the last."""
    places = np.linspace(0, len(rows) - 1, count)
    return np.column_stack([np.interp(places, np.arange(len(rows)), column) for column in rows.T])


def naive_scores(crops: np.ndarray, config: FesNetConfig = TINY) -> tuple[np.ndarray, np.ndarray]:
    """Every window of crops through the whole network by itself, averaged with weights that fall at
    the edges.
    """
    network, n = make_network(config), len(crops)
    shapes = torch.from_numpy(compute_landmark_features(moving_landmarks(n)))
    if config.face_only:
        crops = crops * (np.stack([half_mask(i) for i in range(n)]) > 0)[..., None].astype(np.uint8)
    window, stride = TINY.inference_window
    weight = np.array([min(i + 0.5, window - i - 0.5) for i in range(window)])
    sums = np.zeros((n, 4))
    starts = list(range(0, n - window + 1, stride))
    done = len(starts) * stride
    views = []
    for number, s in enumerate(starts):
        both = [s + np.arange(window), s + np.arange(window)[::-1]]
        # the first window both ways, those after it backwards and forwards in turn
        views += [(0, frames) for frames in (both if number == 0 else [both[number % 2]])]
    if (
        done < n
    ):  # the last window ends with the video, or runs through it to and fro; and backwards
        there = max(0, n - window) + reflect_indices(window, min(n, window) - 1)
        views += [(done, there), (done, n - 1 - (there - max(0, n - window)))]
    for first, frames in views:
        with torch.inference_mode():
            attended = network.encode(torch.from_numpy(crops[frames]))[None]
            if config.landmark_feature_count:
                attended = network.append_landmarks(attended, shapes[frames][None])
            backwards = frames[0] > frames[1]  # shown slower
            count = round((window - 1) * config.backward_stretch) + 1 if backwards else window
            shown = evenly(attended[0].flatten(1).numpy(), count).reshape(
                1, count, *attended.shape[2:]
            )
            logits, strength = network.decode(torch.from_numpy(shown.astype(np.float32)))
        rows = np.column_stack([softmax(logits[-1, 0].numpy())[:, 1:], strength[0].numpy()])
        rows = evenly(rows, window)
        share = np.column_stack([rows, np.ones(window)]) * weight[:, None]
        for frame, row in zip(frames, share, strict=True):
            sums[frame] += row if frame >= first else 0
    rows = sums[:, :3] / sums[:, 3:]
    return rows[:, :2], rows[:, 2]


@pytest.mark.parametrize("count", [1, 5, 32, 33, 90])
def test_cached_windows_equal_the_naive_way(count: int, tiny_weights: Path) -> None:
    crops = moving_crops(count)
    found = line_scores(OnnxRuntime(load_weights(tiny_weights)), crops)
    scores, strength = naive_scores(crops)
    np.testing.assert_allclose(found.scores, scores, atol=1e-4)
    np.testing.assert_allclose(found.intensity, strength, atol=1e-4)


def test_cached_windows_with_shapes_and_masks_equal_the_naive_way(tmp_path: Path) -> None:
    crops = moving_crops(37)
    save_weights(make_network(SHAPED), tmp_path / "w", training={}, rules={})
    found = line_scores(OnnxRuntime(load_weights(tmp_path / "w")), crops, SHAPED)
    scores, strength = naive_scores(crops, SHAPED)
    np.testing.assert_allclose(found.scores, scores, atol=1e-4)
    np.testing.assert_allclose(found.intensity, strength, atol=1e-4)


def test_segments_do_not_see_each_other(tiny_weights: Path) -> None:
    runtime = OnnxRuntime(load_weights(tiny_weights))
    first, second = moving_crops(25), moving_crops(30, seed=1)
    together = line_scores(runtime, np.concatenate([first, second]), segment=lambda i: int(i >= 25))
    np.testing.assert_allclose(together.scores[:25], line_scores(runtime, first).scores, atol=1e-5)
    assert np.isnan(
        together.scores[25]
    ).all()  # one unknown tick, so that no interval crosses the cut
    np.testing.assert_allclose(
        together.scores[26:], line_scores(runtime, second[1:]).scores, atol=1e-5
    )


def test_a_face_that_was_away_is_unknown_between(tiny_weights: Path) -> None:
    line = FacePipeline(TINY, OnnxRuntime(load_weights(tiny_weights)))
    for i, crop in enumerate(moving_crops(60)):
        if not 20 <= i < 30:
            line.push(face_of(crop, i, i / 30), 1 / 30)
    line.finish()
    unknown = np.isnan(line.track(0, 60, 30.0).scores).any(1)
    assert np.flatnonzero(unknown).tolist() == list(range(20, 30))


@pytest.mark.parametrize("fps", [12.5, 25.0, 29.97])
def test_every_rate_lands_on_the_working_grid_without_holes(fps: float, tiny_weights: Path) -> None:
    line = FacePipeline(TINY, OnnxRuntime(load_weights(tiny_weights)))
    for i, crop in enumerate(moving_crops(int(2 * fps))):
        line.push(face_of(crop, i, i / fps), 1 / fps)
    line.finish()
    ticks = int((int(2 * fps) - 1) / fps * 30) + 1
    assert np.isfinite(line.track(0, ticks, 30.0).scores).all()


def key_frame_line(shapes: list[np.ndarray | None], late: np.ndarray) -> tuple[np.ndarray, int]:
    """Landmark features that a pipeline gives to faces with landmarks of their own (else None), and
    in how many the model ran late.
    """
    line, crops, runs = FacePipeline(SHAPED, Still()), moving_crops(len(shapes)), []

    def look() -> np.ndarray:
        runs.append(1)
        return late

    for i, landmarks in enumerate(shapes):
        face = face_of(crops[i], i, i / 30)
        known = shapes[0] if landmarks is None else landmarks
        line.push(
            replace(face, landmarks=known, run_landmarks=look if landmarks is None else None),
            1 / 30,
        )
    line.set_key_frame(None)
    return np.stack(
        [crop.landmark_features for crop in line.waiting if crop.landmark_features is not None]
    ), len(runs)


class Still:
    """A runtime that is never asked."""

    name = "still"

    def encode(self, crops: np.ndarray) -> np.ndarray:
        raise AssertionError("expected no crop to be encoded")

    decode = encode


def test_shapes_between_looks_are_interpolated_where_the_face_is_still() -> None:
    first, other = moving_landmarks(1)[0], moving_landmarks(1)[0] * np.float32(1)
    other[61] += 0.2  # a corner of the mouth, by hundredths of the face
    shapes, runs = key_frame_line([first, None, None, other, None], first)
    a, b = compute_landmark_features(np.stack([first, other]))
    assert runs == 0
    np.testing.assert_allclose(shapes, [a, a + (b - a) / 3, a + 2 * (b - a) / 3, b, b], atol=1e-5)
    assert np.abs(b - a).max() > 1e-3


def test_shapes_between_looks_are_looked_for_where_the_face_moved() -> None:
    first, last = moving_landmarks(1)[0], moving_landmarks(12)[11]
    between = moving_landmarks(6)[5]
    shapes, runs = key_frame_line([first, None, None, last], between)
    assert runs == 2
    np.testing.assert_allclose(
        shapes, compute_landmark_features(np.stack([first, between, between, last])), atol=1e-5
    )


def test_one_look_will_do_where_the_face_moves_evenly() -> None:
    first, last = moving_landmarks(1)[0], moving_landmarks(12)[11]
    between = first + (last - first) * np.float32(2 / 3)
    shapes, runs = key_frame_line([first, None, None, last], between)
    assert runs == 1
    a, b, c = compute_landmark_features(np.stack([first, between, last]))
    np.testing.assert_allclose(shapes, [a, (a + b) / 2, b, c], atol=1e-5)


# --- whole videos ---


@pytest.fixture(scope="module")
def spotter(tiny_weights: Path, face_models: ModelFiles) -> Spotter:
    return Spotter(tiny_weights)


def test_equal_input_gives_equal_bytes(spotter: Spotter, face_video: Path) -> None:
    first, second = (spotter.spot(face_video) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert first.intervals
    assert first.gaps == ()
    assert first.source.sha256 is not None
    assert first.provenance["weights"] == "tiny"
    assert first.provenance["trained_on"] == "nothing"


def test_array_folder_and_video_give_equal_scores(
    spotter: Spotter, face_frames: list[np.ndarray], face_video: Path, tmp_path: Path
) -> None:
    for i, frame in enumerate(face_frames):
        cv2.imwrite(str(tmp_path / f"img{i:03}.png"), np.ascontiguousarray(frame[:, :, ::-1]))
    video = spotter.spot(face_video)
    for other in (
        spotter.spot(np.stack(face_frames), rate=RATE),
        spotter.spot(tmp_path, rate=RATE),
    ):
        np.testing.assert_array_equal(other.faces[0].scores, video.faces[0].scores)
        np.testing.assert_array_equal(other.frame_times, video.frame_times)
        assert other.intervals == video.intervals


def test_a_stream_run_to_its_end_is_spotting(
    spotter: Spotter, face_frames: list[np.ndarray]
) -> None:
    source, stream = open_source(np.stack(face_frames), rate=RATE), spotter.stream()
    for frame in source:
        stream.push(frame)
        assert len(stream.faces) == 1
    assert (
        spotter.result(stream, source).to_json()
        == spotter.spot(np.stack(face_frames), rate=RATE).to_json()
    )


def streamed(
    weights: Path, rules: IntervalRules, times: np.ndarray, latency: Latency = "full"
) -> tuple[list[Any], Any, list[float], list[Any]]:
    """What a stream hands out on the way, its result, how long after its offset each interval came,
    and those that came at the end."""
    config = load_weights(weights).config
    crops, seen, late = moving_crops(len(times)), [], []
    spotter = Spotter(weights, rules=rules, latency=latency)
    tracker = Tracked(
        {
            time: face_of(crop, i, time)
            for i, (crop, time) in enumerate(zip(crops, times, strict=True))
        }
    )
    stream = SpotStream(
        tracker,  # type: ignore[arg-type]
        spotter.runtime,
        config,
        rules,
        latency=latency,
    )
    for i, time in enumerate(times):
        for interval in stream.push(Frame(i, float(time), crops[i])):
            seen.append(interval)
            late.append(time - interval.offset_s)
    source, rest = open_source(crops, rate=RATE), stream.end()
    return seen, spotter.result(stream, source), late, rest


@dataclass
class Tracked:
    """A tracker that knows the face of every frame beforehand."""

    faces: dict[float, Face]

    def push(self, frame: Frame) -> list[Face]:
        return [self.faces[frame.time]]


@pytest.mark.parametrize("latency", ["full", "low"])
@pytest.mark.parametrize("irregular", [False, True])
def test_what_a_stream_hands_out_is_what_the_file_gives(
    irregular: bool, latency: Latency, tiny_weights: Path
) -> None:
    """Also with dropped frames and gaps; the scores of an untrained network are noise around a
    third.
    """
    rng = np.random.default_rng(0)
    times = np.arange(400) / 30
    if irregular:
        times = np.sort(rng.choice(times, 330, replace=False) + rng.uniform(0, 0.01, 330))
    first = Spotter(tiny_weights)
    scores = streamed(tiny_weights, first.rules, times, latency)[1].faces[0].scores
    level = float(np.nanquantile(scores.sum(1), 0.6))
    rules = IntervalRules(
        macro_threshold=level, micro_threshold=level, macro_release=1.0, micro_release=1.0,
        micro_min_s=0.03, macro_min_s=0.03, micro_max_s=0.5,
    )  # fmt: skip
    told, result, late, rest = streamed(tiny_weights, rules, times, latency)
    assert len(told) > 3
    assert rest
    assert told + rest == list(result.intervals)
    low = (LOW_LATENCY.ahead + LOW_LATENCY.stride + LOW_LATENCY.batch) / 30
    assert max(late) < (low if latency == "low" else (TINY.window + ENCODE_BATCH) / 30) + 3


def test_low_latency_looks_ahead_less_than_three_seconds() -> None:
    full, low = Spotter(), Spotter(latency="low")
    assert low.stream().look_ahead < 3 < 20 < full.stream().look_ahead
    assert (low.provenance()["latency"], "latency" in full.provenance()) == ("low", False)
    with pytest.raises(UsageError, match="latency"):
        Spotter(latency="medium")  # type: ignore[arg-type]


def test_what_is_shorter_than_the_look_ahead_is_handed_out_at_the_end(
    spotter: Spotter, face_frames: list[np.ndarray]
) -> None:
    stream = spotter.stream()
    for i, image in enumerate(face_frames[:10]):
        assert stream.push(Frame(i, i / 25, image)) == []
    rest = stream.end()
    assert rest
    assert rest == list(spotter.spot(np.stack(face_frames[:10]), rate=RATE).intervals)
    assert stream.end() == []
    assert spotter.stream().end() == []


PICTURE = np.zeros((64, 64, 3), np.uint8)


@pytest.mark.parametrize("time", [float("nan"), float("inf"), -0.1, 0.9, 1.7e9, "2", None])
def test_times_that_cannot_follow_are_refused(time: Any, spotter: Spotter) -> None:
    stream = spotter.stream()
    stream.push(Frame(0, 1.0, PICTURE))
    stream.push(Frame(1, 1.0, PICTURE))  # equal times are allowed: a source's never fall
    with pytest.raises(UsageError, match=r"expected a time from 1\.0 to 10000000 s, got"):
        stream.push(Frame(2, time, PICTURE))
    assert stream.push(Frame(2, 1.1, PICTURE)) == stream.end() == []
    assert stream.times.tolist() == [1.0, 1.0, 1.1]


def test_what_is_no_frame_is_refused_and_so_is_all_after_the_end(spotter: Spotter) -> None:
    stream = spotter.stream()
    with pytest.raises(
        UsageError, match=r"expected a Frame, got ndarray; push Frame\(index, time, image\)"
    ):
        stream.push(PICTURE)  # type: ignore[arg-type]
    stream.finish()
    with pytest.raises(UsageError, match="expected no frame after the end of a stream, got one"):
        stream.push(Frame(0, 0.0, PICTURE))


def test_scores_are_final_within_the_look_ahead(
    spotter: Spotter, face_frames: list[np.ndarray]
) -> None:
    """Measured on every frame: how far the scores that are final lie behind the frame just
    pushed.
    """
    stream, behind = spotter.stream(), []
    for frame in open_source(
        np.concatenate([np.stack(face_frames), np.stack(face_frames)[::-1]] * 2), rate=RATE
    ):
        stream.push(frame)
        parts = stream.pipelines[0].chunks if stream.pipelines else []
        final = (
            (parts[-1].start + len(parts[-1].scores)) / stream.config.working_rate if parts else 0.0
        )
        behind.append(frame.time - final)
    assert stream.look_ahead / 2 < max(behind) <= stream.look_ahead


def test_progress_sees_every_frame(spotter: Spotter, face_frames: list[np.ndarray]) -> None:
    seen: list[int] = []

    def progress(frame: Frame, source: Source) -> None:
        assert source.width == 320
        seen.append(frame.index)

    spotter.spot(np.stack(face_frames[:6]), rate=RATE, progress=progress)
    assert seen == list(range(6))


def test_a_video_without_a_face_is_one_gap(spotter: Spotter) -> None:
    found = spotter.spot(np.stack(pictures(30, 160, 120)), rate=RATE)
    assert found.intervals == ()
    assert found.faces == ()
    (gap,) = found.gaps
    assert (gap.start_frame, gap.stop_frame, gap.reason) == (0, 29, "no face in the video")


@pytest.mark.parametrize("count", [1, 3])
def test_very_short_videos_work(
    count: int, spotter: Spotter, face_frames: list[np.ndarray]
) -> None:
    found = spotter.spot(np.stack(face_frames[:count]), rate=RATE)
    assert len(found.frame_times) == count
    assert np.isfinite(found.faces[0].scores).all()
    assert all(i.offset_frame < count for i in found.intervals)


def test_a_lost_face_breaks_what_lies_around(
    spotter: Spotter, face_frames: list[np.ndarray]
) -> None:
    frames = np.stack(face_frames)
    frames[15:25] = 120
    found = spotter.spot(frames, rate=RATE)
    (gap,) = found.gaps
    assert (gap.start_frame, gap.stop_frame) == (
        pytest.approx(15, abs=1),
        pytest.approx(24, abs=1),
    )  # a tick's reach
    assert found.intervals
    for i in found.intervals:
        assert i.offset_frame < gap.start_frame or i.onset_frame > gap.stop_frame


def test_two_people_have_two_timelines(
    tiny_weights: Path, face_models: ModelFiles, face_frames: list[np.ndarray]
) -> None:
    frames = np.stack(
        [np.concatenate([f, np.ascontiguousarray(f[:, ::-1])], 1) for f in face_frames[:20]]
    )
    found = Spotter(tiny_weights, faces="all").spot(frames, rate=RATE)
    assert [track.face for track in found.faces] == [0, 1]
    assert {i.face for i in found.intervals} == {0, 1}


def test_high_rates_are_thinned_and_told_in_source_frames(
    spotter: Spotter, face_frames: list[np.ndarray]
) -> None:
    frames = np.repeat(np.stack(face_frames[:20]), 4, axis=0)
    found = spotter.spot(frames, rate=100)
    assert len(found.frame_times) == 80
    assert len(found.faces[0].scores) == int(0.79 * 30) + 1
    assert found.gaps == ()
    assert max(i.offset_frame for i in found.intervals) > 60


def test_a_slow_video_is_warned_of(spotter: Spotter, face_frames: list[np.ndarray]) -> None:
    found = spotter.spot(np.stack(face_frames[::4]), rate=8)
    assert [w for w in found.warnings if "8.0 frames a second: too few for micro-expressions" in w]
    assert not spotter.spot(np.stack(face_frames[:8]), rate=RATE).warnings


def test_a_broken_video_is_used_up_to_the_break(
    spotter: Spotter, face_frames: list[np.ndarray], tmp_path: Path
) -> None:
    path = cut(write_video(tmp_path / "cut.mkv", face_frames, codec="ffv1", pixels="bgr0"), 0.6)
    found = spotter.spot(path)
    assert 10 < len(found.frame_times) < 40
    assert len(found.warnings) == 1


def test_nothing_pushed_is_an_error(spotter: Spotter, face_frames: list[np.ndarray]) -> None:
    with pytest.raises(SourceError, match=r"expected frames from .*, got none"):
        spotter.result(spotter.stream(), open_source(np.stack(face_frames), rate=RATE))


def test_rules_given_or_from_the_weights(tiny_weights: Path) -> None:
    assert Spotter(tiny_weights).rules.macro_threshold == 0.2
    strict = IntervalRules(macro_threshold=0.9)
    assert Spotter(tiny_weights, rules=strict).rules == strict


def test_a_dictionary_changes_some_rules_of_the_weights(tiny_weights: Path) -> None:
    own = Spotter(tiny_weights).rules
    assert own != IntervalRules()
    changed = Spotter(tiny_weights, rules={"micro_threshold": 0.4}).rules
    assert changed == replace(own, micro_threshold=0.4) != IntervalRules(micro_threshold=0.4)
    for wrong, words in (
        ({"treshold": 0.4}, "expected interval rules .*, got treshold"),
        ({"micro_threshold": "0.4"}, "expected float for micro_threshold, got '0.4'"),
        (0.4, "expected rules as IntervalRules or a dictionary of some, got float"),
    ):
        with pytest.raises(UsageError, match=words):
            Spotter(tiny_weights, rules=wrong)  # type: ignore[arg-type]


def test_wrong_calls_are_told(tiny_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected runtime 'onnx' or 'torch'"):
        Spotter(tiny_weights, runtime="abacus")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="expected a weights folder"):
        Spotter(tmp_path)
    with pytest.raises((UsageError, CheckpointError)):
        Spotter(tiny_weights, faces="some").stream()  # type: ignore[arg-type]


def test_other_rules_on_stored_scores_equal_spotting_with_them(
    tiny_weights: Path, spotter: Spotter, face_video: Path
) -> None:
    rules = replace(spotter.rules, macro_threshold=0.34, micro_threshold=0.34, exclusive=False)
    assert (
        spotter.spot(face_video).rethreshold(rules).intervals
        == Spotter(tiny_weights, rules=rules).spot(face_video).intervals
    )

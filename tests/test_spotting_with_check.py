"""Spotting with an interval check: file and stream agree, thresholds only choose candidates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fesnet.errors import CheckpointError, ResultError
from fesnet.face_pipeline import FacePipeline
from fesnet.faces.landmark_features import EXPRESSIVE_LANDMARKS, LANDMARK_FEATURE_COUNT
from fesnet.interval_check import (
    IntervalCheck,
    KindWeights,
    check_candidates,
    install_check,
    load_check,
)
from fesnet.interval_features import FEATURES, LOOK_BACK_S, ContextTrack
from fesnet.intervals import KINDS
from fesnet.landmarks_between import features_of
from fesnet.model.checkpoint import save_weights
from fesnet.result import Spotting, choose_intervals
from fesnet.spotter import Spotter
from small_network import SHAPED, face_of, make_network, moving_landmarks

RATE = 30.0
MOUTH = 2 * EXPRESSIVE_LANDMARKS.index(14) + 1  # how far the lower lip is down


class Reader:
    """A runtime whose score is what the lower lip does."""

    name = "reader"

    def encode(self, crops: np.ndarray) -> np.ndarray:
        return np.zeros((len(crops), 1, 16), np.float32)

    def decode(self, attended: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features = attended.reshape(len(attended), -1)[:, -LANDMARK_FEATURE_COUNT:]
        activity = np.clip((features[:, MOUTH] - features[:, MOUTH].min()) / 5, 0, 1) * 0.95
        scores = np.stack([1 - activity, 0.8 * activity, 0.2 * activity], 1)
        return scores.astype(np.float32), activity.astype(np.float32)


def made_check(seed: int = 3) -> IntervalCheck:
    rng, n = np.random.default_rng(seed), len(FEATURES)
    kinds = [
        KindWeights((0.5,) * n, (1.0,) * n, tuple(rng.normal(0, 0.3, n)), bias) for bias in (0.2, 0)
    ]
    return IntervalCheck(FEATURES, *kinds)


def mouths(count: int) -> np.ndarray:
    """(N, 468, 3) landmarks: a mouth that opens every few seconds, longer each time."""
    face = np.repeat(moving_landmarks(1), count, 0)
    for number, at in enumerate(range(60, count - 90, 150)):
        length = 12 + 9 * (number % 5)
        face[at : at + length, 14, 1] += 14 * np.sin(np.linspace(0, np.pi, length))
    return face


def test_candidates_of_a_stream_are_those_of_the_whole_and_come_before_its_end() -> None:
    check, landmarks = made_check(), mouths(900)
    pipeline = FacePipeline(SHAPED, Reader(), check)
    crop = np.zeros((96, 96, 3), np.uint8)
    found, chunks = [], 0
    for i, points in enumerate(landmarks):
        pipeline.push(replace(face_of(crop, i, i / RATE), landmarks=points), 1 / RATE)
        if len(pipeline.chunks) > chunks:
            chunks = len(pipeline.chunks)
            found += pipeline.pop_candidates(0, check)
        assert len(pipeline.landmark_features) <= 600
    early = len(found)
    pipeline.finish()
    found += pipeline.pop_candidates(0, check, 900)
    stored = pipeline.track(0, 900, RATE).as_stored()
    features = np.stack([features_of(p) for p in landmarks]).astype(np.float64)
    whole = ContextTrack(stored.times, stored.scores, stored.intensity, features)
    assert found == check_candidates(whole, check)
    assert 3 <= early <= len(found)
    assert min(pipeline.landmark_features) >= 900 - round(LOOK_BACK_S * RATE)


@pytest.fixture(scope="module")
def checked_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "checked"
    save_weights(
        make_network(SHAPED), folder, training={"data": "nothing"}, rules={"macro_min_s": 0.57}
    )
    install_check(folder, made_check(), {"macro": 0.3, "micro": 0.3})
    return folder


def test_a_result_keeps_its_candidates(
    checked_weights: Path, face_frames: list[np.ndarray], tmp_path: Path
) -> None:
    spotter = Spotter(checked_weights)
    found = spotter.spot(np.stack(face_frames), rate=25)
    assert found.candidates is not None
    assert "interval_check_sha256" in found.provenance
    path = tmp_path / "r.json"
    text = found.to_json(path)
    again = Spotting.from_json(path)
    assert again.candidates == found.candidates
    assert again.to_json() == text
    assert again.rethreshold(found.rules).intervals == found.intervals
    values = json.loads(text)
    values.pop("candidates")
    path.write_text(json.dumps(values))
    assert Spotting.from_json(path).candidates is None
    values["candidates"] = [{"face": 0}]
    path.write_text(json.dumps(values))
    with pytest.raises(ResultError):
        Spotting.from_json(path)


def made_result(seed: int, spotting: Spotting) -> Spotting:
    """A result with random candidates of both kinds."""
    check = made_check(seed)
    rng = np.random.default_rng(seed)
    example = spotting.candidates or ()
    kinds = [KINDS[int(rng.integers(2))] for _ in range(30)]
    made = tuple(
        replace(
            example[0],
            kind=kind,
            onset_s=2.0 * k,
            offset_s=2.0 * k + (0.3 if kind == "micro" else 0.9),
            score=round(float(rng.random()), 4),
        )
        for k, kind in enumerate(kinds)
    )
    assert check.names
    return replace(spotting, candidates=made)


@pytest.mark.parametrize("seed", range(5))
def test_a_lower_threshold_adds_intervals_of_its_kind_and_touches_no_other(
    seed: int, spotted: Spotting
) -> None:
    result = made_result(seed, spotted)
    for kind in KINDS:
        high = result.rethreshold({"macro_threshold": 0.6, "micro_threshold": 0.6}).intervals
        low = result.rethreshold(
            {"macro_threshold": 0.6, "micro_threshold": 0.6, f"{kind}_threshold": 0.2}
        ).intervals
        assert set(high) < set(low)
        assert {i.kind for i in set(low) - set(high)} == {kind}


@pytest.fixture(scope="module")
def spotted() -> Spotting:
    """A short result with one candidate."""
    from fesnet.postprocess import IntervalRules
    from fesnet.result import FaceTrack, SourceInfo, SpottedInterval, assemble

    times = np.arange(60) / RATE
    track = FaceTrack(0, times, np.zeros((60, 2)), np.zeros(60))
    source = SourceInfo("a", None, None, 1, 1, "30", 60, 2.0)
    one = SpottedInterval(0, 0.5, 0.7, 1.4, "macro", 15, 21, 42, 0.5)
    rules = IntervalRules()
    return assemble(
        source, (track,), times, RATE, rules, warnings=(), provenance={}, candidates=(one,)
    )


def test_limits_of_length_choose_as_well(spotted: Spotting) -> None:
    assert spotted.candidates is not None
    assert len(spotted.intervals) == 1
    assert spotted.rethreshold({"macro_min_s": 1.5}).intervals == ()
    assert choose_intervals(spotted.candidates, RATE, spotted.rules) == spotted.candidates


def test_weights_without_a_check_have_none_and_a_damaged_one_is_refused(
    tiny_weights: Path, tmp_path: Path
) -> None:
    assert load_check(tiny_weights) is None
    assert Spotter(tiny_weights).stream().candidates() is None
    (tmp_path / "interval_check.json").write_text("{}")
    with pytest.raises(CheckpointError):
        load_check(tmp_path)

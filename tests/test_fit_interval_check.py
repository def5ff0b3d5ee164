"""The script that fits the interval check: its loss, its figures, its choice of thresholds."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fesnet.faces.landmark_features import EXPRESSIVE_LANDMARKS
from fesnet.interval_check import Candidate
from made_tracks import RATE, still_track

DEV = Path(__file__).parents[1] / "dev"


@pytest.fixture(scope="module")
def tool() -> Iterator[ModuleType]:
    """The script that fits the check; it imports a module beside it."""
    sys.path.insert(0, str(DEV))
    yield importlib.import_module("fit_interval_check")
    sys.path.remove(str(DEV))


@pytest.fixture(scope="module")
def figures_of(tool: ModuleType) -> ModuleType:
    return importlib.import_module("labelled_clips")


def event(onset: float, offset: float, confidence: str = "high") -> dict[str, object]:
    return {"onset_s": onset, "offset_s": offset, "type": "macro", "confidence": confidence}


def test_newton_finds_the_least_penalised_loss(tool: ModuleType) -> None:
    rng = np.random.default_rng(1)
    a, w = np.column_stack([rng.normal(size=(80, 3)), np.ones(80)]), rng.random(80)
    y, penalty = rng.random(80), np.array([5.0, 5, 5, 1e-6])
    start = np.array([0.5, 0, -0.5, 0])
    theta = tool.newton(a, y, w, penalty, start)
    p = 1 / (1 + np.exp(-a @ theta))
    assert a.T @ (w * (p - y)) + penalty * (theta - start) == pytest.approx(np.zeros(4), abs=1e-6)


def test_a_merged_answer_to_a_chain_counts_only_with_the_chain_rule(
    figures_of: ModuleType,
) -> None:
    clip = figures_of.Clip("a", "a", {"events": [event(1, 2), event(2.02, 3), event(3, 4)]}, None)
    assert figures_of.match([(1.0, 4.0)], clip, merged=True) == ({0, 1, 2}, {0})
    assert figures_of.match([(1.0, 4.0)], clip, merged=False) == (set(), set())
    assert figures_of.match([(1.0, 2.0), (2.0, 3.0)], clip, merged=True) == ({0, 1}, {0, 1})


def test_the_fit_tells_what_is_labelled_from_what_is_not(
    tool: ModuleType, figures_of: ModuleType
) -> None:
    """Scores of both are alike; only where lips move in the middle of rest is there an event."""
    clips = []
    for number in range(8):
        rng = np.random.default_rng(number)
        track = still_track(600)
        track.landmark_features[:] = rng.normal(0, 0.1, track.landmark_features.shape)
        events: list[dict[str, object]] = []
        for place, at in enumerate(range(60, 540, 120)):
            bump = np.sin(np.linspace(0, np.pi, 40))
            track.scores[at : at + 40, 0] = 0.9 * bump
            track.intensity[at : at + 40] = bump
            if (place + number) % 2:
                track.landmark_features[at : at + 40, 2 * EXPRESSIVE_LANDMARKS.index(61) + 1] -= (
                    6 * bump
                )
                events.append(event(at / RATE, (at + 40) / RATE))
            else:
                track.landmark_features[at : at + 40, -4] += 4 * bump
        truth = {"duration_s": 20.0, "events": events}
        clip = figures_of.Clip(f"clip{number}", f"person{number}", truth, track)
        figures_of.prepare(clip)
        clips.append(clip)
    data = tool.Data(clips, macro_l2=0.1)
    kept = tool.leave_out(data)
    choice = tool.Choice(clips, kept, [], {})
    thresholds = choice.pairs[choice.best(clips, most=1.0)]
    figures = figures_of.evaluate(clips, kept, thresholds)
    assert figures.f1 > 0.95
    assert figures_of.reliability(clips, kept)[0] < 0.25


def test_clips_raise_no_more_false_alarms_than_allowed_and_copies_count_in_the_price(
    tool: ModuleType, figures_of: ModuleType
) -> None:
    """A false interval of .7 in the clip of a minute, or in one of its three copies."""
    track = still_track(1800)
    truths = [{"duration_s": 60.0, "events": []}, {"duration_s": 60.0, "events": [event(1, 2)]}]
    names = ["quiet", "loud", *(f"{name}-{k}" for name in ("quiet", "loud") for k in range(3))]
    clips = [figures_of.Clip(n, n.split("-")[0], truths["loud" in n], track) for n in names]
    right = [Candidate(30, 61, 40, "macro", 0.8)]
    weak = [Candidate(30, 61, 40, "macro", 0.5)]
    false = [Candidate(600, 640, 620, "macro", 0.7)]
    # a limit that the clip breaks; one that it keeps, where a weak answer is worth more than a
    # false one costs; and a copy, which the limit does not know but the price does
    for loud, most, answers, above in (
        *(("quiet", 0.5, weak, True), ("quiet", 1.0, weak, False)),
        *(("quiet-0", 0.5, weak, False), ("quiet-0", 0.5, right, True)),
    ):
        kept = {n: answers if "loud" in n else [] for n in names} | {loud: false}
        choice = tool.Choice(clips[:2], kept, [], {}, clips[2:])
        macro, _ = choice.pairs[choice.best(choice.clips, most)]
        assert (macro > 0.7) == above

"""Two networks on features, a time scale for each kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from fesnet.evaluation import methods  # noqa: E402
from fesnet.evaluation.methods import METHODS, Variant  # noqa: E402
from fesnet.training import two_scale  # noqa: E402
from fesnet.training.feature_training import FeatureSample  # noqa: E402
from fesnet.training.two_scale import MACRO, MICRO, coarsen, coarsen_sample, refine  # noqa: E402


def test_steps_are_means_of_ticks() -> None:
    table = np.arange(14, dtype=np.float32).reshape(7, 2)
    assert coarsen(table, 3).tolist() == [[2, 3], [8, 9]]  # the seventh row has no step
    assert coarsen(table, 1) is table and coarsen(table[:2], 3).tolist() == [[1, 2]]
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 0], [0, 0], [1, 0]], np.int8)
    sample = coarsen_sample(FeatureSample(np.zeros((6, 4), np.float32), labels), 3)
    assert sample.labels.tolist() == [[1, 0], [0, 0]]  # half of its ticks or more
    assert sample.inputs.shape == (2, 4)


def test_scores_come_back_to_their_ticks() -> None:
    """A line over ticks, coarsened and refined, is that line between the middles of the steps."""
    line = np.linspace(0, 1, 31, dtype=np.float32)[:, None]
    back = refine(coarsen(line, 3)[None], 3, 31)
    assert back.shape == (1, 31, 1)
    assert np.abs(back[0, 1:29, 0] - line[1:29, 0]).max() < 1e-6
    assert back[0, 0, 0] == back[0, 1, 0] and back[0, -1, 0] == pytest.approx(line[28, 0])


def test_each_kind_comes_from_its_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros((200, 2), np.int8)
    labels[40:90, 0] = labels[120:132, 1] = 1
    train_set = [(rng.standard_normal((200, 6), np.float32), labels) for _ in range(2)]
    tests = [rng.standard_normal((n, 6), np.float32) for n in (100, 2)]
    real = methods.fesnet_settings

    def small(variant: Variant, inputs: int) -> tuple[methods.FesNetConfig, object]:
        model, train = real(variant, inputs)
        return replace(model, features=8, hidden=8, stages=1, blocks=1), train

    monkeypatch.setattr(methods, "fesnet_settings", small)
    monkeypatch.setattr(two_scale, "MACRO", replace(MACRO, window=40, windows=2))
    monkeypatch.setattr(two_scale, "MICRO", replace(MICRO, window=40, windows=2))

    def learn() -> tuple[list[np.ndarray], str]:
        variant = Variant("fesnet-two-scale", steps=4)
        return METHODS["fesnet-two-scale"].learn(train_set, (0, 0, 1, 1, 2, 2), tests, variant, 0)

    first, again = learn(), learn()
    assert [s.shape[1:] for s in first[0]] == [(100, 2), (2, 2)]
    assert all(s.min() >= 0 and s.max() <= 1 for s in first[0])
    assert first[1] == again[1] and all(
        np.array_equal(a, b) for a, b in zip(first[0], again[0], strict=True)
    )
    monkeypatch.setattr(two_scale, "MICRO", replace(MICRO, window=32, windows=2))
    other = learn()
    assert other[1] != first[1]
    assert np.array_equal(other[0][0][..., 0], first[0][0][..., 0])
    assert not np.array_equal(other[0][0][..., 1], first[0][0][..., 1])


def test_settings_name_both_scales() -> None:
    settings = Variant("fesnet-two-scale").settings()
    assert [s["ticks"] for s in settings["scales"]] == [3, 1]

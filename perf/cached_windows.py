"""Cached features against encoding every window again."""

from __future__ import annotations

import time

import numpy as np

from fesnet.spotter import Spotter
from fesnet.windows import WindowAggregator


def naive_ratio(seconds: float) -> tuple[float, float]:
    """CPU time of encoding every window over encoding every frame once.

    Also returns the largest difference of scores.
    """
    spotter = Spotter()
    c, n = spotter.weights.config, round(seconds * 30)
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (n, c.crop_size, c.crop_size, 3), np.uint8)
    shapes = (
        rng.normal(0, 1, (n, c.landmark_feature_count))
        .astype(np.float32)
        .reshape(n, -1, 4 * c.width)
    )

    def encoded(frames: np.ndarray) -> np.ndarray:
        parts = [
            spotter.runtime.encode(crops[frames[i : i + 16]]) for i in range(0, len(frames), 16)
        ]
        return np.concatenate([np.concatenate(parts), shapes[frames]], 1)

    def naive_window(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return spotter.runtime.decode(encoded(numbers[:, 0, 0].astype(int)))

    def scores(stitcher: WindowAggregator, ticks: np.ndarray) -> np.ndarray:
        scored = [stitcher.push(tick) for tick in ticks] + [stitcher.finish()]
        return np.concatenate([s.scores for s in scored if s is not None])

    started = time.process_time()
    turns = c.alternate_directions
    cached = scores(
        WindowAggregator(*c.inference_window, spotter.runtime.decode, alternate=turns),
        encoded(np.arange(n)),
    )
    between = time.process_time()
    naive = scores(
        WindowAggregator(*c.inference_window, naive_window, alternate=turns),
        np.arange(n, dtype=np.float32)[:, None, None],
    )
    return (time.process_time() - between) / (between - started), float(
        np.abs(cached - naive).max()
    )

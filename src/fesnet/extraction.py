"""Features of every tick of a video, through the face stage of spotting, without scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fesnet._types import Float32Array
from fesnet.config import FesNetConfig
from fesnet.faces import Tracker
from fesnet.postprocess import IntervalRules
from fesnet.stream import SpotStream
from fesnet.video import Source

Encode = Callable[[NDArray[np.uint8]], Float32Array]  # as `Runtime.encode`


@dataclass(frozen=True, eq=False)
class TickFeatures:
    """Features of one face at the ticks at which it is known.

    values: (N, P, C) float16, attended features and rows of landmarks. ticks: (N,) their numbers;
    the last may lie one behind the video. count: ticks of the whole video. frame_times: (M,) s.
    """

    values: NDArray[np.float16]
    ticks: NDArray[np.int64]
    count: int
    frame_times: NDArray[np.float64]


class TickRecorder:
    """A runtime that records the features of each tick instead of scoring windows."""

    name = "recorder"

    def __init__(self, encode: Encode) -> None:
        self.encode = encode
        self.values: list[NDArray[np.float16]] = []

    def decode(self, attended: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Take a window of one tick (1, P, C); the scores mean nothing."""
        self.values.append(attended[0].astype(np.float16))
        return np.zeros((1, 3), np.float32), np.zeros(1, np.float32)


def extract_features(
    source: Source, tracker: Tracker, config: FesNetConfig, encode: Encode
) -> TickFeatures:
    """Features of the largest face of an opened source. encode: crops (N, H, W, 3) -> (N, P, C).

    Raises SourceError as the source does.
    """
    recorder = TickRecorder(encode)
    one_tick = replace(config, window=1, stride=1, inference_window_scale=1)
    stream = SpotStream(tracker, recorder, one_tick, IntervalRules())
    for frame in source:
        stream.push(frame)
    stream.finish()
    ticks = [chunk.start for line in stream.pipelines.values() for chunk in line.chunks]
    values = np.stack(recorder.values) if ticks else np.zeros((0, 0, 0), np.float16)
    return TickFeatures(values, np.array(ticks, np.int64), stream.steps, stream.times)

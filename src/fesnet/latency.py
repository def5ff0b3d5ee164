"""How far a stream looks ahead before it judges: far and well, or near and soon.

full: windows of the weights' own length, which overlap; the interval check sees its context
low: a window each half second, of which all but the last 1.7 s were judged before
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from fesnet.config import FesNetConfig
from fesnet.errors import UsageError
from fesnet.interval_features import LOOK_AHEAD_S

Latency = Literal["full", "low"]
# crops through the network at once: efficient, and short enough for a camera
ENCODE_BATCH = 16


@dataclass(frozen=True)
class StreamTiming:
    """window: steps of the working rate that are judged together; stride: steps from one window
    to the next; ahead: steps that must follow before a step's score is final; batch: crops encoded
    at once; check_ahead_s: seconds after an interval that its check waits for."""

    window: int
    stride: int
    ahead: int
    batch: int
    check_ahead_s: float
    alternate: bool = False  # windows inside a stretch forwards and backwards in turn

    def score_look_ahead(self, rate: float, landmark_interval: float) -> float:
        """Seconds until the scores of a moment are final at the latest: a window, a batch of crops,
        a key frame."""
        return (self.ahead + self.stride + self.batch) / rate + landmark_interval


# Our choice, on development clips (docs/performance.md): shorter than 3 s in all.
LOW_LATENCY = StreamTiming(window=320, stride=15, ahead=36, batch=4, check_ahead_s=1.0)


def stream_timing(config: FesNetConfig, latency: Latency = "full") -> StreamTiming:
    """The timing of a stream. Raises UsageError for another latency."""
    if latency not in get_args(Latency):
        raise UsageError(f"expected latency 'full' or 'low', got {latency!r}")
    if latency == "low":
        return LOW_LATENCY
    window, stride = config.inference_window
    ahead, turns = window - stride, config.alternate_directions
    return StreamTiming(window, stride, ahead, ENCODE_BATCH, LOOK_AHEAD_S, turns)

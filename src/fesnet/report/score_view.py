"""What thresholds are compared with, so that pages draw just that.

| result | compared with the thresholds | drawn |
|---|---|---|
| with an interval check | the probability of each candidate | a bar at that height |
| rules, one kind at a time | the sum of both scores, at its highest | the sum, and the bar |
| rules, each kind by itself | the score of the kind, at its highest | its line, and the bar |
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from fesnet._types import FloatArray
from fesnet.intervals import KINDS
from fesnet.result import FaceTrack, SpottedInterval, Spotting

Compared = Literal["check", "sum", "kinds"]
LEAST = 0.1  # candidates less likely than this, or with a lower score, are not drawn; our choice


def compared_by(spotting: Spotting) -> Compared:
    """What the thresholds of a result are compared with."""
    if spotting.candidates is not None:
        return "check"
    return "sum" if spotting.rules.exclusive else "kinds"


def score_name(spotting: Spotting) -> str:
    """What the score of an interval is called: a probability where a check gave it."""
    return "probability" if spotting.candidates is not None else "score"


def summed(track: FaceTrack) -> FloatArray:
    """(T,) macro and micro scores together, at most 1; not-a-number where unknown."""
    return np.asarray(np.minimum(track.scores.sum(1), 1.0))


def below_threshold(spotting: Spotting) -> tuple[SpottedInterval, ...]:
    """What lower thresholds would add, from `LEAST` on; none that shares a moment with what is
    shown.
    """
    rules = spotting.rules
    low = {f"{kind}_threshold": min(LEAST, rules.of(kind, "threshold")) for kind in KINDS}
    shown = spotting.intervals
    return tuple(
        c
        for c in spotting.rethreshold(low).intervals
        if c.score < rules.of(c.kind, "threshold")
        and not any(
            c.face == i.face
            and c.onset_frame <= i.offset_frame
            and i.onset_frame <= c.offset_frame
            and i.kind == c.kind
            for i in shown
        )
    )

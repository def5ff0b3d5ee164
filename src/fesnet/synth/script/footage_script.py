"""What is added to real footage: expressions alone, and only those that a warp can show.

Speech, blinks, gaze and head motion are the person's own. An open mouth cannot be made by moving
skin, and neither can a closed eye: expressions that need one are left to portraits.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from fesnet._types import FloatArray
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.expressions import EXPRESSIONS, repertoire
from fesnet.synth.script.script import replace_photo_smile
from fesnet.synth.script.video_script import EventRecorder, VideoScript, write_video_script

# Beginnings of the names of motions behind which something would show that was never filmed: teeth
# and tongue behind parted lips, the lid of an eye that closes.
HIDDEN_MOTIONS = ("jawOpen", "mouthFunnel", "mouthLowerDown", "mouthUpperUp", "eyeBlink")

# Settings of all that the footage brings along itself.
NOTHING_ELSE: dict[str, Any] = dict.fromkeys(
    (
        *("speech_share", "blinks_per_minute", "gaze_per_minute", "brows_follow", "edge_blinks"),
        *("nod_share", "turning_share", "calm_share", "jitter_scale", "head_scale"),
    ),
    0.0,
)


def is_warpable(name: str) -> bool:
    """Whether a warp shows all of an expression."""
    return not any(motion.startswith(HIDDEN_MOTIONS) for motion in EXPRESSIONS[name])


@cache
def warpable_repertoire(speaks: bool) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The expressions of `repertoire` that a warp can show, and the share of each."""
    names, shares = repertoire(speaks)
    kept = [(n, s) for n, s in zip(names, shares, strict=True) if is_warpable(n)]
    total = sum(share for _, share in kept)
    return tuple(n for n, _ in kept), tuple(s / total for _, s in kept)


class FootageRecorder(EventRecorder):
    """Writes expressions that a warp can show, for a person who speaks or does not."""

    def __init__(
        self, rng: np.random.Generator, frames: int, config: SynthConfig, *, speaks: bool
    ) -> None:
        super().__init__(rng, frames, config)
        self.speaks = speaks

    def draw_expression_name(self) -> str:
        names, shares = warpable_repertoire(self.speaks)
        return str(self.rng.choice(names, p=shares))


def write_footage_script(
    rng: np.random.Generator, times: FloatArray, config: SynthConfig, *, speaks: bool
) -> VideoScript:
    """Expressions at frame times (T,) in seconds, at the rates and strengths of `config`; nothing
    else moves. speaks: whether the person does; then no mouth is shown that speech makes, too.
    """
    only = replace(config, **NOTHING_ELSE)
    recorder = partial(FootageRecorder, speaks=speaks)
    written = write_video_script(rng, times, only, recorder)
    return replace(written, script=replace_photo_smile(written.script))

"""How often and how strongly things happen in a synthetic performance; all numbers are our choice.

They were set from what is known of the task (durations, faint micro-expressions) and from the
measured jitter of the face stage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fesnet.synth.script.curves import log_uniform


@dataclass(frozen=True)
class SynthConfig:
    """How often and how strongly things happen. Rates are per minute, durations in seconds, shares
    0..1.
    """

    rate: float = 30.0  # frames a second of the script: the working rate of the model
    macro_per_minute: float = 9.0  # dense, so that a training window seldom is empty
    micro_per_minute: float = 9.0
    # as seen, most between; field: median 1 s, besides held ones
    macro_seconds: tuple[float, float] = (0.5, 4.0)
    micro_seconds: tuple[float, float] = (0.13, 0.5)  # as seen; field: at most 0.5 s
    macro_amplitude: tuple[float, float] = (0.25, 1.2)  # log-uniform; 1 is a full expression
    # a tenth to a half of a macro, and some clear brief ones
    micro_amplitude: tuple[float, float] = (0.1, 0.9)
    held_share: float = 0.08  # macro events that last much longer (up to 20 s)
    quiet_share: float = 0.2  # scripts without any expression
    speech_share: float = 0.4  # scripts with speech
    # mean pause of a speaker, log-uniform; long ones leave words alone
    speech_pause: tuple[float, float] = (1.2, 1.2)
    # share of the mouth's expressions that come while speech goes on; for the others it stops
    talk_over: float = 0.2
    # of the speech: as a chain of sounds, not of motions that wander by themselves
    sounds_share: float = 0.0
    blinks_per_minute: float = 16.0
    blink_reach: float = 1.0  # multiplies what cheeks and brows do along with a blink
    gaze_per_minute: float = 20.0
    # how far brows may rise along with a look upwards; 1 is a full expression
    brows_follow: float = 0.0
    head_scale: float = 1.0  # multiplies head turns
    # scripts in which the head, or the camera round it, turns and does not come back
    turning_share: float = 0.0
    jitter_scale: float = 1.0  # multiplies the residue of alignment
    # scripts of somebody who sits as still as in a laboratory and says nothing
    calm_share: float = 0.0
    # expressions that leave some of themselves in the face for seconds; that is neutral
    residue_share: float = 0.0
    edge_blinks: float = 0.0  # beginnings, and ends, of expressions that come with a blink
    nod_share: float = 0.0  # expressions during which the head turns, nods or tilts
    # scripts with two to four of `fesnet.synth.script.nuisances`, those of the face
    nuisance_share: float = 0.0

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError(f"expected a rate above 0 frames a second, got {self.rate}")


def sit_still(config: SynthConfig, rng: np.random.Generator) -> SynthConfig:
    """The same without speech or turns, with a head that hardly moves and eyes that mostly rest."""
    return replace(
        config,
        speech_share=0.0,
        turning_share=0.0,
        head_scale=config.head_scale * log_uniform(rng, 0.03, 0.5),
        jitter_scale=config.jitter_scale * log_uniform(rng, 0.1, 0.8),
        blinks_per_minute=config.blinks_per_minute * log_uniform(rng, 0.1, 1.0),
        gaze_per_minute=config.gaze_per_minute * log_uniform(rng, 0.05, 0.7),
    )


def vary_event_rates(config: SynthConfig, rng: np.random.Generator) -> SynthConfig:
    """Lively people and calm ones: both rates of events, from a fifth of the config's to a bit more
    than it.
    """
    share = log_uniform(rng, 0.2, 1.2)
    return replace(
        config,
        macro_per_minute=config.macro_per_minute * share,
        micro_per_minute=config.micro_per_minute * share,
    )

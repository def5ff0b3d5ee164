"""What a synthetic face does: expressions, and everything that moves a face without being one.

A `Script` holds, for each frame at the working rate, the weights of all facial motions, head pose,
gaze and the residue of alignment, beside the truth: which frames belong to a macro- or
micro-expression. Everything here is numpy and follows from the seed alone. All numbers are our
choice; they were set from what is known of the task (durations, faint micro-expressions) and from
the measured jitter of the face stage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.intervals import Interval, Kind
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.curves import (
    SEEN,
    add,
    intensity_curve,
    visible_curve,
    log_uniform,
    alignment_jitter,
    leave_residue,
    smooth_noise,
)
from fesnet.synth.script.expressions import EXPRESSIONS, MOUTH, ONE_SIDED, SPEECH, repertoire
from fesnet.synth.script.speech import Speaker

TURN = np.array(
    [0.2, 0.08, 0.05]
)  # yaw, pitch, roll (rad) of the directions between which a head turns, about


@dataclass(frozen=True)
class SynthConfig:
    """How often and how strongly things happen. Rates are per minute, durations in seconds, shares
    0..1.
    """

    rate: float = 30.0  # frames a second of the script: the working rate of the model
    macro_per_minute: float = 9.0  # dense, so that a training window seldom is empty
    micro_per_minute: float = 9.0
    macro_seconds: tuple[float, float] = (
        0.5,
        4.0,
    )  # as seen, most between; field: median 1 s, besides held ones
    micro_seconds: tuple[float, float] = (0.13, 0.5)  # as seen; field: at most 0.5 s
    macro_amplitude: tuple[float, float] = (0.25, 1.2)  # log-uniform; 1 is a full expression
    micro_amplitude: tuple[float, float] = (
        0.1,
        0.9,
    )  # a tenth to a half of a macro, and some clear brief ones
    held_share: float = 0.08  # macro events that last much longer (up to 20 s)
    quiet_share: float = 0.2  # scripts without any expression
    speech_share: float = 0.4  # scripts with speech
    speech_pause: tuple[float, float] = (
        1.2,
        1.2,
    )  # mean pause of a speaker, log-uniform; long ones leave words alone
    # share of the mouth's expressions that come while speech goes on; for the others it stops
    talk_over: float = 0.2
    sounds_share: float = (
        0.0  # of the speech: as a chain of sounds, not of motions that wander by themselves
    )
    blinks_per_minute: float = 16.0
    blink_reach: float = 1.0  # multiplies what cheeks and brows do along with a blink
    gaze_per_minute: float = 20.0
    brows_follow: float = (
        0.0  # how far brows may rise along with a look upwards; 1 is a full expression
    )
    head_scale: float = 1.0  # multiplies head turns
    turning_share: float = (
        0.0  # scripts in which the head, or the camera round it, turns and does not come back
    )
    jitter_scale: float = 1.0  # multiplies the residue of alignment
    calm_share: float = (
        0.0  # scripts of somebody who sits as still as in a laboratory and says nothing
    )
    residue_share: float = (
        0.0  # expressions that leave some of themselves in the face for seconds; that is neutral
    )
    edge_blinks: float = 0.0  # beginnings, and ends, of expressions that come with a blink
    nod_share: float = 0.0  # expressions during which the head turns, nods or tilts

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError(f"expected a rate above 0 frames a second, got {self.rate}")


@dataclass(frozen=True)
class Script:
    """One synthetic performance of T frames.

    weights (T, K) of `motion_basis()`, smile (T,) share of the portrait's own smiling photo, pose
    (T, 3) yaw, pitch, roll in radians, gaze (T, 2) in -1..1, jitter (T, 4) shift x, y (crop
    units), rotation (rad), log scale of the alignment residue, intensity (T,) of expressions (1 is
    a full macro), events on the script's own frames.
    """

    weights: FloatArray
    smile: FloatArray
    pose: FloatArray
    gaze: FloatArray
    jitter: FloatArray
    intensity: FloatArray
    events: tuple[Interval, ...] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.smile)

    def labels(self) -> NDArray[np.int64]:
        """(T,) 0 neutral, 1 macro, 2 micro (a micro inside a macro wins)."""
        out = np.zeros(len(self), np.int64)
        for kind, code in (("macro", 1), ("micro", 2)):
            for e in self.events:
                if e.kind == kind:
                    out[e.start : e.stop] = code
        return out


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


def varied(config: SynthConfig, rng: np.random.Generator) -> SynthConfig:
    """Lively people and calm ones: both rates of events, from a fifth of the config's to a bit more
    than it.
    """
    share = log_uniform(rng, 0.2, 1.2)
    return replace(
        config,
        macro_per_minute=config.macro_per_minute * share,
        micro_per_minute=config.micro_per_minute * share,
    )


class ScriptWriter:
    """Writes one script; a class only so that the parts share the tracks they add to."""

    def __init__(self, rng: np.random.Generator, frames: int, config: SynthConfig) -> None:
        self.rng, self.frames, self.config = rng, frames, config
        self.basis = motion_basis()
        self.weights = np.zeros((frames, len(self.basis.names)), np.float32)
        self.smile = np.zeros(frames, np.float32)
        self.gaze = np.zeros((frames, 2), np.float32)
        self.intensity = np.zeros(frames, np.float32)
        self.silent = np.zeros(
            frames, np.float32
        )  # 1 where an expression of the mouth lets nobody speak
        self.events: list[Interval] = []
        self.shown = repertoire(speaks=False)

    def write(self) -> Script:
        rng = self.rng
        if self.config.calm_share and rng.random() < self.config.calm_share:
            self.config = sit_still(self.config, rng)
        speaks = bool(rng.random() < self.config.speech_share)
        self.shown = repertoire(speaks)
        if rng.random() >= self.config.quiet_share:
            self.expressions()
        speaking = np.zeros(self.frames, np.float32)
        if speaks:
            self.speech(speaking)
        self.blinks()
        self.gazes()
        if rng.random() < 0.3:
            self.swallows()
        pose = self.head(speaking)
        return Script(
            self.weights,
            self.smile,
            pose,
            self.gaze,
            alignment_jitter(rng, pose, self.config.jitter_scale),
            self.intensity,
            tuple(sorted(self.events)),
        )

    # -- expressions
    # ---------------------------------------------------------------------------------------------

    def expressions(self) -> None:
        """Macro and micro events one after another, now and then chained or overlapping."""
        rng, c = self.rng, self.config
        per_minute = c.macro_per_minute + c.micro_per_minute
        if per_minute == 0:
            return
        share = c.micro_per_minute / per_minute
        mean_gap = 60.0 * c.rate / per_minute
        t = -rng.uniform(0, 3 * c.rate)
        while t < self.frames:
            micro = rng.random() < share
            stop = self.event(int(t), "micro" if micro else "macro")
            kind = rng.random()  # at once, after a moment, or after a while
            gap = (
                rng.exponential(0.6 * mean_gap) + 0.2 * c.rate
                if kind > 0.3
                else rng.uniform(0.1, 0.5) * c.rate
            )
            gap = 0.0 if kind < 0.12 else gap
            t = stop + gap
            if (
                not micro and rng.random() < 0.06 and share > 0
            ):  # a micro-expression inside the macro that was just written
                self.event(int(rng.uniform(t - gap - 0.7 * c.rate, t - gap)), "micro")

    def event(self, start: int, kind: Kind) -> int:
        """Write one event and its truth; returns the frame after its last."""
        rng, c = self.rng, self.config
        if kind == "micro":
            low, high = c.micro_seconds
            seconds = low + (high - low) * math.sqrt(
                rng.random()
            )  # seldom short: half of CAS(ME)^2's last 0.47 s
            amplitude = log_uniform(rng, *c.micro_amplitude)
        else:
            low, high = c.macro_seconds
            seconds = math.sqrt(log_uniform(rng, low, high) * log_uniform(rng, low, high))
            amplitude = log_uniform(rng, *c.macro_amplitude)
            if rng.random() < c.held_share:
                seconds = rng.uniform(4.0, 20.0)
        rise_s, fall_s = rng.uniform(0.1, 0.6), rng.uniform(0.15, 0.9)
        rise = float(np.clip(rise_s / seconds, 0.08, 0.55))
        fall = float(np.clip(fall_s / seconds, 0.08, 0.9 - rise))
        skew = log_uniform(rng, 0.7, 1.4)
        curve = visible_curve(round(seconds * c.rate), rise, fall, skew)
        frames = len(curve)
        if seconds > 0.8:  # a held expression is never quite still
            curve = curve * (
                1 + np.clip(smooth_noise(rng, frames, 12, rng.uniform(0, 0.12)), -0.4, 0.4)
            )
        shown, left = curve * amplitude, np.zeros(0, np.float32)
        if c.residue_share and rng.random() < c.residue_share:
            shown, left = leave_residue(rng, shown, c.rate)
        self.perform(start, shown, left, whole=rng.random() >= ONE_SIDED)
        add(self.intensity, start, curve * amplitude)
        seen = np.flatnonzero(curve > SEEN * curve.max())
        self.truth(
            start + int(seen[0]), start + int(seen[-1]) + 1, start + int(curve.argmax()), kind
        )
        return start + frames

    def perform(self, start: int, curve: FloatArray, left: FloatArray, *, whole: bool) -> None:
        """Move the face along `curve`, and then along what is left of it, by a random
        expression.
        """
        rng = self.rng
        name, track = self.drawn(), np.concatenate([curve, left])
        if "smile" in name and rng.random() < 0.6:
            self.hush(start, len(curve))
            add(self.smile, start, track * float(rng.uniform(0.8, 1.2)))
            return
        vector = self.basis.weights(EXPRESSIONS[name])
        vector = vector * rng.uniform(0.65, 1.3, vector.shape).astype(np.float32)
        if rng.random() < 0.2:  # a second, weaker component: real expressions are seldom pure
            other = self.basis.weights(EXPRESSIONS[self.drawn()])
            vector = vector + other * float(rng.uniform(0.1, 0.4))
        if not whole:
            side = "_L" if rng.random() < 0.5 else "_R"
            weaker = float(rng.uniform(0, 0.3))
            one = vector * np.array(
                [weaker if n.endswith(side) else 1.0 for n in self.basis.names], np.float32
            )
            vector = (
                one if one.max() > 0.5 * vector.max() else vector
            )  # a wink of that eye would be gone
        mouth = np.array([n.startswith(MOUTH) for n in self.basis.names])
        if vector[mouth].max() > 0.25 * vector.max():
            self.hush(start, len(curve))
        add(self.weights, start, track, vector)

    def drawn(self) -> str:
        """The name of an expression that this person may show."""
        names, shares = self.shown
        return str(self.rng.choice(names, p=shares))

    def hush(self, start: int, frames: int) -> None:
        """Mostly nobody speaks during an expression of the mouth: nobody could tell it from a
        sound.
        """
        before, after = self.rng.uniform(0.1, 0.8, 2) * self.config.rate
        if self.rng.random() >= self.config.talk_over:
            self.silent[max(0, start - int(before)) : max(0, start + frames + int(after))] = 1

    def truth(self, start: int, stop: int, apex: int, kind: Kind) -> None:
        a, b = max(0, start), min(self.frames, stop)
        if b > a:
            self.events.append(Interval(a, b, kind, apex=min(max(apex, a), b - 1)))

    # -- what is not an expression
    # -------------------------------------------------------------------------------

    def speech(self, speaking: FloatArray) -> None:
        """Bursts of syllables; the speaker's rhythm, loudness and favourite mouth shapes are drawn
        once.
        """
        rng, rate = self.rng, self.config.rate
        syllable = rate / rng.uniform(2.5, 6.5)
        loudness = log_uniform(rng, 0.3, 1.8)
        mix = {n: s * float(rng.uniform(0, 1.3)) for n, s in SPEECH}
        if rng.random() < 0.25:
            mix["jawOpen"] *= 0.2
        speaker = (
            Speaker(rng)
            if self.config.sounds_share and rng.random() < self.config.sounds_share
            else None
        )
        low, high = self.config.speech_pause
        pause = low if low == high else log_uniform(rng, low, high)
        spoken = np.zeros_like(self.weights)
        t = rng.uniform(-2, max(1.5, pause)) * rate
        while t < self.frames:
            frames = int(rng.uniform(0.7, 6.0) * rate)
            envelope = intensity_curve(frames, min(0.3, 4 / frames), min(0.3, 5 / frames), 1.0)
            if speaker is not None:
                add(spoken, int(t), envelope, speaker.phrase(frames, rate))
            for name, scale in mix.items() if speaker is None else ():
                shape = np.abs(
                    smooth_noise(
                        rng, frames, syllable * rng.uniform(0.4, 1.1), 0.75 * scale * loudness
                    )
                )
                add(spoken, int(t), shape * envelope, self.basis.weights({name: 1.0}))
            add(speaking, int(t), envelope)
            t += frames + rng.exponential(pause) * rate
        loud = (
            1 - np.convolve(self.silent, np.hanning(9) / np.hanning(9).sum(), "same")[: self.frames]
        )
        self.weights += (loud[:, None] * spoken).astype(np.float32)
        speaking *= loud.astype(np.float32)

    def blinks(self) -> None:
        """Blinks, half blinks, and now and then eyes that stay closed for a while."""
        rng, rate = self.rng, self.config.rate
        per_minute = self.config.blinks_per_minute * log_uniform(rng, 0.4, 2.0)
        if per_minute == 0:
            return
        t = rng.exponential(60 / per_minute) * rate
        while t < self.frames:
            frames = self.blink(int(t))
            t += frames + rng.exponential(60 / per_minute) * rate * (
                0.15 if rng.random() < 0.1 else 1.0
            )
        for edge in self.edges() if self.config.edge_blinks else ():
            if rng.random() < self.config.edge_blinks:
                self.blink(edge - int(rng.normal(0.12, 0.1) * rate))

    def blink(self, start: int) -> int:
        """One blink; returns its frames."""
        rng, rate, reach = self.rng, self.config.rate, self.config.blink_reach
        long = rng.random() < 0.06
        frames = int(rate * (rng.uniform(0.5, 3.0) if long else rng.uniform(0.1, 0.4))) + 1
        rise = 0.35 if not long else 0.1
        curve = intensity_curve(frames, rise, 0.5 if not long else 0.12, 1.0)
        depth = rng.uniform(0.35, 0.7) if rng.random() < 0.15 else rng.uniform(0.8, 1.05)
        extra = {
            "cheekSquint": reach * rng.uniform(0, 0.08),
            "browDown": reach * rng.uniform(0, 0.06),
        }
        add(
            self.weights, start, curve * float(depth), self.basis.weights({"eyeBlink": 1.0} | extra)
        )
        return frames

    def edges(self) -> list[int]:
        """Frames at which an expression begins or ends within the script."""
        return [edge for e in self.events for edge in (e.start, e.stop) if 0 < edge < self.frames]

    def gazes(self) -> None:
        """Saccades of 2-3 frames to new fixations; the lids follow the eyes up and down."""
        rng, rate = self.rng, self.config.rate
        per_minute = self.config.gaze_per_minute * log_uniform(rng, 0.3, 2.0)
        if per_minute == 0:
            return
        t, at = 0, np.zeros(2)
        lively = rng.uniform(0.1, 0.6)
        while t < self.frames:
            hold = int(rng.exponential(60 / per_minute) * rate) + 4
            to = np.clip(rng.normal(0, lively, 2), -1, 1) if rng.random() < 0.7 else np.zeros(2)
            n = min(hold, self.frames - t)
            step = np.clip(np.arange(1, n + 1) / float(rng.integers(2, 5)), 0, 1)[:, None]
            self.gaze[t : t + n] = at + (to - at) * step
            t, at = t + hold, to
        down, up = np.clip(self.gaze[:, 1], 0, 1), np.clip(-self.gaze[:, 1], 0, 1)
        lid_down = self.basis.weights({"eyeLookDown": 1.0}) * float(rng.uniform(0.5, 1.0))
        lid_up = self.basis.weights({"eyeLookUp": 1.0}) * float(rng.uniform(0.5, 1.0))
        self.weights += down[:, None] * lid_down + up[:, None] * lid_up
        if self.config.brows_follow:
            raised = rng.uniform(0, self.config.brows_follow, 2)
            brows = self.basis.weights({"browInnerUp": raised[0], "browOuterUp": raised[1]})
            self.weights += up[:, None] * brows

    def swallows(self) -> None:
        rng, rate = self.rng, self.config.rate
        t = rng.uniform(0, 8) * rate
        vector = self.basis.weights({"mouthShrugLower": 0.12, "mouthPress": 0.15, "jawOpen": 0.02})
        while t < self.frames:
            add(
                self.weights,
                int(t),
                intensity_curve(int(rng.uniform(0.4, 0.9) * rate), 0.4, 0.5, 1.0),
                vector,
            )
            t += rng.uniform(6, 25) * rate

    def head(self, speaking: FloatArray) -> FloatArray:
        """(T, 3) yaw, pitch, roll: sway, turns, nods; more of all while speaking."""
        rng, n, rate = self.rng, self.frames, self.config.rate
        scale = self.config.head_scale * float(
            rng.choice([0.15, 0.5, 1.0, 2.0], p=[0.3, 0.3, 0.25, 0.15])
        )
        pose = np.stack(
            [
                smooth_noise(rng, n, rng.uniform(0.8, 3) * rate, s * scale)
                for s in (0.05, 0.04, 0.03)
            ],
            1,
        )
        lively = np.stack(
            [smooth_noise(rng, n, rng.uniform(0.2, 0.5) * rate, 0.02 * scale) for _ in range(3)], 1
        )
        pose = pose + lively * (0.3 + speaking[:, None])
        t = rng.exponential(6) * rate
        while t < self.frames and scale > 0.3:  # turns and nods that come back
            frames = int(rng.uniform(0.4, 3) * rate)
            turn = rng.normal(0, 1, 3) * [0.12, 0.09, 0.06] * scale
            add(pose, int(t), intensity_curve(frames, 0.4, 0.4, 1.0), turn.astype(np.float32))
            t += frames + rng.exponential(5) * rate
        for e in self.events if self.config.nod_share else ():
            if rng.random() < self.config.nod_share:
                pose = self.nod(pose, e)
        if self.config.turning_share and rng.random() < self.config.turning_share:
            pose = pose + self.turns()
        rest = rng.normal(0, 1, 3) * [0.1, 0.08, 0.05]
        return np.clip(pose + rest, [-0.38, -0.3, -0.5], [0.38, 0.3, 0.5]).astype(np.float32)

    def nod(self, pose: FloatArray, event: Interval) -> FloatArray:
        """The head turns, nods or tilts along with an expression, and mostly comes back."""
        rng, rate = self.rng, self.config.rate
        frames = int((event.stop - event.start) * rng.uniform(0.6, 1.8)) + 5
        turn = rng.normal(0, 1, 3) * [0.08, 0.08, 0.07] * self.config.head_scale
        curve = intensity_curve(frames, rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.5), 1.0)
        out = pose.astype(np.float32)
        add(out, event.start - int(rng.uniform(0, 0.4) * rate), curve, turn.astype(np.float32))
        return out

    def turns(self) -> FloatArray:
        """(T, 3) yaw, pitch, roll that go from one direction to another and stay there, slowly or
        at once.
        """
        rng, rate = self.rng, self.config.rate
        pose, at, to = np.zeros((self.frames, 3)), 0.0, rng.normal(0, 1, 3) * TURN
        visible_curve = log_uniform(
            rng, 0.4, 8.0
        )  # seconds of a turn, about: a glance aside, or a camera that goes round
        while at < self.frames:
            since, to = to, rng.normal(0, 1, 3) * TURN
            turn, hold = (
                visible_curve * rng.uniform(0.6, 1.6) * rate,
                rng.exponential(rng.choice([0.3, 3.0])) * rate,
            )
            t = np.arange(self.frames) - at
            share = 0.5 - 0.5 * np.cos(np.pi * np.clip(t / turn, 0, 1))
            pose[t >= 0] = (since + share[:, None] * (to - since))[t >= 0]
            at += turn + hold
        return pose


def replace_photo_smile(script: Script) -> Script:
    """The same for a person of whom there is no smiling photo: smiles are the motion basis's."""
    smile = motion_basis().weights(EXPRESSIONS["smile"])
    weights = script.weights + script.smile[:, None] * smile
    return replace(script, weights=weights, smile=np.zeros_like(script.smile))


def write_script(
    rng: np.random.Generator, frames: int, config: SynthConfig, *, lead: int = 0
) -> Script:
    """A script of `frames` frames; `lead` more are written before it and cut, so that it may open
    inside an event.
    """
    whole = ScriptWriter(rng, frames + lead, config).write()
    if lead == 0:
        return whole
    events = [
        Interval(
            max(0, e.start - lead), e.stop - lead, e.kind, apex=max(0, (e.apex or e.start) - lead)
        )
        for e in whole.events
        if e.stop > lead
    ]
    w = whole
    cut = (
        w.weights[lead:],
        w.smile[lead:],
        w.pose[lead:],
        w.gaze[lead:],
        w.jitter[lead:],
        w.intensity[lead:],
    )
    return Script(*cut, tuple(events))

"""Writes scripts: expressions one after another, and everything that moves a face besides.

Everything here is numpy and follows from the seed alone. All numbers are our choice.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fesnet._types import FloatArray
from fesnet.intervals import Interval, Kind
from fesnet.synth.script.config import SynthConfig, sit_still
from fesnet.synth.script.curves import (
    VISIBLE_SHARE,
    add_curve,
    alignment_jitter,
    leave_residue,
    log_uniform,
    smooth_noise,
    visible_curve,
)
from fesnet.synth.script.expressions import (
    MOUTH_PREFIXES,
    ONE_SIDED_SHARE,
    expression_weights,
    posed_repertoire,
    repertoire,
)
from fesnet.synth.script.eyes import add_blinks, add_gaze
from fesnet.synth.script.face_nuisances import add_face_nuisances
from fesnet.synth.script.head import head_pose
from fesnet.synth.script.nuisances import (
    FACE_NUISANCES,
    POSED_MOUTH,
    draw_nuisances,
    speaks_with,
)
from fesnet.synth.script.script import Script, ScriptTracks
from fesnet.synth.script.speech import add_speech, add_swallows

POSED_STRENGTH = (0.5, 1.3)  # of posed mouths; 1 is a full expression


class ScriptWriter(ScriptTracks):
    """Writes one script; a class only so that the parts share the tracks they add to."""

    def __init__(self, rng: np.random.Generator, frames: int, config: SynthConfig) -> None:
        super().__init__(rng, frames, config)
        self.repertoire = repertoire(speaks=False)
        self.nuisances: tuple[str, ...] = ()  # names of those that are shown
        self.episodes: list[tuple[str, tuple[int, int]]] = []  # of these, frames from and before

    def write(self) -> Script:
        rng = self.rng
        if self.config.calm_share and rng.random() < self.config.calm_share:
            self.config = sit_still(self.config, rng)
        if self.config.nuisance_share:
            self.nuisances = draw_nuisances(rng, self.config.nuisance_share, FACE_NUISANCES)
        speaks = bool(rng.random() < self.config.speech_share)
        speaks = speaks_with(self.nuisances, speaks)
        self.repertoire = repertoire(speaks)
        if POSED_MOUTH in self.nuisances:
            self.write_posed_mouths()
        elif rng.random() >= self.config.quiet_share:
            self.write_expressions()
        speaking = np.zeros(self.frames, np.float32)
        if speaks:
            add_speech(self, speaking)
        add_blinks(self)
        add_gaze(self)
        if rng.random() < 0.3:
            add_swallows(self)
        pose = head_pose(self, speaking)
        if self.nuisances:
            self.episodes += add_face_nuisances(self, self.nuisances, pose, speaking)
        return Script(
            self.weights,
            self.smile,
            pose,
            self.gaze,
            alignment_jitter(rng, pose, self.config.jitter_scale),
            self.intensity,
            tuple(sorted(self.events)),
        )

    def write_expressions(self) -> None:
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
            stop = self.write_event(int(t), "micro" if micro else "macro")
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
                self.write_event(int(rng.uniform(t - gap - 0.7 * c.rate, t - gap)), "micro")

    def write_posed_mouths(self) -> None:
        """Chains of mouths, each for a second or so with short pauses between them, or one that is
        held; now and then another expression. Nobody speaks.
        """
        rng, usual, own = self.rng, self.config, self.repertoire
        self.repertoire = posed_repertoire()
        t = rng.uniform(-4, 2) * usual.rate
        while t < self.frames:
            held = rng.random() < 0.3
            for _ in range(1 if held else int(rng.integers(3, 11))):
                seconds = (2.0, 10.0) if held else (0.6, 2.0)
                self.config = replace(
                    usual, macro_seconds=seconds, macro_amplitude=POSED_STRENGTH, held_share=0.0
                )
                known = len(self.events)
                stop = self.write_event(int(t), "macro")
                self.episodes += [(POSED_MOUTH, (e.start, e.stop)) for e in self.events[known:]]
                t = stop + rng.uniform(0.05, 0.9) * usual.rate
            t += rng.exponential(3.0) * usual.rate
            if rng.random() < 0.3 and t < self.frames:
                self.config, self.repertoire = usual, own
                t = self.write_event(int(t), "macro") + rng.uniform(0.5, 3.0) * usual.rate
                self.repertoire = posed_repertoire()
        self.config, self.repertoire = usual, own

    def write_event(self, start: int, kind: Kind) -> int:
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
        self.show_expression(start, shown, left, whole=rng.random() >= ONE_SIDED_SHARE)
        add_curve(self.intensity, start, curve * amplitude)
        seen = np.flatnonzero(curve > VISIBLE_SHARE * curve.max())
        self.add_event(
            start + int(seen[0]), start + int(seen[-1]) + 1, start + int(curve.argmax()), kind
        )
        return start + frames

    def show_expression(
        self, start: int, curve: FloatArray, left: FloatArray, *, whole: bool
    ) -> None:
        """Move the face along `curve`, and then along what is left of it, by a random
        expression.
        """
        rng = self.rng
        name, track = self.draw_expression_name(), np.concatenate([curve, left])
        if "smile" in name and rng.random() < 0.6:
            self.silence_speech(start, len(curve))
            add_curve(self.smile, start, track * float(rng.uniform(0.8, 1.2)))
            return
        vector = self.basis.weights(expression_weights(name))
        vector = vector * rng.uniform(0.65, 1.3, vector.shape).astype(np.float32)
        if rng.random() < 0.2:  # a second, weaker component: real expressions are seldom pure
            other = self.basis.weights(expression_weights(self.draw_expression_name()))
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
        mouth = np.array([n.startswith(MOUTH_PREFIXES) for n in self.basis.names])
        if vector[mouth].max() > 0.25 * vector.max():
            self.silence_speech(start, len(curve))
        add_curve(self.weights, start, track, vector)

    def draw_expression_name(self) -> str:
        """The name of an expression that this person may show."""
        names, shares = self.repertoire
        return str(self.rng.choice(names, p=shares))

    def silence_speech(self, start: int, frames: int) -> None:
        """Mostly nobody speaks during an expression of the mouth: nobody could tell it from a
        sound.
        """
        before, after = self.rng.uniform(0.1, 0.8, 2) * self.config.rate
        if self.rng.random() >= self.config.talk_over:
            self.silent[max(0, start - int(before)) : max(0, start + frames + int(after))] = 1

    def add_event(self, start: int, stop: int, apex: int, kind: Kind) -> None:
        a, b = max(0, start), min(self.frames, stop)
        if b > a:
            self.events.append(Interval(a, b, kind, apex=min(max(apex, a), b - 1)))


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

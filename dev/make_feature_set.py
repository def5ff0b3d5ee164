"""A `folder` data set of region flow without a single picture, to try the benchmark's feature path
on.

usage: python dev/make_feature_set.py OUT [--style plain|cas|samm] [--seed 0] [--subjects N]
[--videos N] [--seconds S] [--fps F]

Every subject has a face of its own (the canonical one, stretched), a usual noise and a usual way to
move. Scripts of `fesnet.synth.script` move it: expressions, blinks, gaze, speech, head turns. What
is written for each frame is the mean step of 12 regions (T, 12, 2), less that of the nose, in
pixels of a 128 pixel crop, with the errors of an optical flow: white noise, outliers, a share of
the head's turn that alignment leaves.

`plain` spreads events evenly. `cas` and `samm` have what makes the real sets hard, in numbers that
their papers and files tell:

    cas     30 Hz, 22 subjects, 98 videos, 2.4 hours; 2.1 macro and 0.4 micro a minute; macros of
            0.1-4 s, one in seven without an offset; few micros in a macro
    samm    25 Hz, 30 subjects, 147 videos, 1.5 hours; 3.9 macro and 1.8 micro a minute; macros of
            0.5-26 s; three micros in ten lie in a macro

Both have expressions that nobody annotated, edges that differ by some frames, jumps of the
alignment, and a flow that shrinks small motion. Nothing here is real; it tells how methods compare
and what they cost, not how good one is on people.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fesnet.intervals import Interval
from fesnet.synth.render.avatar import face_motion
from fesnet.synth.render.landmark_errors import PIVOT, head_rotations
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.curves import log_uniform, smooth_noise
from fesnet.synth.script.script import Script
from fesnet.synth.script.writer import ScriptWriter, write_script

NOSE = (4, 5, 195, 197)
REGIONS = ((55, 107), (285, 336), (52, 105), (282, 334), (46, 70), (276, 300), (129, 203), (358,
           423), (57, 61),
           (287, 291), (0, 13), (14, 17))  # fmt: skip
PIXELS = 128  # of a crop's side
Annotation = tuple[str, int, int, int]  # kind; onset, apex, offset: frames from 1


@dataclass(frozen=True)
class Style:
    """What a kind of data set is like; rates a minute, times in seconds."""

    subjects: int = 22
    videos: int = 98
    seconds: float = 87.0
    fps: float = 30.0
    macro: float = 1.0
    micro: float = 0.16
    macro_seconds: tuple[float, float] = (0.4, 4.0)
    macro_amplitude: tuple[float, float] = (0.15, 1.0)
    micro_seconds: tuple[float, float] = (0.13, 0.5)
    micro_amplitude: tuple[float, float] = (0.08, 0.5)
    held: float = 0.03  # share of macros of 4 to 20 s
    field: bool = False  # events, labels and flow as in the real sets
    inside: float = 0.0  # share of micros that lie in a macro
    unannotated: float = 0.0  # expressions a minute that are shown and not in the truth
    no_offset: float = 0.0  # share of macros whose offset nobody gave
    edge_s: float = 0.0  # standard deviation of an annotated edge, and a tenth of the length more
    jumps: float = 0.0  # a minute: alignment goes wrong for up to 3 frames
    shrink: float = 0.0  # pixels; steps of this size are halved


STYLES = {
    "plain": Style(),
    "cas": Style(
        macro=2.1, micro=0.4, macro_seconds=(0.4, 2.8), macro_amplitude=(0.12, 1.0),
        micro_seconds=(0.28, 0.55), micro_amplitude=(0.12, 0.5), held=0.0, field=True, inside=0.05,
        unannotated=1.0, no_offset=0.15, edge_s=0.05, jumps=0.5, shrink=0.02,
    ),
    "samm": Style(
        subjects=30, videos=147, seconds=35.5, fps=25.0, macro=3.9, micro=1.8,
        macro_seconds=(0.5, 8.0), macro_amplitude=(0.1, 0.9), micro_seconds=(0.15, 0.5),
        micro_amplitude=(0.08, 0.4), held=0.06, field=True, inside=0.3,
        unannotated=2.0, edge_s=0.04, jumps=1.0, shrink=0.02,
    ),
}  # fmt: skip


class FieldWriter(ScriptWriter):
    """Events by their rates: micros in macros, and expressions that the truth lacks."""

    def __init__(
        self, rng: np.random.Generator, frames: int, config: SynthConfig, style: Style
    ) -> None:
        super().__init__(rng, frames, config)
        self.style = style

    def write_expressions(self) -> None:
        rng, c = self.rng, self.config
        minutes = self.frames / c.rate / 60
        for _ in range(rng.poisson(c.macro_per_minute * minutes)):
            self.write_event(self.free_frame(), "macro")
        macros = list(self.events)
        for _ in range(rng.poisson(c.micro_per_minute * minutes)):
            if macros and rng.random() < self.style.inside:
                whole = macros[rng.integers(len(macros))]
                self.write_event(int(rng.uniform(whole.start, whole.stop)), "micro")
            else:
                self.write_event(self.free_frame(), "micro")
        coded = list(self.events)
        for _ in range(rng.poisson(self.style.unannotated * minutes)):
            self.write_event(self.free_frame(), "micro" if rng.random() < 0.5 else "macro")
        self.events[:] = coded

    def free_frame(self) -> int:
        """A random frame, in most cases one where nothing is shown."""
        for _ in range(5):
            at = int(self.rng.integers(self.frames))
            if self.intensity[at] < 0.02:
                break
        return at


def as_annotated(
    events: tuple[Interval, ...], frames: int, style: Style, rng: np.random.Generator
) -> list[Annotation]:
    """Kind, onset, apex, offset, frames from 1, as a coder would write them; offset 0: unknown."""
    rows: list[Annotation] = []
    for e in events:
        spread = style.edge_s * style.fps + (0.1 * (e.stop - e.start) if style.field else 0.0)
        a, b = e.start, e.stop
        if style.field:
            # Offsets are less certain than onsets.
            a = int(np.clip(round(a + rng.normal(0, spread / 2)), 0, frames - 2))
            b = int(np.clip(round(b + rng.normal(0, spread)), a + 2, frames))
        if style.field and e.kind == "micro":
            b = min(b, a + int(0.505 * style.fps + 1))
        apex = min(max(e.start if e.apex is None else e.apex, a), b - 1)
        unknown = e.kind == "macro" and apex > a and rng.random() < style.no_offset
        rows.append((e.kind, a + 1, apex + 1, 0 if unknown else b))
    return rows


def region_steps(
    script: Script, face: np.ndarray, noise: float, rng: np.random.Generator, style: Style
) -> np.ndarray:
    """(T, 12, 2) mean step of each region from frame to frame, less the nose's, in pixels."""
    motion = face_motion(script.weights)
    at = [face_motion_mean(motion, face, script, group) for group in (NOSE, *REGIONS)]
    moved = np.stack(at[1:], 1) - at[0][:, None]
    left = rng.uniform(0.05, 0.3)  # of the head's turn, what alignment leaves
    still = np.stack([face_motion_mean(0 * motion, face, script, g) for g in (NOSE, *REGIONS)], 1)
    turned = still[:, 1:] - still[:, :1]
    moved = PIXELS * (moved - (1 - left) * turned)
    step = np.diff(moved, axis=0, prepend=moved[:1])
    size = noise * np.exp(rng.normal(0, 0.3, (1, len(REGIONS), 1)))
    error = size * (rng.standard_normal(step.shape) + 0.15 * rng.standard_t(2, step.shape))
    light = np.diff(smooth_noise(rng, len(step), 90, 1.0), prepend=0)[:, None, None] * rng.normal(
        0, 0.5, step.shape[1:]
    )
    noisy = step * (1 + 0.2 * rng.standard_normal(step.shape)) + error + light
    if style.jumps:
        noisy += alignment_jumps(len(step), style, rng)
    if style.shrink:
        noisy *= np.abs(noisy) / (np.abs(noisy) + style.shrink)
    return np.asarray(noisy, np.float32)


def alignment_jumps(frames: int, style: Style, rng: np.random.Generator) -> np.ndarray:
    """(T, 12, 2) steps there and back where a face was found in a wrong place for 1-3 frames."""
    out = np.zeros((frames, len(REGIONS), 2))
    for _ in range(rng.poisson(style.jumps * frames / style.fps / 60)):
        a, width = int(rng.integers(frames)), int(rng.integers(1, 4))
        jump = rng.normal(0, 0.1, (1, 2)) + rng.normal(0, 0.1, (len(REGIONS), 2))
        out[a] += jump
        if a + width < frames:
            out[a + width] -= jump * rng.uniform(0.8, 1.2)
    return out


def face_motion_mean(
    motion: np.ndarray, face: np.ndarray, script: Script, group: tuple[int, ...]
) -> np.ndarray:
    points = face[list(group)] + motion[:, list(group)]
    turned = (points - PIVOT) @ head_rotations(script.pose).transpose(0, 2, 1) + PIVOT
    return np.asarray(turned[..., :2].mean(1))


def make_video(number: int, style: Style, seed: int) -> tuple[np.ndarray, list[Annotation]]:
    """Features (T, 12, 2) and annotations of one video; its subject is the number modulo theirs."""
    own = np.random.default_rng([seed, 1, number % style.subjects])
    face = motion_basis().canonical * own.uniform(0.92, 1.08, 3).astype(np.float32)
    noise, lively, talks = (
        log_uniform(own, 0.02, 0.08),
        own.uniform(0.3, 1.6),
        own.random() < 0.25,
    )
    rng = np.random.default_rng([seed, 2, number])
    config = SynthConfig(
        rate=style.fps, macro_per_minute=style.macro * lively,
        micro_per_minute=style.micro * own.uniform(0.2, 2),
        macro_seconds=style.macro_seconds, macro_amplitude=style.macro_amplitude,
        micro_seconds=style.micro_seconds, micro_amplitude=style.micro_amplitude,
        quiet_share=0.03, speech_share=0.5 if talks else 0.1, held_share=style.held,
    )  # fmt: skip
    frames = round(style.seconds * style.fps * rng.uniform(0.5, 1.5))
    if style.field:
        config = replace(config, residue_share=0.3, nod_share=0.2, edge_blinks=0.1)
        script = FieldWriter(rng, frames, config, style).write()
    else:
        script = write_script(rng, frames, config)
    steps = region_steps(script, face, noise, rng, style)
    return steps, as_annotated(script.events, frames, style, rng)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--style", choices=STYLES, default="plain")
    for name, kind in (("subjects", int), ("videos", int), ("seconds", float), ("fps", float)):
        parser.add_argument(f"--{name}", type=kind)
    parser.add_argument("--macro", type=float, help="a minute")
    parser.add_argument("--micro", type=float, help="a minute")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    given = parse_arguments()
    names = ("subjects", "videos", "seconds", "fps", "macro", "micro")
    told = {n: getattr(given, n) for n in names if getattr(given, n) is not None}
    style = replace(STYLES[given.style], **told)
    given.out.mkdir(parents=True, exist_ok=True)
    videos, truth = [], []
    for number in range(style.videos):
        subject = f"s{number % style.subjects + 1:02d}"
        name = f"{subject}_{number // style.subjects + 1}"
        features, events = make_video(number, style, given.seed)
        np.savez(given.out / f"{name}.npz", features=features, fps=style.fps)
        videos.append((subject, name))
        truth += [(subject, name, *event) for event in events]
    columns = ["subject", "video", "kind", "onset_frame", "apex_frame", "offset_frame"]
    for file, head, rows in (("videos.csv", columns[:2], videos), ("truth.csv", columns, truth)):
        with (given.out / file).open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle, lineterminator="\n").writerows([head, *sorted(rows)])
    counts = {k: sum(row[2] == k for row in truth) for k in ("macro", "micro")}
    print(f"{len(videos)} videos, {counts['macro']} macro, {counts['micro']} micro in {given.out}")


if __name__ == "__main__":
    main()

"""A `folder` data set of region flow without a single picture, to try the benchmark's feature path
on.

usage: python dev/make_feature_set.py OUT [--subjects 22] [--videos 98] [--seconds 87] [--fps 30]
[--seed 0]

Every subject has a face of its own (the canonical one, stretched), a usual noise and a usual way to
move. Scripts of `fesnet.synth.script.writer` move it: expressions, blinks, gaze, speech, head
turns. What is written for each frame is the mean step of 12 regions (T, 12, 2), less that of the
nose, in pixels of a 128 pixel crop, with the errors of an optical flow: white noise, outliers, a
share of the head's turn that alignment leaves. Events are about as rare as in CAS(ME)^2 (300 macro,
57 micro in 2.4 hours) unless said otherwise. Nothing here is real; it tells whether the bench works
and what it costs, not how good a method is on people.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from fesnet.synth.render.avatar import face_motion
from fesnet.synth.render.landmark_errors import PIVOT, head_rotations
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.curves import log_uniform, smooth_noise
from fesnet.synth.script.script import Script
from fesnet.synth.script.writer import write_script

NOSE = (4, 5, 195, 197)
REGIONS = ((55, 107), (285, 336), (52, 105), (282, 334), (46, 70), (276, 300), (129, 203), (358,
           423), (57, 61),
           (287, 291), (0, 13), (14, 17))  # fmt: skip
PIXELS = 128  # of a crop's side


def region_steps(
    script: Script, face: np.ndarray, noise: float, rng: np.random.Generator
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
    return np.asarray(noisy, np.float32)


def face_motion_mean(
    motion: np.ndarray, face: np.ndarray, script: Script, group: tuple[int, ...]
) -> np.ndarray:
    points = face[list(group)] + motion[:, list(group)]
    turned = (points - PIVOT) @ head_rotations(script.pose).transpose(0, 2, 1) + PIVOT
    return np.asarray(turned[..., :2].mean(1))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--subjects", type=int, default=22)
    parser.add_argument("--videos", type=int, default=98)
    parser.add_argument("--seconds", type=float, default=87.0)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--macro", type=float, default=1.0, help="a minute")
    parser.add_argument("--micro", type=float, default=0.16, help="a minute")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    videos, truth = [], []
    for number in range(given.videos):
        subject = number % given.subjects
        own = np.random.default_rng([given.seed, 1, subject])
        face = motion_basis().canonical * own.uniform(0.92, 1.08, 3).astype(np.float32)
        noise, lively, talks = (
            log_uniform(own, 0.02, 0.08),
            own.uniform(0.3, 1.6),
            own.random() < 0.25,
        )
        rng = np.random.default_rng([given.seed, 2, number])
        config = SynthConfig(
            rate=given.fps, macro_per_minute=given.macro * lively, micro_per_minute=given.micro *
            own.uniform(0.2, 2),
            macro_seconds=(0.4, 4.0), macro_amplitude=(0.15, 1.0), micro_amplitude=(0.08, 0.5),
            quiet_share=0.03, speech_share=0.5 if talks else 0.1, held_share=0.03,
        )  # fmt: skip
        script = write_script(rng, round(given.seconds * given.fps * rng.uniform(0.5, 1.5)), config)
        name = f"s{subject + 1:02d}_{number // given.subjects + 1}"
        np.savez(
            given.out / f"{name}.npz",
            features=region_steps(script, face, noise, rng),
            fps=given.fps,
        )
        videos.append((f"s{subject + 1:02d}", name))
        truth += [
            (
                f"s{subject + 1:02d}",
                name,
                e.kind,
                e.start + 1,
                (e.start if e.apex is None else e.apex) + 1,
                e.stop,
            )
            for e in script.events
        ]
    columns = ["subject", "video", "kind", "onset_frame", "apex_frame", "offset_frame"]
    for file, head, rows in (("videos.csv", columns[:2], videos), ("truth.csv", columns, truth)):
        with (given.out / file).open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle, lineterminator="\n").writerows([head, *sorted(rows)])
    print(f"{len(videos)} videos, {len(truth)} events in {given.out}")


if __name__ == "__main__":
    main()

"""A moving avatar as a real, encoded video with its truth beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from fesnet._io import atomic_write_text
from fesnet._types import FloatArray
from fesnet.intervals import Interval, Kind
from fesnet.synth.render.avatar import Avatar
from fesnet.synth.render.frame_renderer import FrameRenderer, Mouth
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.curves import add_curve, intensity_curve, smooth_noise
from fesnet.synth.script.expressions import EXPRESSIONS
from fesnet.synth.script.script import Script
from fesnet.synth.script.writer import write_script
from fesnet.video import VideoWriter

RATE = 30
DEMO_SECONDS = 20
# The demo's events: kind, name in EXPRESSIONS, onset, duration (s), amplitude. The portrait smiles
# already, so none of them is a smile.
DEMO_EVENTS: tuple[tuple[Kind, str, float, float, float], ...] = (
    ("macro", "brow raise", 2.5, 1.5, 0.6),
    ("micro", "nose wrinkle", 6.0, 0.4, 0.5),
    ("macro", "lip corners down", 9.0, 2.0, 0.9),
    ("micro", "frown", 13.0, 0.4, 0.8),
    ("macro", "surprise", 15.5, 1.6, 0.8),
)


def demo_script() -> Script:
    """The demo's fixed performance: five expressions among blinks, gaze shifts and a swaying
    head.
    """
    rng = np.random.default_rng(7)
    frames = DEMO_SECONDS * RATE
    calm = SynthConfig(quiet_share=1.0, speech_share=0.0, head_scale=0.6, jitter_scale=0.0)
    script = write_script(rng, frames, calm)
    weights, strength, events = script.weights.copy(), np.zeros(frames, np.float32), []
    for kind, name, onset, seconds, amplitude in DEMO_EVENTS:
        start, length = round(onset * RATE), round(seconds * RATE)
        curve = intensity_curve(length, 0.35, 0.4, 1.0) * np.float32(amplitude)
        add_curve(weights, start, curve, motion_basis().weights(EXPRESSIONS[name]))
        add_curve(strength, start, curve)
        events.append(Interval(start, start + length, kind, apex=start + int(curve.argmax())))
    return Script(
        weights, script.smile, script.pose, script.gaze, script.jitter, strength, tuple(events)
    )


def encode_script(
    avatar: Avatar,
    script: Script,
    path: Path,
    *,
    size: int = 512,
    seed: int = 0,
    crf: int = 20,
    on_frame: Callable[[], None] | None = None,
) -> None:
    """Encode a script as `path` (H.264 mp4, size x size, RATE) with camera noise and a little light
    drift.
    """
    rng = np.random.default_rng(seed)
    renderer = FrameRenderer(avatar, size, size, mouth=Mouth())
    light = 1 + smooth_noise(rng, len(script), 60, 0.01)
    shift = np.stack([smooth_noise(rng, len(script), 45, 0.004) for _ in range(2)], 1)
    grain = float(rng.uniform(1.0, 2.5))
    with VideoWriter(path, Fraction(RATE), size, size, crf=crf) as writer:
        for t in range(len(script)):
            points = renderer.project(
                script.weights[t], float(script.smile[t]), script.pose[t], shift[t]
            )
            image = renderer.render(points, script.gaze[t], float(script.smile[t]))
            writer.write(expose_frame(image, float(light[t]), grain, rng))
            if on_frame is not None:
                on_frame()


def expose_frame(
    image: np.ndarray, light: float, grain: float, rng: np.random.Generator
) -> np.ndarray:
    """Exposure and sensor noise over one frame."""
    noise = rng.normal(0, grain, (*image.shape[:2], 1))
    return np.clip(np.rint(image * light + noise), 0, 255).astype(np.uint8)


def write_truth(
    path: Path, video: str, events: Sequence[Interval], times: FloatArray | None = None
) -> None:
    """The truth as CSV in the columns of `fesnet spot`'s CSV (score 1), written atomically.

    times: of the video's frames (s); default: frames at RATE. Raises UsageError where `path` cannot
    be written.
    """
    columns = "video,face,kind,onset_s,apex_s,offset_s,onset_frame,apex_frame,offset_frame"
    columns += ",duration_s,score"
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns.split(","))
    for e in events:
        frames = (e.start, e.start if e.apex is None else e.apex, e.stop - 1)
        onset, apex, offset = (f / RATE if times is None else float(times[f]) for f in frames)
        seconds = [f"{s:.6f}" for s in (onset, apex, offset)]
        table.writerow([video, 0, e.kind, *seconds, *frames, f"{offset - onset:.6f}", 1])
    atomic_write_text(path, text.getvalue())

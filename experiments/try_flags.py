"""Which thresholds of closures and speech would be better, and what a flag of nods would be worth.

    python experiments/try_flags.py RECORDS ANNOTATIONS.json VIDEO ...

RECORDS: a folder for what spotting keeps of each video; made where it is not there yet. Annotations
as of `dev/measure_observations.py`. Closures: precision and recall over a grid of thresholds, and
with thresholds chosen without the tested clip (each clip shows another person). The same for
seconds of speech, with the sound (extra `sound`).
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "dev"))
from measure_observations import PAD_S, Span, overlap, spans

from fesnet import flags, stream
from fesnet.faces.landmark_features import ROTATION_UNIT
from fesnet.facial_units import OUTPUTS
from fesnet.interval_features import POSE, smooth
from fesnet.observations import runs
from fesnet.observe import neutral_levels, raw_strengths
from fesnet.spotter import Spotter
from fesnet.voice import find_voice

# Evidence from which eyes are closed, the same against just before, and least steps.
GRID = tuple(product((1.1, 1.3, 1.5, 1.8), (0.35, 0.45, 0.6, 0.75, 0.9, 1.1), (1, 2, 3)))
RATE = 30.0
OBSERVE = "observe"  # what the stream calls with all that it kept of a face
SPEECH_GRID = tuple(product((-2.0, -1.5, -1.15, -0.65, 0.0), (0.0, 0.2, 0.33, 0.5, 0.7)))
NODS, NOD_STEPS = (2, 3, 4, 5), (5, 8, 11, 15)  # degrees there and back; steps each way


def keep_record(video: Path, folder: Path) -> Path:
    """Spot a video and keep what `observe` was given of its first face."""
    path = folder / f"{video.stem}.0.pkl"
    if path.exists():
        return path
    observe = getattr(stream, OBSERVE)

    def keeping(face: int, *given: Any) -> Any:
        if face == 0:
            path.write_bytes(pickle.dumps((face, *given)))
        return observe(face, *given)

    setattr(stream, OBSERVE, keeping)
    try:
        Spotter().spot(video)
    finally:
        setattr(stream, OBSERVE, observe)
    return path


def evidence_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(T,) evidence for closed eyes, and (T,) pitch in degrees."""
    _, record, scores, rate = pickle.loads(path.read_bytes())
    neutral = neutral_levels(record, scores, rate).at(0, len(scores))
    record, size = record.part(0, len(scores)), len(OUTPUTS)
    track = raw_strengths(record)
    motions = np.nan_to_num((track - neutral)[:, size + 2 :])
    found = np.nan_to_num(flags.closure_evidence(record, motions, neutral[:, size : size + 2]))
    found[record.segment < 0] = 0
    pose = smooth(record.landmark_features, 5)[:, POSE] / ROTATION_UNIT
    return found, np.degrees(pose[:, 1])


def closures(evidence: np.ndarray, level: float, closing: float, least: int) -> list[Span]:
    """As `flags.find_closures`, whatever their kind."""
    half = round(flags.AROUND_BLINK_S * RATE)
    before = np.array([evidence[max(0, t - half) : t + 1].min() for t in range(len(evidence))])
    behind = np.array([evidence[t : t + half].min() for t in range(len(evidence))])
    closed = (evidence > level) | (evidence - np.maximum(before, behind) > closing)
    found = runs(closed, round(flags.JOIN_S * RATE))
    return [(a / RATE, b / RATE) for a, b in found if b - a >= least]


def speech_counts(path: Path, video: Path, truth: dict[str, Any]) -> list[np.ndarray]:
    """Steps met, false and missed, for each of SPEECH_GRID."""
    _, record, scores, rate = pickle.loads(path.read_bytes())
    steps = len(scores)
    times, record = np.arange(steps) / rate, record.part(0, steps)
    used, labelled = record.segment >= 0, np.zeros(steps, bool)
    for a, b in truth["ignore_s"]:
        used &= (times < a) | (times > b)
    for a, b in spans(truth, "speech"):
        labelled |= (times >= a) & (times <= b)
    heard = find_voice(video, steps, rate)
    out = []
    for flags.VOICED_FROM, flags.NEAR_VOICE_S in SPEECH_GRID:
        found = flags.find_speech(record.landmark_features, rate, heard)
        sides = (found & labelled, found & ~labelled, ~found & labelled)
        out.append(np.array([int((side & used).sum()) for side in sides]))
    return out


def nods(pitch: np.ndarray, degrees: float) -> list[Span]:
    """Where the pitch goes there and back by so much."""
    out = np.zeros(len(pitch), bool)
    for lag in NOD_STEPS:
        for t in range(lag, len(pitch) - lag):
            there, back = pitch[t] - pitch[t - lag], pitch[t] - pitch[t + lag]
            if there * back > 0 and min(abs(there), abs(back)) > degrees:
                out[t - lag : t + lag] = True
    return [(a / RATE, b / RATE) for a, b in runs(out, 6)]


def count(found: list[Span], true: list[Span], ignored: list[Any]) -> np.ndarray:
    """Met, false, missed."""
    met = sum(any(overlap(f, t, PAD_S) for f in found) for t in true)
    false = sum(
        not any(overlap(f, t, PAD_S) for t in true)
        and not any(overlap(f, (i[0], i[1]), 0) for i in ignored)
        for f in found
    )
    return np.array([met, false, len(true) - met])


def rates(counts: np.ndarray) -> str:
    met, false, missed = (int(n) for n in counts)
    precision, recall = met / max(met + false, 1), met / max(met + missed, 1)
    return f"{met} met, {false} false, {missed} missed: precision {precision:.2f}, {recall:.2f}"


def f1(counts: np.ndarray) -> float:
    return float(2 * counts[0] / max(2 * counts[0] + counts[1] + counts[2], 1))


def show(what: str, grid: tuple[Any, ...], table: np.ndarray) -> None:
    """The best of a grid, and what they are worth for others. table (clips, grid, counts)."""
    whole = table.sum(0)
    print(what)
    for place in np.argsort([-f1(row) for row in whole], kind="stable")[:6]:
        print(grid[place], rates(whole[place]))
    left_out = [t[int(np.argmax([f1(r) for r in whole - t]))] for t in table]
    print("chosen without the tested clip:", rates(np.sum(left_out, 0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("videos", type=Path, nargs="+")
    args = parser.parse_args()
    args.records.mkdir(parents=True, exist_ok=True)
    truths = json.loads(args.annotations.read_text(encoding="utf-8"))
    named = {v.name: v for v in args.videos if v.name in truths}
    tables, speech = [], []
    nodded = {degrees: np.zeros(3, int) for degrees in NODS}
    for name, video in named.items():
        truth = truths[name]
        evidence, pitch = evidence_of(keep_record(video, args.records))
        true, ignored = spans(truth, "blink", "eye_closure"), truth["ignore_s"]
        speech.append(speech_counts(args.records / f"{video.stem}.0.pkl", video, truth))
        tables.append([count(closures(evidence, *g), true, ignored) for g in GRID])
        for degrees in NODS:
            if "nuisances" in truth:
                nodded[degrees] += count(nods(pitch, degrees), spans(truth, "head_nod"), ignored)
    show("closures", GRID, np.array(tables))
    show("seconds of speech, with sound", SPEECH_GRID, np.array(speech))
    for degrees, counts in nodded.items():
        print(f"nods from {degrees} degrees:", rates(counts))


if __name__ == "__main__":
    main()

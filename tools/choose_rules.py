"""Choose the interval rules of new weights on validation people, and measure them on test people.

usage: python tools/choose_rules.py PORTRAITS WEIGHTS [--write]

People are split once and for all by the place of their photo in the sorted folder: the last 8 are for testing, the 8
before them for validation, all others for training (`TRAIN`, `VALIDATION`, `TEST` below; training must be given the
first part only). Everything measured here is synthetic video: aligned crops made by the generator that also made the
training data, with other seeds. `--write` puts the chosen thresholds into the weights' config.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from fesnet.clips import Stitcher
from fesnet.intervals import Interval, IntervalRules, find_intervals
from fesnet.metrics import Counts, count, false_alarms_a_minute, overall
from fesnet.runtime import OnnxRuntime
from fesnet.synth.camera import film
from fesnet.synth.crops import Frames, Look, Stage
from fesnet.synth.motion import SynthConfig, write_script
from fesnet.synth.portraits import read_puppets
from fesnet.synth.puppet import Puppet
from fesnet.weights import CONFIG, FesNetConfig, load_weights

TRAIN, VALIDATION, TEST = slice(0, -16), slice(-16, -8), slice(-8, None)
SECONDS, RATE = 60, 30
# Sparser than in training, where windows without an event would be wasted time.
SCRIPT = SynthConfig(macro_per_minute=5, micro_per_minute=5)
GRID = [round(x, 2) for x in np.arange(0.2, 0.91, 0.1)]
Scored = tuple[np.ndarray, np.ndarray, tuple[Interval, ...]]


def score_people(puppets: list[Puppet], runtime: OnnxRuntime, config: FesNetConfig, seed: int) -> list[Scored]:
    """One video of SECONDS for each person: scores (T, 2), intensity (T,), truth."""
    stage, out = Stage(puppets), []
    for person in range(len(puppets)):
        rng = np.random.default_rng([seed, person])
        script = write_script(rng, SECONDS * RATE, replace(SCRIPT, quiet_share=0.0, speech_share=0.5))
        look = Look.draw(rng, 1, stage.device)
        frames = Frames.of([person], [script])
        with torch.inference_mode():
            crops = film(stage.render(frames, config.crop_size, look), script.pose[None], rng)[0, :, 0]
        grey = (crops.numpy() * 255).round().astype(np.uint8)
        colour = np.repeat(grey[..., None], 3, -1)
        features = np.concatenate([runtime.encode(colour[i : i + 16]) for i in range(0, len(colour), 16)])
        stitcher = Stitcher(config.window, config.stride, runtime.decode)
        parts = [stitcher.push(f) for f in features] + [stitcher.finish()]
        known = [p for p in parts if p is not None]
        out.append(
            (np.concatenate([p.scores for p in known]), np.concatenate([p.intensity for p in known]), script.events)
        )
    return out


def found(scored: Scored, rules: IntervalRules) -> list[Interval]:
    """Intervals on ticks."""
    scores, intensity, _ = scored
    times = np.arange(len(scores)) / RATE
    timed = find_intervals(scores, times, rules, intensity)
    return [Interval(round(i.onset_s * RATE), round(i.offset_s * RATE) + 1, i.kind, score=i.score) for i in timed]


def measure(people: list[Scored], rules: IntervalRules) -> dict[str, Counts]:
    return overall([count(list(truth), found((s, i, truth), rules)) for s, i, truth in people])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    puppets, _ = read_puppets(given.portraits)
    weights = load_weights(given.weights)
    runtime, config = OnnxRuntime(weights), weights.config
    people = [p for seed in (1,) for p in score_people(puppets[VALIDATION], runtime, config, seed)]
    best, best_rules = -1.0, IntervalRules()
    for macro, micro, release in itertools.product(GRID, GRID, (0.4, 0.6, 0.8)):
        rules = replace(
            IntervalRules(), macro_threshold=macro, micro_threshold=micro, macro_release=release, micro_release=release
        )
        result = measure(people, rules)
        value = result["macro"].f1 + result["micro"].f1
        if value > best:
            best, best_rules = value, rules
    print("chosen on validation people:", json.dumps(best_rules.to_dict()))
    held = [p for seed in (3,) for p in score_people(puppets[TEST], runtime, config, seed)]
    for name, part in (("validation", people), ("test", held)):
        for kind, counts in measure(part, best_rules).items():
            alarms = false_alarms_a_minute(counts, SECONDS * len(part))
            scores = f"precision {counts.precision:.3f} recall {counts.recall:.3f} F1 {counts.f1:.3f}"
            print(f"{name:10} {kind:7} TP {counts.tp} FP {counts.fp} FN {counts.fn} {scores} false/min {alarms:.2f}")
    if given.write:
        path = given.weights / CONFIG
        values = json.loads(path.read_text(encoding="utf-8"))
        values["rules"] = best_rules.to_dict()
        path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

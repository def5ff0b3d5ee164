"""How right "what moved" and "what else happened" are.

    python dev/measure_observations.py synth FOLDER RESULTS
    python dev/measure_observations.py clips RESULTS ANNOTATIONS.json ...

synth: FOLDER of `fesnet synth`, RESULTS of `fesnet spot` on its videos. Of each unit and side,
frame by frame: F1 at a strength of `AT`, area under the curve, correlation of strengths. The
portraits' own photographed smiles count for AU 12 alone: what else moves in them nobody knows.

clips: RESULTS of `fesnet spot` on real clips, and annotations by hand: {NAME: {"events": [{onset_s,
offset_s, label, confidence}], "nuisances": [{kind, onset_s, offset_s}], "blinks_s", "speech_s",
"ignore_s"}}. Labels are mapped to regions by words: those that must have moved, and those that may
have (a smile may raise the cheeks), which count as agreement either way.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from fesnet.facial_units import OUTPUTS, UNIT_OF, UNITS
from fesnet.observations import context_of
from fesnet.result import Spotting
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.plan import VideoPlan
from fesnet.synth.videos.videos import VideoJob, sample_script

AT = 0.2  # strength from which a unit is named, in truth and found
PHOTO = 0.05  # share of a photographed smile beyond which other units are unknown
SMILE_UNITS = ("6", "7", "10", "14", "20", "24", "25", "26", "18", "17")
PAD_S = 0.12  # closures are matched with so much to spare
REGIONS = ("brow", "eye", "nose", "mouth", "cheek")
MUST = {
    "brow": ("brow", "frown", "surprise"),
    "eye": ("wink", "eyes wide", "eyes squeez"),
    "nose": ("nose wrinkle", "sneer"),
    "mouth": (
        *("smile", "mouth", "jaw", "lip", "pout", "laugh", "pucker", "grimace", "teeth", "joy"),
    ),
    "cheek": ("cheek raised",),
}
MAY = {
    "brow": ("laugh", "sneer", "grimace", "wince", "pout"),
    "eye": (*("smile", "laugh", "joy", "frown", "surprise", "brow", "wince", "grimace", "sneer"),),
    "nose": (
        *("frown", "grimace", "sneer", "laugh", "bared", "upper lip", "upper-lip", "wince"),
        *("pout", "teeth"),
    ),
    "mouth": ("surprise", "speech", "sneer", "wince"),
    "cheek": ("smile", "laugh", "joy", "wink", "grimace", "sneer", "wince", "teeth"),
}
Span = tuple[float, float]


def true_strengths(folder: Path, video: str, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, OUTPUTS) what a synthetic face was told to do, and (T,) its photographed smile."""
    settings: dict[str, Any] = json.loads((folder / "synth.json").read_text())["settings"]
    values: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()
    }
    plan = VideoPlan(**values)
    with (folder / "videos.csv").open(encoding="utf-8") as handle:
        seed = next(int(r["seed"]) for r in csv.DictReader(handle) if r["video"] == video)
    script, _ = sample_script(VideoJob(0, "", None, "", seed, plan))  # type: ignore[arg-type]
    names, out = motion_basis().names, np.zeros((len(times), len(OUTPUTS)))
    for column, output in enumerate(OUTPUTS):
        side = output[-1] if output[-1] in "LR" else ""
        for motion, share in UNIT_OF[output.rstrip("LR")].motions.items():
            if motion.endswith("+"):
                wanted = {motion[:-1] + {"L": "Left", "R": "Right"}[side]}
            else:
                wanted = {motion, *(f"{motion}_{s}" for s in (side or "LR"))}
            rows = [i for i, name in enumerate(names) if name in wanted]
            if rows:
                moved = share * script.script.weights[:, rows].mean(1)
                out[:, column] += np.interp(times, script.times, moved)
        if output[:2] == "12":
            out[:, column] += np.interp(times, script.times, script.script.smile)
    return out, np.interp(times, script.times, script.script.smile)


def measure_synth(folder: Path, results: Path) -> None:
    found, true, smiles = [], [], []
    for path in sorted(results.glob("*.json")):
        result = Spotting.from_json(path)
        for seen, track in zip(result.observations, result.faces, strict=True):
            known = ~np.isnan(seen.strengths).any(1)
            truth, smile = true_strengths(folder, result.source.name, track.times)
            found.append(seen.strengths[known])
            true.append(truth[known])
            smiles.append(smile[known])
    strengths, truth, smile = (np.concatenate(part) for part in (found, true, smiles))
    print(f"{len(found)} videos, {len(smile)} steps\n| AU | name | moving steps | F1 | AUC | r |")
    for unit in UNITS:
        columns = [c for c, o in enumerate(OUTPUTS) if o.rstrip("LR") == unit.number]
        used = np.abs(smile) < PHOTO if unit.number in SMILE_UNITS else np.ones(len(smile), bool)
        f, t = strengths[used][:, columns].ravel(), truth[used][:, columns].ravel()
        moving = t > AT
        if moving.sum() < 15:
            print(f"| {unit.number} | {unit.name} | {moving.sum()} | - | - | - |")
            continue
        named = f > AT
        f1 = 2 * (named & moving).sum() / (named.sum() + moving.sum())
        order = np.argsort(np.argsort(f + 1e-9 * np.random.default_rng(0).random(len(f)))) + 1
        area = (order[moving].mean() - (moving.sum() + 1) / 2) / (~moving).sum()
        r = np.corrcoef(f, np.clip(t, 0, 1))[0, 1]
        print(f"| {unit.number} | {unit.name} | {moving.sum()} | {f1:.2f} | {area:.2f} | {r:.2f} |")


def spans(truth: dict[str, Any], *kinds: str) -> list[Span]:
    """Nuisances of some kinds; of older annotations, their lists of blinks and speech."""
    if "nuisances" in truth:
        return [(n["onset_s"], n["offset_s"]) for n in truth["nuisances"] if n["kind"] in kinds]
    old = {"blink": "blinks_s", "speech": "speech_s", "head_turn": "head_motion_s"}
    return [(a, b) for kind in kinds if kind in old for a, b in truth[old[kind]]]


def named_regions(label: str, words: dict[str, tuple[str, ...]]) -> set[str]:
    return {r for r, parts in words.items() if any(p in label.lower() for p in parts)}


def measure_regions(clips: dict[str, tuple[dict[str, Any], Spotting]]) -> None:
    agree, events = dict.fromkeys(REGIONS, 0), 0
    for name, (truth, result) in clips.items():
        for event in truth["events"]:
            if event["confidence"] == "low" or not result.observations:
                continue
            label = event["label"]
            seen = result.observations[0]
            context = context_of(seen, event["onset_s"], event["offset_s"], result.working_rate)
            moved = {"eye" if m.unit == "46" else UNIT_OF[m.unit].region for m in context.moved}
            must, may = named_regions(label, MUST), named_regions(label, MAY)
            events += 1
            for region in REGIONS:
                agree[region] += (region in moved) == (region in must) or (
                    region in may and region not in must
                )
            units = " ".join(f"{m.unit}{m.side[0]}{m.strength:.2f}" for m in context.moved)
            print(f"{name[:14]} {event['onset_s']:.2f} {label[:44]} | {units}")
    print({region: round(count / max(events, 1), 3) for region, count in agree.items()}, events)


def measure_closures(clips: dict[str, tuple[dict[str, Any], Spotting]]) -> None:
    hits = false = missed = 0
    for name, (truth, result) in clips.items():
        closures = [(b.start_s, b.stop_s) for b in result.blinks]
        true, ignored = spans(truth, "blink", "eye_closure"), truth["ignore_s"]
        wrong = [
            c
            for c in closures
            if not any(overlap(c, t, PAD_S) for t in true)
            and not any(overlap(c, (i[0], i[1]), 0) for i in ignored)
        ]
        lost = [t for t in true if not any(overlap(c, t, PAD_S) for c in closures)]
        hits, false, missed = hits + len(true) - len(lost), false + len(wrong), missed + len(lost)
        if wrong or lost:
            print(f"{name}: not labelled {wrong}, missed {lost}")
    print(f"closures: precision {hits / (hits + false):.3f}, recall {hits / (hits + missed):.3f}")


def overlap(a: Span, b: Span, pad: float) -> bool:
    return a[0] <= b[1] + pad and a[1] >= b[0] - pad


def measure_seconds(clips: dict[str, tuple[dict[str, Any], Spotting]]) -> None:
    """Steps of flags that last, against labelled times."""
    kinds = {
        "speaking": ("speech",),
        "head_turn": ("head_turn", "head_roll", "head_move", "camera_move"),
    }
    for flag, names in kinds.items():
        hits = false = missed = 0
        events = met = 0
        for truth, result in clips.values():
            for seen in result.observations:
                times = np.arange(len(seen.flags)) / result.working_rate
                used = ~np.isnan(seen.strengths).any(1)
                for a, b in truth["ignore_s"]:
                    used &= (times < a) | (times > b)
                labelled = np.zeros(len(times), bool)
                for a, b in spans(truth, *names):
                    inside = (times >= a) & (times <= b)
                    labelled |= inside
                    events += bool((inside & used).any())
                    met += bool((inside & used & seen.flag(flag)).any())
                found = seen.flag(flag)
                hits += int((found & labelled & used).sum())
                false += int((found & ~labelled & used).sum())
                missed += int((~found & labelled & used).sum())
        precision, recall = hits / max(hits + false, 1), hits / max(hits + missed, 1)
        print(
            f"{flag}: of seconds precision {precision:.3f}, recall {recall:.3f}; "
            f"{met} of {events} labelled times are met"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("synth", "clips"))
    parser.add_argument("first", type=Path)
    parser.add_argument("rest", type=Path, nargs="+")
    args = parser.parse_args()
    if args.what == "synth":
        measure_synth(args.first, args.rest[0])
        return
    truths: dict[str, Any] = {}
    for path in args.rest:
        truths |= json.loads(path.read_text(encoding="utf-8"))
    clips = {
        name: (truth, Spotting.from_json(path))
        for name, truth in truths.items()
        if (path := args.first / f"{Path(name).stem}.json").exists()
    }
    measure_regions(clips)
    measure_closures(clips)
    measure_seconds(clips)


if __name__ == "__main__":
    main()

"""Fit the check of candidate intervals on labelled clips, and say how well it does on people it has
not seen.

    python dev/fit_interval_check.py --clips RECORDS ANNOTATIONS.json --out check.json

RECORDS holds NAME.json (a result) and NAME.npz (`face<number>` (T, S) on the result's steps) of
every clip, written by `dev/record_tracks.py`. ANNOTATIONS.json: {NAME: {"events": [{onset_s,
offset_s, type, confidence}], "ignore_s": [[from, to]], "duration_s", "nuisances": [{kind, onset_s,
offset_s}], "person"}}; without a person, a clip is one. `--extra RECORDS ANNOTATIONS WEIGHT` adds
clips that are fitted on, weighed, and never evaluated on. `--prior check.json` draws the
coefficients to those of another check instead of to 0.

The price stated: the threshold is the one with the highest F1 (chains may be answered merged) among
those with at most `--most` false alarms a minute on event-free clips.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fesnet.interval_check import (
    MICRO_MAX_S,
    Candidate,
    IntervalCheck,
    apex,
    is_micro,
    logistic,
    measure,
    suppress,
)
from fesnet.interval_features import FEATURES, ContextTrack, compress
from fesnet.proposals import propose
from fesnet.result import Spotting

IOU = 0.5  # from which a candidate answers an event
SOFT = (0.3, 0.7)  # a candidate's target rises from 0 to 1 between these IoUs with its best event
L2 = 1.0  # of standardised coefficients, per candidate
BINS = 5  # of the reliability table
CHAIN_GAP_S = 0.07  # events nearer than this have no neutral between them
Span = tuple[float, float]


@dataclass
class Clip:
    """One labelled clip and its candidates."""

    name: str
    person: str
    truth: dict[str, Any]
    track: ContextTrack | None
    weight: float = 1.0  # of its candidates in the fit; 0: evaluated only
    candidates: list[Candidate] = field(default_factory=list)
    features: np.ndarray = field(default_factory=lambda: np.zeros((0, len(FEATURES))))
    micro: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    target: np.ndarray = field(default_factory=lambda: np.zeros(0))
    used: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))  # enters the fit

    @property
    def events(self) -> list[Span]:
        return [
            (e["onset_s"], e["offset_s"]) for e in self.truth["events"] if e["confidence"] != "low"
        ]

    @property
    def ignored(self) -> list[Span]:
        low = [
            (e["onset_s"], e["offset_s"]) for e in self.truth["events"] if e["confidence"] == "low"
        ]
        return low + [(s[0], s[1]) for s in self.truth.get("ignore_s", [])]

    def span(self, c: Candidate) -> Span:
        assert self.track is not None
        return float(self.track.times[c.start]), float(self.track.times[c.stop - 1])


def iou(a: Span, b: Span) -> float:
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    whole = max(a[1], b[1]) - min(a[0], b[0]) if shared else 0.0
    return shared / whole if whole > 0 else 0.0


def is_ignored(span: Span, ignored: Sequence[Span]) -> bool:
    length = span[1] - span[0]
    return length > 0 and any(
        (min(span[1], b) - max(span[0], a)) / length > 0.5 for a, b in ignored
    )


def load_clips(records: Path, annotations: Path, weight: float = 1.0) -> list[Clip]:
    out = []
    for name, truth in json.loads(annotations.read_text()).items():
        stem = records / name.replace("/", "_")
        if not Path(f"{stem}.json").exists():
            print(f"no record of {name}")
            continue
        clip = Clip(name, truth.get("person", name), truth, load_track(stem), weight)
        prepare(clip)
        out.append(clip)
    return out


def load_track(stem: Path) -> ContextTrack | None:
    result = Spotting.from_json(f"{stem}.json")
    if not result.faces:
        return None
    face = result.faces[0]
    with np.load(f"{stem}.npz") as stored:
        features = np.asarray(stored[f"face{face.face}"], np.float64)
    rows = np.full((len(face.times), features.shape[1]), np.nan)
    rows[: len(features)] = features[: len(rows)]
    return ContextTrack(face.times, face.scores, face.intensity, rows)


def prepare(clip: Clip) -> None:
    """Candidates, features and targets of a clip."""
    track = clip.track
    if track is None:
        return
    proposals = propose(track.scores, track.times, track.intensity)
    clip.features = measure(track, proposals, FEATURES)
    clip.micro = is_micro(track, proposals, MICRO_MAX_S)
    clip.candidates = [
        Candidate(p.start, p.stop, apex(track, p), "micro" if short else "macro", 0.0)
        for p, short in zip(proposals, clip.micro, strict=True)
    ]
    spans = [clip.span(c) for c in clip.candidates]
    best = np.array([max([iou(s, e) for e in clip.events] or [0.0]) for s in spans])
    clip.target = np.clip((best - SOFT[0]) / (SOFT[1] - SOFT[0]), 0, 1)
    ignored = np.array([is_ignored(s, clip.ignored) for s in spans], bool)
    clip.used = ~(ignored & (best < IOU))


def fit(
    clips: Iterable[Clip], names: Sequence[str], l2: float, prior: IntervalCheck | None
) -> IntervalCheck:
    """Newton's method on the weighted logistic loss with an L2 penalty around the prior (0
    without one)."""
    clips = [c for c in clips if c.weight > 0 and len(c.candidates)]
    columns = [FEATURES.index(n) for n in names]
    used = np.concatenate([c.used for c in clips])
    x = compress(np.concatenate([c.features for c in clips])[used][:, columns])
    micro = np.concatenate([c.micro for c in clips])[used]
    y = np.concatenate([c.target for c in clips])[used]
    w = np.concatenate([np.full(len(c.candidates), c.weight) for c in clips])[used]
    if prior is None:
        centre = np.average(x, 0, w)
        scale = np.sqrt(np.average((x - centre) ** 2, 0, w)) + 1e-6
        start = np.zeros(len(names) + 2)
    else:
        centre, scale = np.array(prior.centre), np.array(prior.scale)
        start = np.array([*prior.weights, prior.micro, prior.bias])
    a = np.column_stack([(x - centre) / scale, micro, np.ones(len(x))])
    penalty = np.r_[np.full(len(names) + 1, l2), 1e-6] * w.sum()
    theta = newton(a, y, w, penalty, start)
    return IntervalCheck(
        names=tuple(names),
        centre=rounded(centre),
        scale=rounded(scale),
        weights=rounded(theta[:-2]),
        bias=round(float(theta[-1]), 5),
        micro=round(float(theta[-2]), 5),
    )


def rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in values)


def newton(
    a: np.ndarray, y: np.ndarray, w: np.ndarray, penalty: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Minimise the weighted cross-entropy of a @ theta (N,) with y (N,) in 0..1 plus penalty
    (F,) / 2 per square."""
    theta = start.copy()
    for _ in range(50):
        p = logistic(a @ theta)
        gradient = a.T @ (w * (p - y)) + penalty * (theta - start)
        curvature = (a * (w * p * (1 - p))[:, None]).T @ a + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        theta = theta - step
        if np.abs(step).max() < 1e-8:
            break
    return theta


def judge(clip: Clip, check: IntervalCheck) -> list[Candidate]:
    """What stands of a clip's candidates under a check."""
    columns = [FEATURES.index(n) for n in check.names]
    p = check.probabilities(clip.features[:, columns], clip.micro)
    every = [
        Candidate(c.start, c.stop, c.apex, c.kind, round(float(q), 4))
        for c, q in zip(clip.candidates, p, strict=True)
    ]
    return suppress(every)


def calibrate(
    pairs: Sequence[tuple[Clip, list[Candidate]]], check: IntervalCheck, prior: float
) -> IntervalCheck:
    """Slope and shift (Platt 1999) of what stands, by whether it answers an event; the slope is
    drawn to 1."""
    rows = [(c.probability, good) for clip, kept in pairs for c, good in outcomes(clip, kept)]
    p = np.clip([r[0] for r in rows], 1e-4, 1 - 1e-4)
    y = np.array([float(r[1]) for r in rows])
    a = np.column_stack([np.log(p / (1 - p)), np.ones(len(p))])
    slope, shift = newton(a, y, np.ones(len(y)), np.array([prior, 1e-6]), np.array([1.0, 0.0]))
    values = json.loads(check.to_json())
    return IntervalCheck.from_values(
        {**values, "slope": round(float(slope), 5), "shift": round(float(shift), 5)}
    )


def outcomes(clip: Clip, kept: Sequence[Candidate]) -> list[tuple[Candidate, bool]]:
    """Whether each candidate that stands answers an event; those that count neither way are left
    out."""
    out = []
    for c in kept:
        good = any(iou(clip.span(c), e) >= IOU for e in clip.events)
        if good or not is_ignored(clip.span(c), clip.ignored):
            out.append((c, good))
    return out


def leave_out(
    clips: Sequence[Clip], extra: Sequence[Clip], args: argparse.Namespace
) -> dict[str, list[Candidate]]:
    """What stands in each clip under a check that was fitted and calibrated without its person."""
    out: dict[str, list[Candidate]] = {}
    for person in sorted({c.person for c in clips}):
        others = [c for c in (*clips, *extra) if c.person != person]
        check = fitted(others, [c for c in clips if c.person != person], args)
        out |= {c.name: judge(c, check) for c in clips if c.person == person}
    return out


def fitted(every: Sequence[Clip], real: Sequence[Clip], args: argparse.Namespace) -> IntervalCheck:
    """A check, calibrated on what checks without each person say of the real clips."""
    check = fit(every, args.names, args.l2, args.prior_check)
    pairs = []
    for person in sorted({c.person for c in real}):
        inner = fit([c for c in every if c.person != person], args.names, args.l2, args.prior_check)
        pairs += [(c, judge(c, inner)) for c in real if c.person == person]
    return calibrate(pairs, check, args.slope_prior)


def chains(events: Sequence[Span]) -> list[list[int]]:
    """Groups of two events or more, by place, that follow each other without neutral frames."""
    order = sorted(range(len(events)), key=lambda i: events[i][0])
    groups: list[list[int]] = []
    for i in order:
        if groups and events[i][0] - events[groups[-1][-1]][1] <= CHAIN_GAP_S:
            groups[-1].append(i)
        else:
            groups.append([i])
    return [g for g in groups if len(g) > 1]


def match(found: Sequence[Span], clip: Clip, merged: bool) -> tuple[set[int], set[int]]:
    """Events that are answered and spans that answer them: greedy by IoU. merged: a span over a
    whole chain answers all of its events."""
    hit: set[int] = set()
    used: set[int] = set()
    events = clip.events
    for chain in chains(events) if merged and found else []:
        whole = events[chain[0]][0], events[chain[-1]][1]
        best = max(range(len(found)), key=lambda i: iou(found[i], whole))
        value = iou(found[best], whole)
        if value >= IOU and value > max(iou(found[best], events[j]) for j in chain):
            used.add(best)
            hit.update(chain)
    pairs = sorted(
        ((iou(p, e), i, j) for i, p in enumerate(found) for j, e in enumerate(events)), reverse=True
    )
    for value, i, j in pairs:
        if value >= IOU and i not in used and j not in hit:
            used.add(i)
            hit.add(j)
    return hit, used


@dataclass
class Figures:
    """Counts over clips, and what follows from them."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    quiet_fp: int = 0
    quiet_s: float = 0.0

    @property
    def f1(self) -> float:
        return 2 * self.tp / max(1, 2 * self.tp + self.fp + self.fn)

    @property
    def per_minute(self) -> float:
        return 60 * self.quiet_fp / self.quiet_s if self.quiet_s else 0.0

    def __iadd__(self, other: Figures) -> Figures:
        for name in ("tp", "fp", "fn", "quiet_fp", "quiet_s"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def __str__(self) -> str:
        p, r = self.tp / max(1, self.tp + self.fp), self.tp / max(1, self.tp + self.fn)
        return (
            f"F1 {self.f1:.3f} P {p:.2f} R {r:.2f} TP {self.tp} FP {self.fp} FN {self.fn}, "
            f"{self.per_minute:.2f} false alarms a minute"
        )


def evaluate(
    clips: Sequence[Clip], kept: dict[str, list[Candidate]], threshold: float, merged: bool = True
) -> Figures:
    out = Figures()
    for clip in clips:
        found = [clip.span(c) for c in kept[clip.name] if c.probability >= threshold]
        hit, used = match(found, clip, merged)
        false = sum(i not in used and not is_ignored(s, clip.ignored) for i, s in enumerate(found))
        out.tp, out.fn, out.fp = (
            out.tp + len(hit),
            out.fn + len(clip.events) - len(hit),
            out.fp + false,
        )
        if not clip.events:
            out.quiet_fp, out.quiet_s = out.quiet_fp + false, out.quiet_s + clip.truth["duration_s"]
    return out


def choose(clips: Sequence[Clip], kept: dict[str, list[Candidate]], most: float) -> float:
    """The threshold with the highest F1 among those with at most `most` false alarms a minute,
    by hundredths."""
    grid = [round(0.01 * k, 2) for k in range(3, 96)]
    rows = [(evaluate(clips, kept, t), t) for t in grid]
    allowed = [(r.f1, t) for r, t in rows if r.per_minute <= most + 0.005]
    if not allowed:
        return grid[-1]
    return max(allowed, key=lambda a: (round(a[0], 6), a[1]))[1]


def nested(
    clips: Sequence[Clip], kept: dict[str, list[Candidate]], most: float
) -> tuple[Figures, Figures]:
    """Figures with and without the chain rule where each person's threshold is chosen on the
    others only."""
    out = Figures(), Figures()
    for person in sorted({c.person for c in clips}):
        threshold = choose([c for c in clips if c.person != person], kept, most)
        for merged, total in zip((True, False), out, strict=True):
            total += evaluate([c for c in clips if c.person == person], kept, threshold, merged)
    return out


def nuisances(
    clips: Sequence[Clip], kept: dict[str, list[Candidate]], threshold: float
) -> dict[str, int]:
    """How many false intervals (IoU below .3 with every event) touch each kind of nuisance."""
    count: Counter[str] = Counter()
    for clip in clips:
        for c in kept[clip.name]:
            span = clip.span(c)
            if c.probability >= threshold and not any(iou(span, e) >= 0.3 for e in clip.events):
                spans = clip.truth.get("nuisances", [])
                count.update(
                    {n["kind"] for n in spans if n["onset_s"] < span[1] and n["offset_s"] > span[0]}
                )
    return dict(count.most_common())


def reliability(
    clips: Sequence[Clip], kept: dict[str, list[Candidate]]
) -> tuple[float, list[tuple[float, float, int]]]:
    """Expected calibration error, and (mean probability, share that agrees, count) of each bin
    of equal width."""
    rows = [(c.probability, good) for clip in clips for c, good in outcomes(clip, kept[clip.name])]
    p, y = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    at = np.minimum((p * BINS).astype(int), BINS - 1)
    bins = [
        (float(p[at == b].mean()), float(y[at == b].mean()), int((at == b).sum()))
        for b in sorted(set(at))
    ]
    return sum(abs(a - b) * n for a, b, n in bins) / max(1, len(rows)), bins


def report(
    title: str, clips: Sequence[Clip], kept: dict[str, list[Candidate]], threshold: float
) -> None:
    print(f"\n{title}, threshold {threshold:.2f}")
    print("  with the chain rule   ", evaluate(clips, kept, threshold))
    print("  without the chain rule", evaluate(clips, kept, threshold, merged=False))
    print("  false intervals by nuisance touched:", nuisances(clips, kept, threshold))
    error, bins = reliability(clips, kept)
    table = ", ".join(f"{p:.2f} said {y:.2f} true ({n})" for p, y, n in bins)
    print(f"  expected calibration error {error:.3f}: {table}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    pair = ("RECORDS", "ANNOTATIONS")
    parser.add_argument("--clips", nargs=2, type=Path, action="append", required=True, metavar=pair)
    parser.add_argument("--extra", nargs=3, action="append", default=[], metavar=(*pair, "WEIGHT"))
    parser.add_argument("--prior", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--l2", type=float, default=L2)
    parser.add_argument(
        "--slope-prior", type=float, default=5.0, help="how strongly the slope is drawn to 1"
    )
    parser.add_argument(
        "--most", type=float, default=1.0, help="false alarms a minute that are allowed"
    )
    parser.add_argument("--per-clip", action="store_true")
    args = parser.parse_args()
    args.names = FEATURES
    args.prior_check = None if args.prior is None else IntervalCheck.from_json(args.prior)
    clips = [c for records, truth in args.clips for c in load_clips(records, truth)]
    extra = [c for r, a, w in args.extra for c in load_clips(Path(r), Path(a), float(w))]
    kept = leave_out(clips, extra, args)
    threshold = choose(clips, kept, args.most)
    report("leave one person out", clips, kept, threshold)
    merged, single = nested(clips, kept, args.most)
    print(
        "  threshold chosen without the person, too:", merged, f"(without chains {single.f1:.3f})"
    )
    print("  operating curve:")
    for t in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        print(
            f"    {t:.1f}",
            evaluate(clips, kept, t),
            f"(without chains {evaluate(clips, kept, t, False).f1:.3f})",
        )
    if args.per_clip:
        for clip in clips:
            one = evaluate([clip], kept, threshold)
            print(f"    {clip.name}: TP {one.tp} FP {one.fp} FN {one.fn}")
    check = fitted([*clips, *extra], clips, args)
    report(
        "fitted on all, nobody left out", clips, {c.name: judge(c, check) for c in clips}, threshold
    )
    used = sum(int(c.used.sum()) for c in (*clips, *extra))
    print(f"\n{check.coefficients} coefficients from {used} candidates")
    if args.out is not None:
        args.out.write_text(check.to_json())


if __name__ == "__main__":
    main()

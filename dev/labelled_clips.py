"""Labelled clips and their candidate intervals; how well the candidates that stand answer events.

Records are what `dev/record_tracks.py` writes: NAME.json (a result) and NAME.npz (`face<number>`
(T, S) on the result's steps).
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fesnet.interval_check import Candidate, IntervalCheck, apex, candidate_features, suppress
from fesnet.interval_features import FEATURES, ContextTrack
from fesnet.intervals import Kind
from fesnet.proposals import Proposal
from fesnet.result import Spotting

# What a fit uses: fifty numbers at most rest on real clips, and "slow" says more than the flutter.
FITTED = tuple(name for name in FEATURES if not name.startswith("flutter"))
IOU = 0.5  # from which a candidate answers an event
SOFT = (0.3, 0.7)  # a candidate's target rises from 0 to 1 between these IoUs with its best event
WHOLE_CHAIN = 0.5  # and to this with a whole chain: one of the two figures counts it as right
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
    proposals: list[Proposal] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    features: np.ndarray = field(default_factory=lambda: np.zeros((0, len(FITTED))))
    micro: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    target: np.ndarray = field(default_factory=lambda: np.zeros(0))
    used: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))  # enters the fit

    def events_of(self, kind: str) -> list[Span]:
        return [(e["onset_s"], e["offset_s"]) for e in self.truth["events"] if e["type"] == kind]

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


def load_clips(records: Path, annotations: Path) -> list[Clip]:
    """Clips labelled by hand: {NAME: {"events": [{onset_s, offset_s, type, confidence}],
    "ignore_s": [[from, to]], "duration_s", "nuisances": [{kind, onset_s, offset_s}], "person"}};
    without a person, a clip is one."""
    return load_all(records, json.loads(annotations.read_text()))


def load_synthetic(records: Path, videos: Path) -> list[Clip]:
    """Clips of a folder that `fesnet synth` made."""
    truths: dict[str, dict[str, Any]] = {}
    for path in sorted(videos.glob("*.mp4")):
        events = []
        with path.with_suffix(".truth.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["kind"] in ("macro", "micro"):
                    span = {name: float(row[name]) for name in ("onset_s", "offset_s")}
                    events.append(span | {"type": row["kind"], "confidence": "high"})
        truths[path.name] = {"events": events, "person": path.stem.split("_")[0]}
    return load_all(records, truths)


def load_quiet(records: Path) -> list[Clip]:
    """Clips without any expression."""
    names = [path.name.removesuffix(".json") for path in sorted(records.glob("*.json"))]
    return load_all(records, {name: {"events": []} for name in names})


def load_all(records: Path, truths: dict[str, dict[str, Any]]) -> list[Clip]:
    out = []
    for name, truth in truths.items():
        stem = records / name.replace("/", "_")
        if not Path(f"{stem}.json").exists():
            print(f"no record of {name}")
            continue
        track, duration = load_track(stem)
        named = f"{records.name}/{name}"
        clip = Clip(named, truth.get("person", named), {"duration_s": duration, **truth}, track)
        prepare(clip)
        out.append(clip)
    return out


def load_track(stem: Path) -> tuple[ContextTrack | None, float]:
    result = Spotting.from_json(f"{stem}.json")
    duration = float(result.frame_times[-1])
    if not result.faces:
        return None, duration
    face = result.faces[0]
    with np.load(f"{stem}.npz") as stored:
        features = np.asarray(stored[f"face{face.face}"], np.float64)
    rows = np.full((len(face.times), features.shape[1]), np.nan)
    rows[: len(features)] = features[: len(rows)]
    return ContextTrack(face.times, face.scores, face.intensity, rows), duration


def prepare(clip: Clip) -> None:
    """Candidates, features and targets of a clip."""
    track = clip.track
    if track is None:
        return
    clip.proposals, clip.features, clip.micro = candidate_features(track, FITTED)
    kinds: list[Kind] = ["micro" if short else "macro" for short in clip.micro]
    clip.candidates = [
        Candidate(p.start, p.stop, apex(track, p, kind), kind, 0.0)
        for p, kind in zip(clip.proposals, kinds, strict=True)
    ]
    spans, events = [clip.span(c) for c in clip.candidates], clip.events
    whole = [(events[g[0]][0], events[g[-1]][1]) for g in chains(events)]
    best = best_overlaps(spans, events)
    clip.target = np.maximum(rise(best), WHOLE_CHAIN * rise(best_overlaps(spans, whole)))
    ignored = np.array([is_ignored(s, clip.ignored) for s in spans], bool)
    clip.used = ~(ignored & (best < IOU))


def best_overlaps(spans: Sequence[Span], events: Sequence[Span]) -> np.ndarray:
    """The IoU (N,) of each span with the event that it meets best, 0 where it meets none."""
    return np.array([max([iou(s, e) for e in events] or [0.0]) for s in spans])


def rise(overlaps: np.ndarray) -> np.ndarray:
    """Targets (N,) from 0 to 1 of IoUs (N,)."""
    return np.asarray(np.clip((overlaps - SOFT[0]) / (SOFT[1] - SOFT[0]), 0, 1))


def judge(clip: Clip, check: IntervalCheck) -> list[Candidate]:
    """What stands of a clip's candidates under a check."""
    columns = [FITTED.index(n) for n in check.names]
    p = check.probabilities(clip.proposals, clip.features[:, columns], clip.micro)
    every = [
        Candidate(c.start, c.stop, c.apex, c.kind, round(float(q), 4))
        for c, q in zip(clip.candidates, p, strict=True)
    ]
    return suppress(every)


def outcomes(clip: Clip, kept: Sequence[Candidate]) -> list[tuple[Candidate, bool]]:
    """Whether each candidate that stands answers an event; those that count neither way are left
    out."""
    out = []
    for c in kept:
        good = any(iou(clip.span(c), e) >= IOU for e in clip.events)
        if good or not is_ignored(clip.span(c), clip.ignored):
            out.append((c, good))
    return out


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
    pair_off(found, events, hit, used)
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


Thresholds = tuple[float, float]  # of macro- and micro-expressions


def standing(kept: Sequence[Candidate], thresholds: Thresholds) -> list[Candidate]:
    return [c for c in kept if c.probability >= thresholds[c.kind == "micro"]]


def evaluate(
    clips: Sequence[Clip],
    kept: dict[str, list[Candidate]],
    thresholds: Thresholds,
    merged: bool = True,
) -> Figures:
    """Figures of whatever kind; merged: with the rule for chains."""
    out = Figures()
    for clip in clips:
        found = [clip.span(c) for c in standing(kept[clip.name], thresholds)]
        hit, used = match(found, clip, merged)
        false = sum(i not in used and not is_ignored(s, clip.ignored) for i, s in enumerate(found))
        quiet = (false, clip.truth["duration_s"]) if not clip.events else (0, 0.0)
        out += Figures(len(hit), false, len(clip.events) - len(hit), *quiet)
    return out


def evaluate_kind(
    clips: Sequence[Clip], kept: dict[str, list[Candidate]], kind: str, threshold: float
) -> tuple[float, float]:
    """F1 of one kind, and its false alarms a minute."""
    tp = found = events = 0
    for clip in clips:
        spans = [
            clip.span(c) for c in kept[clip.name] if c.kind == kind and c.probability >= threshold
        ]
        truth = clip.events_of(kind)
        tp += answered(spans, truth)
        found, events = found + len(spans), events + len(truth)
    minutes = sum(clip.truth["duration_s"] for clip in clips) / 60
    return 2 * tp / max(1, found + events), (found - tp) / max(minutes, 1e-9)


def answered(found: Sequence[Span], events: Sequence[Span]) -> int:
    """How many events are answered, one to one."""
    hit: set[int] = set()
    pair_off(found, events, hit, set())
    return len(hit)


def pair_off(found: Sequence[Span], events: Sequence[Span], hit: set[int], used: set[int]) -> None:
    """Add the events that are answered and the spans that answer them, one to one, the highest IoU
    first."""
    pairs = sorted(
        ((iou(p, e), i, j) for i, p in enumerate(found) for j, e in enumerate(events)), reverse=True
    )
    for value, i, j in pairs:
        if value >= IOU and i not in used and j not in hit:
            used.add(i)
            hit.add(j)


def nuisances(
    clips: Sequence[Clip], kept: dict[str, list[Candidate]], thresholds: Thresholds
) -> dict[str, int]:
    """How many false intervals (IoU below .3 with every event) touch each kind of nuisance."""
    count: Counter[str] = Counter()
    for clip in clips:
        for c in standing(kept[clip.name], thresholds):
            span = clip.span(c)
            if not any(iou(span, e) >= 0.3 for e in clip.events):
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

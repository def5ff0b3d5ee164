"""A folder of results of a study with known scores: participants, two conditions, equal names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fesnet.batch.columns import merge_study_columns
from fesnet.postprocess import IntervalRules
from fesnet.result import FaceTrack, SourceInfo, Spotting, assemble

RULES = IntervalRules(merge_gap_s=0.0)
Event = tuple[str, float, float, float]  # kind, onset s, offset s, score


def scored_result(
    events: Iterable[Event], seconds: float = 60.0, name: str = "a.mp4", unknown: float = 0.0
) -> Spotting:
    """A result whose scores have a plateau for each event; `unknown` seconds at the end have no
    face.
    """
    times = np.round(np.arange(round(seconds * 30)) / 30, 6)
    scores = np.full((len(times), 2), 0.02)
    for kind, onset, offset, score in events:
        scores[round(onset * 30) : round(offset * 30), ("macro", "micro").index(kind)] = score
    if unknown:
        scores[-round(unknown * 30) :] = np.nan
    track = FaceTrack(0, times, scores, np.where(np.isnan(scores[:, 0]), np.nan, 0.0))
    digest = hashlib.sha256(name.encode() + scores.tobytes()).hexdigest()
    source = SourceInfo(name, None, digest, 640, 480, "30", len(times), seconds)
    return assemble(source, (track,), times, 30.0, RULES, warnings=(), provenance={"fesnet": "0"})


def make_study(
    folder: Path, people: int = 6, rates: tuple[int, int] = (3, 6), seconds: float = 60.0
) -> Path:
    """results/calm/p1.json ... and results/stress/p1.json ...: as many macros a minute as `rates`
    say, one more with every other participant; a micro of score 0.4 in each.
    """
    known = {}
    for n in range(people):
        for condition, count in zip(("calm", "stress"), rates, strict=True):
            total = count + n % 2
            events = [("macro", 2 + 6 * k, 3.5 + 6 * k, 0.9) for k in range(total)]
            events.append(("micro", 50.0, 50.3, 0.4))
            name = f"{condition}/p{n + 1}"
            (folder / condition).mkdir(parents=True, exist_ok=True)
            scored_result(events, seconds, f"p{n + 1}.mp4").to_json(folder / f"{name}.json")
            known[name] = {"participant": f"P{n + 1}", "condition": condition}
    merge_study_columns(folder, known)
    return folder

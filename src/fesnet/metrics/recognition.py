"""Spotting and then naming the emotion: STRS of the challenges of 2024 and 2025.

Computed in two ways: mended, and as the published script does.

STRS = F1 of spotting x F1 of recognition on what was spotted; the latter is the harmonic mean of
precision and recall, each averaged over the emotions of the truth (Liong, See and Chan, 2023).
docs/evaluation.md lists what is mended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fesnet.errors import UsageError
from fesnet.intervals import Interval
from fesnet.metrics.matching import IOU, Counts, match
from fesnet.metrics.near_pairs import near_pairs

Named = tuple[Interval, str]  # with its emotion, "" where unknown
Rule = Literal["mended", "script"]


@dataclass(frozen=True)
class NamedVideo:
    """One video of a subject: what is true and what was found, with emotions."""

    subject: str
    truth: tuple[Named, ...]
    found: tuple[Named, ...]


@dataclass(frozen=True)
class Recognition:
    """spotting: counts of both kinds together. The rest, over emotions, 0..1: precision and recall
    (means), f1 (their harmonic mean), uf1 (mean F1), uar (mean recall; the script's is the mean
    precision)."""

    spotting: Counts
    precision: float
    recall: float
    f1: float
    uf1: float
    uar: float

    @property
    def strs(self) -> float:
        return self.spotting.f1 * self.f1


def recognize(videos: Sequence[NamedVideo], rule: Rule = "mended", iou: float = IOU) -> Recognition:
    """rule "script" counts as the published script does, but is 0 where that one is not a number
    (nothing right).

    Raises UsageError for a truth without emotions.
    """
    emotions = sorted({emotion for v in videos for _, emotion in v.truth if emotion})
    if not emotions:
        raise UsageError("expected emotions in the truth, got none; add a column emotion")
    counted = videos
    if (
        rule == "script"
    ):  # it goes through the subjects of the predictions, and their videos in the truth
        answered = {v.subject for v in videos if v.found}
        counted = [v for v in videos if v.subject in answered and v.truth]
    spotting = Counts()
    pairs: list[tuple[str, str]] = []
    for video in counted:
        counts, more = script_pairs(video, iou) if rule == "script" else right_pairs(video, iou)
        spotting, pairs = spotting + counts, pairs + more
    pairs = [(t, f) for t, f in pairs if t]
    by_emotion = [emotion_counts(pairs, emotion, rule) for emotion in emotions]
    precision, recall, uf1 = (
        sum(getattr(c, name) for c in by_emotion) / len(emotions)
        for name in ("precision", "recall", "f1")
    )
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Recognition(
        spotting, precision, recall, f1, uf1, precision if rule == "script" else recall
    )


def right_pairs(video: NamedVideo, iou: float) -> tuple[Counts, list[tuple[str, str]]]:
    """Counts of spotting, one to one, and (true, found) emotion of each pair."""
    hits = match([i for i, _ in video.truth], [i for i, _ in video.found], iou)
    counts = Counts(len(hits), len(video.found) - len(hits), len(video.truth) - len(hits))
    return counts, [(video.truth[i][1], video.found[j][1]) for i, j in hits]


def script_pairs(video: NamedVideo, iou: float) -> tuple[Counts, list[tuple[str, str]]]:
    """As the script: each find takes every true one that is free and near enough."""
    used: dict[int, int] = {}
    truth, found = [i for i, _ in video.truth], [i for i, _ in video.found]
    for j, near in enumerate(near_pairs(found, truth, iou, typed=False)):
        for i in sorted(near):
            used.setdefault(i, j)
    alarms = len(video.found) - len(set(used.values()))
    counts = Counts(len(used), alarms, len(video.truth) - len(used))
    return counts, [(video.truth[i][1], video.found[j][1]) for i, j in used.items()]


def emotion_counts(pairs: Sequence[tuple[str, str]], emotion: str, rule: Rule) -> Counts:
    """One emotion against the others."""
    answers = [(true == emotion, found == emotion) for true, found in pairs]
    if rule == "script" and len({value for answer in answers for value in answer}) < 2:
        return Counts()  # its table has one cell then, an exception that it takes for zeros
    return Counts(
        answers.count((True, True)), answers.count((False, True)), answers.count((True, False))
    )

"""The families of published numbers as protocols, so that one set of intervals is read under all of
them.

Published F1 of this field do not compare: families differ in which videos count, in what matches,
and in what was chosen by looking at the subjects that were tested. `official` is the rule of the
challenges (MEGC 2020/2021) with nothing chosen on test subjects; the others are named after the
methods that made each practice common. What a protocol chooses on the test subjects needs
candidates (the results of several epochs or thresholds): see `choose`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fesnet.errors import UsageError
from fesnet.intervals import KINDS, Interval
from fesnet.metrics.matching import IOU, Counts, bootstrap, count, overall

Chosen = Literal["nothing", "per subject", "per kind"]


@dataclass(frozen=True)
class Protocol:
    """One way to read results.

    own_videos: each kind counts only in videos that hold one of it. typed: kinds must agree to
    match. chosen: what is picked by the score on the test subjects themselves: nothing; the best
    candidate for each subject; or the best for each kind over all subjects. why: in words.
    """

    name: str
    why: str
    own_videos: bool = False
    typed: bool = True
    chosen: Chosen = "nothing"


PROTOCOLS = {
    p.name: p
    for p in (
        Protocol("official", "all videos, one to one, right kind; nothing chosen on test subjects"),
        Protocol(
            "softnet", "a kind counts only in videos that contain it (interval length from all "
                       "labels: not done here)",
            own_videos=True,
        ),
        Protocol("abpn", "the best candidate for each test subject by that subject's own F1", chosen="per subject"),
        Protocol("lssnet", "the best candidate for each kind over all test subjects", chosen="per kind"),
        Protocol("lgsnet", "as lssnet, and kinds need not agree to match", typed=False, chosen="per kind"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """One video with truth and what was found, on the same frame axis. seconds: its length, None
    where unknown.
    """

    subject: str
    video: str
    truth: tuple[Interval, ...]
    found: tuple[Interval, ...]
    seconds: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """Counts by kind and overall; by_subject: the same for each subject; picked: what a protocol
    chose.
    """

    protocol: Protocol
    counts: dict[str, Counts]
    by_subject: dict[str, dict[str, Counts]]
    picked: dict[str, str] = field(default_factory=dict)

    def interval(self, kind: str, *, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
        """95 % interval of F1 by drawing subjects with replacement."""
        return bootstrap([counts[kind] for counts in self.by_subject.values()], draws, seed)


def evaluate(videos: Sequence[Judged], protocol: Protocol, iou: float = IOU) -> Evaluation:
    """One set of results under a protocol. Raises UsageError without videos."""
    if not videos:
        raise UsageError("expected at least one video to evaluate, got none")
    subjects: dict[str, list[dict[str, Counts]]] = {}
    for video in videos:
        subjects.setdefault(video.subject, []).append(counts_of(video, protocol, iou))
    by_subject = {subject: overall(counts) for subject, counts in subjects.items()}
    return Evaluation(protocol, pooled(by_subject.values()), by_subject)


def counts_of(video: Judged, protocol: Protocol, iou: float) -> dict[str, Counts]:
    counts = count(video.truth, video.found, iou, typed=protocol.typed)
    if protocol.own_videos:
        held = {str(t.kind) for t in video.truth}
        return {kind: c if kind in held else Counts() for kind, c in counts.items()}
    return counts


def pooled(subjects: Iterable[dict[str, Counts]]) -> dict[str, Counts]:
    """Counts of all subjects by kind, and "overall"."""
    return overall([{str(kind): s[str(kind)] for kind in KINDS} for s in subjects])


def choose(
    candidates: Mapping[str, Sequence[Judged]], protocol: Protocol, iou: float = IOU
) -> Evaluation:
    """What a protocol makes of several results of the same videos, by name (an epoch, a threshold).

    Of equals the first is taken. With `chosen` "nothing" there must be one candidate: choosing is
    then the benchmark's business, on other subjects. Raises UsageError, also for candidates that do
    not cover the same videos and truth.
    """
    read = {name: evaluate(videos, protocol, iou) for name, videos in candidates.items()}
    if not read or (protocol.chosen == "nothing" and len(read) > 1):
        raise UsageError(
            f"expected one candidate for protocol {protocol.name}, got {len(read)}; choose it "
            "beforehand"
        )
    asked = {
        name: sorted((v.subject, v.video, v.truth) for v in videos)
        for name, videos in candidates.items()
    }
    first, *others = asked
    for name in others:
        if asked[name] != asked[first]:
            raise UsageError(
                f"expected all candidates to cover the same videos and truth, but {name} and "
                f"{first} differ"
            )
    if protocol.chosen == "nothing":
        return next(iter(read.values()))
    if protocol.chosen == "per subject":
        return best_per_subject(read, protocol)
    kinds = {str(k): max(read, key=lambda n: read[n].counts[str(k)].f1) for k in KINDS}
    subjects = next(iter(read.values())).by_subject
    by_subject = {
        s: overall([{k: read[n].by_subject[s][k] for k, n in kinds.items()}]) for s in subjects
    }
    return Evaluation(protocol, pooled(by_subject.values()), by_subject, kinds)


def best_per_subject(read: Mapping[str, Evaluation], protocol: Protocol) -> Evaluation:
    subjects = next(iter(read.values())).by_subject
    picked = {s: max(read, key=lambda n: read[n].by_subject[s]["overall"].f1) for s in subjects}
    by_subject = {s: read[name].by_subject[s] for s, name in picked.items()}
    return Evaluation(protocol, pooled(by_subject.values()), by_subject, picked)

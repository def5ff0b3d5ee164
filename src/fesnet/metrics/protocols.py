"""The families of published numbers as protocols: one set of intervals, evaluated under each.

Published F1 of this field do not compare. Families differ in which videos count, in what matches,
and in what was selected on the test subjects. `official` is the rule of the challenges (MEGC
2020/2021) and selects nothing on test subjects. The others are named after the methods that made
each practice common. A selection needs candidates (the results of several epochs or thresholds):
see `evaluate_candidates`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fesnet.errors import UsageError
from fesnet.intervals import KINDS, Interval
from fesnet.metrics.matching import IOU, Counts, bootstrap, count, count_hit_truths, overall

Selection = Literal["nothing", "per subject", "per kind"]


@dataclass(frozen=True)
class Protocol:
    """One way to evaluate results.

    own_videos: each kind counts only in videos that hold one of it. typed: kinds must agree to
    match. selects: what is selected by F1 on the test subjects themselves: nothing; the best
    candidate for each subject; or the best for each kind over all subjects. why: in words.
    one_to_one: False counts as the method's own script does, where a find serves all truths that it
    reaches.
    """

    name: str
    why: str
    own_videos: bool = False
    typed: bool = True
    selects: Selection = "nothing"
    one_to_one: bool = True


PROTOCOLS = {
    p.name: p
    for p in (
        Protocol("official", "all videos, one to one, right kind; nothing chosen on test subjects"),
        Protocol(
            "softnet",
            "a kind counts only in videos that contain it (interval length from all labels: not "
            "done here)",
            own_videos=True,
        ),
        Protocol(
            "abpn",
            "the best candidate for each test subject by that subject's own F1",
            selects="per subject",
        ),
        Protocol(
            "lssnet",
            "the best candidate for each kind over all test subjects",
            selects="per kind",
        ),
        Protocol(
            "lgsnet",
            "as lssnet, and kinds need not agree to match",
            typed=False,
            selects="per kind",
        ),
        Protocol(
            "mdmd-script",
            "MDMD's own script: all videos, right kind, a find serves all truths that it reaches",
            one_to_one=False,
        ),
        Protocol(
            "lgsnet-script",
            "LGSNet's own script: as lgsnet, and a find serves all truths that it reaches",
            typed=False,
            selects="per kind",
            one_to_one=False,
        ),
    )
}


@dataclass(frozen=True)
class VideoResult:
    """One video with truth and what was found, on one frame axis.

    seconds: its length, None where unknown.
    """

    subject: str
    video: str
    truth: tuple[Interval, ...]
    found: tuple[Interval, ...]
    seconds: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """Counts by kind and overall under a protocol.

    by_subject: the same for each subject. picked: which candidate a protocol selected for what.
    """

    protocol: Protocol
    counts: dict[str, Counts]
    by_subject: dict[str, dict[str, Counts]]
    picked: dict[str, str] = field(default_factory=dict)

    def interval(self, kind: str, *, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
        """95 % interval of F1 by drawing subjects with replacement."""
        return bootstrap([counts[kind] for counts in self.by_subject.values()], draws, seed)


def evaluate(videos: Sequence[VideoResult], protocol: Protocol, iou: float = IOU) -> Evaluation:
    """One set of results under a protocol. Raises UsageError without videos."""
    if not videos:
        raise UsageError("expected at least one video to evaluate, got none")
    subjects: dict[str, list[dict[str, Counts]]] = {}
    for video in videos:
        subjects.setdefault(video.subject, []).append(protocol_counts(video, protocol, iou))
    by_subject = {subject: overall(counts) for subject, counts in subjects.items()}
    return Evaluation(protocol, pool_subjects(by_subject.values()), by_subject)


def protocol_counts(video: VideoResult, protocol: Protocol, iou: float) -> dict[str, Counts]:
    count_video = count if protocol.one_to_one else count_hit_truths
    counts = count_video(video.truth, video.found, iou, typed=protocol.typed)
    if protocol.own_videos:
        held = {str(t.kind) for t in video.truth}
        return {kind: c if kind in held else Counts() for kind, c in counts.items()}
    return counts


def pool_subjects(subjects: Iterable[dict[str, Counts]]) -> dict[str, Counts]:
    """Counts of all subjects by kind, and "overall"."""
    return overall([{str(kind): s[str(kind)] for kind in KINDS} for s in subjects])


def evaluate_candidates(
    candidates: Mapping[str, Sequence[VideoResult]], protocol: Protocol, iou: float = IOU
) -> Evaluation:
    """Several results of the same videos, by name (an epoch, a threshold), under a protocol.

    Of equals the first is selected. A protocol that selects nothing takes one candidate: the
    benchmark then selects, on other subjects. Raises UsageError, also for candidates that do not
    cover the same videos and truth.
    """
    by_name = {name: evaluate(videos, protocol, iou) for name, videos in candidates.items()}
    if not by_name or (protocol.selects == "nothing" and len(by_name) > 1):
        raise UsageError(
            f"expected one candidate for protocol {protocol.name}, got {len(by_name)}; choose it "
            "beforehand"
        )
    covered = {
        name: sorted((v.subject, v.video, v.truth) for v in videos)
        for name, videos in candidates.items()
    }
    first, *others = covered
    for name in others:
        if covered[name] != covered[first]:
            raise UsageError(
                f"expected all candidates to cover the same videos and truth, but {name} and "
                f"{first} differ"
            )
    if protocol.selects == "nothing":
        return next(iter(by_name.values()))
    if protocol.selects == "per subject":
        return best_per_subject(by_name, protocol)
    kinds = {str(k): max(by_name, key=lambda n: by_name[n].counts[str(k)].f1) for k in KINDS}
    subjects = next(iter(by_name.values())).by_subject
    by_subject = {
        s: overall([{k: by_name[n].by_subject[s][k] for k, n in kinds.items()}]) for s in subjects
    }
    return Evaluation(protocol, pool_subjects(by_subject.values()), by_subject, kinds)


def best_per_subject(by_name: Mapping[str, Evaluation], protocol: Protocol) -> Evaluation:
    subjects = next(iter(by_name.values())).by_subject
    picked = {
        s: max(by_name, key=lambda n: by_name[n].by_subject[s]["overall"].f1) for s in subjects
    }
    by_subject = {s: by_name[name].by_subject[s] for s, name in picked.items()}
    return Evaluation(protocol, pool_subjects(by_subject.values()), by_subject, picked)

"""Merge the machine's proposals under the present rules with the corrections of people.

Moving a threshold computes the proposals again and changes nothing that a person has edited. A
proposal is left out if a person's interval of the same face covers it. That is so if it shares half
of the shorter one's frames, or more,

- with the person's interval, if both are of the same kind, or
- with the proposal that the person corrected or deleted (of any kind, if the rules are exclusive).

    machine, 0.5    ..[====)....[==)...         proposals A and B
    person          ..[=======)...x....         A made longer, B deleted
    machine, 0.3    .[======)..[====)..[=)      A and B again, larger, and a new C
    seen            ..[=======)........[=)      the person's A, no B, the new C
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from pathlib import Path

from fesnet._io import file_exists
from fesnet.errors import ResultError, UsageError
from fesnet.intervals import KINDS, IntervalMark
from fesnet.looked_at import share_frames
from fesnet.postprocess import IntervalRules
from fesnet.report.context_view import context_values
from fesnet.report.score_view import LEAST
from fesnet.result import SpottedInterval, Spotting
from fesnet.review.review_file import (
    REVIEW_SUFFIX,
    JsonObject,
    Review,
    ReviewedInterval,
    read_review,
)

MACHINE = "machine"
LOWEST = 0.02  # the lowest threshold of the page's sliders
ROUNDING = 1e-4  # of stored scores: nearer ones are compared as they were


@dataclass
class MachineResult:
    """The machine's result, and its proposals under any rules."""

    spotting: Spotting
    sha256: str
    cached: dict[IntervalRules, tuple[SpottedInterval, ...]] = field(default_factory=dict)
    # by rules with the lowest thresholds: all that any threshold can choose
    every: dict[IntervalRules, tuple[SpottedInterval, ...]] = field(default_factory=dict)
    contexts: dict[tuple[int, int, int], JsonObject] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> MachineResult:
        """Raises ResultError."""
        spotting = Spotting.from_json(path)
        return cls(spotting, hashlib.sha256(path.read_bytes()).hexdigest())

    def proposals(self, rules: IntervalRules) -> tuple[SpottedInterval, ...]:
        """The intervals under `rules`; those of the last rules are cached.

        Under the result's own rules they are the result's intervals, not computed again: another
        version may have made them.
        """
        s = self.spotting
        if rules == s.rules:
            return s.intervals
        cached = self.cached.get(rules)
        if cached is None:
            cached = self.choose(rules)
            self.cached = {rules: cached}
        return cached

    def choose(self, rules: IntervalRules) -> tuple[SpottedInterval, ...]:
        """`Spotting.rethreshold` for sliders: thresholds choose among what the lowest ones give,
        which is cached.
        """
        thresholds = {kind: rules.of(kind, "threshold") for kind in KINDS}
        lowest = rules.changed({f"{kind}_threshold": LOWEST for kind in KINDS})
        if lowest not in self.every:
            self.every = {lowest: self.spotting.rethreshold(lowest).intervals}
        above = [(i.score - thresholds[i.kind], i) for i in self.every[lowest]]
        if min(thresholds.values()) < LOWEST or any(abs(d) < ROUNDING for d, _ in above):
            return self.spotting.rethreshold(rules).intervals
        return tuple(i for d, i in above if d > 0)

    def below(self, rules: IntervalRules) -> tuple[SpottedInterval, ...]:
        """What lower thresholds would add to the proposals under `rules`, from `LEAST` on."""
        low = {f"{k}_threshold": min(LEAST, rules.of(k, "threshold")) for k in KINDS}
        return tuple(
            c for c in self.choose(rules.changed(low)) if c.score < rules.of(c.kind, "threshold")
        )

    def with_context(self, rows: Iterable[JsonObject]) -> list[JsonObject]:
        """Intervals as JSON, each also with what moved (texts) and its flags (names)."""
        return [{**row, **self.context_values(row)} for row in rows]

    def context_values(self, row: JsonObject) -> JsonObject:
        """What pages show of an interval; kept, as a slider asks again and again."""
        key = (row["face"], row["onset_frame"], row["offset_frame"])
        if key not in self.contexts:
            names = SpottedInterval.__dataclass_fields__
            interval = SpottedInterval(**{name: row[name] for name in names})
            self.contexts[key] = context_values(self.spotting.context(interval))
        return self.contexts[key]

    def new_review(self, file: str) -> Review:
        """A review without edits. file: the name of the result."""
        s = self.spotting
        machine = {
            "file": file,
            "sha256": self.sha256,
            "rules": s.rules.to_dict(),
            "provenance": s.provenance,
            "intervals": [asdict(i) for i in s.intervals],
        }
        return Review(asdict(s.source), len(s.frame_times), machine)


def review_rules(review: Review) -> IntervalRules:
    """The rules of a review. Raises UsageError for invalid ones."""
    return IntervalRules.from_dict(review.rules).anchored()


def proposal_id(proposal: SpottedInterval) -> str:
    """The id of a proposal; equal proposals under different rules have equal ids."""
    return f"m{proposal.face}.{proposal.onset_frame}.{proposal.offset_frame}.{proposal.kind}"


def adopt_proposal(proposal: SpottedInterval, who: str, when: str) -> ReviewedInterval:
    """The proposal as an interval of a person, still unchanged."""
    p = proposal
    machine = (p.kind, p.onset_frame, p.offset_frame)
    frames = (p.onset_frame, p.apex_frame, p.offset_frame)
    return ReviewedInterval(proposal_id(p), p.face, p.kind, *frames, p.score, who, when, machine)


def is_covered(proposal: SpottedInterval, interval: ReviewedInterval, rules: IntervalRules) -> bool:
    """Whether a person's interval stands for the same event as the proposal (see above)."""
    if proposal.face != interval.face:
        return False
    here = (proposal.onset_frame, proposal.offset_frame)
    if (
        not interval.deleted
        and interval.kind == proposal.kind
        and share_frames(here, (interval.onset_frame, interval.offset_frame))
    ):
        return True
    if interval.machine is None:
        return False
    kind, onset, offset = interval.machine
    return (rules.exclusive or kind == proposal.kind) and share_frames(here, (onset, offset))


def to_spotted_interval(interval: ReviewedInterval, machine: MachineResult) -> SpottedInterval:
    """A person's interval with its seconds, without who made it."""
    times = machine.spotting.frame_times
    frames = (interval.onset_frame, interval.apex_frame, interval.offset_frame)
    onset_s, apex_s, offset_s = (round(float(times[f]), 6) for f in frames)
    i = interval
    return SpottedInterval(i.face, onset_s, apex_s, offset_s, i.kind, *frames, i.score)


def open_proposals(
    machine: MachineResult, intervals: list[ReviewedInterval], rules: IntervalRules
) -> list[SpottedInterval]:
    """The proposals that no interval of a person covers."""
    index = SpanIndex(intervals)
    return [
        p
        for p in machine.proposals(rules)
        if not any(is_covered(p, i, rules) for i in index.near(p))
    ]


def open_proposal(
    machine: MachineResult, intervals: list[ReviewedInterval], rules: IntervalRules, key: str
) -> SpottedInterval | None:
    """The one of `open_proposals` with this id, or None."""
    for p in machine.proposals(rules):
        if proposal_id(p) == key and not any(is_covered(p, i, rules) for i in intervals):
            return p
    return None


class SpanIndex:
    """Finds the intervals of people that may cover a proposal, without looking at them all."""

    def __init__(self, intervals: list[ReviewedInterval]) -> None:
        spans: dict[int, list[tuple[int, int, int]]] = {}  # by face: first, last, place
        for place, i in enumerate(intervals):
            spans.setdefault(i.face, []).append((i.onset_frame, i.offset_frame, place))
            if i.machine is not None:
                spans[i.face].append((i.machine[1], i.machine[2], place))
        self.intervals = intervals
        self.spans = {face: sorted(some) for face, some in spans.items()}
        self.latest = {  # the last frame of any span up to here
            face: list(accumulate((last for _, last, _ in some), max))
            for face, some in self.spans.items()
        }

    def near(self, proposal: SpottedInterval) -> Iterator[ReviewedInterval]:
        """Those of its face that share a frame with it, now or as the machine had them."""
        spans, latest = self.spans.get(proposal.face, []), self.latest.get(proposal.face, [])
        at = bisect_right(spans, (proposal.offset_frame, math.inf)) - 1
        while at >= 0 and latest[at] >= proposal.onset_frame:
            if spans[at][1] >= proposal.onset_frame:
                yield self.intervals[spans[at][2]]
            at -= 1


def merge_intervals(
    machine: MachineResult, review: Review, rules: IntervalRules | None = None
) -> list[JsonObject]:
    """All intervals of the corrected version as JSON, sorted.

    rules: default those of the review. Raises UsageError for invalid rules, ResultError if the
    review is of another video.
    """
    intervals = review.intervals
    check_frame_count(machine, review)
    rules = rules or review_rules(review)
    out = []
    for p in () if review.blind else open_proposals(machine, intervals, rules):
        more = {"id": proposal_id(p), "by": MACHINE, "when": None, "checked": False, "note": ""}
        out.append(vars(p) | more | {"machine": (p.kind, p.onset_frame, p.offset_frame)})
    for interval in intervals:
        if not interval.deleted:
            more = {
                name: getattr(interval, name)
                for name in ("id", "by", "when", "checked", "note", "machine")
            }
            out.append(vars(to_spotted_interval(interval, machine)) | more)
    return sorted(out, key=lambda i: (i["face"], i["onset_s"], i["offset_s"], i["kind"], i["id"]))


def count_unseen(rows: Iterable[JsonObject]) -> int:
    """How many of the merged intervals are the machine's alone: nobody checked or changed them."""
    return sum(not row["checked"] and row["by"] == MACHINE for row in rows)


def check_frame_count(machine: MachineResult, review: Review) -> None:
    """Raises ResultError where the result has other frames than the one that was reviewed."""
    frames = len(machine.spotting.frame_times)
    if frames != review.frames:
        raise ResultError(
            f"expected the result of the video that was reviewed ({review.frames} frames), got "
            f"one of {frames} frames; "
            "put the old result back, or move the review away"
        )


def corrected_result(machine: MachineResult, review: Review) -> Spotting:
    """The result with the corrected intervals and rules; `provenance` names the review."""
    names = SpottedInterval.__dataclass_fields__
    merged = merge_intervals(machine, review)
    marks = {
        SpottedInterval(**{n: i[n] for n in names}): IntervalMark(
            i["by"], i["when"], i["checked"], i["note"]
        )
        for i in merged
    }
    record = {
        "by": sorted({e.who for e in review.entries}),
        "when": review.entries[-1].when if review.entries else None,
        "edits": review.revision,
        "checked": sum(i["checked"] for i in merged),
        "machine_sha256": review.machine["sha256"],
    }
    provenance = {**machine.spotting.provenance, "review": record}
    return replace(
        machine.spotting,
        intervals=tuple(sorted(SpottedInterval(**{n: i[n] for n in names}) for i in merged)),
        rules=review_rules(review),
        provenance=provenance,
        marks=marks,
    )


def read_reviewed(path: Path) -> Spotting:
    """NAME.review.json, with NAME.json beside it -> the result with the person's intervals.

    Raises UsageError where there is no review, ResultError for a damaged one, or one without its
    result.
    """
    if not path.exists():
        raise UsageError(f"expected a review of `fesnet review`, but {path} does not exist")
    review = read_review(path)
    result = path.with_name(path.name.removesuffix(REVIEW_SUFFIX) + ".json")
    if not file_exists(result):
        # Only the name counts: the result lies beside the review.
        result = path.parent / Path(str(review.machine.get("file", result))).name
    if not file_exists(result):
        raise ResultError(
            f"expected the machine's result {result.name} beside {path}, found none; put it there"
        )
    return corrected_result(MachineResult.read(result), review)

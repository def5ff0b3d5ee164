"""What is to be seen: the machine's proposals under the present rules, and what people made of them.

Moving a threshold makes the machine's proposals anew and touches nothing that a person has touched. A proposal is left
out where a person has already judged what it stands for, that is where it shares half of the shorter one's frames, or
more, on the same face,

- with an interval of a person's of the same kind, or
- with what the machine had where a person corrected or deleted it (of any kind, if the rules allow but one at a time).

    machine, 0.5    ..[====)....[==)...         proposals A and B
    person          ..[=======)...x....         A made longer, B deleted
    machine, 0.3    .[======)..[====)..[=)      A and B again, larger, and a new C
    seen            ..[=======)........[=)      the person's A, no B, the new C
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fesnet.errors import ResultError, UsageError
from fesnet.intervals import Interval, IntervalRules
from fesnet.result import SpottedInterval, Spotting
from fesnet.review.journal import ENDING, Review, Row, Values, read_review

COVERED = 0.5  # share of the shorter one from which two intervals are about the same thing (our choice)
MACHINE = "machine"


@dataclass
class Machine:
    """The machine's result, and its proposals under any rules."""

    spotting: Spotting
    sha256: str
    made: dict[IntervalRules, tuple[SpottedInterval, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Machine:
        """Raises ResultError."""
        spotting = Spotting.from_json(path)
        return cls(spotting, hashlib.sha256(path.read_bytes()).hexdigest())

    def proposals(self, rules: IntervalRules) -> tuple[SpottedInterval, ...]:
        """Of the last rules asked for they are kept. Those of the result's own rules are the result's, not made anew:
        they may come from another version."""
        s = self.spotting
        if rules == s.rules:
            return s.intervals
        made = self.made.get(rules)
        if made is None:
            made = s.rethreshold(rules).intervals
            self.made = {rules: made}
        return made

    def begin(self, file: str) -> Review:
        """A review in which nothing has been done yet. file: the name of the result."""
        s = self.spotting
        machine = {
            "file": file,
            "sha256": self.sha256,
            "rules": s.rules.to_dict(),
            "provenance": s.provenance,
            "intervals": [asdict(i) for i in s.intervals],
        }
        return Review(asdict(s.source), len(s.frame_times), machine)


def name_of(proposal: SpottedInterval) -> str:
    """The id of a proposal; the same one has the same under any rules."""
    return f"m{proposal.face}.{proposal.onset_frame}.{proposal.offset_frame}.{proposal.kind}"


def row_of(proposal: SpottedInterval, who: str, when: str) -> Row:
    """The proposal as a person's, as yet unchanged."""
    p = proposal
    machine = (p.kind, p.onset_frame, p.offset_frame)
    frames = (p.onset_frame, p.apex_frame, p.offset_frame)
    return Row(name_of(p), p.face, p.kind, *frames, p.score, who, when, machine)


def judged(proposal: SpottedInterval, row: Row, rules: IntervalRules) -> bool:
    """Whether a person's row already says what there is to say about a proposal (see above)."""
    if proposal.face != row.face:
        return False
    here = (proposal.onset_frame, proposal.offset_frame)
    if not row.deleted and row.kind == proposal.kind and same(here, (row.onset_frame, row.offset_frame)):
        return True
    if row.machine is None:
        return False
    kind, onset, offset = row.machine
    return (rules.exclusive or kind == proposal.kind) and same(here, (onset, offset))


def same(one: tuple[int, int], other: tuple[int, int]) -> bool:
    a, b = (Interval(first, last + 1, "macro") for first, last in (one, other))
    return a.overlap(b) >= COVERED * min(a.length, b.length)


def placed(row: Row, machine: Machine) -> SpottedInterval:
    """A row with its seconds."""
    times = machine.spotting.frame_times
    frames = (row.onset_frame, row.apex_frame, row.offset_frame)
    onset_s, apex_s, offset_s = (round(float(times[f]), 6) for f in frames)
    return SpottedInterval(row.face, onset_s, apex_s, offset_s, row.kind, *frames, row.score)


def proposals_left(machine: Machine, rows: list[Row], rules: IntervalRules) -> list[SpottedInterval]:
    """The proposals that no row has judged."""
    by_face = {row.face: [r for r in rows if r.face == row.face] for row in rows}
    left = machine.proposals(rules)
    return [p for p in left if not any(judged(p, row, rules) for row in by_face.get(p.face, ()))]


def shown(machine: Machine, review: Review, rules: IntervalRules | None = None) -> list[Values]:
    """All intervals to be seen, as JSON holds them, sorted; under other rules than the review's if given.

    Raises UsageError for rules that are none, ResultError where the review is about another video.
    """
    rows = review.rows
    check_frames(machine, review)
    rules = rules or IntervalRules.from_dict(review.rules)
    out = []
    for p in proposals_left(machine, rows, rules):
        more = {"id": name_of(p), "by": MACHINE, "when": None, "checked": False, "note": ""}
        out.append(asdict(p) | more | {"machine": (p.kind, p.onset_frame, p.offset_frame)})
    for row in rows:
        if not row.deleted:
            more = {name: getattr(row, name) for name in ("id", "by", "when", "checked", "note", "machine")}
            out.append(asdict(placed(row, machine)) | more)
    return sorted(out, key=lambda i: (i["face"], i["onset_s"], i["offset_s"], i["kind"], i["id"]))


def check_frames(machine: Machine, review: Review) -> None:
    """Raises ResultError where the result has other frames than the one that was reviewed."""
    frames = len(machine.spotting.frame_times)
    if frames != review.frames:
        raise ResultError(
            f"expected the result of the video that was reviewed ({review.frames} frames), got one of {frames} frames; "
            "put the old result back, or move the review away"
        )


def reviewed(machine: Machine, review: Review) -> Spotting:
    """The result with a person's intervals in place of the machine's, for exports; `provenance` tells of it."""
    names = SpottedInterval.__dataclass_fields__
    made = tuple(sorted(SpottedInterval(**{n: i[n] for n in names}) for i in shown(machine, review)))
    told = {
        "by": sorted({e.who for e in review.entries}),
        "when": review.entries[-1].when if review.entries else None,
        "edits": review.revision,
        "machine_sha256": review.machine["sha256"],
    }
    provenance = {**machine.spotting.provenance, "review": told}
    rules = IntervalRules.from_dict(review.rules)
    return replace(machine.spotting, intervals=made, rules=rules, provenance=provenance)


def read_reviewed(path: Path) -> Spotting:
    """NAME.review.json, with NAME.json beside it -> the result with the person's intervals.

    Raises UsageError where there is no review, ResultError for a damaged one, or one without its result.
    """
    if not path.exists():
        raise UsageError(f"expected a review of `fesnet review`, but {path} does not exist")
    review = read_review(path)
    result = path.with_name(path.name.removesuffix(ENDING) + ".json")
    if not result.is_file():
        result = path.parent / Path(str(review.machine.get("file", result))).name  # beside it, whatever the file says
    if not result.is_file():
        raise ResultError(f"expected the machine's result {result.name} beside {path}, found none; put it there")
    return reviewed(Machine.read(result), review)

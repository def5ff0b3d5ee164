"""Agreement of machine and person, or of two people, about what people have looked at.

A person has looked at an interval that they checked, moved, added or deleted, or whose kind they
changed. A proposal that nobody looked at is not a person's opinion, so it counts on neither side:

    machine         ..[==A==)...[==B==)...[==C==)..
    person          ..[==A==]✓..(deleted)..........  C: not looked at
    compared        A in both, B only the machine's, no C
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from fesnet.intervals import KINDS, Interval, Kind
from fesnet.looked_at import HANDFUL, JUDGED_BY, Moment, Span, SpanSet
from fesnet.metrics import Agreement, frame_kappa
from fesnet.metrics.agreement_lines import edge_text
from fesnet.metrics.matching import IOU
from fesnet.metrics.protocols import VideoResult
from fesnet.review.merge import MachineResult, open_proposals, review_rules
from fesnet.review.review_file import Review

PROTOCOL = "official"


@dataclass(frozen=True)
class Opinions:
    """What one side says of a video. A machine says all and has looked at nothing.

    intervals: face and interval of each; judged: where a person has looked (deleted ones too);
    unjudged: proposals that nobody looked at.
    """

    intervals: tuple[tuple[int, Interval], ...]
    judged: tuple[Moment, ...] = ()
    unjudged: tuple[Span, ...] = ()
    person: bool = False


def machine_opinions(machine: MachineResult) -> Opinions:
    """The machine's intervals under its own rules."""
    rows = machine.spotting.intervals
    return Opinions(
        tuple((i.face, to_interval(i.onset_frame, i.offset_frame, i.kind)) for i in rows)
    )


def person_opinions(machine: MachineResult, review: Review) -> Opinions:
    """What people have looked at in a review. Raises UsageError for invalid rules."""
    done, _ = review.undo_stacks()
    entries = [review.entries[n - 1] for n in done]
    touched = {e.id for e in entries if e.what in JUDGED_BY}
    seen = [i.checked or i.deleted or i.id in touched for i in review.intervals]
    rows = [i for i, is_seen in zip(review.intervals, seen, strict=True) if is_seen]
    unseen = [i for i, is_seen in zip(review.intervals, seen, strict=True) if not is_seen]
    rules = review_rules(review)
    left = [(i.face, i.onset_frame, i.offset_frame) for i in unseen]
    if not review.blind:
        left += [
            (p.face, p.onset_frame, p.offset_frame)
            for p in open_proposals(machine, review.intervals, rules)
        ]
    elif not review.done:  # what they left unmarked, they may not have seen yet
        faces = [track.face for track in machine.spotting.faces] or [0]
        left += [(face, 0, review.frames - 1) for face in faces]
    judged = []
    for i in rows:
        own, proposal = (i.face, i.onset_frame, i.offset_frame), i.machine
        judged.append((own,) if proposal is None else (own, (i.face, *proposal[1:])))
    said = tuple(
        (i.face, to_interval(i.onset_frame, i.offset_frame, i.kind)) for i in rows if not i.deleted
    )
    return Opinions(said, tuple(judged), tuple(left), person=True)


def to_interval(first: int, last: int, kind: Kind) -> Interval:
    return Interval(first, last + 1, kind)


def comparable(side: Opinions, other: Opinions) -> tuple[Interval, ...]:
    """The intervals of one side about which the people of both sides have an opinion."""
    judged, unjudged = SpanSet(chain.from_iterable(other.judged)), SpanSet(other.unjudged)
    out = []
    for face, i in side.intervals:
        span = (face, i.start, i.stop - 1)
        looked = judged.meets(span)
        seen = side.person or not other.person or looked
        if seen and (looked or not unjudged.meets(span)):
            out.append(i)
    return tuple(sorted(out))


def looked_at(truth: Opinions, found: Opinions) -> tuple[int, int]:
    """(moments that the people of both sides looked at, proposals that somebody did not)."""
    people = [side for side in (truth, found) if side.person]
    moments: list[Moment] = []
    for side in people:
        before = SpanSet(chain.from_iterable(moments))
        (other,) = [o for o in (truth, found) if o is not side]
        judged, unjudged = SpanSet(chain.from_iterable(other.judged)), SpanSet(other.unjudged)
        for moment in side.judged:
            both = any(map(judged.meets, moment))
            skipped = not both and any(map(unjudged.meets, moment))
            known = any(map(before.meets, moment))
            if not skipped and not known:
                moments.append(moment)
    left: list[Span] = []
    for side in people:
        before = SpanSet(left)
        left += [span for span in side.unjudged if not before.meets(span)]
    return len(moments), len(left)


def compute_agreement(
    truth: Opinions, found: Opinions, frames: int, seconds: float | None
) -> dict[str, Any]:
    """Agreement of two sides as JSON: moments looked at, and, from a handful on, counts by kind,
    kappa (only where nothing is left to look at) and lines for people.

    Only the fast part of `fesnet score`, as the page asks after every edit.
    """
    people = truth.person or found.person
    moments, left = looked_at(truth, found)
    out: dict[str, Any] = {"people": people, "looked_at": moments, "left": left}
    if people and moments < HANDFUL:
        return out | {"kinds": None, "handful": HANDFUL}
    pair = (comparable(truth, found), comparable(found, truth))
    both = Agreement((VideoResult("", "", *pair, seconds),), (frames,), IOU)
    counts = both.evaluate_as(PROTOCOL).counts
    kappa = math.nan if left else frame_kappa([pair], (frames,))
    return out | {
        "iou": both.iou,
        "kinds": {
            kind: {**asdict(counts[kind]), "f1": counts[kind].f1} for kind in (*KINDS, "overall")
        },
        "kappa": None if math.isnan(kappa) else kappa,
        "lines": list(edge_lines(both)),
    }


def edge_lines(both: Agreement) -> Iterator[str]:
    """How far the edges of matched intervals lie apart."""
    for kind in KINDS:
        edges = both.edges(kind)
        for edge in ("onset", "offset") if edges["onset_frames"] else ():
            text = edge_text(edges[f"{edge}_frames"], edges[f"{edge}_ms"])
            yield f"{edge} of {kind} in both: {text}"

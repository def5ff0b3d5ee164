"""What a person has looked at in a review, from its edits alone.

A person has looked at an interval that they checked, moved, added or deleted, or whose kind they
changed. A proposal that nobody looked at is no opinion of a person:

    proposals     ..[==A==)...[==B==)...[==C==)..
    review        ..[==A==]✓..(deleted)..........
    moments       A and B;  left: C
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

JUDGED_BY = ("edge", "kind", "add", "delete")  # edits that need a look; `checked` is a state
HANDFUL = 5  # moments below which a figure would be chance; our choice
# Share of the shorter interval's frames from which two intervals mean the same event (our choice).
MIN_SHARED = 0.5
BLOCK = 256  # frames
Span = tuple[int, int, int]  # face, first and last frame
Moment = tuple[Span, ...]  # an interval, and the proposal that it comes from


@dataclass(frozen=True)
class ReviewedMoments:
    """judged: where a person has looked, deleted ones too; left: proposals that nobody looked at;
    ids: of the intervals that a person has looked at."""

    judged: tuple[Moment, ...]
    left: tuple[Span, ...]
    ids: frozenset[str]

    def judges(self, span: Span) -> bool:
        """Whether a person has looked at the moment of a span."""
        return self._judged_spans.meets(span)

    def leaves(self, span: Span) -> bool:
        """Whether a span means the moment of a proposal that nobody looked at."""
        return self._left_spans.meets(span)

    @cached_property
    def _judged_spans(self) -> SpanSet:
        return SpanSet(chain.from_iterable(self.judged))

    @cached_property
    def _left_spans(self) -> SpanSet:
        return SpanSet(self.left)


def share_frames(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two (first, last) frames mean the same event."""
    shared = min(one[1], other[1]) + 1 - max(one[0], other[0])
    shorter = min(one[1] - one[0], other[1] - other[0]) + 1
    return max(shared, 0) >= MIN_SHARED * shorter


class SpanSet:
    """Spans among which the ones of the same moment are found without looking at them all."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self.blocks: dict[tuple[int, int], set[Span]] = {}  # by face and block of frames
        for span in spans:
            face, first, last = span
            for block in range(first // BLOCK, last // BLOCK + 1):
                self.blocks.setdefault((face, block), set()).add(span)

    def meets(self, span: Span) -> bool:
        """Whether a span means the same moment of the same face as one of these."""
        face, first, last = span
        near = (self.blocks.get((face, k), ()) for k in range(first // BLOCK, last // BLOCK + 1))
        return any(share_frames(span[1:], o[1:]) for o in chain.from_iterable(near))


def stacks_of(edits: Iterable[tuple[int, str, int | None]]) -> tuple[list[int], list[int]]:
    """Numbers of the edits that can be undone, and redone; the next one last. edits: number, what,
    and the number of the edit that an undo or redo is about. Raises ValueError for another order.
    """
    done: list[int] = []
    undone: list[int] = []
    for number, what, of in edits:
        if of is None:
            done.append(number)
            undone.clear()
        else:
            source, target = (done, undone) if what == "undo" else (undone, done)
            if source and source[-1] == of:  # as the page does; else the list is searched
                source.pop()
            else:
                source.remove(of)
            target.append(of)
    return done, undone


def reviewed_moments(values: Mapping[str, Any]) -> ReviewedMoments:
    """From the JSON of a review. Raises KeyError, TypeError or ValueError for a damaged one."""
    journal = values["journal"]
    done, _ = stacks_of((e["n"], e["what"], e["of"]) for e in journal)
    touched = {journal[n - 1]["id"] for n in done if journal[n - 1]["what"] in JUDGED_BY}
    state: dict[str, Any] = {e["id"]: e["after"] for e in journal}
    deleted = [v for v in state.values() if v is not None and v.get("deleted")]
    rows = [i for i in values["intervals"] if i["checked"] or i["id"] in touched]
    ids = frozenset(i["id"] for i in rows)
    left = tuple(review_span(i) for i in values["intervals"] if i["id"] not in ids)
    return ReviewedMoments(tuple(map(review_moment, [*rows, *deleted])), left, ids)


def review_span(values: Mapping[str, Any]) -> Span:
    return values["face"], values["onset_frame"], values["offset_frame"]


def review_moment(values: Mapping[str, Any]) -> Moment:
    """An interval of a review, and the proposal that it comes from."""
    own, proposal = review_span(values), values["machine"]
    return (own,) if proposal is None else (own, (own[0], proposal[1], proposal[2]))

"""Moments that mean the same are found without looking at every pair, and are the same ones."""

from __future__ import annotations

import time

import numpy as np

from fesnet.intervals import Interval
from fesnet.looked_at import ReviewedMoments, Span, SpanSet, share_frames
from fesnet.review.agreement import Opinions, compute_agreement


def random_spans(rng: np.random.Generator, count: int, frames: int) -> list[Span]:
    first = rng.integers(0, frames, count)
    last = first + rng.choice([0, 3, 20, 300, frames], count)
    faces = rng.integers(0, 2, count)
    return [(int(f), int(a), int(b)) for f, a, b in zip(faces, first, last, strict=True)]


def test_spans_meet_as_each_against_each() -> None:
    rng = np.random.default_rng(5)
    for frames in (40, 600, 5000):
        some, others = random_spans(rng, 120, frames), random_spans(rng, 60, frames)
        near = SpanSet(others)
        for span in some:
            wanted = any(span[0] == o[0] and share_frames(span[1:], o[1:]) for o in others)
            assert near.meets(span) == wanted
            moments = ReviewedMoments(tuple((o,) for o in others), tuple(others), frozenset())
            assert moments.judges(span) == moments.leaves(span) == wanted


def test_half_of_the_shorter_one_is_the_same_moment() -> None:
    assert share_frames((0, 9), (5, 30))  # 5 of 10
    assert not share_frames((0, 9), (6, 30))  # 4 of 10
    assert share_frames((7, 7), (0, 100))
    assert not share_frames((0, 3), (4, 9))
    for a, b in (((0, 9), (5, 30)), ((3, 8), (0, 5))):
        one, other = (Interval(x, y + 1, "macro") for x, y in (a, b))
        wanted = one.overlap(other) >= 0.5 * min(one.length, other.length)
        assert share_frames(a, b) == share_frames(b, a) == wanted


def test_agreement_of_many_expressions_takes_seconds() -> None:
    """Each against each, 20,000 took a quarter of an hour."""
    count = 20_000
    rows = [(0, Interval(60 * k, 60 * k + 20, "micro" if k % 2 else "macro")) for k in range(count)]
    judged = tuple(((0, i.start, i.stop - 1),) for _, i in rows)
    left = tuple((0, 60 * k + 30, 60 * k + 40) for k in range(count))
    person = Opinions(tuple(rows), judged, left, person=True)
    started = time.process_time()
    found = compute_agreement(person, Opinions(tuple(rows)), 60 * count, 2.0 * count)
    assert time.process_time() - started < 20
    assert (found["looked_at"], found["left"]) == (count, count)
    assert found["kinds"]["overall"]["tp"] == count

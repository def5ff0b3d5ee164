"""The MEGC rule against a slow reference on sets of frames, and against published counts."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fesnet.errors import UsageError
from fesnet.intervals import Interval
from fesnet.metrics import Counts, bootstrap, count, false_alarms_a_minute, match, overall

kinds = st.sampled_from(["macro", "micro"])


@st.composite
def separate(draw: st.DrawFn) -> list[Interval]:
    """Up to four intervals in a row that do not overlap."""
    out, at = [], 0
    for _ in range(draw(st.integers(0, 4))):
        start = at + draw(st.integers(0, 6))
        at = start + draw(st.integers(1, 12))
        out.append(Interval(start, at, draw(kinds)))
    return out


def most_matches(truth: list[Interval], found: list[Interval]) -> int:
    """Largest one-to-one matching by trying all of them, on sets of frames counted inclusively."""

    def fits(t: Interval, f: Interval) -> bool:
        a, b = set(range(t.start, t.stop)), set(range(f.start, f.stop))
        return t.kind == f.kind and len(a & b) / len(a | b) >= 0.5

    few, many = sorted((truth, found), key=len)
    swap = few is not truth
    return max(
        sum(fits(m, f) if swap else fits(f, m) for f, m in zip(few, order, strict=True))
        for order in permutations(many, len(few))
    )


@given(separate(), separate())
@settings(max_examples=150, deadline=None)
def test_equals_the_slow_reference(truth: list[Interval], found: list[Interval]) -> None:
    total = overall([count(truth, found)])["overall"]
    hits = most_matches(truth, found)
    assert total == Counts(hits, len(found) - hits, len(truth) - hits)


@given(separate())
def test_truth_against_itself_is_perfect(truth: list[Interval]) -> None:
    total = overall([count(truth, truth)])["overall"]
    assert (total.fp, total.fn) == (0, 0)
    assert total.f1 == (1.0 if truth else 0.0)


@pytest.mark.parametrize(
    ("macro", "micro", "published"),
    [
        (
            Counts(109, 1414, 191),
            Counts(21, 5014, 36),
            (0.1196, 0.0082, 0.0376),
        ),  # MDMD on CAS(ME)^2
        (Counts(22, 334, 321), Counts(29, 1407, 130), (0.0629, 0.0364, 0.0445)),  # MDMD on SAMM-LV
    ],
)
def test_published_rows(
    macro: Counts, micro: Counts, published: tuple[float, float, float]
) -> None:
    pooled = overall([{"macro": macro, "micro": Counts()}, {"macro": Counts(), "micro": micro}])
    assert tuple(round(c.f1, 4) for c in pooled.values()) == published


@pytest.mark.parametrize(
    ("tp", "fp", "fn", "published"), [(17, 206, 40, 0.1214), (26, 363, 133, 0.0949)]
)
def test_published_rows_of_micro_alone(tp: int, fp: int, fn: int, published: float) -> None:
    """MEAN on CAS(ME)^2 and on SAMM-LV."""
    assert round(Counts(tp, fp, fn).f1, 4) == published


def test_one_find_serves_one_truth_and_kinds_do_not_mix() -> None:
    truth = [Interval(0, 10, "macro"), Interval(4, 14, "macro")]
    assert len(match(truth, [Interval(2, 12, "macro")])) == 1
    assert match(truth, [Interval(0, 10, "micro")]) == []


def test_empty_is_zero_and_not_an_error() -> None:
    none = Counts()
    assert (none.precision, none.recall, none.f1) == (0.0, 0.0, 0.0)


def test_rates_and_bootstrap() -> None:
    assert false_alarms_a_minute(Counts(0, 3, 0), 90) == 2.0
    subjects = [Counts(3, 1, 1), Counts(1, 2, 0), Counts(5, 0, 2)]
    low, high = bootstrap(subjects, seed=1)
    assert low <= sum(subjects, Counts()).f1 <= high
    assert bootstrap(subjects, seed=1) == (low, high)


def test_videos_are_pooled_those_without_events_too() -> None:
    event, other = Interval(0, 10, "macro"), Interval(40, 50, "micro")
    videos = [count([event], [event]), count([], [event, other]), count([other], [])]
    assert overall(videos) == {
        "macro": Counts(1, 1, 0),
        "micro": Counts(0, 1, 1),
        "overall": Counts(1, 2, 1),
    }
    assert overall([]) == {"macro": Counts(), "micro": Counts(), "overall": Counts()}
    assert overall(videos)["overall"].precision == pytest.approx(1 / 3)
    assert overall(videos)["overall"].recall == 0.5


def test_the_best_overlap_is_matched_first() -> None:
    truth = [Interval(0, 10, "macro")]
    found = [Interval(0, 6, "macro"), Interval(0, 9, "macro")]
    assert match(truth, found) == [(0, 1)]
    assert match(truth, [Interval(0, 5, "macro")]) == [(0, 0)]  # exactly one half counts
    assert match(truth, [Interval(0, 4, "macro")]) == []


def test_what_cannot_be_computed_is_told() -> None:
    with pytest.raises(UsageError, match="expected a length above 0 s, got 0"):
        false_alarms_a_minute(Counts(), 0)
    with pytest.raises(UsageError, match="expected counts of at least one subject"):
        bootstrap([])


def test_bootstrap_of_equal_subjects_has_no_width() -> None:
    low, high = bootstrap([Counts(2, 1, 1)] * 5)
    assert low == high == pytest.approx(Counts(2, 1, 1).f1)

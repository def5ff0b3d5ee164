"""Many annotations: the right apex for each, in time that grows with their number."""

from __future__ import annotations

import random
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fesnet.exports import WRITERS
from fesnet.exports.annotations import read_annotations
from fesnet.exports.around import shortest_around
from fesnet.exports.elan_reader import nearest_end, topmost
from fesnet.exports.elan_times import (
    TimedAnnotation,
    aligned_spans,
    resolve_references,
)
from fesnet.study.markers import Marker, by_participant
from made_results import made_result

LIMIT_S = 3.0  # of processor time; each took minutes before


def test_the_shortest_span_around_is_that_of_all_of_them() -> None:
    draw = random.Random(3)
    for _ in range(100):
        starts = [draw.randrange(30) for _ in range(12)]
        spans = [(float(a), float(a + draw.randint(0, 9))) for a in starts]
        times = [float(draw.randrange(40)) for _ in range(15)]
        for closed in (True, False):
            wanted = []
            for t in times:
                holding = [
                    (b - a, k)
                    for k, (a, b) in enumerate(spans)
                    if a <= t < b or (closed and a <= t <= b)
                ]
                wanted.append(min(holding)[1] if holding else None)
            assert shortest_around(spans, times, closed=closed) == wanted


def cpu_s(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def test_a_span_over_everything_costs_nothing() -> None:
    spans = [(0.0, 1e6)] + [(10.0 * k, 10.0 * k + 5) for k in range(20_000)]
    times = [10.0 * k + 1 for k in range(20_000)]
    begun = time.process_time()
    assert shortest_around(spans, times) == list(range(1, 20_001))
    assert time.process_time() - begun < LIMIT_S


@pytest.mark.parametrize("form, ending", [("boris", "boris"), ("textgrid", "TextGrid")])
def test_thousands_of_expressions_come_back_with_their_apexes(
    form: str, ending: str, tmp_path: Path
) -> None:
    count = 3000
    found = [(0, "macro", 10 * k, 10 * k + 3, 10 * k + 6) for k in range(count)]
    made = made_result(found, 10 * count + 10)
    path = tmp_path / f"a.{ending}"
    WRITERS[form](made, path)
    begun = time.process_time()
    again = read_annotations(path)
    assert time.process_time() - begun < LIMIT_S
    assert [m.apex_s for m in again.found] == pytest.approx(
        [i.apex_s for i in made.intervals], abs=6e-4
    )


def test_expressions_that_all_overlap_get_a_lane_each(tmp_path: Path) -> None:
    count = 300
    made = made_result([(0, "macro", k, k + 5, k + count) for k in range(count)], 3 * count)
    for form, ending in (("eaf", "eaf"), ("textgrid", "TextGrid"), ("boris", "boris")):
        path = tmp_path / f"a.{ending}"
        WRITERS[form](made, path)
        again = read_annotations(path)
        assert len(again.found) == count
        assert not [m for m in again.found if m.apex_s is None], form


def test_a_long_chain_of_references_has_the_time_of_its_first() -> None:
    chain = [TimedAnnotation(f"a{k}", None, "", "", f"a{k - 1}") for k in range(1, 20_001)]
    spans = {"a0": (1.0, 2.0)}
    assert cpu_s(lambda: resolve_references({1: chain[::-1]}, spans)) < LIMIT_S
    assert len(spans) == 20_001 and set(spans.values()) == {(1.0, 2.0)}
    parents = {a.ident: a.parent for a in chain}
    begun = time.process_time()
    assert {topmost(a.ident, parents) for a in chain} == {"a0"}
    assert time.process_time() - begun < LIMIT_S


@pytest.mark.parametrize("ring", [{"a": "b", "b": "a"}, {"a": "a"}, {"a": "b", "b": "c", "c": "b"}])
def test_references_in_a_ring_end(ring: dict[str, str]) -> None:
    assert topmost("a", dict(ring)) in ring
    spans: dict[str, tuple[float, float]] = {}
    resolve_references({1: [TimedAnnotation(a, None, "", "", b) for a, b in ring.items()]}, spans)
    assert not spans


def test_chains_that_come_to_no_time_are_walked_once() -> None:
    tier = ET.Element("TIER")

    def add(first: str, last: str) -> None:
        holder = ET.SubElement(tier, "ANNOTATION")
        slots = {"TIME_SLOT_REF1": first, "TIME_SLOT_REF2": last}
        ET.SubElement(holder, "ALIGNABLE_ANNOTATION", slots)

    for k in range(4000):
        add("known", "u0")
        add(f"u{k}", f"u{k + 1}")
    assert cpu_s(lambda: aligned_spans(tier, {"known": 0.0})) < LIMIT_S
    assert aligned_spans(tier, {"known": 0.0}) == {}


def test_a_video_goes_through_the_markers_of_its_participant_alone() -> None:
    markers = [Marker(f"p{k % 50}", "", float(k), k + 1.0, "cue") for k in range(1000)]
    groups = by_participant(markers)
    assert {len(own) for own in groups.values()} == {20}
    assert [m for m in markers if m.participant == "p7"] == groups["p7"]
    assert by_participant([]) == {}


def test_the_nearest_end_is_found_without_looking_at_all() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        ends = np.sort(np.round(rng.random(int(rng.integers(1, 9))), 1))
        for at in np.round(rng.uniform(-0.2, 1.2, 5), 2):
            plain = len(ends) - 1 - int(np.abs(ends[::-1] - at).argmin())
            assert nearest_end(float(at), ends) == plain
    ends = np.arange(1, 400_001) / 30
    assert cpu_s(lambda: [nearest_end(float(t), ends) for t in ends[::80]]) < LIMIT_S

"""Which of many spans is the shortest around a time: to what expression a marked apex belongs."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

Spans = Sequence[tuple[float, float]]  # (start s, stop s)


def shortest_around(
    spans: Spans, times: Sequence[float], *, closed: bool = False
) -> list[int | None]:
    """For each time, s, the index of the shortest span that holds it, of equal ones the first;
    None without one. closed: whether a span holds its stop. In time that is near-linear in spans
    and times, however long a span is.
    """
    out: list[int | None] = [None] * len(times)
    coming = sorted((start, stop, k) for k, (start, stop) in enumerate(spans))
    open_now: list[tuple[float, int, float]] = []  # length, index, stop
    at = 0
    for number in sorted(range(len(times)), key=times.__getitem__):
        time = times[number]
        while at < len(coming) and coming[at][0] <= time:
            start, stop, k = coming[at]
            heapq.heappush(open_now, (stop - start, k, stop))
            at += 1
        while open_now and (open_now[0][2] < time or (open_now[0][2] == time and not closed)):
            heapq.heappop(open_now)  # it ended, so no later time is in it either
        out[number] = open_now[0][1] if open_now else None
    return out

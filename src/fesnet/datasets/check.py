"""What is in a data set, what is odd about it, and how that compares with what its authors say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fesnet.datasets.recording import DataSet, Quirk
from fesnet.intervals import KINDS

COUNTED = ("subjects", "videos", "macro", "micro")
# As the authors count them.
OFFICIAL = {
    "casme2": (22, 98, 300, 57),
    "samm": (30, 147, 343, 159),
    "casme3": (98, 956, 3346, 860),
}
SHOWN = 3  # places named of each quirk


def report(data: DataSet) -> Iterator[str]:
    """Lines for a person."""
    events = [i for r in data.recordings for i in r.truth]
    counts = {kind: sum(i.kind == kind for i in events) for kind in KINDS}
    empty = [r.id for r in data.recordings if not r.truth]
    yield f"{data.name} in {data.root}"
    found = (len(data.subjects), len(data.recordings), *counts.values())
    yield "  " + ", ".join(f"{name} {count}" for name, count in zip(COUNTED, found, strict=True))
    frames = [r.frames for r in data.recordings if r.frames]
    if frames:
        yield f"  frames {sum(frames)}"
    yield f"  without an event: {len(empty)}" + (f" ({', '.join(empty[:SHOWN])})" if empty else "")
    for name, value in data.options.items():
        yield f"  {name}: {value}"
    yield from quirk_lines(data.quirks)
    if data.missing:
        yield f"  MISSING: {len(data.missing)} videos have no frames ({', '.join(data.missing[:SHOWN])} ...)"
    if data.name in OFFICIAL:
        yield from differences(OFFICIAL[data.name], found)


def quirk_lines(quirks: tuple[Quirk, ...]) -> Iterator[str]:
    """One line for each sort of oddity: how often, what was done, and where first."""
    sorts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for quirk in quirks:
        sorts[quirk.what, quirk.done].append(quirk.where)
    for (what, done), places in sorted(sorts.items()):
        more = " ..." if len(places) > SHOWN else ""
        yield f"  {what}: {len(places)}, {done} ({'; '.join(places[:SHOWN])}{more})"


def differences(official: tuple[int, ...], found: tuple[int, ...]) -> Iterator[str]:
    wrong = [
        f"{n} {f} instead of {o}"
        for n, o, f in zip(COUNTED, official, found, strict=True)
        if o != f
    ]
    yield (
        "  as the authors count"
        if not wrong
        else f"  differs from the authors' counts: {', '.join(wrong)}"
    )

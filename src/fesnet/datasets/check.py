"""What is in a data set, its issues, and how its counts compare with those of its authors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fesnet.datasets.frame_folders import BY_NUMBER, COUNTED_FRAMES
from fesnet.datasets.recording import AnnotationIssue, DataSet
from fesnet.intervals import KINDS

COUNTED = ("subjects", "videos", "macro", "micro")
# As the authors count them.
OFFICIAL = {
    "casme2": (22, 98, 300, 57),
    "samm": (30, 147, 343, 159),
    "casme3": (98, 956, 3346, 860),
}
NUMBERING = (BY_NUMBER, COUNTED_FRAMES)
SHOWN = 3  # places named of each issue


def describe_dataset(data: DataSet) -> Iterator[str]:
    """Lines for a person."""
    annotated = (*data.recordings, *data.frameless)
    events = [i for r in annotated for i in r.truth]
    counts = {kind: sum(i.kind == kind for i in events) for kind in KINDS}
    empty = [r.id for r in annotated if not r.truth]
    yield f"{data.name} in {data.root}"
    found = (len({r.subject for r in annotated}), len(annotated), *counts.values())
    yield "  " + ", ".join(f"{name} {count}" for name, count in zip(COUNTED, found, strict=True))
    frames = [r.frames for r in data.recordings if r.frames]
    if frames:
        yield f"  frames {sum(frames)}"
    yield f"  without an event: {len(empty)}" + (f" ({', '.join(empty[:SHOWN])})" if empty else "")
    for name, value in data.options.items():
        yield f"  {name}: {value}"
    yield from issue_lines(data.issues)
    if data.missing:
        first = ", ".join(data.missing[:SHOWN])
        yield f"  MISSING: {len(data.missing)} videos have no frames ({first} ...)"
    if data.name in OFFICIAL:
        yield from count_differences(OFFICIAL[data.name], found)


def numbering_lines(data: DataSet) -> Iterator[str]:
    """Of the issues those that move the truth from where a reader who counts frames expects it."""
    yield from issue_lines(tuple(i for i in data.issues if i.action in NUMBERING))


def issue_lines(issues: tuple[AnnotationIssue, ...]) -> Iterator[str]:
    """One line for each sort of oddity: how often, what was done, and where first."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for issue in issues:
        groups[issue.what, issue.action].append(issue.where)
    for (what, action), places in sorted(groups.items()):
        more = " ..." if len(places) > SHOWN else ""
        yield f"  {what}: {len(places)}, {action} ({'; '.join(places[:SHOWN])}{more})"


def count_differences(official: tuple[int, ...], found: tuple[int, ...]) -> Iterator[str]:
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

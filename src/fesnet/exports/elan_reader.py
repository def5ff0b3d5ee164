"""Read macro- and micro-expressions of an ELAN file and snap them to the frames of a video.

Works for our own exports after corrections by hand, and for files of other origin. The value of an
annotation decides its kind; else its entry in the controlled vocabulary; else the name of its tier.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fesnet._io import read_regular_file
from fesnet._types import FloatArray
from fesnet.errors import TruthError
from fesnet.exports.around import shortest_around
from fesnet.exports.csv import IntervalRow
from fesnet.exports.elan_times import (
    Span,
    TimedAnnotation,
    linked_video,
    slot_times,
    timed_annotations,
)
from fesnet.intervals import Kind
from fesnet.timing import frame_ends

VALUE_PATTERN = re.compile(
    r"(macro|micro)(?:[\s_-]*expr\w*)?(?:\s*-\s*1/2)?"
)  # "Micro - 1/2" is SAMM's word for micro
NAME_PATTERN = re.compile(r"(?:^|[\W_\d])(macro|micro)(?=$|[\W_\d]|expr)")
KIND_WORDS: dict[str, Kind] = {"mae": "macro", "me": "micro", "macro": "macro", "micro": "micro"}
END_TOLERANCE = 0.5  # s; ELAN's time ends with the sound where that is longer
SINGLE_FRAME_RATE = 30.0  # frames a second, assumed for a video of one frame


@dataclass(frozen=True, order=True)
class AnnotatedInterval:
    """An expression as annotated: start and stop in s, the stop outside; apex None where nobody
    marked it.
    """

    face: int
    start_s: float
    stop_s: float
    kind: Kind
    apex_s: float | None = None


@dataclass(frozen=True)
class ElanAnnotations:
    """found: expressions; video: the linked file, if it exists; ignored: by tier, how many
    annotations are neither macro nor micro; last_frames: whether a stop is when the last frame
    begins, not when it ends."""

    found: tuple[AnnotatedInterval, ...]
    video: Path | None
    ignored: dict[str, int]
    last_frames: bool = False


@dataclass(frozen=True)
class TierInfo:
    """A tier. kind: from its name; kinds: from its vocabulary, by an entry's id and value."""

    name: str
    parent: str | None
    face: int
    kind: Kind | None
    kinds: dict[str, Kind]
    element: ET.Element

    @property
    def holds_apexes(self) -> bool:
        return "apex" in self.name.casefold()


@dataclass(frozen=True)
class ApexMark:
    """A marked apex, s, and its tier, which tells the expression that it belongs to."""

    time_s: float
    tier: TierInfo


def read_elan(path: Path, video: Path | None = None) -> ElanAnnotations:
    """Read an .eaf file. video: which of several linked ones was annotated, or its result; default
    the first that is there. Raises TruthError for a damaged one, and for one where nothing is
    called macro or micro.
    """
    try:
        root = ET.fromstring(read_regular_file(path))
        if root.tag != "ANNOTATION_DOCUMENT":
            raise ValueError(f"it is a <{root.tag}>")
        kinds = kinds_by_type(root)
        tiers = [parse_tier(element, kinds) for element in root.iter("TIER")]
        linked = linked_video(root, path.parent)
        times = slot_times(root, video or linked)
        found, ignored = collect_expressions(tiers, timed_annotations(root, times))
    except (
        OSError,
        ValueError,
        OverflowError,
        LookupError,
        ET.ParseError,
    ) as error:  # LookupError: unknown encoding
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise TruthError(f"expected an ELAN file in {path}, but {reason}") from error
    if not found and not any(tier.kind or tier.kinds for tier in tiers):
        names = ", ".join(repr(tier.name) for tier in tiers) or "none"
        raise TruthError(
            f"expected annotations called macro or micro in {path}, got none in its tiers "
            f"({names}); "
            "call the values, the entries of the vocabulary or the tiers so"
        )
    return ElanAnnotations(
        tuple(sorted(found, key=lambda m: (m.face, m.start_s, m.stop_s, m.kind))), linked, ignored
    )


def snap_to_frames(found: tuple[AnnotatedInterval, ...], times: FloatArray) -> list[IntervalRow]:
    """Expressions on the frames that begin at times (N,) s: from the frame begun nearest to the
    start to the one ended nearest to the stop, at least one. Raises TruthError where one lies
    outside of the video."""
    ends = frame_ends(times, SINGLE_FRAME_RATE)
    rows = []
    for m in found:
        if m.start_s >= ends[-1] or m.stop_s > ends[-1] + END_TOLERANCE:
            raise TruthError(
                f"expected annotations within the video's {ends[-1]:.2f} s, got one from "
                f"{m.start_s:.2f} to "
                f"{m.stop_s:.2f} s; name the video that was annotated"
            )
        first = nearest_index(m.start_s, times)
        last = max(nearest_end(m.stop_s, ends), first)
        apex = None if m.apex_s is None else min(max(nearest_index(m.apex_s, times), first), last)
        apex_s = None if apex is None else float(times[apex])
        rows.append(
            IntervalRow(
                m.face, float(times[first]), float(times[last]), m.kind, first, last, apex_s, apex
            )
        )
    return rows


def nearest_index(time: float, times: FloatArray) -> int:
    """The first frame that begins nearest to a time."""
    right = min(int(np.searchsorted(times, time)), len(times) - 1)
    left = max(right - 1, 0)
    near = left if time - times[left] <= times[right] - time else right
    return int(np.searchsorted(times, times[near]))


def nearest_end(time: float, ends: FloatArray) -> int:
    """The last frame that ends nearest to a time, s. Frames that share a time share an end."""
    right = min(int(np.searchsorted(ends, time)), len(ends) - 1)
    left = max(right - 1, 0)
    near = left if time - ends[left] < ends[right] - time else right
    return int(np.searchsorted(ends, ends[near], side="right")) - 1


# -- inside the file --


def value_kind(text: str | None) -> Kind | None:
    """The kind that a whole value names: "macro", "Micro-expression", "Micro - 1/2", "MaE",
    "ME".
    """
    plain = (text or "").strip().casefold()
    named = VALUE_PATTERN.fullmatch(plain)
    return KIND_WORDS.get(named[1] if named else plain)


def name_kind(text: str | None) -> Kind | None:
    """The kind that a name or description speaks of, such as "face 0 macro"; None if of none or
    both.
    """
    named = set(NAME_PATTERN.findall((text or "").casefold()))
    return value_kind(named.pop() if len(named) == 1 else text)


def kinds_by_type(root: ET.Element) -> dict[str, dict[str, Kind]]:
    """The kinds of each linguistic type's vocabulary, by the type's id."""
    return {
        kind.attrib["LINGUISTIC_TYPE_ID"]: vocabulary_kinds(
            root, kind.get("CONTROLLED_VOCABULARY_REF")
        )
        for kind in root.iter("LINGUISTIC_TYPE")
    }


def parse_tier(element: ET.Element, by_type: dict[str, dict[str, Kind]]) -> TierInfo:
    name, parent = element.attrib["TIER_ID"], element.get("PARENT_REF")
    number = re.search(r"face\s*(\d+)", f"{name} {element.get('PARTICIPANT', '')}".casefold())
    kinds = by_type.get(element.attrib["LINGUISTIC_TYPE_REF"], {}) if by_type else {}
    # A child tier says something about an expression, such as its score; its name is no sign of
    # another one.
    by_name = None if parent else name_kind(name)
    return TierInfo(name, parent, int(number[1]) if number else 0, by_name, kinds, element)


def vocabulary_kinds(root: ET.Element, name: str | None) -> dict[str, Kind]:
    """Kinds by id and by value of the entries of a vocabulary; files before EAF 2.8 have one value
    an entry.
    """
    kinds: dict[str, Kind] = {}
    for book in root.iter("CONTROLLED_VOCABULARY"):
        for entry in book if name is not None and book.get("CV_ID") == name else ():
            words = list(entry.iter("CVE_VALUE")) or [entry]
            said = [
                value_kind(w.text) or name_kind(w.get("DESCRIPTION"))
                for w in words
                if entry.tag != "DESCRIPTION"
            ]
            kind = next((k for k in said if k), None)
            if kind is not None:
                kinds |= {
                    key: kind for key in (entry.get("CVE_ID"), *(w.text for w in words)) if key
                }
    return kinds


Found = list[tuple[str, AnnotatedInterval]]  # with the tier's name
ApexGroup = tuple[str | None, int, Kind | None]  # a tier's name, or a face and a kind


def collect_expressions(
    tiers: list[TierInfo], annotations: dict[int, list[TimedAnnotation]]
) -> tuple[list[AnnotatedInterval], dict[str, int]]:
    """The expressions with their apexes, and how many annotations of which tiers are of no kind,
    or have no time. Raises ValueError for an expression that ends before it starts."""
    found: Found = []
    ignored: Counter[str] = Counter()
    by_child = kinds_by_child(tiers, annotations)
    for tier in tiers:
        for a in annotations[id(tier.element)]:
            if is_property(a) or is_apex(tier, a):  # `kinds_by_child` and below
                continue
            kind = chosen_kind(tier, a, by_child.get(a.ident), ignored)
            if kind is not None and a.span is not None:
                found.append((tier.name, make_interval(tier, a, a.span, kind)))
            elif kind is not None or not a.shares:
                ignored[tier.name] += 1
    attach_apexes(apex_marks(tiers, annotations), found)
    return [marked for _, marked in found], dict(ignored)


def apex_marks(
    tiers: list[TierInfo], annotations: dict[int, list[TimedAnnotation]]
) -> Iterator[ApexMark]:
    for tier in tiers:
        for a in annotations[id(tier.element)]:
            if is_apex(tier, a) and a.span is not None and not is_property(a):
                yield ApexMark(a.span[0], tier)


def is_property(a: TimedAnnotation) -> bool:
    """Whether it says something of another annotation, whose time it has."""
    return bool(a.parent) and not a.shares


def is_apex(tier: TierInfo, a: TimedAnnotation) -> bool:
    return tier.holds_apexes or a.value.casefold() == "apex"


def chosen_kind(
    tier: TierInfo, a: TimedAnnotation, by_child: tuple[Kind, str] | None, ignored: Counter[str]
) -> Kind | None:
    """Its own kind, else that of its child. Where both say something else, the child is counted as
    left out."""
    kind = own_kind(tier, a)
    if kind and by_child and by_child[0] != kind:
        ignored[by_child[1]] += 1
    return kind or (by_child[0] if by_child else None)


def own_kind(tier: TierInfo, a: TimedAnnotation) -> Kind | None:
    """The kind that an annotation, its entry in the vocabulary or its tier names."""
    return value_kind(a.value) or tier.kinds.get(a.entry) or tier.kinds.get(a.value) or tier.kind


def kinds_by_child(
    tiers: list[TierInfo], annotations: dict[int, list[TimedAnnotation]]
) -> dict[str, tuple[Kind, str]]:
    """Kinds that stand on child tiers (symbolic association), with the tier's name, by the id of
    the annotation that they are about."""
    out: dict[str, tuple[Kind, str]] = {}
    parents = {a.ident: a.parent for some in annotations.values() for a in some if not a.shares}
    for tier in tiers:
        for a in annotations[id(tier.element)]:
            kind = own_kind(tier, a) if a.parent and not a.shares else None
            target = topmost(a.parent, parents) if kind else ""
            if kind:
                out.setdefault(target, (kind, tier.name))
    return out


def topmost(ident: str, parents: dict[str, str]) -> str:
    """What an annotation is about in the end, through children of children. Makes the way shorter
    for the next that goes along it; a ring ends where it began."""
    way: list[str] = []
    seen = {ident}
    while parents.get(ident) and parents[ident] not in seen:
        way.append(ident)
        ident = parents[ident]
        seen.add(ident)
    parents |= dict.fromkeys(way, ident)
    return ident


def make_interval(tier: TierInfo, a: TimedAnnotation, span: Span, kind: Kind) -> AnnotatedInterval:
    start, stop = span
    if stop < start:
        raise ValueError(
            f"{a.value!r} of tier {tier.name!r} ends at {stop:.3f} s, before {start:.3f} "
            "s, its start; correct it"
        )
    return AnnotatedInterval(tier.face, start, stop, kind)


def attach_apexes(marks: Iterable[ApexMark], found: Found) -> None:
    """Assign each apex to the shortest fitting expression around it: one of its parent tier, else
    one of its face and of the kind in its name."""
    groups: dict[ApexGroup, list[int]] = {}
    for index, (name, m) in enumerate(found):
        for key in ((name, 0, None), (None, m.face, m.kind), (None, m.face, None)):
            groups.setdefault(key, []).append(index)
    wanted: dict[ApexGroup, list[ApexMark]] = {}
    for mark in marks:
        tier = mark.tier
        group: ApexGroup = (None, tier.face, name_kind(tier.name))
        wanted.setdefault((tier.parent, 0, None) if tier.parent else group, []).append(mark)
    for group, some in wanted.items():
        fitting = groups.get(group, [])
        spans = [(found[k][1].start_s, found[k][1].stop_s) for k in fitting]
        best = shortest_around(spans, [m.time_s for m in some])
        for mark, n in zip(some, best, strict=True):
            if n is not None:
                name, marked = found[fitting[n]]
                found[fitting[n]] = name, replace(marked, apex_s=mark.time_s)

"""Read macro- and micro-expressions of an ELAN file and snap them to the frames of a video.

Works for our own exports after corrections by hand, and for files of other origin. The value of an
annotation decides its kind; else its entry in the controlled vocabulary; else the name of its tier.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from fesnet._types import FloatArray
from fesnet.errors import TruthError
from fesnet.exports.common import frame_edges
from fesnet.exports.csv import IntervalRow
from fesnet.intervals import Kind

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


def read_elan(path: Path) -> ElanAnnotations:
    """Read an .eaf file. Raises TruthError for a damaged one, and for one where nothing is called
    macro or micro.
    """
    try:
        root = ET.parse(path).getroot()
        if root.tag != "ANNOTATION_DOCUMENT":
            raise ValueError(f"it is a <{root.tag}>")
        tiers = [parse_tier(element, root) for element in root.iter("TIER")]
        found, ignored = collect_expressions(tiers, slot_times(root))
        video = linked_video(root, path.parent)
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
        tuple(sorted(found, key=lambda m: (m.face, m.start_s, m.stop_s, m.kind))), video, ignored
    )


def snap_to_frames(found: tuple[AnnotatedInterval, ...], times: FloatArray) -> list[IntervalRow]:
    """Expressions on the frames that begin at times (N,) s: from the frame begun nearest to the
    start to the one ended nearest to the stop, at least one. Raises TruthError where one lies
    outside of the video."""
    edges = frame_edges(times, SINGLE_FRAME_RATE)
    rows = []
    for m in found:
        if m.start_s >= edges[-1] or m.stop_s > edges[-1] + END_TOLERANCE:
            raise TruthError(
                f"expected annotations within the video's {edges[-1]:.2f} s, got one from "
                f"{m.start_s:.2f} to "
                f"{m.stop_s:.2f} s; name the video that was annotated"
            )
        first = nearest_index(m.start_s, times)
        last = max(nearest_index(m.stop_s, edges) - 1, first)
        apex = None if m.apex_s is None else min(max(nearest_index(m.apex_s, times), first), last)
        apex_s = None if apex is None else float(times[apex])
        rows.append(
            IntervalRow(
                m.face, float(times[first]), float(times[last]), m.kind, first, last, apex_s, apex
            )
        )
    return rows


def nearest_index(time: float, times: FloatArray) -> int:
    return int(np.abs(times - time).argmin())


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


def parse_tier(element: ET.Element, root: ET.Element) -> TierInfo:
    name, parent = element.attrib["TIER_ID"], element.get("PARENT_REF")
    number = re.search(r"face\s*(\d+)", f"{name} {element.get('PARTICIPANT', '')}".casefold())
    kinds: dict[str, Kind] = {}
    for kind in root.iter("LINGUISTIC_TYPE"):
        if kind.attrib["LINGUISTIC_TYPE_ID"] == element.attrib["LINGUISTIC_TYPE_REF"]:
            kinds = vocabulary_kinds(root, kind.get("CONTROLLED_VOCABULARY_REF"))
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


def slot_times(root: ET.Element) -> dict[str, float]:
    """Times of the slots that have one, in s on the video's clock."""
    header = root.find("HEADER")
    units = "milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds")
    if units != "milliseconds":
        raise ValueError(f"its times are in {units}, not in milliseconds")
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    origin = 0 if media is None else int(media.get("TIME_ORIGIN", "0"))
    found = {slot.attrib["TIME_SLOT_ID"]: slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    return {name: (int(time) + origin) / 1000 for name, time in found.items() if time is not None}


def collect_expressions(
    tiers: list[TierInfo], times: dict[str, float]
) -> tuple[list[AnnotatedInterval], dict[str, int]]:
    """The expressions with their apexes, and how many annotations of which tiers are of no kind.
    Raises ValueError for an expression that ends before it starts."""
    found: list[tuple[str, AnnotatedInterval]] = []
    apexes: list[ApexMark] = []
    ignored: Counter[str] = Counter()
    for tier in tiers:
        for start, stop, value, entry in timed_annotations(tier, times):
            kind = value_kind(value) or tier.kinds.get(entry) or tier.kinds.get(value) or tier.kind
            if tier.holds_apexes or value.casefold() == "apex":
                apexes.append(ApexMark(start, tier))
            elif kind is None:
                ignored[tier.name] += 1
            elif stop < start:
                raise ValueError(
                    f"{value!r} of tier {tier.name!r} ends at {stop:.3f} s, before {start:.3f} "
                    "s, its start; correct it"
                )
            else:
                found.append((tier.name, AnnotatedInterval(tier.face, start, stop, kind)))
    for apex in apexes:
        attach_apex(apex, found)
    return [marked for _, marked in found], dict(ignored)


def timed_annotations(
    tier: TierInfo, times: dict[str, float]
) -> Iterator[tuple[float, float, str, str]]:
    """(start s, stop s, value, id of the vocabulary's entry) of every annotation that has a time of
    its own.
    """
    for made in tier.element.iter("ALIGNABLE_ANNOTATION"):
        start, stop = (times.get(made.attrib[f"TIME_SLOT_REF{end}"]) for end in (1, 2))
        if start is not None and stop is not None:
            value = made.findtext("ANNOTATION_VALUE") or ""
            yield start, stop, value.strip(), made.get("CVE_REF", "")


def attach_apex(apex: ApexMark, found: list[tuple[str, AnnotatedInterval]]) -> None:
    """Assign an apex to the shortest fitting expression around it: one of its parent tier, else one
    of its face and of the kind in its name."""
    tier, kind = apex.tier, name_kind(apex.tier.name)
    fitting = [
        (m.stop_s - m.start_s, index)
        for index, (name, m) in enumerate(found)
        if m.start_s <= apex.time_s < m.stop_s
        and (
            name == tier.parent if tier.parent else (m.face == tier.face and kind in (None, m.kind))
        )
    ]
    if fitting:
        name, marked = found[min(fitting)[1]]
        found[min(fitting)[1]] = name, replace(marked, apex_s=apex.time_s)


def linked_video(root: ET.Element, folder: Path) -> Path | None:
    """The first linked file that lies where the document says, or beside it; addresses may have %20
    or not.
    """
    for media in root.iterfind("HEADER/MEDIA_DESCRIPTOR"):
        relative, absolute = media.get("RELATIVE_MEDIA_URL", ""), media.get("MEDIA_URL", "")
        plain = re.sub(r"^file:(?://)?(?:/(?=[A-Za-z]:))?", "", absolute)
        for text in (relative, unquote(relative), plain, unquote(plain)):
            for path in (folder / text, folder / Path(text).name) if text else ():
                if path.is_file() and not media.get("MIME_TYPE", "").startswith("audio"):
                    return path
    return None

"""An ELAN file read back: what its tiers call macro or micro, as expressions on the frames of a
video.

For files of ours that were corrected by hand, and for files of people who never saw ours: the value
of an annotation decides; where that says nothing, its entry in the controlled vocabulary; then the
name of its tier.
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

from fesnet.errors import TruthError
from fesnet.exports.csv import Row
from fesnet.exports.spans import Floats, frame_edges
from fesnet.intervals import Kind

VALUE = re.compile(
    r"(macro|micro)(?:[\s_-]*expr\w*)?(?:\s*-\s*1/2)?"
)  # "Micro - 1/2" is SAMM's word for micro
NAME = re.compile(r"(?:^|[\W_\d])(macro|micro)(?=$|[\W_\d]|expr)")
SHORT: dict[str, Kind] = {"mae": "macro", "me": "micro", "macro": "macro", "micro": "micro"}
SLACK = 0.5  # s; sound may outlast the pictures, and ELAN's time ends with the longer of the two
LONE_RATE = 30.0  # frames a second of a video with one frame, which says nothing of its rate


@dataclass(frozen=True, order=True)
class Marked:
    """An expression as annotated: start and stop in s, the stop outside; apex None where nobody
    marked it.
    """

    face: int
    start_s: float
    stop_s: float
    kind: Kind
    apex_s: float | None = None


@dataclass(frozen=True)
class Annotations:
    """What a file holds: expressions; its video, wherever that was found; how many annotations of
    which tiers are of no kind."""

    found: tuple[Marked, ...]
    video: Path | None
    ignored: dict[str, int]


@dataclass(frozen=True)
class Tier:
    """What matters of a tier. kind: by its name; kinds: of its vocabulary, by an entry's id and
    value.
    """

    name: str
    parent: str | None
    face: int
    kind: Kind | None
    kinds: dict[str, Kind]
    element: ET.Element

    @property
    def of_apexes(self) -> bool:
        return "apex" in self.name.casefold()


@dataclass(frozen=True)
class Apex:
    """A marked apex, s, and what its tier says of the expression that it belongs to."""

    time_s: float
    tier: Tier


def read_elan(path: Path) -> Annotations:
    """Read an .eaf file. Raises TruthError for a damaged one, and for one where nothing is called
    macro or micro.
    """
    try:
        root = ET.parse(path).getroot()
        if root.tag != "ANNOTATION_DOCUMENT":
            raise ValueError(f"it is a <{root.tag}>")
        tiers = [describe(element, root) for element in root.iter("TIER")]
        found, ignored = expressions(tiers, slots(root))
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
    return Annotations(
        tuple(sorted(found, key=lambda m: (m.face, m.start_s, m.stop_s, m.kind))), video, ignored
    )


def on_frames(found: tuple[Marked, ...], times: Floats) -> list[Row]:
    """Expressions on the frames that begin at times (N,) s: from the frame begun nearest to the
    start to the one ended nearest to the stop, at least one. Raises TruthError where one lies
    outside of the video."""
    edges = frame_edges(times, LONE_RATE)
    rows = []
    for m in found:
        if m.start_s >= edges[-1] or m.stop_s > edges[-1] + SLACK:
            raise TruthError(
                f"expected annotations within the video's {edges[-1]:.2f} s, got one from "
                f"{m.start_s:.2f} to "
                f"{m.stop_s:.2f} s; name the video that was annotated"
            )
        first = nearest(m.start_s, times)
        last = max(nearest(m.stop_s, edges) - 1, first)
        apex = None if m.apex_s is None else min(max(nearest(m.apex_s, times), first), last)
        apex_s = None if apex is None else float(times[apex])
        rows.append(
            Row(m.face, float(times[first]), float(times[last]), m.kind, first, last, apex_s, apex)
        )
    return rows


def nearest(time: float, times: Floats) -> int:
    return int(np.abs(times - time).argmin())


# -- inside the file
# ---------------------------------------------------------------------------------------------------


def value_kind(text: str | None) -> Kind | None:
    """The kind that a whole value names: "macro", "Micro-expression", "Micro - 1/2", "MaE",
    "ME".
    """
    plain = (text or "").strip().casefold()
    named = VALUE.fullmatch(plain)
    return SHORT.get(named[1] if named else plain)


def name_kind(text: str | None) -> Kind | None:
    """The kind that a name or description speaks of, such as "face 0 macro"; None if of none or
    both.
    """
    named = set(NAME.findall((text or "").casefold()))
    return value_kind(named.pop() if len(named) == 1 else text)


def describe(element: ET.Element, root: ET.Element) -> Tier:
    name, parent = element.attrib["TIER_ID"], element.get("PARENT_REF")
    number = re.search(r"face\s*(\d+)", f"{name} {element.get('PARTICIPANT', '')}".casefold())
    kinds: dict[str, Kind] = {}
    for kind in root.iter("LINGUISTIC_TYPE"):
        if kind.attrib["LINGUISTIC_TYPE_ID"] == element.attrib["LINGUISTIC_TYPE_REF"]:
            kinds = vocabulary(root, kind.get("CONTROLLED_VOCABULARY_REF"))
    # A child tier says something about an expression, such as its score; its name is no sign of
    # another one.
    by_name = None if parent else name_kind(name)
    return Tier(name, parent, int(number[1]) if number else 0, by_name, kinds, element)


def vocabulary(root: ET.Element, name: str | None) -> dict[str, Kind]:
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


def slots(root: ET.Element) -> dict[str, float]:
    """Times of the slots that have one, in s on the video's clock."""
    header = root.find("HEADER")
    units = "milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds")
    if units != "milliseconds":
        raise ValueError(f"its times are in {units}, not in milliseconds")
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    origin = 0 if media is None else int(media.get("TIME_ORIGIN", "0"))
    found = {slot.attrib["TIME_SLOT_ID"]: slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    return {name: (int(time) + origin) / 1000 for name, time in found.items() if time is not None}


def expressions(tiers: list[Tier], times: dict[str, float]) -> tuple[list[Marked], dict[str, int]]:
    """The expressions with their apexes, and how many annotations of which tiers are of no kind.
    Raises ValueError for an expression that ends before it starts."""
    found: list[tuple[str, Marked]] = []
    apexes: list[Apex] = []
    ignored: Counter[str] = Counter()
    for tier in tiers:
        for start, stop, value, entry in spans(tier, times):
            kind = value_kind(value) or tier.kinds.get(entry) or tier.kinds.get(value) or tier.kind
            if tier.of_apexes or value.casefold() == "apex":
                apexes.append(Apex(start, tier))
            elif kind is None:
                ignored[tier.name] += 1
            elif stop < start:
                raise ValueError(
                    f"{value!r} of tier {tier.name!r} ends at {stop:.3f} s, before {start:.3f} "
                    "s, its start; correct it"
                )
            else:
                found.append((tier.name, Marked(tier.face, start, stop, kind)))
    for apex in apexes:
        give(apex, found)
    return [marked for _, marked in found], dict(ignored)


def spans(tier: Tier, times: dict[str, float]) -> Iterator[tuple[float, float, str, str]]:
    """(start s, stop s, value, id of the vocabulary's entry) of every annotation that has a time of
    its own.
    """
    for made in tier.element.iter("ALIGNABLE_ANNOTATION"):
        start, stop = (times.get(made.attrib[f"TIME_SLOT_REF{end}"]) for end in (1, 2))
        if start is not None and stop is not None:
            value = made.findtext("ANNOTATION_VALUE") or ""
            yield start, stop, value.strip(), made.get("CVE_REF", "")


def give(apex: Apex, found: list[tuple[str, Marked]]) -> None:
    """Give an apex to the shortest expression around it that its tier can mean: of its parent tier,
    else of its face and of the kind in its name."""
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

"""When the annotations of an ELAN file are: time slots, borders without a time, child tiers, and
the offset of the video that is linked.

ELAN counts from the start of the longest linked file; each linked file may begin later by its
TIME_ORIGIN. So a time on the clock of the video is that of ELAN plus the video's own origin, not
that of the sound beside it.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import ChainMap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from fesnet._io import file_exists
from fesnet._names import LEVELS, same_text

Span = tuple[float, float]
SOUNDS = (".wav", ".mp3", ".m4a", ".flac", ".ogg", ".aif", ".aiff")
SUBDIVISION = "Symbolic_Subdivision"


@dataclass(frozen=True)
class TimedAnnotation:
    """An annotation and its span, s on the video's clock; None where nothing gives it a time.
    parent: the id of the annotation whose time it has or divides; shares: whether it divides it."""

    ident: str
    span: Span | None
    value: str
    entry: str
    parent: str = ""
    shares: bool = False


def slot_times(root: ET.Element, video: Path | None) -> dict[str, float]:
    """Times of the slots that have one, in s on the clock of `video` (of the first linked video
    where None, or where that one is not linked).
    """
    header = root.find("HEADER")
    units = "milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds")
    if units != "milliseconds":
        raise ValueError(f"its times are in {units}, not in milliseconds")
    origin = media_origin(root, video)
    found = {slot.attrib["TIME_SLOT_ID"]: slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    return {name: (int(time) + origin) / 1000 for name, time in found.items() if time is not None}


def media_origin(root: ET.Element, video: Path | None) -> int:
    """TIME_ORIGIN (ms) of the linked video. Raises ValueError where several videos have different
    ones and none has the name of `video`.
    """
    media = list(root.iterfind("HEADER/MEDIA_DESCRIPTOR"))
    shown = [m for m in media if not is_sound(m)] or media[:1]
    if video is not None:
        exact = [m for m in shown if media_name(m) == video.name]
        named = exact or [m for m in shown if same_file(m, video)]
        shown = named or shown
    origins = {int(m.get("TIME_ORIGIN", "0")) for m in shown}
    if len(origins) > 1:
        names = ", ".join(media_name(m) for m in shown)
        raise ValueError(
            f"its videos ({names}) begin at different times: name the one that counts by --video"
        )
    return origins.pop() if origins else 0


def is_sound(media: ET.Element) -> bool:
    kind = media.get("MIME_TYPE", "")
    return kind.startswith("audio") or PurePosixPath(media_name(media)).suffix.lower() in SOUNDS


def media_name(media: ET.Element) -> str:
    address = media.get("MEDIA_URL") or media.get("RELATIVE_MEDIA_URL") or ""
    return PurePosixPath(unquote(address).replace("\\", "/")).name


def same_file(media: ET.Element, video: Path) -> bool:
    """Whether a linked file has the name of the video, or of the result NAME.json of one, as
    another system may spell it."""
    name, loosest = PurePosixPath(media_name(media)), LEVELS - 1
    of_result = video.suffix == ".json" and same_text(name.stem, video.stem, loosest)
    return of_result or same_text(name.name, video.name, loosest)


def linked_video(root: ET.Element, folder: Path) -> Path | None:
    """The first linked video that lies where the document says, or beside it; addresses may have
    %20 or not.
    """
    for media in root.iterfind("HEADER/MEDIA_DESCRIPTOR"):
        relative, absolute = media.get("RELATIVE_MEDIA_URL", ""), media.get("MEDIA_URL", "")
        plain = re.sub(r"^file:(?://)?(?:/(?=[A-Za-z]:))?", "", absolute)
        for text in (relative, unquote(relative), plain, unquote(plain)):
            for path in (folder / text, folder / Path(text).name) if text else ():
                if file_exists(path) and not is_sound(media):
                    return path
    return None


def subdivision_types(root: ET.Element) -> set[str]:
    """The linguistic types whose annotations divide the time of their parent."""
    kinds = root.iter("LINGUISTIC_TYPE")
    return {k.attrib["LINGUISTIC_TYPE_ID"] for k in kinds if k.get("CONSTRAINTS") == SUBDIVISION}


def aligned_spans(tier: ET.Element, times: dict[str, float]) -> dict[str, Span]:
    """Spans of a tier's own annotations, by id. Borders without a time lie evenly between those
    around them that have one, as ELAN draws them; a chain without an end has no spans."""
    found = list(tier.iter("ALIGNABLE_ANNOTATION"))
    known = ChainMap(dict[str, float](), times)  # a copy for each tier would be too much
    following = {a.attrib["TIME_SLOT_REF1"]: a for a in found}
    endless: set[str] = set()  # slots from which no chain comes to a time
    for first in found:
        start, stop = first.attrib["TIME_SLOT_REF1"], first.attrib["TIME_SLOT_REF2"]
        if start not in known or stop in known:
            continue
        chain = [start, stop]
        while (
            chain[-1] not in known
            and chain[-1] not in endless
            and chain[-1] in following
            and len(chain) <= len(found) + 1
        ):
            chain.append(following[chain[-1]].attrib["TIME_SLOT_REF2"])
        if chain[-1] in known:
            begin, step = known[start], (known[chain[-1]] - known[start]) / (len(chain) - 1)
            known.update((slot, begin + k * step) for k, slot in enumerate(chain[1:-1], 1))
        else:
            endless.update(chain[1:])
    spans = {}
    for a in found:
        begin_s, end_s = (known.get(a.attrib[f"TIME_SLOT_REF{end}"]) for end in (1, 2))
        if begin_s is not None and end_s is not None:
            spans[a.attrib.get("ANNOTATION_ID", str(id(a)))] = (begin_s, end_s)
    return spans


def timed_annotations(
    root: ET.Element, times: dict[str, float]
) -> dict[int, list[TimedAnnotation]]:
    """All annotations of each tier (by `id` of its element)."""
    spans: dict[str, Span] = {}
    for tier in root.iter("TIER"):
        spans |= aligned_spans(tier, times)
    dividing = subdivision_types(root)
    out: dict[int, list[TimedAnnotation]] = {}
    for tier in root.iter("TIER"):
        shares = tier.get("LINGUISTIC_TYPE_REF") in dividing
        out[id(tier)] = [
            TimedAnnotation(
                a.attrib.get("ANNOTATION_ID", str(id(a))),
                None,
                (a.findtext("ANNOTATION_VALUE") or "").strip(),
                a.get("CVE_REF", ""),
                a.get("ANNOTATION_REF", ""),
                shares and a.tag == "REF_ANNOTATION",
            )
            for a in annotations_of(tier, divided=shares)
        ]
    resolve_references(out, spans)
    return {
        key: [
            TimedAnnotation(a.ident, spans.get(a.ident), a.value, a.entry, a.parent, a.shares)
            for a in some
        ]
        for key, some in out.items()
    }


def annotations_of(tier: ET.Element, *, divided: bool) -> Iterator[ET.Element]:
    """A tier's annotations; those that divide their parent in the order of their chain."""
    found = [a for a in tier.iter() if a.tag in ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION")]
    if not divided:
        yield from found
        return
    after: dict[tuple[str, str], ET.Element] = {}
    for a in found:
        after.setdefault((a.get("ANNOTATION_REF", ""), a.get("PREVIOUS_ANNOTATION", "")), a)
    done: set[str] = set()
    for (parent, previous), a in after.items():
        step: ET.Element | None = None if previous else a
        while step is not None and step.attrib["ANNOTATION_ID"] not in done:
            done.add(step.attrib["ANNOTATION_ID"])
            yield step
            step = after.get((parent, step.attrib["ANNOTATION_ID"]))
    yield from (a for a in found if a.attrib.get("ANNOTATION_ID") not in done)


def resolve_references(tiers: dict[int, list[TimedAnnotation]], spans: dict[str, Span]) -> None:
    """Give annotations that refer to others their spans, from parents to children: the whole of the
    parent's time, or an even share."""
    groups: dict[str, list[list[TimedAnnotation]]] = {}
    for some in tiers.values():
        children: dict[str, list[TimedAnnotation]] = {}
        for a in some:
            if a.parent and a.ident not in spans:
                children.setdefault(a.parent, []).append(a)
        for parent, group in children.items():
            groups.setdefault(parent, []).append(group)
    todo = [parent for parent in groups if parent in spans]
    while todo:
        parent = todo.pop()
        start, stop = spans[parent]
        for group in groups.pop(parent, ()):
            part = (stop - start) / len(group)
            for k, a in enumerate(group):
                own = (start + k * part, start + (k + 1) * part) if a.shares else (start, stop)
                spans.setdefault(a.ident, own)
                todo += [a.ident] if a.ident in groups else []

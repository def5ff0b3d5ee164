"""ELAN annotation document, EAF 3.0: a tier for each face and kind, the apex and the score as its
children.

ELAN knows no annotations that overlap on a tier, so what overlaps goes to a second lane of its own
("face 0 macro 2"). Every annotation has time slots of its own: where two share one, moving a border
in ELAN would move both.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from fesnet._io import atomic_write_text, resolve_path
from fesnet._types import FloatArray
from fesnet._version import __version__
from fesnet.exports.common import (
    Times,
    gap_end,
    lane_texts,
    named_lanes,
    result_frame_ends,
    to_milliseconds,
    video_file,
)
from fesnet.intervals import KINDS
from fesnet.observation_text import FLAG_WORDS
from fesnet.result import SourceInfo, SpottedInterval, Spotting

XSI = "http://www.w3.org/2001/XMLSchema-instance"
SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
NO_DATE = "1970-01-01T00:00:00+00:00"  # the format wants one; equal results must give equal bytes
VOCABULARY = "expression"
MIME = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
}
# Which kinds of child tiers there are; ELAN knows them by these names.
CONSTRAINTS = {
    "Included_In": "lies in the time of its parent",
    "Symbolic_Association": "one for each parent",
}
TYPES = {
    "expression": {"CONTROLLED_VOCABULARY_REF": VOCABULARY, "TIME_ALIGNABLE": "true"},
    "apex": {"CONSTRAINTS": "Included_In", "TIME_ALIGNABLE": "true"},
    "score": {"CONSTRAINTS": "Symbolic_Association", "TIME_ALIGNABLE": "false"},
    "unknown": {"TIME_ALIGNABLE": "true"},
}
# Of a corrected result: notes, and who checked or changed what.
MARK_TYPES = {"note": TYPES["score"], "review": TYPES["score"]}
# Where a face was observed: what moved, what else happened, and a tier of its closed eyes.
CONTEXT_TYPES = {"moved": TYPES["score"], "flags": TYPES["score"], "blinks": TYPES["unknown"]}


@dataclass
class TierBuilder:
    """Collects tiers, their annotations and the time slots of these."""

    ends: FloatArray
    elements: list[ET.Element] = field(default_factory=list)
    annotations: int = 0
    slots: list[tuple[int, int, ET.Element, str]] = field(default_factory=list)
    made: dict[SpottedInterval, str] = field(default_factory=dict)  # ids of their annotations

    def add_tier(self, name: str, kind: str, face: int, parent: str | None = None) -> ET.Element:
        """A new tier at the end."""
        described = {"LINGUISTIC_TYPE_REF": kind, "TIER_ID": name, "PARTICIPANT": f"face {face}"}
        described |= {"ANNOTATOR": f"fesnet {__version__}"} | (
            {"PARENT_REF": parent} if parent else {}
        )
        self.elements.append(ET.Element("TIER", described))
        return self.elements[-1]

    def annotate(self, tier: ET.Element, value: str, **refers: str) -> ET.Element:
        """A new annotation; one with ANNOTATION_REF has the time of the annotation that it refers
        to.
        """
        self.annotations += 1
        kind = "REF_ANNOTATION" if "ANNOTATION_REF" in refers else "ALIGNABLE_ANNOTATION"
        made = ET.SubElement(
            ET.SubElement(tier, "ANNOTATION"),
            kind,
            {"ANNOTATION_ID": f"a{self.annotations}"} | refers,
        )
        ET.SubElement(made, "ANNOTATION_VALUE").text = value
        return made

    def set_times(self, annotation: ET.Element, times: Times, inner: bool = False) -> None:
        """Set the time of an annotation. inner: a child, whose slots go between its parent's where
        times are equal.
        """
        start, stop = times
        self.slots.append((start, 3 if inner else 2, annotation, "TIME_SLOT_REF1"))
        self.slots.append((stop, 0 if inner else 1, annotation, "TIME_SLOT_REF2"))

    def add_expressions(self, name: str, face: int, lane: list[SpottedInterval]) -> None:
        """A lane's tier with its two children."""
        tier = self.add_tier(name, "expression", face)
        apexes = self.add_tier(f"{name} apex", "apex", face, name)
        scores = self.add_tier(f"{name} score", "score", face, name)
        for i in lane:
            start, stop = to_milliseconds(i.onset_s, float(self.ends[i.offset_frame]))
            made = self.annotate(tier, i.kind, CVE_REF=f"cve_{i.kind}")
            self.set_times(made, (start, stop))
            apex, after = to_milliseconds(i.apex_s, float(self.ends[i.apex_frame]))
            apex = min(apex, stop - 1)
            self.set_times(
                self.annotate(apexes, "apex"), (apex, max(min(after, stop), apex + 1)), inner=True
            )
            self.annotate(scores, f"{i.score:.4f}", ANNOTATION_REF=made.attrib["ANNOTATION_ID"])
            self.made[i] = made.attrib["ANNOTATION_ID"]

    def add_texts(
        self, name: str, face: int, texts: Mapping[SpottedInterval, str], kind: str
    ) -> None:
        """A child tier of the lane `name` with a text for each expression that has one."""
        tier = self.add_tier(f"{name} {kind}", kind, face, name)
        for i, text in texts.items():
            if text:
                self.annotate(tier, escape_forbidden(text), ANNOTATION_REF=self.made[i])

    def time_order(self) -> ET.Element:
        """The time slots, sorted, each referred to by its annotation."""
        order = ET.Element("TIME_ORDER")
        for number, (time, _, annotation, end) in enumerate(
            sorted(self.slots, key=lambda s: s[:2]), 1
        ):
            annotation.set(end, f"ts{number}")
            ET.SubElement(
                order, "TIME_SLOT", {"TIME_SLOT_ID": f"ts{number}", "TIME_VALUE": str(time)}
            )
        return order


def write_elan(spotting: Spotting, path: Path) -> None:
    """Write `path` atomically; times in milliseconds."""
    tiers = make_tiers(spotting)
    root = ET.Element("ANNOTATION_DOCUMENT", {"AUTHOR": f"fesnet {__version__}", "DATE": NO_DATE})
    root.attrib |= {
        "FORMAT": "3.0",
        "VERSION": "3.0",
        f"{{{XSI}}}noNamespaceSchemaLocation": SCHEMA,
    }
    root.append(header_element(spotting.source, path, tiers.annotations))
    root.append(tiers.time_order())
    root.extend(tiers.elements)
    types = TYPES | (MARK_TYPES if spotting.marks else {})
    types |= CONTEXT_TYPES if spotting.observations else {}
    for name, described in types.items():
        kind = {"LINGUISTIC_TYPE_ID": name, "GRAPHIC_REFERENCES": "false"}
        ET.SubElement(root, "LINGUISTIC_TYPE", kind | described)
    language = {"LANG_ID": "und", "LANG_DEF": "http://cdb.iso.org/lg/CDB-00130975-001"}
    ET.SubElement(root, "LANGUAGE", language | {"LANG_LABEL": "undetermined (und)"})
    for stereotype, description in CONSTRAINTS.items():
        ET.SubElement(root, "CONSTRAINT", {"STEREOTYPE": stereotype, "DESCRIPTION": description})
    root.append(vocabulary_element())
    ET.indent(root)
    ET.register_namespace("xsi", XSI)
    text = ET.tostring(root, encoding="unicode")
    atomic_write_text(path, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n')


def make_tiers(spotting: Spotting) -> TierBuilder:
    """The tiers of all faces: expressions, and where the face is unknown."""
    tiers = TierBuilder(result_frame_ends(spotting))
    for name, face, _, lane in named_lanes(spotting):
        tiers.add_expressions(name, face, lane)
        for kind, texts in lane_texts(spotting, lane).items():
            tiers.add_texts(name, face, dict(zip(lane, texts, strict=True)), kind)
    for seen in spotting.observations:
        tier = tiers.add_tier(f"face {seen.face} blinks", "blinks", seen.face)
        for blink in (b for b in spotting.blinks if b.face == seen.face):
            times = to_milliseconds(blink.start_s, blink.stop_s)
            tiers.set_times(tiers.annotate(tier, FLAG_WORDS[blink.kind]), times)
    for face in sorted({gap.face for gap in spotting.gaps}):
        tier = tiers.add_tier(f"face {face} unknown", "unknown", face)
        for gap in sorted(gap for gap in spotting.gaps if gap.face == face):
            times = to_milliseconds(gap.start_s, gap_end(gap, tiers.ends))
            tiers.set_times(tiers.annotate(tier, escape_forbidden(gap.reason)), times)
    return tiers


def header_element(source: SourceInfo, path: Path, annotations: int) -> ET.Element:
    """Unit, the linked video if there is a file, and what ELAN counts on from."""
    out = ET.Element("HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    video = video_file(source)
    if video is not None:
        linked = {"MEDIA_URL": f"file:///{escape_forbidden(video.as_posix().lstrip('/'))}"}
        linked |= {"MIME_TYPE": MIME.get(video.suffix.lower(), "video/*")}
        linked |= {"RELATIVE_MEDIA_URL": escape_forbidden(relative_media_url(video, path.parent))}
        ET.SubElement(out, "MEDIA_DESCRIPTOR", linked)
    ET.SubElement(out, "PROPERTY", {"NAME": "lastUsedAnnotationId"}).text = str(annotations)
    return out


def relative_media_url(video: Path, folder: Path) -> str:
    """The path of the video relative to the document: "./a.mp4", "../a.mp4". On another drive:
    "./a.mp4".
    """
    try:
        found = Path(os.path.relpath(video, resolve_path(folder))).as_posix()
    except ValueError:
        found = video.name
    return found if found.startswith("../") else f"./{found}"


def escape_forbidden(text: str) -> str:
    """Text with only the characters that XML forbids percent-encoded; ELAN decodes no %20."""
    return re.sub(
        "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]",
        lambda m: quote(m[0], errors="replace"),
        text,
    )


def vocabulary_element() -> ET.Element:
    """The controlled vocabulary: what an expression can be called."""
    out = ET.Element("CONTROLLED_VOCABULARY", {"CV_ID": VOCABULARY})
    ET.SubElement(out, "DESCRIPTION", {"LANG_REF": "und"}).text = "kind of facial expression"
    for kind in KINDS:
        entry = ET.SubElement(out, "CV_ENTRY_ML", {"CVE_ID": f"cve_{kind}"})
        ET.SubElement(
            entry, "CVE_VALUE", {"LANG_REF": "und", "DESCRIPTION": f"{kind}-expression"}
        ).text = kind
    return out

"""Markers: stretches of a participant's videos that mean something, such as a stimulus.

A table (CSV or .xlsx) with the columns participant, label, start and end (seconds on the video's
clock, or h:mm:ss), and, where the participant has several videos, video. The folder keeps it as
markers.csv.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fesnet._io import describe_absence
from fesnet._names import closest_names
from fesnet.batch.columns import shorten_list
from fesnet.errors import TruthError, UsageError
from fesnet.spreadsheet import TextTable, read_text_table, write_text_table
from fesnet.study.videos import StudyVideo

MARKERS = "markers.csv"
COLUMNS = ("participant", "video", "label", "start", "end")


@dataclass(frozen=True, order=True)
class Marker:
    """A stretch of time, s, in a video's own clock; video "" for all of the participant's."""

    participant: str
    video: str
    start_s: float
    end_s: float
    label: str

    def belongs_to(self, participant: str, names: Sequence[str]) -> bool:
        """Whether it is about a video of a participant; names: by which the video is called."""
        if self.participant != participant:
            return False
        return not self.video or bool(closest_names(self.video, names))


MarkersOf = dict[str, list[Marker]]  # by participant


def read_markers(file: Path) -> list[Marker]:
    """Raises UsageError where there is no file, TruthError for one that holds no markers."""
    if not file.is_file():
        raise UsageError(f"expected a table of markers, but {file} {describe_absence(file)}")
    table = read_text_table(file)
    names = {c.casefold(): c for c in table.columns}
    if "subject" in names:
        names.setdefault("participant", names["subject"])
    missing = [c for c in COLUMNS if c not in names and c != "video"]
    if missing:
        raise TruthError(
            f"expected columns participant, label, start and end in {file}, got "
            f"{shorten_list(list(table.columns)) or 'none'}"
        )
    out = []
    for row in table.rows:
        cells = {c: row.cells[names[c]] for c in COLUMNS if c in names}
        where = f"{file} line {row.line}"
        start, end = (parse_time(cells[c], table, where, c) for c in ("start", "end"))
        if not cells["label"] or not cells["participant"]:
            raise TruthError(f"expected a participant and a label in {where}, got none")
        if end <= start:
            raise TruthError(f"expected an end after its start in {where}, got {start} and {end}")
        video = cells.get("video", "").replace("\\", "/")
        out.append(Marker(cells["participant"], video, start, end, cells["label"]))
    return out


def name_participants(markers: Sequence[Marker], known: Collection[str]) -> list[Marker]:
    """The markers with participants as the study spells them, where that is clear."""
    spelt = {}
    for name in {m.participant for m in markers}.difference(known):
        fits = closest_names(name, known)
        if len(fits) == 1:
            spelt[name] = fits[0]
    return [replace(m, participant=spelt.get(m.participant, m.participant)) for m in markers]


def parse_time(text: str, table: TextTable, where: str, column: str) -> float:
    """Seconds, or minutes and seconds, or hours, minutes and seconds divided by colons."""
    try:
        parts = [table.number(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or any(part < 0 for part in parts):
        raise TruthError(f"expected seconds or h:mm:ss for {column} in {where}, got {text!r}")
    seconds = 0.0
    for part in parts:
        seconds = 60 * seconds + part
    return seconds


def folder_markers(folder: Path) -> list[Marker]:
    """The markers that a results folder keeps; none without a file."""
    file = folder / MARKERS
    return read_markers(file) if file.is_file() else []


def save_markers(markers: Sequence[Marker], folder: Path) -> None:
    rows = [[m.participant, m.video, m.label, m.start_s, m.end_s] for m in sorted(markers)]
    write_text_table(folder / MARKERS, [COLUMNS, *rows])


def names_of_video(name: str, source: str) -> tuple[str, ...]:
    """By which markers may call a video: its result's name, or its file, with its folder or not."""
    folder = name.rpartition("/")[0]
    whole = f"{folder}/{source}" if folder else source
    return name, name.rpartition("/")[2], source, whole


def markers_of(video: StudyVideo, markers: MarkersOf) -> list[Marker]:
    """The markers of a video, sorted; markers: as of `by_participant`."""
    names = names_of_video(video.name, video.source)
    own = markers.get(video.participant, ())
    return sorted(m for m in own if m.belongs_to(video.participant, names))


def by_participant(markers: Sequence[Marker]) -> MarkersOf:
    """Each participant's, so that not every video has to go through all of them."""
    out: MarkersOf = {}
    for marker in markers:
        out.setdefault(marker.participant, []).append(marker)
    return out


def stray_markers(videos: Sequence[StudyVideo], markers: Sequence[Marker]) -> list[Marker]:
    """Markers that are about no video, or lie outside of each of theirs."""
    groups = by_participant(markers)
    known = {m for v in videos for m in markers_of(v, groups) if m.start_s < v.end_s}
    return [m for m in markers if m not in known]

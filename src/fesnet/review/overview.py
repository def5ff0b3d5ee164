"""What the list of videos says of each: counts, what is checked, whether its review is complete."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from fesnet._io import file_exists, load_json, read_text_file
from fesnet.batch.columns import read_study_columns, result_key
from fesnet.errors import FesnetError
from fesnet.intervals import KINDS
from fesnet.review.merge import MACHINE, count_unseen
from fesnet.review.review_file import VIDEO_ID
from fesnet.review.video_library import LibraryVideo, VideoLibrary, file_stamp
from fesnet.video.playable import browser_format

Progress = Literal["open", "begun", "complete"]
PROBES = 8  # files whose format is read for one list: a folder may lie on a slow disk
Stamp = tuple[int, int]


@dataclass(frozen=True)
class VideoOverview:
    """macro, micro: how many are shown; unseen: how many nobody looked at; checked: how many are
    marked so; progress: of the review."""

    macro: int = 0
    micro: int = 0
    checked: int = 0
    unseen: int = 0
    progress: Progress = "open"


def read_overview(result: Path, review: Path, *, blind: bool) -> VideoOverview:
    """Counts of the version that is shown; empty for damaged files, which the page names when
    they are opened."""
    try:
        if file_exists(review):
            return review_overview(load_json(read_text_file(review)))
        if blind:
            return VideoOverview()
        rows = load_json(read_text_file(result))["intervals"]
        return VideoOverview(*count_kinds(rows), 0, len(rows))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return VideoOverview()


def review_overview(values: dict[str, Any]) -> VideoOverview:
    """Counts of the JSON values of a review. A blind one is complete when its rater says so, any
    other one also when all of its expressions were looked at."""
    rows, journal = values["intervals"], values["journal"]
    unseen = count_unseen({"by": MACHINE, "checked": False, **row} for row in rows)
    said = [entry["after"] for entry in journal if entry["id"] == VIDEO_ID]
    done = bool(said and (said[-1] or {}).get("done"))
    whole = done if values.get("blind") else done or bool(rows)
    progress: Progress = "complete" if whole and not unseen else "begun" if journal else "open"
    return VideoOverview(
        *count_kinds(rows), sum(bool(r["checked"]) for r in rows), unseen, progress
    )


def count_kinds(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """(macro, micro)"""
    kinds = [row["kind"] for row in rows]
    return kinds.count(KINDS[0]), kinds.count(KINDS[1])


@dataclass
class OverviewCache:
    """Overviews and formats, read again only where a file has changed: the page asks every
    second."""

    overviews: dict[str, tuple[Stamp, Stamp, VideoOverview]] = field(default_factory=dict)
    formats: dict[str, tuple[Stamp, str]] = field(default_factory=dict)
    columns: tuple[Stamp, dict[str, dict[str, str]]] = ((0, 0), {})

    def of(self, library: VideoLibrary, video: LibraryVideo) -> dict[str, Any]:
        """The overview of a video as JSON."""
        result, review = library.result_path(video.key), library.review_path(video.key)
        now = (file_stamp(result), file_stamp(review))
        held = self.overviews.get(video.key)
        if held is None or held[:2] != now:
            held = (*now, read_overview(result, review, blind=bool(library.rater)))
            self.overviews[video.key] = held
        return asdict(held[2])

    def study(self, library: VideoLibrary) -> dict[str, dict[str, str]]:
        """The columns of study.csv by result; empty where it is missing or damaged."""
        stamp = file_stamp(library.folder / "study.csv")
        if self.columns[0] != stamp:
            try:
                self.columns = (stamp, dict(read_study_columns(library.folder)))
            except FesnetError:
                self.columns = (stamp, {})
        return self.columns[1]

    def format_problem(self, library: VideoLibrary, video: LibraryVideo, probes: list[str]) -> str:
        """Why browsers do not show the video; empty where they do, or where that is not known yet.
        probes: the keys that were read for this list."""
        try:
            path = library.playable_path(video)
        except FesnetError:
            return ""
        stamp = file_stamp(path)
        held = self.formats.get(str(path))
        if held is None or held[0] != stamp:
            if len(probes) >= PROBES:
                return ""
            probes.append(video.key)
            held = (stamp, read_problem(path))
            self.formats[str(path)] = held
        return held[1]


def read_problem(path: Path) -> str:
    try:
        return browser_format(path).problem
    except FesnetError:
        return ""  # the page says so when the video is opened


def study_text(columns: dict[str, dict[str, str]], stem: str) -> str:
    """What study.csv says of a video, for the search: "P01 calm 2"."""
    cells = columns.get(result_key(stem), {})
    return " ".join(text for text in cells.values() if text)

"""Which video an interval belongs to, whatever a table calls it: `videos.csv`, paths, bare names,
subjects.

table says             videos.csv says        same video?
a.mp4                  spNO.1/a               yes, if no other subject has an "a"
1/a.mp4, spNO.1/a      spNO.1/a               the second
subject 2, video a     subject 1, video a     no
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fesnet._io import VIDEO_SUFFIXES
from fesnet._messages import in_utf8
from fesnet.errors import TruthError

ENDINGS = (*VIDEO_SUFFIXES, ".npy", ".npz")  # of videos, and of features that stand for them


@dataclass(frozen=True)
class Place:
    """A video: subject ("" where unknown), name without its ending, and its length, None where
    unknown.
    """

    subject: str
    video: str
    seconds: float | None = None
    frames: int | None = None

    def __str__(self) -> str:
        return f"{self.video} (subject {self.subject})" if self.subject else self.video


def video_name(text: str) -> str:
    """The name of a video without its ending, folders divided by "/"."""
    path = PurePosixPath(text.strip().replace("\\", "/"))
    return str(path.with_suffix("") if path.suffix.lower() in ENDINGS else path)


def read_places(truth: Path) -> list[Place]:
    """`videos.csv` beside a truth table: all annotated videos, those without an event too; none
    without the file.

    Raises TruthError for a table that is not UTF-8, a missing column, a video that stands there
    twice, and lengths that are no numbers above 0.
    """
    file = (truth if truth.is_dir() else truth.parent) / "videos.csv"
    if not file.is_file():
        return []
    try:
        with file.open(newline="", encoding="utf-8-sig") as handle:
            return places_in(file, csv.DictReader(handle))
    except (UnicodeDecodeError, csv.Error) as error:
        raise TruthError(in_utf8(file, error)) from error


def places_in(file: Path, rows: csv.DictReader[str]) -> list[Place]:
    for name in ("subject", "video"):
        if name not in (rows.fieldnames or ()):
            raise TruthError(
                f"expected a column {name} in {file}, got {', '.join(rows.fieldnames or ())}"
            )
    places: dict[tuple[str, str], Place] = {}
    for number, row in enumerate(rows, 2):
        place = place_of(row, f"{file} line {number}")
        if places.setdefault((place.subject, place.video), place) is not place:
            raise TruthError(
                f"expected each video once in {file}, got {place} again in line {number}"
            )
    return list(places.values())


def place_of(row: dict[str, str | None], where: str) -> Place:
    frames, seconds, fps = (
        length(row.get(name), name, where) for name in ("frames", "seconds", "fps")
    )
    if seconds is None and frames is not None and fps is not None:
        seconds = frames / fps
    if not row["video"]:
        raise TruthError(f"expected the name of a video in {where}, got none")
    return Place(
        row["subject"] or "",
        video_name(row["video"]),
        seconds,
        None if frames is None else round(frames),
    )


def length(text: str | None, name: str, where: str) -> float | None:
    """A number above 0, or None for an empty field."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise TruthError(f"expected a number above 0 for {name} in {where}, got {text!r}")
    return value


def same_name(one: str, other: str) -> bool:
    """Equal, or one of them the last part of the other's path."""
    a, b = PurePosixPath(one).parts, PurePosixPath(other).parts
    n = min(len(a), len(b))
    return a[-n:] == b[-n:]


def find_place(subject: str, video: str, places: Iterable[Place]) -> Place | None:
    """The one place that is meant, or None. Raises TruthError where it could be several."""
    fits = [
        p
        for p in places
        if same_name(p.video, video) and (not subject or not p.subject or p.subject == subject)
    ]
    fits = [p for p in fits if p.video == video] or fits
    if len(fits) > 1:
        raise TruthError(
            f"expected the name of one video, got {video}, which may be {fits[0]} or {fits[1]}; "
            "add a column subject, or write the name with its folder"
        )
    return fits[0] if fits else None


def sized(place: Place, known: Iterable[Place]) -> Place:
    """With the length that is known of a video of that name, unless it has one or two are known
    that differ.
    """
    lengths = {(p.seconds, p.frames) for p in known if same_name(p.video, place.video)}
    if (place.seconds, place.frames) != (None, None) or len(lengths) != 1:
        return place
    ((seconds, frames),) = lengths
    return Place(place.subject, place.video, seconds, frames)


def settle(
    rows: Sequence[tuple[str, str]], places: list[Place], file: Path | None
) -> dict[tuple[str, str], Place]:
    """The place of each (subject, video). file: the table of the rows if `places` are all that
    there are, so that an unknown one is an error (TruthError); None: unknown ones are added to
    `places`."""
    out: dict[tuple[str, str], Place] = {}
    for subject, video in dict.fromkeys(rows):
        place = find_place(subject, video, places)
        if place is None and file is not None:
            raise TruthError(
                "expected the videos of videos.csv beside the truth, got "
                f"{Place(subject, video)} in {file}; "
                "add it there or correct it"
            )
        if place is None:
            place = Place(subject, video)
            places.append(place)
        out[subject, video] = place
    return out

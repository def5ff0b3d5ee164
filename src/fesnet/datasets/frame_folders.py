"""Folders of frames: how many there are, how their files are numbered, and what to tell of it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from fesnet.datasets.recording import AnnotationIssue
from fesnet.frame_numbers import FrameNumbers, numbers_of_files
from fesnet.intervals import Interval
from fesnet.video.folder import SUFFIXES, natural_key

NAME = re.compile(r"(.*?)(\d+)(\D*)")
BY_NUMBER = "annotations are file numbers"
COUNTED_FRAMES = "frames are counted from 1"


def folder_numbers(folder: Path) -> tuple[int, FrameNumbers | None]:
    """How many images `fesnet.video` would read of a folder, and their numbers.

    Numbers are None where names have none, or where they do not rise in the order of frames.
    Hidden files (macOS leaves a ._1.jpg for each) do not count.
    """
    with os.scandir(folder) as entries:
        names = [
            Path(e.name)
            for e in entries
            if not e.name.startswith(".") and e.name.lower().endswith(SUFFIXES) and e.is_file()
        ]
    parts = [NAME.fullmatch(name.stem.lower()) for name in names]
    # Names that differ in their number alone are in the order of these; this saves the slow key.
    if len({None if m is None else m[1] for m in parts}) == 1 and parts[0] is not None:
        numbers = sorted(int(m[2]) for m in parts if m)
        unique = len(set(numbers)) == len(numbers)
        return len(names), FrameNumbers.from_numbers(numbers) if unique else None
    return len(names), numbers_of_files(sorted(names, key=natural_key))


def note_numbering(
    video: str,
    numbers: FrameNumbers | None,
    numbered: Sequence[Interval],
    count: int,
    issues: list[AnnotationIssue],
) -> None:
    """Tell where numbers do not begin at 1, have holes or are none, and of events beside them.

    numbered: the truth in numbers of the files. count: of frames.
    """

    def note(what: str, where: str, action: str) -> None:
        issues.append(AnnotationIssue(what, f"{video} {where}", action))

    if numbers is None:
        note("file names without rising numbers", f"{count} files", COUNTED_FRAMES)
    runs = ((1, count),) if numbers is None else numbers.runs
    if runs[0][0] != 1:
        note("frames do not begin at file 1", f"at {runs[0][0]}", BY_NUMBER)
    if len(runs) > 1:
        lost = runs[-1][1] - runs[0][0] + 1 - count
        note("holes in the numbers of files", f"after {runs[0][1]}, {lost} missing", BY_NUMBER)
    for i in numbered:
        if i.stop > runs[-1][1]:
            note("event after the last frame", f"number {i.stop} of {runs[-1][1]}", "kept")
        elif not any(i.start + 1 <= b and a <= i.stop for a, b in runs):
            note("event without any frame", f"number {i.start + 1}", "one frame stands for it")

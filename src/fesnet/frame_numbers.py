"""How the frames of a folder are numbered: official tables count by the numbers of the files.

files     8.jpg  9.jpg  10.jpg  13.jpg  14.jpg        numbers "8-10 13-14"
frames    0      1      2       3       4             index, as everywhere in this package
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

from fesnet.errors import TruthError
from fesnet.intervals import Interval

RUN = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class FrameNumbers:
    """runs: first and last number of each run of files without a hole, rising.

    Raises TruthError for runs that are none.
    """

    runs: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        flat = [number for run in self.runs for number in run]
        if not flat or flat != sorted(flat) or any(
            b[0] <= a[1] for a, b in pairwise(self.runs)
        ):  # fmt: skip
            raise TruthError(f"expected rising runs of frame numbers, got {self.runs}")

    @classmethod
    def from_numbers(cls, numbers: Sequence[int]) -> FrameNumbers:
        """Of rising numbers, one a frame. Raises TruthError where they do not rise."""
        runs: list[tuple[int, int]] = []
        for number in numbers:
            if runs and number == runs[-1][1] + 1:
                runs[-1] = (runs[-1][0], number)
            else:
                runs.append((number, number))
        return cls(tuple(runs))

    @classmethod
    def from_text(cls, text: str) -> FrameNumbers:
        """Of "8-10 13-14", as `str` writes it. Raises TruthError."""
        found = [RUN.fullmatch(part) for part in text.split()]
        if not found or None in found:
            raise TruthError(f"expected frame numbers such as 8-507, got {text!r}")
        return cls(tuple((int(m[1]), int(m[2] or m[1])) for m in found if m))

    def __str__(self) -> str:
        return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in self.runs)

    def __len__(self) -> int:
        return sum(b - a + 1 for a, b in self.runs)

    @property
    def is_plain(self) -> bool:
        """Whether it begins at 1 and has no hole."""
        return len(self.runs) == 1 and self.runs[0][0] == 1

    def index_from(self, number: int) -> int:
        """Index of the first frame with this number or a higher one; on behind the last one."""
        last = self.runs[-1][1]
        if number > last:
            return len(self) + number - last - 1
        before = [0, *accumulate(b - a + 1 for a, b in self.runs)]
        run = max(bisect_right(self.runs, (number, last + 1)) - 1, 0)
        first, end = self.runs[run]
        if number > end:
            return before[run + 1]
        return before[run] + max(number - first, 0)

    def number_at(self, index: int) -> int:
        """The number of a frame; those behind the last one go on counting."""
        for first, last in self.runs:
            if index <= last - first:
                return first + index
            index -= last - first + 1
        return self.runs[-1][1] + 1 + index

    def to_frames(self, numbered: Interval) -> Interval:
        """The frames of an interval whose `start` is its first number less 1, its `stop` its last.

        Where none of its numbers has a file, the one frame nearest behind the hole stays.
        """
        start = self.index_from(numbered.start + 1)
        stop = max(self.index_from(numbered.stop + 1), start + 1)
        apex = numbered.apex
        if apex is not None:
            apex = min(max(self.index_from(apex + 1), start), stop - 1)
        return Interval(start, stop, numbered.kind, apex, numbered.score)

    def to_numbers(self, frames: Interval) -> Interval:
        """The numbers of an interval of frames, as `to_frames` takes them."""
        start, last = (self.number_at(i) - 1 for i in (frames.start, frames.stop - 1))
        apex = None if frames.apex is None else self.number_at(frames.apex) - 1
        return Interval(start, last + 1, frames.kind, apex, frames.score)


def numbers_of_files(files: Iterable[Path]) -> FrameNumbers | None:
    """The last number in the name of each file, in the order of frames.

    None where a name has none, or where the numbers do not rise: frames are then counted.
    """
    found = [re.search(r"(\d+)\D*$", file.stem) for file in files]
    numbers = [int(match[1]) for match in found if match]
    if not numbers or len(numbers) < len(found):
        return None
    if any(b <= a for a, b in pairwise(numbers)):
        return None
    return FrameNumbers.from_numbers(numbers)

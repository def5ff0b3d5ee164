"""What a result can do beyond holding values: the base class of `fesnet.Spotting`.

Each method is one call of the module that does the work. It is imported when the method is called
(ADR 0083), so that a result needs neither pandas nor matplotlib.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from fesnet.interval_algebra import CropMode, IntervalOverlap, TimeSpan
    from fesnet.intervals import Kind
    from fesnet.result import SpottedInterval, Spotting


class ResultMethods:
    """Iteration, tables, files, pictures and sets of time of a result."""

    @property
    def _spotting(self) -> Spotting:
        return cast("Spotting", self)

    def __iter__(self) -> Iterator[SpottedInterval]:
        """The intervals, sorted by face and onset."""
        return iter(self._spotting.intervals)

    def __len__(self) -> int:
        """How many intervals there are."""
        return len(self._spotting.intervals)

    def __bool__(self) -> bool:
        """True, also for a result without an interval: it is an answer."""
        return True

    def __repr__(self) -> str:
        from fesnet.result_view import describe_result

        return describe_result(self._spotting)

    def _repr_html_(self) -> str:
        """What notebooks show: a timeline and a table, with nothing to load."""
        from fesnet.result_view import result_html

        return result_html(self._spotting)

    def to_dataframe(self) -> pd.DataFrame:
        """A pandas table, a row for each interval, with the columns of NAME.csv. kind is a
        category, seconds are float64, frames int64. Raises MissingExtraError without pandas (extra
        tables).
        """
        from fesnet.result_tables import intervals_table

        return intervals_table(self._spotting)

    def scores_dataframe(self) -> pd.DataFrame:
        """A pandas table, a row for each face and step of the working rate: face, time_s,
        macro_score and micro_score (0..1), intensity; not-a-number where unknown. Raises
        MissingExtraError without pandas.
        """
        from fesnet.result_tables import scores_table

        return scores_table(self._spotting)

    def frames_dataframe(self) -> pd.DataFrame:
        """A pandas table, a row for each face and frame of the source: face, frame, time_s, known,
        macro_score, micro_score, intensity, and macro, micro (bool: inside such an interval).
        Raises MissingExtraError without pandas.
        """
        from fesnet.result_tables import frames_table

        return frames_table(self._spotting)

    def save(self, path: str | Path) -> Path:
        """Write the whole result as JSON, atomically, and return the path; its folder is made.
        `load` gives the same result back. Raises UsageError where that is not possible.
        """
        from fesnet._io import make_folder

        target = Path(path)
        make_folder(target.parent)
        self._spotting.to_json(target)
        return target

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The result that `save` or `fesnet spot --out` wrote. Raises UsageError where there is no
        file, ResultError where it is damaged or of another schema.
        """
        return cast("Self", cast("type[Spotting]", cls).from_json(path))

    def export(
        self,
        formats: str | Sequence[str],
        folder: str | Path = ".",
        *,
        name: str | None = None,
        year: int | None = None,
        force: bool = False,
    ) -> list[Path]:
        """Write files for other programs and return their paths; the folder is made, old files of
        fesnet are replaced, with `force` any.

        formats: names such as "eaf,vtt" or ["eaf", "vtt"]; `fesnet.exports.ENDINGS` lists them.
        name: of the files, default that of the video without its ending. year: of megc. Raises
        UsageError for unknown formats, ResultError for a format that cannot hold the result,
        TargetError for a file that must not be replaced; the other files are written then, too.
        """
        from fesnet.exports import export_result

        return export_result(self._spotting, formats, Path(folder), name, year, force=force)

    def plot(self, ax: Axes | None = None, *, face: int | None = None) -> Axes:
        """Draw scores, thresholds, intervals and gaps over time, by matplotlib.

        ax: where to draw, default a new figure; face: which one, default the first. Returns the
        axes. Raises MissingExtraError without matplotlib (extra plots), UsageError for a face that
        is not there.
        """
        from fesnet.plotting import plot_result

        return plot_result(self._spotting, ax, face)

    def crop(self, start_s: float, stop_s: float, mode: CropMode = "intersection") -> Spotting:
        """The result as if nothing were known before start_s and from stop_s on, in seconds.

        mode: 'intersection' cuts intervals at the edges, 'loose' keeps every one that shares a
        frame with the span whole, 'strict' keeps those inside. Frames and times stay those of the
        whole video; what lies outside becomes a gap. Raises UsageError for a span without a frame.
        """
        from fesnet.interval_algebra import crop_result

        return crop_result(self._spotting, start_s, stop_s, mode)

    def spans(self, kind: Kind | None = None, *, face: int | None = None) -> tuple[TimeSpan, ...]:
        """The time inside any interval of a kind and a face (None: any), joined and sorted."""
        from fesnet.interval_algebra import spans_of

        return spans_of(self._spotting, kind, face)

    def spans_without(
        self, kind: Kind | None = None, *, face: int | None = None
    ) -> tuple[TimeSpan, ...]:
        """The time in which the face was seen and no interval of a kind and a face was found. The
        times in which it was not seen are in `gaps`.
        """
        from fesnet.interval_algebra import spans_between

        return spans_between(self._spotting, kind, face)

    def union(self, other: Spotting) -> tuple[SpottedInterval, ...]:
        """What this or another result of the same video found: intervals of one face and kind that
        share frames become one, with the apex and score of the highest. Raises UsageError for a
        result of other frames.
        """
        from fesnet.interval_algebra import union_intervals

        return union_intervals(self._spotting, other)

    def overlaps(self, other: Spotting, *, same_kind: bool = True) -> tuple[IntervalOverlap, ...]:
        """Every pair of an own interval and one of another result of the same video that share a
        frame of one face, with seconds in common and IoU. same_kind: of one kind only. Raises
        UsageError for a result of other frames.
        """
        from fesnet.interval_algebra import find_overlaps

        return find_overlaps(self._spotting, other, same_kind=same_kind)

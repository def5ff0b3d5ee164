"""Two raters over a whole study: F1 and Cohen's kappa of what both looked at.

    NAME.anna.review.json, NAME.ben.review.json of every video that both opened
       F1     over moments that both looked at
       kappa  over the frames of videos in which neither has anything left to look at

A blind rater has looked at a whole video once they say that it is reviewed.
"""

from __future__ import annotations

import glob
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fesnet._types import FloatArray
from fesnet.errors import FesnetError
from fesnet.intervals import KINDS
from fesnet.looked_at import HANDFUL
from fesnet.metrics import PROTOCOLS, Evaluation, VideoResult, evaluate, frame_table, kappa_of
from fesnet.review.agreement import PROTOCOL, Opinions, comparable, looked_at, person_opinions
from fesnet.review.merge import MachineResult
from fesnet.review.review_file import REVIEW_SUFFIX, read_review
from fesnet.study.results import StudyResult

CORRECTED = "corrected"  # what NAME.review.json is called beside the names of raters
DRAWS, SEED = 1000, 0  # of the interval of kappa, as for that of F1


@dataclass(frozen=True)
class RaterAgreement:
    """One kind, or "overall", of two raters. independent: both worked blind. videos: that both
    opened; moments: that both looked at; left: that one of them did not; both, only_one,
    only_other: expressions of these moments (IoU 0.5, same kind). Figures are None below HANDFUL
    moments, intervals below two participants. kappa: of frames of `whole_videos`, that both have
    seen as a whole, given with "overall" alone.
    """

    one: str
    other: str
    independent: bool
    kind: str
    videos: int
    participants: int
    moments: int
    left: int
    both: int
    only_one: int
    only_other: int
    f1: float | None = None
    f1_low_95: float | None = None
    f1_high_95: float | None = None
    kappa: float | None = None
    kappa_low_95: float | None = None
    kappa_high_95: float | None = None
    whole_videos: int | None = None
    whole_minutes: float | None = None


@dataclass(frozen=True)
class RatedVideo:
    """A video that two raters opened. table (3, 3): frames by label of one and other; None where
    something is left to look at."""

    participant: str
    compared: VideoResult
    moments: int
    left: int
    minutes: float
    table: FloatArray | None


def compare_raters(results: Sequence[StudyResult]) -> tuple[list[RaterAgreement], list[str]]:
    """The agreement of every two people who rated the same videos, and what was left out, as
    lines. The corrected versions count as one person."""
    videos: dict[tuple[str, str], list[RatedVideo]] = {}
    blind: dict[str, bool] = {}
    notes: list[str] = []
    taken = {result.review for result in results}
    for result in results:
        try:
            found = read_opinions(result, taken, blind)
        except FesnetError as error:
            notes.append(f"{result.name}: {error}")
            continue
        for one, other in itertools.combinations(sorted(found), 2):
            pair = rate_video(result, found[one], found[other])
            videos.setdefault((one, other), []).append(pair)
    out: list[RaterAgreement] = []
    for (one, other), rated in sorted(videos.items()):
        out += pair_rows((one, other), rated, independent=blind[one] and blind[other])
    return out, notes


@dataclass(frozen=True)
class RatedBy:
    """What one person says of a video. frames, seconds: of the video."""

    opinions: Opinions
    frames: int
    seconds: float


def read_opinions(
    result: StudyResult, taken: set[Any], blind: dict[str, bool]
) -> dict[str, RatedBy]:
    """By rater; empty for a video of fewer than two. taken: reviews of results, which are no
    raters'. blind is told who worked without the proposals. Raises ResultError."""
    stem = result.path.name.removesuffix(".json")
    own = result.path.parent.glob(f"{glob.escape(stem)}.*{REVIEW_SUFFIX}")
    files = {
        path.name.removeprefix(f"{stem}.").removesuffix(REVIEW_SUFFIX): path
        for path in sorted(own)
        if path not in taken
    }
    if result.reviewed:
        files[CORRECTED] = result.review
    if len(files) < 2:
        return {}
    machine = MachineResult.read(result.path)
    out = {}
    for name, path in files.items():
        review = read_review(path)
        opinions = person_opinions(machine, review)
        if opinions.judged or review.done:  # else it was only opened
            out[name] = RatedBy(opinions, review.frames, machine.spotting.seconds)
            blind[name] = blind.get(name, True) and review.blind
    return out


def rate_video(result: StudyResult, one: RatedBy, other: RatedBy) -> RatedVideo:
    a, b = one.opinions, other.opinions
    moments, left = looked_at(a, b)
    pair = (comparable(a, b), comparable(b, a))
    compared = VideoResult(result.participant, result.name, *pair, one.seconds)
    table = None if left else frame_table([pair], [one.frames])
    return RatedVideo(result.participant, compared, moments, left, one.seconds / 60, table)


def pair_rows(
    names: tuple[str, str], rated: Sequence[RatedVideo], *, independent: bool
) -> list[RaterAgreement]:
    """The rows of two raters: each kind, and "overall" with kappa."""
    found = evaluate([v.compared for v in rated], PROTOCOLS[PROTOCOL])
    moments = sum(v.moments for v in rated)
    enough = moments >= HANDFUL
    people = len({v.participant for v in rated})
    rows = []
    for kind in (*KINDS, "overall"):
        counts = found.counts[kind]
        some = enough and counts.tp + counts.fp + counts.fn > 0
        figures = f1_figures(found, kind, people) if some else {}
        if kind == "overall" and enough:
            figures |= kappa_figures(rated)
        rows.append(
            RaterAgreement(
                *names, independent, kind, len(rated), people, moments,
                sum(v.left for v in rated), counts.tp, counts.fn, counts.fp, **figures,
            )
        )  # fmt: skip
    return rows


def f1_figures(found: Evaluation, kind: str, people: int) -> dict[str, Any]:
    low, high = found.interval(kind) if people > 1 else (None, None)
    return {"f1": found.counts[kind].f1, "f1_low_95": low, "f1_high_95": high}


def kappa_figures(rated: Sequence[RatedVideo]) -> dict[str, Any]:
    """Cohen's kappa over the frames of videos that both have seen as a whole, with an interval by
    drawing participants with replacement."""
    whole = [v for v in rated if v.table is not None]
    out: dict[str, Any] = {
        "whole_videos": len(whole),
        "whole_minutes": sum(v.minutes for v in whole),
    }
    tables: dict[str, FloatArray] = {}
    for video in whole:
        assert video.table is not None
        tables[video.participant] = tables.get(video.participant, 0) + video.table
    stack = np.array(list(tables.values())).reshape(-1, 3, 3)
    out["kappa"] = finite(kappa_of(stack.sum(0)))
    if len(stack) > 1 and out["kappa"] is not None:
        rng = np.random.default_rng(SEED)
        drawn = stack[rng.integers(0, len(stack), (DRAWS, len(stack)))].sum(1)
        kappas = np.array([kappa_of(table) for table in drawn])
        span = np.nanquantile(kappas, [0.025, 0.975])
        out |= {"kappa_low_95": float(span[0]), "kappa_high_95": float(span[1])}
    return out


def finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def rater_rows(pairs: Sequence[RaterAgreement]) -> list[dict[str, Any]]:
    """Rows of raters.csv; numbers rounded as elsewhere."""
    return [
        {
            name: int(value) if isinstance(value, bool) else rounded_cell(value)
            for name, value in asdict(pair).items()
        }
        for pair in pairs
    ]


def rounded_cell(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def rater_cells(pair: RaterAgreement) -> list[str]:
    """A row for people: the words of RATER_TITLES."""
    counts = (pair.both, pair.only_one, pair.only_other)
    return [
        *(pair.one, pair.other, pair.kind, *map(str, counts)),
        with_span(pair.f1, pair.f1_low_95, pair.f1_high_95),
        with_span(pair.kappa, pair.kappa_low_95, pair.kappa_high_95),
    ]


RATER_TITLES = ("first", "second", "kind", "both", "only first", "only second", "F1", "kappa")


def with_span(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def material_lines(pairs: Sequence[RaterAgreement]) -> list[str]:
    """How much each two raters looked at, in words."""
    out = []
    for pair in (p for p in pairs if p.kind == "overall"):
        text = (
            f"{pair.one} and {pair.other}: {pair.moments} moments looked at by both in "
            f"{pair.videos} videos of {pair.participants} participants, {pair.left} left by one"
        )
        if pair.moments < HANDFUL:
            text += f"; from {HANDFUL} moments on figures are given"
        else:
            text += f"; kappa of {pair.whole_videos} whole videos, {pair.whole_minutes:.1f} min"
        if not pair.independent:
            text += "; not independent: one of them saw the machine's proposals, or others' ratings"
        out.append(text)
    return out

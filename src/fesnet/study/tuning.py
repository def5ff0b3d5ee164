"""Interval rules fitted to the reviewed videos of a lab, with an estimate that is honest.

    reviewed videos -> rules that fit best             -> a rules file
                    -> for each participant: rules that fit the others best, measured on this one
                       -> F1 and false alarms before and after

The estimate is of participants that the rules have not seen. Where it is no better than before,
nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text
from fesnet._messages import counted
from fesnet.errors import UsageError
from fesnet.evaluation.tune_rules import (
    FALSE_ALARM_PRICE,
    INTENSITY_VALLEYS,
    RELEASES,
    THRESHOLD_GRID,
    VALLEYS,
)
from fesnet.intervals import KINDS, Interval
from fesnet.metrics import Counts, count, overall
from fesnet.postprocess import IntervalRules
from fesnet.result import Spotting
from fesnet.review.merge import MachineResult, count_unseen, merge_intervals
from fesnet.review.review_file import read_review
from fesnet.study.results import StudyResult, find_results

# The least checked material that says anything of other people; our choice.
MIN_PARTICIPANTS, MIN_VIDEOS, MIN_EXPRESSIONS = 3, 3, 20
VideoCounts = dict[str, Counts]  # by kind, and overall


@dataclass
class ReviewedVideo:
    """A video whose every interval a person has seen. truth: as corrected, on source frames."""

    name: str
    participant: str
    truth: tuple[Interval, ...]
    spotting: Spotting
    counted: dict[IntervalRules, VideoCounts] = field(default_factory=dict, repr=False)

    def counts(self, rules: IntervalRules) -> VideoCounts:
        """Against the truth, under some rules; each is computed once."""
        if rules not in self.counted:
            spotted = self.spotting.rethreshold(rules).intervals
            found = [Interval(i.onset_frame, i.offset_frame + 1, i.kind) for i in spotted]
            self.counted[rules] = count(self.truth, found)
        return self.counted[rules]


@dataclass(frozen=True)
class TunedRules:
    """rules: fitted to all videos; before, after: counts on participants that were left out, under
    the present rules and under those fitted to the others.
    """

    rules: IntervalRules
    present: IntervalRules
    before: VideoCounts
    after: VideoCounts
    minutes: float
    participants: int
    videos: int
    left_out: tuple[str, ...]

    @property
    def helps(self) -> bool:
        """Whether the estimate is better by what is maximised."""
        return value_of(self.after, self.minutes) > value_of(self.before, self.minutes)

    def lines(self) -> list[str]:
        """The estimate for people."""
        out = [
            f"{counted(self.videos, 'reviewed video')} of "
            f"{counted(self.participants, 'participant')}, {self.minutes:.1f} min; left out, as "
            f"not all of it is checked: {len(self.left_out)}"
        ]
        for name, counts in (("before", self.before), ("after", self.after)):
            parts = [f"{kind} F1 {counts[kind].f1:.3f}" for kind in (*KINDS, "overall")]
            alarms = counts["overall"].fp / self.minutes
            out.append(
                f"{name}, on left-out participants: {', '.join(parts)}, {alarms:.2f} false/min"
            )
        return out


def tune_on_reviews(folder: Path) -> TunedRules:
    """Fit rules to the reviewed videos of a results folder.

    Raises UsageError where too little is checked, and for results of different rules.
    """
    videos, left_out = reviewed_videos(find_results(folder))
    check_material(videos, left_out, folder)
    present = videos[0].spotting.rules
    before, after = [], []
    for participant in sorted({v.participant for v in videos}):
        own = [v for v in videos if v.participant == participant]
        others = [v for v in videos if v.participant != participant]
        fitted = fit_rules(others, present)
        before += [v.counts(present) for v in own]
        after += [v.counts(fitted) for v in own]
    minutes = minutes_known(videos)
    people = len({v.participant for v in videos})
    rules = fit_rules(videos, present)
    sums = overall(before), overall(after)
    return TunedRules(rules, present, *sums, minutes, people, len(videos), tuple(left_out))


def reviewed_videos(results: Sequence[StudyResult]) -> tuple[list[ReviewedVideo], list[str]]:
    """The videos that are checked as a whole, and the names of reviews that are not."""
    videos, left_out = [], []
    for result in results:
        if not result.reviewed:
            continue
        machine, review = MachineResult.read(result.path), read_review(result.review)
        rows = merge_intervals(machine, review)
        if count_unseen(rows) or not review.entries:
            left_out.append(result.name)
            continue
        truth = tuple(
            Interval(row["onset_frame"], row["offset_frame"] + 1, row["kind"]) for row in rows
        )
        videos.append(ReviewedVideo(result.name, result.participant, truth, machine.spotting))
    return videos, left_out


def check_material(videos: Sequence[ReviewedVideo], left_out: Sequence[str], folder: Path) -> None:
    people = len({v.participant for v in videos})
    events = sum(len(v.truth) for v in videos)
    if people < MIN_PARTICIPANTS or len(videos) < MIN_VIDEOS or events < MIN_EXPRESSIONS:
        more = f"; {len(left_out)} reviews are not checked as a whole" if left_out else ""
        raise UsageError(
            f"expected reviews of {MIN_PARTICIPANTS} participants and {MIN_EXPRESSIONS} "
            f"expressions at least in {folder}, got {counted(people, 'participant')} and "
            f"{counted(events, 'expression')}{more}; check every expression of more videos"
        )
    if len({v.spotting.rules for v in videos}) > 1:
        raise UsageError(
            f"expected results of the same rules in {folder}, got several; give all the same by "
            "fesnet rethreshold"
        )


def fit_rules(videos: Sequence[ReviewedVideo], start: IntervalRules) -> IntervalRules:
    """Coordinate search from the present rules; a step is taken only where it helps."""
    rules, value, better = start, objective_of(videos, start), True
    while better:
        better = False
        for changes in rule_steps():
            candidates = [replace(rules, **change) for change in changes]
            best = max(candidates, key=lambda r: objective_of(videos, r))
            if (new := objective_of(videos, best)) > value + 1e-9:
                rules, value, better = best, new, True
    return rules


def rule_steps() -> list[list[dict[str, Any]]]:
    """Numbers that change together: one kind's threshold and release, the other's, the valleys."""
    steps: list[list[dict[str, Any]]] = [
        [
            {f"{kind}_threshold": threshold, f"{kind}_release": release}
            for threshold in THRESHOLD_GRID
            for release in RELEASES
        ]
        for kind in KINDS
    ]
    steps.append(
        [{"valley": v, "intensity_valley": i} for v in VALLEYS for i in (0.0, *INTENSITY_VALLEYS)]
    )
    return steps


def objective_of(videos: Sequence[ReviewedVideo], rules: IntervalRules) -> float:
    return value_of(overall([v.counts(rules) for v in videos]), minutes_known(videos))


def value_of(counts: VideoCounts, minutes: float) -> float:
    """What is maximised: the F1 of both kinds, less the price of false alarms, as for weights."""
    alarms = counts["overall"].fp / max(minutes, 1e-9)
    return sum(counts[kind].f1 for kind in KINDS) - FALSE_ALARM_PRICE * alarms


def minutes_known(videos: Sequence[ReviewedVideo]) -> float:
    return sum(v.spotting.known_seconds for v in videos) / 60


def write_rules_file(tuned: TunedRules, path: Path) -> None:
    """The rules as TOML, with where they come from as comments."""
    lines = [f"# {line}" for line in ("fitted by fesnet tune-rules --reviewed", *tuned.lines())]
    for name, value in tuned.rules.to_dict().items():
        lines.append(f"{name} = {str(value).lower() if isinstance(value, bool) else value}")
    atomic_write_text(path, "\n".join(lines) + "\n")

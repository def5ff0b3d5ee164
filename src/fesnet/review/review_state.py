"""The state of one video's review as the page shows it, and the files of its versions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fesnet._io import file_exists
from fesnet._names import printable
from fesnet.errors import UsageError
from fesnet.intervals import KINDS
from fesnet.report.context_view import flag_values
from fesnet.report.legend import legend_html
from fesnet.report.methods import COMPARED
from fesnet.report.score_view import compared_by, score_name
from fesnet.result import Spotting
from fesnet.review.agreement import Opinions, machine_opinions, person_opinions
from fesnet.review.merge import (
    MachineResult,
    check_frame_count,
    corrected_result,
    merge_intervals,
    review_rules,
)
from fesnet.review.review_file import RULES_ID, VIDEO_ID, EditRecord, Review, read_review
from fesnet.review.video_library import VideoLibrary

HISTORY_LENGTH = 30  # last edits that the page shows
MACHINE, PERSON = "machine", "person"


@dataclass(frozen=True)
class ReviewState:
    """The machine's result and its review, as they are now."""

    library: VideoLibrary
    key: str
    machine: MachineResult
    review: Review

    def to_dict(self) -> dict[str, Any]:
        """The JSON values that the page shows. Raises ResultError."""
        s, review = self.machine.spotting, self.review
        done, undone = review.undo_stacks()
        end = float(s.frame_times[-1])
        values = {
            "key": self.key,
            "name": printable(s.source.name),
            "revision": review.revision,
            "duration": end,
            "working_rate": s.working_rate,
            "frames": len(s.frame_times),
            "faces": [{"face": f.face, "steps": len(f.times)} for f in s.faces],
            "gaps": [asdict(g) for g in s.gaps],
            "warnings": [*s.warnings, *self.stale_warnings()],
            "compared": compared_by(s),
            "score_name": score_name(s),
            "compared_text": COMPARED[compared_by(s)],
            "legend": legend_html(s, review=True),
            "candidates": [asdict(c) for c in self.machine.below(review_rules(review))],
            "rules": {**review.rules, **self.references()},
            "machine_rules": s.rules.to_dict(),
            "intervals": self.machine.with_context(merge_intervals(self.machine, review)),
            "machine": self.machine.with_context(review.machine["intervals"]),
            "flags": flag_values(s),
            "undo": self.next_step(done),
            "redo": self.next_step(undone),
            "history": [history_line(e) for e in review.entries[: -HISTORY_LENGTH - 1 : -1]],
            "others": self.library.other_reviews(self.key),
            "done": review.done,
            "blind": review.blind,
        }
        return hide_proposals(values) if review.blind else values

    def references(self) -> dict[str, float]:
        """The thresholds at which scores are cut, for the words of the page."""
        rules = review_rules(self.review)
        return {f"{kind}_reference": rules.reference(kind) for kind in KINDS}

    def stale_warnings(self) -> list[str]:
        """A warning if the review was begun on another result."""
        if self.review.machine["sha256"] == self.machine.sha256:
            return []
        return [
            "the machine's result has changed since this review began; your edits stay, its "
            "proposals may differ"
        ]

    def next_step(self, steps: list[int]) -> str | None:
        """The kind of the edit that the next undo or redo is about."""
        return self.review.entries[steps[-1] - 1].what if steps else None


def hide_proposals(values: dict[str, Any]) -> dict[str, Any]:
    """The state as a blind rater may see it: nothing of what the machine or others say."""
    faces = [{**face, "steps": 0} for face in values["faces"]]
    hidden: dict[str, Any] = {"candidates": [], "machine": [], "others": [], "legend": ""}
    return {**values, **hidden, "faces": faces, "warnings": []}


def history_line(entry: EditRecord) -> dict[str, Any]:
    """An edit in short, for the history on the page."""
    values = entry.after or entry.before or {}
    about = (
        ""
        if entry.id in (RULES_ID, VIDEO_ID)
        else f"{values.get('kind', '')} at frame {values.get('onset_frame', '')}"
    )
    return {"n": entry.n, "who": entry.who, "when": entry.when, "what": entry.what, "about": about}


def load_state(library: VideoLibrary, key: str) -> ReviewState:
    """Raises UsageError for an unknown key or a missing result, ResultError for damaged files."""
    library.find(key)
    if not file_exists(library.result_path(key)):
        raise UsageError(f"expected a result of {key}, got none yet: spot the video first")
    return ReviewState(library, key, library.machine_result(key), library.load_review(key))


def load_corrected(library: VideoLibrary, key: str) -> tuple[Spotting, str]:
    """The result with the corrected intervals, and the name of its exports."""
    now = load_state(library, key)
    return corrected_result(now.machine, now.review), library.review_path(key).stem


def load_opinions(library: VideoLibrary, key: str, which: str) -> Opinions:
    """What a version says: machine, person, or the name of another review. Raises UsageError,
    ResultError."""
    now = load_state(library, key)
    if which == MACHINE:
        return machine_opinions(now.machine)
    if which == PERSON:
        return person_opinions(now.machine, now.review)
    if which not in library.other_reviews(key):
        raise UsageError(f"expected machine, person or another's review of {key}, got {which!r}")
    review = read_review(library.result_path(key).with_name(which))
    check_frame_count(now.machine, review)
    return person_opinions(now.machine, review)

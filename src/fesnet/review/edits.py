"""Turn a request of the page into an edit of the review, with all times on frames of the video."""

from __future__ import annotations

import getpass
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from fesnet._names import UNPRINTABLE
from fesnet.errors import UsageError
from fesnet.intervals import Kind, nearest_frame
from fesnet.postprocess import IntervalRules
from fesnet.review.merge import (
    MachineResult,
    adopt_proposal,
    count_unseen,
    merge_intervals,
    open_proposal,
    review_rules,
)
from fesnet.review.review_file import (
    RULES_ID,
    VIDEO_ID,
    EditRecord,
    JsonObject,
    Review,
    ReviewedInterval,
)

EditType = Literal[
    "edge", "kind", "add", "delete", "check", "note", "rules", "done", "undo", "redo"
]
MAX_NAME_LENGTH, MAX_NOTE_LENGTH = 80, 4000  # characters


class StaleError(UsageError):
    """The request is about an older revision of the review."""


class GoneError(UsageError):
    """The request is about an interval that is not shown."""


@dataclass(frozen=True)
class EditRequest:
    """An edit that a person asks for, in seconds of the video; only fields that `what` needs count.

    revision: of the review that the person saw.
    """

    revision: int
    who: str
    what: EditType
    id: str = ""
    face: int = 0
    kind: Kind = "macro"
    onset_s: float = 0.0
    apex_s: float | None = None
    offset_s: float = 0.0
    checked: bool = True
    done: bool = True
    note: str = ""
    rules: dict[str, float] | None = None


@dataclass(frozen=True)
class EditContext:
    """What an edit needs to know: result, review, request, time (UTC)."""

    machine: MachineResult
    review: Review
    edit: EditRequest
    when: str

    @property
    def who(self) -> str:
        return self.edit.who.strip()

    @property
    def rules(self) -> IntervalRules:
        return review_rules(self.review)

    def record(
        self, key: str, before: JsonObject | None, after: JsonObject | None, of: int | None = None
    ) -> EditRecord:
        return EditRecord(0, self.who, self.when, self.edit.what, key, before, after, of)

    def find(self) -> tuple[ReviewedInterval, JsonObject | None]:
        """The requested interval, and its present values in the review (None: a proposal).

        Raises GoneError if it is not shown.
        """
        key, intervals = self.edit.id, self.review.intervals
        for interval in intervals:
            if interval.id == key and not interval.deleted:
                return interval, asdict(interval)
        blind = self.review.blind  # a blind rater must not find out by asking
        proposal = None if blind else open_proposal(self.machine, intervals, self.rules, key)
        if proposal is not None:
            return adopt_proposal(proposal, self.who, self.when), None
        raise GoneError(
            f"expected an interval that is there, got {key!r}; it was deleted or computed again: "
            "choose again"
        )

    def frames(self) -> tuple[int, int, int]:
        """The frames nearest to the requested onset, apex and offset. Raises UsageError."""
        edit, times = self.edit, self.machine.spotting.frame_times
        apex_s = (edit.onset_s + edit.offset_s) / 2 if edit.apex_s is None else edit.apex_s
        wanted = (edit.onset_s, apex_s, edit.offset_s)
        if not all(math.isfinite(t) for t in wanted) or edit.onset_s > edit.offset_s:
            raise UsageError(
                f"expected an onset before its offset, got {edit.onset_s} s and {edit.offset_s} s"
            )
        if edit.offset_s < times[0] or edit.onset_s > times[-1] + 1:
            raise UsageError(
                f"expected a time within the video ({times[0]:.2f} to {times[-1]:.2f} s), got "
                f"{edit.onset_s:.2f} s"
            )
        onset, apex, offset = (nearest_frame(t, times) for t in wanted)
        return onset, min(max(apex, onset), offset), offset


def default_user_name() -> str:
    """The name that the page shows first; people can change it there."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "me"


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def apply_edit(machine: MachineResult, review: Review, edit: EditRequest) -> Review:
    """The review with one more edit. Raises StaleError, and UsageError for an invalid request."""
    if edit.revision != review.revision:
        last = review.entries[-1] if review.entries else None
        since = "" if last is None else f" (last by {last.who} at {last.when[11:19]} UTC)"
        raise StaleError(
            f"expected an edit of revision {review.revision}, got one of {edit.revision}: this "
            "review was changed in "
            f"another window{since}; what it says now is shown, make your edit again"
        )
    check_person(edit.who)
    check_text(re.sub(r"[\n\r\t]", " ", edit.note), "a note")
    context = EditContext(machine, review, edit, utc_now())
    return review.append(EDITS[edit.what](context))


def check_person(who: str) -> None:
    """Raises UsageError for what is no name of a person."""
    if not 0 < len(who.strip()) <= MAX_NAME_LENGTH:
        raise UsageError(
            f"expected your name (1 to {MAX_NAME_LENGTH} letters), got {who.strip()[:90]!r}"
        )
    check_text(who, "your name")


def check_text(text: str, what: str) -> None:
    """Raises UsageError for control characters, and for what no file in UTF-8 can hold."""
    if UNPRINTABLE.search(text):
        raise UsageError(f"expected {what} in letters that can be printed, got {text[:90]!r}")


def change_interval(context: EditContext, **changes: object) -> EditRecord:
    """An edit that changes the requested interval. Raises UsageError if there is none."""
    interval, before = context.find()
    after = replace(interval, **changes, by=context.who, when=context.when)  # type: ignore[arg-type]
    return context.record(interval.id, before, asdict(after))


def move_edges(context: EditContext) -> EditRecord:
    onset, apex, offset = context.frames()
    return change_interval(context, onset_frame=onset, apex_frame=apex, offset_frame=offset)


def set_note(context: EditContext) -> EditRecord:
    if len(context.edit.note) > MAX_NOTE_LENGTH:
        raise UsageError(
            f"expected a note of at most {MAX_NOTE_LENGTH} letters, got {len(context.edit.note)}"
        )
    return change_interval(context, note=context.edit.note.strip())


def add_interval(context: EditContext) -> EditRecord:
    edit, faces = context.edit, [track.face for track in context.machine.spotting.faces] or [0]
    if edit.face not in faces:
        raise UsageError(f"expected one of the faces {', '.join(map(str, faces))}, got {edit.face}")
    key = f"p{context.review.revision + 1}"
    author = (context.who, context.when)
    interval = ReviewedInterval(key, edit.face, edit.kind, *context.frames(), 1.0, *author, None)
    return context.record(key, None, asdict(interval))


def set_rules(context: EditContext) -> EditRecord:
    before = context.review.rules
    if context.review.blind:
        raise UsageError("expected no thresholds in a blind review: it shows no proposals")
    after = context.rules.changed(context.edit.rules or {}).to_dict()
    return context.record(RULES_ID, dict(before), after)


def set_done(context: EditContext) -> EditRecord:
    """Say that the whole video was seen, or take that back. Raises UsageError where proposals are
    left that nobody looked at."""
    review, wanted = context.review, context.edit.done
    if wanted and (left := count_unseen(merge_intervals(context.machine, review))):
        raise UsageError(
            f"expected every expression to be checked, changed or deleted, got {left} that nobody "
            "looked at; check those first"
        )
    before = {"done": True} if review.done else None
    return context.record(VIDEO_ID, before, {"done": wanted})


def undo_edit(context: EditContext) -> EditRecord:
    done, _ = context.review.undo_stacks()
    if not done:
        raise UsageError("expected an edit to undo, but there is none")
    old = context.review.entries[done[-1] - 1]
    return context.record(old.id, old.after, old.before, old.n)


def redo_edit(context: EditContext) -> EditRecord:
    _, undone = context.review.undo_stacks()
    if not undone:
        raise UsageError("expected an edit to redo, but there is none")
    old = context.review.entries[undone[-1] - 1]
    return context.record(old.id, old.before, old.after, old.n)


EDITS: dict[str, Callable[[EditContext], EditRecord]] = {
    "edge": move_edges,
    "kind": lambda context: change_interval(context, kind=context.edit.kind),
    "add": add_interval,
    "delete": lambda context: change_interval(context, deleted=True),
    "check": lambda context: change_interval(context, checked=context.edit.checked),
    "note": set_note,
    "rules": set_rules,
    "done": set_done,
    "undo": undo_edit,
    "redo": redo_edit,
}

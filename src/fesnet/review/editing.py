"""An edit as the page asks for it -> an entry of the journal, with everything on frames of the
video.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from fesnet.errors import UsageError
from fesnet.intervals import IntervalRules, Kind, nearest_frame
from fesnet.review.journal import RULES, Entry, Review, Row, Values
from fesnet.review.view import Machine, name_of, proposals_left, row_of

What = Literal["edge", "kind", "add", "delete", "check", "note", "rules", "undo", "redo"]
LONGEST_NAME, LONGEST_NOTE = 80, 4000  # characters


class StaleError(UsageError):
    """The edit was made on a state that is no longer the present one."""


@dataclass(frozen=True)
class Edit:
    """What a person asks for. revision: of the state that they saw; seconds are on the video's
    clock; only the fields that `what` is about count."""

    revision: int
    who: str
    what: What
    id: str = ""
    face: int = 0
    kind: Kind = "macro"
    onset_s: float = 0.0
    apex_s: float | None = None
    offset_s: float = 0.0
    checked: bool = True
    note: str = ""
    rules: dict[str, float] | None = None


@dataclass(frozen=True)
class Desk:
    """What an edit is made on."""

    machine: Machine
    review: Review
    edit: Edit
    when: str

    @property
    def who(self) -> str:
        return self.edit.who.strip()

    @property
    def rules(self) -> IntervalRules:
        return IntervalRules.from_dict(self.review.rules)

    def entry(
        self, key: str, before: Values | None, after: Values | None, of: int | None = None
    ) -> Entry:
        return Entry(0, self.who, self.when, self.edit.what, key, before, after, of)

    def find(self) -> tuple[Row, Values | None]:
        """The row that is meant, and what the journal has of it. Raises UsageError if it is not to
        be seen.
        """
        key, rows = self.edit.id, self.review.rows
        for row in rows:
            if row.id == key and not row.deleted:
                return row, asdict(row)
        for proposal in proposals_left(self.machine, rows, self.rules):
            if name_of(proposal) == key:
                return row_of(proposal, self.who, self.when), None
        raise UsageError(
            f"expected an interval that is there, got {key!r}; it was deleted or made anew: "
            "choose again"
        )

    def frames(self) -> tuple[int, int, int]:
        """Onset, apex and offset on the frames nearest to the seconds asked for. Raises
        UsageError.
        """
        edit, times = self.edit, self.machine.spotting.frame_times
        apex_s = (edit.onset_s + edit.offset_s) / 2 if edit.apex_s is None else edit.apex_s
        wanted = (edit.onset_s, apex_s, edit.offset_s)
        if not all(math.isfinite(t) for t in wanted) or edit.onset_s > edit.offset_s:
            raise UsageError(
                f"expected an onset before its offset, got {edit.onset_s} s and {edit.offset_s} s"
            )
        if edit.offset_s < times[0] or edit.onset_s > times[-1] + 1:
            raise UsageError(
                f"expected a time within the video (0 to {times[-1]:.2f} s), got "
                f"{edit.onset_s:.2f} s"
            )
        onset, apex, offset = (nearest_frame(t, times) for t in wanted)
        return onset, min(max(apex, onset), offset), offset


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def apply(machine: Machine, review: Review, edit: Edit) -> Review:
    """The review with one more entry. Raises StaleError, and UsageError for what cannot be done."""
    if edit.revision != review.revision:
        last = review.entries[-1] if review.entries else None
        since = "" if last is None else f" (last by {last.who} at {last.when[11:19]} UTC)"
        raise StaleError(
            f"expected an edit of revision {review.revision}, got one of {edit.revision}: this "
            "review was changed in "
            f"another window{since}; what it says now is shown, make your edit again"
        )
    if not 0 < len(edit.who.strip()) <= LONGEST_NAME:
        raise UsageError(
            f"expected your name (1 to {LONGEST_NAME} letters), got {edit.who.strip()[:90]!r}"
        )
    desk = Desk(machine, review, edit, now())
    return review.with_entry(EDITS[edit.what](desk))


def change(desk: Desk, **changes: object) -> Entry:
    """An entry that changes the row that is meant. Raises UsageError where there is no such row."""
    row, before = desk.find()
    after = replace(row, **changes, by=desk.who, when=desk.when)  # type: ignore[arg-type]
    return desk.entry(row.id, before, asdict(after))


def edge(desk: Desk) -> Entry:
    onset, apex, offset = desk.frames()
    return change(desk, onset_frame=onset, apex_frame=apex, offset_frame=offset)


def note(desk: Desk) -> Entry:
    if len(desk.edit.note) > LONGEST_NOTE:
        raise UsageError(
            f"expected a note of at most {LONGEST_NOTE} letters, got {len(desk.edit.note)}"
        )
    return change(desk, note=desk.edit.note.strip())


def add(desk: Desk) -> Entry:
    faces = [track.face for track in desk.machine.spotting.faces] or [0]
    if desk.edit.face not in faces:
        raise UsageError(
            f"expected one of the faces {', '.join(map(str, faces))}, got {desk.edit.face}"
        )
    key = f"p{desk.review.revision + 1}"
    row = Row(key, desk.edit.face, desk.edit.kind, *desk.frames(), 1.0, desk.who, desk.when, None)
    return desk.entry(key, None, asdict(row))


def rules(desk: Desk) -> Entry:
    before = desk.review.rules
    after = IntervalRules.from_dict({**before, **(desk.edit.rules or {})}).to_dict()
    return desk.entry(RULES, dict(before), after)


def undo(desk: Desk) -> Entry:
    done, _ = desk.review.steps()
    if not done:
        raise UsageError("expected an edit to undo, but there is none")
    old = desk.review.entries[done[-1] - 1]
    return desk.entry(old.id, old.after, old.before, old.n)


def redo(desk: Desk) -> Entry:
    _, undone = desk.review.steps()
    if not undone:
        raise UsageError("expected an edit to redo, but there is none")
    old = desk.review.entries[undone[-1] - 1]
    return desk.entry(old.id, old.before, old.after, old.n)


EDITS: dict[str, Callable[[Desk], Entry]] = {
    "edge": edge,
    "kind": lambda desk: change(desk, kind=desk.edit.kind),
    "add": add,
    "delete": lambda desk: change(desk, deleted=True),
    "check": lambda desk: change(desk, checked=desk.edit.checked),
    "note": note,
    "rules": rules,
    "undo": undo,
    "redo": redo,
}

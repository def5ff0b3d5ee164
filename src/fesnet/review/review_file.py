"""NAME.review.json, schema "fesnet-review/1": every edit of a result, who made it and when.

The list of edits (key `journal`) only grows. Each edit sets one thing, an interval or the rules,
from `before` to `after`. The state follows from the edits in order; an undo is an edit that sets
the thing back:

    n  what   id       before    after         state
    1  edge   m0.12..  null      {..}          m0.12.. is a person's
    2  rules  rules    {..}      {..}          other thresholds
    3  undo   rules    {..}      {..}          the thresholds of before 2    (of: 2)
    4  done   video    null      {..}          somebody has seen the whole video

The file also holds the machine's result as it was, and the intervals after the last edit. Every
edit rewrites it atomically and waits for the disk, so that no acknowledged edit is lost when the
program is killed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text, load_json, read_text_file
from fesnet._version import __version__
from fesnet.errors import ResultError, UsageError
from fesnet.intervals import KINDS, Kind
from fesnet.looked_at import stacks_of
from fesnet.postprocess import IntervalRules

SCHEMA = "fesnet-review/1"
REVIEW_SUFFIX = ".review.json"
RULES_ID = "rules"  # the id of the thresholds among the edited things
VIDEO_ID = "video"  # the id of the video itself: whether somebody has seen it to its end
JsonObject = dict[str, Any]


@dataclass(frozen=True)
class ReviewedInterval:
    """An interval that a person edited; frames inclusive.

    machine: kind, onset and offset frame of the proposal that it comes from, None if a person added
    it. A deleted one is kept, so that its proposal stays hidden.
    """

    id: str
    face: int
    kind: Kind
    onset_frame: int
    apex_frame: int
    offset_frame: int
    score: float
    by: str
    when: str
    machine: tuple[Kind, int, int] | None
    checked: bool = False
    deleted: bool = False
    note: str = ""

    @classmethod
    def from_values(cls, values: JsonObject) -> ReviewedInterval:
        """Raises KeyError, TypeError or ValueError for values that make no interval."""
        machine = values["machine"]
        row = cls(
            **{
                **values,
                "machine": None
                if machine is None
                else (machine[0], int(machine[1]), int(machine[2])),
            }
        )
        if row.kind not in KINDS or not 0 <= row.onset_frame <= row.apex_frame <= row.offset_frame:
            raise ValueError(f"interval {values}")
        return row


@dataclass(frozen=True)
class EditRecord:
    """One edit. when: UTC, ISO 8601. of: the number of the edit that an undo or redo is about."""

    n: int
    who: str
    when: str
    what: str
    id: str
    before: JsonObject | None
    after: JsonObject | None
    of: int | None = None


@dataclass(frozen=True)
class Review:
    """All edits of a result. machine: the result's `intervals`, `rules`, `provenance`, `file` name
    and `sha256` when the review began. blind: of a rater who did not see the machine's
    proposals, so that only people's intervals count."""

    source: JsonObject
    frames: int
    machine: JsonObject
    entries: tuple[EditRecord, ...] = ()
    blind: bool = False

    @property
    def revision(self) -> int:
        """Number of edits; each request of an edit names the revision that its sender saw."""
        return len(self.entries)

    @property
    def state(self) -> dict[str, JsonObject]:
        """The values after all edits, by id."""
        out: dict[str, JsonObject] = {}
        for entry in self.entries:
            if entry.after is None:
                out.pop(entry.id, None)
            else:
                out[entry.id] = entry.after
        return out

    @property
    def intervals(self) -> list[ReviewedInterval]:
        """All intervals that people edited, deleted ones too."""
        state = self.state.items()
        own = (values for key, values in state if key not in (RULES_ID, VIDEO_ID))
        return [ReviewedInterval.from_values(values) for values in own]

    @property
    def rules(self) -> JsonObject:
        found: JsonObject = self.state.get(RULES_ID) or self.machine["rules"]
        return found

    @property
    def done(self) -> bool:
        """Whether a person said that they have seen the whole video."""
        return bool(self.state.get(VIDEO_ID, {}).get("done", False))

    def undo_stacks(self) -> tuple[list[int], list[int]]:
        """Numbers of the edits that can be undone, and redone; the next one last."""
        return stacks_of((e.n, e.what, e.of) for e in self.entries)

    def append(self, entry: EditRecord) -> Review:
        return replace(self, entries=(*self.entries, replace(entry, n=self.revision + 1)))


def save_review(review: Review, intervals: Sequence[JsonObject], path: Path) -> None:
    """Write the review and its present intervals atomically; returns once they are on the disk.
    Raises UsageError."""
    values = {
        "schema": SCHEMA,
        "fesnet": __version__,
        "source": review.source,
        "frames": review.frames,
        **({"blind": True} if review.blind else {}),
        "machine": review.machine,
        "rules": review.rules,
        "intervals": list(intervals),
        "journal": [asdict(e) for e in review.entries],
    }
    atomic_write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def read_review(path: Path) -> Review:
    """Raises ResultError for a file that is no review, damaged, or of another schema."""
    try:
        values = load_json(read_text_file(path))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"expected a review of `fesnet review` in {path}, but {error}") from error
    schema = values.get("schema") if isinstance(values, dict) else None
    if schema != SCHEMA:
        raise ResultError(f"expected a review of schema {SCHEMA} in {path}, got {schema!r}")
    try:
        entries = tuple(EditRecord(**e) for e in values["journal"])
        blind = bool(values.get("blind", False))
        review = Review(values["source"], values["frames"], values["machine"], entries, blind)
        check_review(review)
    except (AttributeError, KeyError, TypeError, ValueError, UsageError) as error:
        raise ResultError(
            f"expected a whole review in {path}, but it is damaged ({error!r})"
        ) from error
    return review


def check_review(review: Review) -> None:
    """Raises TypeError, KeyError, ValueError or UsageError for edits that cannot be applied in
    order."""
    if [e.n for e in review.entries] != list(range(1, review.revision + 1)):
        raise ValueError("the numbers of its journal")
    review.undo_stacks()
    IntervalRules.from_dict(review.machine["rules"])
    if not all(isinstance(t, str) for t in (review.machine["sha256"], review.source["name"])):
        raise TypeError("names")
    for entry in review.entries:
        for values in (entry.before, entry.after):
            check_edited(entry.id, values, review.frames)


def check_edited(key: str, values: JsonObject | None, frames: int) -> None:
    """The same for what an edit set something to. frames: of the video."""
    if key == RULES_ID:
        IntervalRules.from_dict(values or {})
    elif key == VIDEO_ID:
        bool((values or {"done": False})["done"])
    elif values is not None and ReviewedInterval.from_values(values).offset_frame >= frames:
        raise ValueError("frames after the end")

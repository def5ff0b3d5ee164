"""NAME.review.json, schema "fesnet-review/1": every edit of a result, who made it and when.

The journal only grows. Each entry sets one thing, an interval or the rules, from `before` to
`after`, so that the state is what the entries leave behind, read in order; an undo is an entry that
sets it back:

    n  what   id       before    after         state
    1  edge   m0.12..  null      {..}          m0.12.. is a person's
    2  rules  rules    {..}      {..}          other thresholds
    3  undo   rules    {..}      {..}          the thresholds of before 2    (of: 2)

The file holds the machine's result as it was, too, and the intervals that followed from the last
entry, for programs that want no more than those. It is written anew for every edit, to the disk and
under a temporary name first: what was once acknowledged survives a killed program, and there is no
torn line to be mended.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text
from fesnet._version import __version__
from fesnet.errors import ResultError, UsageError
from fesnet.intervals import KINDS, IntervalRules, Kind

SCHEMA = "fesnet-review/1"
ENDING = ".review.json"
RULES = "rules"  # the id under which the journal keeps the thresholds
STEPS = ("undo", "redo")
Values = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """An interval that a person has touched; frames inclusive. machine: kind, onset and offset
    frame of the proposal that it comes from, None for what a person added. A deleted one stays, so
    that it does not come back."""

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
    def from_values(cls, values: Values) -> Row:
        """Raises an error of Python's own for values that make no row."""
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
class Entry:
    """One line of the journal. when: UTC, ISO 8601. of: the entry that an undo or redo is about."""

    n: int
    who: str
    when: str
    what: str
    id: str
    before: Values | None
    after: Values | None
    of: int | None = None


@dataclass(frozen=True)
class Review:
    """A journal and what it is about. machine: the machine's version as it was when the review
    began (`intervals`, `rules`, `provenance`, `file`, `sha256` of the result)."""

    source: Values
    frames: int
    machine: Values
    entries: tuple[Entry, ...] = ()

    @property
    def revision(self) -> int:
        """Rises with every edit; who edits names the one that they saw."""
        return len(self.entries)

    @property
    def state(self) -> dict[str, Values]:
        """What the entries leave behind, by id."""
        out: dict[str, Values] = {}
        for entry in self.entries:
            if entry.after is None:
                out.pop(entry.id, None)
            else:
                out[entry.id] = entry.after
        return out

    @property
    def rows(self) -> list[Row]:
        return [Row.from_values(values) for key, values in self.state.items() if key != RULES]

    @property
    def rules(self) -> Values:
        found: Values = self.state.get(RULES) or self.machine["rules"]
        return found

    def steps(self) -> tuple[list[int], list[int]]:
        """Numbers of the entries that can be undone and redone, the next one last."""
        done: list[int] = []
        undone: list[int] = []
        for entry in self.entries:
            if entry.of is None:
                done.append(entry.n)
                undone.clear()
            else:
                source, target = (done, undone) if entry.what == "undo" else (undone, done)
                source.remove(entry.of)
                target.append(entry.of)
        return done, undone

    def with_entry(self, entry: Entry) -> Review:
        return replace(self, entries=(*self.entries, replace(entry, n=self.revision + 1)))


def save_review(review: Review, intervals: Sequence[Values], path: Path) -> None:
    """Write the journal and the intervals that follow from it; back when the disk has them. Raises
    UsageError.
    """
    values = {
        "schema": SCHEMA,
        "fesnet": __version__,
        "source": review.source,
        "frames": review.frames,
        "machine": review.machine,
        "rules": review.rules,
        "intervals": list(intervals),
        "journal": [asdict(e) for e in review.entries],
    }
    atomic_write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def read_review(path: Path) -> Review:
    """Raises ResultError for what is no review, is damaged, or of another schema."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"expected a review of `fesnet review` in {path}, but {error}") from error
    schema = values.get("schema") if isinstance(values, dict) else None
    if schema != SCHEMA:
        raise ResultError(f"expected a review of schema {SCHEMA} in {path}, got {schema!r}")
    try:
        entries = tuple(Entry(**e) for e in values["journal"])
        review = Review(values["source"], values["frames"], values["machine"], entries)
        check(review)
    except (AttributeError, KeyError, TypeError, ValueError, UsageError) as error:
        raise ResultError(
            f"expected a whole review in {path}, but it is damaged ({error!r})"
        ) from error
    return review


def check(review: Review) -> None:
    """Raises ValueError, another error of Python's own, or UsageError for a journal that cannot be
    read in order.
    """
    if [e.n for e in review.entries] != list(range(1, review.revision + 1)):
        raise ValueError("the numbers of its journal")
    review.steps()
    IntervalRules.from_dict(review.machine["rules"])
    if not all(isinstance(t, str) for t in (review.machine["sha256"], review.source["name"])):
        raise TypeError("names")
    for entry in review.entries:
        for values in (entry.before, entry.after):
            if entry.id == RULES:
                IntervalRules.from_dict(values or {})
            elif values is not None and Row.from_values(values).offset_frame >= review.frames:
                raise ValueError("frames after the end")

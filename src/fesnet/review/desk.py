"""One video as the page shows it, and the versions of it that there are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fesnet.errors import UsageError
from fesnet.result import Spotting
from fesnet.review.journal import ENDING, RULES, Entry, Review
from fesnet.review.library import Library
from fesnet.review.view import Machine, reviewed, shown

HISTORY = 30  # last entries that the page shows
MACHINE, PERSON = "machine", "person"


@dataclass(frozen=True)
class Reading:
    """The machine's result and the review of it, as they are now."""

    library: Library
    key: str
    machine: Machine
    review: Review

    def to_dict(self) -> dict[str, Any]:
        """As the page shows it. Raises ResultError."""
        s, review = self.machine.spotting, self.review
        done, undone = review.steps()
        end = float(s.frame_times[-1])
        return {
            "key": self.key,
            "name": s.source.name,
            "revision": review.revision,
            "duration": end,
            "working_rate": s.working_rate,
            "frames": len(s.frame_times),
            "faces": [{"face": f.face, "ticks": len(f.times)} for f in s.faces],
            "gaps": [asdict(g) for g in s.gaps],
            "warnings": [*s.warnings, *self.changed()],
            "rules": review.rules,
            "machine_rules": s.rules.to_dict(),
            "intervals": shown(self.machine, review),
            "machine": review.machine["intervals"],
            "undo": self.words(done),
            "redo": self.words(undone),
            "history": [told(e) for e in review.entries[: -HISTORY - 1 : -1]],
            "others": self.library.others(self.key),
        }

    def changed(self) -> list[str]:
        """A warning where the review was made of another result."""
        if self.review.machine["sha256"] == self.machine.sha256:
            return []
        return [
            "the machine's result was made anew since this review began; your edits stay, its "
            "proposals may differ"
        ]

    def words(self, steps: list[int]) -> str | None:
        """What the next undo or redo is about."""
        return self.review.entries[steps[-1] - 1].what if steps else None


def told(entry: Entry) -> dict[str, Any]:
    """A line of the journal for people."""
    values = entry.after or entry.before or {}
    about = (
        ""
        if entry.id == RULES
        else f"{values.get('kind', '')} at frame {values.get('onset_frame', '')}"
    )
    return {"n": entry.n, "who": entry.who, "when": entry.when, "what": entry.what, "about": about}


def reading(library: Library, key: str) -> Reading:
    """Raises UsageError for a key that is none, ResultError where there is no whole result or
    review.
    """
    library.get(key)
    if not library.result(key).is_file():
        raise UsageError(f"expected a result of {key}, got none yet: spot the video first")
    return Reading(library, key, library.machine(key), library.open_review(key))


def person(library: Library, key: str) -> tuple[Spotting, str]:
    """The result with the person's intervals, and the name that its exports have."""
    now = reading(library, key)
    return reviewed(now.machine, now.review), f"{key}{ENDING}".removesuffix(".json")


def version(library: Library, key: str, which: str) -> Path:
    """The file of a version: machine, person, or the name of another's review. Raises
    UsageError.
    """
    library.get(key)
    if which == MACHINE:
        return library.result(key)
    if which == PERSON:
        path = library.review(key)
        if not path.is_file():
            raise UsageError(
                "expected corrections to compare, but nothing has been corrected or checked yet"
            )
        return path
    if which not in library.others(key):
        raise UsageError(f"expected machine, person or another's review of {key}, got {which!r}")
    return library.folder / which

"""Other interval rules over a whole folder, from the stored scores: no video is read, no network
runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fesnet._guard import check_replaceable, replacing
from fesnet._io import make_folder
from fesnet._locks import CHANGE_LOCK, lock_change
from fesnet.batch import write_results
from fesnet.batch.columns import merge_study_columns
from fesnet.errors import FesnetError
from fesnet.exports import check_results, outdated_files
from fesnet.intervals import KINDS
from fesnet.postprocess import IntervalRules
from fesnet.result import Spotting
from fesnet.review.edits import EditRequest, apply_edit
from fesnet.review.merge import MachineResult, merge_intervals
from fesnet.review.review_file import read_review, save_review
from fesnet.study.results import StudyResult, error_of_one, review_of

ChangeRules = Callable[[IntervalRules], IntervalRules]
Numbers = tuple[int, int]  # macro, micro


@dataclass(frozen=True)
class RulesChange:
    """What other rules did to one result: (macro, micro) before and after; outdated: files beside
    it that still show the old intervals; error: why it stayed as it was.
    """

    name: str
    before: Numbers = (0, 0)
    after: Numbers = (0, 0)
    reviewed: bool = False
    outdated: tuple[Path, ...] = ()
    error: FesnetError | None = None


def change_rules(
    results: list[StudyResult],
    out: Path | None,
    change: ChangeRules,
    who: str,
    *,
    force: bool = False,
) -> Iterator[RulesChange]:
    """Write each result again under other rules: over the old one, or to its place below `out`.

    A review gets the rules, too, as an edit in the name of `who`; what people have corrected stays.
    What is damaged, or would replace a person's file (`force` replaces it), stays as it was and
    has an `error`. Raises UsageError.
    """
    if out is not None:
        make_folder(out)
        merge_study_columns(out, {r.name: r.columns for r in results if r.columns})
    for result in results:
        target = result.path if out is None else out / f"{result.name}.json"
        try:
            yield change_one(result, target, change, who, force=force)
        except (FesnetError, OSError) as error:
            yield RulesChange(result.name, error=error_of_one(target, error))


def change_one(
    result: StudyResult, target: Path, change: ChangeRules, who: str, *, force: bool
) -> RulesChange:
    """One result of `change_rules`. Edits that people make meanwhile wait, and are kept."""
    make_folder(target.parent)
    with lock_change(target.parent / CHANGE_LOCK):
        return change_locked(result, target, change, who, force=force)


def change_locked(
    result: StudyResult, target: Path, change: ChangeRules, who: str, *, force: bool
) -> RulesChange:
    """The same, while nobody else changes a review of the target's folder."""
    check_results(target, force=force)
    if review_of(target) != result.review:
        check_replaceable(review_of(target), force=force)
    old = MachineResult.read(result.path)
    new = old.spotting.rethreshold(change(old.spotting.rules))
    before, after = interval_numbers(old.spotting), interval_numbers(new)
    reviewed = result.reviewed
    if reviewed:
        with replacing(force=True):  # checked above
            before, after = change_review(result, old, new, target, who)
    write_results(new, target, force=force)
    return RulesChange(result.name, before, after, reviewed, tuple(outdated_files(target)))


def change_review(
    result: StudyResult, old: MachineResult, new: Spotting, target: Path, who: str
) -> tuple[Numbers, Numbers]:
    """The same for a review. It is written before its result: killed in between, the same call
    does both again.
    """
    review = read_review(result.review)
    before = merge_intervals(old, review)
    rules = new.rules.to_dict()
    if dict(review.rules) != rules:
        request = EditRequest(review.revision, who, "rules", rules=rules)
        review = apply_edit(old, review, request)
    after = merge_intervals(old, review)
    save_review(review, after, review_of(target))
    return row_numbers(before), row_numbers(after)


def interval_numbers(spotting: Spotting) -> Numbers:
    macro, micro = (sum(i.kind == kind for i in spotting.intervals) for kind in KINDS)
    return macro, micro


def row_numbers(rows: list[dict[str, object]]) -> Numbers:
    macro, micro = (sum(row["kind"] == kind for row in rows) for kind in KINDS)
    return macro, micro

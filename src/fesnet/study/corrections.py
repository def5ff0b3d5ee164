"""What a person corrected in ELAN, Praat, BORIS or a table becomes corrections of the result.

    NAME.eaf as the person left it, NAME.json in the version that counts
        -> the edits between them -> NAME.review.json, as if made in `fesnet review`

Edits can be undone there like all others. Nothing is taken twice: what agrees gives no edit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fesnet._guard import recorded_sha256
from fesnet._io import describe_absence, file_exists, file_sha256
from fesnet._locks import CHANGE_LOCK, lock_change
from fesnet._types import FloatArray
from fesnet.batch import read_truth_rows, result_beside
from fesnet.errors import FesnetError, TargetError, TruthError, UsageError
from fesnet.exports import is_table_of_result
from fesnet.exports.annotations import READERS
from fesnet.exports.csv import IntervalRow
from fesnet.intervals import Interval
from fesnet.review.edits import EditRequest, GoneError, apply_edit, check_person
from fesnet.review.merge import MachineResult, merge_intervals
from fesnet.review.review_file import JsonObject, Review, read_review, save_review
from fesnet.study.results import error_of_one, find_results, review_of

# What a correction covers, or does not cover any more, comes and goes: it is put right, too.
ROUNDS = 3


@dataclass(frozen=True)
class ImportedCorrections:
    """What an annotation file changed of a result. file: None where no file of the result was
    changed by a person; left_out: of tiers that are no expressions, how many; error: why nothing
    was taken."""

    review: Path
    file: Path | None = None
    same: int = 0
    moved: int = 0
    added: int = 0
    deleted: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    error: FesnetError | None = None

    @property
    def text(self) -> str:
        """For people."""
        return (
            f"{self.same} as they were, {self.moved} moved or of another kind, "
            f"{self.added} added, {self.deleted} deleted"
        )


def import_corrections(
    file: Path, who: str, result: Path | None = None, *, done: bool = False, force: bool = False
) -> ImportedCorrections:
    """Bring the review of a result to what an annotation file says, in the name of `who`.

    result: default NAME.json beside the file. done: the person has seen the whole video, so what
    stayed the same counts as checked. force: also where the review is newer than the file, which is
    a TargetError otherwise. Raises UsageError, TruthError and ResultError, too; then nothing is
    written.
    """
    if not file_exists(file):
        raise UsageError(f"expected an annotation file, but {file} {describe_absence(file)}")
    path = result or result_beside(file)
    if path.suffix != ".json" or not file_exists(path):
        raise UsageError(
            f"expected the result that {file} corrects, but {path} is none; name it by --video"
        )
    check_person(who)
    machine = MachineResult.read(path)
    _, rows, read = read_truth_rows(file, path, None, lambda *_: None)
    target = review_of(path)
    with lock_change(path.parent / CHANGE_LOCK):
        before = read_review(target) if file_exists(target) else machine.new_review(path.name)
        try:
            after, counts = correct(machine, before, rows, who)
        except UsageError as error:  # a face, say, that the result does not have
            raise TruthError(f"{file.name}: {error}") from error
        if after is not before and not force:
            check_newer(file, target)
        if done:
            after = mark_done(machine, after, who)
        if after is not before:
            save_review(after, merge_intervals(machine, after), target)
    return replace(counts, review=target, file=file, left_out=read.ignored)


def check_newer(file: Path, review: Path) -> None:
    """Raises TargetError where the review was edited after the file was saved."""
    if file_exists(review) and review.stat().st_mtime > file.stat().st_mtime:
        raise TargetError(
            f"expected {file.name} to be newer than {review.name}, but corrections were made since "
            "it was saved; export it anew and correct that, or add --force to take it over them"
        )


def correct(
    machine: MachineResult, review: Review, rows: Sequence[IntervalRow], who: str
) -> tuple[Review, ImportedCorrections]:
    """The review, with the edits that make it say what rows say, and their numbers. Raises
    UsageError."""
    present = merge_intervals(machine, review)
    edits = first = list(differences(present, rows, machine.spotting.frame_times))
    for _ in range(ROUNDS):
        for edit in edits:
            # A proposal may be covered by now, by what an edit before it moved or added.
            with suppress(GoneError):
                request = replace(edit, revision=review.revision, who=who)
                review = apply_edit(machine, review, request)
        present = merge_intervals(machine, review)
        edits = list(differences(present, rows, machine.spotting.frame_times))
        if not edits:
            break
    added, deleted = (sum(e.what == what for e in first) for what in ("add", "delete"))
    moved = len({e.id for e in first if e.what in ("edge", "kind")})
    same = len(rows) - moved - added
    return review, ImportedCorrections(Path(), same=same, moved=moved, added=added, deleted=deleted)


def differences(
    present: Sequence[JsonObject], rows: Sequence[IntervalRow], times: FloatArray
) -> Iterator[EditRequest]:
    """The edits that turn the present intervals into rows. An interval becomes the row that it
    overlaps most, of its own kind if there is one.
    """
    of_present, of_row = pair_up(present, rows)
    for place, old in enumerate(present):
        if place not in of_present:
            yield EditRequest(0, "", "delete", id=old["id"])
    for place, row in enumerate(rows):
        onset_s, offset_s = float(times[row.onset_frame]), float(times[row.offset_frame])
        moved = partial(EditRequest, 0, "", onset_s=onset_s, offset_s=offset_s)
        if place not in of_row:
            yield moved("add", face=row.face, kind=row.kind, apex_s=row.apex_s)
            continue
        old = present[of_row[place]]
        if row.kind != old["kind"]:
            yield EditRequest(0, "", "kind", id=old["id"], kind=row.kind)
        apex = old["apex_frame"] if row.apex_frame is None else row.apex_frame
        apex = min(max(apex, row.onset_frame), row.offset_frame)
        frames = row.onset_frame, apex, row.offset_frame
        if frames != tuple(old[f"{name}_frame"] for name in ("onset", "apex", "offset")):
            yield moved("edge", id=old["id"], apex_s=float(times[apex]))


def pair_up(
    present: Sequence[JsonObject], rows: Sequence[IntervalRow]
) -> tuple[dict[int, int], dict[int, int]]:
    """Which row each present interval became, and the other way round: equal ones first, then
    those of the highest IoU, one to one, never of another face."""
    of_present: dict[int, int] = {}
    of_row: dict[int, int] = {}
    equal: dict[tuple[object, ...], list[int]] = {}
    for place, old in enumerate(present):
        key = (old["face"], old["kind"], old["onset_frame"], old["offset_frame"])
        equal.setdefault(key, []).append(place)
    for place, row in enumerate(rows):
        same = equal.get((row.face, row.kind, row.onset_frame, row.offset_frame))
        if same:
            of_row[place] = same.pop(0)
            of_present[of_row[place]] = place
    for _, _, old_place, place in sorted(overlapping_pairs(present, rows, of_present, of_row)):
        if old_place not in of_present and place not in of_row:
            of_present[old_place], of_row[place] = place, old_place
    return of_present, of_row


def overlapping_pairs(
    present: Sequence[JsonObject],
    rows: Sequence[IntervalRow],
    of_present: dict[int, int],
    of_row: dict[int, int],
) -> Iterator[tuple[bool, float, int, int]]:
    """(other kind, -IoU, place of the present interval, place of the row) of all that are free and
    overlap."""
    free = sorted(
        (old["face"], old["onset_frame"], place)
        for place, old in enumerate(present)
        if place not in of_present
    )
    left = sorted((r.face, r.onset_frame, k) for k, r in enumerate(rows) if k not in of_row)
    open_ones: list[int] = []
    at = 0
    for face, onset, place in left:
        last = rows[place].offset_frame
        while at < len(free) and free[at][:2] <= (face, last):
            open_ones.append(free[at][2])
            at += 1
        # No later row of this face begins earlier.
        open_ones = [
            k
            for k in open_ones
            if present[k]["face"] == face and present[k]["offset_frame"] >= onset
        ]
        row = Interval(onset, last + 1, rows[place].kind)
        for k in open_ones:
            old = present[k]
            span = Interval(old["onset_frame"], old["offset_frame"] + 1, old["kind"])
            if span.overlap(row):
                yield span.kind != row.kind, -span.iou(row), k, place


def mark_done(machine: MachineResult, review: Review, who: str) -> Review:
    """The review, with what the machine alone said checked, and the video seen as a whole."""
    for row in merge_intervals(machine, review):
        if not row["checked"] and row["when"] is None:
            check = EditRequest(review.revision, who, "check", id=row["id"])
            review = apply_edit(machine, review, check)
    if review.done:
        return review
    return apply_edit(machine, review, EditRequest(review.revision, who, "done"))


def import_folder(
    folder: Path, who: str, *, done: bool = False, force: bool = False
) -> Iterator[ImportedCorrections]:
    """The same for every result below a folder that has an annotation file beside it which a
    person made or changed. One that cannot be taken has an `error`. Raises UsageError.
    """
    for result in find_results(folder):
        review = review_of(result.path)
        try:
            files = changed_files(result.path)
            if len(files) > 1:
                names = " and ".join(f.name for f in files)
                raise TruthError(
                    f"expected one corrected file of {result.name}, got {names}; name one of them"
                )
            if files:
                yield import_corrections(files[0], who, result.path, done=done, force=force)
            else:
                yield ImportedCorrections(review)
        except (FesnetError, OSError) as error:
            yield ImportedCorrections(review, error=error_of_one(review, error))


def changed_files(result: Path) -> list[Path]:
    """The annotation files beside a result that are not as fesnet wrote them."""
    endings = {e.casefold() for e in READERS}
    stems = (result.stem, f"{result.stem}.review")
    found = sorted(
        path
        for path in result.parent.iterdir()
        if path.suffix.casefold() in endings and path.stem in stems and file_exists(path)
    )
    return [path for path in found if not is_as_written(path)]


def is_as_written(path: Path) -> bool:
    return file_sha256(path) in recorded_sha256(path) or (
        path.suffix == ".csv" and is_table_of_result(path)
    )

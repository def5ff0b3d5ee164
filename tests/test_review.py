"""Reviews: what the journal keeps, what moving thresholds leaves alone, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fesnet.errors import ResultError, UsageError
from fesnet.exports import export
from fesnet.metrics import agree
from fesnet.metrics.interval_tables import read_intervals
from fesnet.postprocess import IntervalRules
from fesnet.review import read_reviewed
from fesnet.review.agreement import compute_agreement, machine_opinions, person_opinions
from fesnet.review.edits import EditRequest, StaleError, apply_edit
from fesnet.review.merge import (
    MachineResult,
    corrected_result,
    merge_intervals,
    review_rules,
)
from fesnet.review.review_file import Review, read_review, save_review
from review_server import made_spotting


@pytest.fixture
def machine() -> MachineResult:
    return MachineResult(made_spotting(), "0" * 64)


@pytest.fixture
def review(machine: MachineResult) -> Review:
    return machine.new_review("small.json")


def do(machine: MachineResult, review: Review, what: Any, **fields: Any) -> Review:
    return apply_edit(machine, review, EditRequest(review.revision, "anna", what, **fields))


def seen(machine: MachineResult, review: Review) -> list[tuple[str, int, int, str]]:
    return [
        (i["kind"], i["onset_frame"], i["offset_frame"], i["by"])
        for i in merge_intervals(machine, review)
    ]


def first(machine: MachineResult, review: Review, kind: str = "macro") -> str:
    return next(i["id"] for i in merge_intervals(machine, review) if i["kind"] == kind)


def test_nothing_done_shows_the_machine_s(machine: MachineResult, review: Review) -> None:
    found = [(i.kind, i.onset_frame, i.offset_frame, "machine") for i in machine.spotting.intervals]
    assert len(found) == 2
    assert seen(machine, review) == found


def test_an_edge_is_moved_to_the_nearest_frame_and_undone(
    machine: MachineResult, review: Review
) -> None:
    before = seen(machine, review)
    key = first(machine, review)
    moved = do(machine, review, "edge", id=key, onset_s=0.51, apex_s=0.1, offset_s=1.49)
    assert seen(machine, moved)[0] == ("macro", 13, 37, "anna")
    assert merge_intervals(machine, moved)[0]["apex_frame"] == 13  # kept inside
    back = do(machine, moved, "undo")
    assert seen(machine, back) == before
    again = do(machine, back, "redo")
    assert seen(machine, again) == seen(machine, moved)
    assert [(e.n, e.what, e.who, e.of) for e in again.entries] == [
        (1, "edge", "anna", None), (2, "undo", "anna", 1), (3, "redo", "anna", 1)
    ]  # fmt: skip


def test_a_new_edit_ends_what_could_be_redone(machine: MachineResult, review: Review) -> None:
    key = first(machine, review)
    undone = do(machine, do(machine, review, "delete", id=key), "undo")
    other = do(machine, undone, "check", id=key)
    with pytest.raises(UsageError, match="expected an edit to redo, but there is none"):
        do(machine, other, "redo")
    both = do(machine, do(machine, other, "undo"), "redo")
    assert seen(machine, both) == seen(machine, other)


def test_undo_goes_back_to_the_beginning(machine: MachineResult, review: Review) -> None:
    start, now = seen(machine, review), review
    now = do(machine, now, "rules", rules={"macro_threshold": 0.3})
    now = do(machine, now, "add", kind="micro", onset_s=0.2, offset_s=0.4)
    now = do(machine, now, "note", id="p2", note="a blink?")
    now = do(machine, now, "kind", id=first(machine, now), kind="micro")
    for _ in range(4):
        now = do(machine, now, "undo")
    assert seen(machine, now) == start
    with pytest.raises(UsageError, match="expected an edit to undo, but there is none"):
        do(machine, now, "undo")
    assert now.revision == 8  # nothing leaves the journal


def test_a_lower_threshold_brings_new_proposals_and_nothing_that_was_judged(
    machine: MachineResult, review: Review
) -> None:
    now = do(machine, review, "delete", id=first(machine, review, "micro"))
    now = do(machine, now, "edge", id=first(machine, now), onset_s=0.9, apex_s=1.0, offset_s=1.1)
    now = do(machine, now, "rules", rules={"macro_threshold": 0.3, "micro_threshold": 0.3})
    assert seen(machine, now) == [("macro", 22, 27, "anna"), ("macro", 75, 89, "machine")]
    # The machine alone would say all three.
    assert len(machine.proposals(IntervalRules.from_dict(now.rules))) == 3


def test_a_higher_threshold_takes_only_what_nobody_touched(
    machine: MachineResult, review: Review
) -> None:
    now = do(machine, review, "check", id=first(machine, review))
    now = do(machine, now, "rules", rules={"macro_threshold": 0.99, "micro_threshold": 0.99})
    assert [row[0] for row in seen(machine, now)] == ["macro"]
    assert merge_intervals(machine, now)[0]["checked"] is True


def test_an_added_interval_leaves_the_other_kind_alone(
    machine: MachineResult, review: Review
) -> None:
    now = do(machine, review, "add", kind="micro", onset_s=0.9, offset_s=1.1)  # inside the macro
    assert [row[0] for row in seen(machine, now)] == ["macro", "micro", "micro"]
    now = do(machine, now, "add", kind="macro", onset_s=0.6, offset_s=1.4)  # over the macro
    assert [(kind, by) for kind, _, _, by in seen(machine, now)].count(("macro", "machine")) == 0


def test_rules_under_another_name_are_refused(machine: MachineResult, review: Review) -> None:
    with pytest.raises(UsageError, match=r"expected interval rules .* got colour"):
        do(machine, review, "rules", rules={"colour": 1.0})
    with pytest.raises(UsageError, match="expected macro_threshold above 0 and up to 1, got 3"):
        do(machine, review, "rules", rules={"macro_threshold": 3.0})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"what": "edge", "onset_s": 2.0, "offset_s": 1.0},
            "expected an onset before its offset, got 2.0 s and 1.0 s",
        ),
        (
            {"what": "edge", "onset_s": float("nan"), "offset_s": 1.0},
            "expected an onset before its offset",
        ),
        (
            {"what": "edge", "onset_s": 500.0, "offset_s": 501.0},
            r"expected a time within the video \(0.00 to 3.96 s\)",
        ),
        (
            {"what": "add", "face": 7, "onset_s": 0.0, "offset_s": 1.0},
            "expected one of the faces 0, got 7",
        ),
        (
            {"what": "delete", "id": "m9.9.9.macro"},
            "expected an interval that is there, got 'm9.9.9.macro'",
        ),
        ({"what": "note", "note": "x" * 5000}, "expected a note of at most 4000 letters, got 5000"),
        ({"what": "check", "who": "  "}, "expected your name"),
    ],
)
def test_refused_edits(
    machine: MachineResult, review: Review, fields: dict[str, Any], words: str
) -> None:
    values = {"revision": 0, "who": "anna", "id": first(machine, review), **fields}
    with pytest.raises(UsageError, match=words):
        apply_edit(machine, review, EditRequest(**values))


def test_a_stale_edit_is_refused_and_says_who_was_first(
    machine: MachineResult, review: Review
) -> None:
    now = do(machine, review, "check", id=first(machine, review))
    late = EditRequest(0, "ben", "delete", first(machine, review))
    with pytest.raises(
        StaleError, match=r"expected an edit of revision 1, got one of 0: .*last by anna at "
    ):
        apply_edit(machine, now, late)


def saved(machine: MachineResult, review: Review, folder: Path) -> Path:
    machine.spotting.to_json(folder / "small.json")
    path = folder / "small.review.json"
    save_review(review, merge_intervals(machine, review), path)
    return path


def test_saved_and_read_back(machine: MachineResult, review: Review, tmp_path: Path) -> None:
    now = do(machine, review, "note", id=first(machine, review), note="Stirn 😀")
    now = do(machine, now, "rules", rules={"micro_threshold": 0.4})
    path = saved(machine, now, tmp_path)
    back = read_review(path)
    assert merge_intervals(machine, back) == merge_intervals(machine, now)
    assert back.revision == 2
    values = json.loads(path.read_text(encoding="utf-8"))
    assert values["schema"] == "fesnet-review/1"
    # Both versions are in it.
    assert [i["kind"] for i in values["machine"]["intervals"]] == ["macro", "micro"]
    assert values["machine"]["sha256"] == "0" * 64
    assert values["journal"][0]["who"] == "anna"
    assert values["journal"][0]["when"].endswith("Z")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_review_of_an_earlier_version_is_read(machine: MachineResult) -> None:
    path = Path(__file__).parent / "data" / "before-renames.review.json"
    review = read_review(path)
    assert review.revision == 6
    written = json.loads(path.read_text(encoding="utf-8"))["intervals"]
    assert json.loads(json.dumps(merge_intervals(machine, review))) == written


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda v: v.update(schema="fesnet-review/9"),
            "expected a review of schema fesnet-review/1",
        ),
        (lambda v: v["journal"].pop(0), "it is damaged .*numbers of its journal"),
        (lambda v: v["journal"][0]["after"].update(kind="smile"), "it is damaged"),
        (
            lambda v: v["journal"][0]["after"].update(offset_frame=100_000),
            "it is damaged .*after the end",
        ),
        (lambda v: v.pop("machine"), "it is damaged"),
    ],
)
def test_damaged_reviews(
    machine: MachineResult, review: Review, tmp_path: Path, spoil: Any, words: str
) -> None:
    now = do(machine, review, "check", id=first(machine, review))
    path = saved(machine, do(machine, now, "undo"), tmp_path)
    values = json.loads(path.read_text(encoding="utf-8"))
    spoil(values)
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ResultError, match=words):
        read_review(path)


def test_a_review_of_another_video_is_refused(machine: MachineResult, review: Review) -> None:
    other = MachineResult(made_spotting(seconds=8.0), "1" * 64)
    with pytest.raises(ResultError, match=r"was reviewed \(100 frames\), got one of 200 frames"):
        merge_intervals(other, review)


def test_a_review_becomes_a_result_for_exports(
    machine: MachineResult, review: Review, tmp_path: Path
) -> None:
    now = do(machine, review, "delete", id=first(machine, review, "micro"))
    path = saved(machine, now, tmp_path)
    found = read_reviewed(path)
    assert [i.kind for i in found.intervals] == ["macro"]
    assert found.provenance["review"] == {
        "by": ["anna"], "when": now.entries[-1].when, "edits": 1, "checked": 0,
        "machine_sha256": "0" * 64,
    }  # fmt: skip
    assert found.provenance["trained_on"] == "nothing"
    (written,) = export(found, ["csv"], tmp_path, "small.review")
    assert len(written.read_text(encoding="utf-8").splitlines()) == 2
    (tmp_path / "small.json").unlink()
    with pytest.raises(
        ResultError, match=r"expected the machine's result small\.json beside .*, found none"
    ):
        read_reviewed(path)


@pytest.mark.parametrize("named", [None, "../x.json", "", ".."])
def test_a_review_that_names_no_file_beside_it(
    machine: MachineResult, review: Review, named: str | None, tmp_path: Path
) -> None:
    path = saved(machine, review, tmp_path)
    values = json.loads(path.read_text(encoding="utf-8"))
    values["machine"] |= {"file": named}
    if named is None:
        del values["machine"]["file"]
    path.write_text(json.dumps(values), encoding="utf-8")
    result = (tmp_path / "small.json").rename(tmp_path / "x.json")
    if named == "../x.json":  # a file beside the review is meant, wherever it once lay
        assert [i.kind for i in read_reviewed(path).intervals] == ["macro", "micro"]
        result.unlink()
    with pytest.raises(
        ResultError, match=r"expected the machine's result .* beside .*, found none"
    ):
        read_reviewed(path)


def test_scores_read_reviews(machine: MachineResult, review: Review, tmp_path: Path) -> None:
    now = do(machine, review, "delete", id=first(machine, review, "micro"))
    now = do(machine, now, "add", kind="macro", onset_s=3.0, offset_s=3.6)
    path = saved(machine, now, tmp_path)
    both = agree(path, tmp_path / "small.json")
    counts = both.to_dict(["official"])["protocols"]["official"]
    # The proposal that nobody looked at is nobody's opinion.
    assert (counts["macro"]["tp"], counts["macro"]["fn"], counts["micro"]["fp"]) == (0, 1, 1)
    assert both.notes[0] == (
        "reviews: 2 moments looked at; only these count, 1 proposal that nobody looked at on "
        "neither side"
    )
    assert "fewer than 5 moments" in both.notes[1]
    # Of a folder the results count, not what people made of them.
    assert [f.interval.kind for f in read_intervals(tmp_path)] == ["macro", "micro"]


def test_a_result_made_anew_keeps_the_person_s_edits(
    machine: MachineResult, review: Review
) -> None:
    now = do(
        machine, review, "edge", id=first(machine, review), onset_s=0.2, apex_s=0.5, offset_s=0.8
    )
    anew = MachineResult(replace(machine.spotting, intervals=()), "1" * 64)
    assert seen(anew, now) == [("macro", 5, 20, "anna")]
    assert [i.onset_frame for i in corrected_result(anew, now).intervals] == [5]


def opinions(machine: MachineResult, review: Review) -> Any:
    return compute_agreement(
        person_opinions(machine, review), machine_opinions(machine), review.frames, 4.0
    )


@pytest.fixture
def many() -> MachineResult:
    """Six macros in twenty seconds, and one below the threshold."""
    bumps = [(0, 1.5 + 3 * n, 0.4, 0.9) for n in range(6)]
    return MachineResult(made_spotting(22.0, [*bumps, (0, 19.5, 0.4, 0.4)]), "0" * 64)


def test_agreement_counts_only_what_a_person_has_looked_at(many: MachineResult) -> None:
    """After one check, one deletion and a slider nothing is said of what nobody looked at."""
    review = many.new_review("small.json")
    keys = [i["id"] for i in merge_intervals(many, review)]
    review = do(many, review, "check", id=keys[0])
    review = do(many, review, "delete", id=keys[1])
    review = do(many, review, "rules", rules={"macro_threshold": 0.3})
    said = opinions(many, review)
    assert (said["looked_at"], said["left"], said["kinds"]) == (2, 5, None)
    for key in keys[2:5]:
        review = do(many, review, "check", id=key)
    said = opinions(many, review)
    assert (said["looked_at"], said["left"], said["kappa"]) == (5, 2, None)
    macro = said["kinds"]["macro"]
    assert (macro["tp"], macro["fp"], macro["fn"]) == (4, 1, 0)  # the sixth is nobody's


def test_what_is_added_or_moved_is_looked_at_and_an_undone_edit_is_not(
    many: MachineResult,
) -> None:
    review = many.new_review("small.json")
    keys = [i["id"] for i in merge_intervals(many, review)]
    review = do(many, review, "note", id=keys[0], note="look again")
    review = do(many, review, "check", id=keys[1])
    review = do(many, review, "check", id=keys[1], checked=False)
    assert opinions(many, review)["looked_at"] == 0
    review = do(many, review, "add", kind="micro", onset_s=20.5, offset_s=20.8)
    review = do(many, review, "edge", id=keys[2], onset_s=7.0, apex_s=7.5, offset_s=8.0)
    review = do(many, review, "kind", id=keys[3], kind="micro")
    assert opinions(many, review)["looked_at"] == 3
    assert opinions(many, do(many, review, "undo"))["looked_at"] == 2


def test_scores_of_a_review_are_those_of_the_page(many: MachineResult, tmp_path: Path) -> None:
    review = many.new_review("small.json")
    keys = [i["id"] for i in merge_intervals(many, review)]
    for key in keys[:3]:
        review = do(many, review, "check", id=key)
    review = do(many, review, "delete", id=keys[3])
    review = do(many, review, "add", kind="micro", onset_s=20.5, offset_s=20.8)
    path = saved(many, review, tmp_path)
    for sides in ((path, tmp_path / "small.json"), (tmp_path / "small.json", path)):
        both = agree(*sides)
        counts = both.evaluate_as("official").counts
        page = opinions(many, review)["kinds"]
        flipped = sides[0] != path
        for kind in ("macro", "micro"):
            found = (counts[kind].tp, *sorted((counts[kind].fp, counts[kind].fn)))
            shown = page[kind]
            assert found == (shown["tp"], *sorted((shown["fp"], shown["fn"])))
            assert (counts[kind].fn if flipped else counts[kind].fp) == shown["fp"]
        values = both.to_dict(["official"])
        assert values["frame_kappa"] is None  # two proposals were not looked at
        official = values["protocols"]["official"]
        assert official["macro"]["false_alarms_a_minute"] is None


def test_a_complete_review_scores_as_a_whole_truth(many: MachineResult, tmp_path: Path) -> None:
    review = many.new_review("small.json")
    for row in merge_intervals(many, review):
        review = do(many, review, "check", id=row["id"])
    path = saved(many, review, tmp_path)
    values = agree(path, tmp_path / "small.json").to_dict(["official"])
    assert values["frame_kappa"] == 1.0
    assert values["protocols"]["official"]["macro"]["tp"] == 6


def test_a_persons_table_counts_where_no_proposal_lay(many: MachineResult, tmp_path: Path) -> None:
    """Beside a review that looked at one of six, a table of another person has that one, one that
    nobody looked at, and one of its own."""
    review = many.new_review("small.json")
    rows = merge_intervals(many, review)
    path = saved(many, do(many, review, "check", id=rows[0]["id"]), tmp_path)
    lines = ["video,kind,onset_s,offset_s,onset_frame,offset_frame"]
    for first, last in (
        (rows[0]["onset_frame"], rows[0]["offset_frame"]),
        (rows[2]["onset_frame"], rows[2]["offset_frame"]),
        (500, 510),
    ):
        lines.append(f"small.mp4,macro,0,0,{first},{last}")
    (tmp_path / "other.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    counts = agree(tmp_path / "other.csv", path).evaluate_as("official").counts["macro"]
    assert (counts.tp, counts.fn, counts.fp) == (1, 1, 0)


def test_two_people_are_compared_where_both_looked(many: MachineResult) -> None:
    anna = ben = many.new_review("small.json")
    keys = [i["id"] for i in merge_intervals(many, anna)]
    for key in keys:
        anna = do(many, anna, "check", id=key)
    for key in keys[:4]:
        ben = do(many, ben, "check", id=key)
    ben = do(many, ben, "delete", id=keys[4])
    sides = [person_opinions(many, review) for review in (anna, ben)]
    said = compute_agreement(sides[0], sides[1], anna.frames, 4.0)
    macro = said["kinds"]["macro"]
    assert (said["looked_at"], said["left"]) == (5, 1)
    assert (macro["tp"], macro["fn"], macro["fp"]) == (4, 1, 0)
    again = compute_agreement(sides[1], sides[0], anna.frames, 4.0)["kinds"]["macro"]
    assert (again["tp"], again["fn"], again["fp"]) == (4, 0, 1)


def test_a_slider_only_adds_proposals_and_agrees_with_other_rules(many: MachineResult) -> None:
    rules = review_rules(many.new_review("small.json"))
    for threshold in (0.9, 0.5, 0.4, 0.3):
        moved = rules.changed({"macro_threshold": threshold})
        assert many.proposals(moved) == many.spotting.rethreshold(moved).intervals
    low = rules.changed({"micro_threshold": 0.1, "macro_threshold": 0.3})
    assert set(many.spotting.intervals) < set(many.proposals(low))

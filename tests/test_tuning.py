"""Rules fitted to reviewed videos: what counts as checked, the estimate, and what is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from fesnet.batch.columns import merge_study_columns
from fesnet.cli import app
from fesnet.errors import UsageError
from fesnet.result import Spotting
from fesnet.review.edits import EditRequest, apply_edit
from fesnet.review.merge import MachineResult, merge_intervals
from fesnet.review.review_file import save_review
from fesnet.study import tuning
from fesnet.study.tuning import tune_on_reviews
from made_study import scored_result


@pytest.fixture(autouse=True)
def small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "THRESHOLD_GRID", (0.3, 0.5, 0.7))
    monkeypatch.setattr(tuning, "RELEASES", (0.6,))
    monkeypatch.setattr(tuning, "VALLEYS", (0.5,))
    monkeypatch.setattr(tuning, "INTENSITY_VALLEYS", ())


def check_all(result: Path, *, missed: list[tuple[float, float]], drop: float = 0.0) -> None:
    """A review in which a person checks every interval, deletes those that score less than `drop`,
    and adds micro-expressions that the machine has missed.
    """
    machine = MachineResult.read(result)
    review = machine.new_review(result.name)
    requests = [
        {"what": "delete" if row["score"] < drop else "check", "id": row["id"]}
        for row in merge_intervals(machine, review)
    ]
    requests += [{"what": "add", "kind": "micro", "onset_s": a, "offset_s": b} for a, b in missed]
    for request in requests:
        edit = EditRequest(review.revision, "anna", **request)  # type: ignore[arg-type]
        review = apply_edit(machine, review, edit)
    target = result.with_name(f"{result.stem}.review.json")
    save_review(review, merge_intervals(machine, review), target)


def make_reviewed(folder: Path, people: int, weak: float, drop: float = 0.0) -> Path:
    """Each participant has four sure macros and four micros of the score `weak`, all true."""
    folder.mkdir()
    for n in range(people):
        micros = [(2 + 5 * k + n / 10, 2.3 + 5 * k + n / 10) for k in range(4)]
        events = [("micro", a, b, weak) for a, b in micros]
        events += [("macro", 30 + 6 * k, 31.5 + 6 * k, 0.9) for k in range(4)]
        scored_result(events, name=f"p{n}.mp4").to_json(folder / f"p{n}.json")
        frames = [(a, b - 1 / 30) for a, b in micros]
        check_all(folder / f"p{n}.json", missed=frames if weak < 0.5 else [], drop=drop)
    merge_study_columns(folder, {f"p{n}": {"participant": f"P{n}"} for n in range(people)})
    return folder


def test_missed_micros_lower_the_threshold(tmp_path: Path) -> None:
    folder = make_reviewed(tmp_path / "r", 4, weak=0.4)
    out = tmp_path / "lab.toml"
    done = CliRunner().invoke(
        app, ["tune-rules", "--reviewed", str(folder), "--out", str(out)], catch_exceptions=False
    )
    assert "before, on left-out participants: macro F1 1.000, micro F1 0.000" in done.output
    assert "after, on left-out participants: macro F1 1.000, micro F1 1.000" in done.output
    assert "micro_threshold = 0.3" in out.read_text(encoding="utf-8")
    again = ["rethreshold", str(folder / "p0.json"), "--rules", str(out)]
    assert CliRunner().invoke(app, again, catch_exceptions=False).exit_code == 0
    assert len(Spotting.from_json(folder / "p0.json").intervals) == 8


def test_where_it_does_not_help_nothing_is_written(tmp_path: Path) -> None:
    folder = make_reviewed(tmp_path / "r", 3, weak=0.6)
    out = tmp_path / "lab.toml"
    done = CliRunner().invoke(app, ["tune-rules", "--reviewed", str(folder), "--out", str(out)])
    assert "other rules do not help" in done.output and not out.exists()
    tuned = tune_on_reviews(folder)
    assert tuned.rules == tuned.present and tuned.before == tuned.after


def test_the_left_out_participant_is_not_fitted(tmp_path: Path) -> None:
    """One participant alone has false micros: the rules that are measured there are the others'."""
    folder = make_reviewed(tmp_path / "r", 3, weak=0.6)
    events = [("micro", 2 + 5 * k, 2.3 + 5 * k, 0.6) for k in range(4)]
    scored_result(events, name="p9.mp4").to_json(folder / "p9.json")
    check_all(folder / "p9.json", missed=[], drop=0.9)
    tuned = tune_on_reviews(folder)
    assert tuned.participants == 4
    assert (tuned.before["micro"].fp, tuned.after["micro"].fp) == (4, 4)


def test_too_little_checked_material_is_refused(tmp_path: Path) -> None:
    folder = make_reviewed(tmp_path / "r", 2, weak=0.6)
    with pytest.raises(UsageError, match="got 2 participants and 16 expressions; check"):
        tune_on_reviews(folder)
    scored_result([("macro", 1, 3, 0.9), ("macro", 9, 12, 0.9)]).to_json(folder / "p5.json")
    machine = MachineResult.read(folder / "p5.json")
    review = machine.new_review("p5.json")
    key = merge_intervals(machine, review)[0]["id"]
    review = apply_edit(machine, review, EditRequest(0, "anna", "check", key))
    save_review(review, merge_intervals(machine, review), folder / "p5.review.json")
    with pytest.raises(UsageError, match="1 reviews are not checked as a whole"):
        tune_on_reviews(folder)


def test_wrong_calls() -> None:
    for arguments, words in (
        (["--reviewed", "x", "--write"], "expected --reviewed with --out alone"),
        (["--reviewed", "x", "--out", "rules.txt"], "expected a .toml file"),
        (["x"], "expected two folders, weights and --results, or --reviewed"),
    ):
        done = CliRunner().invoke(app, ["tune-rules", *arguments])
        assert isinstance(done.exception, UsageError) and words in str(done.exception)

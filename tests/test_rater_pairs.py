"""Agreement of raters over a results folder."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fesnet.batch.columns import merge_study_columns
from fesnet.cli import main
from fesnet.metrics import frame_table, kappa_of
from fesnet.review.edits import EditRequest, apply_edit
from fesnet.review.merge import MachineResult, merge_intervals
from fesnet.review.review_file import save_review
from fesnet.study.rater_pairs import compare_raters, material_lines
from fesnet.study.results import find_results
from fesnet.study.summarize import SummaryOptions, summarize
from made_study import scored_result

Said = list[tuple[str, float, float]]  # kind, onset s, offset s


def rate(result: Path, rater: str, said: Said, *, done: bool = True, blind: bool = True) -> None:
    """A review of somebody; without a name the corrected version."""
    machine = MachineResult.read(result)
    review = replace(machine.new_review(result.name), blind=blind)
    for kind, onset, offset in said:
        span = {"kind": kind, "onset_s": onset, "offset_s": offset}
        edit = EditRequest(review.revision, rater or "eva", "add", **span)  # type: ignore[arg-type]
        review = apply_edit(machine, review, edit)
    if done:
        review = apply_edit(machine, review, EditRequest(review.revision, rater or "eva", "done"))
    name = f"{result.stem}.{rater}.review.json" if rater else f"{result.stem}.review.json"
    save_review(review, merge_intervals(machine, review), result.with_name(name))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Three participants, a video each; anna and ben agree on two of three, and in P3 ben is not
    ready."""
    for n in (1, 2, 3):
        path = tmp_path / f"s{n}" / "a.json"
        path.parent.mkdir()
        scored_result([], seconds=30.0).to_json(path)
        both: Said = [("macro", 2.0, 4.0), ("micro", 8.0, 8.3)]
        rate(path, "anna", [*both, ("macro", 20.0, 22.0)])
        rate(path, "ben", [*both, ("micro", 12.0 + n, 12.3 + n)], done=n < 3)
    merge_study_columns(tmp_path, {f"s{n}/a": {"participant": f"P{n}"} for n in (1, 2, 3)})
    return tmp_path


def test_f1_of_what_both_looked_at_and_kappa_of_whole_videos(study: Path) -> None:
    (macro, micro, both), notes = compare_raters(find_results(study))
    assert not notes
    assert (both.one, both.other, both.independent, both.kind) == ("anna", "ben", True, "overall")
    assert (both.videos, both.participants) == (3, 3)
    # In P3 what anna alone marked says nothing, as ben may not have seen it.
    assert (macro.both, macro.only_one, macro.only_other) == (3, 2, 0)
    assert (micro.both, micro.only_one, micro.only_other) == (3, 0, 3)
    assert both.f1 == pytest.approx(12 / 17)
    assert both.f1_low_95 is not None and both.f1_low_95 <= both.f1 <= (both.f1_high_95 or 0)
    assert (both.whole_videos, both.whole_minutes) == (2, 1.0)
    assert macro.kappa is None
    # Frames of a whole video, anna's in rows: neutral, macro (61 frames each), micro (10 each).
    table = np.array([[900.0 - 61 - 61 - 10 - 10, 0, 10], [61, 61, 0], [0, 0, 10]])
    assert both.kappa == pytest.approx(kappa_of(table))
    assert both.left == 1


def test_the_page_the_table_and_the_command_say_so(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["fesnet", "summary", str(study)])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    said = " ".join(capsys.readouterr().out.split())
    assert "anna and ben: 11 moments looked at by both in 3 videos of 3 participants" in said
    page = (study / "index.html").read_text(encoding="utf-8")
    assert "<h2>Raters</h2>" in page and "kappa of 2 whole videos, 1.0 min" in page
    with (study / "raters.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [rows[0][name] for name in ("kind", "both", "f1")] == ["macro", "3", "0.75"]


def test_a_handful_of_moments_gives_no_figure(study: Path) -> None:
    for n in (2, 3):
        (study / f"s{n}" / "a.ben.review.json").unlink()
    (_, _, both), _ = compare_raters(find_results(study))
    assert (both.moments, both.f1, both.kappa) == (4, None, None)
    assert "from 5 moments on" in material_lines([both])[0]


def test_a_corrected_version_is_told_from_an_independent_opinion(study: Path) -> None:
    rate(study / "s1" / "a.json", "", [("macro", 2.0, 4.0)] * 1, blind=False)
    pairs, _ = compare_raters(find_results(study))
    overall = {(p.one, p.other): p for p in pairs if p.kind == "overall"}
    assert sorted(overall) == [("anna", "ben"), ("anna", "corrected"), ("ben", "corrected")]
    assert not overall["anna", "corrected"].independent
    assert "not independent" in material_lines([overall["anna", "corrected"]])[0]


def test_a_review_of_another_result_is_no_rater_and_damage_is_told(study: Path) -> None:
    scored_result([], seconds=30.0).to_json(study / "s1" / "a.ben.json")
    pairs, _ = compare_raters(find_results(study))
    assert pairs[2].videos == 2  # s1/a.ben.review.json is the review of s1/a.ben.json
    (study / "s2" / "a.ben.review.json").write_text("{}", encoding="utf-8")
    lines: list[str] = []
    done = summarize(study, SummaryOptions(), lines.append)
    assert any(line.startswith("s2/a: expected a review") for line in lines)
    assert done.raters[2].videos == 1


def test_one_rater_makes_no_table(study: Path) -> None:
    for file in study.rglob("a.ben.review.json"):
        file.unlink()
    done = summarize(study, SummaryOptions(), lambda line: None)
    assert not done.raters
    assert not (study / "raters.csv").exists()
    assert "Raters" not in done.index.read_text(encoding="utf-8")


def test_kappa_of_a_table() -> None:
    assert kappa_of(np.array([[20.0, 5.0], [10.0, 15.0]])) == pytest.approx(0.4)
    assert np.isnan(kappa_of(np.zeros((3, 3))))
    assert frame_table([((), ())], [7])[0, 0] == 7

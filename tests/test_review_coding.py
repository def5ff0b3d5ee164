"""Review as a coding tool, without a browser: blind raters, two raters side by side, the list."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from fesnet.errors import UsageError
from fesnet.faces import Face
from fesnet.metrics import agree
from fesnet.review.face_path import EYE_CORNERS, PATH_RATE, read_paths, save_paths, smooth_path
from fesnet.review.overview import read_overview
from fesnet.review.raters import pair_moments
from fesnet.review.review_file import read_review
from fesnet.review.server import ServerOptions, prepare_server
from fesnet.study.results import find_results
from fesnet.video import Frame
from review_server import Web, made_spotting, make_work, serving, wait_for


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_work(tmp_path_factory.mktemp("coding") / "work")


@pytest.fixture
def work(ready: Path, tmp_path: Path) -> Path:
    return shutil.copytree(ready, tmp_path / "work")


def mark(web: Web, revision: int, kind: str, onset_s: float, offset_s: float) -> None:
    span = {"kind": kind, "onset_s": onset_s, "offset_s": offset_s}
    assert web.edit(revision, "add", **span).status == 200


def rate(work: Path, name: str, spans: list[tuple[str, float, float]], *, done: bool) -> None:
    """A blind review by `name`."""
    with serving([work], blind=name) as (web, _):
        for revision, (kind, onset, offset) in enumerate(spans):
            mark(web, revision, kind, onset, offset)
        if done:
            assert web.edit(len(spans), "done", done=True).status == 200


def test_a_blind_rater_sees_nothing_of_the_machine(work: Path) -> None:
    with serving([work], blind="ben") as (web, _):
        view = web.view()
        assert view["intervals"] == view["machine"] == view["candidates"] == view["others"] == []
        assert view["blind"]
        proposal = made_spotting().intervals[0]
        key = f"m0.{proposal.onset_frame}.{proposal.offset_frame}.{proposal.kind}"
        refused = [
            web.ask("GET", "/api/videos/small/scores/0"),
            web.ask("GET", "/api/videos/small/preview?rules=macro_threshold=0.1"),
            web.ask("GET", "/api/videos/small/agreement"),
            web.ask("GET", "/api/videos/small/raters?one=machine&other=person"),
            web.ask("POST", "/api/videos/small/export?to=csv&which=machine"),
            web.edit(0, "check", id=key),
            web.edit(0, "rules", rules={"macro_threshold": 0.1}),
        ]
        assert [answer.status for answer in refused] == [400] * len(refused)
        (video,) = web.ask("GET", "/api/videos").json
        assert (video["macro"], video["micro"], video["progress"]) == (0, 0, "open")
        mark(web, 0, "micro", 1.0, 1.3)
        assert [i["by"] for i in web.view()["intervals"]] == ["anna"]
    assert read_review(work / "small.ben.review.json").blind
    assert not (work / "small.review.json").exists()
    (result,) = find_results(work)
    assert not result.reviewed  # an opinion is not the version that counts


def test_a_review_begun_in_view_of_the_proposals_is_not_gone_on_with_blindly(work: Path) -> None:
    with serving([work]) as (web, _):
        mark(web, 0, "macro", 1.0, 1.8)
    (work / "small.review.json").rename(work / "small.ben.review.json")
    with serving([work], blind="ben") as (web, _):
        assert "blind review of ben" in web.ask("GET", "/api/videos/small").error


@pytest.mark.parametrize("name", ["a.b", "../x", "a b", "x" * 41])
def test_names_that_make_no_file_are_refused(work: Path, name: str) -> None:
    with pytest.raises(UsageError, match="--blind"):
        prepare_server([work], ServerOptions(blind=name))


def test_two_blind_raters_agree_only_where_both_have_looked(work: Path) -> None:
    spans = [("macro", 0.2 + 0.6 * k, 0.6 + 0.6 * k) for k in range(6)]
    rate(work, "anna", spans, done=True)
    rate(work, "ben", spans[:4], done=False)
    pair = "truth=small.anna.review.json&found=small.ben.review.json"
    with serving([work]) as (web, _):
        before = web.ask("GET", f"/api/videos/small/agreement?{pair}").json
    assert before.get("kappa") is None
    assert before["looked_at"] == 4  # what ben left unmarked he may not have seen
    with serving([work], blind="ben") as (web, _):
        web.edit(4, "done", done=True)
    with serving([work]) as (web, _):
        after = web.ask("GET", f"/api/videos/small/agreement?{pair}").json
    assert (after["looked_at"], after["left"]) == (6, 0)
    assert after["kinds"]["macro"]["tp"] == 4
    assert after["kinds"]["macro"]["fn"] == 2
    assert after["kinds"]["macro"]["f1"] == pytest.approx(0.8)
    assert 0 < after["kappa"] < 1
    scored = agree(work / "small.anna.review.json", work / "small.ben.review.json")
    assert scored.evaluate_as("official").counts["macro"].fn == 2  # no proposal came back in


def test_moments_of_two_raters() -> None:
    def row(kind: str, first: int, last: int, face: int = 0) -> dict[str, object]:
        span = {"onset_frame": first, "offset_frame": last, "onset_s": first / 10}
        return {"kind": kind, "face": face, **span}

    one = [row("macro", 0, 9), row("macro", 20, 29), row("micro", 40, 44), row("macro", 60, 69)]
    other = [
        row("macro", 1, 9),
        row("macro", 26, 40),
        row("macro", 40, 45),
        row("macro", 60, 69, 1),
    ]
    found = [m.meeting for m in pair_moments(one, other)]
    assert found == ["same", "edges", "kind", "one", "other"]


def test_a_video_is_reviewed_only_when_nothing_is_left_to_look_at(work: Path) -> None:
    with serving([work]) as (web, _):
        (video,) = web.ask("GET", "/api/videos").json
        assert (video["progress"], video["unseen"], video["format"]) == ("open", 2, "")
        assert "got 2 that nobody" in web.edit(0, "done", done=True).error
        first, second = web.view()["intervals"]
        web.edit(0, "check", id=first["id"], checked=True)
        assert web.ask("GET", "/api/videos").json[0]["progress"] == "begun"
        web.edit(1, "delete", id=second["id"])
        (video,) = web.ask("GET", "/api/videos").json
        assert (video["progress"], video["macro"], video["checked"]) == ("complete", 1, 1)
        assert web.edit(2, "done", done=True).json["done"]
        assert not web.edit(3, "undo").json["done"]
        assert web.edit(4, "redo").json["done"]
    review = read_review(work / "small.review.json")
    assert review.done
    assert len(review.intervals) == 2


def test_a_video_without_expressions_is_reviewed_when_somebody_says_so(tmp_path: Path) -> None:
    made_spotting(bumps=()).to_json(tmp_path / "small.json")
    with serving([tmp_path]) as (web, _):
        assert web.ask("GET", "/api/videos").json[0]["progress"] == "open"
        web.edit(0, "done", done=True)
        assert web.ask("GET", "/api/videos").json[0]["progress"] == "complete"


def test_damaged_files_have_no_counts(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"schema": "fesnet/1"', encoding="utf-8")
    (tmp_path / "a.review.json").write_text("[]", encoding="utf-8")
    for review in (tmp_path / "a.review.json", tmp_path / "none.json"):
        assert read_overview(tmp_path / "a.json", review, blind=False).macro == 0


def test_the_search_knows_what_study_csv_says(work: Path) -> None:
    (work / "study.csv").write_text("result,participant,condition\nsmall,P01,calm\n", "utf-8")
    with serving([work]) as (web, _):
        assert web.ask("GET", "/api/videos").json[0]["about"] == "P01 calm"
    with serving([work], blind="ben") as (web, _):
        assert web.ask("GET", "/api/videos").json[0]["about"] == ""  # a rater knows no condition


def test_a_face_path_is_steady_and_follows(tmp_path: Path) -> None:
    times = np.arange(0, 4, 1 / 25)
    rng = np.random.default_rng(0)
    moved = 100 + 20 * times
    shaken = moved + rng.normal(0, 1, len(times))
    points = np.stack([times, shaken, shaken, 0 * times, 0 * times + 50], axis=1)
    path = smooth_path(points)
    assert len(path) == pytest.approx(4 * PATH_RATE, abs=1)
    inner = path[(path[:, 0] > 1) & (path[:, 0] < 3)]
    assert np.abs(inner[:, 1] - (100 + 20 * inner[:, 0])).max() < 0.6  # jitter of 1 pixel is gone
    later = points.copy()
    later[:, 0] += 10
    both = smooth_path(np.concatenate([points, later]))
    assert len(both) == 2 * len(path)  # a hole is not smoothed over
    spotting = made_spotting(sha256="a" * 64)
    save_paths({0: path}, spotting, tmp_path / "f.json")
    known = read_paths(tmp_path / "f.json", spotting)
    assert known is not None
    assert known["width"] == 64
    assert read_paths(tmp_path / "f.json", made_spotting(sha256="b" * 64)) is None


class StillFace:
    """A tracker of one face whose eyes are level, 20 pixels apart, at (32, 20)."""

    def push(self, frame: Frame) -> list[Face]:
        landmarks = np.zeros((468, 3), np.float32)
        for corners, x in zip(EYE_CORNERS, (22.0, 42.0), strict=True):
            landmarks[list(corners)] = (x, 20.0, 0.0)
        empty = np.zeros((8, 8), np.uint8)
        return [Face(0, 0, frame.index, frame.time, empty, (0, 0, 1, 1), landmarks, 1.0, empty)]


def test_the_face_is_followed_when_the_page_asks(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fesnet.review.face_path.make_face_tracker", lambda *_: StillFace())
    with serving([work]) as (web, _):
        assert web.ask("GET", "/api/videos/small/faces").json == {}
        web.ask("POST", "/api/videos/small/follow", {})
        wait_for(lambda: web.ask("GET", "/api/videos/small/faces").json)
        values = web.ask("GET", "/api/videos/small/faces").json
    path = values["faces"]["0"]
    assert len(path) == pytest.approx(4 * PATH_RATE, abs=1)
    assert path[10][1:] == [
        32.0,
        29.0,
        0.0,
        54.0,
    ]  # below the eyes, level, 2.7 times their distance


def test_a_rater_without_a_name_does_not_see_the_machines_by_mistake(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an unset variable of a script gives it."""
    from fesnet.cli import main

    monkeypatch.setattr("sys.argv", ["fesnet", "review", str(work), "--no-open", "--blind", ""])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "expected a name with --blind, got none" in capsys.readouterr().err

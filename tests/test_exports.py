"""What other programs read of a result."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fesnet.errors import UsageError
from fesnet.exports import WRITERS
from fesnet.intervals import IntervalRules
from fesnet.result import FaceTrack, SourceInfo, SpottedInterval, Spotting, assemble

RATE = 30.0
COLUMNS = "video,face,kind,onset_s,apex_s,offset_s,onset_frame,apex_frame,offset_frame,duration_s,score"


def result(scores: np.ndarray, name: str = "face.mp4") -> Spotting:
    """A result of two faces with the same scores."""
    times = np.arange(len(scores)) / RATE
    tracks = tuple(FaceTrack(n, times, scores, np.zeros(len(scores))) for n in range(2))
    source = SourceInfo(name, None, None, 640, 480, "30", len(scores), float(times[-1]))
    return assemble(source, tracks, times, RATE, IntervalRules(), warnings=(), provenance={})


def rows_of(found: Spotting, path: Path) -> list[dict[str, str]]:
    WRITERS["csv"](found, path)
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def interval_of(row: dict[str, str]) -> SpottedInterval:
    seconds = (float(row[c]) for c in ("onset_s", "apex_s", "offset_s"))
    frames = (int(row[c]) for c in ("onset_frame", "apex_frame", "offset_frame"))
    return SpottedInterval(int(row["face"]), *seconds, row["kind"], *frames, float(row["score"]))  # type: ignore[arg-type]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_csv_holds_the_intervals_exactly(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    walk = np.cumsum(np.random.default_rng(seed).normal(0, 0.1, (200, 2)), 0)
    found = result(np.abs(np.sin(walk)) / 2)
    rows = rows_of(found, tmp_path_factory.mktemp("csv") / "r.csv")
    assert tuple(interval_of(row) for row in rows) == found.intervals


@pytest.mark.parametrize("name", ["a, b.mp4", 'say "hi".mp4', "línea.mp4", "=1+1.mp4"])
def test_awkward_names_survive(name: str, tmp_path: Path) -> None:
    scores = np.zeros((100, 2))
    scores[20:60, 0] = 0.9
    rows = rows_of(result(scores, name), tmp_path / "r.csv")
    assert [row["video"] for row in rows] == [name, name]
    assert float(rows[0]["duration_s"]) == pytest.approx(39 / RATE, abs=2e-6)


def test_without_intervals_the_header_stays(tmp_path: Path) -> None:
    assert rows_of(result(np.zeros((50, 2))), tmp_path / "r.csv") == []
    assert (tmp_path / "r.csv").read_bytes() == COLUMNS.encode() + b"\n"


@pytest.mark.parametrize("form", list(WRITERS))
def test_every_writer_writes_whole_or_not_at_all(form: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match=r"expected to write .*; name a writable folder"):
        WRITERS[form](result(np.zeros((50, 2))), tmp_path / "file" / f"r.{form}")
    with pytest.raises(UsageError, match=r"expected to write"):
        WRITERS[form](result(np.zeros((50, 2))), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("form", list(WRITERS))
def test_equal_results_give_equal_bytes(form: str, tmp_path: Path) -> None:
    scores = np.zeros((100, 2))
    scores[20:60, 0] = 0.9
    for name in ("a", "b"):
        WRITERS[form](result(scores), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

"""Review of a study: results in folders below the work folder, with equal names."""

from __future__ import annotations

from pathlib import Path

import pytest

from fesnet.errors import UsageError
from fesnet.review.edits import EditRequest, apply_edit
from fesnet.review.merge import merge_intervals
from fesnet.review.review_state import load_corrected, load_opinions, load_state
from fesnet.review.video_library import SEPARATOR, VideoLibrary
from made_study import make_study


def test_results_below_the_folder_are_reviewed_where_they_lie(tmp_path: Path) -> None:
    study = make_study(tmp_path / "r", people=2)
    (study / ".trash").mkdir()
    (study / ".trash" / "x.json").write_bytes((study / "calm" / "p1.json").read_bytes())
    library = VideoLibrary(study)
    names = {key: video.name for key, video in library.videos.items()}
    assert sorted(names.values()) == ["calm/p1", "calm/p2", "stress/p1", "stress/p2"]
    key = f"stress{SEPARATOR}p1"
    assert names[key] == "stress/p1"
    state = load_state(library, key)
    first = merge_intervals(state.machine, state.review)[0]["id"]
    review = apply_edit(state.machine, state.review, EditRequest(0, "anna", "delete", str(first)))
    library.save(key, review)
    assert (study / "stress" / "p1.review.json").is_file()
    assert not (study / "calm" / "p1.review.json").exists()
    assert load_corrected(library, key)[1] == "p1.review"
    other = study / "stress" / "p1.ben.review.json"
    other.write_bytes((study / "stress" / "p1.review.json").read_bytes())
    assert library.other_reviews(key) == ["p1.ben.review.json"]
    assert len(load_opinions(library, key, "p1.ben.review.json").judged) == 1
    assert library.other_reviews(f"calm{SEPARATOR}p1") == []


def test_keys_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    library = VideoLibrary(make_study(tmp_path / "r", people=1))
    for key in (f"..{SEPARATOR}x", f"calm{SEPARATOR}..{SEPARATOR}..{SEPARATOR}x", SEPARATOR, ".."):
        with pytest.raises(UsageError, match="expected a video of r, got"):
            library.result_path(key)

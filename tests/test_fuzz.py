"""A few dozen of the inputs of `dev/fuzz.py`: each ends in a result or in one clear line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fesnet.errors import ResultError
from fesnet.faces import ModelFiles
from fesnet.faces.detect import search_squares, view
from fesnet.result import Spotting
from made_results import made_result

TOOLS = Path(__file__).parent.parent / "dev"


@pytest.fixture(scope="module", autouse=True)
def tools_on_path() -> Iterator[None]:
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))


KINDS = (
    "mutated_videos",
    "odd_videos",
    "scenes",
    "changing_videos",
    "no_videos",
    "broken_results",
    "broken_tables_with_result",
    "world_videos",
    "harmful_videos",
)


@pytest.mark.parametrize("kind", [*KINDS, "broken_weights"])
def test_every_answer_is_clear(kind: str, face_models: ModelFiles, tmp_path: Path) -> None:
    import fuzz
    import fuzz_inputs

    make = getattr(fuzz if hasattr(fuzz, kind) else fuzz_inputs, kind)
    made = make(tmp_path, 1) if kind.startswith(("mutated", "broken")) else make(tmp_path)
    every = 9 if kind == "world_videos" else 4
    answers = {i.path: fuzz.run_input(i) for i in islice(made, 0, None, every)}
    assert len(answers) >= 2
    bugs = [
        f"{path}: {a.what}\n{a.words}" for path, a in answers.items() if a.what.startswith("BUG")
    ]
    assert not bugs, "\n".join(bugs)


def test_a_kill_comes_before_the_end() -> None:
    """Else a case that is killed once starts over for ever, and is told as a problem."""
    import faults

    assert faults.latest_kill(60.0, 1, short=False) == 60.0
    assert faults.latest_kill(60.0, 20, short=False) == 7.5
    assert faults.latest_kill(60.0, 20, short=True) == 60.0
    assert faults.latest_kill(60.0, 100, short=False) == 6.0
    assert faults.latest_kill(3.0, 100, short=False) == 3.0


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 999), (999, 1), (17, 300)])
def test_tiny_pictures_and_narrow_strips_are_looked_at_in_few_places(
    width: int, height: int
) -> None:
    """Each place is a picture for the detector: tiles one pixel wide were empty, and thousands."""
    squares = search_squares(width, height)
    assert len(squares) < 60
    picture = np.zeros((height, width, 3), np.uint8)
    assert all(view(picture, square).shape == (128, 128, 3) for square in squares)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": {"width": "wide"}}, "width 'wide'"),
        ({"source": {"name": None}}, "name None"),
        ({"intervals": [{"face": None}]}, "face None"),
        ({"intervals": [{"onset_s": float("nan")}]}, "onset_s"),
        ({"intervals": [{"score": True}]}, "score True"),
        ({"gaps": [{"stop_frame": 10**9}]}, "gap"),
        ({"gaps": [{"reason": 7}]}, "reason 7"),
        ({"warnings": [None]}, "warning or face None"),
    ],
)
def test_results_with_values_of_another_type_are_damaged(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    result = made_result([(0, "macro", 1, 2, 5)], gaps=[(0, 7, 9, "no face")])
    values = json.loads(result.to_json())
    for name, part in change.items():
        if isinstance(part, dict):
            values[name] |= part
        else:
            values[name] = [
                {**old, **new} if new else new
                for old, new in zip(values[name] or part, part, strict=False)
            ]
    path = tmp_path / "r.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ResultError, match=f"it is damaged .*{words}"):
        Spotting.from_json(path)
    assert Spotting.from_values(json.loads(result.to_json())).intervals == result.intervals

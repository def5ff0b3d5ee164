"""A few dozen of the inputs of `tools/fuzz.py`: each ends in a result or in one clear line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from fesnet.faces import ModelFiles

TOOLS = Path(__file__).parent.parent / "tools"


@pytest.fixture(scope="module", autouse=True)
def tools_on_path() -> Iterator[None]:
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))


KINDS = ("mutated_videos", "odd_videos", "scenes", "changing_videos", "no_videos", "broken_results", "broken_tables")


@pytest.mark.parametrize("kind", [*KINDS, "broken_weights"])
def test_every_answer_is_clear(kind: str, face_models: ModelFiles, tmp_path: Path) -> None:
    import fuzz
    import fuzz_inputs

    make = getattr(fuzz_inputs, "broken_tables_with_result" if kind == "broken_tables" else kind)
    made = make(tmp_path, 1) if kind.startswith(("mutated", "broken")) else make(tmp_path)
    answers = {i.path: fuzz.answer(i) for i in islice(made, 0, None, 4)}
    assert len(answers) >= 2
    bugs = [f"{path}: {a.what}\n{a.words}" for path, a in answers.items() if a.what.startswith("BUG")]
    assert not bugs, "\n".join(bugs)

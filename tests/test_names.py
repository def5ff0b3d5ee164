"""One public name, one meaning: no class or function name is defined in two modules."""

from __future__ import annotations

import runpy
from pathlib import Path

READABILITY = runpy.run_path(str(Path(__file__).parents[1] / "dev" / "check_readability.py"))


def test_no_public_name_is_defined_twice() -> None:
    shared = READABILITY["shared_classes"]() | READABILITY["shared_functions"]()
    allowed = READABILITY["ALLOWED_TWICE"]
    assert {name: files for name, files in shared.items() if name not in allowed} == {}
    assert set(allowed) <= set(shared), "the allow-list names what is no longer defined twice"

"""One public name, one meaning: no class or function name is defined in two modules."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "dev" / "check_readability.py"
spec = importlib.util.spec_from_file_location("check_readability", SCRIPT)
assert spec and spec.loader
readability = importlib.util.module_from_spec(spec)
spec.loader.exec_module(readability)


def test_no_public_name_is_defined_twice() -> None:
    shared = readability.shared_classes() | readability.shared_functions()
    allowed = readability.ALLOWED_TWICE
    assert {name: files for name, files in shared.items() if name not in allowed} == {}
    assert set(allowed) <= set(shared), "the allow-list names what is no longer defined twice"

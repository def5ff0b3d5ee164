"""torch without its compiler, for worker processes that take a few steps of training."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

COMPILER = "torch._dynamo"


@contextmanager
def lean_torch() -> Iterator[None]:
    """The first optimizer of a process imports torch's compiler, which takes seconds, only to say
    what it must not compile. Nothing here compiles, so what stands in for it does nothing."""
    if COMPILER in sys.modules:
        yield
        return
    stand_in = ModuleType(COMPILER)
    stand_in.__dict__.update(disable=lambda f, *_, **__: f, graph_break=lambda *_, **__: None)
    sys.modules[COMPILER] = stand_in
    try:
        yield
    finally:
        del sys.modules[COMPILER]

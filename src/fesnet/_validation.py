"""Checks of settings. Each raises a UsageError that says what was expected and what was given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from fesnet.errors import UsageError

# Plain types of a field; a whole number will do for a float.
PLAIN: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
}


def require(holds: bool, expected: str, got: object) -> None:
    """Raises UsageError where a condition does not hold."""
    if not holds:
        raise UsageError(f"expected {expected}, got {got}")


def require_range(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Raises UsageError for a value that is not in low .. high, both included."""
    where = f"of {low} or more" if high == math.inf else f"from {low} to {high}"
    require(low <= value <= high, f"{name} {where}", value)


def require_choices(name: str, values: Sequence[str], known: Sequence[str]) -> None:
    """Raises UsageError for values that are not among the known ones."""
    wrong = [value for value in values if value not in known]
    require(not wrong, f"{name} out of {', '.join(known)}", ", ".join(wrong))


def check_types(config: Any) -> None:
    """Raises UsageError for a field of a dataclass whose value is of another type, or no finite
    number.
    """
    for field in fields(config):
        if not matches_type(getattr(config, field.name), str(field.type)):
            raise UsageError(
                f"expected {field.type} for {field.name}, got {getattr(config, field.name)!r}"
            )


def matches_type(value: Any, kind: str) -> bool:
    """Whether a value is of a type as annotations name it: plain, or a tuple (a list will do).
    Others always fit.
    """
    if kind.startswith("tuple["):
        inner, endless = kind.removesuffix("]").removesuffix(", ...")[6:], kind.endswith(", ...]")
        kinds = (
            [inner] * len(value)
            if endless and isinstance(value, tuple | list)
            else inner.split(", ")
        )
        return (
            isinstance(value, tuple | list)
            and len(value) == len(kinds)
            and all(map(matches_type, value, kinds))
        )
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return kind not in PLAIN or (
        isinstance(value, PLAIN[kind]) and (kind == "bool" or not isinstance(value, bool))
    )

"""Tables as .sav files of SPSS, with labels (extra `study`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fesnet._io import atomic_path
from fesnet._messages import get_extra
from fesnet.errors import MissingExtraError

MAX_NAME = 64  # bytes of a variable's name
VALUE_LABELS: dict[str, dict[Any, str]] = {
    "kind": {"macro": "macro-expression", "micro": "micro-expression"},
    "checked": {0: "no", 1: "yes"},
    "independent": {0: "no", 1: "yes"},
    "version": {"machine": "found by the machine", "corrected": "corrected by a person"},
}


def write_sav(
    path: Path,
    rows: list[dict[str, Any]],
    forms: Mapping[str, type],
    labels: Mapping[str, str],
    log: Callable[[str], None],
    value_labels: Mapping[str, dict[Any, str]] = VALUE_LABELS,
) -> Path:
    """Write rows atomically. forms: what each column holds; labels: what it means; value_labels:
    what its values mean.

    Columns whose names SPSS does not allow get another name, which is told; their label is the old
    one. Raises MissingExtraError without pyreadstat.
    """
    try:
        import pandas as pd
        import pyreadstat
    except ImportError as error:
        raise MissingExtraError(
            f"expected pyreadstat and pandas to write {path.name}; {get_extra('study')}"
        ) from error
    names = variable_names(list(forms))
    for column, name in names.items():
        if column != name:
            log(f"{path.name}: column {column!r} is called {name}, as SPSS allows")
    frame = pd.DataFrame(
        {
            names[c]: pd.Series(
                [sav_value(row.get(c), form) for row in rows],
                dtype="object" if form is str else "float64",
            )
            for c, form in forms.items()
        }
    )
    with atomic_path(path) as part:
        pyreadstat.write_sav(
            frame,
            str(part),
            column_labels={names[c]: labels.get(c, c) for c in forms},
            variable_value_labels={names[c]: value_labels[c] for c in forms if c in value_labels},
            variable_measure={
                names[c]: "nominal" if form is str or c == "face" or c in value_labels else "scale"
                for c, form in forms.items()
            },
            variable_format={names[c]: "F8.0" for c, form in forms.items() if form is int},
        )
    return path


def sav_value(value: Any, form: type) -> Any:
    """SPSS knows no missing text, and numbers alone."""
    if value is None:
        return "" if form is str else None
    return value if form is str else float(value)


def variable_names(columns: list[str]) -> dict[str, str]:
    """Names as SPSS allows them: a letter first, then letters, digits, _ . and no two alike."""
    out: dict[str, str] = {}
    taken: set[str] = set()
    for column in columns:
        name = re.sub(r"[^\w.]+", "_", column).strip("_.") or "column"
        name = name if name[0].isalpha() else f"c_{name}"
        name = name.encode()[:MAX_NAME].decode(errors="ignore")
        number, free = 1, name
        while free.lower() in taken:
            number += 1
            free = f"{name[: MAX_NAME - 4]}_{number}"
        taken.add(free.lower())
        out[column] = free
    return out

"""Tables as LaTeX, Markdown and CSV, from heads and cells of text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from fesnet._io import atomic_write_text, csv_text

ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def write_paper_table(
    heads: Sequence[str], cells: Sequence[Sequence[str]], folder: Path, name: str
) -> list[Path]:
    """NAME.tex, NAME.md and NAME.csv; returns them. Raises UsageError where one cannot be
    written.
    """
    texts = {"tex": latex_table(heads, cells), "md": markdown_table(heads, cells)}
    texts["csv"] = csv_text([heads, *cells])
    for kind, content in texts.items():
        atomic_write_text(folder / f"{name}.{kind}", content)
    return [folder / f"{name}.{kind}" for kind in texts]


def latex_table(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A tabular for \\input; the paper needs \\usepackage{booktabs}. Numbers stand at the right."""
    columns = list(zip(*cells, strict=True)) if cells else [()] * len(heads)
    align = "".join("r" if all(map(is_numeric_cell, c)) and any(c) else "l" for c in columns)
    rows = [" & ".join(map(latex_cell, row)) + r" \\" for row in (heads, *cells)]
    lines = [rf"\begin{{tabular}}{{{align}}}", r"\toprule", rows[0], r"\midrule", *rows[1:]]
    return "\n".join(
        ["% needs \\usepackage{booktabs}", *lines, r"\bottomrule", r"\end{tabular}", ""]
    )


def is_numeric_cell(text: str) -> bool:
    """Also an empty cell, and a range such as 0.1-0.2."""
    return not text.strip("0123456789.+- ")


def latex_cell(text: str) -> str:
    """Text, or a number with the signs of print: a minus, and a dash between two ends."""
    if not is_numeric_cell(text) or not any(map(str.isdigit, text)):
        return latex_escape(text)
    return re.sub(r"(\d?)-", lambda m: f"{m[1]}--" if m[1] else "$-$", text)


def latex_escape(text: str) -> str:
    """Text with the characters that LaTeX takes for commands written out; no character below a
    blank.
    """
    return "".join(ESCAPES.get(c, c) if c >= " " else " " for c in text)


def markdown_table(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *cells]
    lines = (" | ".join(c.replace("|", "\\|").replace("\n", " ") for c in row) for row in rows)
    return "".join(f"| {line} |\n" for line in lines)

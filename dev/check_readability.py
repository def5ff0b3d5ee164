"""Measure how readable the repository is: `python dev/check_readability.py`.

Prints shared names, long lines, long functions, lines of source, and the longest paragraph and
sentence of each document. The exit code is 1 when a limit is broken.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "fesnet"
PYTHON = ("src", "tests", "dev", "experiments", "perf", "docs", "examples")
LINE_LIMIT, FUNCTION_LIMIT = 100, 60
PARAGRAPH_LIMIT, SENTENCE_LIMIT, ADR_LIMIT = 80, 30, 200  # words
# Name -> why it may be defined in several modules.
ALLOWED_TWICE: dict[str, str] = {}
NOT_PROSE = re.compile(
    r"^---\n.*?^---\n|^ *(```|~~~).*?^ *\1 *$|<!--.*?-->|^ *\|.*?$|^#.*?$|^    [^ \n].*?$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)]*\)")
PRAGMA = re.compile(r" +# (?:type: ignore|noqa).*")  # ruff does not count these, either
ITEM = re.compile(r"^ *(?:[-*]|\d+\.) +", re.MULTILINE)
SENTENCE_END = re.compile(r"(?<=[.!?])[*)\"]* +(?=[\[(*\"`]*[A-Z0-9`])")


def shared_names(kind: type | tuple[type, ...]) -> dict[str, list[str]]:
    """Public names of `kind` that more than one module of fesnet defines, and these modules."""
    places: dict[str, set[str]] = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            name = str(getattr(node, "name", "_"))
            if isinstance(node, kind) and not name.startswith("_"):
                places[name].add(path.relative_to(SOURCE).as_posix())
    return {name: sorted(files) for name, files in sorted(places.items()) if len(files) > 1}


def shared_classes() -> dict[str, list[str]]:
    return shared_names(ast.ClassDef)


def shared_functions() -> dict[str, list[str]]:
    return shared_names((ast.FunctionDef, ast.AsyncFunctionDef))


def function_lengths() -> dict[str, int]:
    """Lines of each function and method of fesnet."""
    return {
        f"{path.relative_to(SOURCE)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def word_count(text: str) -> int:
    return sum(any(c.isalnum() for c in word) for word in text.split())


def longest(texts: list[str]) -> tuple[int, str]:
    """Words and text of the longest of some texts."""
    return max(((word_count(text), text) for text in texts), default=(0, ""))


def paragraphs(text: str) -> list[str]:
    """Paragraphs and list items, each on one line; code blocks, tables and headings aside."""
    text = ITEM.sub("\n\n", LINK.sub(r"\1", NOT_PROSE.sub("\n\n", text)))
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def sentences(paragraph: str) -> list[str]:
    return SENTENCE_END.split(paragraph)


def documents() -> list[Path]:
    named = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")]
    return [*named, *sorted((ROOT / "docs").rglob("*.md"))]


def check_document(path: Path) -> list[str]:
    """Print the figures of a document; return its broken limits."""
    text = path.read_text(encoding="utf-8")
    parts = paragraphs(text)
    by_words = longest(parts), longest([s for part in parts for s in sentences(part)])
    name, adr = path.relative_to(ROOT).as_posix(), bool(re.match(r"\d{4}-", path.name))
    print(f"  {by_words[0][0]:4} {by_words[1][0]:4} {word_count(text):6}  {name}")
    broken = [
        f"{name}: {what} of {words} words (limit {limit}): {found[:60]}..."
        for what, limit, (words, found) in zip(
            ("paragraph", "sentence"), (PARAGRAPH_LIMIT, SENTENCE_LIMIT), by_words, strict=True
        )
        if words > limit
    ]
    if adr and word_count(text) > ADR_LIMIT:
        broken.append(f"{name}: {word_count(text)} words (limit {ADR_LIMIT})")
    return broken


def check_names() -> list[str]:
    """Print names that several modules define; return those that may not be."""
    broken = []
    for what, shared in (("classes", shared_classes()), ("functions", shared_functions())):
        print(f"{what} defined in several modules: {len(shared)}")
        for name, files in shared.items():
            print(f"  {name}: {', '.join(files)}")
            if name not in ALLOWED_TWICE:
                broken.append(f"{name} is defined in {', '.join(files)}")
    return broken


def check_code() -> list[str]:
    """Print lengths of lines and functions; return the broken limits."""
    files = sorted(path for part in PYTHON for path in (ROOT / part).rglob("*.py"))
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    long = sum(len(PRAGMA.sub("", line)) > LINE_LIMIT for line in lines)
    print(f"lines over {LINE_LIMIT} characters: {long} of {len(lines)}, {long / len(lines):.2%}")
    source = [len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCE.rglob("*.py")]
    print(f"lines of source: {sum(source)} in {len(source)} modules, longest {max(source)}")
    lengths = function_lengths()
    for limit in (35, FUNCTION_LIMIT):
        print(f"functions over {limit} lines: {sum(n > limit for n in lengths.values())}")
    broken = [f"{name} has {n} lines" for name, n in lengths.items() if n > FUNCTION_LIMIT]
    return broken + ([f"{long} lines over {LINE_LIMIT} characters"] if long else [])


def main() -> int:
    broken = check_names() + check_code()
    print("longest paragraph, longest sentence, all words of each document:")
    for path in documents():
        broken += check_document(path)
    print(*(f"LIMIT: {line}" for line in broken), f"{len(broken)} limits broken", sep="\n")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())

"""Read macro- and micro-expressions of a Praat TextGrid, in its long or its short text form.

Both forms are the same values in the same order: texts in quotes, numbers and flags in angle
brackets; every other word is a comment. The label of an interval decides its kind, else the name of
its tier. Points of a tier with "apex" in its name are apexes.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fesnet._io import read_regular_file
from fesnet.errors import TruthError
from fesnet.exports.around import shortest_around
from fesnet.exports.elan_reader import AnnotatedInterval, ElanAnnotations, name_kind, value_kind
from fesnet.intervals import Kind

# A text, a flag, or a number that stands for itself: "intervals [1]:" holds none.
VALUE = re.compile(r'"((?:[^"]|"")*)"|(<\w+>)|(?<!\S)(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?!\S)')
PLAIN = re.compile(r"face\s*(\d+)")
APEX_ENDING = re.compile(r"[\s_-]*apex$", re.IGNORECASE)
NO_EXPRESSIONS = re.compile(
    r"\b(?:unknown|note|review|moved|flags|blinks)$"
)  # how our own other tiers end


@dataclass(frozen=True)
class GridTier:
    """spans: (start s, stop s, label); of a tier of points, start and stop are equal."""

    name: str
    points: bool
    spans: tuple[tuple[float, float, str], ...]

    @property
    def face(self) -> int:
        number = PLAIN.search(self.name.casefold())
        return int(number[1]) if number else 0


def read_textgrid(path: Path) -> ElanAnnotations:
    """Raises TruthError for a damaged file, and one in which nothing is called macro or micro."""
    try:
        tiers = list(parse_tiers(decode_grid(read_regular_file(path))))
    except (OSError, UnicodeError, ValueError, StopIteration, RuntimeError) as error:
        raise TruthError(f"expected a Praat TextGrid in {path}, but {error}") from error
    ignored: Counter[str] = Counter()
    named = [
        (tier.name, m) for tier in tiers if not tier.points for m in tier_expressions(tier, ignored)
    ]
    found, groups = [m for _, m in named], group_expressions(named)
    for tier in (t for t in tiers if t.points):
        marked = mark_apexes(found, groups, tier) if "apex" in tier.name.casefold() else 0
        if marked < len(tier.spans):
            ignored[tier.name] += len(tier.spans) - marked
    if not found and not any(name_kind(t.name) for t in tiers):
        names = ", ".join(repr(t.name) for t in tiers) or "none"
        raise TruthError(
            f"expected intervals called macro or micro in {path}, got none in its tiers ({names}); "
            "call the labels or the tiers so"
        )
    order = sorted(found, key=lambda m: (m.face, m.start_s, m.stop_s, m.kind))
    return ElanAnnotations(tuple(order), None, dict(ignored))


def tier_expressions(tier: GridTier, ignored: Counter[str]) -> Iterator[AnnotatedInterval]:
    """The expressions of a tier of intervals; counts labels that are none."""
    other = NO_EXPRESSIONS.search(tier.name)
    for start, stop, label in tier.spans:
        if not label.strip():
            continue
        kind = None if other else value_kind(label) or name_kind(tier.name)
        if kind is None:
            ignored[tier.name] += 1
        else:
            yield AnnotatedInterval(tier.face, start, stop, kind)


def decode_grid(data: bytes) -> str:
    """Praat writes UTF-16 with a byte-order mark where a text is not ASCII, else plain text."""
    wide = data.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE))
    return data.decode("utf-16" if wide else "utf-8-sig")


def parse_tiers(text: str) -> Iterator[GridTier]:
    """The tiers in their order. Raises ValueError or StopIteration for another text."""
    body = "\n".join(
        line.partition("!")[0] if '"' not in line else line for line in text.split("\n")
    )
    values = iter([m[0] for m in VALUE.finditer(body)])
    if text_of(next(values, "")) != "ooTextFile" or text_of(next(values, "")) != "TextGrid":
        raise ValueError("it does not begin as one")
    next(values), next(values)  # from and to
    if next(values, "") != "<exists>":
        return
    for _ in range(int(next(values))):
        form, name = text_of(next(values)), text_of(next(values))
        next(values), next(values)
        count, points = int(next(values)), form == "TextTier"
        if form not in ("TextTier", "IntervalTier"):
            raise ValueError(f"it has a tier of class {form!r}")
        if count < 0:
            raise ValueError(f"its tier {name!r} claims {count} parts")
        spans = []
        for _ in range(count):
            start = float(next(values))
            stop = start if points else float(next(values))
            spans.append((start, stop, text_of(next(values))))
        yield GridTier(name, points, tuple(spans))


def text_of(value: str) -> str:
    """A quoted text without its quotes. Raises ValueError for a number."""
    if not value.startswith('"'):
        raise ValueError(f"a text was expected instead of {value or 'its end'}")
    return value[1:-1].replace('""', '"')


Groups = dict[str | tuple[int, Kind | None], list[int]]


def group_expressions(named: list[tuple[str, AnnotatedInterval]]) -> Groups:
    """Indices of expressions with their tiers' names: by tier, by face and kind, and by face alone
    (kind None)."""
    groups: Groups = {}
    for n, (name, m) in enumerate(named):
        for key in (name, (m.face, m.kind), (m.face, None)):
            groups.setdefault(key, []).append(n)
    return groups


def mark_apexes(found: list[AnnotatedInterval], groups: Groups, tier: GridTier) -> int:
    """Give each point to the shortest fitting expression around it; how many have one. The points
    of "face 0 macro 2 apex" are those of the tier "face 0 macro 2", where there is one."""
    own = groups.get(APEX_ENDING.sub("", tier.name), [])
    fitting = own or (groups.get((tier.face, name_kind(tier.name)), []) if tier.spans else [])
    times = [time for time, _, _ in tier.spans]
    spans = [(found[n].start_s, found[n].stop_s) for n in fitting]
    best = shortest_around(spans, times)
    for time, n in zip(times, best, strict=True):
        if n is not None:
            found[fitting[n]] = replace(found[fitting[n]], apex_s=time)
    return sum(n is not None for n in best)

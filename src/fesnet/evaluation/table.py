"""Rows under every protocol: records for a CSV, and the tables that people read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fesnet.evaluation.method_results import MethodResult
from fesnet.intervals import KINDS
from fesnet.metrics import (
    PROTOCOLS,
    Evaluation,
    average_precision,
    choose,
    evaluate,
    false_alarms_a_minute,
)

NAMES = (*KINDS, "overall")
AIMS = {"kinds": "each kind's F1", "overall": "F1 overall"}
COLUMNS = ("method", "mode", "rules for", "seeds", "protocol", "kind", "tp", "fp", "fn", "precision", "recall", "f1",
           "f1_low", "f1_high", "average_precision", "false_alarms_a_minute")  # fmt: skip


@dataclass(frozen=True)
class ResultRow:
    """A row of results under all protocols, read once."""

    row: MethodResult
    read: dict[str, Evaluation]
    precision: dict[str, float]  # average precision by kind

    @property
    def label(self) -> tuple[str, str, str, str]:
        r = self.row
        seeds = (
            str(r.seeds[0])
            if len(r.seeds) == 1
            else "mean scores of " + " ".join(map(str, r.seeds))
        )
        return r.name, r.mode, AIMS[r.aim], seeds

    def alarms(self, kind: str) -> float:
        """False alarms a minute under the official protocol."""
        seconds = sum(v.seconds or 0.0 for v in self.row.judged)
        return false_alarms_a_minute(self.read["official"].counts[kind], seconds)


def apply_protocols(row: MethodResult, protocols: Sequence[str]) -> ResultRow:
    """Under the official protocol and those asked for; those that choose on test subjects get
    epochs or the sweep.
    """
    read = {}
    for name in dict.fromkeys(("official", *protocols)):
        protocol = PROTOCOLS[name]
        if protocol.chosen == "nothing":
            read[name] = evaluate(row.judged, protocol)
        else:
            read[name] = choose(
                row.epochs if protocol.chosen == "per subject" else row.sweep, protocol
            )
    pairs = [(v.truth, v.found) for v in row.ranked]
    return ResultRow(row, read, {str(k): average_precision(pairs, k) for k in KINDS})


def records(lines: Sequence[ResultRow]) -> Iterator[tuple[object, ...]]:
    for line in lines:
        for protocol, read in line.read.items():
            for kind in NAMES:
                c, (low, high) = read.counts[kind], read.interval(kind)
                rates = (f"{v:.4f}" for v in (c.precision, c.recall, c.f1, low, high))
                own = protocol == "official"
                ap = number(line.precision.get(kind, math.nan)) if own else ""
                alarms = f"{line.alarms(kind):.4f}" if own else ""
                yield (*line.label, protocol, kind, c.tp, c.fp, c.fn, *rates, ap, alarms)


def to_csv(lines: Sequence[ResultRow]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(records(lines))
    return text.getvalue()


def number(value: float, digits: int = 4) -> str:
    """Empty where there is no truth to be found."""
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def detail(lines: Sequence[ResultRow]) -> tuple[list[str], list[list[str]]]:
    """The official protocol: heads and cells."""
    heads = ["method", "mode", "rules for", "seed", "kind", "TP", "FP", "FN", "precision", "recall", "F1", "95 %", "AP",
             "false/min"]  # fmt: skip
    cells = []
    for line in lines:
        read = line.read["official"]
        for kind in NAMES:
            c, (low, high) = read.counts[kind], read.interval(kind)
            rates = [
                f"{c.precision:.4f}",
                f"{c.recall:.4f}",
                f"{c.f1:.4f}",
                f"{low:.3f}-{high:.3f}",
            ]
            ap = number(line.precision.get(kind, math.nan), 3)
            cells.append(
                [
                    *line.label,
                    kind,
                    str(c.tp),
                    str(c.fp),
                    str(c.fn),
                    *rates,
                    ap,
                    f"{line.alarms(kind):.2f}",
                ]
            )
    return heads, cells


def side_by_side(lines: Sequence[ResultRow]) -> tuple[list[str], list[list[str]]]:
    """F1 macro / micro / overall under each protocol."""
    protocols = list(lines[0].read)
    heads = ["method", "mode", "rules for", "seed", *protocols]
    cells = []
    for line in lines:
        f1 = [" / ".join(f"{line.read[p].counts[k].f1:.4f}" for k in NAMES) for p in protocols]
        cells.append([*line.label, *f1])
    return heads, cells


def over_seeds(lines: Sequence[ResultRow]) -> tuple[list[str], list[list[str]]]:
    """Mean and standard deviation of the official F1 over single seeds; empty where there was one
    seed.
    """
    groups: dict[tuple[str, str, str], list[ResultRow]] = {}
    for line in lines:
        if len(line.row.seeds) == 1:
            groups.setdefault(line.label[:3], []).append(line)
    cells = []
    for label, several in groups.items():
        if len(several) > 1:
            values = [[line.read["official"].counts[k].f1 for line in several] for k in NAMES]
            cells.append([*label, str(len(several)), *(spread(v) for v in values)])
    return ["method", "mode", "rules for", "seeds", *NAMES], cells


def spread(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return f"{mean:.4f} +- {deviation:.4f}"


def inflation(lines: Sequence[ResultRow]) -> tuple[list[str], list[list[str]]]:
    """How much F1 overall rises where something is chosen on the test subjects."""
    others = [p for p in lines[0].read if p != "official"]
    cells = []
    for line in lines:
        own = line.read["official"].counts["overall"].f1
        cells.append(
            [*line.label, *(f"{line.read[p].counts['overall'].f1 - own:+.4f}" for p in others)]
        )
    return ["method", "mode", "rules for", "seed", *others], cells


def markdown(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in cells)])


def to_markdown(lines: Sequence[ResultRow], heading: str, notes: Sequence[str]) -> str:
    """The whole of table.md."""
    parts = [f"# {heading}", *(f"- {n}" for n in notes), "", "## Official protocol", markdown(*detail(lines)), "",
             "## Every protocol: F1 macro / micro / overall", markdown(*side_by_side(lines)), ""]  # fmt: skip
    parts += [f"- `{name}`: {PROTOCOLS[name].why}" for name in lines[0].read]
    heads, cells = over_seeds(lines)
    if cells:
        parts += ["", "## Over seeds: official F1", markdown(heads, cells)]
    heads, cells = inflation(lines)
    if len(heads) > 4:
        parts += ["", "## F1 overall above the official protocol", markdown(heads, cells)]
    return "\n".join(parts) + "\n"

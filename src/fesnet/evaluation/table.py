"""Results under every protocol: records for a CSV, and the tables that people read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fesnet._io import csv_text
from fesnet.evaluation.method_results import MethodResult
from fesnet.intervals import KINDS
from fesnet.metrics import (
    PROTOCOLS,
    Evaluation,
    average_precision,
    evaluate,
    evaluate_candidates,
    false_alarms_a_minute,
)

NAMES = (*KINDS, "overall")
AIMS = {"kinds": "each kind's F1", "overall": "F1 overall", "shipped": "bundled"}
COLUMNS = (
    *("method", "mode", "rules for", "seeds", "protocol", "kind", "tp", "fp", "fn", "precision"),
    *("recall", "f1", "f1_low", "f1_high", "average_precision", "false_alarms_a_minute"),
)
Table = tuple[list[str], list[list[str]]]  # heads, cells


@dataclass(frozen=True)
class ResultRow:
    """A result under all protocols. average_precision: by kind."""

    result: MethodResult
    evaluations: dict[str, Evaluation]
    average_precision: dict[str, float]

    @property
    def label(self) -> tuple[str, str, str, str]:
        r = self.result
        seeds = (
            str(r.seeds[0])
            if len(r.seeds) == 1
            else "mean scores of " + " ".join(map(str, r.seeds))
        )
        return r.name, r.mode, AIMS[r.aim], seeds

    def false_alarms(self, kind: str) -> float:
        """False alarms a minute under the official protocol."""
        seconds = sum(v.seconds or 0.0 for v in self.result.videos)
        return false_alarms_a_minute(self.evaluations["official"].counts[kind], seconds)


def apply_protocols(result: MethodResult, protocols: Sequence[str]) -> ResultRow:
    """Under the official protocol and those asked for.

    Protocols that select on test subjects get the epochs or the sweep as candidates.
    """
    evaluations = {}
    for name in dict.fromkeys(("official", *protocols)):
        protocol = PROTOCOLS[name]
        if protocol.selects == "nothing":
            evaluations[name] = evaluate(result.videos, protocol)
        else:
            candidates = result.epochs if protocol.selects == "per subject" else result.sweep
            evaluations[name] = evaluate_candidates(candidates, protocol)
    pairs = [(v.truth, v.found) for v in result.ranked]
    return ResultRow(result, evaluations, {str(k): average_precision(pairs, k) for k in KINDS})


def csv_records(rows: Sequence[ResultRow]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        for protocol, evaluation in row.evaluations.items():
            for kind in NAMES:
                c, (low, high) = evaluation.counts[kind], evaluation.interval(kind)
                rates = (f"{v:.4f}" for v in (c.precision, c.recall, c.f1, low, high))
                own = protocol == "official"
                ap = number(row.average_precision.get(kind, math.nan)) if own else ""
                alarms = f"{row.false_alarms(kind):.4f}" if own else ""
                yield (*row.label, protocol, kind, c.tp, c.fp, c.fn, *rates, ap, alarms)


def to_csv(rows: Sequence[ResultRow]) -> str:
    """The whole of table.csv."""
    return csv_text([COLUMNS, *csv_records(rows)])


def number(value: float, digits: int = 4) -> str:
    """Empty for NaN: there is no truth to find."""
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def official_table(rows: Sequence[ResultRow]) -> Table:
    """The official protocol in detail."""
    heads = ["method", "mode", "rules for", "seed", "kind", "TP", "FP", "FN", "precision", "recall"]
    heads += ["F1", "95 %", "AP", "false/min"]
    cells = []
    for row in rows:
        evaluation = row.evaluations["official"]
        for kind in NAMES:
            c, (low, high) = evaluation.counts[kind], evaluation.interval(kind)
            counts = [str(c.tp), str(c.fp), str(c.fn)]
            rates = [f"{c.precision:.4f}", f"{c.recall:.4f}", f"{c.f1:.4f}"]
            rates += [f"{low:.3f}-{high:.3f}", number(row.average_precision.get(kind, math.nan), 3)]
            cells.append([*row.label, kind, *counts, *rates, f"{row.false_alarms(kind):.2f}"])
    return heads, cells


def protocol_table(rows: Sequence[ResultRow]) -> Table:
    """F1 macro / micro / overall under each protocol."""
    protocols = list(rows[0].evaluations)
    heads = ["method", "mode", "rules for", "seed", *protocols]
    cells = []
    for row in rows:
        f1 = [
            " / ".join(f"{row.evaluations[p].counts[k].f1:.4f}" for k in NAMES) for p in protocols
        ]
        cells.append([*row.label, *f1])
    return heads, cells


def seed_table(rows: Sequence[ResultRow]) -> Table:
    """Mean and standard deviation of the official F1 over single seeds.

    No cells where there was one seed.
    """
    groups: dict[tuple[str, str, str], list[ResultRow]] = {}
    for row in rows:
        if len(row.result.seeds) == 1:
            groups.setdefault(row.label[:3], []).append(row)
    cells = []
    for label, of_seeds in groups.items():
        if len(of_seeds) > 1:
            values = [[r.evaluations["official"].counts[k].f1 for r in of_seeds] for k in NAMES]
            cells.append([*label, str(len(of_seeds)), *map(mean_and_deviation, values)])
    return ["method", "mode", "rules for", "seeds", *NAMES], cells


def mean_and_deviation(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return f"{mean:.4f} +- {deviation:.4f}"


def inflation_table(rows: Sequence[ResultRow]) -> Table:
    """How much F1 overall rises where something is selected on the test subjects; no rows for the
    official protocol alone.
    """
    others = [p for p in rows[0].evaluations if p != "official"]
    cells = []
    for row in rows if others else ():
        f1 = {p: e.counts["overall"].f1 for p, e in row.evaluations.items()}
        cells.append([*row.label, *(f"{f1[p] - f1['official']:+.4f}" for p in others)])
    return ["method", "mode", "rules for", "seed", *others], cells


def markdown(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in cells)])


def to_markdown(
    rows: Sequence[ResultRow], heading: str, notes: Sequence[str], compared: Table | None = None
) -> str:
    """The whole of table.md. compared: rows against each other."""
    parts = [f"# {heading}", *(f"- {n}" for n in notes), ""]
    parts += ["## Official protocol", markdown(*official_table(rows)), ""]
    parts += ["## Every protocol: F1 macro / micro / overall", markdown(*protocol_table(rows)), ""]
    parts += [f"- `{name}`: {PROTOCOLS[name].why}" for name in rows[0].evaluations]
    heads, cells = seed_table(rows)
    if cells:
        parts += ["", "## Over seeds: official F1", markdown(heads, cells)]
    heads, cells = inflation_table(rows)
    if cells:
        parts += ["", "## F1 overall above the official protocol", markdown(heads, cells)]
    if compared is not None and compared[1]:
        parts += ["", "## Rows against each other: F1 overall, official", markdown(*compared)]
    return "\n".join(parts) + "\n"

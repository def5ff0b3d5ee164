"""index.html of a results folder: every video with its participant, counts, review and files."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fesnet._io import atomic_write_text, file_exists
from fesnet._messages import counted
from fesnet._version import __version__
from fesnet.batch.columns import PARTICIPANT
from fesnet.exports import ENDINGS
from fesnet.intervals import KINDS
from fesnet.metrics import IOU
from fesnet.report import content_security_policy
from fesnet.report.web import read_web_file
from fesnet.study.rater_pairs import RATER_TITLES, RaterAgreement, material_lines, rater_cells
from fesnet.study.statistics import GroupStatistic
from fesnet.study.tables import LABELS, own_columns
from fesnet.study.videos import StudyVideo

INDEX = "index.html"


@dataclass(frozen=True)
class IndexContent:
    """What the page shows. failed: rows of summary.csv without a result; figures: SVG by title;
    files: tables and drawings of the folder.
    """

    title: str
    videos: Sequence[StudyVideo]
    failed: Sequence[dict[str, Any]]
    statistics: Sequence[GroupStatistic]
    figures: dict[str, str]
    files: Sequence[Path]
    notes: Sequence[str]
    raters: Sequence[RaterAgreement] = ()


def write_index(folder: Path, content: IndexContent) -> Path:
    """Write the page atomically."""
    own = own_columns(content.videos)
    titles = ["participant", *own, "video", "known min", "macro", "micro", "macro/min", "micro/min"]
    titles += ["reviewed", "warnings", "files"]
    head = "".join(f'<th><button type="button">{html.escape(t)}</button></th>' for t in titles)
    rows = "".join(index_row(folder, v, own) for v in content.videos)
    rows += "".join(failed_row(row, own) for row in content.failed)
    script = read_web_file("study.js")
    style = "".join(read_web_file(f"{name}.css") for name in ("style", "report", "study"))
    text = read_web_file("study.html").format(
        policy=content_security_policy(script),
        title=html.escape(content.title),
        style=style,
        numbers=numbers_html(content),
        notes="".join(f'<p class="note">{html.escape(n)}</p>' for n in content.notes),
        figures="".join(
            f"<h2>{html.escape(t)}</h2><figure>{drawing}</figure>"
            for t, drawing in content.figures.items()
        ),
        statistics=statistics_html(content.statistics) + raters_html(content.raters),
        head=head,
        rows=rows,
        files="".join(f"<li>{link(folder, path, path.name)}</li>" for path in content.files),
        origin=f"fesnet {__version__}. Everything on this page lies in this folder.",
        script=script,
    )
    atomic_write_text(folder / INDEX, text)
    return folder / INDEX


def numbers_html(content: IndexContent) -> str:
    """The counts at the top."""
    videos = content.videos
    known = sum(v.known_seconds for v in videos)
    reviewed = sum(v.result.reviewed for v in videos)
    cells = [
        ("videos", len(videos), counted(len({v.participant for v in videos}), "participant")),
        ("known face", f"{known / 60:.1f} min", ""),
        ("reviewed", f"{reviewed} of {len(videos)}", ""),
    ]
    for kind in KINDS:
        count = sum(e["kind"] == kind for v in videos for e in v.expressions)
        rate = f"{60 * count / known:.2f} a minute" if known else ""
        cells.append((f"{kind}-expressions", count, rate))
    if content.failed:
        cells.append(("without a result", len(content.failed), "see the table"))
    return "".join(
        f"<div><dt>{a}</dt><dd><span>{b}</span> <small>{c}</small></dd></div>" for a, b, c in cells
    )


def index_row(folder: Path, video: StudyVideo, own: Sequence[str]) -> str:
    summary = video.summary
    texts = [video.participant, *(video.cell(c) for c in own), video.video]
    cells = [f"<td>{html.escape(text)}</td>" for text in texts]
    cells.append(number_cell(video.known_seconds / 60, 2))
    cells += [number_cell(summary.get(f"{kind}_count"), 0) for kind in KINDS]
    cells += [number_cell(summary.get(f"{kind}_per_minute"), 2) for kind in KINDS]
    cells.append(f"<td>{html.escape(review_text(video))}</td>")
    cells.append(f"<td>{html.escape(summary['warnings'])}</td>")
    cells.append(f'<td class="files">{files_html(folder, video)}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def review_text(video: StudyVideo) -> str:
    if not video.result.reviewed:
        return ""
    people = video.summary["reviewed_by"] or "nobody yet"
    return f"{people}, {video.summary['checked']} of {len(video.expressions)} checked"


def failed_row(row: dict[str, Any], own: Sequence[str]) -> str:
    texts = [row[PARTICIPANT], *(str(row.get(c, "")) for c in own), row["video"]]
    cells = "".join(f"<td>{html.escape(text)}</td>" for text in texts)
    empty = '<td class="n"></td>' * (1 + 2 * len(KINDS))
    return f"<tr>{cells}{empty}<td></td><td>{html.escape(row['reason'])}</td><td></td></tr>"


def number_cell(value: float | None, digits: int) -> str:
    return '<td class="n"></td>' if value is None else f'<td class="n">{value:.{digits}f}</td>'


def files_html(folder: Path, video: StudyVideo) -> str:
    """Links to the page, the result and the exports of a video, as far as they are there."""
    version = video.result.version
    name = version.name.removesuffix(".json")
    named = [("page", version.with_suffix(".html")), ("result", version)]
    named += [(form, version.with_name(name + ending)) for form, ending in ENDINGS.items()]
    there = [link(folder, path, text) for text, path in named if file_exists(path)]
    return " ".join(there)


def link(folder: Path, path: Path, text: str) -> str:
    address = quote(path.relative_to(folder).as_posix(), errors="surrogateescape")
    return f'<a href="{html.escape(address)}">{html.escape(text)}</a>'


def statistics_html(statistics: Sequence[GroupStatistic]) -> str:
    """The comparison of groups as a table; empty without one."""
    if not statistics:
        return ""
    head = "".join(
        f"<th>{t}</th>" for t in ("", "group", "n", "mean", "95 %", "p", "p adjusted", "test")
    )
    rows = []
    for s in statistics:
        name = LABELS.get(s.measure, s.measure)
        spread = "" if s.low_95 is None else f"{s.low_95:.3f} to {s.high_95:.3f}"
        mean = "" if s.mean is None else f"{s.mean:.3f}"
        ps = ("" if p is None else f"{p:.4f}" for p in (s.p, s.p_adjusted))
        test = s.test + (f", {s.left_out} left out" if s.left_out else "")
        cells = (name, s.group, str(s.n), mean, spread, *ps, test)
        rows.append("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>")
    return (
        "<h2>Groups</h2><p>Means over participants with 95 % bootstrap intervals; differences with "
        "permutation tests. p adjusted: for the number of tests.</p>"
        f'<div class="scroll"><table class="statistics"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def raters_html(raters: Sequence[RaterAgreement]) -> str:
    """The agreement of raters as a table, with how much they looked at; empty without two."""
    if not raters:
        return ""
    head = "".join(f"<th>{title}</th>" for title in RATER_TITLES)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in rater_cells(pair)) + "</tr>"
        for pair in raters
    )
    about = "".join(f"<li>{html.escape(line)}</li>" for line in material_lines(raters))
    return (
        "<h2>Raters</h2><p>Only what both people looked at counts. Both: same kind, overlap (IoU) "
        f"of {IOU:g} or more. Kappa: Cohen's, over frames. In brackets: 95 % intervals by drawing "
        f"participants.</p><ul>{about}</ul>"
        f'<div class="scroll"><table class="statistics raters"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
